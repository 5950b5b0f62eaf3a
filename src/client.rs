//! Asks a server over its HTTP API: one that runs, or one started here over the data directory for the moment.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::app::{self, Running};
use crate::context::Context;
use crate::exit::{Exit, Failure};

pub(crate) use messages::Messages;

mod messages;

/// A server on this machine answers this fast, or is not there.
const PROBE_TIMEOUT: Duration = Duration::from_millis(500);

/// No single answer of the API takes longer; streams have no limit.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// A server to ask.
pub(crate) struct Server {
    base: String,
    http: reqwest::Client,
    /// Set if it runs inside this process.
    embedded: Option<Running>,
}

impl Server {
    /// The server that was named, or the one that runs on this machine, or one over the data directory.
    pub(crate) async fn find(context: &Context) -> Result<Self, Failure> {
        let http = reqwest::Client::builder().build()?;
        if let Some(url) = &context.server {
            let base = url.trim_end_matches('/').to_owned();
            if !answers(&http, &base).await {
                return Err(Failure::new(Exit::Unreachable, format!("no devhose server answers at {base}"))
                    .remedy("check --server or DEVHOSE_URL; `devhose serve` starts one here"));
            }
            return Ok(Self { base, http, embedded: None });
        }
        for base in context.local_urls() {
            if answers(&http, &base).await {
                return Ok(Self { base, http, embedded: None });
            }
        }
        let mut running = app::start(&context.config, app::Listen::Ephemeral).await?;
        running.caught_up().await?;
        Ok(Self { base: running.url.clone(), http, embedded: Some(running) })
    }

    /// `GET`, as JSON.
    pub(crate) async fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Value, Failure> {
        self.ask(self.http.get(format!("{}{path}", self.base)).query(query)).await
    }

    /// `POST`, as JSON.
    pub(crate) async fn post(&self, path: &str, query: &[(&str, String)], body: String) -> Result<Value, Failure> {
        let request = self.http.request(Method::POST, format!("{}{path}", self.base)).query(query).body(body);
        self.ask(request.header("content-type", "application/json")).await
    }

    /// A request of any kind, for `send`.
    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    /// Sends and reads the JSON answer; an error answer becomes a failure with the server's own words.
    pub(crate) async fn ask(&self, request: reqwest::RequestBuilder) -> Result<Value, Failure> {
        let text = self.text(request).await?;
        serde_json::from_str(&text)
            .map_err(|error| Failure::new(Exit::Failed, format!("{} did not answer in JSON: {error}", self.base)))
    }

    /// The same, whatever the answer is.
    pub(crate) async fn text(&self, request: reqwest::RequestBuilder) -> Result<String, Failure> {
        let answer = request.timeout(ANSWER_TIMEOUT).send().await.map_err(|error| self.unreachable(&error))?;
        let status = answer.status();
        let text = answer.text().await.map_err(|error| self.unreachable(&error))?;
        if status.is_success() { Ok(text) } else { Err(refused(status, &text)) }
    }

    /// The same with a JSON body.
    pub(crate) async fn tell(&self, method: Method, path: &str, body: &Value) -> Result<Value, Failure> {
        self.ask(self.request(method, path).json(body)).await
    }

    /// Server-sent events, to be read one after the other.
    pub(crate) async fn messages(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<Messages, Failure> {
        let request = self.request(method, path).query(query).header("accept", "text/event-stream");
        let answer = request.send().await.map_err(|error| self.unreachable(&error))?;
        if !answer.status().is_success() {
            let status = answer.status();
            return Err(refused(status, &answer.text().await.unwrap_or_default()));
        }
        Ok(Messages::of(answer))
    }

    /// Server-sent events: hands each `(id, data)` on until `each` says stop or the server ends the stream.
    pub(crate) async fn stream(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
        mut each: impl FnMut(&str, &str) -> Result<bool, Failure>,
    ) -> Result<bool, Failure> {
        let mut messages = self.messages(method, path, query).await?;
        while let Some(message) = messages.next().await {
            if let Some(data) = &message.data
                && !each(&message.id, data)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Where it is.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Stops what was started for the moment.
    pub(crate) async fn close(self) -> Result<(), Failure> {
        match self.embedded {
            Some(running) => running.stop().await,
            None => Ok(()),
        }
    }

    /// Like [`Server::close`], after waiting until what was stored is interpreted and counted.
    pub(crate) async fn finish(mut self) -> Result<(), Failure> {
        if let Some(running) = &mut self.embedded {
            running.caught_up().await?;
        }
        self.close().await
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let exit = if error.is_timeout() { Exit::Timeout } else { Exit::Unreachable };
        Failure::new(exit, format!("{} does not answer: {error}", self.base))
    }
}

async fn answers(http: &reqwest::Client, base: &str) -> bool {
    let request = http.get(format!("{base}/healthz")).timeout(PROBE_TIMEOUT);
    match request.send().await {
        Ok(answer) => answer.status().is_success() && answer.headers().contains_key("devhose-version"),
        Err(_) => false,
    }
}

fn refused(status: StatusCode, text: &str) -> Failure {
    let exit = match status.as_u16() {
        400 | 422 => Exit::Usage,
        401 | 403 => Exit::NotAllowed,
        404 | 410 => Exit::NotFound,
        409 => Exit::Conflict,
        _ => Exit::Failed,
    };
    let document: Value = serde_json::from_str(text).unwrap_or_default();
    let message = document.get("error").and_then(Value::as_str).unwrap_or(text);
    let failure = Failure::new(exit, if message.is_empty() { status.to_string() } else { message.to_owned() });
    match document.get("try").and_then(Value::as_str) {
        Some(remedy) => failure.remedy(remedy),
        None => failure,
    }
}
