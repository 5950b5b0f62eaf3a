//! Watches: what cannot send by itself is watched, and what changes there becomes deliveries as if it had been sent.

pub mod kubernetes;
