//! Server time of pages with a million events in the log.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bots::lookups::{OwnedThing, Owner};
use bots::runtime::{Bots, Outside, Owners};
use bus::egress::Egress;
use bus::egress::webhook::Webhooks;
use bus::lease::Lease;
use bus::storage::Tables;
use bus::streams::Streams;
use bus::subscriptions::Subscriptions;
use chrono::Utc;
use ingest::demo::{self, Options};
use ingest::hooks::Hooks;
use ingest::source::Sources;
use ledger::ledger::{Ledger, Settings};
use tokio::sync::watch;
use tower::ServiceExt;

use super::{Figures, milliseconds, quantile};

/// Of the invented organisation's year: gives a million events.
const SCALE: f64 = 25.0;

/// Requests for each page.
const REQUESTS: usize = 60;

const PAGES: [&str; 9] = [
    "/",
    "/teams",
    "/services",
    "/services/checkout",
    "/metrics/lead-time",
    "/metrics/size-merge-time",
    "/events",
    "/events?q=type%3Aservice.deployed+outcome%3Asuccess",
    "/sources",
];

pub(super) fn run(runtime: &tokio::runtime::Runtime) -> Figures {
    runtime.block_on(async {
        let directory = tempfile::Builder::new().prefix("bench-").tempdir_in(".").unwrap();
        let streams = Streams::open(directory.path()).await.unwrap();
        let mut all = demo::deliveries(Options { seed: 7, now: Utc::now(), scale: SCALE });
        loop {
            let batch: Vec<_> = all.by_ref().take(1_000).collect();
            if batch.is_empty() {
                break;
            }
            streams.append_all(batch).await.unwrap();
        }
        let settings = Settings {
            catalog: ledger::catalog::files::load(&ledger::catalog::CatalogSettings::default()).unwrap(),
            people_key: [7; 32],
            rules: ledger::rules::Rules::default(),
            calendar: ledger::window::Calendar::default(),
        };
        let ledger = Arc::new(
            Ledger::open(&Tables::Sqlite(directory.path().to_owned()), streams.clone(), settings).await.unwrap(),
        );
        let (stop, stopped) = watch::channel(false);
        let tasks = (
            tokio::spawn(ingest::normalizer::run(streams.clone(), stopped.clone())),
            tokio::spawn(Arc::clone(&ledger).run(Lease::sole(), stopped.clone())),
        );
        while streams.checkpoint(ingest::normalizer::READER).await.unwrap() < streams.delivery_head().borrow().0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let head = *streams.event_head().borrow();
        ledger.wait_for(head).await.unwrap();
        let answers = Arc::clone(&ledger);
        let router = web::router(web::App {
            site: web::Site {
                ledger: Arc::new(move || answers.view() as Arc<dyn web::Answers>),
                clock: Arc::new(Utc::now),
                first_steps: Arc::new(web::FirstSteps::at("http://127.0.0.1", "cloudevents/bench")),
            },
            streams: streams.clone(),
            ledger: Arc::clone(&ledger),
            rebuilding: Arc::default(),
            hooks: Hooks::new(streams.clone(), Arc::new(Sources::default()), Arc::new(Utc::now)),
            bots: open_bots(directory.path(), &streams).await,
            subscriptions: open_subscriptions(directory.path(), &streams).await,
            watches: Arc::new(Vec::new),
            stop: stopped,
        });
        let mut figures = vec![("pages: events in the log".to_owned(), head.0.to_string())];
        for page in PAGES {
            let mut times = Vec::new();
            for _ in 0..REQUESTS {
                let request = http::Request::get(page).body(axum::body::Body::empty()).unwrap();
                let started = Instant::now();
                let answer = router.clone().oneshot(request).await.unwrap();
                assert!(answer.status().is_success(), "{page}: {}", answer.status());
                axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap();
                times.push(started.elapsed());
            }
            let (p50, p95) = (quantile(&mut times, 0.5), quantile(&mut times, 0.95));
            figures
                .push((format!("pages: {page} p50 / p95"), format!("{} / {}", milliseconds(p50), milliseconds(p95))));
        }
        stop.send_replace(true);
        tasks.0.await.unwrap().unwrap();
        tasks.1.await.unwrap().unwrap();
        streams.close().await.unwrap();
        figures
    })
}

async fn open_subscriptions(directory: &std::path::Path, streams: &Streams) -> Subscriptions {
    let webhooks = Webhooks::new(Egress::new(bus::egress::Settings::default()).unwrap());
    let tables = Tables::Sqlite(directory.to_owned());
    Subscriptions::open(&tables, streams.clone(), Arc::new(webhooks), Arc::new(Utc::now)).await.unwrap()
}

/// The bots of the program, without any tool: pages ask how they stand.
async fn open_bots(directory: &Path, streams: &Streams) -> Bots {
    struct Nobody;
    impl Owners for Nobody {
        fn owner(&self, _thing: &OwnedThing) -> Owner {
            Owner::default()
        }

        fn channel(&self, _team: &str) -> Option<String> {
            None
        }
    }
    let settings = bots::runtime::Settings { bots: BTreeMap::new(), clock: Arc::new(Utc::now), crash_at: None };
    let outside = Outside { clients: Vec::new(), owners: Arc::new(Nobody) };
    Bots::open(&Tables::Sqlite(directory.to_owned()), streams.clone(), bots::builtin::BOTS, settings, outside)
        .await
        .unwrap()
}
