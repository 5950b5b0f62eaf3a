//! A year of an invented organisation, as the deliveries that its tools would have sent: what `devhose demo` shows.
//!
//! The same seed and the same end give the same bytes. Deliveries are made one by one as they are asked for, in order
//! of arrival, and go the way of every delivery: nothing of the demo is written into facts or pages directly.
//!
//! # What is not as usual
//!
//! A demo that only shows what goes well would be no help. These are there on purpose; each has a test of its name.
//!
//! | what | where | why |
//! |---|---|---|
//! | a team too small to show | `tooling`, three people | its review figures are withheld |
//! | a silent source | the data team's: hourly until six days ago, nothing since | silence is not a good week |
//! | a service without deployments | `design-system`, a library | "not configured" is not zero |
//! | a young service | `fraud-screening`, since ten weeks | its charts begin where it began |
//! | hotfixes, rollbacks and reverts | after about one deployment in ten | change failure rate, recovery time |
//! | an open incident | `checkout`, for an hour and a half | "at least", not a duration |
//! | a failing build | `search`, for three hours; nothing is merged there since | a failing signal |
//! | a delivery that is not JSON | two days ago | quarantined, with its error |
//! | a redelivery | a day ago | the same id twice, counted once |
//! | an incomplete week | the current one | never compared with complete ones |
//! | killed pods | everywhere; `checkout` again and again today; a whole node three nights ago | what bots are for |
//! | a step | a pipeline split in spring | builds and waiting get shorter from one week to the next |

use std::collections::VecDeque;
use std::time::Duration;

use bus::delivery::{NewDelivery, Verification};
use chrono::{DateTime, TimeDelta, Utc};

pub use crate::senders::sample::CLUSTER_SOURCE;
use crate::senders::sample::{self, DATA_SOURCE, FORGE_SOURCE, OPERATIONS_SOURCE, Request};
use kills::Kill;
use random::{Random, whole};
use world::{Dates, World};

pub(crate) mod happening;
pub(crate) mod kills;
pub mod organisation;
mod random;
mod rhythm;
mod story;
mod world;

/// What is to be invented.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// The same seed gives the same organisation.
    pub seed: u64,
    /// When the history ends. It begins on the Monday 53 weeks before this week's.
    pub now: DateTime<Utc>,
    /// How much happens: 1 is about 3,300 changes and 40,000 deliveries a year.
    pub scale: f64,
}

/// How long ago the data team's source fell silent.
const SILENT_SINCE: TimeDelta = TimeDelta::hours(6 * 24 + 5);
/// How long ago a body was cut off.
const BROKEN_BEFORE: TimeDelta = TimeDelta::hours(46);
/// How long ago somebody had a delivery sent again.
const REDELIVERED_BEFORE: TimeDelta = TimeDelta::hours(25);
/// How long after the first time.
const REDELIVERED_AFTER: TimeDelta = TimeDelta::minutes(20);

/// When the pipeline was split: the date of the step that charts show.
#[must_use]
pub fn pipeline_split_at(now: DateTime<Utc>) -> DateTime<Utc> {
    Dates::before(now).split_at
}

/// The sources of webhooks that the deliveries come through; the others come through [`CLUSTER_SOURCE`].
#[must_use]
pub const fn source_names() -> [&'static str; 3] {
    [FORGE_SOURCE, DATA_SOURCE, OPERATIONS_SOURCE]
}

/// The deliveries of the year before `now`, in order of arrival.
pub fn deliveries(options: Options) -> impl Iterator<Item = NewDelivery> {
    History {
        world: World::new(options),
        post: Post::new(options.seed),
        kills: kills::history(options.seed, options.now).into(),
        now: options.now,
        broken_at: Some(options.now - BROKEN_BEFORE),
        redelivery: Redelivery::Due,
    }
    .fuse()
}

