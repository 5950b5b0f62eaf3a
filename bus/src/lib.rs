//! The engineering event bus: what an event is, and the two append-only streams that hold deliveries and events.
//!
//! This crate knows the vocabulary and how to keep it. It must not know any sender, any metric or any page.
//!
//! * [`delivery`]: what a sender sent, byte for byte.
//! * [`event`], [`kind`], [`data`]: what it means.
//! * [`cloudevents`], [`cdevents`]: how an event looks on the wire.
//! * [`streams`]: the two logs, their readers and checkpoints, whatever engine keeps them.
//! * [`storage`], [`postgres`], [`lease`]: where they are kept, and who does what only one process may do.
//! * [`subscriptions`]: who hears which events, by which way.
//! * [`egress`]: the one way by which requests leave, signed and guarded.
//! * [`standard_webhooks`]: how what is sent to subscribers is signed.
//! * [`key`]: names as keys of tables.
//! * [`mark`]: how the actions of bots are named and recognised.
//! * [`query`]: which events somebody asks for.
//! * [`faults`]: where tests have the program die or lie.

pub mod cdevents;
pub mod cloudevents;
pub mod data;
pub mod delivery;
pub mod egress;
pub mod event;
pub mod faults;
pub mod ids;
mod kafka;
pub mod key;
pub mod kind;
pub mod lease;
pub mod mark;
pub mod migrate;
pub mod postgres;
pub mod query;
pub mod standard_webhooks;
pub mod stop;
pub mod storage;
pub mod streams;
pub mod subscriptions;
