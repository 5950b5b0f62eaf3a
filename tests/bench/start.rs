//! How long the program takes to answer again after it was killed with many events in its log: `--events=10000000` for
//! as many, `--data=DIRECTORY` to keep them for another time.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bus::ids::EventOffset;
use bus::lease::Lease;
use bus::storage::Tables;
use bus::streams::Streams;
use chrono::Utc;
use ingest::demo::{self, Options};
use ledger::ledger::{Ledger, Settings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::load::Load;
use super::program::{Program, signature};
use super::{Arguments, Figures, ingest_load};

const EVENTS: usize = 200_000;

/// Of the invented organisation's year, one time the size of it gives about so many events.
const EVENTS_PER_SCALE: f64 = 34_800.0;

/// The program folds everything anew for another one.
const PEOPLE_KEY: [u8; 32] = [7; 32];

pub(super) fn run(runtime: &tokio::runtime::Runtime, arguments: &Arguments) -> Figures {
    let events = arguments.number("events").unwrap_or(EVENTS);
    let kept = arguments.text("data").map(PathBuf::from);
    let temporary = tempfile::Builder::new().prefix("bench-").tempdir_in(".").unwrap();
    let directory = kept.unwrap_or_else(|| temporary.path().to_owned());
    let data = directory.join("devhose-data");
    std::fs::create_dir_all(&data).unwrap();
    runtime.block_on(async {
        let there = make(&data, events).await;
        let before = Program::serve(&directory, None);
        until_answered(&before, "/").await;
        let body: Arc<[u8]> = ingest_load::body().into();
        let load = Load {
            address: before.address,
            path: "/hooks/github/bench",
            connections: 64,
            time: Duration::from_secs(3),
            per_second: None,
            signature: signature(&body),
            body,
        };
        load.run().await;
        before.kill();
        let log = std::fs::metadata(data.join("devhose.db-wal")).map_or(0, |file| file.len());
        let after = Program::serve(&directory, None);
        let listens = after.started.elapsed();
        let ready = until_answered(&after, "/readyz").await;
        let memory = after.memory();
        let page = until_answered(&after, "/").await;
        let seconds = |time: Duration| format!("{:.2} s", time.as_secs_f64());
        vec![
            ("start: events in the log".to_owned(), format!("{there}, and {log} bytes of write-ahead log")),
            ("start: killed → says where it listens".to_owned(), seconds(listens)),
            ("start: killed → takes deliveries".to_owned(), seconds(ready)),
            ("start: killed → the first page shows all facts".to_owned(), seconds(page)),
            (
                "start: memory when ready, and with all facts".to_owned(),
                format!("{:.0} and {:.0} MB", memory as f64 / 1e6, after.memory() as f64 / 1e6),
            ),
        ]
    })
}

/// Time from the start of the program until that path is answered with 200.
async fn until_answered(program: &Program, path: &str) -> Duration {
    loop {
        let mut stream = TcpStream::connect(program.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", program.address);
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        if answer.starts_with(b"HTTP/1.1 200") {
            return program.started.elapsed();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Fills a directory with that many events, interpreted and folded, unless it has them: how many there are.
async fn make(data: &Path, events: usize) -> i64 {
    let streams = Streams::open(data).await.unwrap();
    if *streams.event_head().borrow() == EventOffset::START {
        std::fs::write(data.join("people.key"), PEOPLE_KEY).unwrap();
        let settings = Settings {
            catalog: ledger::catalog::files::load(&ledger::catalog::CatalogSettings::default()).unwrap(),
            people_key: PEOPLE_KEY,
            rules: ledger::rules::Rules::default(),
            calendar: ledger::window::Calendar::default(),
        };
        let tables = Tables::Sqlite(data.to_owned());
        let ledger = Arc::new(Ledger::open(&tables, streams.clone(), settings).await.unwrap());
        let (stop, stopped) = watch::channel(false);
        let normalizer = tokio::spawn(ingest::normalizer::run(streams.clone(), stopped.clone()));
        let scale = events as f64 / EVENTS_PER_SCALE;
        let mut all = demo::deliveries(Options { seed: 7, now: Utc::now(), scale });
        loop {
            let batch: Vec<_> = all.by_ref().take(1_000).collect();
            if batch.is_empty() {
                break;
            }
            streams.append_all(batch).await.unwrap();
        }
        while streams.checkpoint(ingest::normalizer::READER).await.unwrap() < streams.delivery_head().borrow().0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let projector = tokio::spawn(Arc::clone(&ledger).run(Lease::sole(), stopped));
        let head = *streams.event_head().borrow();
        ledger.wait_for(head).await.unwrap();
        stop.send_replace(true);
        normalizer.await.unwrap().unwrap();
        projector.await.unwrap().unwrap();
    }
    let there = streams.event_head().borrow().0;
    streams.close().await.unwrap();
    there
}
