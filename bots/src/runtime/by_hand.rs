//! Notices what people did to bots through another process: pauses, resumptions, redrives.

use std::sync::Arc;
use std::time::Duration;

use bus::stop::stopped;
use tokio::sync::watch;

use super::control::look_again;
use super::shared::Core;
use crate::error::BotError;

/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Looks until `stop` turns true, where there may be other processes.
pub(crate) async fn run(core: Arc<Core>, mut stop: watch::Receiver<bool>) -> Result<(), BotError> {
    let Some(mut known) = core.store.by_hand().await? else { return Ok(()) };
    // What was done before is known to whoever has begun after it: the readers may have begun a moment ago.
    for entry in &core.entries {
        look_again(&core, entry);
    }
    while !*stop.borrow() {
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = stopped(&mut stop) => return Ok(()),
        }
        let Some(now) = core.store.by_hand().await? else { return Ok(()) };
        let changed = core.entries.iter().filter(|entry| known.get(entry.name()) != now.get(entry.name()));
        for entry in changed {
            let standing = core.store.standing(entry.name()).await?.unwrap_or_default();
            entry.set_paused(standing.paused);
            look_again(&core, entry);
            core.lanes.touch(core.store.open_lanes().await?);
        }
        known = now;
    }
    Ok(())
}
