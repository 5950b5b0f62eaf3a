//! What pages of subscriptions say.

use bus::ids::EventOffset;
use bus::subscriptions::{
    Filter, Ordering, RetryPolicy, Signatures, Spec, Start, State, Subscription, Timings, Transport, Webhook,
};
use serde_json::{Value, json};

use super::attempt::parts;
use super::{list, words};
use crate::testing::now;

fn subscription(name: &str) -> Subscription {
    let webhook =
        Webhook { url: "https://hooks.example/in?token=s3cret".to_owned(), signatures: Signatures::V1, concurrency: 8 };
    Subscription {
        spec: Spec {
            name: name.parse().unwrap(),
            filter: Filter::default(),
            transport: Transport::Webhook(webhook),
            start: Start::Latest,
            ordering: Ordering::PerKey,
            retry: RetryPolicy::default(),
        },
        state: State::Active,
        because: None,
        created_at: now(),
        position: Some(EventOffset(7)),
        behind: 0,
        waiting: 0,
        parked_keys: 0,
        dead: 0,
        circuit_open_until: None,
        public_key: None,
    }
}

fn plain(text: &str) -> String {
    text.replace(['\u{202f}', '\u{a0}'], " ")
}

#[test]
fn what_needs_a_look_is_said_first_and_in_words() {
    let disabled = Subscription { state: State::Disabled, ..subscription("a") };
    let held = Subscription { circuit_open_until: Some(now()), dead: 2, ..subscription("b") };
    let parked = Subscription { parked_keys: 1, waiting: 3, ..subscription("c") };
    let paused = Subscription { state: State::Paused, ..subscription("d") };
    let well = subscription("e");
    let said = |all: &[Subscription]| plain(&list::sentence(all));
    assert_eq!(
        said(&[disabled.clone(), held.clone(), parked.clone(), paused.clone(), well.clone()]),
        "1 of 5 subscriptions is disabled; 1 of 5 subscriptions is held back; 1 of 5 subscriptions is failing; \
         1 of 5 subscriptions is paused; 2 dead letters to look at."
    );
    assert_eq!(said(std::slice::from_ref(&well)), "Nothing needs a look: 1 subscription in order.");
    assert_eq!(said(&[]), "Nobody has subscribed yet.");
    let dead = Subscription { dead: 1, ..subscription("f") };
    let ranks = [&disabled, &held, &parked, &dead, &paused, &well].map(words::rank);
    assert!(ranks.is_sorted_by(|a, b| a < b), "{ranks:?}");
}

#[test]
fn a_filter_is_told_in_words() {
    let said = |value: Value| words::filter(&Filter::parse(&value, now()).unwrap());
    assert_eq!(said(json!([])), "everything");
    assert_eq!(said(json!([{"kinds": ["service.*", "incident.detected"]}])), "service.* or incident.detected");
    assert_eq!(
        said(json!([
            {"any": [{"exact": {"subject": "shop"}}, {"not": {"prefix": {"source": "//x/"}}}]},
            {"query": "outcome:failed"},
        ])),
        "(subject is shop or not (source begins with //x/)), and outcome:failed"
    );
    assert_eq!(said(json!([{"all": [{"suffix": {"type": ".done", "subject": "y"}}]}])), {
        "(subject ends with y and type ends with .done)"
    });
}

#[test]
fn a_secret_in_the_address_of_an_endpoint_is_not_shown() {
    let shown = plain(&words::transport(&subscription("a").spec.transport));
    assert_eq!(shown, "signed webhooks (v1) to https://hooks.example/in?…, at most 8 at once");
}

#[test]
fn retries_are_told_in_words() {
    let said = |delays_seconds: Vec<u32>| plain(&words::retry(&RetryPolicy { delays_seconds }));
    assert_eq!(said(vec![5, 300, 7_200]), "4 attempts: at once, then after 5 s, 5 min, 2 h; then it is given up");
    assert_eq!(said(Vec::new()), "one attempt; then it is given up");
}

#[test]
fn the_parts_of_an_attempt_fill_the_bar_and_what_was_not_reached_is_left_out() {
    let timings = Timings { resolve: Some(0), connect: Some(30), wait: Some(10), read: None, total: 41 };
    let parts = parts(&timings);
    let shown: Vec<_> = parts.iter().map(|part| (part.name, part.x.as_str(), part.width.as_str())).collect();
    assert_eq!(shown, [("resolve", "0.0", "2.0"), ("connect", "2.0", "447.5"), ("wait", "449.5", "150.5")]);
    assert!(super::attempt::parts(&Timings::default()).is_empty());
}
