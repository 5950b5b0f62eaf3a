//! Several processes over the facts of one database: one saves, the others follow, and any of them takes over.

use std::sync::Arc;

use bus::lease::Lease;
use bus::streams::Streams;
use ledger::error::LedgerError;
use ledger::ledger::Ledger;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::installation::{
    Home, PATIENCE, counted, deliver, deployment, difference, environments, quietly, read, read_better, rereading,
    settings,
};
use crate::postgres;

/// What one process has of Ledger.
struct Process {
    ledger: Arc<Ledger>,
    stop: watch::Sender<bool>,
    running: JoinHandle<Result<(), LedgerError>>,
}

impl Process {
    async fn open(home: &Home) -> Arc<Ledger> {
        Self::with_bots(home, &["*[bot]"]).await
    }

    /// With connections of its own to everything.
    async fn with_bots(home: &Home, bots: &[&str]) -> Arc<Ledger> {
        let settings = settings(bots.iter().map(|bot| (*bot).to_owned()).collect());
        Arc::new(Ledger::open(&home.tables(), home.streams().await, settings).await.unwrap())
    }

    fn hold(ledger: &Arc<Ledger>, lease: Lease) -> Self {
        let (stop, stopped) = watch::channel(false);
        let running = tokio::spawn(Arc::clone(ledger).run(lease, stopped));
        Self { ledger: Arc::clone(ledger), stop, running }
    }

    fn follow(ledger: &Arc<Ledger>) -> Self {
        let (stop, stopped) = watch::channel(false);
        let running = tokio::spawn(Arc::clone(ledger).follow(stopped));
        Self { ledger: Arc::clone(ledger), stop, running }
    }

    /// How it ends by itself.
    async fn ended(self) -> Result<(), LedgerError> {
        tokio::time::timeout(PATIENCE, self.running).await.expect("it should end").unwrap()
    }

    async fn end(self) -> Arc<Ledger> {
        self.stop.send_replace(true);
        let ledger = Arc::clone(&self.ledger);
        self.ended().await.unwrap();
        ledger
    }
}

/// Waits until the environments in view are those.
async fn seen(ledger: &Ledger, environment: &str, times: usize) {
    let mut views = ledger.views();
    let wanted = [(environment.to_owned(), times)];
    let came = async {
        loop {
            views.borrow_and_update();
            if environments(ledger) == wanted {
                return;
            }
            views.changed().await.unwrap();
        }
    };
    let came = tokio::time::timeout(PATIENCE, came).await;
    assert!(came.is_ok(), "{wanted:?} never came into view: {:?}", environments(ledger));
}

async fn with_database() -> (Home, Streams) {
    let home = Home::with_postgres().await;
    let streams = home.streams().await;
    (home, streams)
}

#[tokio::test]
async fn a_process_that_follows_keeps_up_and_saves_nothing() {
    let (home, streams) = with_database().await;
    let follower = Process::follow(&Process::open(&home).await);
    deliver(&streams, vec![json!([deployment(1), deployment(2)])]).await;
    counted(&streams, &follower.ledger).await;
    assert_eq!(environments(&follower.ledger), [("live".to_owned(), 2)]);
    assert!(home.generations().await.is_empty());
    follower.end().await;

    // One that saves finds nothing saved, and everything in the log.
    let holder = Process::hold(&Process::open(&home).await, home.lease().await);
    counted(&streams, &holder.ledger).await;
    assert_eq!(difference(&holder.ledger, read).await, None);
    holder.end().await;
    home.end().await;
}

#[tokio::test]
async fn one_that_takes_over_goes_on_from_what_was_saved_and_the_other_one_follows() {
    let (home, streams) = with_database().await;
    let first = Process::hold(&Process::open(&home).await, home.lease().await);
    let second = Process::follow(&Process::open(&home).await);
    deliver(&streams, vec![json!([deployment(1)])]).await;
    counted(&streams, &first.ledger).await;
    counted(&streams, &second.ledger).await;

    // The first was paused, say: it does not hear that it has lost the lease before it tries to save.
    let lease = home.lease().await;
    let second = Process::hold(&second.end().await, lease);
    deliver(&streams, vec![json!([deployment(2)])]).await;
    let ledger = Arc::clone(&first.ledger);
    assert!(matches!(first.ended().await, Err(LedgerError::LeaseLost)));
    let first = Process::follow(&ledger);
    deliver(&streams, vec![json!([deployment(3)])]).await;
    for process in [&first, &second] {
        counted(&streams, &process.ledger).await;
        assert_eq!(environments(&process.ledger), [("live".to_owned(), 3)]);
        assert_eq!(difference(&process.ledger, read).await, None);
    }

    // And back again, from what the other one saved meanwhile.
    let first = Process::hold(&first.end().await, home.lease().await);
    let second = Process::follow(&{
        let ledger = Arc::clone(&second.ledger);
        deliver(&streams, vec![json!([deployment(4)])]).await;
        assert!(matches!(second.ended().await, Err(LedgerError::LeaseLost)));
        ledger
    });
    counted(&streams, &first.ledger).await;
    assert_eq!(difference(&first.ledger, read).await, None);
    assert_eq!(home.stored_deployments().await.len(), 4);
    first.end().await;
    second.end().await;
    home.end().await;
}

