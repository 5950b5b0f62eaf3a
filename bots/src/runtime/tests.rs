//! The runtime with bots and a tool made for the test, and a clock that only the test moves.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bus::data::Data;
use bus::delivery::{NewDelivery, Verification};
use bus::event::{Event, Recorded};
use bus::ids::{DeliveryId, EventId, EventOffset, OrderKey, ReaderName, SourceName};
use bus::kind::Kind;
use bus::lease::Lease;
use bus::storage::{PostgresSettings, Tables};
use bus::streams::{Reading, Streams};
use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::record::{ActionStatus, RunStatus, RunSummary};
use super::{BotSettings, Bots, CrashPoint, Outside, Owners, Settings};
use crate::action::{Action, Audience};
use crate::clients::{Client, Destination, Order, Problem, Receipt, Sought};
use crate::contract::{Bot, Decision, Manifest, Mode};
use crate::error::BotError;
use crate::lookups::{Lookups, OwnedThing, Owner, Question, Told};
use crate::message::Message;

mod crash;
mod flow;
mod guard;
mod order;
mod outbox;
mod postgres;
mod processes;
mod trials;

const NORMALIZER: ReaderName = ReaderName("normalizer");

/// Nothing in a test takes longer.
const PATIENCE: Duration = Duration::from_secs(20);

type Handle = Box<dyn Fn(&Recorded, &Lookups<'_>) -> Decision + Send + Sync>;

/// A bot made for the test.
struct Fake {
    manifest: Manifest,
    handle: Handle,
}

impl Bot for Fake {
    fn manifest(&self) -> Manifest {
        self.manifest
    }

    fn handle(&self, event: &Recorded, lookups: &Lookups<'_>) -> Decision {
        (self.handle)(event, lookups)
    }
}

/// A bot named `fake` that hears every event of kind `change.merged`, two tries each.
fn fake(handle: impl Fn(&Recorded, &Lookups<'_>) -> Decision + Send + Sync + 'static) -> &'static dyn Bot {
    let manifest = Manifest { attempts_max: 2, ..Manifest::new("fake", "For tests.", "type:change.merged") };
    of(manifest, handle)
}

fn of(
    manifest: Manifest,
    handle: impl Fn(&Recorded, &Lookups<'_>) -> Decision + Send + Sync + 'static,
) -> &'static dyn Bot {
    Box::leak(Box::new(Fake { manifest, handle: Box::new(handle) }))
}

/// Posts the event's subject to the channel that its key names.
fn echo() -> &'static dyn Bot {
    fake(|event, _| Decision::act(vec![post(&event.event.key.0, &event.event.subject)], "it came"))
}

fn post(channel: &str, text: &str) -> Action {
    grouped(channel, text, None)
}

fn grouped(channel: &str, text: &str, group: Option<&str>) -> Action {
    Action::PostMessage {
        audience: Audience::Channel(channel.to_owned()),
        message: Message::line(text),
        group: group.map(str::to_owned),
        in_thread_of: None,
    }
}

fn text_of(action: &Action) -> String {
    let Action::PostMessage { message, .. } = action else { return action.name().to_owned() };
    message.summary.clone()
}

type Reply = Result<Receipt, Problem>;
type OnPerform = Box<dyn Fn(&Order, usize) -> BoxFuture<'static, Reply> + Send + Sync>;
type OnFind = Box<dyn Fn(&Order, &[String]) -> Result<Sought, Problem> + Send + Sync>;

/// A chat made for the test. It remembers what was done.
struct Chat {
    calls: Mutex<Vec<Order>>,
    /// Marks of what had its effect.
    done: Mutex<Vec<String>>,
    changed: watch::Sender<usize>,
    on_perform: OnPerform,
    on_find: OnFind,
}

impl Chat {
    /// Answers the `n`th call, from 0, as told; what is answered well is done.
    fn new(on_perform: impl Fn(&Order, usize) -> Reply + Send + Sync + 'static) -> Arc<Self> {
        Self::slow(move |order, n| std::future::ready(on_perform(order, n)).boxed())
    }

    fn slow(on_perform: impl Fn(&Order, usize) -> BoxFuture<'static, Reply> + Send + Sync + 'static) -> Arc<Self> {
        Self::with(on_perform, |order, done| {
            let mark = order.mark.to_string();
            Ok(if done.contains(&mark) { Sought::Done(receipt(order)) } else { Sought::NotDone })
        })
    }

