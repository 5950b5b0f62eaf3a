//! Reads the deliveries stream and records what each delivery means: the one place where bytes become events.
//!
//! A delivery that cannot be interpreted is quarantined with the reason and never blocks the next.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use bus::delivery::Delivery;
use bus::event::Event;
use bus::ids::{DeliveryOffset, ReaderName};
use bus::stop::stopped;
use bus::streams::{Reading, StreamError, Streams};
use tokio::sync::{mpsc, watch};

use crate::sender::stamp;
use crate::source::sender_of;

/// The reader whose checkpoint says how far deliveries have been interpreted.
pub const READER: ReaderName = ReaderName("normalize");

/// So many deliveries are interpreted and recorded at once: enough to spread the cost of a commit, few enough that
/// a live subscriber does not wait for them.
const BATCH_DELIVERIES_MAX: usize = 1_024;

/// Batches that are interpreted before they are recorded: one, so that neither side waits for the other.
const BATCHES_AHEAD: usize = 1;

/// While the log cannot take more, what could not be recorded is read again this often.
const BUSY_WAIT: Duration = Duration::from_secs(1);

/// What a delivery means. A pure function of the delivery.
///
/// # Errors
/// Why it cannot be interpreted, in words for the quarantine.
pub fn normalize(delivery: &Delivery) -> Result<Vec<Event>, String> {
    let source = &delivery.content.source;
    let sender = sender_of(source).ok_or_else(|| format!("no sender reads deliveries of source {source}"))?;
    // A reader that panics is a mistake of ours; the delivery is kept and can be read again once it is mended.
    let drafts = catch_unwind(AssertUnwindSafe(|| (sender.normalize)(delivery)))
        .map_err(|_| format!("the reader of {} failed; this is a mistake in the program", sender.name))?
        .map_err(|unreadable| unreadable.to_string())?;
    Ok(stamp(delivery, drafts))
}

/// Interprets deliveries as they come, from the checkpoint on, until `stop` turns true.
///
/// # Errors
/// If the streams fail.
pub async fn run(streams: Streams, mut stop: watch::Receiver<bool>) -> Result<(), StreamError> {
    loop {
        match interpret(&streams, stop.clone()).await {
            Err(StreamError::Busy(why)) => {
                tracing::warn!(why, "deliveries wait to be interpreted");
                tokio::select! {
                    () = tokio::time::sleep(BUSY_WAIT) => {}
                    () = stopped(&mut stop) => return Ok(()),
                }
            }
            ended => return ended,
        }
    }
}

/// From the checkpoint on. After an error it can begin again.
async fn interpret(streams: &Streams, mut stop: watch::Receiver<bool>) -> Result<(), StreamError> {
    let position = DeliveryOffset(streams.checkpoint(READER).await?);
    let (ahead, mut read) = mpsc::channel(BATCHES_AHEAD);
    let reading = tokio::spawn(read_ahead(streams.clone(), position, ahead, stop.clone()));
    while let Some(readings) = read.recv().await {
        streams.record(READER, readings).await?;
        if *stop.borrow_and_update() {
            break;
        }
    }
    drop(read);
    reading.await.map_err(|_| StreamError::Stopped)?
}

/// Interprets the next deliveries while the last ones are recorded. Whatever is read and not recorded is read again at
/// the next start.
async fn read_ahead(
    streams: Streams,
    mut position: DeliveryOffset,
    ahead: mpsc::Sender<Vec<Reading>>,
    mut stop: watch::Receiver<bool>,
) -> Result<(), StreamError> {
    let mut head = streams.delivery_head();
    loop {
        // Mark the head as seen before reading, so that a delivery arriving meanwhile is not slept over.
        head.borrow_and_update();
        let deliveries = streams.deliveries(position, BATCH_DELIVERIES_MAX).await?;
        if let Some(last) = deliveries.last() {
            position = last.offset;
            let readings = read_all(deliveries).await?;
            if ahead.send(readings).await.is_err() {
                return Ok(());
            }
            continue;
        }
        tokio::select! {
            moved = head.changed() => if moved.is_err() { return Ok(()) },
            () = stopped(&mut stop) => return Ok(()),
        }
    }
}

/// Tries one quarantined delivery again.
///
/// # Errors
/// If the streams fail. That it still cannot be interpreted is no error: it stays in quarantine with the new reason.
pub async fn retry(streams: &Streams, offset: DeliveryOffset) -> Result<Option<Reading>, StreamError> {
    let Some(delivery) = streams.delivery(offset).await? else { return Ok(None) };
    let reading = read(&delivery);
    // A reader of its own, so that the checkpoint of the stream's reader stays where it is.
    streams.record(ReaderName("retry"), vec![reading.clone()]).await?;
    Ok(Some(reading))
}

fn read(delivery: &Delivery) -> Reading {
    Reading { delivery: delivery.offset, source: delivery.content.source.clone(), outcome: normalize(delivery) }
}

/// Interprets on all cores: parsing dominates a replay.
async fn read_all(deliveries: Vec<Delivery>) -> Result<Vec<Reading>, StreamError> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let share = deliveries.len().div_ceil(cores).max(1);
    let mut rest = deliveries;
    let mut parts = Vec::new();
    while !rest.is_empty() {
        let tail = rest.split_off(share.min(rest.len()));
        let part = std::mem::replace(&mut rest, tail);
        parts.push(tokio::task::spawn_blocking(move || part.iter().map(read).collect::<Vec<_>>()));
    }
    let mut readings = Vec::new();
    for part in parts {
        readings.extend(part.await.map_err(|_| StreamError::Stopped)?);
    }
    Ok(readings)
}
