//! Stop signals: the first asks for an orderly stop, the second stops at once.

use tokio::sync::watch;

/// Turns true when the user or the system asks the program to stop.
pub(crate) fn stop_requested() -> watch::Receiver<bool> {
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        asked().await;
        sender.send_replace(true);
        asked().await;
        tracing::warn!("stopped at once");
        #[expect(clippy::exit, reason = "the second signal means now; the log loses nothing it has acknowledged")]
        std::process::exit(crate::exit::Exit::Interrupted as i32);
    });
    receiver
}

async fn asked() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            },
            Err(error) => {
                tracing::warn!(%error, "SIGTERM cannot be heard");
                drop(tokio::signal::ctrl_c().await);
            }
        }
    }
    #[cfg(not(unix))]
    drop(tokio::signal::ctrl_c().await);
}
