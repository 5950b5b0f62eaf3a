//! Bots: how long a message takes, what the runtime costs for each event, and what a kill report costs a real cluster.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::bots::action::{Action, Audience};
use ::bots::clients::{Client, Destination, Order, Problem, Receipt, Sought};
use ::bots::contract::{Bot, Decision, Manifest, Mode};
use ::bots::lookups::{Lookups, OwnedThing, Owner, Question, Told};
use ::bots::runtime::{BotSettings, Bots, Outside, Owners, Settings};
use bus::event::Recorded;
use bus::lease::Lease;
use bus::mark::Mark;
use bus::storage::Tables;
use bus::streams::Streams;
use chrono::Utc;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use ingest::demo::{self, CLUSTER_SOURCE, Options};
use tokio::sync::{mpsc, watch};

use super::{Figures, milliseconds, quantile};

/// Kills whose messages are timed, one after the other.
const KILLS: usize = 300;

/// How large the log is that bots read: some 40,000 events a year.
const SCALE: f64 = 2.0;

/// Everybody belongs to one team.
struct OneTeam;

impl Owners for OneTeam {
    fn owner(&self, _thing: &OwnedThing) -> Owner {
        Owner { team: Some("team".to_owned()), channel: Some("#team".to_owned()), ..Owner::default() }
    }

    fn channel(&self, _team: &str) -> Option<String> {
        Some("#team".to_owned())
    }
}

/// A chat that answers at once and says when it was told what.
struct Chat(mpsc::Sender<(Instant, Mark)>);

impl Client for Chat {
    fn name(&self) -> &'static str {
        "chat"
    }

    fn destination(&self, action: &Action) -> Option<Destination> {
        let Action::PostMessage { audience: Audience::Channel(channel), .. } = action else { return None };
        Some(Destination { name: channel.clone(), pace_millis: 0 })
    }

    fn perform<'a>(&'a self, order: &'a Order) -> BoxFuture<'a, Result<Receipt, Problem>> {
        drop(self.0.try_send((Instant::now(), order.mark.clone())));
        std::future::ready(Ok(Receipt { place: "#team".to_owned(), id: order.mark.to_string(), ..Receipt::default() }))
            .boxed()
    }

    fn find<'a>(&'a self, _order: &'a Order) -> BoxFuture<'a, Result<Sought, Problem>> {
        std::future::ready(Ok(Sought::NotDone)).boxed()
    }

    fn answer<'a>(&'a self, question: &'a Question) -> Option<BoxFuture<'a, Told>> {
        let is_list = matches!(question, Question::Objects(_));
        if !is_list && !matches!(question, Question::Object(_) | Question::Logs(_)) {
            return None;
        }
        let answer = if is_list { serde_json::json!([]) } else { serde_json::Value::Null };
        Some(std::future::ready(Told { answer: Ok(answer), calls: 1, millis: 0 }).boxed())
    }
}

