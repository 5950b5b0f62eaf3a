//! One subscriber's place in the log: replay and live tail are the same loop.

use std::collections::VecDeque;
use std::sync::Arc;

use bus::event::Recorded;
use bus::ids::EventOffset;
use bus::query::Query;
use bus::streams::Streams;
use bus::subscriptions::Filter;
use tokio::sync::watch;

use crate::api::ApiError;
use crate::tail::{After, Tail, Written};

/// Which events: those that both let pass.
#[derive(Debug, Clone)]
pub(super) struct Which {
    pub(super) query: Query,
    pub(super) filter: Filter,
}

impl Which {
    fn wants(&self, event: &Recorded) -> bool {
        self.query.matches(event) && self.filter.matches(event)
    }
}

/// One subscriber's place in the log.
#[derive(Debug)]
pub(super) struct Reader {
    tail: Tail,
    streams: Streams,
    which: Which,
    head: watch::Receiver<EventOffset>,
    /// Everything up to here was handed on, or is not wanted.
    position: EventOffset,
    ready: VecDeque<Ready>,
    /// Whether the end of the log was reached once.
    caught_up: bool,
}

/// An event that was read and not yet handed on.
#[derive(Debug)]
enum Ready {
    Shared(Arc<Written>),
    /// Written only when it is its turn, so that a reader far behind holds little.
    Read(Box<Recorded>),
}

impl Ready {
    fn recorded(&self) -> &Recorded {
        match self {
            Self::Shared(written) => &written.recorded,
            Self::Read(recorded) => recorded,
        }
    }
}

/// What is next for a subscriber.
#[derive(Debug)]
pub(super) enum Next {
    Event(Arc<Written>),
    /// The end of the log is reached for the first time: what comes from now on is new.
    CaughtUp,
    /// What came next is not kept any more; this is the oldest event that is.
    Gone(EventOffset),
}

impl Reader {
    pub(super) fn new(tail: Tail, streams: Streams, which: Which, position: EventOffset) -> Self {
        let head = streams.event_head();
        Self { tail, streams, which, head, position, ready: VecDeque::new(), caught_up: false }
    }

    /// Everything wanted up to here was handed on.
    pub(super) fn position(&self) -> EventOffset {
        self.position
    }

    /// The next event that is wanted, once there is one. Cancel-safe. None when the log is closed.
    pub(super) async fn next(&mut self) -> Result<Option<Next>, ApiError> {
        loop {
            while let Some(ready) = self.ready.front() {
                let offset = ready.recorded().offset;
                let written = if self.which.wants(ready.recorded()) {
                    Some(match ready {
                        Ready::Shared(written) => Arc::clone(written),
                        Ready::Read(recorded) => Arc::new(Written::of(&self.streams, recorded.as_ref().clone()).await?),
                    })
                } else {
                    None
                };
                // Taken only now: this future may be dropped while the event is written.
                self.ready.pop_front();
                self.position = offset;
                if let Some(written) = written {
                    return Ok(Some(Next::Event(written)));
                }
            }
            // Mark the head as seen before reading, so that an event arriving meanwhile is not slept over.
            self.head.borrow_and_update();
            self.ready = match self.tail.after(self.position).await? {
                After::Shared(events) => events.into_iter().map(Ready::Shared).collect(),
                After::Read(events) => events.into_iter().map(|event| Ready::Read(Box::new(event))).collect(),
                After::Gone(oldest) => return Ok(Some(Next::Gone(oldest))),
            };
            if !self.ready.is_empty() {
                continue;
            }
            if !self.caught_up {
                self.caught_up = true;
                return Ok(Some(Next::CaughtUp));
            }
            if self.head.changed().await.is_err() {
                return Ok(None);
            }
        }
    }
}
