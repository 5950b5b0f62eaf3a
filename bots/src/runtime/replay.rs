//! Trials over recorded events: nothing is recorded, nothing performed.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

use bus::event::Recorded;
use bus::ids::{EventId, EventOffset};
use bus::query::{Condition, Moment, Term};
use bus::streams::{SEARCH_EVENTS_MAX, Search};
use chrono::{DateTime, Utc};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use super::record::Replayed;
use super::shared::{Core, Entry, Overlay};
use super::world::LiveWorld;
use crate::action::Action;
use crate::contract::Decision;
use crate::error::BotError;
use crate::lookups::{Given, Question, Reminder};
use crate::store::figures::Original;
use crate::trial::{AnsweredBy, Trial, attempt};

/// A replay goes through at most so many events, the newest in its range.
const REPLAY_EVENTS_MAX: usize = 100_000;

/// What a bot would make of an event now.
pub(crate) async fn test(core: Arc<Core>, entry: Arc<Entry>, event: EventId) -> Result<Option<Trial>, BotError> {
    let Some(event) = core.streams.event(event).await? else { return Ok(None) };
    let (trial, _) = live(core, entry, event, Overlay::default()).await?;
    Ok(Some(trial))
}

/// What a bot makes of the events of a range of time, oldest first.
pub(crate) async fn replay(
    core: Arc<Core>,
    entry: Arc<Entry>,
    range: Range<DateTime<Utc>>,
    mut on_trial: impl FnMut(Trial) + Send,
) -> Result<Replayed, BotError> {
    let (events, cut) = events_in(&core, &entry, range).await?;
    let mut replayed = Replayed { cut, ..Replayed::default() };
    // What the bot has saved by now is no answer to what it asked then.
    let mut state = Overlay::alone();
    for id in events {
        let Some(event) = core.streams.event(id).await? else { continue };
        replayed.events += 1;
        let originals = core.store.originals(entry.name(), id).await?;
        if originals.is_empty() {
            let (trial, saved) = live(Arc::clone(&core), Arc::clone(&entry), event, state).await?;
            state = saved;
            replayed.live += 1;
            on_trial(trial);
            continue;
        }
        for original in originals {
            let (entry, event) = (Arc::clone(&entry), event.clone());
            let trial = spawn_blocking(move || from_record(&entry, &event, original)).await?;
            save(&mut state, &trial);
            replayed.from_record += 1;
            on_trial(trial);
        }
    }
    Ok(replayed)
}

/// The ids of the events that the bot subscribes to, in the order of the log.
async fn events_in(core: &Core, entry: &Entry, range: Range<DateTime<Utc>>) -> Result<(Vec<EventId>, bool), BotError> {
    let term = |condition| Term { negated: false, condition };
    let query = entry.query.clone();
    let query = query.and(term(Condition::Since(Moment::at_time(range.start))));
    let query = query.and(term(Condition::Before(Moment::at_time(range.end))));
    let mut ids = Vec::new();
    let mut before: Option<EventOffset> = None;
    loop {
        let limit = SEARCH_EVENTS_MAX.min(REPLAY_EVENTS_MAX - ids.len());
        let page = core.streams.search(Search { query: query.clone(), before, limit }).await?;
        ids.extend(
            page.events.into_iter().filter(|event| range.contains(&event.event.time)).map(|event| event.event.id),
        );
        before = page.next;
        if before.is_none() || ids.len() >= REPLAY_EVENTS_MAX {
            ids.reverse();
            return Ok((ids, before.is_some()));
        }
    }
}

async fn live(
    core: Arc<Core>,
    entry: Arc<Entry>,
    event: Recorded,
    state: Overlay,
) -> Result<(Trial, Overlay), BotError> {
    let trial = spawn_blocking(move || {
        let (state, handle) = (RefCell::new(state), Handle::current());
        let world = LiveWorld { core: &core, entry: &entry, event: &event, state: &state, handle: &handle };
        let trial = attempt(entry.bot, &event, &world, core.now(), None);
        let mut state = state.into_inner();
        save(&mut state, &trial);
        (Trial { answered_by: AnsweredBy::Live, ..trial }, state)
    });
    Ok(trial.await?)
}

fn from_record(entry: &Entry, event: &Recorded, original: Original) -> Trial {
    let Original { run, round, note, began_at, asked } = original;
    let reminder = note.map(|note| Reminder { note, round });
    let world = Given(asked);
    let trial = attempt(entry.bot, event, &world, began_at, reminder);
    let Given(asked) = world;
    let known = |question: &Question| asked.iter().any(|asked| asked.question == *question);
    let unrecorded = trial.asked.iter().filter(|asked| !known(&asked.question)).count();
    Trial { answered_by: AnsweredBy::Record { run, unrecorded }, ..trial }
}

fn save(state: &mut Overlay, trial: &Trial) {
    let Ok(Decision::Act { actions, .. }) = &trial.decision else { return };
    for action in actions {
        if let Action::SaveState { key, value } = action {
            state.put(key.clone(), value.clone());
        }
    }
}
