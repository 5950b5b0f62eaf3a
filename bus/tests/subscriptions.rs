//! What subscriptions promise, said against [`bus::subscriptions::Subscriptions`] alone, over both engines. The clock is
//! set by hand and endpoints are made up, so that days of retries pass in no time.

// Not for the compiler, which builds this file for tests only, but for the lints, which allow more in tests.
#[cfg(test)]
mod subscriptions {
    use std::collections::BTreeMap;
    use std::sync::atomic::{AtomicI64, Ordering as Atomic};
    use std::sync::{Arc, Mutex};
    use std::time::{Duration, Instant};

    use bus::data::runtime::Deployment;
    use bus::data::{Data, Outcome};
    use bus::event::Event;
    use bus::ids::{DeliveryId, DeliveryOffset, EventId, EventOffset, OrderKey, ReaderName};
    use bus::kind::Kind;
    use bus::storage::Tables;
    use bus::streams::{Reading, Streams};
    use bus::subscriptions::{
        Attempt, Attempted, Deliver, Name, Outgoing, ResponseSeen, RetryPolicy, Spec, Start, Subscription,
        SubscriptionError, Subscriptions, Timings, Transport, Webhook,
    };
    use chrono::{DateTime, TimeDelta, TimeZone, Utc};
    use futures_util::FutureExt;
    use futures_util::future::BoxFuture;
    use tokio::sync::watch;
    use tokio::task::JoinHandle;

    mod deliveries;
    mod failures;
    mod managing;
    mod past;
    mod postgres;
    mod pulling;

    /// What takes longer than this does not come any more.
    const PATIENCE: Duration = Duration::from_secs(120);

    /// Where the tables of an installation are.
    enum Place {
        Sqlite,
        Postgres(postgres::Database),
    }

    /// A log, tables, a clock that is set by hand, and an endpoint.
    struct Installation {
        directory: tempfile::TempDir,
        tables: Tables,
        streams: Streams,
        clock: Arc<AtomicI64>,
        endpoint: Arc<Endpoint>,
        subscriptions: Subscriptions,
    }

    /// Runs a case over both engines, with the program delivering.
    async fn over_every_engine(case: impl AsyncFn(&mut Installation)) {
        for place in [Place::Sqlite, Place::Postgres(postgres::Database::make().await)] {
            let mut installation = Installation::open(&place).await;
            case(&mut installation).await;
            installation.subscriptions.close().await;
            installation.streams.close().await.unwrap();
            if let Place::Postgres(database) = place {
                database.drop().await;
            }
        }
    }

    impl Installation {
        async fn open(place: &Place) -> Self {
            let directory = tempfile::tempdir().unwrap();
            let tables = match place {
                Place::Sqlite => Tables::Sqlite(directory.path().to_owned()),
                Place::Postgres(database) => Tables::Postgres(database.settings()),
            };
            let streams = Streams::open(directory.path()).await.unwrap();
            let clock = Arc::new(AtomicI64::new(monday().timestamp_micros()));
            let endpoint = Arc::new(Endpoint::default());
            let subscriptions = open(&tables, &streams, &clock, &endpoint).await;
            Self { directory, tables, streams, clock, endpoint, subscriptions }
        }

        /// As after the end of the program and another start of it.
        async fn open_again(&mut self) {
            self.subscriptions.close().await;
            self.streams.close().await.unwrap();
            self.streams = Streams::open(self.directory.path()).await.unwrap();
            self.subscriptions = open(&self.tables, &self.streams, &self.clock, &self.endpoint).await;
        }

        fn now(&self) -> DateTime<Utc> {
            DateTime::from_timestamp_micros(self.clock.load(Atomic::SeqCst)).unwrap()
        }

        fn set_clock(&self, at: DateTime<Utc>) {
            self.clock.store(at.timestamp_micros(), Atomic::SeqCst);
            self.subscriptions.look_again();
        }

        fn advance(&self, by: TimeDelta) {
            self.set_clock(self.now() + by);
        }

        fn run(&self) -> Running {
            let (stop, hears) = watch::channel(false);
            let subscriptions = self.subscriptions.clone();
            Running { task: tokio::spawn(async move { subscriptions.run(hears).await }), stop }
        }

