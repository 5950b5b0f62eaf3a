//! Brokers that want to know who asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bus::storage::{Sasl, Tls};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

const USER: &str = "devhose";

fn user() -> String {
    USER.to_owned()
}

fn password() -> String {
    "devhose-secret".to_owned()
}

/// An installation whose deliveries and events go through as that user.
async fn goes_through(broker: &Broker, sasl: Sasl, prefix: Option<&str>) {
    let mut installation = Installation::at(broker).await;
    installation.kafka.security.sasl = Some(sasl);
    if let Some(prefix) = prefix {
        installation.kafka.prefix = prefix.to_owned();
    }
    carries_a_delivery(installation).await;
}

async fn carries_a_delivery(installation: Installation) {
    let process = installation.start().await;
    let id = uuid::Uuid::new_v4();
    process.streams.append(delivery(id, "{}")).await.unwrap();
    let source = "forge/acme".parse().unwrap();
    let id = id.to_string().parse().unwrap();
    until("the delivery arrives", async || process.streams.delivery_by_id(&source, &id).await.unwrap().is_some()).await;
    process.stop().await;
    installation.remove().await;
}

/// A token endpoint as RFC 6749 has it, whose tokens the broker takes without a signature.
async fn token_endpoint() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/token", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    drop(tokio::spawn(async move {
        loop {
            let (mut connection, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !String::from_utf8_lossy(&request).contains("&scope=kafka%20write") {
                let mut part = [0; 4_096];
                let read = connection.read(&mut part).await.unwrap();
                assert!(read > 0, "{}", String::from_utf8_lossy(&request));
                request.extend_from_slice(&part[..read]);
            }
            let request = String::from_utf8(request).unwrap().to_lowercase();
            // `devhose:it%27s` in base64.
            assert!(request.contains("authorization: basic zgv2ag9zztppdcuyn3m="), "{request}");
            assert!(request.contains("grant_type=client_credentials"), "{request}");
            counted.fetch_add(1, Ordering::Relaxed);
            let body = format!("{{\"access_token\":\"{}\",\"token_type\":\"Bearer\",\"expires_in\":60}}", token());
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
            let answer = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
            connection.write_all(answer.as_bytes()).await.unwrap();
        }
    }));
    (address, asked)
}

fn token() -> String {
    let now = chrono::Utc::now().timestamp();
    let claims = format!("{{\"sub\":\"{USER}\",\"iat\":{now},\"exp\":{}}}", now + 60);
    let encoded = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.", encoded("{\"alg\":\"none\"}"), encoded(&claims))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn brokers_are_reached_by_every_way_of_saying_who_asks() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let broker = Broker::own(&["--sasl"]).await;
    goes_through(&broker, Sasl::Plain { user: user(), password: password() }, Some("sasl")).await;
    goes_through(&broker, Sasl::ScramSha256 { user: user(), password: password() }, None).await;
    goes_through(&broker, Sasl::ScramSha512 { user: user(), password: password() }, None).await;

    let mut wrong = Installation::at(&broker).await;
    wrong.kafka.security.sasl = Some(Sasl::Plain { user: user(), password: "guessed".to_owned() });
    let refused = wrong.open().await.unwrap_err().to_string();
    assert!(refused.contains("cannot be used"), "{refused}");
    wrong.remove().await;

    let (token_endpoint, asked) = token_endpoint().await;
    let by_token = Sasl::OauthBearer {
        token_endpoint,
        client_id: user(),
        client_secret: "it's".to_owned(),
        scope: Some("kafka write".to_owned()),
    };
    // Topics of its own it could not make.
    goes_through(&broker, by_token.clone(), Some("sasl")).await;
    assert!(asked.load(Ordering::Relaxed) >= 2, "the producer and the consumer ask for tokens");
    let mut missing = Installation::at(&broker).await;
    missing.kafka.security.sasl = Some(by_token);
    let refused = missing.open().await.unwrap_err().to_string();
    assert!(refused.contains("with OAUTHBEARER topics are not made by the program"), "{refused}");
    missing.remove().await;
}

#[tokio::test]
async fn a_secret_is_not_sent_in_the_clear() {
    let broker = Broker::shared();
    let mut installation = Installation::at(&broker).await;
    installation.kafka.security.sasl = Some(Sasl::OauthBearer {
        token_endpoint: "http://login.example/token".to_owned(),
        client_id: user(),
        client_secret: password(),
        scope: None,
    });
    let refused = installation.open().await.unwrap_err().to_string();
    assert!(refused.contains("must begin with https"), "{refused}");
    installation.remove().await;
}

/// What is said of a broker that cannot be trusted or does not trust.
async fn refused(broker: &Broker, address: &str, tls: Tls) {
    let mut installation = Installation::at(broker).await;
    installation.kafka.brokers = vec![address.to_owned()];
    installation.kafka.security.tls = Some(tls);
    let refused = installation.open().await.unwrap_err().to_string();
    assert!(refused.contains("cannot be used"), "{refused}");
    installation.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn brokers_with_certificates_are_reached_and_others_are_not() {
    let broker = Broker::own(&["--tls"]).await;
    let file = |name: &str| Some(broker.path().join(name));
    let own = Tls { ca_file: file("ca.pem"), certificate_file: file("client.pem"), key_file: file("client.key") };
    let mut installation = Installation::at(&broker).await;
    installation.kafka.security.tls = Some(own.clone());
    carries_a_delivery(installation).await;

    let mut named = Installation::at(&broker).await;
    let port = std::fs::read_to_string(broker.path().join("sasl-tls-port")).unwrap();
    named.kafka.brokers = vec![format!("127.0.0.1:{}", port.trim())];
    named.kafka.security.tls = Some(Tls { ca_file: file("ca.pem"), ..Tls::default() });
    named.kafka.security.sasl = Some(Sasl::ScramSha512 { user: user(), password: password() });
    carries_a_delivery(named).await;

    let address = broker.address();
    refused(&broker, &address, Tls { ca_file: None, ..own.clone() }).await;
    refused(&broker, &address, Tls { ca_file: file("ca.pem"), ..Tls::default() }).await;
    // The certificate is that of an address.
    refused(&broker, &address.replace("127.0.0.1", "localhost"), own).await;
}
