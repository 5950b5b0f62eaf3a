//! Has actions performed: one task for each destination with something to do, so that one that is slow or hangs
//! delays no other.
//!
//! There are at most as many tasks as open actions, which the readers of bots keep within a limit.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bus::stop::stopped;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::attempt;
use super::shared::Core;
use crate::error::BotError;
use crate::store::Lane;
use crate::store::outbox::OpenAction;

/// Attempts under way when stop is asked for may take this long to end. After that they are left as they are: noted as
/// begun, to be looked up at the next start.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// Performs until `stop` turns true. Stop is heard between attempts.
pub(crate) async fn run(core: Arc<Core>, mut stop: watch::Receiver<bool>) -> Result<(), BotError> {
    let mut tasks: JoinSet<(Lane, Result<(), BotError>)> = JoinSet::new();
    let mut running: BTreeSet<Lane> = BTreeSet::new();
    // Touched while they ran: perhaps just after they had looked for the last time.
    let mut again: BTreeSet<Lane> = BTreeSet::new();
    core.lanes.touch(core.store.open_lanes().await?);
    while !*stop.borrow() {
        for lane in core.lanes.take_touched() {
            if running.insert(lane.clone()) {
                tasks.spawn(in_lane(Arc::clone(&core), lane, stop.clone()));
            } else {
                again.insert(lane);
            }
        }
        tokio::select! {
            () = core.lanes.wake.notified() => {}
            Some(ended) = tasks.join_next() => {
                let (lane, result) = ended?;
                result?;
                running.remove(&lane);
                if again.remove(&lane) {
                    core.lanes.touch([lane]);
                }
                core.lanes.left(core.now());
            }
            () = stopped(&mut stop) => {}
        }
    }
    let ending = async {
        while let Some(ended) = tasks.join_next().await {
            ended?.1?;
        }
        Ok(())
    };
    match tokio::time::timeout(STOP_WITHIN, ending).await {
        Ok(ended) => ended,
        Err(_) => {
            tracing::info!(
                "a tool did not answer before the end; what became of the action is looked up at the next start"
            );
            Ok(())
        }
    }
}

async fn in_lane(core: Arc<Core>, lane: Lane, stop: watch::Receiver<bool>) -> (Lane, Result<(), BotError>) {
    let result = work_off(&core, &lane, stop).await;
    (lane, result)
}

/// Performs the actions of a lane in order until none is left.
async fn work_off(core: &Core, lane: &Lane, mut stop: watch::Receiver<bool>) -> Result<(), BotError> {
    let touched = core.lanes.wake_of(lane);
    while !*stop.borrow() {
        let Some(action) = next(core, lane).await? else { return Ok(()) };
        let ready = core.lanes.not_before(lane).map_or(action.due_at, |at| at.max(action.due_at));
        let pace = core.lanes.pace_left(lane);
        if ready <= core.now() && pace.is_none() {
            attempt::perform(core, action).await?;
            continue;
        }
        let wait = async {
            match pace {
                Some(left) => tokio::time::sleep(left).await,
                None => core.sleep_until(ready).await,
            }
        };
        tokio::select! {
            () = wait => {}
            () = touched.notified() => {}
            () = stopped(&mut stop) => {}
        }
    }
    Ok(())
}

/// Each bot's actions in a lane keep their order; among the bots, whose first action is due first has its turn. Those
/// of a bot that is paused, or runs dry by now, are left where they are.
async fn next(core: &Core, lane: &Lane) -> Result<Option<OpenAction>, BotError> {
    let mut first: Option<OpenAction> = None;
    for entry in core.entries.iter().filter(|entry| entry.performs()) {
        let Some(action) = core.store.first_action(lane, entry.name()).await? else { continue };
        if first.as_ref().is_none_or(|first| action.due_at < first.due_at) {
            first = Some(action);
        }
    }
    Ok(first)
}