        /// Records one event for each key; its number is the event's offset in the log.
        async fn record(&self, keys: impl IntoIterator<Item = impl std::fmt::Display>) {
            let first = self.streams.event_head().borrow().0;
            let events = (first + 1..).zip(keys).map(|(n, key)| deployed(n, &key.to_string())).collect();
            let reading = Reading {
                delivery: DeliveryOffset(first + 1),
                source: "forge/acme".parse().unwrap(),
                outcome: Ok(events),
            };
            self.streams.record(ReaderName("normalizer"), vec![reading]).await.unwrap();
        }

        async fn get(&self, name: &str) -> Subscription {
            self.subscriptions.get(&self::name(name)).await.unwrap()
        }

        /// The delivery log, oldest first.
        async fn attempts(&self, name: &str) -> Vec<Attempt> {
            let mut attempts = self.subscriptions.attempts(&self::name(name), None, 1_000).await.unwrap();
            attempts.reverse();
            attempts
        }

        async fn until(&self, what: &str, holds: impl AsyncFn() -> bool) {
            let begun = Instant::now();
            while !holds().await {
                assert!(
                    begun.elapsed() < PATIENCE,
                    "{what} did not come about; the endpoint saw {:?}",
                    self.endpoint.offsets()
                );
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }

        /// Waits until nothing is left to be delivered to a subscription.
        async fn until_done(&self, name: &str) {
            self.until("the end of all deliveries", async || {
                let subscription = self.get(name).await;
                subscription.waiting == 0 && subscription.position == Some(*self.streams.event_head().borrow())
            })
            .await;
        }
    }

    async fn open(
        tables: &Tables,
        streams: &Streams,
        clock: &Arc<AtomicI64>,
        endpoint: &Arc<Endpoint>,
    ) -> Subscriptions {
        let clock = Arc::clone(clock);
        let now = Arc::new(move || DateTime::from_timestamp_micros(clock.load(Atomic::SeqCst)).unwrap());
        Subscriptions::open(tables, streams.clone(), endpoint.clone(), now).await.unwrap()
    }

    /// The program's part that delivers.
    struct Running {
        task: JoinHandle<Result<(), SubscriptionError>>,
        stop: watch::Sender<bool>,
    }

    impl Running {
        async fn stop(self) {
            self.stop.send_replace(true);
            self.task.await.unwrap().unwrap();
        }

        /// As when the program is killed.
        async fn kill(self) {
            self.task.abort();
            assert!(self.task.await.unwrap_err().is_cancelled());
        }
    }

    /// What an endpoint does with a request.
    #[derive(Debug, Clone, PartialEq, Eq)]
    enum Reply {
        Status(u16),
        RetryAfter(u16, &'static str),
        Unreachable,
        /// It answers 200 once it is let go.
        Hangs,
    }

    type Script = Box<dyn Fn(&Seen) -> Reply + Send>;

    /// An endpoint, or several, by what they are told to answer.
    struct Endpoint {
        script: Mutex<Script>,
        seen: Mutex<Vec<Seen>>,
        in_flight: Mutex<BTreeMap<String, (usize, usize)>>,
        let_go: watch::Sender<bool>,
    }

    /// A request as an endpoint saw it.
    #[derive(Debug, Clone)]
    struct Seen {
        subscription: String,
        id: String,
        offset: i64,
        key: String,
        body: serde_json::Value,
        keys: usize,
        at: DateTime<Utc>,
    }

    impl Default for Endpoint {
        fn default() -> Self {
            Self {
                script: Mutex::new(Box::new(|_| Reply::Status(200))),
                seen: Mutex::default(),
                in_flight: Mutex::default(),
                let_go: watch::Sender::new(false),
            }
        }
    }

    impl Endpoint {
        fn answers(&self, script: impl Fn(&Seen) -> Reply + Send + 'static) {
            *self.script.lock().unwrap() = Box::new(script);
        }

        fn seen(&self) -> Vec<Seen> {
            self.seen.lock().unwrap().clone()
        }

        fn offsets(&self) -> Vec<i64> {
            self.seen().into_iter().map(|seen| seen.offset).collect()
        }

