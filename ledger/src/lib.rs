//! Ledger: reads the bus, folds events into facts, and computes delivery metrics from them, for teams and the company.
//!
//! It must not know any sender or any page, and no column, field or type of it can hold a person.

pub mod catalog;
pub mod facts;
pub mod report;
pub mod rules;
pub mod view;
pub mod window;
