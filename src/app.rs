//! Wires the crates into one running program: streams, normalizer, ledger, pages and hooks behind one listener.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use axum::body::Body;
use bots::clients::Client;
use bots::runtime::{Bots, Outside};
use bus::streams::Streams;
use chrono::{DateTime, Utc};
use http::Request;
use ingest::hooks::{Clock, Hooks};
use ingest::watch::kubernetes;
use ingest::watch::kubernetes::states::States;
use ledger::catalog::Catalog;
use ledger::ledger::Ledger;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use crate::config::Config;
use crate::context::URL_FILE;
use crate::exit::{Exit, Failure};

pub(crate) use data::catalog;

mod data;
mod owners;
mod watched;

/// Where to listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listen {
    /// At the configured addresses.
    Configured,
    /// At any free port of this machine itself, for a moment.
    Ephemeral,
}

/// What a caller brings of its own: the demo its invented tools.
#[derive(Default)]
pub(crate) struct Extras {
    /// Tools that bots act on and ask, before the configured ones.
    pub(crate) clients: Vec<Arc<dyn Client>>,
    /// Bots hear nothing before this says so, or its other end is dropped; none lets them begin at once.
    pub(crate) bots_begin: Option<oneshot::Receiver<()>>,
}

/// The running program.
pub(crate) struct Running {
    /// Where it answers.
    pub(crate) url: String,
    pub(crate) streams: Streams,
    pub(crate) ledger: Arc<Ledger>,
    bots: Bots,
    stop: watch::Sender<bool>,
    tasks: JoinSet<(&'static str, anyhow::Result<()>)>,
    note: Option<std::path::PathBuf>,
}

/// Starts everything. It answers when this returns.
pub(crate) async fn start(config: &Config, listen: Listen) -> Result<Running, Failure> {
    start_with(config, listen, Extras::default()).await
}

/// Starts everything, with something of the caller's own.
pub(crate) async fn start_with(config: &Config, listen: Listen, extras: Extras) -> Result<Running, Failure> {
    let address = match listen {
        Listen::Configured => config.listen,
        Listen::Ephemeral => SocketAddr::from(([127, 0, 0, 1], 0)),
    };
    check_loopback(address)?;
    let now = clock()?;
    data::prepare(&config.data)?;
    let streams = Streams::open(&config.data).await?;
    let catalog = data::catalog(config)?;
    let Extras { clients, bots_begin } = extras;
    let bots = open_bots(config, &streams, catalog.clone(), clients, Arc::clone(&now)).await?;
    let settings = ledger::ledger::Settings {
        catalog,
        people_key: data::people_key(&config.data)?,
        rules: config.rules.clone(),
        calendar: config.calendar,
    };
    let ledger = Arc::new(Ledger::open(&config.data, streams.clone(), settings).await?);
    let hooks = Hooks::new(streams.clone(), Arc::new(config.sources.clone()), Arc::clone(&now));
    let hooks = match config.bodies_in_flight_mib {
        Some(mebibytes) => hooks.with_bodies_in_flight(mebibytes),
        None => hooks,
    };
    // Parse, then bind, then run: nothing is promised at an address before everything behind it stands.
    let listener = bind(address).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let states = Arc::<States>::default();
    let (stop, stopped) = watch::channel(false);
    let mut tasks = JoinSet::new();
    let answers = Arc::clone(&ledger);
    let pages = web::router(web::App {
        site: web::Site {
            ledger: Arc::new(move || answers.view() as Arc<dyn web::Answers>),
            clock: now,
            first_steps: Arc::new(web::FirstSteps::at(&url, first_source(config))),
        },
        streams: streams.clone(),
        ledger: Arc::clone(&ledger),
        rebuilding: Arc::default(),
        hooks: hooks.clone(),
        bots: bots.clone(),
        watches: watched::shown(Arc::clone(&states)),
        stop: stopped.clone(),
    });
    if listen == Listen::Configured
        && let Some(address) = config.listen_hooks
    {
        tasks.spawn(serve("hooks", bind(address).await?, hooks.clone(), None, stopped.clone()));
    }
    tasks.spawn(serve("server", listener, hooks, Some(pages), stopped.clone()));
    let carried = streams.clone();
    let carrying = stopped.clone();
    tasks.spawn(async move { ("log", carried.carry(carrying).await.map_err(anyhow::Error::from)) });
    let normalizer = ingest::normalizer::run(streams.clone(), stopped.clone());
    tasks.spawn(async move { ("normalizer", normalizer.await.map_err(anyhow::Error::from)) });
    // A program that only answers one command watches nothing and acts on nothing.
    if listen == Listen::Configured {
        watch_clusters(config, &mut tasks, &streams, &states, &stopped)?;
        tasks.spawn(act(bots.clone(), bots_begin, stopped.clone()));
    }
    let projector = Arc::clone(&ledger);
    tasks.spawn(async move { ("ledger", projector.run(stopped).await.map_err(anyhow::Error::from)) });
    let note = note_url(&config.data, &url, listen)?;
    Ok(Running { url, streams, ledger, bots, stop, tasks, note })
}

/// Answers at a listener until the program stops.
async fn serve(
    name: &'static str,
    listener: TcpListener,
    hooks: Hooks,
    pages: Option<axum::Router>,
    stopped: watch::Receiver<bool>,
) -> (&'static str, anyhow::Result<()>) {
    let service = move |request| answer(hooks.clone(), pages.clone(), request);
    ingest::server::run(listener, service, stopped).await;
    (name, Ok(()))
}

/// Watches the clusters.
fn watch_clusters(
    config: &Config,
    tasks: &mut JoinSet<(&'static str, anyhow::Result<()>)>,
    streams: &Streams,
    states: &Arc<States>,
    stopped: &watch::Receiver<bool>,
) -> Result<(), Failure> {
    for cluster in config.clusters.clone() {
        let watching = kubernetes::run(cluster, streams.clone(), clock()?, Arc::clone(states), stopped.clone());
        tasks.spawn(async move {
            watching.await;
            ("cluster watch", Ok(()))
        });
    }
    Ok(())
}

/// Lets the bots hear events and act.
async fn act(
    bots: Bots,
    begin: Option<oneshot::Receiver<()>>,
    mut stopped: watch::Receiver<bool>,
) -> (&'static str, anyhow::Result<()>) {
    if let Some(begin) = begin {
        tokio::select! {
            _ = begin => {}
            () = bus::stop::stopped(&mut stopped) => return ("bots", Ok(())),
        }
    }
    ("bots", bots.run(stopped).await.map_err(anyhow::Error::from))
}

/// The bots of the installation, with the tools that they act on.
async fn open_bots(
    config: &Config,
    streams: &Streams,
    catalog: Catalog,
    clients: Vec<Arc<dyn Client>>,
    clock: Clock,
) -> Result<Bots, Failure> {
    let configured = bots::clients::connect(&config.tools, &config.asked_clusters)
        .map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
    let outside = Outside {
        clients: clients.into_iter().chain(configured).collect(),
        owners: Arc::new(owners::CatalogOwners(catalog)),
    };
    let settings = bots::runtime::Settings { bots: config.bots.clone(), clock, crash_at: crate::config::crash_at()? };
    Ok(Bots::open(&config.data, streams.clone(), bots::builtin::BOTS, settings, outside).await?)
}

impl Running {
    /// Waits until everything stored so far is interpreted and counted.
    pub(crate) async fn caught_up(&mut self) -> Result<(), Failure> {
        let target = *self.streams.delivery_head().borrow();
        let mut interpreted = self.streams.checkpoint(ingest::normalizer::READER).await?;
        let mut head = self.streams.event_head();
        while interpreted < target.0 {
            // A delivery without events moves no head: look again soon either way.
            let moved = tokio::time::timeout(std::time::Duration::from_millis(20), head.changed());
            tokio::select! {
                _ = moved => {}
                failure = Self::first_failure(&mut self.tasks) => return Err(failure),
            }
            interpreted = self.streams.checkpoint(ingest::normalizer::READER).await?;
        }
        tracing::debug!("everything stored is interpreted");
        let events = *self.streams.event_head().borrow();
        tokio::select! {
            caught_up = self.ledger.wait_for(events) => Ok(caught_up?),
            failure = Self::first_failure(&mut self.tasks) => Err(failure),
        }
    }

    /// Ends only if a part of the program ends by itself: the rest cannot go on without it.
    pub(crate) async fn failed(&mut self) -> Failure {
        Self::first_failure(&mut self.tasks).await
    }

    async fn first_failure(tasks: &mut JoinSet<(&'static str, anyhow::Result<()>)>) -> Failure {
        match tasks.join_next().await {
            Some(Ok((name, Err(error)))) => Failure::from(error.context(format!("{name} has stopped"))),
            Some(Ok((name, Ok(())))) => Failure::new(Exit::Failed, format!("{name} has stopped by itself")),
            Some(Err(error)) => Failure::new(Exit::Failed, format!("a part of the program ended abruptly: {error}")),
            None => std::future::pending().await,
        }
    }

    /// Stops: finishes what is in flight, commits what is queued, closes the files.
    pub(crate) async fn stop(mut self) -> Result<(), Failure> {
        self.stop.send_replace(true);
        let mut failure = None;
        while let Some(ended) = self.tasks.join_next().await {
            match ended {
                Ok((_, Ok(()))) => {}
                Ok((name, Err(error))) => failure = Some(Failure::from(error.context(format!("{name} failed")))),
                Err(error) => failure = Some(Failure::new(Exit::Failed, format!("a task ended abruptly: {error}"))),
            }
        }
        if let Some(note) = &self.note {
            // A note that stays only costs the next command one failed connection.
            drop(std::fs::remove_file(note));
        }
        self.bots.close().await;
        self.streams.close().await?;
        failure.map_or(Ok(()), Err)
    }
}

/// Hooks are answered before anything else looks at the path: they are what must be fast.
async fn answer(
    hooks: Hooks,
    pages: Option<axum::Router>,
    request: Request<hyper::body::Incoming>,
) -> http::Response<Body> {
    if let Some(source) = request.uri().path().strip_prefix("/hooks/") {
        let source = source.to_owned();
        let Ok(answer) = hooks.answer(&source, request).await;
        return answer.map(Body::new);
    }
    let Some(mut pages) = pages else {
        let mut nothing = http::Response::new(Body::empty());
        *nothing.status_mut() = http::StatusCode::NOT_FOUND;
        return nothing;
    };
    let Ok(answer) = tower::Service::call(&mut pages, request.map(Body::new)).await;
    answer
}

/// The source that the first page's ready line sends to.
fn first_source(config: &Config) -> &str {
    let events = config.sources.iter().find(|source| source.sender.name == "cloudevents");
    events.map_or("cloudevents/local", |source| source.name.as_str())
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        let failure = Failure::new(Exit::Conflict, format!("cannot listen at {address}: {error}"));
        failure.remedy("another port: --listen 127.0.0.1:0 takes any free one (for the demo --port 0)")
    })
}

/// Pages have no sign-in yet, so only this machine may see them.
fn check_loopback(address: SocketAddr) -> Result<(), Failure> {
    if address.ip().is_loopback() {
        return Ok(());
    }
    Err(Failure::new(Exit::Usage, format!("{address} can be reached from other machines, and pages have no sign-in"))
        .remedy("listen at 127.0.0.1 behind a proxy with sign-in; webhooks alone can be served with listen_hooks"))
}

fn note_url(directory: &Path, url: &str, listen: Listen) -> anyhow::Result<Option<std::path::PathBuf>> {
    if listen == Listen::Ephemeral {
        return Ok(None);
    }
    let note = directory.join(URL_FILE);
    std::fs::write(&note, url).with_context(|| format!("{} cannot be written", note.display()))?;
    Ok(Some(note))
}

/// The clock of the whole program; a test pins it.
pub(crate) fn clock() -> Result<Clock, Failure> {
    Ok(match crate::config::pinned_now()? {
        Some(now) => Arc::new(move || now),
        None => Arc::new(now),
    })
}

/// The one place where the program asks what time it is.
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now()
}
