//! Ledger: reads the bus, folds events into facts, and computes delivery metrics from them, for teams and the company.
//!
//! It must not know any sender or any page, and no column, field or type of it can hold a person.

mod aggregate;
pub mod catalog;
mod derive;
pub mod error;
pub mod facts;
mod fold;
mod frames;
mod groups;
pub mod ledger;
mod metrics;
pub mod people;
mod projector;
pub mod rebuild;
pub mod report;
pub mod rules;
mod status;
mod store;
pub mod view;
pub mod window;
