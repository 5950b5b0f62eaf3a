//! An endpoint on this machine, below any library: it answers bytes, so that it can answer badly.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;

/// A condition that takes longer will never come.
const DEADLINE: Duration = Duration::from_secs(20);

/// A request as it came.
#[derive(Debug, Clone)]
pub(super) struct Heard {
    pub(super) line: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

/// What it does after a request.
pub(super) enum Reply {
    /// Answers these bytes.
    Bytes(Vec<u8>),
    /// Answers these bytes and then others for ever, as fast as they are taken.
    Flood(Vec<u8>),
    /// Answers these bytes and then one more now and then.
    Drip(Vec<u8>),
    /// Never answers.
    Hang,
    /// Closes the connection.
    Close,
}

pub(super) struct Receiver {
    pub(super) url: String,
    heard: Arc<Mutex<Vec<Heard>>>,
    connections: Arc<AtomicUsize>,
}

impl Heard {
    pub(super) fn header(&self, name: &str) -> &str {
        let mut named = self.headers.iter().filter(|(other, _)| other == name);
        let value = named.next().unwrap_or_else(|| panic!("no header {name} in {:?}", self.headers)).1.as_str();
        assert_eq!(named.next(), None, "{name} came twice");
        value
    }
}

impl Reply {
    pub(super) fn ok(body: &str) -> Self {
        Self::with(200, &[], body)
    }

    pub(super) fn with(status: u16, headers: &[(&str, &str)], body: &str) -> Self {
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let length = if status == 204 { String::new() } else { format!("content-length: {}\r\n", body.len()) };
        Self::Bytes(format!("HTTP/1.1 {status} Any\r\n{headers}{length}\r\n{body}").into_bytes())
    }
}

impl Receiver {
    pub(super) async fn start(reply: impl Fn(&Heard) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (heard, connections) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
        let (reply, hears, counts) = (Arc::new(reply), Arc::clone(&heard), Arc::clone(&connections));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                counts.fetch_add(1, Ordering::Relaxed);
                let (reply, hears) = (Arc::clone(&reply), Arc::clone(&hears));
                tokio::spawn(async move { serve(stream, &*reply, &hears).await });
            }
        });
        Self { url, heard, connections }
    }

    pub(super) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    /// Connections that were accepted so far.
    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    pub(super) fn port(&self) -> String {
        self.url.rsplit(':').next().unwrap().to_owned()
    }
}

/// Answers requests on one connection until it is closed.
pub(super) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    reply: &(impl Fn(&Heard) -> Reply + ?Sized),
    hears: &Mutex<Vec<Heard>>,
) -> Option<()> {
    loop {
        let heard = hear(&mut stream).await?;
        let reply = reply(&heard);
        hears.lock().unwrap().push(heard);
        match reply {
            Reply::Bytes(bytes) => stream.write_all(&bytes).await.ok()?,
            Reply::Flood(bytes) => {
                stream.write_all(&bytes).await.ok()?;
                loop {
                    stream.write_all(&[b'x'; 16 << 10]).await.ok()?;
                }
            }
            Reply::Drip(bytes) => {
                stream.write_all(&bytes).await.ok()?;
                loop {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    stream.write_all(b"x").await.ok()?;
                }
            }
            Reply::Hang => std::future::pending().await,
            Reply::Close => return None,
        }
    }
}

async fn hear<S: AsyncRead + Unpin>(stream: &mut S) -> Option<Heard> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        // What does not begin with a method is no request.
        if stream.read_buf(&mut bytes).await.ok()? == 0 || !bytes[0].is_ascii_uppercase() {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let line = lines.next().unwrap().to_owned();
    let pair = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap();
    let headers: Vec<_> = lines.map(pair).collect();
    let length = headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, text)| text.parse().unwrap());
    let mut body = bytes.split_off(end + 4);
    while body.len() < length {
        stream.read_buf(&mut body).await.ok()?;
    }
    Some(Heard { line, headers, body: String::from_utf8(body).unwrap() })
}

/// Host and port at which nobody listens.
pub(super) async fn nobody() -> String {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string()
}

/// Waits until the condition holds.
pub(super) async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < DEADLINE, "{what}: not within {DEADLINE:?}");
        tokio::task::yield_now().await;
    }
}
