//! Pages, charts and exports of Devhose.
//!
//! Server-rendered: every page is complete without a script, all its state is in its address, and the same address with
//! `.csv` or `.json` gives the same numbers. A page is one file under `pages/` and one line in `pages`; a chart is one
//! file under `charts/`. Nothing here computes a metric, reads a stream's storage, or can show a person.

mod answers;
mod api;
mod assets;
mod bots;
mod charts;
mod error;
mod explorer;
mod export;
mod figure;
mod format;
mod happenings;
mod health;
mod layout;
mod nearest;
mod pages;
mod redact;
mod request;
mod router;
mod sentence;
mod site;
mod standing;
mod state;
mod subscriptions;
mod table;
mod tail;
#[cfg(test)]
mod testing;

pub use answers::Answers;
pub use health::health_router;
pub use router::{router, site_router};
pub use site::{App, FirstSteps, Site, Watched, Watches};
