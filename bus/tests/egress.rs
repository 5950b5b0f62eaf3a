//! Webhooks as their receivers get them: signed, guarded, and recorded as they were sent.

// Not for the compiler, which builds this file for tests only, but for the lints, which allow more in tests.
#[cfg(test)]
mod egress {
    use std::time::Duration;

    use bus::egress::webhook::{Consent, Webhooks};
    use bus::egress::{AllowList, Egress, Settings};
    use bus::standard_webhooks::{Headers, VerifyingKey, verify};
    use bus::subscriptions::{Attempted, Deliver, Outgoing, SigningKey};
    use chrono::Utc;

    use receiver::{Receiver, Reply};

    mod answers;
    mod authority;
    mod encryption;
    mod libraries;
    mod receiver;

    const BODY: &str = r#"{"specversion":"1.0","id":"8c1f","source":"/devhose","type":"dev.cdevents.change.merged.0.3.0","data":{"text":"größer ✓"}}"#;

    /// A client that may reach this machine.
    fn settings() -> Settings {
        let allow = AllowList::parse(["127.0.0.1/32", "localhost"]).unwrap();
        Settings { allow, ..Settings::default() }
    }

    fn webhooks() -> Webhooks {
        Webhooks::new(Egress::new(settings()).unwrap())
    }

    fn outgoing(url: &str, keys: &[SigningKey]) -> Outgoing {
        Outgoing {
            subscription: "audit".parse().unwrap(),
            url: url.to_owned(),
            id: "msg_8c1f".to_owned(),
            body: BODY.as_bytes().to_vec(),
            keys: keys.to_vec(),
            at: Utc::now(),
        }
    }

    fn keys() -> [SigningKey; 3] {
        [
            SigningKey::fresh_symmetric().unwrap(),
            SigningKey::fresh_symmetric().unwrap(),
            SigningKey::fresh_asymmetric().unwrap(),
        ]
    }

    async fn deliver(webhooks: &Webhooks, url: &str) -> Attempted {
        webhooks.deliver(outgoing(url, &keys())).await
    }

    /// What a failed attempt says; there is no answer to it.
    async fn failure(webhooks: &Webhooks, url: &str) -> String {
        let attempted = deliver(webhooks, url).await;
        assert_eq!(attempted.response, None);
        attempted.error.unwrap()
    }

    #[tokio::test]
    async fn a_delivery_is_recorded_as_it_was_sent_and_every_key_verifies_it() {
        let receiver = Receiver::start(|_| Reply::ok("thanks")).await;
        let keys = keys();
        let attempted = webhooks().deliver(outgoing(&format!("{}/hook?x=1", receiver.url), &keys)).await;

        let heard = receiver.heard().pop().unwrap();
        assert_eq!(heard.line, "POST /hook?x=1 HTTP/1.1");
        assert_eq!(heard.body, BODY);
        let mut sent = attempted.request_headers.clone();
        let mut got: Vec<_> = heard.headers.clone();
        sent.sort();
        got.sort();
        assert_eq!(sent, got, "what is recorded is the whole of it");
        assert_eq!(heard.header("content-type"), "application/cloudevents+json");
        assert_eq!(heard.header("user-agent"), bus::egress::USER_AGENT);
        assert_eq!(heard.header("webhook-timestamp"), attempted.at.timestamp().to_string());
        assert_eq!(heard.header("webhook-signature").split(' ').count(), keys.len());

        let headers = Headers {
            id: heard.header("webhook-id").to_owned(),
            timestamp: heard.header("webhook-timestamp").to_owned(),
            signature: heard.header("webhook-signature").to_owned(),
        };
        assert_eq!(headers.id, "msg_8c1f");
        for key in &keys {
            assert_eq!(verify(&headers, heard.body.as_bytes(), &[key.verifying().unwrap()], attempted.at), Ok(()));
        }
        let other: VerifyingKey = SigningKey::fresh_symmetric().unwrap().verifying().unwrap();
        assert!(verify(&headers, heard.body.as_bytes(), &[other], attempted.at).is_err());

        let response = attempted.response.unwrap();
        assert_eq!((response.status, response.body.as_str(), response.truncated), (200, "thanks", false));
        assert_eq!(attempted.error, None);
    }

