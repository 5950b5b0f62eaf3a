//! Wires the crates into one running program: streams, normalizer, ledger, pages and hooks behind one listener.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::body::Body;
use bots::clients::Client;
use bus::streams::Streams;
use chrono::{DateTime, Utc};
use http::Request;
use ingest::hooks::{Clock, Hooks};
use ingest::watch::kubernetes::states::States;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use crate::config::Config;
use crate::context::URL_FILE;
use crate::exit::{Exit, Failure};
use parts::{Parts, check_loopback};
use roles::{Roles, is_shared};
use work::Work;

pub(crate) use data::{catalog, copy_people_key};

mod data;
mod owners;
mod parts;
pub(crate) mod roles;
mod watched;
mod work;

/// A start waits so long for facts to be loaded, so that the first page of a small installation shows them all.
const LOADING_PATIENCE: Duration = Duration::from_secs(1);

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
    parts: Parts,
    stop: watch::Sender<bool>,
    tasks: JoinSet<(&'static str, anyhow::Result<()>)>,
    note: Option<std::path::PathBuf>,
}

/// Starts everything. It answers when this returns.
pub(crate) async fn start(config: &Config, listen: Listen) -> Result<Running, Failure> {
    start_with(config, listen, Roles::ALL, Extras::default()).await
}

/// Starts these parts, with something of the caller's own.
pub(crate) async fn start_with(
    config: &Config,
    listen: Listen,
    roles: Roles,
    extras: Extras,
) -> Result<Running, Failure> {
    let address = match listen {
        Listen::Configured => config.listen,
        Listen::Ephemeral => SocketAddr::from(([127, 0, 0, 1], 0)),
    };
    check_loopback(address)?;
    data::prepare(&config.data)?;
    let storage = config.storage();
    let streams = Streams::open_on(&storage).await?;
    let parts = Parts::open(config, &storage, &streams, roles, extras.clients).await?;
    // Parse, then bind, then run: nothing is promised at an address before everything behind it stands.
    let listener = bind(address).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let (stop, stopped) = watch::channel(false);
    let mut work = Work { streams: streams.clone(), shared: is_shared(&storage), stop: stopped, tasks: JoinSet::new() };
    if listen == Listen::Configured
        && roles.ingest
        && let Some(address) = config.listen_hooks
    {
        work.serve("hooks", bind(address).await?, Some(parts.hooks.clone()), None);
    }
    let states = Arc::<States>::default();
    let pages = parts.pages(config, &url, &states, &work.stop)?;
    work.serve("server", listener, Some(parts.hooks.clone()).filter(|_| roles.ingest), Some(pages));
    work.begin(&parts, roles);
    // A program that only answers one command watches nothing and acts on nothing.
    if listen == Listen::Configured {
        work.begin_outside(config, &parts, roles, (states, extras.bots_begin))?;
    }
    if let Some(ledger) = &parts.ledger {
        // A large one goes on while pages say that facts are being loaded; deliveries are taken all the while.
        drop(tokio::time::timeout(LOADING_PATIENCE, ledger.loaded()).await);
    }
    let note = note_url(&config.data, &url, listen)?;
    Ok(Running { url, streams, parts, stop, tasks: work.tasks, note })
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
        let Some(ledger) = &self.parts.ledger else { return Ok(()) };
        tokio::select! {
            caught_up = ledger.wait_for(events) => Ok(caught_up?),
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
        self.parts.close().await?;
        failure.map_or(Ok(()), Err)
    }
}

/// Hooks are answered before anything else looks at the path: they are what must be fast.
async fn answer(
    hooks: Option<Hooks>,
    pages: Option<axum::Router>,
    request: Request<hyper::body::Incoming>,
) -> http::Response<Body> {
    if let Some(source) = request.uri().path().strip_prefix("/hooks/")
        && let Some(hooks) = &hooks
    {
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

async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        let failure = Failure::new(Exit::Conflict, format!("cannot listen at {address}: {error}"));
        failure.remedy("another port: --listen 127.0.0.1:0 takes any free one (for the demo --port 0)")
    })
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
