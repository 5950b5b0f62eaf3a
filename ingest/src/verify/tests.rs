//! The values that vendors print in their documentation, and what must not be believed.

use http::{HeaderName, HeaderValue};
use serde_json::Value;

use super::*;
use crate::sender::Sender;
use crate::senders::github::GITHUB;

const BODY: Signed = Signed::Body;

const fn hex_of(header: &'static str, prefix: &'static str, signed: Signed) -> Scheme {
    Scheme::HmacSha256Hex { header, prefix, signed, several: false }
}

const fn time(header: &'static str, before: &'static str) -> Signed {
    Signed::TimeAndBody { header, before, between: ":" }
}

const CHAT: Scheme = hex_of("x-slack-signature", "v0=", time("x-slack-request-timestamp", "v0:"));
const PAGER: Scheme =
    Scheme::HmacSha256Hex { header: "x-pagerduty-signature", prefix: "v1=", signed: BODY, several: true };

/// The schemes of those in the collection whose scheme can be said in data.
const SCHEMES: &[(&str, Scheme)] = &[
    ("bitbucket", hex_of("x-hub-signature", "sha256=", BODY)),
    ("circleci", Scheme::HmacSha256Hex { header: "circleci-signature", prefix: "v1=", signed: BODY, several: true }),
    ("gitea", hex_of("x-gitea-signature", "", BODY)),
    ("github", GITHUB.scheme),
    ("grafana", hex_of("x-grafana-alerting-signature", "", BODY)),
    ("grafana-timestamp", hex_of("x-grafana-alerting-signature", "", time("x-grafana-alerting-timestamp", ""))),
    ("jfrog-signed", hex_of("x-jfrog-event-auth", "", BODY)),
    ("jira", hex_of("x-hub-signature", "sha256=", BODY)),
    ("pagerduty", PAGER),
    ("sentry", hex_of("sentry-hook-signature", "", BODY)),
    ("slack", CHAT),
    ("sonarqube", hex_of("x-sonar-webhook-hmac-sha256", "", BODY)),
];

fn source(scheme: Scheme, secrets: &[&str]) -> Source {
    let secrets = secrets.iter().map(|secret| Secret::new((*secret).to_owned())).collect();
    let mut source = Source::new("github/acme".parse().unwrap(), secrets, false).unwrap();
    source.sender = Box::leak(Box::new(Sender { scheme, ..GITHUB }));
    source
}

fn headers<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> HeaderMap {
    let header = |(name, value): (&str, &str)| {
        (name.to_lowercase().parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap())
    };
    pairs.into_iter().map(header).collect()
}

fn ask(source: &Source, headers: &HeaderMap, body: &[u8], seconds: i64) -> Result<Verification, Refusal> {
    let received_at = DateTime::from_timestamp(seconds, 0).unwrap();
    verify(source, &Request { headers, query: None, body, received_at })
}

/// A request proven as senders prove it.
fn proven(scheme: Scheme, secret: &str, seconds: i64, body: &[u8]) -> HeaderMap {
    let at = DateTime::from_timestamp(seconds, 0).unwrap();
    let proof = prove(scheme, &Secret::new(secret.to_owned()), at, body);
    headers(proof.iter().map(|(name, value)| (*name, value.as_str())))
}

#[test]
fn every_value_that_is_published_verifies_and_no_other() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/signatures/providers.json");
    let vectors: Vec<Value> = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let mut checked = 0;
    for vector in &vectors {
        let text = |name: &str| vector[name].as_str().unwrap();
        let Some((_, scheme)) = SCHEMES.iter().find(|(provider, _)| *provider == text("provider")) else { continue };
        let given = vector["headers"].as_object().unwrap();
        let given = headers(given.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())));
        let sent_at = ["x-slack-request-timestamp", "x-grafana-alerting-timestamp"].into_iter();
        let sent_at = sent_at.filter_map(|name| given.get(name)?.to_str().ok()?.parse().ok()).next().unwrap_or(0);
        let asked = |secret: &str| ask(&source(*scheme, &[secret]), &given, text("body").as_bytes(), sent_at);
        assert_eq!(asked(text("secret")).is_ok(), vector["valid"] == true, "{vector}");
        assert_eq!(asked("another"), Err(Refusal::Mismatch), "{vector}");
        checked += 1;
    }
    assert_eq!(checked, 17);
}

#[test]
fn what_is_proven_by_one_of_two_secrets_is_believed() {
    for (provider, scheme) in SCHEMES {
        let given = proven(*scheme, "the new one", 1_000, b"{}");
        assert_eq!(
            ask(&source(*scheme, &["the old one", "the new one"]), &given, b"{}", 1_000),
            Ok(Verification::Signature)
        );
        assert_eq!(ask(&source(*scheme, &["the old one"]), &given, b"{}", 1_000), Err(Refusal::Mismatch), "{provider}");
        assert_eq!(
            ask(&source(*scheme, &["the new one"]), &given, b"{ }", 1_000),
            Err(Refusal::Mismatch),
            "{provider}"
        );
    }
    let given = proven(Scheme::Bearer, "a token", 0, b"");
    assert_eq!(ask(&source(Scheme::Bearer, &["x", "a token"]), &given, b"", 0), Ok(Verification::Token));
}

#[test]
fn a_recorded_request_is_worth_nothing_five_minutes_later() {
    let source = source(CHAT, &["secret"]);
    let given = proven(CHAT, "secret", 10_000, b"body");
    let at = |seconds| ask(&source, &given, b"body", seconds);
    assert_eq!((at(9_700), at(10_300)), (Ok(Verification::Signature), Ok(Verification::Signature)));
    assert_eq!((at(9_699), at(10_301)), (Err(Refusal::Stale), Err(Refusal::Stale)));
    let mut changed = given.clone();
    changed.insert("x-slack-request-timestamp", HeaderValue::from_static("10300"));
    assert_eq!(ask(&source, &changed, b"body", 10_300), Err(Refusal::Mismatch), "the time is signed too");
    let unsigned = ask(&source, &headers([("x-slack-signature", "v0=00")]), b"body", 0);
    assert_eq!(unsigned, Err(Refusal::Malformed));
    changed.remove("x-slack-request-timestamp");
    assert_eq!(ask(&source, &changed, b"body", 10_300), Err(Refusal::Missing));
}

#[test]
fn one_of_several_signatures_must_match_and_those_of_other_versions_do_not_count() {
    let source = source(PAGER, &["secret"]);
    let good = sign_hex(&Secret::new("secret".to_owned()), "v1=", b"{}");
    let bad = sign_hex(&Secret::new("another".to_owned()), "v1=", b"{}");
    let ask = |value: &str| ask(&source, &headers([("x-pagerduty-signature", value)]), b"{}", 0);
    for believed in [&good, &format!("{bad},{good}"), &format!("{good}, {bad}"), &format!("v2=x,{good}")] {
        assert_eq!(ask(believed), Ok(Verification::Signature), "{believed}");
    }
    assert_eq!(ask(&format!("{bad},{bad}")), Err(Refusal::Mismatch));
    for malformed in ["", "v1=", "v2=00", "v1=+0", &good.replace("v1", "v2"), &format!("{good}0")] {
        assert_eq!(ask(malformed), Err(Refusal::Malformed), "{malformed}");
    }
    let flood = vec![bad.as_str(); 2 * SIGNATURES_MAX].join(",");
    assert_eq!(ask(&format!("{flood},{good}")), Err(Refusal::Mismatch), "no more than a few are looked at");
}
