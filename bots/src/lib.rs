//! Bots: functions from an event to actions, and the runtime that keeps the contract.
//!
//! A bot reads the world only through lookups and changes it only by returning actions. So a crash, a retry, a replay
//! and a dry run are all safe: nothing has happened until the runtime has recorded it.
//!
//! * [`contract`], [`action`], [`message`], [`lookups`]: what the author of a bot sees.
//! * [`builtin`]: the bots, one file each, and their list.
//! * [`given`]: a world out of a file, for trying a bot without any tool.
//! * [`runtime`]: hands events to bots, keeps what they decided, has it performed.
//! * [`trial`]: one run of a bot with nothing around it.
//! * [`clients`]: the tools that perform actions and answer lookups; the only place that knows vendors.

pub mod action;
pub mod builtin;
pub mod clients;
pub mod contract;
pub mod error;
pub mod given;
pub mod lookups;
pub mod message;
pub mod runtime;
mod store;
pub mod trial;

pub use store::{TABLES, prepare};
