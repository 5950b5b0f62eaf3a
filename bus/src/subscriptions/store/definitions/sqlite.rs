//! Subscriptions in the tables. Both engines understand these statements.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::FromRow;

use super::{Figures, Held, Stored, transport_name};
use crate::ids::EventOffset;
use crate::subscriptions::secrets::Secrets;
use crate::subscriptions::store::{Result, Store, SubscriptionId, Transaction, corrupt, time, values};
use crate::subscriptions::{Name, Spec, State, SubscriptionError};

macro_rules! stored_columns {
    () => {
        "id, spec, state, because, created_at, position, secrets, open_until, open_millis"
    };
}

#[derive(Debug, FromRow)]
struct StoredRow {
    id: i64,
    spec: String,
    state: String,
    because: Option<String>,
    created_at: i64,
    position: Option<i64>,
    secrets: String,
    open_until: Option<i64>,
    open_millis: i64,
}

impl Store {
    pub(in crate::subscriptions) async fn by_name(&self, name: &Name) -> Result<Stored> {
        const SQL: &str = concat!("select ", stored_columns!(), " from subscriptions where name = $1");
        let row: Option<StoredRow> = self.row(SQL, values![name.as_str()]).await?;
        row.map(StoredRow::into_stored).transpose()?.ok_or_else(|| SubscriptionError::Unknown(name.clone()))
    }

    pub(in crate::subscriptions) async fn by_id(&self, id: SubscriptionId) -> Result<Option<Stored>> {
        const SQL: &str = concat!("select ", stored_columns!(), " from subscriptions where id = $1");
        let row: Option<StoredRow> = self.row(SQL, values![id]).await?;
        row.map(StoredRow::into_stored).transpose()
    }

    pub(in crate::subscriptions) async fn all(&self) -> Result<Vec<Stored>> {
        const SQL: &str = concat!("select ", stored_columns!(), " from subscriptions order by name");
        let rows: Vec<StoredRow> = self.rows(SQL, Vec::new()).await?;
        rows.into_iter().map(StoredRow::into_stored).collect()
    }

    /// The webhooks that are to be delivered, with their versions.
    pub(in crate::subscriptions) async fn webhooks(&self) -> Result<Vec<(SubscriptionId, i64)>> {
        let rows: Vec<(i64, i64)> = self
            .rows("select id, version from subscriptions where transport = 'webhook' and state = 'active'", Vec::new())
            .await?;
        Ok(rows.into_iter().map(|(id, version)| (SubscriptionId(id), version)).collect())
    }

    /// Keeps a new subscription; `count_max` is how many there may be.
    pub(in crate::subscriptions) async fn insert(&self, new: &Stored, count_max: i64) -> Result<()> {
        let spec = &new.spec;
        let mut transaction = self.begin().await?;
        let (count,): (i64,) =
            transaction.row("select count(*) from subscriptions", Vec::new()).await?.unwrap_or_default();
        if count >= count_max {
            return Err(SubscriptionError::Conflict(format!("there are {count} subscriptions, which is the most")));
        }
        let inserted = transaction
            .execute(
                "insert into subscriptions (name, transport, spec, state, because, created_at, position, secrets,
                     open_until, open_millis, version, serial)
                 values ($1, $2, $3, $4, null, $5, $6, $7, null, 0, 1, 0) on conflict (name) do nothing",
                values![
                    spec.name.as_str(),
                    transport_name(&spec.transport),
                    json(spec)?,
                    new.state.name(),
                    new.created_at,
                    new.position.map(|position| position.0),
                    json(&new.secrets)?,
                ],
            )
            .await?;
        if inserted == 0 {
            return Err(SubscriptionError::Exists(spec.name.clone()));
        }
        transaction.commit().await
    }

    /// Changes a subscription by what `change` makes of it; its name, transport's kind and position stay.
    pub(in crate::subscriptions) async fn change<T>(
        &self,
        name: &Name,
        change: impl FnOnce(&mut Stored) -> Result<T> + Send,
    ) -> Result<T> {
        let id = self.by_name(name).await?.id;
        let mut transaction = self.begin_on(id).await?;
        // Read again: it is locked only now.
        let mut stored = transaction.stored(id).await?.ok_or_else(|| SubscriptionError::Unknown(name.clone()))?;
        let result = change(&mut stored)?;
        transaction
            .execute(
                "update subscriptions set spec = $2, state = $3, because = $4, secrets = $5, open_until = $6,
                     open_millis = $7, version = version + 1
                 where id = $1",
                values![
                    id,
                    json(&stored.spec)?,
                    stored.state.name(),
                    stored.because.as_deref(),
                    json(&stored.secrets)?,
                    stored.held.until,
                    stored.held.millis,
                ],
            )
            .await?;
        transaction.commit().await?;
        Ok(result)
    }

    pub(in crate::subscriptions) async fn delete(&self, id: SubscriptionId) -> Result<()> {
        let mut transaction = self.begin_on(id).await?;
        transaction.execute("delete from subscriptions where id = $1", values![id]).await?;
        transaction.commit().await
    }

    /// Figures of all subscriptions, or of one. What waits and has failed is parked unless it is handed out.
    pub(in crate::subscriptions) async fn figures(
        &self,
        only: Option<SubscriptionId>,
        now: DateTime<Utc>,
    ) -> Result<HashMap<SubscriptionId, Figures>> {
        let only = only.map(|id| id.0);
        let work: Vec<(i64, i64, i64)> = self
            .rows(
                "select subscription, count(*) as waiting,
                     count(case when blocked = 0 and attempts > 0 and token is null and due_at > $2 then 1 end) as parked
                 from work where $1 is null or subscription = $1 group by subscription",
                values![only, now],
            )
            .await?;
        let dead: Vec<(i64, i64)> = self
            .rows(
                "select subscription, count(*) as dead from dead_letters
                 where $1 is null or subscription = $1 group by subscription",
                values![only],
            )
            .await?;
        let mut figures: HashMap<SubscriptionId, Figures> = HashMap::new();
        for (id, waiting, parked) in work {
            let of = figures.entry(SubscriptionId(id)).or_default();
            (of.waiting, of.parked_keys) = (waiting.unsigned_abs(), parked.unsigned_abs());
        }
        for (id, dead) in dead {
            figures.entry(SubscriptionId(id)).or_default().dead = dead.unsigned_abs();
        }
        Ok(figures)
    }
}

