//! Follows the events of a server over lost connections and restarts: it goes on after the last place that was seen.

use std::time::Duration;

use serde_json::Value;

use crate::cli::Which;
use crate::client::{Messages, Server};
use crate::exit::{Exit, Failure};
use crate::output::Output;

/// First pause before a lost stream is asked for again; it doubles up to the last.
const RECONNECT_FIRST: Duration = Duration::from_millis(250);
const RECONNECT_LAST: Duration = Duration::from_secs(10);

/// What is heard.
#[derive(Debug)]
pub(crate) enum Heard {
    /// An event, with its offset.
    Event(String, String),
    /// Everything up to here was looked at.
    Place(String),
    /// The same, and for the first time since the connection was made it is all there is.
    CaughtUp(String),
    /// The connection; it is being made anew.
    Lost,
}

/// A stream of events that does not end.
pub(crate) struct Follow<'s> {
    server: &'s Server,
    output: Output,
    query: Vec<(&'static str, String)>,
    from: String,
    messages: Option<Messages>,
    /// Set once something was heard: a server that never answered is not waited for.
    answered: bool,
    pause: Duration,
}

impl<'s> Follow<'s> {
    /// Follows what `query` asks for, from a place on.
    pub(crate) fn new(server: &'s Server, output: Output, query: Vec<(&'static str, String)>, from: String) -> Self {
        Self { server, output, query, from, messages: None, answered: false, pause: RECONNECT_FIRST }
    }

    /// What is heard next.
    pub(crate) async fn next(&mut self) -> Result<Heard, Failure> {
        loop {
            if self.messages.is_none() {
                self.connect().await?;
            }
            let message = match &mut self.messages {
                Some(messages) => messages.next().await,
                None => None,
            };
            let Some(message) = message else {
                let connected = self.messages.take().is_some();
                self.wait().await;
                if connected {
                    return Ok(Heard::Lost);
                }
                continue;
            };
            self.answered = true;
            self.pause = RECONNECT_FIRST;
            if message.event == "gone" {
                return Err(gone(message.data.as_deref().unwrap_or_default()));
            }
            if !message.id.is_empty() {
                self.from.clone_from(&message.id);
            }
            return Ok(match message.data {
                Some(data) => Heard::Event(message.id, data),
                None if message.comment == "caught up" => Heard::CaughtUp(message.id),
                None => Heard::Place(message.id),
            });
        }
    }

    async fn connect(&mut self) -> Result<(), Failure> {
        let mut query = self.query.clone();
        query.push(("from", self.from.clone()));
        match self.server.messages(reqwest::Method::GET, "/api/v1/events/stream", &query).await {
            Ok(messages) => self.messages = Some(messages),
            Err(failure) if failure.exit == Exit::Unreachable && self.answered => {}
            Err(failure) => return Err(failure),
        }
        Ok(())
    }

    async fn wait(&mut self) {
        let (pause, from) = (self.pause, &self.from);
        self.output.tell(&format!("the connection was lost; asking again in {} ms, from {from}", pause.as_millis()));
        // Doubled before the wait, of which this future may not see the end.
        self.pause = (pause * 2).min(RECONNECT_LAST);
        tokio::time::sleep(pause).await;
    }
}

/// How much came while nobody listened.
pub(crate) fn filled(events: u64) -> String {
    match events {
        0 => "nothing came meanwhile".to_owned(),
        1 => "gap filled: 1 event".to_owned(),
        events => format!("gap filled: {events} events"),
    }
}

/// The server said that what comes next is not kept any more.
fn gone(data: &str) -> Failure {
    let document: Value = serde_json::from_str(data).unwrap_or_default();
    let text = |name: &str| document.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    Failure::new(Exit::NotFound, text("error")).remedy(text("try"))
}

impl Which {
    /// As a filter of CloudEvents Subscriptions: what all of the flags let through. None if none is given.
    pub(crate) fn filter(&self) -> Result<Option<Value>, Failure> {
        let mut filter = match &self.filter {
            None => Vec::new(),
            Some(text) => match read_filter(text)? {
                Value::Array(list) => list,
                other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => {
                    vec![other]
                }
            },
        };
        if !self.kinds.is_empty() {
            filter.push(serde_json::json!({"kinds": self.kinds}));
        }
        filter.extend(self.query.as_ref().map(|query| serde_json::json!({"query": query})));
        Ok(Some(filter).filter(|filter| !filter.is_empty()).map(Value::Array))
    }
}

fn read_filter(text: &str) -> Result<Value, Failure> {
    let wrong = |error: &dyn std::fmt::Display| {
        Failure::new(Exit::Usage, format!("--filter cannot be read: {error}"))
            .remedy("JSON such as '[{\"prefix\": {\"type\": \"dev.cdevents.\"}}]', or @FILE")
    };
    let text = match text.strip_prefix('@') {
        Some(file) => std::fs::read_to_string(file).map_err(|error| wrong(&format!("{file}: {error}")))?,
        None => text.to_owned(),
    };
    serde_json::from_str(&text).map_err(|error| wrong(&error))
}
