//! `devhose serve`: everything in one process, until a signal.

use bus::stop::stopped;

use crate::app::roles::Roles;
use crate::app::{self, Extras, Listen};
use crate::cli::Serve;
use crate::context::Context;
use crate::exit::{Ended, Exit};

pub(super) async fn run(args: Serve, context: Context) -> Ended {
    let mut stop = crate::signals::stop_requested();
    let mut config = context.config.clone();
    if let Some(listen) = args.listen {
        config.listen = listen;
    }
    if let Some(fault) = crate::config::fault()? {
        bus::faults::ask(fault);
    }
    let mut running = app::start_with(&config, Listen::Configured, Roles::of(&args.roles), Extras::default()).await?;
    context.output.tell(&format!("devhose listens at {}", running.url));
    if config.sources.iter().next().is_none() {
        context.output.tell("no source is configured yet: `devhose init` writes a configuration to fill in");
    }
    tokio::select! {
        () = stopped(&mut stop) => {}
        failure = running.failed() => {
            running.stop().await?;
            return Err(failure);
        }
    }
    context.output.tell("stopping: what is in flight is finished first");
    running.stop().await?;
    Ok(Exit::Ok)
}
