//! Checks the hash chains: whether every record is what it was when it was written, and none is missing before the last.

use super::StreamError;
use super::body::off_thread;
use super::chain::Hash;
use super::read::{DeliveryRow, EventRow, LinkColumns};
use super::write::Head;

/// Records that an engine hands over at a time.
pub(super) const VERIFY_ROWS: i64 = 500;

/// What an engine is asked for while its chains are checked.
pub(super) trait Chained {
    /// The first records after a position, at most [`VERIFY_ROWS`].
    async fn links(&self, stream: Stream, after: i64) -> Result<Links, StreamError>;

    /// The last record that was removed, or the place before the first.
    async fn trimmed(&self, stream: Stream) -> Result<Head, StreamError>;
}

/// Recomputes both chains; the first broken link in words. `progress` hears how many records were checked.
pub(super) async fn verify(
    engine: &impl Chained,
    progress: impl Fn(u64) + Send + Sync,
) -> Result<Option<String>, StreamError> {
    let mut checked = 0;
    for stream in [Stream::Deliveries, Stream::Events] {
        let mut at = engine.trimmed(stream).await?;
        loop {
            let rows = engine.links(stream, at.position).await?;
            let Some(bytes) = rows.bytes() else { break };
            match off_thread(bytes, move || rows.check(at.position, at.chain_hash)).await? {
                Ok((position, chain_hash)) => {
                    checked += u64::try_from(position - at.position).unwrap_or_default();
                    at = Head { position, chain_hash };
                }
                Err(broken) => {
                    let trimmed = engine.trimmed(stream).await?;
                    if trimmed.position <= at.position {
                        return Ok(Some(broken));
                    }
                    // Records were removed meanwhile; the chain goes on behind them.
                    at = trimmed;
                }
            }
            progress(checked);
        }
    }
    Ok(None)
}

/// One of the two streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    Deliveries,
    Events,
}

impl Stream {
    /// The name of its table.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Deliveries => "deliveries",
            Self::Events => "events",
        }
    }
}

/// Records that follow each other in a stream.
#[derive(Debug)]
pub(super) enum Links {
    Deliveries(Vec<DeliveryRow>),
    Events(Vec<(EventRow, LinkColumns)>),
}

impl Links {
    /// About how many bytes there are to hash; none if there is no record.
    pub(super) fn bytes(&self) -> Option<usize> {
        let sizes: Vec<i64> = match self {
            Self::Deliveries(rows) => rows.iter().map(|row| row.body_bytes).collect(),
            Self::Events(rows) => rows.iter().map(|_| 1_024).collect(),
        };
        (!sizes.is_empty()).then(|| usize::try_from(sizes.iter().sum::<i64>()).unwrap_or(usize::MAX))
    }

    /// Follows the chain from the record at `position` with `hash`: the last position and hash, or what is broken.
    pub(super) fn check(&self, mut position: i64, mut hash: Hash) -> Result<(i64, Hash), String> {
        match self {
            Self::Deliveries(rows) => {
                for row in rows {
                    expect("delivery", position, row.position)?;
                    hash = row.link(&hash);
                    if hash.as_slice() != row.chain_hash {
                        return Err(altered("delivery", row.position));
                    }
                    if !row.body_is_whole() {
                        return Err(format!("the body of delivery {} is not the one that was received", row.position));
                    }
                    position = row.position;
                }
            }
            Self::Events(rows) => {
                for (row, columns) in rows {
                    expect("event", position, row.position)?;
                    hash = row.link(columns, &hash);
                    if hash.as_slice() != columns.chain_hash {
                        return Err(altered("event", row.position));
                    }
                    position = row.position;
                }
            }
        }
        Ok((position, hash))
    }
}

fn expect(what: &str, before: i64, found: i64) -> Result<(), String> {
    if found == before + 1 { Ok(()) } else { Err(format!("{what} {} is missing", before + 1)) }
}

fn altered(what: &str, position: i64) -> String {
    format!("{what} {position} is not what was written: its hash does not follow from the one before it")
}