#[tokio::test]
async fn whoever_hears_that_the_lease_is_lost_stops_saving_at_once() {
    let (home, streams) = with_database().await;
    let (lease, lost) = postgres::take_lease(&home.database.as_ref().unwrap().url).await;
    let holder = Process::hold(&Process::open(&home).await, lease);
    deliver(&streams, vec![json!([deployment(1)])]).await;
    counted(&streams, &holder.ledger).await;
    lost.send_replace(true);
    assert!(matches!(holder.ended().await, Err(LedgerError::LeaseLost)));
    home.end().await;
}

#[tokio::test]
async fn a_rebuild_by_one_process_comes_into_view_in_the_others() {
    let (home, streams) = with_database().await;
    let holder = Process::hold(&Process::open(&home).await, home.lease().await);
    let follower = Process::follow(&Process::open(&home).await);
    let late = Process::open(&home).await;
    deliver(&streams, vec![json!([deployment(1), deployment(101)]), json!([deployment(2)])]).await;
    seen(&holder.ledger, "live", 3).await;
    seen(&follower.ledger, "live", 3).await;

    let error = follower.ledger.rebuild(&rereading(read_better), &quietly).await.unwrap_err();
    insta::assert_snapshot!(error, @"this process only follows the facts, another one saves them: ask that one to rebuild, or stop it and ask again once this one has taken over");
    holder.ledger.rebuild(&rereading(read_better), &quietly).await.unwrap();
    seen(&holder.ledger, "production", 2).await;
    seen(&follower.ledger, "production", 2).await;
    assert_eq!(home.generations().await, [2]);
    assert_eq!(difference(&follower.ledger, read_better).await, None);

    // One that has slept through all of it.
    let late = Process::follow(&late);
    seen(&late.ledger, "production", 2).await;
    deliver(&streams, vec![json!([deployment(3)])]).await;
    for process in [holder, follower, late] {
        counted(&streams, &process.ledger).await;
        assert_eq!(environments(&process.ledger), [("live".to_owned(), 1), ("production".to_owned(), 2)]);
        process.end().await;
    }
    home.end().await;
}

#[tokio::test]
async fn a_rebuild_whose_lease_is_lost_changes_nothing() {
    let (home, streams) = with_database().await;
    let holder = Process::hold(&Process::open(&home).await, home.lease().await);
    deliver(&streams, vec![json!([deployment(1)])]).await;
    counted(&streams, &holder.ledger).await;
    let next = home.lease().await;
    let error = holder.ledger.rebuild(&rereading(read), &quietly).await.unwrap_err();
    assert!(matches!(error, LedgerError::LeaseLost), "{error}");
    assert_eq!(home.generations().await, [1]);
    let other = Process::hold(&Process::open(&home).await, next);
    counted(&streams, &other.ledger).await;
    assert_eq!(environments(&other.ledger), [("live".to_owned(), 1)]);
    other.end().await;
    home.end().await;
}

#[tokio::test]
async fn a_process_with_other_rules_folds_the_facts_for_itself() {
    let (home, streams) = with_database().await;
    let holder = Process::hold(&Process::open(&home).await, home.lease().await);
    deliver(&streams, vec![json!([deployment(1)])]).await;
    counted(&streams, &holder.ledger).await;
    let other = Process::follow(&Process::with_bots(&home, &["robot"]).await);
    deliver(&streams, vec![json!([deployment(2)])]).await;
    for process in [&holder, &other] {
        counted(&streams, &process.ledger).await;
        assert_eq!(environments(&process.ledger), [("live".to_owned(), 2)]);
    }
    assert_eq!(home.generations().await, [1], "what is saved stays as the holder folds it");

    // Once it holds the lease, its rules hold.
    let other = Process::hold(&other.end().await, home.lease().await);
    deliver(&streams, vec![json!([deployment(3)])]).await;
    counted(&streams, &other.ledger).await;
    assert_eq!(home.generations().await, [2]);
    assert_eq!(difference(&other.ledger, read).await, None);
    other.end().await;
    home.end().await;
}

#[tokio::test]
async fn a_server_that_ends_every_session_loses_nothing() {
    let (home, streams) = with_database().await;
    let ledger = Process::open(&home).await;
    let mut holder = Process::hold(&ledger, home.lease().await);
    for number in 0..5 {
        deliver(&streams, vec![json!([deployment(number)])]).await;
        postgres::end_sessions(&home.database.as_ref().unwrap().url).await;
        let head = *streams.event_head().borrow();
        while tokio::select! {
            biased;
            reached = ledger.wait_for(head) => { reached.unwrap(); false }
            _ = &mut holder.running => true
        } {
            holder = Process::hold(&ledger, home.lease().await);
        }
    }
    assert_eq!(environments(&ledger), [("live".to_owned(), 5)]);
    assert_eq!(difference(&ledger, read).await, None);
    holder.end().await;
    home.end().await;
}
