//! Events of the bus for pages that are built where blocking is allowed: pages of metrics that show what happened beside
//! what it amounts to.

use bus::event::Recorded;
use bus::query::{Condition, Pattern, Query, Term};
use bus::streams::{Search, StreamError, Streams};
use tokio::runtime::Handle;

use crate::error::PageError;
use crate::site::Watches;

/// A search hands over what it has after half a second; so many such parts are waited for.
const PARTS_MAX: usize = 4;

/// Finds events.
pub(crate) trait Happenings: Send + Sync {
    /// Events that a query finds, newest first. Blocks.
    fn find(&self, query: &Query, limit: usize) -> Result<Found, PageError>;

    /// Whether somebody tells of killed pods: only then a service without any has none.
    fn clusters_watched(&self) -> bool;
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Found {
    /// Newest first.
    pub(crate) events: Vec<Recorded>,
    /// Set if there may be more, older ones.
    pub(crate) cut: bool,
}

/// The streams, and who watches clusters.
pub(crate) struct Bus {
    pub(crate) streams: Streams,
    pub(crate) watches: Watches,
}

impl Happenings for Bus {
    fn find(&self, query: &Query, limit: usize) -> Result<Found, PageError> {
        let handle = Handle::try_current().map_err(|_| PageError::Cut)?;
        let found = handle.block_on(find(&self.streams, query, limit));
        found.map_err(|error| {
            tracing::error!(error = %error, "events for a page could not be read");
            PageError::Cut
        })
    }

    fn clusters_watched(&self) -> bool {
        // Where a pod was ever killed, somebody told: a watch that was given up, or another program's.
        let killed = Condition::Type(Pattern::Is("pod.killed".to_owned()));
        let killed = Query::default().and(Term { negated: false, condition: killed });
        !(self.watches)().is_empty() || self.find(&killed, 1).is_ok_and(|found| !found.events.is_empty())
    }
}

async fn find(streams: &Streams, query: &Query, limit: usize) -> Result<Found, StreamError> {
    let mut found = Found { events: Vec::new(), cut: true };
    let mut before = None;
    for _ in 0..PARTS_MAX {
        let room = limit.saturating_sub(found.events.len());
        if room == 0 {
            break;
        }
        let page = streams.search(Search { query: query.clone(), before, limit: room }).await?;
        found.events.extend(page.events);
        before = page.next;
        if before.is_none() {
            found.cut = false;
            break;
        }
    }
    // The stream is in order of record; what was imported stands behind what happened after it.
    found.events.sort_by_key(|recorded| std::cmp::Reverse((recorded.event.time, recorded.offset)));
    Ok(found)
}

/// Nothing ever happened: for pages of metrics alone.
pub(crate) struct Nothing;

impl Happenings for Nothing {
    fn find(&self, _query: &Query, _limit: usize) -> Result<Found, PageError> {
        Ok(Found::default())
    }

    fn clusters_watched(&self) -> bool {
        false
    }
}
