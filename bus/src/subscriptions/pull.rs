//! Pulling: consumers of a group ask for events and say what they are done with.
//!
//! Whoever pulls also reads on in the log for its group: the position moves only from where it was read, so that of
//! two that read at the same time one does nothing. No two consumers ever hold events of the same key, because only
//! the first of a key is handed out, and that one is due again only when its lease ends.

use std::time::Duration;

use tokio::time::Instant;

use super::events::EVENTS_READ_MAX;
use super::store::definitions::Stored;
use super::store::groups::{Answer, Asking, Handed};
use super::store::queue::{NewWork, Step};
use super::{
    DEAD_LETTERS_MAX, Name, PULL_EVENTS_MAX, PULL_WAIT_MAX, Pulled, State, SubscriptionError, Subscriptions, Token,
    Transport, events,
};
use crate::ids::EventOffset;

type Result<T> = std::result::Result<T, SubscriptionError>;

/// Longest name of a consumer, in bytes.
const CONSUMER_BYTES_MAX: usize = 80;

/// With so much queued no more is read, whatever of it waits for what.
const QUEUED_MAX: usize = 10_000;

/// With so much that can be handed out no more is read.
const READY_MAX: usize = PULL_EVENTS_MAX;

/// The log is read so many times at most before events are handed out.
const READS_MAX: usize = 16;

/// A position that moved over so many events of which none matched is noted: so many are read again after a crash.
const UNNOTED_EVENTS_MAX: i64 = 1_000;

/// While nothing moves, the tables are asked again after this: other processes may have changed them, or a lease ended.
const ASK_AGAIN: Duration = Duration::from_secs(1);

impl Subscriptions {
    /// Hands a consumer of a pull subscription at most `max` events (at most [`PULL_EVENTS_MAX`]) of the keys that are
    /// its share, waiting up to `wait` (at most [`PULL_WAIT_MAX`]) for the first.
    ///
    /// # Errors
    /// If there is none of that name, it is no pull subscription, or it is paused.
    pub async fn pull(&self, name: &Name, consumer: &str, max: usize, wait: Duration) -> Result<Pulled> {
        let deadline = Instant::now() + wait.min(PULL_WAIT_MAX);
        let stored = self.store.by_name(name).await?;
        let mut puller = Puller {
            subscriptions: self.clone(),
            asking: self.asking(&stored, consumer)?,
            max: max.clamp(1, PULL_EVENTS_MAX),
            position: stored.position.unwrap_or_default(),
            noted: stored.position.unwrap_or_default(),
            stored,
            asks: true,
            is_behind: false,
        };
        let mut head = self.streams.event_head();
        let mut changed = self.changed.subscribe();
        let mut group = self.group(puller.stored.id).subscribe();
        loop {
            // Mark all as seen before looking, so that nothing that comes meanwhile is slept over.
            head.borrow_and_update();
            changed.borrow_and_update();
            group.borrow_and_update();
            // In a task of its own: what it writes is written whole even if whoever pulls goes away.
            let turn = tokio::spawn(async move { puller.turn(Instant::now() >= deadline).await });
            let (back, pulled) =
                turn.await.unwrap_or_else(|_| Err(SubscriptionError::Store("it was broken off".to_owned())))?;
            puller = back;
            if let Some(pulled) = pulled {
                return Ok(pulled);
            }
            if puller.is_behind {
                continue;
            }
            let now = Instant::now();
            tokio::select! {
                _ = head.changed() => {}
                _ = changed.changed() => puller.asks = true,
                _ = group.changed() => puller.asks = true,
                () = tokio::time::sleep_until(deadline.min(now + ASK_AGAIN)) => puller.asks = true,
            }
        }
    }

    /// Says that events are done with. What is left of the same token is leased for as long again.
    ///
    /// # Errors
    /// [`SubscriptionError::Fenced`] if one of them is not held under the token any more; those that are, are
    /// acknowledged all the same.
    pub async fn acknowledge(&self, name: &Name, consumer: &str, token: &Token, events: &[EventOffset]) -> Result<()> {
        self.answer(name, consumer, (token, events), Answer::Acknowledged).await
    }

    /// Gives events back to be handed out later, after the delay of their retry policy; their keys wait so long.
    ///
    /// # Errors
    /// As [`Self::acknowledge`].
    pub async fn release(&self, name: &Name, consumer: &str, token: &Token, events: &[EventOffset]) -> Result<()> {
        self.answer(name, consumer, (token, events), Answer::Released).await
    }

    async fn answer(
        &self,
        name: &Name,
        consumer: &str,
        (token, events): (&Token, &[EventOffset]),
        answer: Answer,
    ) -> Result<()> {
        let stored = self.store.by_name(name).await?;
        let asking = self.asking(&stored, consumer)?;
        let serial = serial(token, consumer).ok_or(SubscriptionError::Fenced)?;
        let (store, id, handed) = (self.store.clone(), stored.id, Handed { serial, events: events.to_vec() });
        let group = self.group(id);
        // Not `whole`, which would wake everybody: this is news for the consumers of the group alone.
        let answered = tokio::spawn(async move { store.answer(id, &asking, &handed, answer).await });
        let whole = answered.await.unwrap_or_else(|_| Err(SubscriptionError::Store("it was broken off".to_owned())))?;
        group.send_replace(());
        if whole { Ok(()) } else { Err(SubscriptionError::Fenced) }
    }