    #[tokio::test]
    async fn the_parts_of_an_attempt_are_timed_and_an_open_connection_costs_nothing() {
        let receiver = Receiver::start(|_| Reply::ok("")).await;
        let webhooks = webhooks();
        let by_name = receiver.url.replace("127.0.0.1", "localhost");
        let first = deliver(&webhooks, &by_name).await;
        let parts = first.timings;
        assert!(parts.resolve.is_some() && parts.connect.is_some() && parts.wait.is_some() && parts.read.is_some());
        let sum = [parts.resolve, parts.connect, parts.wait, parts.read].into_iter().flatten().sum::<u32>();
        assert!(sum <= parts.total, "{parts:?}");

        let literal = deliver(&webhooks, &receiver.url).await.timings;
        assert_eq!((literal.resolve, literal.connect.is_some()), (None, true), "there is nothing to resolve");
        // The connection is put back once its answer is read, by a task of its own.
        let reused = async || deliver(&webhooks, &receiver.url).await.timings.connect.is_none();
        receiver::until("a connection is used again", reused).await;
        assert!(receiver.connections() < receiver.heard().len());
    }

    #[tokio::test]
    async fn nothing_is_sent_where_it_may_not_go_or_cannot_be_signed() {
        let receiver = Receiver::start(|_| Reply::ok("")).await;
        let shut = Webhooks::new(Egress::new(Settings::default()).unwrap());
        insta::assert_snapshot!(failure(&shut, "https://127.0.0.1/").await, @"the address is of this machine (127.0.0.0/8), which is not allowed");
        insta::assert_snapshot!(failure(&shut, &receiver.url).await.replace(&receiver.port(), "PORT"), @"http:// is not allowed: use https://");
        assert!(shut.check(&receiver.url).is_err());
        assert_eq!(webhooks().check(&receiver.url), Ok(()));

        let dotted = Outgoing { id: "a.b".to_owned(), ..outgoing(&receiver.url, &keys()) };
        let attempted = webhooks().deliver(dotted).await;
        insta::assert_snapshot!(attempted.error.unwrap(), @r#"id "a.b": 1 to 256 visible ASCII characters without a dot are needed"#);
        let unsigned = webhooks().deliver(outgoing(&receiver.url, &[])).await;
        insta::assert_snapshot!(unsigned.error.unwrap(), @"there is no key to sign with");
        assert_eq!(receiver.heard().len(), 0);
    }

    #[tokio::test]
    async fn an_endpoint_that_nobody_serves_is_a_failure_that_says_so() {
        let url = format!("http://{}", receiver::nobody().await);
        let attempted = deliver(&webhooks(), &url).await;
        insta::assert_snapshot!(attempted.error.unwrap(), @"no connection: Connection refused (os error 111)");
        assert!(attempted.timings.connect.is_some() && attempted.timings.wait.is_none());
        let unknown = failure(&webhooks(), "https://no-such-name.invalid/").await;
        assert!(unknown.starts_with("no connection: the name is not found: "), "{unknown}");
    }

    #[tokio::test]
    async fn an_endpoint_is_only_refused_if_it_says_that_it_wants_others_events() {
        let asked = async |reply: fn(&receiver::Heard) -> Reply| {
            let receiver = Receiver::start(reply).await;
            let consent = webhooks().handshake(&receiver.url, "devhose.acme.example").await;
            let heard = receiver.heard().pop().unwrap();
            assert_eq!(heard.line, "OPTIONS / HTTP/1.1");
            assert_eq!(heard.header("webhook-request-origin"), "devhose.acme.example");
            consent
        };
        let given = |per_minute| Consent::Given { per_minute };
        assert_eq!(asked(|_| Reply::with(200, &[("webhook-allowed-origin", "*")], "")).await, given(None));
        let limited = asked(|_| {
            let rate = ("webhook-allowed-rate", "120");
            Reply::with(204, &[("WebHook-Allowed-Origin", "DevHose.acme.example"), rate], "")
        });
        assert_eq!(limited.await, given(Some(120)));
        assert_eq!(asked(|_| Reply::with(405, &[("allow", "POST")], "")).await, Consent::Unsaid);
        assert_eq!(asked(|_| Reply::ok("hello")).await, Consent::Unsaid);
        assert_eq!(
            asked(|_| Reply::with(500, &[("webhook-allowed-origin", "other.example")], "")).await,
            Consent::Unsaid
        );
        assert_eq!(asked(|_| Reply::Close).await, Consent::Unsaid);
        let Consent::Refused(words) =
            asked(|_| Reply::with(200, &[("webhook-allowed-origin", "other.example")], "")).await
        else {
            panic!("it wants others' events only")
        };
        insta::assert_snapshot!(words, @r#"the endpoint takes events of "other.example" only, not of "devhose.acme.example": let it answer with webhook-allowed-origin: devhose.acme.example"#);
    }

    /// A client whose attempts may not take long.
    fn hurried() -> Webhooks {
        Webhooks::within(Duration::from_millis(300), Egress::new(settings()).unwrap())
    }
}
