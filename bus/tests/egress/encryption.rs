//! Endpoints whose certificates are good and bad: a bad one is a failed delivery, before anything is sent.

use std::sync::{Arc, Mutex};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::authority::{Authority, Certificate};
use super::receiver::{Heard, serve};
use super::*;

/// An endpoint with this certificate; its port, and what it heard.
async fn endpoint(certificate: &Certificate) -> (u16, Arc<Mutex<Vec<Heard>>>) {
    let chain = CertificateDer::pem_slice_iter(certificate.chain.as_bytes()).collect::<Result<_, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_slice(certificate.key.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(chain, key).unwrap();
    let (acceptor, listener) = (TlsAcceptor::from(Arc::new(config)), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let (port, heard) = (listener.local_addr().unwrap().port(), Arc::new(Mutex::new(Vec::new())));
    let hears = Arc::clone(&heard);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (acceptor, hears) = (acceptor.clone(), Arc::clone(&hears));
            tokio::spawn(async move {
                let stream = acceptor.accept(stream).await.ok()?;
                serve(stream, &|_: &Heard| Reply::ok("in private"), &hears).await
            });
        }
    });
    (port, heard)
}

fn trusting(authority: &Authority) -> Webhooks {
    Webhooks::new(Egress::new(Settings { authorities: authority.certificate(), ..settings() }).unwrap())
}

#[tokio::test]
async fn an_endpoint_that_an_authority_of_the_operators_vouches_for_is_trusted() {
    let authority = Authority::new();
    let (port, heard) = endpoint(&authority.issue("localhost", 2)).await;
    let attempted = deliver(&trusting(&authority), &format!("https://localhost:{port}/")).await;
    assert_eq!(attempted.error, None);
    assert_eq!(attempted.response.unwrap().body, "in private");
    assert_eq!(heard.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn an_endpoint_that_nobody_vouches_for_hears_nothing() {
    let authority = Authority::new();
    let unencrypted = Receiver::start(|_| Reply::ok("")).await;
    let untrusted = {
        let (port, heard) = endpoint(&authority.issue("localhost", 2)).await;
        let words = failure(&webhooks(), &format!("https://localhost:{port}/")).await;
        assert_eq!(heard.lock().unwrap().len(), 0);
        words
    };
    insta::assert_snapshot!(untrusted, @"no connection: no encryption: invalid peer certificate: UnknownIssuer");
    for (host, days, why) in [("other.example", 2, "not valid for name"), ("localhost", -1, "certificate")] {
        let (port, heard) = endpoint(&authority.issue(host, days)).await;
        let words = failure(&trusting(&authority), &format!("https://localhost:{port}/")).await;
        assert!(words.starts_with("no connection: no encryption: ") && words.contains(why), "{words}");
        assert_eq!(heard.lock().unwrap().len(), 0);
    }
    let words = failure(&trusting(&authority), &unencrypted.url.replace("http:", "https:")).await;
    assert!(words.starts_with("no connection: "), "{words}");
    assert_eq!(unencrypted.heard().len(), 0);
}
