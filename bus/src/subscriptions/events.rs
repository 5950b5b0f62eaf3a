//! Reading the log for subscribers: ahead from a position, and single events again by their offset.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use crate::cdevents::to_cloudevent;
use crate::data::Data;
use crate::event::Recorded;
use crate::ids::EventOffset;
use crate::streams::{StreamError, Streams};

/// Events that are read from the log at once: what a reader holds in memory.
pub(super) const EVENTS_READ_MAX: usize = 256;

/// Wanted events that stand at most so far apart are read in one go, with those between them.
const GAP_MAX: i64 = 16;

/// The events at these offsets, in their order. One that was corrected since, or is not in the log any more, is left
/// out: its correction stands at a later offset.
pub(super) async fn at(streams: &Streams, offsets: &[EventOffset]) -> Result<Vec<Recorded>, StreamError> {
    let wanted: BTreeSet<EventOffset> = offsets.iter().copied().collect();
    let mut found = Vec::with_capacity(wanted.len());
    let mut rest = wanted.iter().copied().peekable();
    while let Some(first) = rest.next() {
        let mut last = first;
        while let Some(next) = rest.next_if(|next| next.0 - last.0 <= GAP_MAX) {
            last = next;
        }
        let mut after = EventOffset(first.0 - 1);
        while after < last {
            let left = usize::try_from(last.0 - after.0).unwrap_or(EVENTS_READ_MAX).min(EVENTS_READ_MAX);
            let read = streams.events(after, left).await?;
            let Some(end) = read.last().map(|event| event.offset) else { break };
            after = end;
            found.extend(read.into_iter().filter(|event| wanted.contains(&event.offset)));
        }
    }
    // What was read beyond the end of one stretch can be the beginning of the next.
    found.sort_by_key(|event| event.offset);
    found.dedup_by_key(|event| event.offset);
    Ok(found)
}

/// The event as structured JSON.
pub(super) async fn body(streams: &Streams, event: &Recorded) -> Result<Vec<u8>, StreamError> {
    let delivery = if event.event.data == Data::AsReceived {
        // Its data is its delivery's body.
        streams.delivery(event.origin.delivery).await?
    } else {
        None
    };
    let envelope = to_cloudevent(event, delivery.as_ref().map(|delivery| delivery.content.body.as_slice()));
    envelope.to_json().map_err(|why| StreamError::Corrupt {
        table: "events",
        row: event.offset.0,
        column: "data",
        why: why.to_string(),
    })
}

/// The last offset that was recorded before an instant, by bisection: the times of recording do not fall.
pub(super) async fn before(streams: &Streams, at: DateTime<Utc>) -> Result<EventOffset, StreamError> {
    let (mut low, mut high) = (0, streams.event_head().borrow().0);
    while low < high {
        let middle = low + (high - low) / 2;
        match streams.events(EventOffset(middle), 1).await?.first() {
            Some(event) if event.recorded_at < at => low = middle + 1,
            Some(_) | None => high = middle,
        }
    }
    Ok(EventOffset(low))
}
