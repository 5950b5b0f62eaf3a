//! Trimming: the declared door through which retention removes the oldest records. What it leaves behind is how far it
//! came, the hash from which the chain goes on, and the keys by which a removed delivery that comes again is known.

pub(super) mod postgres;
pub(super) mod sqlite;

/// One transaction removes at most so many records, so that whoever writes meanwhile hardly waits.
const TRIM_RECORDS_MAX: i64 = 500;

/// From where to where a transaction removes records; none if there is nothing to remove.
fn step(trimmed: i64, through: i64, head: i64) -> Option<i64> {
    let last = through.min(head).min(trimmed.saturating_add(TRIM_RECORDS_MAX));
    (last > trimmed).then_some(last)
}
