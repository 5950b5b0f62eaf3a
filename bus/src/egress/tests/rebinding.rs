//! Names that change where they lead between two questions.

use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

const ATTEMPTS_OF_ONE: usize = 10_000;

/// A listener on this machine that nobody may reach.
struct Canary(TcpListener);

impl Canary {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    /// Connections that were made so far: the system holds them until somebody accepts.
    fn reached(&self) -> usize {
        std::iter::from_fn(|| self.0.accept().ok()).count()
    }
}

fn canary_network(
    canary: &Canary,
    resolve: impl Fn(&str) -> Vec<IpAddr> + Send + Sync + 'static,
) -> Arc<Fake<impl Fn(&str) -> Vec<IpAddr> + Send + Sync + 'static>> {
    let canary = canary.0.local_addr().unwrap();
    Arc::new(Fake { resolve, dialled: Mutex::new(Vec::new()), canary: Some(canary) })
}

#[tokio::test]
async fn a_name_that_alternates_between_the_internet_and_this_machine_never_reaches_it() {
    let canary = Canary::start();
    let inside = ["127.0.0.1", "::1", "::ffff:127.0.0.1", "127.1.2.3", "64:ff9b::7f00:1"].map(ip);
    let questions = AtomicUsize::new(0);
    let network = canary_network(&canary, move |_| {
        let turn = questions.fetch_add(1, Ordering::Relaxed);
        match turn % 4 {
            0 => vec![ip("93.184.215.14")],
            1 => vec![ip("93.184.215.14"), inside[turn / 4 % inside.len()]],
            _ => vec![inside[turn / 4 % inside.len()]],
        }
    });
    let egress = Egress::over(Arc::clone(&network) as _, Settings::default()).unwrap();
    let (mut refused, mut public) = (0, 0);
    for _ in 0..ATTEMPTS_OF_ONE {
        match failed(&egress, "https://rebinding.example/").await {
            Failure::Refused(_) => refused += 1,
            Failure::NoConnection(_) => public += 1,
            other @ (Failure::NoConnectionInTime | Failure::Broken(_) | Failure::NoAnswerInTime) => panic!("{other}"),
        }
    }
    assert_eq!(canary.reached(), 0);
    assert!(network.dialled().iter().all(|address| address.ip() == ip("93.184.215.14")));
    assert_eq!((refused, public), (ATTEMPTS_OF_ONE / 2, ATTEMPTS_OF_ONE / 2), "both were met");
}

#[tokio::test]
async fn the_canary_is_reached_by_whom_the_operator_allows() {
    let canary = Canary::start();
    let network = canary_network(&canary, |_| vec![ip("127.0.0.1")]);
    let allow = AllowList::parse(["127.0.0.1/32"]).unwrap();
    let egress = Egress::over(network, Settings { allow, ..Settings::default() }).unwrap();
    let request = Request::get("http://anything.example/").body(Bytes::new()).unwrap();
    let short = Limits { total: Duration::from_millis(50), body_bytes_max: 0 };
    assert_eq!(egress.send(request, short).await.outcome.unwrap_err(), Failure::NoAnswerInTime, "it never answers");
    assert_eq!(canary.reached(), 1);
}
