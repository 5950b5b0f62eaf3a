//! What all parts of the runtime share.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bus::ids::EventOffset;
use bus::query::Query;
use bus::streams::Streams;
use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{Notify, watch};

use super::feed::Feed;
use super::lanes::Lanes;
use super::record::Paused;
use super::{BotSettings, CrashPoint, Outside, Settings};
use crate::contract::{Bot, Manifest, Mode};
use crate::error::BotError;
use crate::store::Store;
use crate::store::runs::Standing;

/// No wait is longer than this: the clock may be set, and is then looked at again.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// What the parts of the runtime share.
pub(crate) struct Core {
    pub(crate) streams: Streams,
    pub(crate) store: Store,
    pub(crate) entries: Vec<Arc<Entry>>,
    pub(crate) settings: Settings,
    pub(crate) outside: Outside,
    pub(crate) feed: Feed,
    pub(crate) lanes: Lanes,
    /// Something was performed that the bus is to be told of.
    pub(crate) to_announce: Notify,
    /// Counts up after every step, for whoever waits until all is done.
    pub(crate) steps: watch::Sender<u64>,
    pub(crate) running: AtomicBool,
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core").finish_non_exhaustive()
    }
}

/// A bot of the installation.
pub(crate) struct Entry {
    pub(crate) bot: &'static dyn Bot,
    pub(crate) manifest: Manifest,
    pub(crate) query: Query,
    pub(crate) settings: BotSettings,
    paused: Mutex<Option<Paused>>,
    decided: AtomicI64,
    /// Somebody else changed what the bot's reader keeps in memory.
    pub(crate) reload: AtomicBool,
    /// For the bot's reader: there may be something to do.
    pub(crate) wake: Notify,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("manifest", &self.manifest).finish_non_exhaustive()
    }
}

impl Entry {
    pub(crate) fn new(bot: &'static dyn Bot, query: Query, settings: BotSettings, standing: &Standing) -> Self {
        Self {
            bot,
            manifest: bot.manifest(),
            query,
            settings,
            paused: Mutex::new(standing.paused.clone()),
            decided: AtomicI64::new(standing.checkpoint.0),
            reload: AtomicBool::new(false),
            wake: Notify::new(),
        }
    }

    pub(crate) const fn name(&self) -> &'static str {
        self.manifest.name
    }

    pub(crate) const fn mode(&self) -> Mode {
        self.settings.mode
    }

    pub(crate) fn paused(&self) -> Option<Paused> {
        self.paused.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_paused(&self, paused: Option<Paused>) {
        *self.paused.lock().unwrap_or_else(PoisonError::into_inner) = paused;
    }

    /// Whether its recorded actions are to be performed now.
    pub(crate) fn performs(&self) -> bool {
        self.mode() == Mode::Live && self.paused().is_none()
    }

    /// Every event up to here is decided or waits; perhaps not written down yet where nothing followed from it.
    pub(crate) fn decided(&self) -> EventOffset {
        EventOffset(self.decided.load(Ordering::Acquire))
    }

    pub(crate) fn set_decided(&self, offset: EventOffset) {
        self.decided.store(offset.0, Ordering::Release);
    }
}

impl Core {
    pub(crate) fn now(&self) -> DateTime<Utc> {
        (self.settings.clock)()
    }

    pub(crate) fn entry(&self, bot: &str) -> Result<&Arc<Entry>, BotError> {
        self.entries.iter().find(|entry| entry.name() == bot).ok_or_else(|| BotError::Unknown {
            name: bot.to_owned(),
            known: match self.entries.iter().map(|entry| entry.name()).collect::<Vec<_>>() {
                names if names.is_empty() => "none".to_owned(),
                names => names.join(", "),
            },
        })
    }

    /// Lets everybody who waits for something look again.
    pub(crate) fn stepped(&self) {
        self.steps.send_modify(|steps| *steps = steps.wrapping_add(1));
    }

    /// Sleeps until then by the clock, or for a while. Cancel-safe.
    pub(crate) async fn sleep_until(&self, at: DateTime<Utc>) {
        let left = (at - self.now()).max(TimeDelta::zero()).to_std().unwrap_or(WAIT_MAX);
        tokio::time::sleep(left.min(WAIT_MAX)).await;
    }

    /// Stops dead here if a test asked for it. Tests of this crate lose only the run, not the process.
    pub(crate) fn crash_point(&self, point: CrashPoint) -> Result<(), BotError> {
        match self.settings.crash_at {
            Some(at) if at == point && cfg!(test) => Err(BotError::Crashed(point.name())),
            Some(at) if at == point => std::process::abort(),
            Some(_) | None => Ok(()),
        }
    }
}

/// A wait that grows with every failure: `base`, twice that, … up to `most`, a quarter more or less. The same `seed` and
/// number give the same wait, different seeds different ones, so that what failed together does not come back together.
pub(crate) fn back_off(failures: u32, [base, most]: [Duration; 2], seed: &str) -> TimeDelta {
    let doubled = base.saturating_mul(1 << failures.saturating_sub(1).min(20)).min(most);
    let spread = (seed.bytes().chain(failures.to_le_bytes()))
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    // FNV-1a; its upper bits are the better ones.
    let thousandths = 750 + u32::try_from((spread >> 32) % 501).unwrap_or(0);
    TimeDelta::from_std(doubled * thousandths / 1000).unwrap_or(TimeDelta::MAX)
}

/// Values of a bot's state that are not written yet, over those that are.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    values: HashMap<String, Option<String>>,
    /// Nothing is beneath: what is not here is not there.
    alone: bool,
}

impl Overlay {
    /// Over nothing.
    pub(crate) fn alone() -> Self {
        Self { alone: true, ..Self::default() }
    }

    pub(crate) fn get(&self, key: &str) -> Option<Option<String>> {
        self.values.get(key).cloned().or(self.alone.then_some(None))
    }

    pub(crate) fn put(&mut self, key: String, value: Option<String>) {
        self.values.insert(key, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_doubles_up_to_its_limit_and_is_spread() {
        let limits = [Duration::from_secs(1), Duration::from_secs(60)];
        for (failures, seconds) in [(1, 1.0), (2, 2.0), (4, 8.0), (7, 60.0), (4_000_000, 60.0)] {
            let wait = back_off(failures, limits, "bot/key").as_seconds_f64();
            assert!((seconds * 0.75..=seconds * 1.25).contains(&wait), "{failures}: {wait}");
        }
        assert_ne!(back_off(3, limits, "one"), back_off(3, limits, "other"));
        assert_eq!(back_off(3, limits, "one"), back_off(3, limits, "one"));
    }
}