impl Transaction {
    async fn stored(&mut self, id: SubscriptionId) -> Result<Option<Stored>> {
        const SQL: &str = concat!("select ", stored_columns!(), " from subscriptions where id = $1");
        let row: Option<StoredRow> = self.row(SQL, values![id]).await?;
        row.map(StoredRow::into_stored).transpose()
    }

    /// Notes that whoever delivers must look anew.
    pub(in crate::subscriptions::store) async fn raise_version(&mut self, id: SubscriptionId) -> Result<()> {
        self.execute("update subscriptions set version = version + 1 where id = $1", values![id]).await.map(drop)
    }

    /// A number that was never given before for this subscription.
    pub(in crate::subscriptions::store) async fn next_serial(&mut self, id: SubscriptionId) -> Result<Option<i64>> {
        self.execute("update subscriptions set serial = serial + 1 where id = $1", values![id]).await?;
        let row: Option<(i64,)> = self.row("select serial from subscriptions where id = $1", values![id]).await?;
        Ok(row.map(|(serial,)| serial))
    }

    /// Leaves the endpoint alone, or no more; false if there is no such subscription.
    pub(in crate::subscriptions::store) async fn hold(&mut self, id: SubscriptionId, held: Held) -> Result<bool> {
        let changed = self
            .execute(
                "update subscriptions set open_until = $2, open_millis = $3 where id = $1",
                values![id, held.until, held.millis],
            )
            .await?;
        Ok(changed > 0)
    }

    pub(in crate::subscriptions::store) async fn disable(&mut self, id: SubscriptionId, because: &str) -> Result<()> {
        self.execute(
            "update subscriptions set state = 'disabled', because = $2, version = version + 1
             where id = $1 and state = 'active'",
            values![id, because],
        )
        .await
        .map(drop)
    }
}

impl StoredRow {
    fn into_stored(self) -> Result<Stored> {
        const TABLE: &str = "subscriptions";
        let id = self.id;
        let spec: Spec = serde_json::from_str(&self.spec).map_err(|why| corrupt(TABLE, id, "spec", why))?;
        let state = State::ALL.into_iter().find(|state| state.name() == self.state);
        let secrets: Secrets = serde_json::from_str(&self.secrets).map_err(|why| corrupt(TABLE, id, "secrets", why))?;
        Ok(Stored {
            id: SubscriptionId(id),
            spec,
            state: state.ok_or_else(|| corrupt(TABLE, id, "state", format_args!("{:?} is none", self.state)))?,
            because: self.because,
            created_at: time(TABLE, id, "created_at", self.created_at)?,
            position: self.position.map(EventOffset),
            secrets,
            held: Held {
                until: self.open_until.map(|micros| time(TABLE, id, "open_until", micros)).transpose()?,
                millis: self.open_millis,
            },
        })
    }
}

fn json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| SubscriptionError::Store(error.to_string()))
}
