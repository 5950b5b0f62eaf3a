//! Decisions in PostgreSQL: everything that follows from a batch of events, in one transaction.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{Batch, Committed, NewAction, NewReminder, Outcome, ended_keys, figures, is_plain};
use crate::error::BotError;
use crate::runtime::record::{ActionStatus, RunId};
use crate::store::postgres::Postgres;
use crate::store::runs::{Run, Standing};
use crate::store::{hour, json, micros, storable};

impl Postgres {
    pub(super) async fn commit(&self, batch: Batch) -> Result<Committed, BotError> {
        let mut transaction = self.begin_held_of(batch.bot).await?;
        let mut committed = Committed::default();
        save_standing(&mut transaction, &batch).await?;
        // Most runs lead to nothing: those are written together. Order is kept: runs of a key wait by their numbers.
        for outcomes in batch.outcomes.chunk_by(|one, next| is_plain(one) && is_plain(next)) {
            match outcomes {
                [outcome] => save_outcome(&mut transaction, &batch, outcome, &mut committed).await?,
                plain => insert_plain(&mut transaction, &batch, plain).await?,
            }
        }
        // Only now: a run of the same batch may have got in line behind one that ended in it.
        for key in ended_keys(&batch.outcomes) {
            if !promote(&mut transaction, &batch, key).await? {
                committed.released.push(key.to_owned());
            }
        }
        count(&mut transaction, &batch).await?;
        transaction.commit().await?;
        Ok(committed)
    }
}

/// The pause of a bot that was paused by hand while it decided stays as it is.
async fn save_standing(connection: &mut PgConnection, batch: &Batch) -> Result<(), BotError> {
    let Standing { checkpoint, delivery, failures_in_row, last_failure, paused } = &batch.standing;
    sqlx::query(
        "update bots set checkpoint = $2, delivery = $3, failures_in_row = $4, last_failure_at = $5,
             last_failure = $6, paused_at = coalesce(paused_at, $7), paused_because = coalesce(paused_because, $8)
         where name = $1",
    )
    .bind(batch.bot)
    .bind(checkpoint.0)
    .bind(delivery.0)
    .bind(i64::from(*failures_in_row))
    .bind(last_failure.as_ref().map(|failure| micros(failure.at)))
    .bind(last_failure.as_ref().map(|failure| storable(&failure.reason)))
    .bind(paused.as_ref().map(|paused| micros(paused.since)))
    .bind(paused.as_ref().map(|paused| storable(&paused.because)))
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert_plain(connection: &mut PgConnection, batch: &Batch, plain: &[Outcome]) -> Result<(), BotError> {
    let runs = || plain.iter().map(|outcome| &outcome.run);
    let texts = |text: fn(&Run) -> &str| runs().map(|run| storable(text(run)).into_owned()).collect::<Vec<_>>();
    let numbers = |number: fn(&Run) -> i64| runs().map(number).collect::<Vec<_>>();
    let times = |time: fn(&Run) -> Option<DateTime<Utc>>| runs().map(|run| time(run).map(micros)).collect::<Vec<_>>();
    let attempts =
        runs().map(|run| json("the attempts of a run", &run.attempts)).collect::<Result<Vec<_>, BotError>>()?;
    sqlx::query(
        "insert into runs (bot, version, mode, recorded_at, by_hand, event, event_offset, round, order_key, kind,
             subject, status, because, tries, attempts, began_at, millis, due_at)
         select $1, $2, $3, $4, false, event, event_offset, round, order_key, kind, subject, status, because, tries,
             attempts, began_at, millis, due_at
         from unnest($5::bytea[], $6::bigint[], $7::bigint[], $8::text[], $9::text[], $10::text[], $11::text[],
             $12::text[], $13::bigint[], $14::text[], $15::bigint[], $16::bigint[], $17::bigint[]) with ordinality
             as plain (event, event_offset, round, order_key, kind, subject, status, because, tries, attempts,
                 began_at, millis, due_at, place)
         order by place
         on conflict (event, bot, round) do nothing",
    )
    .bind(batch.bot)
    .bind(i64::from(batch.version))
    .bind(batch.mode.name())
    .bind(micros(batch.now))
    .bind(runs().map(|run| run.event.as_bytes().to_vec()).collect::<Vec<_>>())
    .bind(numbers(|run| run.event_offset.0))
    .bind(numbers(|run| run.round.into()))
    .bind(texts(|run| &run.key))
    .bind(texts(|run| &run.kind))
    .bind(texts(|run| &run.subject))
    .bind(texts(|run| run.status.name()))
    .bind(texts(|run| &run.because))
    .bind(numbers(|run| run.tries.into()))
    .bind(attempts)
    .bind(times(|run| run.began_at))
    .bind(numbers(|run| run.millis.into()))
    .bind(times(|run| run.due_at))
    .execute(connection)
    .await?;
    Ok(())
}

