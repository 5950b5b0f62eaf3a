//! SQLite under test: how it is opened, and how somebody with the file in hands would alter it.

use bus::storage::Storage;
use futures_util::FutureExt;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};

use super::{Alteration, Engine};

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

async fn alter(storage: Storage, alteration: Alteration) {
    let Storage::Sqlite(directory) = storage else { panic!("not kept in SQLite") };
    let options = SqliteConnectOptions::new().filename(directory.join("devhose.db"));
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
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
