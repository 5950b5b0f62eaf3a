//! What holds of every delivery, however odd.

use std::sync::LazyLock;

use bus::data::Data;
use bus::delivery::Delivery;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::body;
use crate::sender::Unreadable;
use crate::senders::fixtures;
use crate::senders::github::GITHUB;

static ALL: LazyLock<Vec<(String, Delivery)>> = LazyLock::new(|| fixtures::all("github"));

fn set(delivery: &mut Delivery, content_type: &str, body: Vec<u8>) {
    delivery.content.content_type = Some(content_type.into());
    delivery.content.body = body;
}

#[test]
fn a_form_means_what_its_json_means() {
    for (name, delivery) in ALL.iter() {
        let json = body(delivery).to_string();
        let (mut plain, mut form) = (delivery.clone(), delivery.clone());
        let encoded = form_urlencoded::Serializer::new(String::new()).append_pair("payload", &json).finish();
        set(&mut plain, "application/json", json.into_bytes());
        set(&mut form, "application/x-www-form-urlencoded", encoded.into_bytes());
        let mut expected = (GITHUB.normalize)(&plain).unwrap();
        for draft in &mut expected {
            // The JSON is only a part of a form, so the body cannot stand for it.
            if draft.data == Data::AsReceived {
                draft.data = Data::Other(body(&plain));
            }
        }
        assert_eq!((GITHUB.normalize)(&form).unwrap(), expected, "{name}");
    }
}

#[test]
fn what_cannot_be_read_says_why() {
    let unreadable = |content_type: &str, bytes: &[u8]| {
        let mut delivery = fixtures::load("github", "push-push-goscm");
        set(&mut delivery, content_type, bytes.to_vec());
        let Unreadable(why) = (GITHUB.normalize)(&delivery).unwrap_err();
        why
    };
    insta::assert_snapshot!(unreadable("application/json", b"[]"), @"the body is not a JSON object");
    insta::assert_snapshot!(unreadable("application/json", b"{\"ref\": \"\xff\"}"), @"the body is not text: invalid utf-8 sequence of 1 bytes from index 9");
    insta::assert_snapshot!(unreadable("application/json", b""), @"the body is not a JSON object");
    insta::assert_snapshot!(unreadable("application/json", b"{\"ref\": "), @"the body is not a JSON object: EOF while parsing a value at line 1 column 8");
    insta::assert_snapshot!(unreadable("application/x-www-form-urlencoded", b"a=b"), @"the body is a form without the field payload");
    let mut delivery = fixtures::load("github", "push-push-goscm");
    delivery.content.headers.retain(|(name, _)| name != "x-github-event");
    insta::assert_snapshot!((GITHUB.normalize)(&delivery).unwrap_err(), @"the header x-github-event is missing, and nothing else tells the event");
    delivery.content.headers.push(("x-github-event".into(), "no name".into()));
    insta::assert_snapshot!((GITHUB.normalize)(&delivery).unwrap_err(), @"the header x-github-event holds no name of an event");
}

#[test]
fn an_event_that_nobody_has_heard_of_is_an_event() {
    let mut delivery = fixtures::load("github", "push-push-goscm");
    delivery.content.headers.retain(|(name, _)| name != "x-github-event");
    delivery.content.headers.push(("x-github-event".into(), "starship".into()));
    let drafts = (GITHUB.normalize)(&delivery).unwrap();
    assert_eq!(drafts[0].kind.name(), "com.github.starship");
}

/// Every path into a JSON value, as pointers.
fn pointers(value: &Value, at: &str, into: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(i, value)| (i.to_string(), value)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    };
    for (name, child) in children {
        let pointer = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
        into.push(pointer.clone());
        pointers(child, &pointer, into);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn a_value_of_another_type_is_never_an_error(
        which in any::<prop::sample::Index>(),
        place in any::<prop::sample::Index>(),
        other in prop::sample::select(vec![
            Value::Null, json!(true), json!(-1), json!(1.5), json!(u64::MAX), json!(""), json!("\u{0} text"),
            json!([]), json!({}), json!([{"login": 1}]), json!({"login": []}),
        ]),
    ) {
        let (name, mut delivery) = ALL[which.index(ALL.len())].clone();
        let mut json = body(&delivery);
        let mut all = Vec::new();
        pointers(&json, "", &mut all);
        let pointer = &all[place.index(all.len())];
        *json.pointer_mut(pointer).unwrap() = other;
        delivery.content.body = json.to_string().into_bytes();
        let drafts = (GITHUB.normalize)(&delivery);
        prop_assert!(drafts.as_ref().is_ok_and(|drafts| !drafts.is_empty()), "{name} {pointer}: {drafts:?}");
        for draft in drafts.unwrap() {
            prop_assert!(!draft.source.is_empty() && !draft.subject.is_empty(), "{name} {pointer}: {draft:?}");
        }
    }

    #[test]
    fn a_value_that_is_missing_is_never_an_error(
        which in any::<prop::sample::Index>(),
        place in any::<prop::sample::Index>(),
    ) {
        let (name, mut delivery) = ALL[which.index(ALL.len())].clone();
        let mut json = body(&delivery);
        let mut all = Vec::new();
        pointers(&json, "", &mut all);
        let pointer = &all[place.index(all.len())];
        let (parent, member) = pointer.rsplit_once('/').unwrap();
        if let Some(members) = json.pointer_mut(parent).unwrap().as_object_mut() {
            members.remove(&member.replace("~1", "/").replace("~0", "~"));
        }
        delivery.content.body = json.to_string().into_bytes();
        let drafts = (GITHUB.normalize)(&delivery);
        prop_assert!(drafts.is_ok_and(|drafts| !drafts.is_empty()), "{name} {pointer}");
    }

    #[test]
    fn no_body_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), object in any::<bool>()) {
        let mut delivery = ALL[0].1.clone();
        delivery.content.body = if object { [b"{", bytes.as_slice()].concat() } else { bytes };
        drop((GITHUB.normalize)(&delivery));
    }
}
