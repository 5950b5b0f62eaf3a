//! How long-running parts are told to stop: a value that turns true, heard between units of work.

use tokio::sync::watch;

/// Waits until stop is asked for, or nobody is left to ask. Cancel-safe.
pub async fn stopped(stop: &mut watch::Receiver<bool>) {
    // The value is given up at once: a guard held across an await would keep the sender waiting.
    drop(stop.wait_for(|stop| *stop).await);
}
