//! Tests of the way out: what may be reached in all its disguises, and that only what was checked is connected to.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;

use futures_util::future::BoxFuture;
use proptest::prelude::*;

use super::connect::{Wire, is_own};
use super::*;

mod allowing;
mod rebinding;

/// A network where names lead to what the test says and nobody is reached, except a listener on this machine in the
/// place of every address of it.
struct Fake<F> {
    resolve: F,
    /// What was connected to.
    dialled: Mutex<Vec<SocketAddr>>,
    canary: Option<SocketAddr>,
}

impl<F: Fn(&str) -> Vec<IpAddr> + Send + Sync> Fake<F> {
    fn new(resolve: F) -> Arc<Self> {
        Arc::new(Self { resolve, dialled: Mutex::new(Vec::new()), canary: None })
    }

    fn dialled(&self) -> Vec<SocketAddr> {
        std::mem::take(&mut self.dialled.lock().unwrap())
    }
}

impl<F: Fn(&str) -> Vec<IpAddr> + Send + Sync> Network for Fake<F> {
    fn resolve<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async move { Ok((self.resolve)(name)) })
    }

    fn dial(&self, address: SocketAddr) -> BoxFuture<'_, io::Result<Wire>> {
        self.dialled.lock().unwrap().push(address);
        Box::pin(async move {
            match self.canary {
                Some(canary) if address.ip().to_canonical().is_loopback() => {
                    Ok(Box::new(tokio::net::TcpStream::connect(canary).await?) as Wire)
                }
                Some(_) | None => Err(io::Error::other("nobody is there")),
            }
        })
    }
}

