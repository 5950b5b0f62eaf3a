//! The accept loop: connections with limits that a stock server does not have.
//!
//! Whoever connects has [`HEADER_DEADLINE`] for a first request, and [`IDLE_DEADLINE`] for each that follows; so many
//! connections and no more; stop is heard between requests, and what is in flight is finished within [`STOP_DEADLINE`].

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bus::stop::stopped;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use patience::Patient;

mod first_request;
mod patience;

/// The header of a connection's first request must be complete after this.
pub const HEADER_DEADLINE: Duration = Duration::from_secs(10);

/// After an answer, the header of the next request must be complete after this. Proxies keep connections for a minute and
/// give one that was just closed another request: the server must not be the first that closes it.
pub const IDLE_DEADLINE: Duration = Duration::from_secs(75);

/// Open connections at most. Each holds about 1 kB until it has asked something, and about 17 kB afterwards. Ten thousand
/// clients that dawdle leave room for others.
pub const CONNECTIONS_MAX: usize = 16_384;

/// Largest header of a request, in bytes.
const HEADER_BYTES_MAX: usize = 32 << 10;

/// After a stop, requests in flight have this long.
pub const STOP_DEADLINE: Duration = Duration::from_secs(10);

/// An answer of which nobody takes a byte for so long has no reader: its connection is cut, and with it whatever is kept
/// for that reader.
pub const WRITE_DEADLINE: Duration = Duration::from_secs(30);

/// Pause after the system refuses another connection, so that the loop does not spin while descriptors are short.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts connections until `stop` turns true, then finishes what is in flight.
pub async fn run<S, B>(listener: TcpListener, service: S, mut stop: watch::Receiver<bool>)
where
    S: tower_service_like::Service<B>,
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        // The slot is taken before the connection: a full server leaves the rest in the system's own queue.
        let slot = tokio::select! {
            slot = Arc::clone(&slots).acquire_owned() => slot,
            () = stopped(&mut stop) => break,
        };
        let Ok(slot) = slot else { break };
        let stream = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopped(&mut stop) => break,
        };
        match stream {
            Ok((stream, _)) => {
                let connection = serve(stream, service.clone(), stop.clone());
                connections.spawn(async move {
                    connection.await;
                    drop(slot);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    let open = connections.len();
    let all_done = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(STOP_DEADLINE, all_done).await.is_err() {
        tracing::warn!(open, "connections were still open at the stop deadline and are cut");
    }
}

async fn serve<S, B>(stream: TcpStream, service: S, mut stop: watch::Receiver<bool>)
where
    S: tower_service_like::Service<B>,
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let asked = tokio::select! {
        asked = tokio::time::timeout(HEADER_DEADLINE, first_request::has_come(&stream)) => asked,
        () = stopped(&mut stop) => return,
    };
    match asked {
        // Apart from what waits: whoever asks nothing must not hold room for answers.
        Ok(Ok(())) => Box::pin(answer(stream, service, stop)).await,
        Ok(Err(error)) => tracing::debug!(%error, "connection ended"),
        Err(_) => first_request::refuse(&stream),
    }
}

async fn answer<S, B>(stream: TcpStream, service: S, mut stop: watch::Receiver<bool>)
where
    S: tower_service_like::Service<B>,
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    // Answers are small and each is awaited: waiting to fill a packet only costs time.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "nodelay could not be set");
    }
    let service = hyper::service::service_fn(move |request| {
        let service = service.clone();
        // Apart from the connection, which may wait long for its next request.
        Box::pin(async move { Ok::<_, Infallible>(service.call(request).await) })
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE_DEADLINE)
        .max_buf_size(HEADER_BYTES_MAX.max(64 << 10))
        .serve_connection(TokioIo::new(Patient::new(stream, WRITE_DEADLINE)), service)
        .with_upgrades();
    tokio::pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => log_end(ended),
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            log_end(connection.await);
        }
    }
}

fn log_end(ended: Result<(), hyper::Error>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}

/// What answers requests: any clonable async function.
mod tower_service_like {
    use super::{Incoming, Request, Response};

    pub trait Service<B>: Clone + Send + 'static {
        fn call(self, request: Request<Incoming>) -> impl Future<Output = Response<B>> + Send;
    }

    impl<F, Fut, B> Service<B> for F
    where
        F: Fn(Request<Incoming>) -> Fut + Clone + Send + 'static,
        Fut: Future<Output = Response<B>> + Send,
    {
        fn call(self, request: Request<Incoming>) -> impl Future<Output = Response<B>> + Send {
            self(request)
        }
    }
}
