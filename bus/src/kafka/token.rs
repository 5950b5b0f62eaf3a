//! Tokens for SASL OAUTHBEARER, by the client credentials grant: RFC 6749, section 4.4.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::Utc;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rdkafka::client::OAuthToken;
use serde::Deserialize;
use tokio::runtime::Handle;

use crate::storage::{KafkaSettings, Sasl};
use crate::streams::StreamError;

/// An endpoint that is there answers within this. A client hears no delivery reports meanwhile.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest answer that is read: a token has a few kilobytes.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// How long a token is taken to last if its endpoint does not say, in seconds.
const LIFETIME_SECONDS: i64 = 300;

/// Where tokens are had.
#[derive(Clone)]
pub(super) struct Tokens {
    endpoint: reqwest::Url,
    client_id: String,
    authorization: String,
    form: String,
    http: reqwest::Client,
    runtime: Handle,
}

// The authorization holds the secret.
impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("endpoint", &self.endpoint.as_str()).finish_non_exhaustive()
    }
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub(super) enum TokenError {
    /// The endpoint cannot be asked, or gave no answer.
    #[error("the token endpoint did not answer: {0}")]
    Http(#[from] reqwest::Error),
    /// It refused.
    #[error("the token endpoint answered {status}: check client id, client secret and scope")]
    Refused {
        /// Its status.
        status: u16,
    },
    /// It answered more than is read.
    #[error("the token endpoint answered more than {} KiB", ANSWER_BYTES_MAX >> 10)]
    TooLarge,
    /// It answered something else.
    #[error("the token endpoint answered no token: {0}")]
    Shape(#[from] serde_json::Error),
}

/// The members of its answer that matter: RFC 6749, section 5.1.
#[derive(Deserialize)]
struct Answer {
    access_token: String,
    expires_in: Option<i64>,
}

impl Tokens {
    /// None if the brokers are not asked by token.
    pub(super) fn of(settings: &KafkaSettings) -> Result<Option<Self>, StreamError> {
        let Some(Sasl::OauthBearer { token_endpoint, client_id, client_secret, scope }) = &settings.security.sasl
        else {
            return Ok(None);
        };
        let endpoint = reqwest::Url::parse(token_endpoint)
            .map_err(|error| StreamError::Setup(format!("the token endpoint for Kafka cannot be read: {error}")))?;
        let here = endpoint.host_str().is_some_and(|host| matches!(host, "127.0.0.1" | "[::1]" | "localhost"));
        if endpoint.scheme() != "https" && !here {
            let why = "the token endpoint for Kafka hears the client secret: its address must begin with https";
            return Err(StreamError::Setup(why.to_owned()));
        }
        let http = reqwest::Client::builder()
            .timeout(ANSWER_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| StreamError::Setup(format!("no tokens for Kafka can be asked for: {error}")))?;
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let login = BASE64_STANDARD.encode(format!("{}:{}", encoded(client_id), encoded(client_secret)));
        let scope = scope.as_ref().map_or_else(String::new, |scope| format!("&scope={}", encoded(scope)));
        Ok(Some(Self {
            endpoint,
            client_id: client_id.clone(),
            authorization: format!("Basic {login}"),
            form: format!("grant_type=client_credentials{scope}"),
            http,
            runtime: Handle::current(),
        }))
    }

    /// Asks for a token. Blocks: not for threads of the runtime.
    pub(super) fn fetch(&self) -> Result<OAuthToken, TokenError> {
        let answer = self.runtime.block_on(self.ask())?;
        let lasts = answer.expires_in.unwrap_or(LIFETIME_SECONDS).max(1);
        Ok(OAuthToken {
            token: answer.access_token,
            principal_name: self.client_id.clone(),
            lifetime_ms: Utc::now().timestamp_millis().saturating_add(lasts.saturating_mul(1_000)),
        })
    }

    async fn ask(&self) -> Result<Answer, TokenError> {
        let asked = self
            .http
            .post(self.endpoint.clone())
            .header("authorization", &self.authorization)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("accept", "application/json")
            .body(self.form.clone());
        let mut answered = asked.send().await?;
        if !answered.status().is_success() {
            return Err(TokenError::Refused { status: answered.status().as_u16() });
        }
        let mut body = Vec::new();
        while let Some(chunk) = answered.chunk().await? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(TokenError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(serde_json::from_slice(&body)?)
    }
}
