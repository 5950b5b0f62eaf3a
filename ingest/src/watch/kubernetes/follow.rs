//! One resource of one cluster, followed for as long as the program runs: what was saved, a list where that is not
//! enough, then the watch; and again after whatever went wrong.

use std::sync::Arc;
use std::time::Duration;

use bus::stop::stopped;
use bus::streams::{StreamError, Streams};
use futures_util::StreamExt as _;
use kube::Client;
use kube::core::WatchEvent;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::Cluster;
use super::access::connect;
use super::api::{self, Page, Route, Trouble, WATCH_OVERTIME};
use super::change::{Found, How, consider, consider_gone, delivery};
use super::known::Known;
use super::pace::Pace;
use super::states::{Report, Standing};
use crate::senders::kubernetes::{Change, Metadata, Resource, note, wants_replica_sets};

/// Changes that are stored in one commit: what the server has told meanwhile, and no more than memory has room for.
const CHANGES_AT_ONCE: usize = 256;

/// What is known is saved at most this often. What was not saved is told again after a crash, and stored once.
const SAVE_EVERY: Duration = Duration::from_secs(5);

/// A watch that lasted this long was a good one.
const GOOD_WATCH: Duration = Duration::from_secs(10);

/// A server that ends every watch at once is not asked more often than this.
const WATCH_AT_LEAST: Duration = Duration::from_secs(1);

/// After so many attempts in a row the server is taken not to tell any more what changed since a version.
const ATTEMPTS_STUCK: u32 = 3;

/// Follows one resource.
pub(super) struct Follower {
    pub(super) cluster: Arc<Cluster>,
    pub(super) resource: Resource,
    pub(super) streams: Streams,
    pub(super) report: Report,
    known: Known,
    pace: Pace,
    /// Set by a 410 until the watch is a good one again: two in a row are trouble.
    relisted: bool,
    save_at: Instant,
}

impl Follower {
    pub(super) fn new(cluster: Arc<Cluster>, resource: Resource, streams: Streams, report: Report) -> Self {
        let name = blake3::hash(format!("{}/{}", cluster.name, resource.name()).as_bytes());
        let seed = name.as_bytes().first_chunk().map_or(0, |first| u64::from_le_bytes(*first));
        let pace = Pace::new(seed ^ report.now().timestamp_micros().unsigned_abs());
        let known = Known::default();
        Self { cluster, resource, streams, report, known, pace, relisted: false, save_at: Instant::now() }
    }

