//! From the acknowledgement of a delivery to its event at a live subscriber: one of them under load, and a thousand.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::load::{Load, Loaded};
use super::program::{Program, signature};
use super::{Arguments, Figures, ingest_load, milliseconds, quantile};

/// Under so many deliveries a second one subscriber is watched.
const DELIVERIES_PER_SECOND: f64 = 1_000.0;

const SUBSCRIBERS: usize = 1_000;

/// So many deliveries a second go to all of them.
const FANNED_OUT_PER_SECOND: f64 = 20.0;

const TIME: Duration = Duration::from_secs(10);

/// All that was acknowledged arrives within this, or the measurement fails.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn run(runtime: &tokio::runtime::Runtime, arguments: &Arguments) -> Figures {
    runtime.block_on(async {
        let rate = arguments.number("rate").map_or(DELIVERIES_PER_SECOND, |rate| rate as f64);
        let fanned_out = arguments.number("fan-out-rate").map_or(FANNED_OUT_PER_SECOND, |rate| rate as f64);
        let subscribers = arguments.number("subscribers").unwrap_or(SUBSCRIBERS);
        let mut figures = measure(1, rate, arguments).await;
        figures.extend(measure(subscribers, fanned_out, arguments).await);
        figures
    })
}

async fn measure(subscribers: usize, per_second: f64, arguments: &Arguments) -> Figures {
    let directory = tempfile::Builder::new().prefix("bench-").tempdir_in(".").unwrap();
    let program = Program::serve(directory.path(), arguments.text("config"));
    let (done, is_done) = watch::channel(None);
    let mut tasks = Vec::new();
    for _ in 0..subscribers {
        let stream = subscribe(&program).await;
        tasks.push(tokio::spawn(listen(stream, is_done.clone())));
    }
    let body: Arc<[u8]> = ingest_load::body().into();
    let load = Load {
        address: program.address,
        path: "/hooks/github/bench",
        connections: 16,
        time: TIME,
        per_second: Some(per_second),
        signature: signature(&body),
        body,
    };
    let Loaded { acknowledged, .. } = load.run().await;
    let began = Instant::now();
    done.send_replace(Some(acknowledged.len()));
    let mut late = Vec::new();
    let mut seen_in_all = 0;
    for task in tasks {
        let seen = tokio::time::timeout(PATIENCE, task).await.unwrap().unwrap();
        seen_in_all += seen.len();
        for (offset, acknowledged) in &acknowledged {
            // A body of this size gives one event, in the order of deliveries.
            let seen = seen[usize::try_from(offset - 1).unwrap()];
            late.push(seen.saturating_duration_since(*acknowledged));
        }
    }
    let time = TIME + began.elapsed();
    let [p50, p99] = [0.5, 0.99].map(|share| milliseconds(quantile(&mut late, share)));
    let what = format!("sse: {subscribers} live, {per_second} deliveries/s: acknowledged → seen");
    vec![(what, format!("p50 / p99 {p50} / {p99}; {:.0} events/s in all", seen_in_all as f64 / time.as_secs_f64()))]
}

async fn subscribe(program: &Program) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(program.address).await.unwrap();
    let request = format!("GET /api/v1/events/stream?from=earliest HTTP/1.1\r\nhost: {}\r\n\r\n", program.address);
    stream.write_all(request.as_bytes()).await.unwrap();
    BufReader::with_capacity(64 << 10, stream)
}

/// When each event came, until as many came as there are.
async fn listen(mut stream: BufReader<TcpStream>, mut count: watch::Receiver<Option<usize>>) -> Vec<Instant> {
    let (mut seen, mut line) = (Vec::new(), Vec::new());
    while count.borrow().is_none_or(|count| seen.len() < count) {
        tokio::select! {
            // What was read of a line stays in it if the other branch is faster.
            read = stream.read_until(b'\n', &mut line) => {
                assert!(read.unwrap() > 0, "the program ended a stream");
                if line.starts_with(b"data:") {
                    seen.push(Instant::now());
                }
                line.clear();
            }
            _ = count.changed() => {}
        }
    }
    seen
}
