//! A tool for tests: answers on this machine what it was told to answer, and keeps what it was asked.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use futures_util::future::BoxFuture;
use http::StatusCode;
use serde_json::Value;

/// What it was asked.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) method: String,
    /// Path and query.
    pub(super) path: String,
    pub(super) headers: http::HeaderMap,
    pub(super) body: Value,
}

/// What it answers.
pub(super) enum Reply {
    /// With a status, headers and a body.
    Of(u16, Vec<(&'static str, String)>, String),
    /// The connection breaks after the request was read.
    Break,
    /// No answer ever comes.
    Hang,
}

/// A tool that listens on this machine.
pub(super) struct Stub {
    pub(super) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Reply {
    /// `200` with JSON.
    pub(super) fn json(body: &Value) -> Self {
        Self::status(200, body)
    }

    pub(super) fn status(status: u16, body: &Value) -> Self {
        Self::Of(status, vec![("content-type", "application/json; charset=utf-8".to_owned())], body.to_string())
    }

    pub(super) fn text(status: u16, body: &str) -> Self {
        Self::Of(status, vec![("content-type", "text/plain".to_owned())], body.to_owned())
    }

    pub(super) fn with(self, name: &'static str, value: &str) -> Self {
        match self {
            Self::Of(status, mut headers, body) => {
                headers.push((name, value.to_owned()));
                Self::Of(status, headers, body)
            }
            Self::Break => Self::Break,
            Self::Hang => Self::Hang,
        }
    }
}

impl Stub {
    /// A tool that answers by this function.
    pub(super) async fn start(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        drop(rustls::crypto::ring::default_provider().install_default());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (heard, answer) = (Arc::clone(&asked), Arc::new(answer));
        let router = Router::new().fallback(move |request: Request| -> BoxFuture<'static, Response> {
            let (heard, answer) = (Arc::clone(&heard), Arc::clone(&answer));
            Box::pin(async move {
                let (parts, body) = request.into_parts();
                let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
                let asked = Asked {
                    method: parts.method.to_string(),
                    path: parts.uri.path_and_query().unwrap().to_string(),
                    headers: parts.headers,
                    body: serde_json::from_slice(&body).unwrap_or_default(),
                };
                let reply = answer(&asked);
                heard.lock().unwrap().push(asked);
                response(reply).await
            })
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, asked }
    }

    /// What it was asked so far, and forgets it.
    pub(super) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    /// `POST /chat.postMessage` … of what it was asked so far, and forgets it.
    pub(super) fn calls(&self) -> Vec<String> {
        self.asked().iter().map(|asked| format!("{} {}", asked.method, asked.path)).collect()
    }
}

async fn response(reply: Reply) -> Response {
    match reply {
        Reply::Hang => std::future::pending().await,
        Reply::Of(status, headers, body) => {
            let mut response = Response::builder().status(StatusCode::from_u16(status).unwrap());
            for (name, value) in headers {
                response = response.header(name, value);
            }
            response.body(Body::from(body)).unwrap()
        }
        Reply::Break => {
            let broken = futures_util::stream::once(async { Err::<String, _>(std::io::Error::other("gone")) });
            Response::builder().header("content-length", "10").body(Body::from_stream(broken)).unwrap()
        }
    }
}

/// An address at which nobody listens.
pub(super) async fn nobody() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}