    /// Until `stop` turns true. Stop is heard while something is awaited: what is under way then is told again later.
    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        self.restore().await;
        loop {
            let trouble = tokio::select! {
                biased;
                () = stopped(&mut stop) => break,
                trouble = self.follow() => trouble,
            };
            self.known.discard();
            let pause = self.back_off(&trouble);
            tokio::select! {
                biased;
                () = stopped(&mut stop) => break,
                () = sleep(pause) => {}
            }
        }
        self.known.discard();
        if let Err(error) = self.save().await {
            tracing::warn!(cluster.name = %self.cluster.name, resource = self.resource.name(), %error, "what a watch knows could not be saved; it is listed again at the next start");
        }
        self.report.stands(Standing::Stopped);
    }

    /// Lists where needed and watches, until something is in the way. Cancel-safe: what is staged is discarded.
    async fn follow(&mut self) -> Trouble {
        let client = match connect(&self.cluster.access).await {
            Ok(client) => client,
            Err(error) => return error.into(),
        };
        loop {
            let began = Instant::now();
            let ended = match self.known.cursor() {
                None => self.list(&client).await,
                Some(_) => self.watch(&client, began).await,
            };
            match ended {
                Ok(()) => {}
                Err(Trouble::Gone) if !self.relisted => self.relist(),
                Err(trouble) => return trouble,
            }
            self.known.discard();
        }
    }

    fn well(&mut self) {
        self.pace.well();
        self.relisted = false;
    }

    /// The cursor is of no more use: everything is listed again.
    fn relist(&mut self) {
        self.relisted = true;
        if self.known.cursor().is_some() {
            self.report.note(|watched| watched.relists += 1);
        }
        self.known.forget_cursor();
    }

    fn back_off(&mut self, trouble: &Trouble) -> Duration {
        let pause = match trouble {
            Trouble::Refused { .. } | Trouble::NotServed | Trouble::Access(_) => self.pace.wait_refused(),
            Trouble::Failed { wait: Some(wait), .. } => self.pace.wait().max(*wait),
            Trouble::Gone | Trouble::Stuck(_) | Trouble::Failed { wait: None, .. } | Trouble::Storage(_) => {
                self.pace.wait()
            }
        };
        let hopeless = matches!(trouble, Trouble::Stuck(_)) && self.pace.failures() >= ATTEMPTS_STUCK;
        if hopeless || matches!(trouble, Trouble::Gone) {
            self.relist();
        }
        let reason = trouble.reason();
        // Said once: the state tells for how long.
        if self.pace.failures() == 1 {
            tracing::warn!(cluster.name = %self.cluster.name, resource = self.resource.name(), reason, "a watch is interrupted and will be tried again");
        }
        let until = self.report.now() + pause;
        let remedy = trouble.remedy().map(str::to_owned);
        self.report.stands(Standing::BackingOff { reason, remedy, until });
        pause
    }

    /// Everything there is, compared with what is known, from the best place that is permitted.
    async fn list(&mut self, client: &Client) -> Result<(), Trouble> {
        let own = client.default_namespace();
        let mut first = None;
        for route in api::routes(self.resource, self.cluster.namespace.as_deref(), own) {
            match self.list_from(client, &route).await {
                Err(trouble @ (Trouble::Refused { .. } | Trouble::NotServed)) => {
                    self.known.discard();
                    first.get_or_insert(trouble);
                }
                ended => return ended,
            }
        }
        Err(first.unwrap_or(Trouble::NotServed))
    }

    async fn list_from(&mut self, client: &Client, route: &Route) -> Result<(), Trouble> {
        if !matches!(self.report.standing(), Standing::BackingOff { .. }) {
            self.report.stands(Standing::Listing);
        }
        let list = self.known.begin_list();
        let mut next = None;
        let version = loop {
            let text = api::page(client, route, next.as_deref()).await?;
            self.report.stands(Standing::Listing);
            let page = Page::read(&text)?;
            let found = self.compare(&page, list)?;
            self.store(client, found).await?;
            match page.metadata.next.filter(|next| !next.is_empty()) {
                Some(token) => next = Some(token),
                None => break page.metadata.resource_version,
            }
        };
        let mut gone = Vec::new();
        for (uid, entry) in self.known.missing_in(list) {
            // Another namespace is not seen any more, so nothing of it is gone.
            if route.namespace.as_deref().is_none_or(|namespace| entry.namespace() == Some(namespace)) {
                gone.extend(consider_gone(&mut self.known, self.resource, &uid, &entry, list));
            } else {
                self.known.stage(&uid, None);
            }
        }
        self.known.stage_cursor(version);
        self.known.path.clone_from(&route.path);
        self.report.note(|watched| watched.namespace.clone_from(&route.namespace));
        self.store(client, gone).await?;
        Ok(self.save().await?)
    }

    /// What of a page is not as it is known.
    fn compare(&mut self, page: &Page<'_>, list: u32) -> Result<Vec<Found>, Trouble> {
        #[derive(Deserialize)]
        struct Head {
            metadata: Metadata,
        }
        let unreadable = |error| Trouble::failed(format!("an object of the server's list cannot be read: {error}"));
        let mut found = Vec::new();
        for item in page.items.iter().flatten() {
            let Head { metadata } = serde_json::from_str(item.get()).map_err(unreadable)?;
            let known = self.known.get(&metadata.uid);
            if known.is_some_and(|entry| *entry.version == *metadata.resource_version) {
                self.known.found_unchanged(&metadata.uid, list);
                continue;
            }
            let change = if known.is_some() { Change::Modified } else { Change::Added };
            let object: Value = serde_json::from_str(item.get()).map_err(unreadable)?;
            found.extend(consider(&mut self.known, self.resource, change, object, How::Found(list)));
        }
        Ok(found)
    }

    /// Watches from the cursor until the server ends it, and then a moment longer if that was at once.
    async fn watch(&mut self, client: &Client, began: Instant) -> Result<(), Trouble> {
        self.watch_on(client, began).await?;
        if began.elapsed() >= GOOD_WATCH {
            self.well();
        }
        sleep_until(began + WATCH_AT_LEAST).await;
        Ok(())
    }

    async fn watch_on(&mut self, client: &Client, began: Instant) -> Result<(), Trouble> {
        let Some(cursor) = self.known.cursor().map(str::to_owned) else { return Ok(()) };
        let route = self.route(client);
        let seconds = self.pace.watch_seconds();
        let deadline = began + Duration::from_secs(seconds) + WATCH_OVERTIME;
        let events = api::watch(client, &route, &cursor, seconds);
        let events = tokio::time::timeout(WATCH_OVERTIME, events).await;
        let events =
            events.map_err(|_| Trouble::failed(format!("no answer within {} s", WATCH_OVERTIME.as_secs())))??;
        self.report.stands(Standing::Watching);
        let mut events = std::pin::pin!(events.ready_chunks(CHANGES_AT_ONCE));
        loop {
            let told = tokio::select! {
                told = events.next() => told,
                () = sleep_until(self.save_at), if self.known.is_unsaved() => {
                    self.save().await?;
                    continue;
                }
                () = sleep_until(deadline) => return Ok(()),
            };
            let Some(told) = told else { return Ok(()) };
            self.take(client, told).await?;
        }
    }

    /// Where the list was read, so that the watch goes on with the same.
    fn route(&self, client: &Client) -> Route {
        let routes = api::routes(self.resource, self.cluster.namespace.as_deref(), client.default_namespace());
        let same = routes.into_iter().find(|route| route.path == self.known.path);
        same.unwrap_or_else(|| Route { path: self.known.path.clone(), namespace: None })
    }

    /// Stores what the server told at once. What stands before something that is wrong is stored as well.
    async fn take(&mut self, client: &Client, told: Vec<Result<WatchEvent<Value>, Trouble>>) -> Result<(), Trouble> {
        let mut found = Vec::new();
        let mut trouble = None;
        for event in told {
            let (change, object) = match event {
                Ok(WatchEvent::Added(object)) => (Change::Added, object),
                Ok(WatchEvent::Modified(object)) => (Change::Modified, object),
                Ok(WatchEvent::Deleted(object)) => (Change::Deleted, object),
                Ok(WatchEvent::Bookmark(bookmark)) => {
                    self.known.stage_cursor(bookmark.metadata.resource_version);
                    continue;
                }
                Ok(WatchEvent::Error(status)) => {
                    trouble = Some(Trouble::from(status.as_ref()));
                    break;
                }
                Err(error) => {
                    trouble = Some(error);
                    break;
                }
            };
            let version = object.pointer("/metadata/resourceVersion").and_then(Value::as_str).map(str::to_owned);
            found.extend(consider(&mut self.known, self.resource, change, object, How::Seen));
            if let Some(version) = version {
                self.known.stage_cursor(version);
            }
            let now = self.report.now();
            self.report.note(|watched| watched.last_change = Some(now));
        }
        self.store(client, found).await?;
        match trouble {
            Some(trouble) => Err(trouble),
            None => {
                self.well();
                Ok(())
            }
        }
    }

    /// Makes deliveries of what was found; when they are durable, what is staged is known.
    async fn store(&mut self, client: &Client, mut found: Vec<Found>) -> Result<(), Trouble> {
        for found in &mut found {
            if wants_replica_sets(self.resource, &found.object) {
                // Asked for now: the watch of replica sets may be behind that of deployments.
                found.replica_sets = match api::replica_sets(client, &found.object).await {
                    Ok(sets) => {
                        let uid = found.object.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default();
                        Some(sets.iter().filter_map(|set| note(set, uid)).collect())
                    }
                    Err(Trouble::Refused { .. } | Trouble::NotServed) => None,
                    Err(trouble) => return Err(trouble),
                };
            }
        }
        let now = self.report.now();
        let deliveries = found.iter().map(|found| delivery(&self.cluster, self.resource, found, now));
        let deliveries = deliveries.collect::<Result<Vec<_>, _>>()?;
        let stored = if deliveries.is_empty() { Vec::new() } else { self.streams.append_all(deliveries).await? };
        self.known.commit();
        let new = stored.iter().filter(|receipt| !receipt.duplicate).count() as u64;
        let (objects, cursor) = (self.known.len(), self.known.cursor().map(str::to_owned));
        self.report.note(|watched| {
            watched.deliveries += new;
            watched.objects = objects;
            watched.cursor = cursor;
        });
        Ok(())
    }

    fn setting(&self) -> String {
        format!("watch/kubernetes/{}/{}", self.cluster.name, self.resource.name())
    }

    async fn restore(&mut self) {
        match self.streams.setting(&self.setting()).await {
            Ok(saved) => self.known = saved.as_deref().and_then(Known::restore).unwrap_or_default(),
            Err(error) => {
                tracing::warn!(cluster.name = %self.cluster.name, resource = self.resource.name(), %error, "what a watch knew cannot be read; everything is listed");
            }
        }
        let (objects, cursor) = (self.known.len(), self.known.cursor().map(str::to_owned));
        self.report.note(|watched| (watched.objects, watched.cursor) = (objects, cursor));
    }

    async fn save(&mut self) -> Result<(), StreamError> {
        self.save_at = Instant::now() + SAVE_EVERY;
        match self.known.take_unsaved() {
            Some(text) => self.streams.save_setting(&self.setting(), text).await,
            None => Ok(()),
        }
    }
}
