//! Messages on their way to the brokers, and what the brokers say of them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::OwnedHeaders;
use rdkafka::producer::future_producer::DeliveryFuture;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _};

use super::client::Context;

type Client = FutureProducer<Context>;

/// A producer. Clones share one client.
#[derive(Clone)]
pub(super) struct Producer(Arc<Shared>);

struct Shared {
    config: ClientConfig,
    context: Context,
    /// Replaced after an error that the library does not recover from.
    current: Mutex<Client>,
}

/// What is sent.
#[derive(Debug)]
pub(super) struct Record<'a> {
    pub(super) topic: &'a str,
    /// None leaves it to the key.
    pub(super) partition: Option<i32>,
    pub(super) key: Option<&'a [u8]>,
    pub(super) value: Option<&'a [u8]>,
    pub(super) headers: OwnedHeaders,
}

/// Why a message is not known to be with the brokers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unsent {
    /// Too much waits for the brokers already. It was not queued.
    #[error("too many messages wait for the brokers")]
    Full,
    /// Neither client nor brokers take a message of that size.
    #[error("the message is larger than the brokers take")]
    TooLarge,
    /// It may be with the brokers or not: sending it again is right, readers know it by its id.
    #[error("the brokers did not confirm the message: {0}")]
    Unknown(#[source] KafkaError),
}

/// A message on its way.
pub(super) struct Report(DeliveryFuture);

impl Producer {
    /// Makes the client; it finds the brokers by itself.
    pub(super) fn new(config: ClientConfig, context: Context) -> Result<Self, KafkaError> {
        let client = config.create_with_context(context.clone())?;
        Ok(Self(Arc::new(Shared { config, context, current: Mutex::new(client) })))
    }

    /// The client, for questions about the cluster.
    pub(super) fn client(&self) -> Client {
        // Nothing that could panic happens under the lock.
        self.0.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Queues a message, without waiting.
    pub(super) fn send(&self, record: Record<'_>) -> Result<Report, Unsent> {
        let message = FutureRecord {
            topic: record.topic,
            partition: record.partition,
            payload: record.value,
            key: record.key,
            timestamp: None,
            headers: Some(record.headers),
        };
        match self.client().send_result(message) {
            Ok(report) => Ok(Report(report)),
            Err((error, _)) => Err(self.unsent(error)),
        }
    }

    /// Waits for what the brokers say of it.
    pub(super) async fn settle(&self, report: Report) -> Result<(), Unsent> {
        match report.0.await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err((error, _))) => Err(self.unsent(error)),
            // The client went, and the message with it.
            Err(_) => Err(Unsent::Unknown(KafkaError::Canceled)),
        }
    }

    /// Waits until everything queued is settled, for so long at most; true if it is.
    pub(super) async fn flush(&self, within: Duration) -> bool {
        let client = self.client();
        let flushed = tokio::task::spawn_blocking(move || client.flush(within).is_ok()).await;
        flushed.unwrap_or(false)
    }

    fn unsent(&self, error: KafkaError) -> Unsent {
        if let Some((code, reason)) = self.client().client().fatal_error() {
            tracing::error!(kafka.code = %code, "the Kafka producer cannot go on and is made anew: {reason}");
            self.renew();
        }
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::QueueFull) => Unsent::Full,
            Some(RDKafkaErrorCode::MessageSizeTooLarge) => Unsent::TooLarge,
            Some(_) | None => Unsent::Unknown(error),
        }
    }

    fn renew(&self) {
        let made = self.0.config.create_with_context(self.0.context.clone());
        let old = match made {
            Ok(client) => {
                let mut current = self.0.current.lock().unwrap_or_else(PoisonError::into_inner);
                // Several messages may tell of the same error; the first has the client replaced.
                if current.client().fatal_error().is_none() { client } else { std::mem::replace(&mut *current, client) }
            }
            // The old one stays, and the next message tries again.
            Err(error) => return tracing::error!(error = %error, "no new Kafka producer could be made"),
        };
        discard(old);
    }
}

/// Gives a client up where nobody waits for it: what it has queued is failed, which takes up to a second.
fn discard(client: Client) {
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn_blocking(move || drop(client))),
        Err(_) => drop(client),
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        discard(self.current.get_mut().unwrap_or_else(PoisonError::into_inner).clone());
    }
}

impl std::fmt::Debug for Producer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Producer").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Report").finish_non_exhaustive()
    }
}
