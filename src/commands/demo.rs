//! `devhose demo`: an invented organisation, served on this machine from a directory that is gone afterwards.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::sync::Arc;

use bots::clients::Client;
use bots::contract::Mode;
use bots::runtime::BotSettings;
use bus::stop::stopped;
use bus::streams::Streams;
use ingest::demo::{self, Options};
use ingest::source::{Secret, Source, Sources};
use ledger::catalog::{CatalogSettings, EnvironmentSettings, ServiceSettings, TeamSettings};
use tokio::sync::watch;

use crate::app::roles::Roles;
use crate::app::{self, Extras, Listen};
use crate::cli::Demo;
use crate::config::Config;
use crate::config::storage::Chosen;
use crate::context::Context;
use crate::exit::{Ended, Exit, Failure};

mod tools;

/// Deliveries stored at once: the history is written in a few dozen commits.
const BATCH_DELIVERIES: usize = 1_000;

/// What the demo's sources are signed with; everybody may know it.
const SECRET: &str = "demo";

pub(super) async fn run(args: Demo, context: Context) -> Ended {
    let mut stop = crate::signals::stop_requested();
    if !(0.1..=20.0).contains(&args.scale) {
        return Err(Failure::new(Exit::Usage, format!("--scale {} is not between 0.1 and 20", args.scale)));
    }
    let directory = tempfile::Builder::new().prefix("devhose-demo-").tempdir()?;
    let config = Config {
        file: None,
        listen: SocketAddr::from(([127, 0, 0, 1], args.port)),
        listen_hooks: None,
        data: directory.path().to_owned(),
        chosen_storage: Chosen::Sqlite,
        sources: sources()?,
        catalog: catalog(),
        clusters: Vec::new(),
        asked_clusters: Vec::new(),
        tools: Vec::new(),
        bots: bots(),
        ..context.config.clone()
    };
    let started = std::time::Instant::now();
    // The first page is waited for, bots are not.
    let (begin, bots_begin) = tokio::sync::oneshot::channel();
    let clients: Vec<Arc<dyn Client>> = vec![Arc::new(tools::InventedTools::default())];
    let extras = Extras { clients, bots_begin: Some(bots_begin) };
    let mut running = app::start_with(&config, Listen::Configured, Roles::ALL, extras).await?;
    let pinned = crate::config::pinned_now()?;
    let options = Options { seed: args.seed, now: pinned.unwrap_or_else(app::now), scale: args.scale };
    fill(&running.streams, options).await?;
    tracing::info!(duration_ms = started.elapsed().as_millis(), "the year is stored");
    running.caught_up().await?;
    tracing::info!(duration_ms = started.elapsed().as_millis(), "the demo is ready");
    // They are there unless the program is stopping.
    begin.send(()).unwrap_or_default();
    let url = running.url.clone();
    greet(&context, &url);
    if !args.no_open && std::io::stdout().is_terminal() && crate::config::has_display() {
        // Without a browser the address that was printed is enough.
        drop(open::that_detached(&url));
    }
    // With a pinned clock nothing new happens: the pages are to be the same every time.
    let live = pinned.is_none().then(|| tokio::spawn(go_on(running.streams.clone(), options, stop.clone())));
    tokio::select! {
        () = stopped(&mut stop) => {}
        failure = running.failed() => {
            running.stop().await?;
            return Err(failure);
        }
    }
    if let Some(live) = live {
        live.abort();
    }
    running.stop().await?;
    Ok(Exit::Ok)
}

/// The year up to now, through the same log and the same readers as any delivery.
async fn fill(streams: &Streams, options: Options) -> Result<(), Failure> {
    let (batches, mut queue) = tokio::sync::mpsc::channel(2);
    let inventing = tokio::task::spawn_blocking(move || {
        let mut deliveries = demo::deliveries(options);
        loop {
            let batch: Vec<_> = deliveries.by_ref().take(BATCH_DELIVERIES).collect();
            if batch.is_empty() || batches.blocking_send(batch).is_err() {
                break;
            }
        }
    });
    while let Some(batch) = queue.recv().await {
        streams.append_all(batch).await?;
    }
    inventing.await?;
    Ok(())
}

/// What happens from now on.
async fn go_on(streams: Streams, options: Options, mut stop: watch::Receiver<bool>) {
    let (next, mut queue) = tokio::sync::mpsc::channel(1);
    let inventing = tokio::task::spawn_blocking(move || {
        for happening in demo::live(options) {
            if next.blocking_send(happening).is_err() {
                break;
            }
        }
    });
    while let Some((wait, delivery)) = queue.recv().await {
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stopped(&mut stop) => break,
        }
        if let Err(error) = streams.append(delivery).await {
            tracing::warn!(%error, "the demo stands still");
            break;
        }
    }
    drop(queue);
    drop(inventing.await);
}

fn greet(context: &Context, url: &str) {
    let port = url.rsplit(':').next().unwrap_or("7070");
    let server = if port == "7070" { String::new() } else { format!(" --server {url}") };
    // The address is what the command is for, so it is data.
    drop(context.output.line(url));
    context.output.tell(&format!(
        "An invented organisation, dated up to now. In another terminal, try:\n  \
         devhose metrics get successful-deployments --range 12w{server}\n  \
         devhose events tail 'type:service.*'{server}\n  \
         devhose metrics explain lead-time --team checkout{server}\n\
         Ctrl-C stops it and leaves nothing behind."
    ));
}

fn sources() -> Result<Sources, Failure> {
    let source = |name: &str| -> Result<Source, Failure> {
        Ok(Source::new(name.parse()?, vec![Secret::new(SECRET.to_owned())], false)?)
    };
    let names = demo::source_names().into_iter().map(source);
    Ok(Sources::new(names.collect::<Result<Vec<_>, _>>()?))
}

/// One bot acts on the invented chat; the other shows what it would do.
fn bots() -> BTreeMap<String, BotSettings> {
    // Two weeks of kills are told at once here, which nobody has to read.
    let values = serde_json::json!({
        "default_channel": "#operations", "platform_channel": "#platform", "team_messages_per_hour": 1_000,
    });
    let live = BotSettings { mode: Mode::Live, values: values.as_object().cloned().unwrap_or_default() };
    BTreeMap::from([("killed-pods".to_owned(), live)])
}

fn catalog() -> CatalogSettings {
    use demo::organisation::{ENVIRONMENTS, SERVICES, TEAMS};
    let text = |text: &str| Some(text.to_owned());
    CatalogSettings {
        team: TEAMS
            .iter()
            .map(|team| TeamSettings {
                name: team.name.to_owned(),
                title: text(team.title),
                parent: team.parent.and_then(text),
                channel: Some(format!("#{}", team.name)),
                namespaces: Vec::new(),
            })
            .collect(),
        service: SERVICES
            .iter()
            .map(|service| ServiceSettings {
                name: service.name.to_owned(),
                title: text(service.title),
                team: text(service.team),
                repository: Some(service.repository()),
                path: service.path.and_then(text),
            })
            .collect(),
        environment: ENVIRONMENTS
            .iter()
            .map(|(name, production)| EnvironmentSettings {
                name: (*name).to_owned(),
                tier: if *production { "production".to_owned() } else { (*name).to_owned() },
            })
            .collect(),
        files: Vec::new(),
    }
}
