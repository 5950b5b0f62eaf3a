//! What people do to bots: pause, resume, redrive; and waiting until all is done.

use std::sync::atomic::Ordering;

use bus::ids::EventOffset;

use super::record::{Paused, RedrivePlan, RunId};
use super::route;
use super::shared::{Core, Entry};
use crate::error::BotError;

/// About how long a run takes, for the plan of a redrive.
const RUN_SECONDS: f64 = 0.5;

/// About how long an action takes, with the pace of its destination.
const ACTION_SECONDS: f64 = 1.2;

pub(crate) async fn redrive_plan(core: &Core, bot: &str, ids: Option<&[RunId]>) -> Result<RedrivePlan, BotError> {
    let entry = core.entry(bot)?;
    let [runs, actions] = core.store.count_dead(entry.name(), ids).await?;
    let seconds = |n: u64, each: f64| std::time::Duration::from_secs(n).mul_f64(each).as_secs();
    let about_seconds = seconds(runs, RUN_SECONDS).saturating_add(seconds(actions, ACTION_SECONDS)).max(1);
    Ok(RedrivePlan { runs, actions, about_seconds })
}

pub(crate) async fn redrive(core: &Core, bot: &str, ids: Option<&[RunId]>) -> Result<u64, BotError> {
    let entry = core.entry(bot)?;
    // Perhaps what was missing is configured by now.
    let unplaced = core.store.unplaced(entry.name(), ids).await?;
    let place = |(id, action)| Some((id, route::place(&core.outside, entry, &action).ok()?));
    let placed: Vec<_> = unplaced.into_iter().filter_map(place).collect();
    let redriven = core.store.redrive(entry.name(), ids, &placed, core.now()).await?;
    look_again(core, entry);
    core.lanes.touch(core.store.open_lanes().await?);
    Ok(redriven)
}

pub(crate) async fn pause(core: &Core, bot: &str) -> Result<(), BotError> {
    let paused = Paused { since: core.now(), because: "paused by hand".to_owned() };
    set_paused(core, core.entry(bot)?, Some(paused)).await
}

pub(crate) async fn resume(core: &Core, bot: &str) -> Result<(), BotError> {
    set_paused(core, core.entry(bot)?, None).await?;
    core.lanes.touch(core.store.open_lanes().await?);
    Ok(())
}

async fn set_paused(core: &Core, entry: &Entry, paused: Option<Paused>) -> Result<(), BotError> {
    core.store.set_paused(entry.name(), paused.as_ref()).await?;
    entry.set_paused(paused);
    look_again(core, entry);
    Ok(())
}

pub(crate) async fn wake(core: &Core) -> Result<(), BotError> {
    for entry in &core.entries {
        entry.wake.notify_one();
    }
    core.lanes.touch(core.store.open_lanes().await?);
    Ok(())
}

/// The bot's reader takes from the store what was changed there.
pub(crate) fn look_again(core: &Core, entry: &Entry) {
    entry.reload.store(true, Ordering::Release);
    entry.wake.notify_one();
    core.stepped();
}

pub(crate) async fn wait_until_idle(core: &Core, upto: EventOffset) -> Result<(), BotError> {
    let mut steps = core.steps.subscribe();
    loop {
        // Before looking: a step taken meanwhile must wake the wait below.
        steps.borrow_and_update();
        if !is_busy(core, upto).await? {
            return Ok(());
        }
        if steps.changed().await.is_err() {
            return Ok(());
        }
    }
}

async fn is_busy(core: &Core, upto: EventOffset) -> Result<bool, BotError> {
    for entry in core.entries.iter().filter(|entry| entry.paused().is_none()) {
        let name = entry.name();
        let performing = entry.performs() && core.store.open_actions(name).await? > 0;
        if performing || entry.decided() < upto || core.store.is_deciding(name, upto).await? {
            return Ok(true);
        }
    }
    Ok(core.store.unannounced().await? > 0)
}
