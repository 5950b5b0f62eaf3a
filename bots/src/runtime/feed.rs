//! Events in order for many readers: bots that stand at the same place share what was read from the log.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use bus::event::Recorded;
use bus::ids::EventOffset;
use bus::streams::Streams;
use tokio::sync::Semaphore;

use crate::error::BotError;

/// Events read at once: some MB, and some milliseconds.
const PAGE_EVENTS: usize = 512;

/// Pages kept for the next reader: bots that are catching up at different places do not push each other's out.
const PAGES_KEPT: usize = 8;

/// Reads the log.
#[derive(Debug)]
pub(crate) struct Feed {
    streams: Streams,
    pages: Mutex<VecDeque<Arc<Page>>>,
    /// One reads at a time, so that the others find what it read.
    turn: Semaphore,
}

/// A stretch of the log.
#[derive(Debug)]
struct Page {
    after: EventOffset,
    through: EventOffset,
    events: Vec<Recorded>,
}

/// The rest of a page.
#[derive(Debug)]
pub(crate) struct Stretch {
    page: Arc<Page>,
    start: usize,
}

impl Stretch {
    /// The events, in order.
    pub(crate) fn events(&self) -> &[Recorded] {
        self.page.events.get(self.start..).unwrap_or_default()
    }
}

impl Feed {
    pub(crate) fn new(streams: Streams) -> Self {
        Self { streams, pages: Mutex::new(VecDeque::new()), turn: Semaphore::new(1) }
    }

    /// Events after an offset; none at the head.
    pub(crate) async fn after(&self, offset: EventOffset) -> Result<Option<Stretch>, BotError> {
        if let Some(stretch) = self.kept(offset) {
            return Ok(Some(stretch));
        }
        // Closed never; without a turn the log is only read once more than needed.
        let turn = self.turn.acquire().await;
        if let Some(stretch) = self.kept(offset) {
            return Ok(Some(stretch));
        }
        let events = self.streams.events(offset, PAGE_EVENTS).await?;
        let Some(last) = events.last() else { return Ok(None) };
        let page = Arc::new(Page { after: offset, through: last.offset, events });
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        pages.push_back(Arc::clone(&page));
        while pages.len() > PAGES_KEPT {
            pages.pop_front();
        }
        drop(turn);
        Ok(Some(Stretch { page, start: 0 }))
    }

    fn kept(&self, offset: EventOffset) -> Option<Stretch> {
        let pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        let page = pages.iter().rev().find(|page| page.after <= offset && offset < page.through)?;
        let start = page.events.partition_point(|event| event.offset <= offset);
        Some(Stretch { page: Arc::clone(page), start })
    }
}
