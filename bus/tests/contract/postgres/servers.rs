//! What becomes of the log when its server fails: each case has a server of its own.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::*;

/// A server that is stopped when this is dropped.
struct Server {
    directory: PathBuf,
}

fn run(arguments: &[&str], directory: &Path) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/services/postgres");
    let (verb, rest) = arguments.split_first().unwrap();
    let output = Command::new(script).arg(verb).arg(directory).args(rest).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

impl Server {
    fn start(name: &str) -> (Self, String) {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("postgres-{name}-{}", std::process::id()));
        let address = run(&["start"], &directory);
        (Self { directory }, address)
    }

    async fn restart(&self, mode: &'static str) {
        let directory = self.directory.clone();
        tokio::task::spawn_blocking(move || run(&["restart", mode], &directory)).await.unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        run(&["stop", "immediate"], &self.directory);
        std::fs::remove_dir_all(&self.directory).unwrap();
    }
}

/// Appends deliveries of that writer until told to stop, each until it is acknowledged; their offsets.
async fn append_until(streams: Streams, writer: u32, stop: Arc<AtomicBool>) -> Vec<i64> {
    let mut offsets = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let new = delivery(format!("{writer}-{}", offsets.len()), b"{}");
        let receipt = loop {
            match streams.append(new.clone()).await {
                Ok(receipt) => break receipt,
                Err(StreamError::Busy(_)) => {}
                Err(error) => panic!("{error:?}"),
            }
        };
        offsets.push(receipt.offset.unwrap().0);
    }
    offsets
}

/// Records and reads until told to stop; nothing of it may fail. How many were recorded.
async fn record_until(streams: Streams, stop: Arc<AtomicBool>) -> u32 {
    let mut recorded = 0;
    while !stop.load(Ordering::Relaxed) {
        let event = deployed(event_id("1", recorded), "checkout", Outcome::Success);
        let offsets = streams.record(NORMALIZER, vec![reading(i64::from(recorded), vec![event])]).await.unwrap();
        recorded += 1;
        assert_eq!(offsets, [EventOffset(i64::from(recorded))], "what was recorded is said to be");
        assert_eq!(streams.events(EventOffset(i64::from(recorded) - 1), 10).await.unwrap().len(), 1);
    }
    recorded
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_crashes_loses_and_doubles_nothing() {
    const RESTARTS: usize = 4;
    let (server, address) = Server::start("crash");
    let storage = create(&address).await;
    let processes = [Streams::open_on(&storage).await.unwrap(), Streams::open_on(&storage).await.unwrap()];
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..8)
        .map(|writer| tokio::spawn(append_until(processes[writer as usize % 2].clone(), writer, Arc::clone(&stop))))
        .collect();
    let recorder = tokio::spawn(record_until(processes[0].clone(), Arc::clone(&stop)));
    let mut head = processes[1].delivery_head();
    for _ in 0..RESTARTS {
        let before = head.borrow().0;
        head.wait_for(|head| head.0 > before + 50).await.unwrap();
        server.restart("immediate").await;
    }
    let before = head.borrow().0;
    head.wait_for(|head| head.0 > before + 50).await.unwrap();
    stop.store(true, Ordering::Relaxed);

    let streams = Streams::open_on(&storage).await.unwrap();
    let mut acknowledged = 0;
    for (writer, offsets) in join_all(writers).await.into_iter().map(Result::unwrap).enumerate() {
        assert!(offsets.is_sorted());
        acknowledged += offsets.len();
        for (n, offset) in offsets.into_iter().enumerate() {
            let stored = streams.delivery(DeliveryOffset(offset)).await.unwrap().unwrap();
            assert_eq!(stored.content, delivery(format!("{writer}-{n}"), b"{}"));
        }
    }
    let recorded = recorder.await.unwrap();
    streams.delivery_head().wait_for(|head| head.0 >= acknowledged as i64).await.unwrap();
    assert_eq!(streams.delivery_head().borrow().0, acknowledged as i64, "nothing stands twice");
    assert_eq!(streams.events(EventOffset::START, 1_000_000).await.unwrap().len(), recorded as usize);
    assert_eq!(streams.verify(|_| {}).await.unwrap(), None);
}

