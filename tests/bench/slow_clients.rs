//! What ten thousand clients cost that send nearly nothing: half of them stop in the middle of a header, half send a body
//! of which a byte comes each second. Beside them one sender goes on that is not slow.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::load::Load;
use super::program::{Program, signature};
use super::{Arguments, Figures, ingest_load, milliseconds, quantile};

const CLIENTS: usize = 10_000;

/// Opened so many at a time, so that the system's queue of connections holds them.
const AT_ONCE: usize = 100;

pub(super) fn run(runtime: &tokio::runtime::Runtime, arguments: &Arguments) -> Figures {
    let directory = tempfile::Builder::new().prefix("bench-").tempdir_in(".").unwrap();
    let program = Program::serve(directory.path(), arguments.text("config"));
    runtime.block_on(measure(program, arguments.number("clients").unwrap_or(CLIENTS), directory.path()))
}

async fn measure(program: Program, count: usize, _directory: &Path) -> Figures {
    let body: Arc<[u8]> = ingest_load::body().into();
    let load = |seconds| Load {
        address: program.address,
        path: "/hooks/github/bench",
        connections: 4,
        time: Duration::from_secs(seconds),
        per_second: Some(100.0),
        signature: signature(&body),
        body: Arc::clone(&body),
    };
    let mut alone = load(5).run().await;
    let before = program.memory();
    let highest = Arc::new(AtomicU64::new(0));
    let beside = tokio::spawn(load(20).run());
    let opening = Instant::now();
    let mut clients = Vec::with_capacity(count);
    for number in 0..count {
        let client = TcpStream::connect(program.address).await.unwrap();
        clients.push(tokio::spawn(dawdle(client, number % 2 == 0, Instant::now())));
        if number % AT_ONCE == AT_ONCE - 1 {
            highest.fetch_max(program.memory(), Ordering::Relaxed);
        }
    }
    let opened = opening.elapsed();
    let watched = async {
        let mut times = Vec::with_capacity(count);
        for client in clients {
            times.push(client.await.unwrap());
        }
        times
    };
    tokio::pin!(watched);
    let mut times = loop {
        tokio::select! {
            times = &mut watched => break times,
            () = tokio::time::sleep(Duration::from_millis(100)) => {
                highest.fetch_max(program.memory(), Ordering::Relaxed);
            }
        }
    };
    let mut beside = beside.await.unwrap();
    let megabytes = |bytes: u64| format!("{:.1} MB", bytes as f64 / 1e6);
    vec![
        ("slow clients: opened".to_owned(), format!("{count} in {:.1} s", opened.as_secs_f64())),
        ("slow clients: memory before".to_owned(), megabytes(before)),
        ("slow clients: memory at most".to_owned(), megabytes(highest.load(Ordering::Relaxed))),
        (
            "slow clients: closed by the server, each after p50 / at most".to_owned(),
            format!(
                "{:.1} / {:.1} s",
                quantile(&mut times, 0.5).as_secs_f64(),
                quantile(&mut times, 1.0).as_secs_f64()
            ),
        ),
        (
            "slow clients: another sender's p50 / p99, alone".to_owned(),
            format!("{} / {}", milliseconds(alone.quantiles()[0]), milliseconds(alone.quantiles()[1])),
        ),
        (
            "slow clients: another sender's p50 / p99, beside them".to_owned(),
            format!("{} / {}", milliseconds(beside.quantiles()[0]), milliseconds(beside.quantiles()[1])),
        ),
    ]
}

/// Sends as little as can be until the server has had enough: how long that took.
async fn dawdle(mut client: TcpStream, in_header: bool, opened: Instant) -> Duration {
    let head = "POST /hooks/github/bench HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n";
    client.write_all(head.as_bytes()).await.unwrap();
    if !in_header {
        client.write_all(b"content-length: 100000\r\n\r\n{").await.unwrap();
    }
    let mut buffer = [0; 1 << 10];
    loop {
        match tokio::time::timeout(Duration::from_secs(1), client.read(&mut buffer)).await {
            // Closed, or reset because a byte was on its way to it.
            Ok(Ok(0) | Err(_)) => return opened.elapsed(),
            // An answer; the end follows.
            Ok(Ok(_)) => {}
            Err(_) => {
                if client.write_all(if in_header { b"x" } else { b" " }).await.is_err() {
                    return opened.elapsed();
                }
            }
        }
    }
}