async fn save_outcome(
    connection: &mut PgConnection,
    batch: &Batch,
    outcome: &Outcome,
    committed: &mut Committed,
) -> Result<(), BotError> {
    let run = &outcome.run;
    let id = match run.id {
        Some(id) => update_run(connection, batch, id, run).await?,
        None => match insert_run(connection, batch, run).await? {
            Some(id) => id,
            // Handed in twice: what was decided the first time stands.
            None => return Ok(()),
        },
    };
    if !outcome.asked.is_empty() {
        sqlx::query(
            "insert into lookups (run, asked) values ($1, $2) on conflict (run) do update set asked = excluded.asked",
        )
        .bind(id.0)
        .bind(json("what a run asked", &outcome.asked)?)
        .execute(&mut *connection)
        .await?;
    }
    for (key, value) in &outcome.state {
        save_state(connection, batch, key, value.as_deref()).await?;
    }
    for action in &outcome.actions {
        insert_action(connection, batch, (id, run), action).await?;
        if action.status == ActionStatus::Pending {
            committed.lanes.extend(action.lane.clone());
        }
    }
    if let Some(reminder) = &outcome.reminder {
        schedule(connection, batch, run, reminder).await?;
    }
    Ok(())
}

/// None if there is one of that event and round already.
async fn insert_run(connection: &mut PgConnection, batch: &Batch, run: &Run) -> Result<Option<RunId>, BotError> {
    let id: Option<i64> = sqlx::query_scalar(
        "insert into runs (bot, version, mode, event, event_offset, round, order_key, kind, subject, status, because,
             tries, by_hand, attempts, note, recorded_at, began_at, millis, due_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
         on conflict (event, bot, round) do nothing returning id",
    )
    .bind(batch.bot)
    .bind(i64::from(batch.version))
    .bind(batch.mode.name())
    .bind(run.event.as_bytes().as_slice())
    .bind(run.event_offset.0)
    .bind(i64::from(run.round))
    .bind(storable(&run.key))
    .bind(storable(&run.kind))
    .bind(storable(&run.subject))
    .bind(run.status.name())
    .bind(storable(&run.because))
    .bind(i64::from(run.tries))
    .bind(run.by_hand)
    .bind(json("the attempts of a run", &run.attempts)?)
    .bind(run.note.as_deref().map(storable))
    .bind(micros(batch.now))
    .bind(run.began_at.map(micros))
    .bind(i64::from(run.millis))
    .bind(run.due_at.map(micros))
    .fetch_optional(connection)
    .await?;
    Ok(id.map(RunId))
}

async fn update_run(connection: &mut PgConnection, batch: &Batch, id: RunId, run: &Run) -> Result<RunId, BotError> {
    sqlx::query(
        "update runs set version = $2, mode = $3, status = $4, because = $5, tries = $6, attempts = $7, began_at = $8,
             millis = $9, due_at = $10, by_hand = $11
         where id = $1",
    )
    .bind(id.0)
    .bind(i64::from(batch.version))
    .bind(batch.mode.name())
    .bind(run.status.name())
    .bind(storable(&run.because))
    .bind(i64::from(run.tries))
    .bind(json("the attempts of a run", &run.attempts)?)
    .bind(run.began_at.map(micros))
    .bind(i64::from(run.millis))
    .bind(run.due_at.map(micros))
    .bind(run.by_hand)
    .execute(connection)
    .await?;
    Ok(id)
}

async fn save_state(
    connection: &mut PgConnection,
    batch: &Batch,
    key: &str,
    value: Option<&str>,
) -> Result<(), BotError> {
    let query = match value {
        Some(value) => sqlx::query(
            "insert into state (bot, key, value, written_at) values ($1, $2, $3, $4)
             on conflict (bot, key) do update set value = excluded.value, written_at = excluded.written_at",
        )
        .bind(batch.bot)
        .bind(storable(key))
        .bind(storable(value))
        .bind(micros(batch.now)),
        None => sqlx::query("delete from state where bot = $1 and key = $2").bind(batch.bot).bind(storable(key)),
    };
    query.execute(connection).await?;
    Ok(())
}

