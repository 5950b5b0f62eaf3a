//! The one place where connections to others are opened: a name is resolved, each address it leads to is checked, and
//! only a checked address is connected to. A literal address goes the same way.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tower::Service;

use super::CONNECT_TIMEOUT;
use super::guard::{Guard, Host, Refused, Target};

/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 6;

/// Names that are being resolved at once: each takes a thread until the system answers, even if nobody waits any more.
const LOOKUPS_MAX: usize = 64;

/// What connections are made of; a test puts its own in its place.
pub(super) trait Network: Send + Sync {
    /// The addresses that a name leads to.
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>>;

    /// Connects to an address.
    fn dial(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<Wire>>;
}

/// A connection's two directions.
pub(super) type Wire = Box<dyn Duplex>;

/// What can be read from and written to.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// The network of this machine.
pub(super) struct System {
    lookups: Arc<Semaphore>,
}

impl Default for System {
    fn default() -> Self {
        Self { lookups: Arc::new(Semaphore::new(LOOKUPS_MAX)) }
    }
}

impl Network for System {
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let permit = Arc::clone(&self.lookups).acquire_owned().await.map_err(io::Error::other)?;
            let name = name.to_owned();
            let looked_up = tokio::task::spawn_blocking(move || {
                let _until_answered = permit;
                (name, 0).to_socket_addrs().map(|found| found.map(|address| address.ip()).collect())
            });
            looked_up.await.map_err(io::Error::other)?
        })
    }

    fn dial(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<Wire>> {
        Box::pin(async move {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Wire)
        })
    }
}

/// When a connection was begun, and how long its parts took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opened {
    pub(super) begun: Instant,
    pub(super) resolve: Option<Duration>,
    pub(super) connect: Option<Duration>,
}

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unconnected {
    #[error("{0}")]
    Refused(Refused),
    #[error("{0}")]
    Broken(String),
    #[error("no connection within {} s", CONNECT_TIMEOUT.as_secs())]
    TimedOut,
}

/// No connection, and how long it took to find out.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub(super) struct NotOpened {
    pub(super) why: Unconnected,
    pub(super) opened: Opened,
}

/// Opens connections that the guard admits.
#[derive(Clone)]
pub(super) struct Connector {
    inner: Arc<Inner>,
}

struct Inner {
    guard: Arc<Guard>,
    network: Arc<dyn Network>,
    tls: TlsConnector,
}

impl Connector {
    pub(super) fn new(guard: Arc<Guard>, network: Arc<dyn Network>, tls: Arc<ClientConfig>) -> Self {
        Self { inner: Arc::new(Inner { guard, network, tls: TlsConnector::from(tls) }) }
    }
}

impl Service<Uri> for Connector {
    type Response = Open;
    type Error = NotOpened;
    type Future = BoxFuture<'static, Result<Open, NotOpened>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), NotOpened>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move {
            let mut opened = Opened { begun: Instant::now(), resolve: None, connect: None };
            match inner.open(&uri, &mut opened).await {
                Ok(wire) => Ok(Open { io: TokioIo::new(wire), opened }),
                Err(why) => Err(NotOpened { why, opened }),
            }
        })
    }
}

impl Inner {
    async fn open(&self, uri: &Uri, opened: &mut Opened) -> Result<Wire, Unconnected> {
        let target = Target::of(uri).map_err(Unconnected::Refused)?;
        self.guard.check(&target).map_err(Unconnected::Refused)?;
        let deadline = opened.begun + CONNECT_TIMEOUT;
        let found = match &target.host {
            Host::Address(address) => vec![*address],
            Host::Name(name) => {
                let found = timeout_at(deadline, self.network.resolve(name)).await;
                opened.resolve = Some(opened.begun.elapsed());
                let found = found.map_err(|_| Unconnected::TimedOut)?;
                found.map_err(|error| Unconnected::Broken(format!("the name is not found: {error}")))?
            }
        };
        let admitted = self.admitted(&target, &found)?;
        let resolved = Instant::now();
        let wire = timeout_at(deadline, self.reach(&target, &admitted, deadline)).await;
        opened.connect = Some(resolved.elapsed());
        wire.map_err(|_| Unconnected::TimedOut)?
    }

    /// The addresses that may be connected to.
    fn admitted(&self, target: &Target, found: &[IpAddr]) -> Result<Vec<SocketAddr>, Unconnected> {
        let mut admitted = Vec::new();
        let mut refused = None;
        for address in found {
            match self.admit(target, *address) {
                Ok(()) => admitted.push(SocketAddr::new(*address, target.port)),
                Err(why) => refused = Some(why),
            }
        }
        admitted.truncate(ADDRESSES_MAX);
        match refused {
            Some(why) if admitted.is_empty() => Err(Unconnected::Refused(why)),
            None if admitted.is_empty() => Err(Unconnected::Broken("the name has no address".to_owned())),
            Some(_) | None => Ok(admitted),
        }
    }

    fn admit(&self, target: &Target, address: IpAddr) -> Result<(), Refused> {
        self.guard.admit(target, address)?;
        if !self.guard.vouched(target, address) && is_own(address) {
            return Err(Refused::Address("of this machine"));
        }
        Ok(())
    }

    /// Connects to the first address that answers, each having its share of the time.
    async fn reach(&self, target: &Target, addresses: &[SocketAddr], deadline: Instant) -> Result<Wire, Unconnected> {
        let mut last = Unconnected::TimedOut;
        for (index, address) in addresses.iter().enumerate() {
            let left = u32::try_from(addresses.len() - index).unwrap_or(1);
            let share = deadline.saturating_duration_since(Instant::now()) / left;
            last = match timeout_at(Instant::now() + share, self.network.dial(*address)).await {
                Ok(Ok(wire)) if target.secure => return self.encrypt(target, wire).await,
                Ok(Ok(wire)) => return Ok(wire),
                Ok(Err(error)) => Unconnected::Broken(error.to_string()),
                Err(_) => Unconnected::TimedOut,
            };
        }
        Err(last)
    }

    async fn encrypt(&self, target: &Target, wire: Wire) -> Result<Wire, Unconnected> {
        let broken = |words: String| Unconnected::Broken(format!("no encryption: {words}"));
        let name = match &target.host {
            Host::Address(address) => ServerName::from(*address),
            Host::Name(name) => ServerName::try_from(name.clone()).map_err(|error| broken(error.to_string()))?,
        };
        let encrypted = self.tls.connect(name, wire).await;
        encrypted.map(|stream| Box::new(stream) as Wire).map_err(|error| broken(error.to_string()))
    }
}

/// Whether an address is one of this machine's own: then what is sent there leaves from there. A datagram socket tells
/// without sending anything.
pub(super) fn is_own(address: IpAddr) -> bool {
    let any: IpAddr = match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let from = || -> io::Result<IpAddr> {
        let socket = UdpSocket::bind((any, 0))?;
        socket.connect((address, 443))?;
        Ok(socket.local_addr()?.ip())
    };
    // No way there is no way to oneself either.
    from().is_ok_and(|from| from == address)
}

/// An open connection.
pub(super) struct Open {
    io: TokioIo<Wire>,
    opened: Opened,
}

impl Connection for Open {
    fn connected(&self) -> Connected {
        Connected::new().extra(self.opened)
    }
}

impl Read for Open {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, into)
    }
}

impl Write for Open {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bytes)
    }
}
