//! The spool on a real disk: what it holds over a restart, in which order it ships, and when it is full.

use std::os::unix::fs::PermissionsExt as _;

use futures_util::future::{join_all, poll_immediate};

use super::*;

fn settings(directory: &tempfile::TempDir) -> SpoolSettings {
    SpoolSettings { directory: directory.path().join("spool"), bytes_max: 1 << 20 }
}

fn delivery(id: impl std::fmt::Display, body: Vec<u8>) -> NewDelivery {
    NewDelivery {
        source: "forge/acme".parse().unwrap(),
        delivery_id: id.to_string().parse().unwrap(),
        received_at: "2026-03-02T09:00:00.000123Z".parse().unwrap(),
        headers: vec![("x-event".to_owned(), "pûsh".to_owned())],
        content_type: None,
        body,
        verification: Verification::Token,
    }
}

/// Bytes that no compression makes smaller.
fn noise(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    bytes
}

async fn held(spool: &Spool, after: i64) -> Vec<NewDelivery> {
    let rows = spool.after(after, 10_000).await.unwrap();
    rows.into_iter().map(|row| row.parcel.unwrap().delivery).collect()
}

#[tokio::test]
async fn what_was_taken_is_there_after_a_restart_in_order_and_unchanged() {
    let directory = tempfile::tempdir().unwrap();
    let spool = Spool::open(&settings(&directory)).await.unwrap();
    let put: Vec<_> = (0..300).map(|n| delivery(n, format!("{n}").into_bytes())).collect();
    for each in &put {
        spool.put(vec![each.clone()]).await.unwrap();
    }
    let bytes = spool.bytes();
    spool.close().await.unwrap();
    spool.close().await.expect("closing twice is closing once");

    let spool = Spool::open(&settings(&directory)).await.unwrap();
    assert_eq!(held(&spool, 0).await, put);
    assert_eq!(spool.bytes(), bytes, "what is on disk is counted as it was");
    let first = spool.after(0, 100).await.unwrap();
    let (last, removed) = (first[99].position, first.iter().map(|row| row.bytes).sum());
    spool.remove(last, removed).await.unwrap();
    assert_eq!(held(&spool, 0).await, put[100..]);
    assert_eq!(spool.bytes(), bytes - removed);
    let rest = spool.after(0, 1_000).await.unwrap();
    spool.remove(rest[199].position, rest.iter().map(|row| row.bytes).sum()).await.unwrap();
    assert_eq!(spool.bytes(), 0);
    let before = *spool.newest().borrow();
    spool.put(vec![delivery("next", Vec::new())]).await.unwrap();
    assert_eq!(*spool.newest().borrow(), before + 1, "a position is not used twice");
}

#[tokio::test]
async fn a_second_process_is_refused_and_nobody_else_reads_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let settings = settings(&directory);
    let spool = Spool::open(&settings).await.unwrap();
    assert!(matches!(Spool::open(&settings).await, Err(StreamError::InUse(_))));
    spool.put(vec![delivery("a", Vec::new())]).await.unwrap();
    for file in std::fs::read_dir(&settings.directory).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.path().display());
    }
    spool.close().await.unwrap();
    Spool::open(&settings).await.unwrap();
}

#[tokio::test]
async fn a_full_spool_says_busy_and_takes_more_once_there_is_room() {
    let directory = tempfile::tempdir().unwrap();
    let spool = Spool::open(&settings(&directory)).await.unwrap();
    let mut taken = 0;
    let refused = loop {
        match spool.put(vec![delivery(taken, noise(100_000))]).await {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, StreamError::Busy(_)), "{refused}");
    assert_eq!(taken, 10, "1 MiB holds ten of them with their rows");
    let first = spool.after(0, 1).await.unwrap();
    spool.remove(first[0].position, first[0].bytes).await.unwrap();
    spool.put(vec![delivery("later", noise(100_000))]).await.unwrap();
    assert_eq!(held(&spool, 0).await.len(), 10);
}

#[tokio::test]
async fn a_request_that_is_dropped_harms_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let spool = Spool::open(&settings(&directory)).await.unwrap();
    for n in 0..50 {
        let mut put = Box::pin(spool.put(vec![delivery(n, Vec::new())]));
        // Polled once it is queued; then the request goes away.
        assert!(poll_immediate(&mut put).await.is_none());
    }
    spool.put(vec![delivery("last", Vec::new())]).await.unwrap();
    assert_eq!(held(&spool, 0).await.len(), 51);
}

#[tokio::test]
async fn closing_commits_what_was_queued() {
    let directory = tempfile::tempdir().unwrap();
    let spool = Spool::open(&settings(&directory)).await.unwrap();
    let mut puts: Vec<_> = (0..600).map(|n| Box::pin(spool.put(vec![delivery(n, Vec::new())]))).collect();
    for put in &mut puts {
        assert!(poll_immediate(put).await.is_none());
    }
    spool.close().await.unwrap();
    assert!(join_all(puts).await.iter().all(Result::is_ok));
    assert!(matches!(spool.put(vec![delivery("late", Vec::new())]).await, Err(StreamError::Stopped)));
    let spool = Spool::open(&settings(&directory)).await.unwrap();
    assert_eq!(held(&spool, 0).await.len(), 600);
}

#[tokio::test]
async fn a_page_is_bounded_by_what_its_bodies_take_when_they_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let spool = Spool::open(&settings(&directory)).await.unwrap();
    // A few kilobytes each as long as they are compressed.
    for n in 0..4 {
        spool.put(vec![delivery(n, vec![b'a'; 5 << 20])]).await.unwrap();
    }
    let page = spool.after(0, 100).await.unwrap();
    assert_eq!(page.len(), 2, "8 MiB are full with the second");
    assert_eq!(spool.after(page[1].position, 100).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_damaged_row_is_told_from_a_whole_one() {
    let directory = tempfile::tempdir().unwrap();
    let spool = Spool::open(&settings(&directory)).await.unwrap();
    spool.put(vec![delivery("a", b"first".to_vec()), delivery("b", b"second".to_vec())]).await.unwrap();
    spool.close().await.unwrap();
    sqlite::damage_first(&settings(&directory).directory).await;
    let spool = Spool::open(&settings(&directory)).await.unwrap();
    let rows = spool.after(0, 10).await.unwrap();
    let damaged = rows[0].parcel.as_ref().unwrap_err();
    assert_eq!(damaged.error.to_string(), "spool 1: column body cannot be read: it is not the one that was written");
    assert_eq!(damaged.source, "forge/acme");
    assert_eq!(rows[1].parcel.as_ref().unwrap().delivery.body, b"second");
}
