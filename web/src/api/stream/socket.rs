//! Events over a WebSocket, as the `WebSockets` binding of CloudEvents has it: subprotocol `cloudevents.json`, one
//! structured event in each text frame, and nothing else.
//!
//! A client is sent as many events as it has asked for and no more. It may be closed at any moment: what it has not
//! seen it asks for again with `from`.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{RawQuery, State};
use axum::response::Response;
use bus::stop::stopped;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior};

use super::asked::{self, Asked, Way};
use super::reader::{Next, Reader};
use crate::api::{ApiError, parameter};
use crate::site::App;
use crate::tail::{Tail, Written};

/// The subprotocol: CloudEvents in the JSON format.
const SUBPROTOCOL: &str = "cloudevents.json";

/// Events that a client is sent before it says how many it wants.
const CREDIT_DEFAULT: u64 = 64;

/// Credit does not grow beyond this: a client that asks for ever more gains nothing.
const CREDIT_MAX: u64 = 1_000_000;

/// Clients at once. Each holds one batch of events and the buffers of its connection.
const SOCKETS_MAX: usize = 5_000;

/// Longest message of a client: it says a number.
const MESSAGE_BYTES_MAX: usize = 4 << 10;

/// A ping is sent at least this often, so that three go unanswered before a client counts as gone.
const PING_INTERVAL_MAX: Duration = Duration::from_secs(15);

/// A client that was sent a ping and says nothing for so long is gone.
const SILENCE_MAX: Duration = Duration::from_secs(45);

/// A client that takes no byte of an event for so long is stuck.
const SEND_DEADLINE: Duration = Duration::from_secs(30);

/// Status of a close, from the range for private use: what comes next is not kept any more. As the HTTP status 410.
const GONE: u16 = 4_410;

/// How many clients there may be.
#[derive(Debug, Clone)]
pub(crate) struct Sockets(Arc<Semaphore>);

impl Default for Sockets {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(SOCKETS_MAX)))
    }
}

/// `GET /api/v1/events/ws?credit=64`, and the parameters of the stream of server-sent events.
///
/// A client's message is `{"credit": N}`, which grants N more events, or `{"ack": OFFSET}`, which changes nothing.
pub(in crate::api) async fn events(
    State(app): State<App>,
    (Extension(tail), Extension(sockets)): (Extension<Tail>, Extension<Sockets>),
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let upgrade = upgrade.map_err(|refused| {
        ApiError::new(refused.status(), format!("this address speaks WebSocket: {}", refused.body_text()))
            .remedy("GET /api/v1/events/stream gives the same events as server-sent events")
    })?;
    if !offers(&headers) {
        let refused =
            ApiError::new(StatusCode::BAD_REQUEST, format!("the client does not offer the subprotocol {SUBPROTOCOL}"));
        return Err(refused.remedy(format!("sec-websocket-protocol: {SUBPROTOCOL}")));
    }
    let query = query.as_deref();
    let asked = Asked::read(&app, query, None, Way::Websocket).await?;
    let credit = credit(query)?;
    let slot = Arc::clone(&sockets.0).try_acquire_owned().map_err(|_| {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, format!("{SOCKETS_MAX} clients listen already"))
            .remedy("try again later")
    })?;
    let mut beat = tokio::time::interval(asked.heartbeat.min(PING_INTERVAL_MAX));
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let reader = Reader::new(tail, app.streams, asked.which, asked.position);
    let upgrade = upgrade.protocols([SUBPROTOCOL]).max_message_size(MESSAGE_BYTES_MAX);
    Ok(upgrade.on_upgrade(move |socket| {
        let client = Client { socket, reader, credit, beat, heard: Instant::now(), stop: app.stop, _slot: slot };
        client.run()
    }))
}

fn offers(headers: &HeaderMap) -> bool {
    let offered = headers.get_all("sec-websocket-protocol").into_iter().filter_map(|value| value.to_str().ok());
    offered.flat_map(|line| line.split(',')).any(|one| one.trim() == SUBPROTOCOL)
}

fn credit(query: Option<&str>) -> Result<u64, ApiError> {
    let Some(text) = parameter(query, "credit") else { return Ok(CREDIT_DEFAULT) };
    text.parse().map(|credit: u64| credit.min(CREDIT_MAX)).map_err(|_| {
        ApiError::new(StatusCode::BAD_REQUEST, format!("credit={text:?} is not a whole number"))
            .remedy("how many events may be sent before the client grants more")
    })
}

