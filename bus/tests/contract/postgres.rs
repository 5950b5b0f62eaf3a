//! PostgreSQL under test: how a database is made, how somebody with its address in hands would alter it, and what only
//! an engine of many processes promises.

use std::collections::BTreeSet;
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};

use bus::postgres::fence;
use bus::storage::PostgresSettings;
use futures_util::FutureExt;
use futures_util::future::{join_all, poll_immediate};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};

use super::*;

mod servers;

pub(super) fn engine() -> Engine {
    Engine {
        create: |_| async { create(&server()).await }.boxed(),
        alter: |storage, alteration| alter(storage, alteration).boxed(),
        remove: |storage| remove(storage).boxed(),
        shared: true,
    }
}

/// The address of the server in which every case makes a database.
fn server() -> String {
    let address = std::env::var_os("DEVHOSE_TEST_POSTGRES").and_then(|address| address.into_string().ok());
    address.expect(
        "a PostgreSQL server is needed: export DEVHOSE_TEST_POSTGRES=$(tests/services/postgres start target/tmp/postgres)",
    )
}

async fn create(server: &str) -> Storage {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let name = format!("devhose_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let options = PgConnectOptions::from_str(server).unwrap();
    let mut connection = PgConnection::connect_with(&options).await.unwrap();
    let sql = format!("create database {name} encoding 'UTF8' template template0");
    sqlx::query(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    Storage::Postgres(PostgresSettings::new(options.database(&name).to_url_lossy()))
}

fn settings(storage: &Storage) -> &PostgresSettings {
    let Storage::Postgres(settings) = storage else { panic!("not kept in PostgreSQL") };
    settings
}

async fn remove(storage: Storage) {
    let options = PgConnectOptions::from_str(&settings(&storage).url).unwrap();
    let sql = format!("drop database {} with (force)", options.get_database().unwrap());
    let mut connection = PgConnection::connect(&server()).await.unwrap();
    sqlx::query(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// A connection to an installation as any other part of the program has one: with another schema first.
async fn connect(storage: &Storage) -> PgConnection {
    let options = bus::postgres::options(settings(storage), "devhose_elsewhere").unwrap();
    PgConnection::connect_with(&options).await.unwrap()
}

async fn alter(storage: Storage, alteration: Alteration) {
    let (sql, position) = match alteration {
        Alteration::DeliveryTime(offset) => {
            ("update devhose.deliveries set received_at = received_at + 1 where position = $1", offset.0)
        }
        Alteration::Body(offset) => (
            "update devhose.delivery_bodies \
             set body = (select body from devhose.delivery_bodies where position = 1) where position = $1",
            offset.0,
        ),
        Alteration::RemoveDelivery(offset) => ("delete from devhose.deliveries where position = $1", offset.0),
        Alteration::EventOutcome(offset) => {
            ("update devhose.events set outcome = 'success' where position = $1", offset.0)
        }
    };
    let mut connection = connect(&storage).await;
    assert_eq!(sqlx::query(sql).bind(position).execute(&mut connection).await.unwrap().rows_affected(), 1);
    connection.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn processes_append_to_one_log_at_the_same_time() {
    let installation = Installation::of(engine()).await;
    // They also make the tables at the same time.
    let processes = join_all((0..3).map(|_| installation.open())).await;
    let writers = (0..12).map(|writer: usize| {
        let streams = processes[writer % processes.len()].clone();
        tokio::spawn(async move {
            let mut offsets = Vec::new();
            for n in 0..25 {
                // Every delivery comes to several processes; sources are made by whoever meets them first.
                let new = NewDelivery { source: source(&format!("forge/{}", n % 4)), ..delivery(n, b"{}") };
                let own = delivery(format!("{writer}-{n}"), b"{}");
                let event = deployed(event_id(&format!("{writer}-{n}"), 0), "checkout", Outcome::Success);
                let readings = vec![reading(n, vec![event])];
                let (all, recorded) =
                    tokio::join!(streams.append_all(vec![new, own]), streams.record(NORMALIZER, readings));
                assert_eq!(recorded.unwrap().len(), 1);
                let all = all.unwrap();
                assert!(
                    streams.delivery_head().borrow().0 >= all[1].offset.unwrap().0,
                    "who has a receipt sees the head"
                );
                offsets.extend(
                    all.into_iter().filter(|receipt| !receipt.duplicate).map(|receipt| receipt.offset.unwrap().0),
                );
            }
            offsets
        })
    });
    let offsets: Vec<i64> = join_all(writers).await.into_iter().flat_map(Result::unwrap).collect();
    assert_eq!(offsets.len(), 325, "no offset is given twice, and no delivery stored twice");
    assert_eq!(offsets.into_iter().collect::<BTreeSet<_>>(), (1..=325).collect());
    for streams in &processes {
        streams.delivery_head().wait_for(|head| head.0 == 325).await.unwrap();
        streams.event_head().wait_for(|head| head.0 == 300).await.unwrap();
        let stored = streams.deliveries(DeliveryOffset::START, 1_000).await.unwrap();
        assert_eq!(stored.iter().map(|delivery| delivery.offset.0).collect::<Vec<_>>(), (1..=325).collect::<Vec<_>>());
        assert_eq!(streams.verify(|_| {}).await.unwrap(), None);
        assert_eq!(streams.sources().await.unwrap().iter().map(|figures| figures.deliveries).sum::<u64>(), 325);
    }
    remove(installation.storage).await;
}

#[tokio::test]
async fn what_one_process_writes_another_hears_of() {
    let installation = Installation::of(engine()).await;
    let (one, other) = (installation.open().await, installation.open().await);
    let (mut deliveries, mut events) = (other.delivery_head(), other.event_head());
    for n in 1..=5 {
        one.append(delivery(n, b"{}")).await.unwrap();
        deliveries.wait_for(|head| head.0 == n).await.unwrap();
        let event = deployed(event_id(&n.to_string(), 0), "checkout", Outcome::Success);
        one.record(NORMALIZER, vec![reading(n, vec![event])]).await.unwrap();
        events.wait_for(|head| head.0 == n).await.unwrap();
        assert_eq!(other.events(EventOffset(n - 1), 10).await.unwrap().len(), 1);
    }
    one.close().await.unwrap();
    other.append(delivery(1, b"{}")).await.expect("the other goes on");
    remove(installation.storage).await;
}

#[tokio::test]
async fn a_lease_goes_over_and_its_last_holder_is_fenced() {
    let installation = Installation::of(engine()).await;
    let (one, other) = (installation.open().await, installation.open().await);
    let first = one.lease("ledger").await.unwrap();
    one.lease("bots").await.expect("another lease is free");
    let mut waiting = Box::pin(other.lease("ledger"));
    assert!(poll_immediate(&mut waiting).await.is_none());

    let mut connection = connect(&installation.storage).await;
    let mut transaction = connection.begin().await.unwrap();
    fence(&mut transaction, "ledger", first.epoch()).await.unwrap();
    transaction.commit().await.unwrap();
    let epoch = first.epoch();
    drop(first);

    let second = waiting.await.unwrap();
    assert!(second.epoch() > epoch);
    let mut transaction = connection.begin().await.unwrap();
    let refused = fence(&mut transaction, "ledger", epoch).await.unwrap_err();
    assert_eq!(refused.to_string(), "the lease ledger has gone over to another process");
    assert!(matches!(refused, StreamError::Fenced(_)));
    fence(&mut transaction, "ledger", second.epoch()).await.unwrap();
    transaction.rollback().await.unwrap();
    assert!(poll_immediate(Box::pin(second.lost())).await.is_none());
    remove(installation.storage).await;
}

#[tokio::test]
async fn a_lease_whose_session_ends_is_lost() {
    let installation = Installation::of(engine()).await;
    let streams = installation.open().await;
    let lease = streams.lease("ledger").await.unwrap();
    let sql = "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' \
               and database = (select oid from pg_database where datname = current_database())";
    let mut connection = connect(&installation.storage).await;
    assert_eq!(sqlx::query(sql).fetch_all(&mut connection).await.unwrap().len(), 1);
    lease.lost().await;
    assert!(streams.lease("ledger").await.unwrap().epoch() > lease.epoch());
    remove(installation.storage).await;
}

#[tokio::test]
async fn a_process_that_stands_still_in_a_transaction_is_thrown_out() {
    let installation = Installation::of(engine()).await;
    let streams = installation.open().await;
    streams.append(delivery(1, b"{}")).await.unwrap();
    let mut standing = connect(&installation.storage).await;
    let mut transaction = standing.begin().await.unwrap();
    sqlx::query("select from devhose.log_heads for update").execute(&mut *transaction).await.unwrap();
    // It waits for the server to end the other's session, coming again as a sender would.
    while streams.append(delivery(2, b"{}")).await.is_err() {}
    let sql = "update devhose.log_heads set position = 0";
    assert!(sqlx::query(sql).execute(&mut *transaction).await.is_err(), "what it would write is gone");
    drop(transaction);
    assert_eq!(streams.delivery_head().borrow().0, 2);
    assert_eq!(streams.verify(|_| {}).await.unwrap(), None);
    remove(installation.storage).await;
}