/// What goes on after `now`, without end: how long to wait, then what arrives. Hours are seconds here, so that whoever
/// watches sees something every few seconds; changes are opened at any time of day.
pub fn live(options: Options) -> impl Iterator<Item = (Duration, NewDelivery)> {
    let mut world = World::new(options);
    while world.next_at().is_some_and(|at| at <= options.now) && world.next().is_some() {}
    world.take_the_stage(options.now);
    // Ids must not be those of the history.
    let mut post = Post::new(!options.seed);
    let mut last = options.now;
    let mut kills = kills::live(options.seed, options.now).peekable();
    let mut world = world.peekable();
    std::iter::from_fn(move || {
        loop {
            let next = world.peek().map_or(DateTime::<Utc>::MAX_UTC, |(at, _)| *at);
            let delivery = match kills.next_if(|kill| kill.at <= next) {
                Some(kill) => post.receive(sample::kill_request(&kill), kill.at),
                None => world.next().and_then(|(at, happening)| post.deliver(&happening, at)),
            };
            let Some(delivery) = delivery else { continue };
            let wait = (delivery.received_at - last).to_std().unwrap_or_default();
            last = delivery.received_at;
            return Some((wait, delivery));
        }
    })
}

/// The world seen through its tools, with what goes wrong on the way.
#[derive(Debug)]
struct History {
    world: World,
    post: Post,
    /// Pods that are still to be killed, in order of time.
    kills: VecDeque<Kill>,
    now: DateTime<Utc>,
    /// When a body is cut off; none once that was.
    broken_at: Option<DateTime<Utc>>,
    redelivery: Redelivery,
}

/// How far the one redelivery has come.
#[derive(Debug)]
enum Redelivery {
    /// The next delivery is kept for it.
    Due,
    /// To be sent again at its time.
    Kept(Box<NewDelivery>),
    Done,
}

impl Iterator for History {
    type Item = NewDelivery;

    fn next(&mut self) -> Option<NewDelivery> {
        loop {
            let next_at = self.world.next_at()?;
            if self.broken_at.is_some_and(|at| at <= next_at) {
                let request = sample::broken_request(self.post.random.uuid());
                return self.broken_at.take().and_then(|at| self.post.receive(request, at));
            }
            if self.kills.front().is_some_and(|kill| kill.at <= next_at)
                && let Some(kill) = self.kills.pop_front()
            {
                return self.post.receive(sample::kill_request(&kill), kill.at);
            }
            if let Redelivery::Kept(kept) = &self.redelivery
                && kept.received_at <= next_at
                && let Redelivery::Kept(kept) = std::mem::replace(&mut self.redelivery, Redelivery::Done)
            {
                let received_at = self.post.arrival(kept.received_at);
                return Some(NewDelivery { received_at, ..*kept });
            }
            let (at, happening) = self.world.next()?;
            let delivery = self.post.deliver(&happening, at).filter(|d| d.received_at <= self.now)?;
            let source = delivery.source.as_str();
            if source == DATA_SOURCE && at > self.now - SILENT_SINCE {
                continue;
            }
            if matches!(self.redelivery, Redelivery::Due)
                && source == FORGE_SOURCE
                && at > self.now - REDELIVERED_BEFORE
            {
                let received_at = delivery.received_at + REDELIVERED_AFTER;
                self.redelivery = Redelivery::Kept(Box::new(NewDelivery { received_at, ..delivery.clone() }));
            }
            return Some(delivery);
        }
    }
}

/// The way from a tool to this program: gives ids, and takes a moment.
#[derive(Debug)]
struct Post {
    random: Random,
    latest: DateTime<Utc>,
}

impl Post {
    const fn new(seed: u64) -> Self {
        Self { random: Random::new(seed.rotate_left(32) ^ 0x0064_656c_6976_6572), latest: DateTime::<Utc>::MIN_UTC }
    }

    fn deliver(&mut self, happening: &happening::Happening, at: DateTime<Utc>) -> Option<NewDelivery> {
        let uuid = self.random.uuid();
        self.receive(sample::request(happening, uuid), at)
    }

    /// None if the sample's constants are no valid names, which a test rules out.
    fn receive(&mut self, request: Request, at: DateTime<Utc>) -> Option<NewDelivery> {
        let millis = self.random.log_normal(700.0, 0.6).min(9_000.0);
        let received_at = self.arrival(at + TimeDelta::milliseconds(whole(millis).try_into().unwrap_or_default()));
        Some(NewDelivery {
            source: request.source.parse().ok()?,
            delivery_id: request.delivery_id.parse().ok()?,
            received_at,
            headers: request.headers,
            content_type: Some(request.content_type.to_owned()),
            body: request.body,
            verification: Verification::Signature,
        })
    }

    /// Deliveries arrive one after the other, never before an earlier one.
    fn arrival(&mut self, at: DateTime<Utc>) -> DateTime<Utc> {
        self.latest = self.latest.max(at);
        self.latest
    }
}

#[cfg(test)]
mod tests;
