//! SQLite under test: how it is opened, and how somebody with the file in hands would alter it.

use std::time::Duration;

use bus::storage::Storage;
use futures_util::FutureExt;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};
use tokio::task::JoinHandle;

use super::{Alteration, Engine, Installation, delivery, noise};

pub(super) fn engine() -> Engine {
    Engine {
        create: |directory| {
            let directory = directory.to_owned();
            async move { Storage::Sqlite(directory) }.boxed()
        },
        alter: |storage, alteration| alter(storage, alteration).boxed(),
        remove: |_| async {}.boxed(),
        shared: false,
        placing: true,
    }
}

async fn connect(storage: Storage) -> SqliteConnection {
    let Storage::Sqlite(directory) = storage else { panic!("not kept in SQLite") };
    let options = SqliteConnectOptions::new().filename(directory.join("devhose.db"));
    SqliteConnection::connect_with(&options).await.unwrap()
}

async fn alter(storage: Storage, alteration: Alteration) {
    let mut connection = connect(storage).await;
    let (sql, position) = match alteration {
        Alteration::DeliveryTime(offset) => {
            ("update deliveries set received_at = received_at + 1 where position = ?", offset.0)
        }
        Alteration::Body(offset) => (
            "update delivery_bodies set body = (select body from delivery_bodies where position = 1) where position = ?",
            offset.0,
        ),
        Alteration::RemoveDelivery(offset) => ("delete from deliveries where position = ?", offset.0),
        Alteration::EventOutcome(offset) => ("update events set outcome = 'success' where position = ?", offset.0),
    };
    assert_eq!(sqlx::query(sql).bind(position).execute(&mut connection).await.unwrap().rows_affected(), 1);
    connection.close().await.unwrap();
}

/// Larger than this many bytes the write-ahead log is not, give or take what is written while readers are waited for.
const LOG_MAX: u64 = 320 << 20;

/// Reads again and again, and takes its time for it.
async fn read_slowly(storage: Storage, time: Duration) {
    let mut connection = connect(storage).await;
    loop {
        let mut reading = connection.begin().await.unwrap();
        sqlx::query("select max(position) from deliveries").fetch_one(&mut *reading).await.unwrap();
        tokio::time::sleep(time).await;
        reading.rollback().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_write_ahead_log_has_an_end_while_somebody_reads_all_the_time() {
    let installation = Installation::of(engine()).await;
    let opened = installation.open().await;
    // At every moment one of them is in the middle of reading.
    let readers: Vec<_> = [31, 43, 59]
        .map(|time| tokio::spawn(read_slowly(installation.storage.clone(), Duration::from_millis(time))))
        .into();
    let body = noise(1, 1 << 20);
    let mut largest = 0;
    for batch in 0..60 {
        // Each body differs in its first bytes, and is as hard to compress as the others.
        let body = |number: u64| [&(batch * 8 + number).to_le_bytes(), &body[8..]].concat();
        let batch = (0..8).map(|number| delivery(batch * 8 + number, &body(number))).collect();
        opened.append_all(batch).await.unwrap();
        largest = largest.max(installation.directory.path().join("devhose.db-wal").metadata().unwrap().len());
    }
    readers.iter().for_each(JoinHandle::abort);
    assert!(largest < LOG_MAX, "{largest} bytes");
    opened.close().await.unwrap();
}