    fn with(
        on_perform: impl Fn(&Order, usize) -> BoxFuture<'static, Reply> + Send + Sync + 'static,
        on_find: impl Fn(&Order, &[String]) -> Result<Sought, Problem> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            calls: Mutex::default(),
            done: Mutex::default(),
            changed: watch::Sender::new(0),
            on_perform: Box::new(on_perform),
            on_find: Box::new(on_find),
        })
    }

    fn willing() -> Arc<Self> {
        Self::new(|order, _| Ok(receipt(order)))
    }

    fn calls(&self) -> Vec<Order> {
        self.calls.lock().unwrap().clone()
    }

    /// What was posted, in order: `channel: text`.
    fn posted(&self) -> Vec<String> {
        self.calls().iter().map(line).collect()
    }

    fn done(&self) -> Vec<String> {
        self.done.lock().unwrap().clone()
    }

    async fn called(&self, times: usize) {
        let mut changed = self.changed.subscribe();
        let enough = changed.wait_for(|calls| *calls >= times);
        let came = tokio::time::timeout(PATIENCE, enough).await.map(|seen| seen.map(|seen| *seen));
        assert!(came.is_ok(), "{times} calls were expected: {:?}", self.posted());
    }
}

fn line(order: &Order) -> String {
    format!("{}: {}", channel_of(&order.action), text_of(&order.action))
}

fn channel_of(action: &Action) -> String {
    let Action::PostMessage { audience: Audience::Channel(channel), .. } = action else {
        panic!("no channel in {action:?}")
    };
    channel.clone()
}

fn receipt(order: &Order) -> Receipt {
    let id = order.earlier.as_ref().map_or_else(|| order.mark.to_string(), |earlier| earlier.id.clone());
    Receipt { place: channel_of(&order.action), url: Some(format!("https://chat.example/{id}")), id, unchanged: false }
}

impl Client for Chat {
    fn name(&self) -> &'static str {
        "chat"
    }

    fn destination(&self, action: &Action) -> Option<Destination> {
        let Action::PostMessage { audience: Audience::Channel(name), .. } = action else { return None };
        Some(Destination { name: name.clone(), pace_millis: 0 })
    }

    fn perform<'a>(&'a self, order: &'a Order) -> BoxFuture<'a, Reply> {
        let n = {
            let mut calls = self.calls.lock().unwrap();
            calls.push(order.clone());
            calls.len() - 1
        };
        self.changed.send_replace(n + 1);
        async move {
            let reply = (self.on_perform)(order, n).await;
            if reply.is_ok() {
                self.done.lock().unwrap().push(order.mark.to_string());
            }
            reply
        }
        .boxed()
    }

    fn find<'a>(&'a self, order: &'a Order) -> BoxFuture<'a, Result<Sought, Problem>> {
        let found = (self.on_find)(order, &self.done.lock().unwrap());
        std::future::ready(found).boxed()
    }

    fn answer<'a>(&'a self, question: &'a Question) -> Option<BoxFuture<'a, Told>> {
        let Question::File { path, .. } = question else { return None };
        let told = Told { answer: Ok(json!(format!("content of {path}"))), calls: 1, millis: 0 };
        Some(std::future::ready(told).boxed())
    }
}

/// A catalog in which only one team has a channel.
struct Catalog;

impl Owners for Catalog {
    fn owner(&self, thing: &OwnedThing) -> Owner {
        Owner { team: thing.service.clone(), ..Owner::default() }
    }

    fn channel(&self, team: &str) -> Option<String> {
        (team == "payments").then(|| "#payments".to_owned())
    }
}

/// An engine under test, and the databases that were made for the test.
struct Engine {
    is_postgres: bool,
    databases: Mutex<Vec<String>>,
}

impl Engine {
    fn sqlite() -> Self {
        Self { is_postgres: false, databases: Mutex::default() }
    }

    fn postgres() -> Self {
        Self { is_postgres: true, databases: Mutex::default() }
    }

