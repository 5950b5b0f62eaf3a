//! One attempt at an action: noted before the tool is called, and settled after it answered.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};

use super::CrashPoint;
use super::decide::keep;
use super::record::{ActionStatus, Attempt};
use super::route;
use super::shared::{Core, back_off};
use crate::clients::{Client, Order, Problem, Receipt, Sought};
use crate::error::BotError;
use crate::store::outbox::{OpenAction, Performed, Thread};

/// A tool has this long to perform one action, or to say whether it did.
const ATTEMPT_WITHIN: Duration = Duration::from_secs(10);

/// A failed action is tried again after this, then after twice as long and so on up to the second.
const RETRY_WAITS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(600)];

/// An action is given up after so many failed attempts: about an hour of trying. Waits that a tool asks for do not count.
const TRIES_MAX: u32 = 12;

/// And after this long in the queue, whatever the tool asks for: nobody wants yesterday's message.
const QUEUED_MAX: TimeDelta = TimeDelta::hours(24);

/// Tries to have an action performed, and writes what came of it.
pub(crate) async fn perform(core: &Core, mut action: OpenAction) -> Result<(), BotError> {
    let Some(client) = core.outside.clients.iter().find(|client| client.name() == action.lane.client).cloned() else {
        let reason = format!("no tool named {} is configured any more", action.lane.client);
        return give_up(core, action, reason).await;
    };
    if action.thread == Thread::Lost {
        return give_up(core, action, "the message in whose thread it belongs was given up".to_owned()).await;
    }
    if action.status == ActionStatus::Pending && core.now() - action.queued_at > QUEUED_MAX {
        let reason = format!("it waited for more than {} h", QUEUED_MAX.num_hours());
        return give_up(core, action, reason).await;
    }
    let order = order(&action);
    if action.status == ActionStatus::Attempting && !look_again(core, client.as_ref(), &order, &mut action).await? {
        return Ok(());
    }
    if !core.store.begin_attempt(action.id).await? {
        return Ok(());
    }
    core.crash_point(CrashPoint::AfterAttempting)?;
    core.lanes.called(&action.lane, pace(client.as_ref(), &order));
    let (at, began) = (core.now(), Instant::now());
    let answer = within(client.perform(&order)).await;
    let attempt = |outcome: &str, reason: Option<&String>| noted(at, began, outcome, reason);
    core.crash_point(CrashPoint::AfterCall)?;
    match answer {
        Ok(receipt) => {
            keep(&mut action.attempts, attempt("performed", None));
            done(core, action, &order, receipt).await
        }
        Err(Problem::Later { after, reason }) => {
            keep(&mut action.attempts, attempt("later", Some(&reason)));
            action.status = ActionStatus::Pending;
            later(core, action, reason, after).await
        }
        Err(Problem::Never { reason }) => {
            keep(&mut action.attempts, attempt("never", Some(&reason)));
            core.lanes.answered(&action.lane);
            give_up(core, action, reason).await
        }
        Err(Problem::InDoubt { reason }) => {
            keep(&mut action.attempts, attempt("in-doubt", Some(&reason)));
            action.status = ActionStatus::Attempting;
            later(core, action, reason, None).await
        }
    }
}

/// An earlier attempt ended without an answer: asks the tool whether it was done. True if it is to be done (again).
async fn look_again(
    core: &Core,
    client: &dyn Client,
    order: &Order,
    action: &mut OpenAction,
) -> Result<bool, BotError> {
    let (at, began) = (core.now(), Instant::now());
    let answer = within(client.find(order)).await;
    let attempt = |outcome: &str, reason: Option<&String>| noted(at, began, outcome, reason);
    match answer {
        Ok(Sought::Done(receipt)) => {
            keep(&mut action.attempts, attempt("found", None));
            done(core, action.clone(), order, receipt).await?;
            Ok(false)
        }
        Ok(Sought::NotDone) => {
            keep(&mut action.attempts, attempt("not-found", None));
            Ok(true)
        }
        Ok(Sought::Unknowable) => {
            action.in_doubt = true;
            Ok(true)
        }
        Err(Problem::Never { reason }) => {
            keep(&mut action.attempts, attempt("unknowable", Some(&reason)));
            action.in_doubt = true;
            Ok(true)
        }
        Err(Problem::Later { after, reason }) => {
            keep(&mut action.attempts, attempt("later", Some(&reason)));
            later(core, action.clone(), reason, after).await?;
            Ok(false)
        }
        Err(Problem::InDoubt { reason }) => {
            keep(&mut action.attempts, attempt("later", Some(&reason)));
            later(core, action.clone(), reason, None).await?;
            Ok(false)
        }
    }
}

