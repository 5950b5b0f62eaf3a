//! Ingest: what senders send becomes deliveries, and deliveries become events.
//!
//! Store first, interpret later: a request is verified and stored before anything reads it, and interpretation is a
//! pure function of the stored bytes. This crate must not know any metric, bot or page.

pub mod backfill;
pub mod demo;
pub mod hooks;
pub mod normalizer;
pub mod sender;
pub mod senders;
pub mod server;
pub mod source;
pub mod verify;
pub mod watch;