/// A bot that reads every event and does nothing about it.
struct Reader(&'static str);

impl Bot for Reader {
    fn manifest(&self) -> Manifest {
        Manifest::new(self.0, "Reads everything.", "")
    }

    fn handle(&self, _event: &Recorded, _lookups: &Lookups<'_>) -> Decision {
        Decision::nothing("only measured")
    }
}

static READERS: [Reader; 10] = [
    Reader("reader-0"),
    Reader("reader-1"),
    Reader("reader-2"),
    Reader("reader-3"),
    Reader("reader-4"),
    Reader("reader-5"),
    Reader("reader-6"),
    Reader("reader-7"),
    Reader("reader-8"),
    Reader("reader-9"),
];

pub(super) fn run(runtime: &tokio::runtime::Runtime) -> Figures {
    let mut figures = runtime.block_on(lag());
    for count in [1, 10] {
        figures.extend(runtime.block_on(throughput(count)));
    }
    figures
}

async fn open(directory: &Path, streams: &Streams, bots: &[&'static dyn Bot], chat: Chat, live: &str) -> Bots {
    let values = serde_json::json!({"team_messages_per_hour": 1_000_000});
    let settings = BotSettings { mode: Mode::Live, values: values.as_object().unwrap().clone() };
    let settings =
        Settings { bots: BTreeMap::from([(live.to_owned(), settings)]), clock: Arc::new(Utc::now), crash_at: None };
    let outside = Outside { clients: vec![Arc::new(chat)], owners: Arc::new(OneTeam) };
    Bots::open(&Tables::Sqlite(directory.to_owned()), streams.clone(), bots, settings, outside).await.unwrap()
}

/// From the durable delivery of a kill to the call that posts its message.
async fn lag() -> Figures {
    let directory = tempfile::Builder::new().prefix("bench-").tempdir_in(".").unwrap();
    let streams = Streams::open(directory.path()).await.unwrap();
    let (tell, mut told) = mpsc::channel(1_024);
    let bots = open(directory.path(), &streams, ::bots::builtin::BOTS, Chat(tell), "killed-pods").await;
    let (stop, stopped) = watch::channel(false);
    let normalizer = tokio::spawn(ingest::normalizer::run(streams.clone(), stopped.clone()));
    let running = bots.clone();
    let runtime = tokio::spawn(async move { running.run(Lease::sole(), stopped).await });
    let live = demo::live(Options { seed: 7, now: Utc::now(), scale: 1.0 });
    let kills = live.map(|(_, delivery)| delivery).filter(|delivery| delivery.source.as_str() == CLUSTER_SOURCE);
    let mut times = Vec::new();
    for mut kill in kills.take(KILLS) {
        // As it happens: the story's own times run ahead.
        kill.received_at = Utc::now();
        let delivered = Instant::now();
        streams.append(kill).await.unwrap();
        // A kill that belongs to an incident that is told already posts nothing; the next one may.
        if let Ok(Some((at, _))) = tokio::time::timeout(Duration::from_millis(500), told.recv()).await {
            times.push(at.saturating_duration_since(delivered));
        }
        while told.try_recv().is_ok() {}
    }
    stop.send_replace(true);
    normalizer.await.unwrap().unwrap();
    runtime.await.unwrap().unwrap();
    streams.close().await.unwrap();
    let [p50, p99] = [0.5, 0.99].map(|share| milliseconds(quantile(&mut times, share)));
    vec![
        ("bots: kills that posted a message".to_owned(), times.len().to_string()),
        ("bots: kill delivered to message posted, p50 / p99".to_owned(), format!("{p50} / {p99}")),
    ]
}

/// How many events go through the runtime, each handed to as many bots.
async fn throughput(count: usize) -> Figures {
    let directory = tempfile::Builder::new().prefix("bench-").tempdir_in(".").unwrap();
    let streams = Streams::open(directory.path()).await.unwrap();
    let bots: Vec<&'static dyn Bot> = READERS.iter().take(count).map(|reader| reader as &dyn Bot).collect();
    let (tell, _told) = mpsc::channel(1);
    let bots = open(directory.path(), &streams, &bots, Chat(tell), "").await;
    let mut all = demo::deliveries(Options { seed: 7, now: Utc::now(), scale: SCALE });
    loop {
        let batch: Vec<_> = all.by_ref().take(1_000).collect();
        if batch.is_empty() {
            break;
        }
        streams.append_all(batch).await.unwrap();
    }
    let (stop, stopped) = watch::channel(false);
    let normalizer = tokio::spawn(ingest::normalizer::run(streams.clone(), stopped.clone()));
    while streams.checkpoint(ingest::normalizer::READER).await.unwrap() < streams.delivery_head().borrow().0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let head = *streams.event_head().borrow();
    let events = head.0 as f64;
    let (started, busy) = (Instant::now(), processor_time());
    let running = bots.clone();
    let runtime = tokio::spawn(async move { running.run(Lease::sole(), stopped).await });
    bots.wait_until_idle(head).await.unwrap();
    let (wall, busy) = (started.elapsed().as_secs_f64(), (processor_time() - busy).as_secs_f64());
    stop.send_replace(true);
    normalizer.await.unwrap().unwrap();
    runtime.await.unwrap().unwrap();
    streams.close().await.unwrap();
    let runs = events * count as f64;
    vec![(
        format!("bots: {count} bots that hear everything, events/s, runs/s, runs/s of one core"),
        format!("{:.0}, {:.0}, {:.0}", events / wall, runs / wall, runs / busy),
    )]
}

/// Time that all cores spent for this process.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit(')').next().unwrap();
    let ticks: u64 = after_name.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}
