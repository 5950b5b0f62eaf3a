//! The commands, one file each.

use std::io::IsTerminal;

use crate::cli::{Cli, Command, When};
use crate::config::Config;
use crate::context::Context;
use crate::exit::{Ended, Exit, Failure};
use crate::output::Output;

mod bots;
mod completions;
mod demo;
mod doctor;
mod events;
mod help;
mod import;
mod init;
mod listen;
mod metrics;
mod migrate;
mod rebuild;
mod replay;
mod send;
mod serve;
mod sources;
mod subscriptions;
mod trim;
mod verify;

/// Runs the command and says how the program ends.
pub(crate) fn run(cli: Cli) -> Exit {
    let color = match cli.global.color {
        When::Always => true,
        When::Never => false,
        When::Auto => std::io::stderr().is_terminal() && !crate::config::no_color(),
    };
    let output = Output::new(cli.global.json, cli.global.quiet, color);
    match dispatch(cli, output) {
        Ok(exit) => exit,
        // The reader of our output left: nothing is wrong.
        Err(failure) if failure.exit == Exit::Ok => Exit::Ok,
        Err(failure) => {
            output.failure(&failure);
            failure.exit
        }
    }
}

fn dispatch(cli: Cli, output: Output) -> Ended {
    // These need no configuration, so that they help where it is wrong.
    match cli.command {
        Command::Completions { shell } => return completions::run(shell, output),
        Command::Help { topic } => return help::run(&topic, output),
        Command::Init(args) => return init::run(&args, output),
        Command::Serve(_)
        | Command::Demo(_)
        | Command::Doctor
        | Command::Import(_)
        | Command::Send(_)
        | Command::Events(_)
        | Command::Metrics(_)
        | Command::Rebuild(_)
        | Command::Verify
        | Command::Migrate(_)
        | Command::Trim(_)
        | Command::Sources(_)
        | Command::Bots(_)
        | Command::Subscriptions(_)
        | Command::Listen(_)
        | Command::Replay(_) => {}
    }
    let loud = matches!(cli.command, Command::Serve(_));
    // The client of clusters logs every failed attempt, and bodies that it cannot read; whoever asks says once what is wrong.
    crate::telemetry::start(if loud { "info,kube_client=off" } else { "warn,kube_client=off" }, output.color);
    let mut config = match (&cli.command, Config::load(cli.global.config.as_deref())) {
        (_, Ok(config)) => config,
        (Command::Doctor, Err(failure)) => return doctor::without_config(&failure, output),
        (_, Err(failure)) => return Err(failure),
    };
    if let Some(data) = &cli.global.data {
        config.data.clone_from(data);
    }
    // The default provider can be installed once; a second time means it is there.
    drop(rustls::crypto::ring::default_provider().install_default());
    let context = Context::new(config, &cli.global, output);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(in_runtime(cli.command, context));
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    ended
}

async fn in_runtime(command: Command, context: Context) -> Ended {
    match command {
        Command::Serve(args) => serve::run(args, context).await,
        Command::Demo(args) => demo::run(args, context).await,
        Command::Doctor => doctor::run(context).await,
        Command::Import(args) => import::run(args, context).await,
        Command::Send(args) => send::run(args, context).await,
        Command::Events(args) => events::run(args, context).await,
        Command::Metrics(args) => metrics::run(args, context).await,
        Command::Rebuild(args) => rebuild::run(args, context).await,
        Command::Verify => verify::run(context).await,
        Command::Migrate(args) => migrate::run(args, context).await,
        Command::Trim(args) => trim::run(args, context).await,
        Command::Sources(args) => sources::run(args, context).await,
        Command::Bots(args) => bots::run(args, context).await,
        Command::Subscriptions(args) => subscriptions::run(args, context).await,
        Command::Listen(args) => listen::run(args, context).await,
        Command::Replay(args) => replay::run(args, context).await,
        Command::Completions { .. } | Command::Help { .. } | Command::Init(_) => {
            Err(Failure::new(Exit::Failed, "this command needs no runtime"))
        }
    }
}