    /// Where an installation keeps its tables; streams are always in the directory.
    async fn tables(&self, directory: &Path) -> Tables {
        if !self.is_postgres {
            return Tables::Sqlite(directory.to_owned());
        }
        let url = postgres::create().await;
        self.databases.lock().unwrap().push(url.clone());
        Tables::Postgres(PostgresSettings::new(url))
    }

    fn databases(&self) -> Vec<String> {
        self.databases.lock().unwrap().clone()
    }

    async fn end_sessions(&self) {
        for url in self.databases() {
            postgres::end_sessions(&url).await;
        }
    }

    async fn end(self) {
        for url in self.databases() {
            postgres::remove(&url).await;
        }
    }
}

/// Runs a case over every engine.
async fn over_every_engine(case: impl AsyncFn(&Engine)) {
    for engine in [Engine::sqlite(), Engine::postgres()] {
        case(&engine).await;
        engine.end().await;
    }
}

/// A data directory with the runtime that may run over it.
struct Installation {
    /// Held only to be removed in the end.
    _directory: tempfile::TempDir,
    tables: Tables,
    streams: Streams,
    now: Arc<Mutex<DateTime<Utc>>>,
    chat: Arc<Chat>,
    settings: BotSettings,
    crash_at: Option<CrashPoint>,
}

/// A runtime that runs.
struct Running {
    bots: Bots,
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<(), BotError>>,
    /// Says that the lease is lost; dropped, it is lost too.
    keeper: Option<watch::Sender<bool>>,
}

fn start_of_tests() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 2, 9, 0, 0).unwrap()
}

impl Installation {
    async fn new(engine: &Engine, chat: Arc<Chat>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let streams = Streams::open(directory.path()).await.unwrap();
        Self {
            tables: engine.tables(directory.path()).await,
            _directory: directory,
            streams,
            now: Arc::new(Mutex::new(start_of_tests())),
            chat,
            settings: BotSettings { mode: Mode::Live, ..BotSettings::default() },
            crash_at: None,
        }
    }

    fn setting(mut self, name: &str, value: Value) -> Self {
        self.settings.values.insert(name.to_owned(), value);
        self
    }

