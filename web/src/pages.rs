//! The pages: one file each, and this list.
//!
//! A page is a function from a [`Request`] to a [`Reply`], with its template beside it. To add one, copy the file that
//! is nearest to it and add a line to [`PAGES`]; its `.csv` and `.json` follow from the tables it replies with.

use crate::error::PageError;
use crate::request::{Reply, Request};

pub(crate) mod code;
pub(crate) mod definition;
pub(crate) mod delivery;
pub(crate) mod filters;
pub(crate) mod home;
pub(crate) mod metric;
pub(crate) mod privacy;
pub(crate) mod service;
pub(crate) mod services;
pub(crate) mod signals;
pub(crate) mod team;
pub(crate) mod teams;
#[cfg(test)]
mod tests;
pub(crate) mod theme;

/// One page.
#[derive(Debug)]
pub(crate) struct Page {
    /// Its route. A page under a name takes exactly one.
    pub(crate) path: &'static str,
    /// What it answers.
    pub(crate) build: fn(&Request) -> Result<Reply, PageError>,
}

/// All of them.
pub(crate) const PAGES: &[Page] = &[
    Page { path: "/", build: home::page },
    Page { path: "/teams", build: teams::page },
    Page { path: "/teams/{team}", build: team::page },
    Page { path: "/teams/{team}/delivery", build: delivery::page },
    Page { path: "/teams/{team}/code", build: code::page },
    Page { path: "/services", build: services::page },
    Page { path: "/services/{service}", build: service::page },
    Page { path: "/metrics/{metric}", build: metric::page },
    Page { path: "/docs/metrics/{metric}", build: definition::page },
    Page { path: "/privacy", build: privacy::page },
];
