//! From the spool to the brokers, in order. A delivery leaves the spool only once the brokers have confirmed it, so it
//! may go twice and never not at all: whoever takes it into the log knows it by its id.

use std::time::Duration;

use tokio::sync::watch;

use super::client::{BackOff, finish};
use super::courier::{Courier, DeadLetter, ShipError};
use super::produce::{Report, Unsent};
use super::spool::{Spool, Spooled};
use super::wire::Parcel;
use crate::stop::stopped;
use crate::streams::StreamError;

/// Deliveries that are on their way at the same time: what brokers confirm in a few milliseconds.
const WAVE: usize = 512;

/// Why a wave did not reach the brokers as a whole.
#[derive(Debug, thiserror::Error)]
enum Halt {
    #[error(transparent)]
    Ship(#[from] ShipError),
    #[error("the spool cannot be read or written")]
    Spool(#[from] StreamError),
}

/// Forwards until `stop` turns true.
pub(super) async fn run(spool: Spool, courier: Courier, mut stop: watch::Receiver<bool>) {
    let mut newest = spool.newest();
    let mut shipped = 0;
    let mut waits = BackOff::new();
    loop {
        // Looked at before the spool is read: what arrives meanwhile wakes us again.
        let there = *newest.borrow_and_update();
        if there > shipped {
            // What is not confirmed in time stays in the spool.
            let Some((up_to, ended)) = finish(wave(&spool, &courier, shipped), &mut stop).await else { return };
            shipped = shipped.max(up_to);
            match ended {
                Ok(()) => waits.reset(),
                Err(Halt::Spool(StreamError::Stopped)) => return,
                Err(error) => {
                    let wait = waits.next();
                    warn(&spool, &error, wait);
                    tokio::select! {
                        () = tokio::time::sleep(wait) => {}
                        () = stopped(&mut stop) => return,
                    }
                }
            }
            if *stop.borrow() {
                return;
            }
            continue;
        }
        tokio::select! {
            changed = newest.changed() => if changed.is_err() { return },
            () = stopped(&mut stop) => return,
        }
    }
}

fn warn(spool: &Spool, error: &Halt, wait: Duration) {
    tracing::warn!(
        error = error as &dyn std::error::Error,
        spool.bytes = spool.bytes(),
        retry_ms = wait.as_millis(),
        "deliveries wait in the spool for the brokers"
    );
}

/// Sends what comes next, and forgets what is confirmed; the position up to which all is, and why not all was.
async fn wave(spool: &Spool, courier: &Courier, after: i64) -> (i64, Result<(), Halt>) {
    let rows = match spool.after(after, WAVE).await {
        Ok(rows) => rows,
        Err(error) => return (after, Err(error.into())),
    };
    let mut sent = Vec::with_capacity(rows.len());
    let mut ended = Ok(());
    for row in rows {
        match send(courier, row).await {
            Ok(on_its_way) => sent.push(on_its_way),
            // The rest goes with the next wave.
            Err(ShipError::Unsent(Unsent::Full)) if !sent.is_empty() => break,
            Err(error) => {
                ended = Err(error.into());
                break;
            }
        }
    }
    let (mut up_to, mut bytes) = (after, 0);
    // All are heard, so that none of an earlier wave is on its way when the next begins.
    let mut whole = true;
    for each in sent {
        let settled = match each.way {
            Some((parcel, report)) => courier.settle(&parcel, report).await,
            None => Ok(()),
        };
        match settled {
            Ok(()) if whole => (up_to, bytes) = (each.position, bytes + each.bytes),
            Ok(()) => {}
            Err(error) => {
                whole = false;
                ended = Err(error.into());
            }
        }
    }
    if up_to > after
        && let Err(error) = spool.remove(up_to, bytes).await
    {
        ended = Err(error.into());
    }
    (up_to, ended)
}

/// A delivery on its way; without a report it is there.
struct Sent {
    position: i64,
    bytes: u64,
    way: Option<(Parcel, Report)>,
}

async fn send(courier: &Courier, row: Spooled) -> Result<Sent, ShipError> {
    let (position, bytes) = (row.position, row.bytes);
    let way = match row.parcel {
        Ok(parcel) => {
            let report = courier.send(&parcel).await?;
            Some((parcel, report))
        }
        Err(damaged) => {
            let letter = DeadLetter {
                key: Some(damaged.source.into_bytes()),
                value: Some(damaged.frame),
                headers: None,
                place: ("the spool".to_owned(), 0, position),
                error: damaged.error.to_string(),
            };
            courier.bury(&letter).await?;
            None
        }
    };
    Ok(Sent { position, bytes, way })
}
