//! Brokers that die, are away, or are full: what was acknowledged is in the log, once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::*;

/// Sends one delivery after the other, each until it is acknowledged; ids of those that were.
fn senders(
    streams: &Streams,
    count: usize,
    done: &Arc<AtomicBool>,
    acknowledged: &Arc<AtomicUsize>,
) -> Vec<JoinHandle<BTreeSet<String>>> {
    let sender = |sender: usize| {
        let (streams, done, acknowledged) = (streams.clone(), Arc::clone(done), Arc::clone(acknowledged));
        tokio::spawn(async move {
            let mut sent = BTreeSet::new();
            for n in 0.. {
                let new = delivery(format!("{sender}-{n}"), format!("{{\"n\":{n}}}"));
                let id = new.delivery_id.to_string();
                loop {
                    match streams.append(new.clone()).await {
                        Ok(_) => break,
                        Err(StreamError::Busy(_)) => tokio::time::sleep(Duration::from_millis(100)).await,
                        Err(error) => panic!("{error}"),
                    }
                }
                sent.insert(id);
                acknowledged.fetch_add(1, Ordering::Relaxed);
                if done.load(Ordering::Relaxed) {
                    break;
                }
            }
            sent
        })
    };
    (0..count).map(sender).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_the_broker_is_killed() {
    let broker = Broker::own(&[]).await;
    for spool in [None, Some(64 << 20)] {
        let mut installation = Installation::at(&broker).await;
        if let Some(bytes_max) = spool {
            installation = installation.with_spool(bytes_max);
        }
        let process = installation.start().await;
        let (done, acknowledged) = (Arc::default(), Arc::default());
        let sending = senders(&process.streams, 8, &done, &acknowledged);
        let more = async |count: usize| {
            let before = acknowledged.load(Ordering::Relaxed);
            until("deliveries are acknowledged", async || acknowledged.load(Ordering::Relaxed) >= before + count).await;
        };
        for _ in 0..2 {
            more(100).await;
            broker.kill().await;
            if spool.is_some() {
                // The spool takes them meanwhile.
                more(100).await;
            }
            broker.start_again().await;
        }
        more(100).await;
        done.store(true, Ordering::Relaxed);
        let mut all = BTreeSet::new();
        for sender in sending {
            all.extend(sender.await.unwrap());
        }
        let log = log_of(&process.streams, i64::try_from(all.len()).unwrap()).await;
        assert_eq!(ids(&log), all, "every id that was tried was acknowledged in the end");
        process.stop().await;
        installation.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spool_takes_deliveries_before_there_is_a_broker() {
    let broker = Broker::own(&[]).await;
    broker.kill().await;
    let installation = Installation::at(&broker).await;
    let refused = installation.open().await.unwrap_err().to_string();
    assert!(refused.contains("configure a spool"), "{refused}");

    let installation = installation.with_spool(300_000);
    let first = installation.open().await.unwrap();
    for n in 0..40 {
        first.append(spread(n)).await.unwrap();
    }
    first.close().await.expect("what waits for the brokers stays in the spool");

    // Another run; then the spool is full.
    let process = installation.start().await;
    let mut taken = 40;
    let refused = loop {
        match process.streams.append(NewDelivery { body: noise(taken, 20_000), ..spread(taken) }).await {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(refused.to_string(), "the log cannot take more now: the spool before the brokers is full");
    assert!((50..60).contains(&taken), "{taken}");
    broker.start_again().await;
    let log = log_of(&process.streams, i64::try_from(taken).unwrap()).await;
    assert_eq!(ids(&log), (0..taken).map(|n| n.to_string()).collect());
    process.streams.append(spread(1_000)).await.expect("there is room again");
    log_of(&process.streams, i64::try_from(taken).unwrap() + 1).await;
    process.stop().await;
    installation.remove().await;
}

fn noise(seed: usize, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}