        fn offsets_of(&self, subscription: &str) -> Vec<i64> {
            self.seen().into_iter().filter(|seen| seen.subscription == subscription).map(|seen| seen.offset).collect()
        }

        /// The most requests of a subscription that were in flight at once.
        fn most_in_flight(&self, subscription: &str) -> usize {
            self.in_flight.lock().unwrap().get(subscription).map_or(0, |(_, most)| *most)
        }

        fn count(&self, subscription: &str, change: isize) {
            let mut all = self.in_flight.lock().unwrap();
            let (now, most) = all.entry(subscription.to_owned()).or_default();
            *now = now.checked_add_signed(change).unwrap();
            *most = (*most).max(*now);
        }
    }

    impl Deliver for Endpoint {
        fn deliver(&self, request: Outgoing) -> BoxFuture<'_, Attempted> {
            async move {
                let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
                let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
                let seen = Seen {
                    subscription: request.subscription.to_string(),
                    id: request.id,
                    offset: text("sequence").parse().unwrap_or_default(),
                    key: text("partitionkey"),
                    keys: request.keys.len(),
                    at: request.at,
                    body: body.clone(),
                };
                let reply = (self.script.lock().unwrap())(&seen);
                let subscription = seen.subscription.clone();
                self.seen.lock().unwrap().push(seen);
                self.count(&subscription, 1);
                if reply == Reply::Hangs {
                    self.let_go.subscribe().wait_for(|go| *go).await.unwrap();
                }
                // Lets others have a turn, as the network would.
                tokio::task::yield_now().await;
                self.count(&subscription, -1);
                attempted(request.at, &reply)
            }
            .boxed()
        }

        fn check(&self, url: &str) -> Result<(), String> {
            if url.starts_with("https://") { Ok(()) } else { Err(format!("{url} is not https")) }
        }
    }

    fn attempted(at: DateTime<Utc>, reply: &Reply) -> Attempted {
        let response = |status, headers| ResponseSeen { status, headers, body: "ok".to_owned(), truncated: false };
        let (response, error) = match reply {
            Reply::Status(status) => (Some(response(*status, Vec::new())), None),
            Reply::RetryAfter(status, after) => {
                (Some(response(*status, vec![("retry-after".to_owned(), (*after).to_owned())])), None)
            }
            Reply::Unreachable => (None, Some("connection refused".to_owned())),
            Reply::Hangs => (Some(response(200, Vec::new())), None),
        };
        let request_headers = vec![("webhook-timestamp".to_owned(), at.timestamp().to_string())];
        Attempted { at, request_headers, response, error, timings: Timings::default() }
    }

    fn monday() -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 3, 2, 9, 0, 0).unwrap()
    }

    fn name(name: &str) -> Name {
        name.parse().unwrap()
    }

    fn webhook(name: &str) -> Spec {
        let transport = Transport::Webhook(Webhook {
            url: "https://receiver.example/hook".to_owned(),
            signatures: bus::subscriptions::Signatures::V1,
            concurrency: 8,
        });
        Spec {
            name: self::name(name),
            filter: bus::subscriptions::Filter::default(),
            transport,
            start: Start::Latest,
            ordering: bus::subscriptions::Ordering::PerKey,
            retry: RetryPolicy::default(),
        }
    }

    fn pull(name: &str) -> Spec {
        Spec { transport: Transport::Pull { lease_seconds: 60 }, ..webhook(name) }
    }

    fn deployed(n: i64, key: &str) -> Event {
        let delivery: DeliveryId = n.to_string().parse().unwrap();
        Event {
            id: EventId::derive(&"forge/acme".parse().unwrap(), &delivery, 0),
            kind: Kind::ServiceDeployed,
            source: "//forge.example/acme/shop".to_owned(),
            subject: format!("{key}/production"),
            time: monday() + TimeDelta::seconds(n),
            key: OrderKey(key.to_owned()),
            data: Data::Deployment(Box::new(Deployment {
                id: format!("forge.example/acme/shop/deployments/{n}"),
                service: Some(key.to_owned()),
                environment: Some("production".to_owned()),
                outcome: Some(if n % 2 == 0 { Outcome::Success } else { Outcome::Failure }),
                ..Deployment::default()
            })),
        }
    }
}