#[tokio::test]
async fn a_server_that_is_away_is_busy_to_senders_and_waited_for_by_readers() {
    let (server, address) = Server::start("away");
    let storage = create(&address).await;
    let streams = Streams::open_on(&storage).await.unwrap();
    streams.append(delivery(1, b"{}")).await.unwrap();
    let directory = server.directory.clone();
    run(&["stop", "immediate"], &directory);
    let refused = streams.append(delivery(2, b"{}")).await.unwrap_err();
    assert_eq!(refused.to_string(), "the log cannot take more now: the database is away");
    assert!(matches!(refused, StreamError::Busy(_)));

    let readers: Vec<_> = (0..3)
        .map(|_| {
            let streams = streams.clone();
            tokio::spawn(async move { streams.deliveries(DeliveryOffset::START, 10).await.unwrap().len() })
        })
        .collect();
    let saved = tokio::spawn({
        let streams = streams.clone();
        async move { streams.save_checkpoint(NORMALIZER, 1).await.unwrap() }
    });
    let starting = tokio::task::spawn_blocking(move || run(&["start"], &directory));
    for reader in readers {
        assert_eq!(reader.await.unwrap(), 1);
    }
    saved.await.unwrap();
    starting.await.unwrap();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while streams.append(delivery(2, b"{}")).await.is_err() {
        assert!(tokio::time::Instant::now() < deadline, "senders are still told that the database is away");
    }
    assert_eq!(streams.verify(|_| {}).await.unwrap(), None);
}

#[tokio::test]
async fn a_server_that_would_lose_what_it_acknowledged_is_refused() {
    let (server, address) = Server::start("unsafe");
    let storage = create(&address).await;
    let streams = Streams::open_on(&storage).await.unwrap();
    streams.append(delivery(1, b"{}")).await.unwrap();
    let mut connection = PgConnection::connect(&address).await.unwrap();
    sqlx::query("alter system set fsync = off").execute(&mut connection).await.unwrap();
    server.restart("fast").await;

    let refused = Streams::open_on(&storage).await.unwrap_err();
    let expected = "the storage engine is not set up as needed: the PostgreSQL server runs with fsync = off: \
                    it would lose what was acknowledged. Set it to on";
    assert_eq!(refused.to_string(), expected);
    // Nor does one that was open before go on.
    let refused = streams.append(delivery(2, b"{}")).await.unwrap_err();
    assert!(matches!(refused, StreamError::Setup(_)), "{refused}");
}

/// Does it to the server until it has an effect.
async fn until(connection: &mut PgConnection, effect: &'static str) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while !sqlx::query_scalar::<_, bool>(effect).fetch_one(&mut *connection).await.unwrap() {
        assert!(tokio::time::Instant::now() < deadline, "still not: {effect}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_is_lost_is_answered_as_what_it_was() {
    let (_server, address) = Server::start("doubt");
    let storage = create(&address).await;
    let streams = Streams::open_on(&storage).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let appending = tokio::spawn({
        let (streams, stop) = (streams.clone(), Arc::clone(&stop));
        async move {
            let mut receipts = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                receipts.push(streams.append(delivery(receipts.len(), b"{}")).await.unwrap());
            }
            receipts
        }
    });
    let recording = tokio::spawn(record_until(streams.clone(), Arc::clone(&stop)));

    // Both writers have begun, so that what waits below are their commits.
    streams.delivery_head().wait_for(|head| head.0 > 0).await.unwrap();
    streams.event_head().wait_for(|head| head.0 > 0).await.unwrap();

    // Commits are durable now, but nobody hears of it: they wait for a standby that does not exist.
    let mut connection = PgConnection::connect(&address).await.unwrap();
    sqlx::query("alter system set synchronous_standby_names = 'nobody'").execute(&mut connection).await.unwrap();
    sqlx::query("select pg_reload_conf()").execute(&mut connection).await.unwrap();
    until(
        &mut connection,
        "select count(*) = 2 from pg_stat_activity where wait_event = 'SyncRep' and query = 'commit'",
    )
    .await;
    let end = "select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'";
    assert_eq!(sqlx::query(end).fetch_all(&mut connection).await.unwrap().len(), 2);
    sqlx::query("alter system reset synchronous_standby_names").execute(&mut connection).await.unwrap();
    sqlx::query("select pg_reload_conf()").execute(&mut connection).await.unwrap();
    stop.store(true, Ordering::Relaxed);

    let receipts = appending.await.unwrap();
    assert!(receipts.iter().all(|receipt| !receipt.duplicate), "each was stored by the call that says so");
    let offsets: Vec<i64> = receipts.iter().map(|receipt| receipt.offset.unwrap().0).collect();
    assert_eq!(offsets, (1..=receipts.len() as i64).collect::<Vec<_>>());
    // Before the head is looked at, which cannot move while somebody looks.
    let recorded = recording.await.unwrap();
    assert_eq!(streams.event_head().borrow().0, i64::from(recorded));
    assert_eq!(streams.verify(|_| {}).await.unwrap(), None);
}
