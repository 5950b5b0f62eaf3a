//! Bodies as they are kept: one zstd frame each.

use std::cell::RefCell;
use std::io;

use zstd::bulk::{Compressor, Decompressor};

/// How hard a body is compressed. Every reader reads both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// Webhook bodies are JSON full of repeated URLs, which this level finds already.
    Usual,
    /// While many senders wait: half the time, and frames half as large again. Compressing is what an append costs most.
    Quick,
}

impl Effort {
    const fn level(self) -> i32 {
        match self {
            Self::Usual => 1,
            Self::Quick => -5,
        }
    }
}

/// A body or a batch larger than this is worked on in the blocking pool, so that no other task of the thread waits.
pub(crate) const INLINE_BYTES_MAX: usize = 256 << 10;

thread_local! {
    // Making a context costs more than compressing 9 kB with it.
    static COMPRESSOR: RefCell<Option<Reused>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// What a thread compresses with.
struct Reused {
    compressor: Compressor<'static>,
    effort: Effort,
    /// A frame is made here and copied, so that what waits for the writer takes no more memory than it needs.
    frame: Vec<u8>,
}

impl Reused {
    fn new(effort: Effort) -> io::Result<Self> {
        Ok(Self { compressor: Compressor::new(effort.level())?, effort, frame: Vec::new() })
    }

    fn compress(&mut self, body: &[u8], effort: Effort) -> io::Result<Vec<u8>> {
        if self.effort != effort {
            self.compressor.set_compression_level(effort.level())?;
            self.effort = effort;
        }
        self.frame.clear();
        self.frame.reserve(zstd::zstd_safe::compress_bound(body.len()));
        self.compressor.compress_to_buffer(body, &mut self.frame)?;
        let frame = self.frame.as_slice().to_vec();
        if body.len() > INLINE_BYTES_MAX {
            self.frame = Vec::new();
        }
        Ok(frame)
    }
}

pub(crate) fn compress(body: &[u8], effort: Effort) -> io::Result<Vec<u8>> {
    COMPRESSOR.with_borrow_mut(|slot| match slot {
        Some(reused) => reused.compress(body, effort),
        None => slot.insert(Reused::new(effort)?).compress(body, effort),
    })
}

/// Restores a body of that many bytes; a frame that holds more is refused before it takes memory.
pub(crate) fn decompress(frame: &[u8], body_bytes: usize) -> io::Result<Vec<u8>> {
    let body = DECOMPRESSOR.with_borrow_mut(|slot| match slot {
        Some(decompressor) => decompressor.decompress(frame, body_bytes),
        None => slot.insert(Decompressor::new()?).decompress(frame, body_bytes),
    })?;
    if body.len() == body_bytes {
        Ok(body)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidData, format!("{} bytes instead of {body_bytes}", body.len())))
    }
}

/// Runs CPU work of about so many bytes where it hinders no other task.
pub(crate) async fn off_thread<T, F>(bytes: usize, work: F) -> Result<T, super::StreamError>
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    if bytes <= INLINE_BYTES_MAX {
        return Ok(work());
    }
    // It fails only if the program is stopping or the work panicked.
    tokio::task::spawn_blocking(work).await.map_err(|_| super::StreamError::Stopped)
}
