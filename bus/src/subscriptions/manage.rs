//! Making, changing and watching over subscriptions.

use chrono::{DateTime, Utc};

use super::store::SubscriptionId;
use super::store::definitions::{Figures, Held, Stored};
use super::{
    Attempt, AttemptId, Attempted, Change, DeadLetter, LiveSecret, Name, Outgoing, RetryPolicy, Spec, Start, State,
    Subscription, SubscriptionError, Subscriptions, Transport, Webhook, Which, events, secrets::Secrets,
};
use crate::cloudevents::CloudEvent;
use crate::ids::EventOffset;
use crate::subscriptions::store::queue::Step;

type Result<T> = std::result::Result<T, SubscriptionError>;

/// There are at most so many subscriptions: every webhook is a reader of its own.
const SUBSCRIPTIONS_MAX: i64 = 500;

/// Requests in flight at once to one endpoint, at most.
const CONCURRENCY_MAX: u16 = 64;

/// Attempts after the first, at most.
const DELAYS_MAX: usize = 50;

/// Longest delay between attempts, in seconds: a week.
const DELAY_SECONDS_MAX: u32 = 7 * 24 * 3_600;

/// Shortest and longest time that a consumer may keep what it was handed, in seconds.
const LEASE_SECONDS: std::ops::RangeInclusive<u32> = 1..=3_600;

/// Entries of the delivery log, or dead letters, that are given at once.
const PAGE_MAX: usize = 1_000;

impl Subscriptions {
    /// Makes a subscription. Those of webhooks have secrets from now on: see [`Self::secrets`].
    ///
    /// # Errors
    /// If something about it is not possible, or the name is taken.
    pub async fn create(&self, spec: Spec) -> Result<Subscription> {
        self.check_transport(&spec.transport)?;
        check_retry(&spec.retry)?;
        let now = self.now();
        let (position, secrets) = match &spec.transport {
            Transport::Sse | Transport::Websocket => (None, Secrets::default()),
            Transport::Pull { .. } => (Some(self.start(spec.start).await?), Secrets::default()),
            Transport::Webhook(webhook) => {
                (Some(self.start(spec.start).await?), Secrets::fresh(webhook.signatures, now)?)
            }
        };
        let name = spec.name.clone();
        let new = Stored {
            id: SubscriptionId(0),
            spec,
            state: State::Active,
            because: None,
            created_at: now,
            position,
            secrets,
            held: Held::default(),
        };
        let store = self.store.clone();
        self.whole(async move { store.insert(&new, SUBSCRIPTIONS_MAX).await }).await?;
        self.get(&name).await
    }

    /// Changes a subscription; what the change does not name stays.
    ///
    /// # Errors
    /// If there is none of that name, or the change does not go with its transport.
    pub async fn update(&self, name: &Name, change: Change) -> Result<Subscription> {
        let stored = self.store.by_name(name).await?;
        let is_webhook = matches!(stored.spec.transport, Transport::Webhook(_));
        if !is_webhook && (change.url.is_some() || change.concurrency.is_some()) {
            return Err(SubscriptionError::Conflict(format!("{name} is no webhook: it has no url and no concurrency")));
        }
        if let Some(url) = &change.url {
            self.check_url(url)?;
        }
        if let Some(concurrency) = change.concurrency {
            check_concurrency(concurrency)?;
        }
        if let Some(retry) = &change.retry {
            check_retry(retry)?;
        }
        self.change(name, move |stored| {
            apply(change, stored);
            Ok(())
        })
        .await?;
        self.get(name).await
    }

    /// Deletes a subscription with all that waits for it, its delivery log and its dead letters.
    ///
    /// # Errors
    /// If there is none of that name.
    pub async fn delete(&self, name: &Name) -> Result<()> {
        let id = self.store.by_name(name).await?.id;
        let store = self.store.clone();
        self.whole(async move { store.delete(id).await }).await
    }

    /// Every subscription, by name.
    ///
    /// # Errors
    /// See [`SubscriptionError`].
    pub async fn list(&self) -> Result<Vec<Subscription>> {
        let now = self.now();
        let mut figures = self.store.figures(None, now).await?;
        let all = self.store.all().await?.into_iter();
        all.map(|stored| {
            let figures = figures.remove(&stored.id).unwrap_or_default();
            self.shown(stored, figures, now)
        })
        .collect()
    }

    /// One subscription.
    ///
    /// # Errors
    /// If there is none of that name.
    pub async fn get(&self, name: &Name) -> Result<Subscription> {
        let now = self.now();
        let stored = self.store.by_name(name).await?;
        let figures = self.store.figures(Some(stored.id), now).await?.remove(&stored.id).unwrap_or_default();
        self.shown(stored, figures, now)
    }

