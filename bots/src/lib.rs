//! Bots: functions from an event to actions. This crate holds the contract; the runtime that keeps it comes next.
//!
//! A bot reads the world only through lookups and changes it only by returning actions. So a crash, a retry, a replay
//! and a dry run are all safe: nothing has happened until the runtime has recorded it.

pub mod action;
pub mod contract;