    async fn open(&self, bots: &[&'static dyn Bot]) -> Bots {
        let now = Arc::clone(&self.now);
        let named = |bot: &&'static dyn Bot| (bot.manifest().name.to_owned(), self.settings.clone());
        let settings = Settings {
            bots: bots.iter().map(named).collect::<BTreeMap<_, _>>(),
            clock: Arc::new(move || *now.lock().unwrap()),
            crash_at: self.crash_at,
        };
        let outside = Outside { clients: vec![Arc::clone(&self.chat) as Arc<dyn Client>], owners: Arc::new(Catalog) };
        Bots::open(&self.tables, self.streams.clone(), bots, settings, outside).await.unwrap()
    }

    async fn start(&self, bots: &[&'static dyn Bot]) -> Running {
        self.run(self.open(bots).await).await
    }

    /// Runs them as the only ones who may, from now on.
    async fn run(&self, bots: Bots) -> Running {
        let (lease, keeper) = match &self.tables {
            Tables::Sqlite(_) => (Lease::sole(), None),
            Tables::Postgres(settings) => {
                let (lease, keeper) = postgres::take_lease(&settings.url).await;
                (lease, Some(keeper))
            }
        };
        let (stop, stopped) = watch::channel(false);
        let running = bots.clone();
        let task = tokio::spawn(async move { running.run(lease, stopped).await });
        Running { bots, stop, task, keeper }
    }

    /// Records an event `change.merged` with that key and subject.
    async fn put(&self, key: &str, subject: &str) -> EventId {
        self.put_data(Kind::ChangeMerged, key, subject, Data::Change(Box::default())).await
    }

    async fn put_data(&self, kind: Kind, key: &str, subject: &str, data: Data) -> EventId {
        let source: SourceName = "test/source".parse().unwrap();
        let number = self.streams.delivery_head().borrow().0 + 1;
        let delivery_id: DeliveryId = format!("d-{number}").parse().unwrap();
        let now = *self.now.lock().unwrap();
        let delivery = NewDelivery {
            source: source.clone(),
            delivery_id: delivery_id.clone(),
            received_at: now,
            headers: Vec::new(),
            content_type: None,
            body: json!({"subject": subject}).to_string().into_bytes(),
            verification: Verification::None,
        };
        let receipt = self.streams.append(delivery).await.unwrap();
        let event = Event {
            id: EventId::derive(&source, &delivery_id, 0),
            kind,
            source: "/test".to_owned(),
            subject: subject.to_owned(),
            time: now,
            key: OrderKey(key.to_owned()),
            data,
        };
        let id = event.id;
        let reading = Reading { delivery: receipt.offset.unwrap(), source, outcome: Ok(vec![event]) };
        self.streams.record(NORMALIZER, vec![reading]).await.unwrap();
        id
    }

    fn head(&self) -> EventOffset {
        *self.streams.event_head().borrow()
    }

    /// Lets time pass.
    fn pass(&self, time: TimeDelta) {
        *self.now.lock().unwrap() += time;
    }

    /// What the bus was told of, by mark.
    async fn told(&self) -> Vec<String> {
        let source: SourceName = "devhose/bots".parse().unwrap();
        let mut told = self.streams.deliveries_of(&source, None, 1_000).await.unwrap();
        told.reverse();
        told.into_iter().map(|delivery| delivery.content.delivery_id.to_string()).collect()
    }
}

impl Running {
    async fn idle(&self, installation: &Installation) {
        let idle = self.bots.wait_until_idle(installation.head());
        tokio::time::timeout(PATIENCE, idle).await.expect("it should become idle").unwrap();
    }

    /// Waits until that is so of the bot's runs, newest first.
    async fn until(&self, what: &str, so: impl Fn(&[RunSummary]) -> bool) {
        let mut steps = self.bots.core.steps.subscribe();
        let came = async {
            loop {
                steps.borrow_and_update();
                if so(&self.runs().await) {
                    return;
                }
                steps.changed().await.unwrap();
            }
        };
        if tokio::time::timeout(PATIENCE, came).await.is_err() {
            panic!("{what} never came: {:#?}", self.runs().await);
        }
    }

    /// Waits until the first action of the bot's first run was tried so often.
    async fn tried(&self, times: usize) {
        let mut steps = self.bots.core.steps.subscribe();
        loop {
            steps.borrow_and_update();
            if let Some(run) = self.runs().await.last() {
                let record = self.bots.run_record(run.id).await.unwrap().unwrap();
                if record.actions[0].attempts.len() >= times {
                    return;
                }
            }
            tokio::time::timeout(PATIENCE, steps.changed()).await.expect("it should be tried").unwrap();
        }
    }

    async fn runs(&self) -> Vec<RunSummary> {
        self.bots.runs("fake", None, 1_000).await.unwrap()
    }

    /// Lets time pass and everybody look at the clock.
    async fn pass(&self, installation: &Installation, time: TimeDelta) {
        installation.pass(time);
        self.bots.wake().await.unwrap();
    }

    async fn stop(self) {
        self.stop.send_replace(true);
        tokio::time::timeout(PATIENCE, self.task).await.expect("it should stop").unwrap().unwrap();
        self.bots.close().await;
    }

    /// How it ends by itself.
    async fn ended(self) -> Result<(), BotError> {
        tokio::time::timeout(PATIENCE, self.task).await.expect("it should end").unwrap()
    }

    /// As if the process had been killed.
    async fn kill(self) {
        self.task.abort();
        drop(self.task.await);
    }
}

/// `subject: status` of runs, oldest first.
fn statuses(runs: &[RunSummary]) -> Vec<String> {
    runs.iter().rev().map(|run| format!("{}: {}", run.subject, run.status.name())).collect()
}

fn all(runs: &[RunSummary], status: RunStatus) -> bool {
    runs.iter().all(|run| run.status == status)
}

fn action_statuses(runs: &[RunSummary]) -> Vec<ActionStatus> {
    runs.iter().rev().flat_map(|run| run.actions.iter().map(|action| action.status)).collect()
}

/// Whether an action was tried, and is to be tried again or was given up.
fn refused(runs: &[RunSummary]) -> bool {
    runs.iter().flat_map(|run| &run.actions).any(|action| action.reason.is_some())
}

/// Whether an action was performed.
fn performed(runs: &[RunSummary]) -> bool {
    runs.iter().flat_map(|run| &run.actions).any(|action| action.status == ActionStatus::Performed)
}