    /// Delivers no more until it is resumed; its position stays.
    ///
    /// # Errors
    /// If there is none of that name.
    pub async fn pause(&self, name: &Name) -> Result<Subscription> {
        self.change(name, |stored| {
            // What its endpoint disabled stays so: that says more.
            if stored.state == State::Active {
                stored.state = State::Paused;
            }
            Ok(())
        })
        .await?;
        self.get(name).await
    }

    /// Delivers again, from where it stands: what was paused, what its endpoint's 410 disabled, and what is held back
    /// because the endpoint failed.
    ///
    /// # Errors
    /// If there is none of that name.
    pub async fn resume(&self, name: &Name) -> Result<Subscription> {
        self.change(name, |stored| {
            (stored.state, stored.because, stored.held) = (State::Active, None, Held::default());
            Ok(())
        })
        .await?;
        self.get(name).await
    }

    /// The secrets that attempts are signed with now, newest first: `v1` before `v1a` where there are both.
    ///
    /// # Errors
    /// If there is none of that name, or it is no webhook.
    pub async fn secrets(&self, name: &Name) -> Result<Vec<LiveSecret>> {
        let stored = self.store.by_name(name).await?;
        webhook(&stored)?;
        stored.secrets.live(self.now())
    }

    /// Makes a new secret and gives its text, `whsec_…`, or `whsk_…` where only `v1a` is signed with. The one before
    /// signs beside it for 24 hours more.
    ///
    /// # Errors
    /// If there is none of that name, or it is no webhook.
    pub async fn rotate_secret(&self, name: &Name) -> Result<String> {
        let now = self.now();
        self.change(name, move |stored| {
            let signatures = webhook(stored)?.signatures;
            stored.secrets.rotate(signatures, now)
        })
        .await
    }

    /// Sends one made-up event to the endpoint, signed, and says what became of it. It is not tried again.
    ///
    /// # Errors
    /// If there is none of that name, or it is no webhook.
    pub async fn test(&self, name: &Name) -> Result<Attempted> {
        let stored = self.store.by_name(name).await?;
        let url = webhook(&stored)?.url.clone();
        let at = self.now();
        let id = uuid::Uuid::new_v4().to_string();
        let mut event = CloudEvent::new(
            id.clone(),
            "/devhose/subscriptions".to_owned(),
            "dev.cdeventsx.devhose-subscription.tested.0.1.0".to_owned(),
        );
        event.subject = Some(name.to_string());
        event.time = Some(at);
        let body = event.to_json().map_err(|error| SubscriptionError::Store(error.to_string()))?;
        let keys = stored.secrets.live(at)?.into_iter().map(|secret| secret.key).collect();
        let request = Outgoing { subscription: name.clone(), url, id: format!("evt_{id}"), body, keys, at };
        Ok(super::webhooks::deliver(&self.connector, request).await)
    }

    /// The delivery log, newest first, before an attempt if one is given; at most `limit`, and at most 1,000.
    ///
    /// # Errors
    /// If there is none of that name.
    pub async fn attempts(&self, name: &Name, before: Option<AttemptId>, limit: usize) -> Result<Vec<Attempt>> {
        let id = self.store.by_name(name).await?.id;
        self.store.attempts(id, before, page(limit)).await
    }

    /// One attempt of any subscription, unless it is forgotten.
    ///
    /// # Errors
    /// If the tables cannot be read.
    pub async fn attempt(&self, id: AttemptId) -> Result<Option<Attempt>> {
        self.store.attempt(id).await
    }

    /// Dead letters, newest first, at most `limit`, and at most 1,000.
    ///
    /// # Errors
    /// If there is none of that name.
    pub async fn dead_letters(&self, name: &Name, limit: usize) -> Result<Vec<DeadLetter>> {
        let id = self.store.by_name(name).await?.id;
        self.store.dead_letters(id, page(limit)).await
    }

    /// Queues dead letters anew, as if they had never been tried; says how many. Their `webhook-id` stays the same.
    ///
    /// # Errors
    /// If there is none of that name.
    pub async fn redrive(&self, name: &Name, which: Which) -> Result<u64> {
        let stored = self.store.by_name(name).await?;
        let (store, id, step) = (self.store.clone(), stored.id, self.step(&stored));
        self.whole(async move {
            match which {
                Which::All => store.redrive_all(id, step).await,
                Which::These(letters) => store.redrive_these(id, step, &letters).await,
            }
        })
        .await
    }

