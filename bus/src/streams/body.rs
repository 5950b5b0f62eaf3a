//! Bodies as they are kept: one zstd frame each.

use std::cell::RefCell;
use std::io;

use zstd::bulk::{Compressor, Decompressor};

/// Webhook bodies are JSON full of repeated URLs, which the fastest level finds already.
const LEVEL: i32 = 1;

/// A body or a batch larger than this is worked on in the blocking pool, so that no other task of the thread waits.
pub(crate) const INLINE_BYTES_MAX: usize = 256 << 10;

thread_local! {
    // Making a context costs more than compressing 9 kB with it.
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

pub(crate) fn compress(body: &[u8]) -> io::Result<Vec<u8>> {
    COMPRESSOR.with_borrow_mut(|slot| match slot {
        Some(compressor) => compressor.compress(body),
        None => slot.insert(Compressor::new(LEVEL)?).compress(body),
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