async fn done(core: &Core, mut action: OpenAction, order: &Order, receipt: Receipt) -> Result<(), BotError> {
    let now = core.now();
    core.lanes.answered(&action.lane);
    (action.status, action.reason) = (ActionStatus::Performed, None);
    action.tries += 1;
    // An update is not another thing that somebody would have had to do.
    let has_effect = !receipt.unchanged && order.earlier.is_none();
    let minutes = core.entry(&action.mark.bot).map_or(0, |entry| entry.manifest.toil_minutes);
    let performed = Performed { at: now, receipt, toil_minutes: has_effect.then_some(minutes) };
    core.store.settle(&action, Some(&performed)).await?;
    core.crash_point(CrashPoint::AfterPerformed)?;
    tracing::info!(bot = action.mark.bot, action.mark = %action.mark, action = action.action.name(),
        in_doubt = action.in_doubt, "an action of a bot was performed");
    core.to_announce.notify_one();
    core.stepped();
    Ok(())
}

/// Not now: the action keeps its place, and the destination is left alone if it asks for that or fails on and on.
async fn later(core: &Core, mut action: OpenAction, reason: String, after: Option<Duration>) -> Result<(), BotError> {
    let now = core.now();
    let asked = after.and_then(|after| now.checked_add_signed(TimeDelta::from_std(after).ok()?));
    if let Some(until) = asked {
        core.lanes.asked_to_wait(&action.lane, until);
    } else {
        core.lanes.failed(&action.lane, now);
        action.tries += 1;
    }
    if action.tries >= TRIES_MAX || now - action.queued_at > QUEUED_MAX {
        // Whether an unanswered attempt had its effect will never be known.
        action.in_doubt |= action.status == ActionStatus::Attempting;
        let reason = format!("given up after {} attempts: {reason}", action.attempts.len());
        return give_up(core, action, reason).await;
    }
    action.due_at = asked.unwrap_or_else(|| now + back_off(action.tries, RETRY_WAITS, &action.mark.to_string()));
    action.reason = Some(reason);
    core.store.settle(&action, None).await?;
    core.stepped();
    Ok(())
}

async fn give_up(core: &Core, mut action: OpenAction, reason: String) -> Result<(), BotError> {
    tracing::warn!(bot = action.mark.bot, action.mark = %action.mark, action = action.action.name(), reason,
        "an action of a bot was given up");
    (action.status, action.reason) = (ActionStatus::Failed, Some(reason));
    core.store.settle(&action, None).await?;
    core.stepped();
    Ok(())
}

fn order(action: &OpenAction) -> Order {
    Order {
        mark: action.mark.clone(),
        action: route::addressed(&action.action, action.channel.as_deref()),
        earlier: action.earlier.clone(),
        thread: match &action.thread {
            Thread::Of(receipt) => Some(receipt.clone()),
            Thread::None | Thread::Lost => None,
        },
    }
}

fn pace(client: &dyn Client, order: &Order) -> u64 {
    client.destination(&order.action).map_or(0, |destination| destination.pace_millis)
}

/// A tool that does not answer leaves open whether it did what it was asked.
async fn within<T>(answer: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    match tokio::time::timeout(ATTEMPT_WITHIN, answer).await {
        Ok(answer) => answer,
        Err(_) => Err(Problem::InDoubt { reason: format!("no answer within {} s", ATTEMPT_WITHIN.as_secs()) }),
    }
}

fn noted(at: DateTime<Utc>, began: Instant, outcome: &str, reason: Option<&String>) -> Attempt {
    Attempt {
        at,
        outcome: outcome.to_owned(),
        reason: reason.cloned(),
        millis: u32::try_from(began.elapsed().as_millis()).unwrap_or(u32::MAX),
    }
}
