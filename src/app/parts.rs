//! What a process opens before it begins: hooks, and where its roles need them Ledger, bots and subscriptions.

use std::net::SocketAddr;
use std::sync::Arc;

use bots::clients::Client;
use bots::runtime::{Bots, Outside};
use bus::storage::Storage;
use bus::streams::Streams;
use bus::subscriptions::Subscriptions;
use ingest::hooks::Hooks;
use ingest::watch::kubernetes::states::States;
use ledger::ledger::Ledger;
use tokio::sync::watch;

use super::roles::Roles;
use super::{clock, data, owners, watched};
use crate::config::Config;
use crate::exit::{Exit, Failure};

/// What is open. Parts that no role needs are not: facts of years take memory.
pub(super) struct Parts {
    pub(super) streams: Streams,
    pub(super) hooks: Hooks,
    pub(super) ledger: Option<Arc<Ledger>>,
    pub(super) bots: Option<Bots>,
    pub(super) subscriptions: Option<Subscriptions>,
}

impl Parts {
    pub(super) async fn open(
        config: &Config,
        storage: &Storage,
        streams: &Streams,
        roles: Roles,
        clients: Vec<Arc<dyn Client>>,
    ) -> Result<Self, Failure> {
        let tables = storage.tables();
        let now = clock()?;
        let catalog = data::catalog(config)?;
        let mut parts = Self {
            streams: streams.clone(),
            hooks: hooks(config, streams)?,
            ledger: None,
            bots: None,
            subscriptions: None,
        };
        if roles.bots || roles.web {
            let configured = bots::clients::connect(&config.tools, &config.asked_clusters)
                .map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
            let outside = Outside {
                clients: clients.into_iter().chain(configured).collect(),
                owners: Arc::new(owners::CatalogOwners(catalog.clone())),
            };
            let crash_at = crate::config::crash_at()?;
            let settings = bots::runtime::Settings { bots: config.bots.clone(), clock: Arc::clone(&now), crash_at };
            parts.bots = Some(Bots::open(&tables, streams.clone(), bots::builtin::BOTS, settings, outside).await?);
            let connector = data::connector(config)?;
            parts.subscriptions = Some(Subscriptions::open(&tables, streams.clone(), connector, now).await?);
        }
        if roles.ledger || roles.web {
            let settings = ledger::ledger::Settings {
                catalog,
                people_key: data::people_key(config, storage, streams).await?,
                rules: config.rules.clone(),
                calendar: config.calendar,
            };
            parts.ledger = Some(Arc::new(Ledger::open(&tables, streams.clone(), settings).await?));
        }
        Ok(parts)
    }

    /// The pages of a process that has them; else only whether it is well.
    pub(super) fn pages(
        &self,
        config: &Config,
        url: &str,
        states: &Arc<States>,
        stop: &watch::Receiver<bool>,
    ) -> Result<axum::Router, Failure> {
        let (Some(ledger), Some(bots), Some(subscriptions)) = (&self.ledger, &self.bots, &self.subscriptions) else {
            return Ok(web::health_router(self.streams.clone()));
        };
        let answers = Arc::clone(ledger);
        Ok(web::router(web::App {
            site: web::Site {
                ledger: Arc::new(move || answers.view() as Arc<dyn web::Answers>),
                clock: clock()?,
                first_steps: Arc::new(web::FirstSteps::at(url, first_source(config))),
            },
            streams: self.streams.clone(),
            ledger: Arc::clone(ledger),
            rebuilding: Arc::default(),
            hooks: self.hooks.clone(),
            bots: bots.clone(),
            subscriptions: subscriptions.clone(),
            watches: watched::shown(Arc::clone(states)),
            stop: stop.clone(),
        }))
    }

    pub(super) async fn close(self) -> Result<(), Failure> {
        if let Some(bots) = self.bots {
            bots.close().await;
        }
        if let Some(subscriptions) = self.subscriptions {
            subscriptions.close().await;
        }
        Ok(self.streams.close().await?)
    }
}

fn hooks(config: &Config, streams: &Streams) -> Result<Hooks, Failure> {
    let hooks = Hooks::new(streams.clone(), Arc::new(config.sources.clone()), clock()?);
    Ok(match config.bodies_in_flight_mib {
        Some(mebibytes) => hooks.with_bodies_in_flight(mebibytes),
        None => hooks,
    })
}

/// The source that the first page's ready line sends to.
fn first_source(config: &Config) -> &str {
    let events = config.sources.iter().find(|source| source.sender.name == "cloudevents");
    events.map_or("cloudevents/local", |source| source.name.as_str())
}

/// Pages have no sign-in yet, so only this machine may see them.
pub(super) fn check_loopback(address: SocketAddr) -> Result<(), Failure> {
    if address.ip().is_loopback() {
        return Ok(());
    }
    Err(Failure::new(Exit::Usage, format!("{address} can be reached from other machines, and pages have no sign-in"))
        .remedy("listen at 127.0.0.1 behind a proxy with sign-in; webhooks alone can be served with listen_hooks"))
}