    fn asking(&self, stored: &Stored, consumer: &str) -> Result<Asking> {
        let Transport::Pull { lease_seconds } = stored.spec.transport else {
            return Err(SubscriptionError::Conflict(format!("{} is no pull subscription", stored.spec.name)));
        };
        if consumer.is_empty() || consumer.len() > CONSUMER_BYTES_MAX || consumer.chars().any(char::is_control) {
            return Err(SubscriptionError::Invalid(format!(
                "a consumer needs a name of 1 to {CONSUMER_BYTES_MAX} bytes without control characters"
            )));
        }
        Ok(Asking {
            consumer: consumer.to_owned(),
            at: self.now(),
            lease: Duration::from_secs(lease_seconds.into()),
            retry: stored.spec.retry.clone(),
            ordered: stored.is_ordered(),
        })
    }
}

/// A consumer that waits for events.
struct Puller {
    subscriptions: Subscriptions,
    stored: Stored,
    asking: Asking,
    max: usize,
    /// Where it has read to.
    position: EventOffset,
    /// Where the group is noted to have read to.
    noted: EventOffset,
    /// Whether the tables are asked even if nothing was read that could be handed out.
    asks: bool,
    /// Whether there is more in the log than was read.
    is_behind: bool,
}

impl Puller {
    /// Reads on in the log and hands out what is due. The last turn gives nothing rather than none.
    async fn turn(mut self, is_last: bool) -> Result<(Self, Option<Pulled>)> {
        let Subscriptions { store, .. } = self.subscriptions.clone();
        let name = self.stored.spec.name.clone();
        self.stored = store.by_id(self.stored.id).await?.ok_or(SubscriptionError::Unknown(name))?;
        if self.stored.state != State::Active {
            return Err(SubscriptionError::Conflict(format!("{} is paused: resume it first", self.stored.spec.name)));
        }
        self.asking.at = self.subscriptions.now();
        let queued = self.read_on(is_last).await?;
        if !self.asks && !queued && !is_last {
            return Ok((self, None));
        }
        self.asks = false;
        if let Some(handed) = store.hand_out(self.stored.id, &self.asking, self.max).await? {
            let pulled = self.opened(handed).await?;
            if !pulled.events.is_empty() {
                return Ok((self, Some(pulled)));
            }
            self.asks = true;
        }
        let nothing = || Pulled {
            token: token(0, &self.asking.consumer),
            leased_until: self.asking.leased_until(),
            events: Vec::new(),
        };
        let last = is_last.then(nothing);
        Ok((self, last))
    }

    /// The events that were handed out. One that is not in the log any more, or was corrected, is done with.
    async fn opened(&self, handed: Handed) -> Result<Pulled> {
        let Self { subscriptions, stored, asking, .. } = self;
        let events = events::at(&subscriptions.streams, &handed.events).await?;
        if events.len() < handed.events.len() {
            let gone = |offset: &EventOffset| !events.iter().any(|event| event.offset == *offset);
            let gone = handed.events.iter().copied().filter(gone).collect();
            let gone = Handed { serial: handed.serial, events: gone };
            subscriptions.store.answer(stored.id, asking, &gone, Answer::Acknowledged).await?;
            subscriptions.group(stored.id).send_replace(());
        }
        Ok(Pulled { token: token(handed.serial, &asking.consumer), leased_until: asking.leased_until(), events })
    }

    /// Queues what comes next in the log, if there is room; whether anything was queued. A position that moved over
    /// events of which none matched is noted now and then, and in the end.
    async fn read_on(&mut self, is_last: bool) -> Result<bool> {
        let Subscriptions { store, streams, .. } = self.subscriptions.clone();
        if self.stored.position.is_some_and(|position| position != self.noted) {
            // Another consumer has read on.
            self.noted = self.stored.position.unwrap_or_default();
            self.position = self.position.max(self.noted);
        }
        let mut queued = false;
        for _ in 0..READS_MAX {
            let mut work: Vec<NewWork> = Vec::new();
            let more = streams.event_head().borrow().0 > self.position.0 && self.has_room().await?;
            if more {
                let read = streams.events(self.position, EVENTS_READ_MAX).await?;
                work.extend(read.iter().filter(|event| self.stored.spec.filter.matches(event)).map(NewWork::of));
                self.position = read.last().map_or(self.position, |event| event.offset);
            }
            let unnoted = self.position.0 - self.noted.0;
            if !work.is_empty() || unnoted >= UNNOTED_EVENTS_MAX || (unnoted > 0 && is_last) {
                let step =
                    Step { from: self.noted, to: self.position, ordered: self.stored.is_ordered(), at: self.asking.at };
                if !store.feed(None, self.stored.id, step, &work).await? {
                    // Another was faster: all this is read again from where that one came to, if need be.
                    self.position = EventOffset::START;
                    return Ok(true);
                }
                self.noted = self.position;
            }
            queued |= !work.is_empty();
            self.is_behind = more;
            if !more {
                break;
            }
        }
        if queued {
            self.subscriptions.group(self.stored.id).send_replace(());
        }
        Ok(queued)
    }

    async fn has_room(&self) -> Result<bool> {
        let room = self.subscriptions.store.room(self.stored.id).await?;
        Ok(room.queued < QUEUED_MAX && room.ready < READY_MAX && room.dead < DEAD_LETTERS_MAX)
    }
}

/// A token names what was handed out and to whom.
fn token(serial: i64, consumer: &str) -> Token {
    Token(format!("{serial}-{consumer}"))
}

/// None if it is no token of that consumer.
fn serial(token: &Token, consumer: &str) -> Option<i64> {
    let (serial, owner) = token.0.split_once('-')?;
    serial.parse().ok().filter(|serial| *serial > 0 && owner == consumer)
}
