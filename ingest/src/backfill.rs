//! What happened before anybody listened: histories read on demand, as deliveries like any sender's.

pub mod git;
