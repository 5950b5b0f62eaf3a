//! Reads a body within its own limit and within what all requests together may hold in memory.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Rejection;

/// What all bodies in flight together hold at most, unless configured: ten of the largest, or thousands of usual ones.
const IN_FLIGHT_MIB: u16 = 256;

/// The budget is taken in steps of this size: what a request takes beside its body. Larger steps would let thousands of
/// slow clients, of which each sent a byte, use all of it up.
const STEP_BYTES: usize = 4 << 10;

/// What all requests together may hold.
#[derive(Debug, Clone)]
pub(super) struct BodyBudget(Arc<Semaphore>);

impl Default for BodyBudget {
    fn default() -> Self {
        Self::mebibytes(IN_FLIGHT_MIB)
    }
}

/// A whole body, and the share of the budget that it holds until it is stored.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) bytes: Vec<u8>,
    pub(super) permit: Option<OwnedSemaphorePermit>,
}

impl BodyBudget {
    pub(super) fn mebibytes(mebibytes: u16) -> Self {
        Self(Arc::new(Semaphore::new(usize::from(mebibytes) << 20)))
    }

    /// Reads a body of at most `limit` bytes. What is announced as too large is refused before a byte is read.
    pub(super) async fn read<B>(&self, body: &mut B, headers: &HeaderMap, limit: usize) -> Result<Received, Rejection>
    where
        B: http_body::Body<Data = Bytes> + Unpin,
        B::Error: std::fmt::Display,
    {
        let announced = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
        if announced.is_some_and(|length| length > limit) {
            return Err(Rejection::TooLarge { limit });
        }
        let mut received = Received { bytes: Vec::new(), permit: None };
        let mut held = 0;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| Rejection::Broken(error.to_string()))?;
            // Trailers say nothing that is kept.
            let Ok(chunk) = frame.into_data() else { continue };
            let length = received.bytes.len() + chunk.len();
            if length > limit {
                return Err(Rejection::TooLarge { limit });
            }
            if held < length {
                let more = (length - held).next_multiple_of(STEP_BYTES);
                self.take(&mut received.permit, more)?;
                held += more;
            }
            if received.bytes.is_empty() {
                // What came is a promise of as much again; whoever announces much and sends little gets little.
                received.bytes.reserve_exact(announced.unwrap_or(0).min(2 * chunk.len()).max(chunk.len()));
            }
            received.bytes.extend_from_slice(&chunk);
        }
        Ok(received)
    }

    fn take(&self, permit: &mut Option<OwnedSemaphorePermit>, bytes: usize) -> Result<(), Rejection> {
        let permits = u32::try_from(bytes).map_err(|_| Rejection::OverBudget)?;
        let more = Arc::clone(&self.0).try_acquire_many_owned(permits).map_err(|_| Rejection::OverBudget)?;
        match permit {
            Some(permit) => permit.merge(more),
            None => *permit = Some(more),
        }
        Ok(())
    }
}
