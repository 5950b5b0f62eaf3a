//! The bot as its users meet it: a kill goes in, messages come out.

mod incidents;
mod limits;
mod messages;
mod questions;
mod stage;
mod storms;
