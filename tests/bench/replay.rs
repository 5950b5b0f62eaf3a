//! Raw deliveries → events → facts, as a rebuild does it.

use std::sync::Arc;
use std::time::Instant;

use bus::lease::Lease;
use bus::storage::Tables;
use bus::streams::Streams;
use chrono::Utc;
use ingest::demo::{self, Options};
use ledger::ledger::{Ledger, Settings};
use tokio::sync::watch;

use super::{Figures, rate};

/// Ten years of the invented organisation: some hundred thousand deliveries.
const SCALE: f64 = 6.0;

pub(super) fn run(runtime: &tokio::runtime::Runtime) -> Figures {
    runtime.block_on(async {
        let directory = tempfile::Builder::new().prefix("bench-").tempdir_in(".").unwrap();
        let streams = Streams::open(directory.path()).await.unwrap();
        let options = Options { seed: 7, now: Utc::now(), scale: SCALE };
        let all: Vec<_> = demo::deliveries(options).collect();
        let (count, bytes) = (all.len(), all.iter().map(|delivery| delivery.body.len()).sum::<usize>());
        let started = Instant::now();
        let mut all = all.into_iter();
        loop {
            let batch: Vec<_> = all.by_ref().take(1_000).collect();
            if batch.is_empty() {
                break;
            }
            streams.append_all(batch).await.unwrap();
        }
        let append = rate(count, started);

        let deliveries = streams.deliveries(bus::ids::DeliveryOffset::START, 50_000).await.unwrap();
        let started = Instant::now();
        let events: usize =
            deliveries.iter().map(|delivery| ingest::normalizer::normalize(delivery).map_or(0, |e| e.len())).sum();
        let one_core = rate(events, started);

        let (stop, stopped) = watch::channel(false);
        let started = Instant::now();
        let normalizer = tokio::spawn(ingest::normalizer::run(streams.clone(), stopped.clone()));
        while streams.checkpoint(ingest::normalizer::READER).await.unwrap() < streams.delivery_head().borrow().0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        let head = *streams.event_head().borrow();
        let recorded = rate(usize::try_from(head.0).unwrap(), started);

        let settings = Settings {
            catalog: ledger::catalog::files::load(&ledger::catalog::CatalogSettings::default()).unwrap(),
            people_key: [7; 32],
            rules: ledger::rules::Rules::default(),
            calendar: ledger::window::Calendar::default(),
        };
        let ledger = Arc::new(
            Ledger::open(&Tables::Sqlite(directory.path().to_owned()), streams.clone(), settings).await.unwrap(),
        );
        let started = Instant::now();
        let projector = tokio::spawn(Arc::clone(&ledger).run(Lease::sole(), stopped));
        ledger.wait_for(head).await.unwrap();
        let folded = rate(usize::try_from(head.0).unwrap(), started);
        stop.send_replace(true);
        normalizer.await.unwrap().unwrap();
        projector.await.unwrap().unwrap();
        streams.close().await.unwrap();
        vec![
            (
                "replay: deliveries".to_owned(),
                format!("{count}, {} bytes on average, {} events", bytes / count, head.0),
            ),
            ("replay: append in batches of 1,000, durable".to_owned(), format!("{append:.0} deliveries/s")),
            ("replay: normalize on one core".to_owned(), format!("{one_core:.0} events/s")),
            ("replay: normalize and record".to_owned(), format!("{recorded:.0} events/s")),
            ("replay: fold into facts and store".to_owned(), format!("{folded:.0} events/s")),
            (
                "replay: normalize, record and fold one after the other".to_owned(),
                format!("{:.0} events/s", 1.0 / (1.0 / recorded + 1.0 / folded)),
            ),
        ]
    })
}