/// An update takes the place in the queue of what it supersedes, so that nothing that waits for the message waits longer.
async fn insert_action(
    connection: &mut PgConnection,
    batch: &Batch,
    (id, run): (RunId, &Run),
    action: &NewAction,
) -> Result<(), BotError> {
    let mut position: Option<i64> = None;
    if let (Some(message), ActionStatus::Pending) = (&action.message, action.status) {
        let superseded: Vec<i64> = sqlx::query_scalar(
            "update actions set status = 'superseded', due_at = null, reason = 'a later update came before it was sent'
             where bot = $1 and message = $2 and status = 'pending' returning position",
        )
        .bind(batch.bot)
        .bind(storable(message))
        .fetch_all(&mut *connection)
        .await?;
        position = superseded.into_iter().min();
    }
    let pending = action.status == ActionStatus::Pending;
    sqlx::query(
        "insert into actions (run, bot, event, round, ordinal, position, order_key, event_time, is_new, name, action,
             repository, service, client, destination, channel, message, thread, status, reason, tries, attempts,
             in_doubt, toil_minutes, recorded_at, queued_at, due_at, announced)
         values ($1, $2, $3, $4, $5, coalesce($6::bigint, (select coalesce(max(id), 0) + 1 from actions)), $7, $8, $9, $10, $11,
             $12, $13, $14, $15, $16, $17, $18, $19, $20, 0, '[]', false, 0, $21, $21, $22, true)",
    )
    .bind(id.0)
    .bind(batch.bot)
    .bind(run.event.as_bytes().as_slice())
    .bind(i64::from(run.round))
    .bind(i64::from(action.ordinal))
    .bind(position)
    .bind(storable(&run.key))
    .bind(micros(action.event_time))
    .bind(action.is_new)
    .bind(action.name)
    .bind(&action.action)
    .bind(action.repository.as_deref().map(storable))
    .bind(action.service.as_deref().map(storable))
    .bind(action.lane.as_ref().map(|lane| &lane.client))
    .bind(action.lane.as_ref().map(|lane| &lane.destination))
    .bind(action.channel.as_deref().map(storable))
    .bind(action.message.as_deref().map(storable))
    .bind(action.thread.as_deref().map(storable))
    .bind(action.status.name())
    .bind(action.reason.as_deref().map(storable))
    .bind(micros(batch.now))
    .bind(pending.then(|| micros(batch.now)))
    .execute(connection)
    .await?;
    Ok(())
}

async fn schedule(
    connection: &mut PgConnection,
    batch: &Batch,
    run: &Run,
    reminder: &NewReminder,
) -> Result<(), BotError> {
    let next = run.reminded(reminder);
    insert_run(connection, batch, &next).await.map(drop)
}

/// Lets the next run of a key have its turn. False if nothing is left of that key.
async fn promote(connection: &mut PgConnection, batch: &Batch, key: &str) -> Result<bool, BotError> {
    sqlx::query(
        "update runs set status = 'retrying', due_at = $3, because = 'it is its turn'
         where id = (select min(id) from runs where bot = $1 and order_key = $2 and status = 'waiting')
             and not exists (select 1 from runs where bot = $1 and order_key = $2 and status = 'retrying')",
    )
    .bind(batch.bot)
    .bind(storable(key))
    .bind(micros(batch.now))
    .execute(&mut *connection)
    .await?;
    Ok(sqlx::query_scalar(
        "select exists (select 1 from runs where bot = $1 and order_key = $2 and status in ('waiting', 'retrying'))",
    )
    .bind(batch.bot)
    .bind(storable(key))
    .fetch_one(connection)
    .await?)
}

async fn count(connection: &mut PgConnection, batch: &Batch) -> Result<(), BotError> {
    for (what, n) in figures(&batch.outcomes) {
        add(connection, (batch.bot, what), hour(batch.now), [n, 0]).await?;
    }
    Ok(())
}

/// Adds to the figures of an hour.
pub(in crate::store) async fn add(
    connection: &mut PgConnection,
    (bot, what): (&str, &str),
    hour: i64,
    [n, minutes]: [i64; 2],
) -> Result<(), BotError> {
    sqlx::query(
        "insert into counts as here (bot, what, hour, n, minutes) values ($1, $2, $3, $4, $5)
         on conflict (bot, what, hour) do update set n = here.n + excluded.n, minutes = here.minutes + excluded.minutes",
    )
    .bind(bot)
    .bind(what)
    .bind(hour)
    .bind(n)
    .bind(minutes)
    .execute(connection)
    .await?;
    Ok(())
}
