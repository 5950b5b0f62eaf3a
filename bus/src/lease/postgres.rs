//! Leases on PostgreSQL: an advisory lock on a connection of its own, and the epoch of its holder.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};
use tokio::sync::{oneshot, watch};
use tokio::time::{sleep, timeout};

use super::{Epoch, Lease};
use crate::postgres::{self as server, Pauses, is_transient, random};
use crate::streams::StreamError;

/// Whoever waits asks this often; a lease that was given up is taken by somebody after half of it, on average.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// Whoever holds it sees this often whether its connection still stands.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A connection that does not answer for this long is taken for lost.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// Settings of the connection: the server takes the lease back from a process that was paused, or whose machine is
/// gone, after some ten seconds instead of two hours.
const SESSION: [(&str, &str); 4] = [
    ("idle_session_timeout", "10s"),
    ("tcp_keepalives_idle", "5"),
    ("tcp_keepalives_interval", "2"),
    ("tcp_keepalives_count", "3"),
];

/// Waits until the lease is ours. While the server is away it goes on waiting.
pub(crate) async fn take(options: &PgConnectOptions, name: &str) -> Result<Lease, StreamError> {
    let options = options.clone().options(SESSION);
    let mut pauses = Pauses::default();
    loop {
        match try_take(&options, name).await {
            Ok((connection, epoch)) => return Ok(keep(connection, epoch, name.to_owned())),
            Err(StreamError::Engine(error)) if is_transient(&error) => {
                tracing::debug!(error = %error, lease = name, "the database is away; still waiting for the lease");
            }
            Err(error) => return Err(error),
        }
        if !pauses.pause().await {
            pauses = Pauses::default();
        }
    }
}

async fn try_take(options: &PgConnectOptions, name: &str) -> Result<(PgConnection, Epoch), StreamError> {
    let mut connection = server::connect(options).await?;
    loop {
        let ours = sqlx::query_scalar("select pg_try_advisory_lock(hashtextextended('devhose.lease.' || $1, 0))")
            .bind(name)
            .fetch_one(&mut connection)
            .await?;
        if ours {
            break;
        }
        sleep(ASK_EVERY.mul_f64(0.75 + random() / 2.0)).await;
    }
    // This waits for transactions that the holder before us has fenced; those that come later see that it is over.
    let epoch = sqlx::query_scalar(
        "insert into epochs as e (name, epoch) values ($1, 1) \
         on conflict (name) do update set epoch = e.epoch + 1 returning epoch",
    )
    .bind(name)
    .fetch_one(&mut connection)
    .await?;
    Ok((connection, Epoch(epoch)))
}

/// Keeps the connection alive until the lease is dropped or lost.
fn keep(connection: PgConnection, epoch: Epoch, name: String) -> Lease {
    let (lose, lost) = watch::channel(false);
    let (release, released) = oneshot::channel();
    drop(tokio::spawn(async move {
        if let Err(error) = hold(connection, released).await {
            tracing::warn!(error = %error, lease = name, "the lease is lost");
        }
        lose.send_replace(true);
    }));
    Lease::kept(epoch, lost, release)
}

/// Returns when the lease is given back; an error means that it is lost.
async fn hold(mut connection: PgConnection, mut released: oneshot::Receiver<()>) -> Result<(), sqlx::Error> {
    loop {
        tokio::select! {
            // Nothing is ever sent: its holder dropped it.
            _ = &mut released => return connection.close().await,
            () = sleep(LOOK_EVERY) => {}
        }
        let answer = timeout(ANSWER_MAX, sqlx::query("select 1").execute(&mut connection)).await;
        answer.map_err(|_| sqlx::Error::PoolTimedOut)??;
    }
}
