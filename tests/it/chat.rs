//! A chat tool for the tests: keeps what is posted as the real one would, shows it again with its metadata, and fails in
//! the ways that the real one fails, when told to.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use serde_json::{Value, json};

/// The token that it takes. Nothing of the program may ever show it.
pub(crate) const TOKEN: &str = "xoxb-2718281828-31415926535-aVeryWellKeptSecretOfTests";

/// What is to go wrong with the next call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// 429, come again after so many seconds.
    Busy(u64),
    /// 500, and nothing was done.
    Broken,
    /// 500, though it was done.
    BrokenAfterwards,
    /// 200 with `"ok": false`.
    NotOk(&'static str),
    /// No answer, though it was done.
    Hangs,
}

/// A message as it stands in a channel.
#[derive(Debug, Clone)]
pub(crate) struct Posted {
    pub(crate) channel: String,
    pub(crate) ts: String,
    pub(crate) thread: Option<String>,
    /// The whole request, as last posted or updated.
    pub(crate) body: Value,
    /// How often it was updated.
    pub(crate) updates: usize,
}

#[derive(Debug, Default)]
struct Memory {
    messages: Vec<Posted>,
    /// Method and outcome of every call that writes.
    calls: Vec<String>,
    faults: VecDeque<Fault>,
}

/// The running chat tool.
#[derive(Clone)]
pub(crate) struct Chat {
    url: String,
    memory: Arc<Mutex<Memory>>,
}

impl Chat {
    /// Starts it at a free port of this machine; it ends with the test.
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let chat = Self { url: format!("http://{}", listener.local_addr().unwrap()), memory: Arc::default() };
        let router = Router::new()
            .route("/api/{method}", any(call))
            .route("/webhook/{channel}", any(webhook))
            .with_state(chat.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        chat
    }

    /// Where its methods are.
    pub(crate) fn api(&self) -> String {
        format!("{}/api", self.url)
    }

    /// An incoming webhook of a channel.
    pub(crate) fn webhook(&self, channel: &str) -> String {
        format!("{}/webhook/{channel}", self.url)
    }

    /// What the next calls that write meet, one each.
    pub(crate) fn fails(&self, faults: &[Fault]) {
        self.memory.lock().unwrap().faults.extend(faults);
    }

    /// Everything that stands in channels, threads left out.
    pub(crate) fn messages(&self) -> Vec<Posted> {
        let memory = self.memory.lock().unwrap();
        memory.messages.iter().filter(|message| message.thread.is_none()).cloned().collect()
    }

    /// Everything that stands in threads.
    pub(crate) fn replies(&self) -> Vec<Posted> {
        let memory = self.memory.lock().unwrap();
        memory.messages.iter().filter(|message| message.thread.is_some()).cloned().collect()
    }