    /// How something is queued for a subscription without its reader moving.
    pub(super) fn step(&self, stored: &Stored) -> Step {
        let stays = stored.position.unwrap_or_default();
        Step { from: stays, to: stays, ordered: stored.is_ordered(), at: self.now() }
    }

    async fn change<T: Send + 'static>(
        &self,
        name: &Name,
        change: impl FnOnce(&mut Stored) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (store, name) = (self.store.clone(), name.clone());
        self.whole(async move { store.change(&name, change).await }).await
    }

    fn shown(&self, stored: Stored, figures: Figures, now: DateTime<Utc>) -> Result<Subscription> {
        let head = *self.streams.event_head().borrow();
        let behind = stored.position.map_or(0, |position| (head.0 - position.0).max(0).unsigned_abs());
        Ok(Subscription {
            public_key: stored.secrets.public_key()?,
            spec: stored.spec,
            state: stored.state,
            because: stored.because,
            created_at: stored.created_at,
            position: stored.position,
            behind,
            waiting: figures.waiting,
            parked_keys: figures.parked_keys,
            dead: figures.dead,
            circuit_open_until: stored.held.until.filter(|until| *until > now),
        })
    }

    /// The position after which a new subscription reads.
    async fn start(&self, start: Start) -> Result<EventOffset> {
        let head = *self.streams.event_head().borrow();
        match start {
            Start::Earliest => Ok(EventOffset::START),
            Start::Latest => Ok(head),
            Start::After(offset) if (EventOffset::START..=head).contains(&offset) => Ok(offset),
            Start::After(offset) => {
                Err(SubscriptionError::Invalid(format!("start after {offset}: the log ends at {head}")))
            }
            Start::Since(time) => Ok(events::before(&self.streams, time).await?),
        }
    }

    fn check_transport(&self, transport: &Transport) -> Result<()> {
        match transport {
            Transport::Sse | Transport::Websocket => Ok(()),
            Transport::Pull { lease_seconds } if LEASE_SECONDS.contains(lease_seconds) => Ok(()),
            Transport::Pull { lease_seconds } => Err(SubscriptionError::Invalid(format!(
                "lease_seconds {lease_seconds}: {} to {} are possible",
                LEASE_SECONDS.start(),
                LEASE_SECONDS.end()
            ))),
            Transport::Webhook(webhook) => {
                check_concurrency(webhook.concurrency)?;
                self.check_url(&webhook.url)
            }
        }
    }

    fn check_url(&self, url: &str) -> Result<()> {
        self.connector.check(url).map_err(|why| SubscriptionError::Invalid(format!("url: {why}")))
    }
}

impl Stored {
    /// Whether events of one key wait for each other.
    pub(super) const fn is_ordered(&self) -> bool {
        matches!(self.spec.ordering, super::Ordering::PerKey)
    }
}

/// What is particular to a webhook.
pub(super) fn webhook(stored: &Stored) -> Result<&Webhook> {
    if let Transport::Webhook(webhook) = &stored.spec.transport {
        return Ok(webhook);
    }
    Err(SubscriptionError::Conflict(format!("{} is no webhook", stored.spec.name)))
}

fn apply(change: Change, stored: &mut Stored) {
    if let Some(filter) = change.filter {
        stored.spec.filter = filter;
    }
    if let Some(retry) = change.retry {
        stored.spec.retry = retry;
    }
    if let Transport::Webhook(webhook) = &mut stored.spec.transport {
        if let Some(url) = change.url {
            // Another endpoint: what the one before did is not held against it.
            (webhook.url, stored.held) = (url, Held::default());
        }
        webhook.concurrency = change.concurrency.unwrap_or(webhook.concurrency);
    }
}

fn check_concurrency(concurrency: u16) -> Result<()> {
    if (1..=CONCURRENCY_MAX).contains(&concurrency) {
        return Ok(());
    }
    Err(SubscriptionError::Invalid(format!("concurrency {concurrency}: 1 to {CONCURRENCY_MAX} are possible")))
}

fn check_retry(retry: &RetryPolicy) -> Result<()> {
    if retry.delays_seconds.len() > DELAYS_MAX {
        return Err(SubscriptionError::Invalid(format!("retry.delays_seconds: at most {DELAYS_MAX} are possible")));
    }
    if let Some(delay) = retry.delays_seconds.iter().find(|delay| **delay > DELAY_SECONDS_MAX) {
        return Err(SubscriptionError::Invalid(format!(
            "retry.delays_seconds: {delay} is more than {DELAY_SECONDS_MAX}, a week"
        )));
    }
    Ok(())
}

fn page(limit: usize) -> i64 {
    i64::try_from(limit.clamp(1, PAGE_MAX)).unwrap_or(1)
}
