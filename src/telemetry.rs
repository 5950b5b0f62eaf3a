//! The program's own log, on standard error.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

/// Starts logging: text at a terminal, JSON lines otherwise. `default` holds where `DEVHOSE_LOG` says nothing.
pub(crate) fn start(default: &str, color: bool) {
    let wanted = crate::config::log_filter();
    let filter = EnvFilter::try_new(wanted.as_deref().unwrap_or(default)).unwrap_or_else(|_| EnvFilter::new(default));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    // A second subscriber in one process only happens in tests; the first one stays.
    drop(if io::stderr().is_terminal() {
        builder.with_ansi(color).with_target(false).compact().try_init()
    } else {
        builder.json().flatten_event(true).try_init()
    });
}