    /// Method and outcome of every call that wrote or was to write.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.memory.lock().unwrap().calls.clone()
    }

    fn post(&self, channel: &str, body: Value) -> String {
        let mut memory = self.memory.lock().unwrap();
        let ts = format!("1764000000.{:06}", memory.messages.len() + 1);
        let thread = body["thread_ts"].as_str().map(str::to_owned);
        memory.messages.push(Posted { channel: channel.to_owned(), ts: ts.clone(), thread, body, updates: 0 });
        ts
    }

    fn write(&self, method: &str, body: Value) -> Value {
        // Names and ids of channels are the same channel.
        let channel = body["channel"].as_str().unwrap_or_default().trim_start_matches('#');
        let id = if channel.starts_with("C-") { channel.to_owned() } else { format!("C-{channel}") };
        if method == "chat.postMessage" {
            let ts = self.post(&id, body);
            return json!({"ok": true, "channel": id, "ts": ts, "message": {"ts": ts}});
        }
        let ts = body["ts"].as_str().unwrap_or_default().to_owned();
        let mut memory = self.memory.lock().unwrap();
        match memory.messages.iter_mut().find(|message| message.channel == id && message.ts == ts) {
            Some(message) => {
                message.updates += 1;
                message.body = body;
                json!({"ok": true, "channel": id, "ts": ts})
            }
            None => json!({"ok": false, "error": "message_not_found"}),
        }
    }

    /// As `conversations.history`: newest first, replies left out; with `thread`, as `conversations.replies`.
    fn history(&self, channel: &str, thread: Option<&str>) -> Value {
        let memory = self.memory.lock().unwrap();
        let here = memory.messages.iter().rev().filter(|message| {
            message.channel == channel
                && match thread {
                    None => message.thread.is_none(),
                    Some(ts) => message.ts == ts || message.thread.as_deref() == Some(ts),
                }
        });
        let shown = here.map(|message| {
            json!({
                "type": "message", "ts": message.ts, "text": message.body["text"],
                "metadata": message.body["metadata"], "thread_ts": message.thread,
            })
        });
        json!({"ok": true, "messages": shown.collect::<Vec<_>>(), "has_more": false})
    }

    fn next_fault(&self) -> Option<Fault> {
        self.memory.lock().unwrap().faults.pop_front()
    }

    fn note(&self, method: &str, outcome: &str) {
        self.memory.lock().unwrap().calls.push(format!("{method} {outcome}"));
    }

    /// Does a call that writes, or lets it fail.
    async fn meet(&self, method: &str, work: impl FnOnce() -> Response) -> Response {
        let fault = self.next_fault();
        self.note(method, &fault.map_or_else(|| "done".to_owned(), |fault| format!("{fault:?}")));
        match fault {
            None => work(),
            Some(Fault::Busy(seconds)) => {
                let wait = [(header::RETRY_AFTER, seconds.to_string())];
                (StatusCode::TOO_MANY_REQUESTS, wait, json!({"ok": false, "error": "ratelimited"}).to_string())
                    .into_response()
            }
            Some(Fault::Broken) => (StatusCode::INTERNAL_SERVER_ERROR, "broken").into_response(),
            Some(Fault::BrokenAfterwards) => {
                drop(work());
                (StatusCode::INTERNAL_SERVER_ERROR, "broken").into_response()
            }
            Some(Fault::NotOk(error)) => json_answer(&json!({"ok": false, "error": error})),
            Some(Fault::Hangs) => {
                drop(work());
                // Longer than anybody waits; the test ends before.
                tokio::time::sleep(Duration::from_secs(3_600)).await;
                StatusCode::OK.into_response()
            }
        }
    }
}

fn json_answer(value: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json; charset=utf-8")], value.to_string()).into_response()
}

async fn call(
    State(chat): State<Chat>,
    Path(method): Path<String>,
    Query(query): Query<std::collections::BTreeMap<String, String>>,
    headers: HeaderMap,
    body: String,
) -> Response {
    if headers.get(header::AUTHORIZATION).is_none_or(|value| value != &format!("Bearer {TOKEN}")) {
        return json_answer(&json!({"ok": false, "error": "invalid_auth"}));
    }
    // Methods that read take forms, queries or JSON.
    let body: Value = serde_json::from_str(&body).unwrap_or_else(|_| {
        let form = body.split('&').filter_map(|pair| pair.split_once('='));
        form.map(|(name, value)| (name.to_owned(), Value::from(value))).collect::<serde_json::Map<_, _>>().into()
    });
    let field = |name: &str| body[name].as_str().map(str::to_owned).or_else(|| query.get(name).cloned());
    match method.as_str() {
        "chat.postMessage" | "chat.update" => {
            let work = || json_answer(&chat.write(&method, body.clone()));
            chat.meet(&method, work).await
        }
        "conversations.history" => json_answer(&chat.history(&field("channel").unwrap_or_default(), None)),
        "conversations.replies" => {
            let (channel, ts) = (field("channel").unwrap_or_default(), field("ts").unwrap_or_default());
            json_answer(&chat.history(&channel, Some(&ts)))
        }
        "conversations.list" => {
            let mut names: Vec<String> = chat.messages().iter().map(|message| message.channel.clone()).collect();
            names.sort();
            names.dedup();
            let channels: Vec<_> =
                names.iter().map(|id| json!({"id": id, "name": id.trim_start_matches("C-")})).collect();
            json_answer(&json!({"ok": true, "channels": channels}))
        }
        _ => json_answer(&json!({"ok": false, "error": "unknown_method"})),
    }
}

async fn webhook(State(chat): State<Chat>, Path(channel): Path<String>, body: String) -> Response {
    let body = serde_json::from_str(&body).unwrap_or_default();
    let work = || {
        chat.post(&format!("C-{channel}"), body);
        "ok".into_response()
    };
    chat.meet("webhook", work).await
}
