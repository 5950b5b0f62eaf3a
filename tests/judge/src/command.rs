//! Commands of the system that do one thing and end.

use std::process::Command;

use anyhow::{Context as _, ensure};

/// Runs it to its end; what it printed.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<String> {
    let ran = command.output().with_context(|| format!("{command:?} cannot be run"))?;
    ensure!(ran.status.success(), "{command:?}: {}", String::from_utf8_lossy(&ran.stderr).trim());
    Ok(String::from_utf8_lossy(&ran.stdout).trim().to_owned())
}
