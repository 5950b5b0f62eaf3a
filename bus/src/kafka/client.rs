//! What every client of the brokers has in common: where its log lines go, its tokens, and how long a failed attempt
//! waits for the next.

use std::error::Error;
use std::time::Duration;

use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;

use tokio::sync::watch;

use super::token::Tokens;
use crate::stop::stopped;

/// The context of a client.
#[derive(Debug, Clone)]
pub(super) struct Context {
    /// None if brokers are not asked by token.
    pub(super) tokens: Option<Tokens>,
}

impl ClientContext for Context {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, fac: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error
            | RDKafkaLogLevel::Warning => tracing::warn!(kafka.facility = fac, "kafka client: {message}"),
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
                tracing::debug!(kafka.facility = fac, "kafka client: {message}");
            }
        }
    }

    /// The library logs it too.
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(error = %error, "kafka client: {reason}");
    }

    /// Called on threads of the clients, never on one of the runtime: it may wait.
    fn generate_oauth_token(&self, _settings: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        let tokens = self.tokens.as_ref().ok_or("no token endpoint is configured")?;
        tokens.fetch().map_err(|error| {
            // The library asks again after 10 s.
            tracing::warn!(error = %error, "no token for the brokers could be had");
            // A zero byte would not pass through the library.
            error.to_string().replace('\0', " ").into()
        })
    }
}

impl ConsumerContext for Context {}

/// The first wait after a failure.
const WAIT_MIN: Duration = Duration::from_millis(100);

/// The longest wait: whatever comes back is used within half a minute.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// Waits that grow while attempts fail.
#[derive(Debug)]
pub(super) struct BackOff(Duration);

impl BackOff {
    pub(super) const fn new() -> Self {
        Self(WAIT_MIN)
    }

    /// What was tried went well for a while: the next failure is a first one.
    pub(super) const fn reset(&mut self) {
        self.0 = WAIT_MIN;
    }

    /// How long to wait now: up to a quarter more or less, so that processes that failed together come back one by one.
    pub(super) fn next(&mut self) -> Duration {
        let wait = self.0;
        self.0 = (wait * 2).min(WAIT_MAX);
        let [spread, ..] = *uuid::Uuid::new_v4().as_bytes();
        wait * (768 + 2 * u32::from(spread)) / 1024
    }
}

/// What was begun is finished when the program stops, but not for longer than this.
pub(super) const FLUSH_WITHIN: Duration = Duration::from_secs(10);

/// Does something to its end; none if the program stops and it takes too long after that.
pub(super) async fn finish<T>(work: impl Future<Output = T>, stop: &mut watch::Receiver<bool>) -> Option<T> {
    let mut work = std::pin::pin!(work);
    tokio::select! {
        done = &mut work => Some(done),
        () = stopped(stop) => tokio::time::timeout(FLUSH_WITHIN, work).await.ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_half_a_minute_and_begin_anew_after_success() {
        let mut waits = BackOff::new();
        let all: Vec<Duration> = std::iter::repeat_with(|| waits.next()).take(20).collect();
        assert!(all[0] >= Duration::from_millis(75) && all[0] <= Duration::from_millis(125), "{all:?}");
        assert!(all[19] >= WAIT_MAX * 3 / 4 && all[19] <= WAIT_MAX * 5 / 4, "{all:?}");
        waits.reset();
        assert!(waits.next() <= Duration::from_millis(125));
    }
}