/// What a client says. The acknowledgement is for clients that keep to a habit: they keep their place themselves.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    #[serde(default)]
    credit: u64,
    #[serde(default)]
    #[expect(dead_code, reason = "taken so that it is no error")]
    ack: Option<i64>,
}

/// One client.
struct Client {
    socket: WebSocket,
    reader: Reader,
    /// So many events more may be sent.
    credit: u64,
    beat: Interval,
    /// When it was last heard of.
    heard: Instant,
    stop: watch::Receiver<bool>,
    _slot: OwnedSemaphorePermit,
}

/// Why a client is closed, as the close frame says it.
type Close = (u16, String);

impl Client {
    async fn run(mut self) {
        let why = loop {
            match self.step().await {
                ControlFlow::Continue(()) => {}
                ControlFlow::Break(why) => break why,
            }
        };
        if let Some((code, reason)) = why {
            // Whoever is gone cannot be told why.
            drop(self.send(Message::Close(Some(CloseFrame { code, reason: reason.into() }))).await);
        }
    }

    /// One thing that happens. Breaks with what to close with; with none if the client has left.
    async fn step(&mut self) -> ControlFlow<Option<Close>> {
        tokio::select! {
            biased;
            () = stopped(&mut self.stop) => {
                ControlFlow::Break(Some((close_code::AWAY, "the server stops".to_owned())))
            }
            message = self.socket.recv() => match message {
                Some(Ok(message)) => self.hear(&message),
                Some(Err(_)) | None => ControlFlow::Break(None),
            },
            _ = self.beat.tick() => {
                if self.heard.elapsed() > SILENCE_MAX {
                    return ControlFlow::Break(Some((close_code::POLICY, "no pong".to_owned())));
                }
                self.send(Message::Ping(axum::body::Bytes::new())).await
            }
            next = self.reader.next(), if self.credit > 0 => match next {
                Ok(Some(Next::Event(event))) => self.tell(&event).await,
                Ok(Some(Next::CaughtUp)) => ControlFlow::Continue(()),
                Ok(Some(Next::Gone(oldest))) => ControlFlow::Break(Some((GONE, asked::gone_words(oldest)))),
                Ok(None) => ControlFlow::Break(Some((close_code::AWAY, "the log is closed".to_owned()))),
                Err(error) => {
                    tracing::warn!(?error, "a WebSocket ended");
                    ControlFlow::Break(Some((close_code::ERROR, "the log cannot be read".to_owned())))
                }
            },
        }
    }

    fn hear(&mut self, message: &Message) -> ControlFlow<Option<Close>> {
        self.heard = Instant::now();
        match message {
            Message::Text(text) => match serde_json::from_str::<Said>(text.as_str()) {
                Ok(said) => {
                    self.credit = self.credit.saturating_add(said.credit).min(CREDIT_MAX);
                    ControlFlow::Continue(())
                }
                Err(_) => {
                    let reason = "a message of a client is {\"credit\": N} or {\"ack\": OFFSET}".to_owned();
                    ControlFlow::Break(Some((close_code::POLICY, reason)))
                }
            },
            Message::Binary(_) => {
                ControlFlow::Break(Some((close_code::UNSUPPORTED, "only text is understood".to_owned())))
            }
            Message::Ping(_) | Message::Pong(_) => ControlFlow::Continue(()),
            Message::Close(_) => ControlFlow::Break(None),
        }
    }

    async fn tell(&mut self, event: &Written) -> ControlFlow<Option<Close>> {
        let Ok(text) = Utf8Bytes::try_from(event.json()) else {
            return ControlFlow::Break(Some((close_code::ERROR, "an event cannot be written".to_owned())));
        };
        self.credit -= 1;
        self.send(Message::Text(text)).await
    }

    async fn send(&mut self, message: Message) -> ControlFlow<Option<Close>> {
        match tokio::time::timeout(SEND_DEADLINE, self.socket.send(message)).await {
            Ok(Ok(())) => ControlFlow::Continue(()),
            // It left, or takes nothing: there is nobody to tell.
            Ok(Err(_)) | Err(_) => ControlFlow::Break(None),
        }
    }
}