fn limits() -> Limits {
    Limits { total: Duration::from_secs(15), body_bytes_max: 1_000 }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

async fn failed(egress: &Egress, url: &str) -> Failure {
    let request = Request::post(guard::address(url).unwrap()).body(Bytes::new()).unwrap();
    egress.send(request, limits()).await.outcome.unwrap_err()
}

#[tokio::test]
async fn every_disguise_of_an_address_is_seen_through() {
    let path = format!("{}/testdata/egress/urls.json", env!("CARGO_MANIFEST_DIR"));
    let rows: Vec<(String, String, String)> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert!(rows.len() > 300);
    let leads_to = Arc::new(Mutex::new(ip("0.0.0.0")));
    let led_to = Arc::clone(&leads_to);
    let network = Fake::new(move |_: &str| vec![*led_to.lock().unwrap()]);
    let egress = Egress::over(Arc::clone(&network) as _, Settings::default()).unwrap();
    for (verdict, address, url) in rows {
        if verdict == "refused" {
            assert!(egress.check(&url).is_err(), "{url:?} is let through");
            continue;
        }
        let address = ip(&address);
        *leads_to.lock().unwrap() = address;
        egress.check(&url).unwrap_or_else(|refused| panic!("{url:?}: {refused}"));
        let failure = failed(&egress, &url).await;
        let dialled: Vec<IpAddr> = network.dialled().iter().map(SocketAddr::ip).collect();
        if verdict == "resolved" {
            assert!(matches!(failure, Failure::Refused(Refused::Address(_))), "{url:?}: {failure}");
            assert!(dialled.is_empty(), "{url:?} was connected to");
        } else {
            assert_eq!(failure, Failure::NoConnection("nobody is there".to_owned()), "{url:?}");
            assert_eq!(dialled, [address], "{url:?}");
        }
    }
}

#[tokio::test]
async fn a_request_that_nobody_checked_before_is_checked_all_the_same() {
    let network = Fake::new(|_: &str| vec![ip("93.184.215.14")]);
    let egress = Egress::over(Arc::clone(&network) as _, Settings::default()).unwrap();
    for url in
        ["https://127.0.0.1/", "https://[::1]/", "http://example.com/", "https://a@example.com/", "https://a.:443/"]
    {
        let request = Request::get(url).body(Bytes::new()).unwrap();
        let failure = egress.send(request, limits()).await.outcome.unwrap_err();
        assert!(matches!(failure, Failure::Refused(_)), "{url}: {failure}");
    }
    let relative = Request::get("/path").body(Bytes::new()).unwrap();
    assert_eq!(egress.send(relative, limits()).await.outcome.unwrap_err(), Failure::Refused(Refused::NotAnAddress));
    assert_eq!(network.dialled(), []);
}

#[tokio::test]
async fn of_a_names_addresses_only_those_of_the_internet_are_tried_one_after_the_other() {
    let found = ["127.0.0.1", "93.184.215.14", "::1", "2606:4700:4700::1111", "10.0.0.1"].map(ip);
    let network = Fake::new(move |_: &str| found.to_vec());
    let egress = Egress::over(Arc::clone(&network) as _, Settings::default()).unwrap();
    assert_eq!(failed(&egress, "https://example.com/").await, Failure::NoConnection("nobody is there".to_owned()));
    assert_eq!(
        network.dialled(),
        [SocketAddr::new(ip("93.184.215.14"), 443), SocketAddr::new(ip("2606:4700:4700::1111"), 443)]
    );

    let network = Fake::new(|_: &str| (0..100).map(|last| IpAddr::from([8, 8, 8, last])).collect());
    let egress = Egress::over(Arc::clone(&network) as _, Settings::default()).unwrap();
    failed(&egress, "https://example.com/").await;
    assert_eq!(network.dialled().len(), 6, "not as many as somebody puts into an answer");
}

#[tokio::test]
async fn a_name_without_addresses_is_not_found() {
    let egress = Egress::over(Fake::new(|_: &str| Vec::new()), Settings::default()).unwrap();
    insta::assert_snapshot!(failed(&egress, "https://example.com/").await, @"no connection: the name has no address");
}

#[test]
fn a_refusal_says_what_to_do_and_nothing_of_the_inner_network() {
    let egress = Egress::new(Settings::default()).unwrap();
    let refused = |url: &str| egress.check(url).unwrap_err().to_string();
    insta::assert_snapshot!(refused("http://example.com"), @"http:// is not allowed: use https://");
    insta::assert_snapshot!(refused("https://example.com:8080"), @"port 8080 is not allowed: use 443 or 8443");
    insta::assert_snapshot!(refused("https://169.254.169.254/"), @"the address is link-local (169.254.0.0/16), where clouds keep their metadata, which is not allowed");
    insta::assert_snapshot!(refused("https://a..b/"), @r#"the host "a..b" is neither a full name nor an address of its usual form"#);
    insta::assert_snapshot!(refused("https://a:b@c/"), @"there is a user name or a password in the address: take it out");
    insta::assert_snapshot!(refused("hooks"), @"this is no address: give one like https://hooks.acme.example/devhose");
}

#[test]
fn this_machines_own_addresses_are_known_without_asking_anybody() {
    assert!(is_own(ip("127.0.0.1")));
    assert!(!is_own(ip("192.0.2.1")), "an address that nobody has");
}

#[test]
fn what_cannot_be_trusted_is_no_authority() {
    let settings = Settings {
        authorities: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned(),
        ..Settings::default()
    };
    assert!(matches!(Egress::new(settings), Err(EgressError::Encryption(_))));
}

proptest! {
    #[test]
    fn what_the_standard_library_calls_special_is_never_global(bits in any::<u32>()) {
        let address = std::net::Ipv4Addr::from_bits(bits);
        let special = address.is_private() || address.is_loopback() || address.is_link_local() || address.is_multicast()
            || address.is_broadcast() || address.is_documentation() || address.is_unspecified();
        prop_assert!(!special || address::special(address.into()).is_some(), "{address}");
        let mapped = address.to_ipv6_mapped();
        prop_assert!(address::special(mapped.into()).is_some(), "{mapped}");
    }

    #[test]
    fn nothing_that_somebody_writes_panics_or_leads_inside(text in "(https?://)?.*") {
        if let Ok(uri) = guard::address(&text) {
            let target = Target::of(&uri).unwrap();
            if let guard::Host::Address(address) = target.host {
                let admitted = Guard::default().check(&target).is_ok();
                prop_assert_eq!(admitted && address::special(address).is_some(), false);
            }
        }
    }

    #[test]
    fn every_spelling_of_a_number_is_the_same_address(bits in any::<u32>()) {
        let address = std::net::Ipv4Addr::from_bits(bits);
        let [a, b, c, d] = address.octets();
        let spellings = [
            format!("{bits}"), format!("{bits:#x}"), format!("0{bits:o}"), format!("{a}.{b}.{c}.{d}."),
            format!("{a:#x}.0{b:o}.{c}.{d}"), format!("{a}.{}", bits & 0x00ff_ffff), format!("{a}.{b}.{}", bits & 0xffff),
        ];
        for spelling in spellings {
            let uri = guard::address(&format!("https://{spelling}/")).unwrap();
            prop_assert_eq!(Target::of(&uri).unwrap().host, guard::Host::Address(address.into()));
        }
    }
}
