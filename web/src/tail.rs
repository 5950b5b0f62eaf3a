//! The newest events, each written as JSON once for all who follow the log.
//!
//! A thousand subscribers at the end of the log hear of an event by one read of the log and one serialisation; whoever
//! is further behind reads the log on its own. Nothing here knows who subscribes or what for.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use bus::event::Recorded;
use bus::ids::EventOffset;
use bus::streams::Streams;
use tokio::sync::{Semaphore, watch};

use crate::api::{ApiError, document};

/// Events that are kept at most: a burst of some seconds, so that a subscriber that was not scheduled for a moment does
/// not read the log.
const EVENTS_MAX: usize = 1_024;

/// Bytes of JSON that are kept at most.
const BYTES_MAX: usize = 16 << 20;

/// Events that a subscriber is handed, or reads from the log, at once: what one that reads nothing holds in memory.
const BATCH_EVENTS_MAX: usize = 256;

/// Bytes of JSON that a subscriber is handed at once.
const BATCH_BYTES_MAX: usize = 1 << 20;

/// What starts the line of data in a frame.
const DATA: &str = "data: ";

/// An event with its JSON as everybody is sent it.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) recorded: Recorded,
    /// `id: OFFSET\ndata: JSON\n\n`
    frame: Bytes,
    /// Where the JSON begins in it.
    json_at: usize,
}

impl Written {
    pub(crate) async fn of(streams: &Streams, recorded: Recorded) -> Result<Self, ApiError> {
        let head = format!("id: {}\n{DATA}", recorded.offset);
        let json = document(streams, &recorded).await?;
        let json_at = head.len();
        Ok(Self { recorded, frame: Bytes::from(format!("{head}{json}\n\n")), json_at })
    }

    /// The message of a stream of server-sent events.
    pub(crate) fn frame(&self) -> Bytes {
        self.frame.clone()
    }

    /// The event alone, on one line.
    pub(crate) fn json(&self) -> Bytes {
        // The two line ends after it are not part of it.
        self.frame.slice(self.json_at..self.frame.len().saturating_sub(2).max(self.json_at))
    }
}

/// What comes after a place in the log.
#[derive(Debug)]
pub(crate) enum After {
    /// These, from memory; none at the end of the log.
    Shared(Vec<Arc<Written>>),
    /// These, from the log.
    Read(Vec<Recorded>),
    /// What came next is not kept any more; this is the oldest that is.
    Gone(EventOffset),
}

/// The newest events of a log. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Tail {
    streams: Streams,
    head: watch::Receiver<EventOffset>,
    kept: Arc<Mutex<Kept>>,
    /// One reads the log for all.
    reading: Arc<Semaphore>,
}

/// Every event after `from` up to `to`, oldest first.
#[derive(Debug)]
struct Kept {
    from: EventOffset,
    to: EventOffset,
    bytes: usize,
    events: VecDeque<Arc<Written>>,
}

/// What a look at what is kept says.
enum Look {
    Found(Vec<Arc<Written>>),
    /// It begins after that place.
    Behind,
    /// It ends here, at or before that place.
    End(EventOffset),
}

impl Tail {
    pub(crate) fn new(streams: Streams) -> Self {
        let head = streams.event_head();
        let kept = Arc::new(Mutex::new(Kept::at(*head.borrow())));
        Self { streams, head, kept, reading: Arc::new(Semaphore::new(1)) }
    }

    /// What comes after a place. Cancel-safe.
    pub(crate) async fn after(&self, position: EventOffset) -> Result<After, ApiError> {
        loop {
            let look = self.kept().after(position);
            let end = match look {
                Look::Found(events) => return Ok(After::Shared(events)),
                Look::Behind => return self.read(position).await,
                Look::End(end) => end,
            };
            if self.at_head(end) {
                return Ok(After::Shared(Vec::new()));
            }
            let Ok(_reading) = self.reading.acquire().await else { return Ok(After::Shared(Vec::new())) };
            // Whoever read meanwhile read for us as well.
            if self.kept().to == end {
                self.extend(end).await?;
            }
        }
    }

    /// What the log has after a place that is not kept here.
    async fn read(&self, position: EventOffset) -> Result<After, ApiError> {
        let oldest = self.streams.oldest_event().await?;
        if position.0 < oldest.0 - 1 {
            return Ok(After::Gone(oldest));
        }
        Ok(After::Read(self.streams.events(position, BATCH_EVENTS_MAX).await?))
    }

    /// Reads what the log has after what is kept.
    async fn extend(&self, end: EventOffset) -> Result<(), ApiError> {
        let head = *self.head.borrow();
        // Nobody followed for a while: what came meanwhile is of no use to whoever follows from now on.
        if head.0 - end.0 > i64::try_from(EVENTS_MAX).unwrap_or(i64::MAX) {
            *self.kept() = Kept::at(head);
            return Ok(());
        }
        let read = self.streams.events(end, BATCH_EVENTS_MAX).await?;
        let to = read.last().map_or(head, |last| last.offset);
        let mut written = Vec::with_capacity(read.len());
        for recorded in read {
            written.push(Arc::new(Written::of(&self.streams, recorded).await?));
        }
        self.kept().extend(written, to);
        Ok(())
    }

    fn at_head(&self, end: EventOffset) -> bool {
        end >= *self.head.borrow()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn at(place: EventOffset) -> Self {
        Self { from: place, to: place, bytes: 0, events: VecDeque::new() }
    }

    fn after(&self, position: EventOffset) -> Look {
        if position < self.from {
            return Look::Behind;
        }
        if position >= self.to {
            return Look::End(self.to);
        }
        let first = self.events.partition_point(|event| event.recorded.offset <= position);
        let mut bytes = 0;
        let fits = |event: &&Arc<Written>| {
            let full = bytes >= BATCH_BYTES_MAX;
            bytes += event.frame.len();
            !full
        };
        let found: Vec<_> =
            self.events.iter().skip(first).take(BATCH_EVENTS_MAX).take_while(fits).map(Arc::clone).collect();
        // All that came after that place were corrected since, and stand elsewhere: nothing is to be told of them.
        if found.is_empty() { Look::End(self.to) } else { Look::Found(found) }
    }

    fn extend(&mut self, written: Vec<Arc<Written>>, to: EventOffset) {
        self.to = to;
        self.bytes += written.iter().map(|event| event.frame.len()).sum::<usize>();
        self.events.extend(written);
        while self.events.len() > EVENTS_MAX || self.bytes > BYTES_MAX {
            let Some(oldest) = self.events.pop_front() else { return };
            self.bytes -= oldest.frame.len();
            self.from = oldest.recorded.offset;
        }
    }
}
