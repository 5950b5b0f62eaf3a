//! Tests of the sender over the examples of the specifications, alone and in batches.

use std::path::Path;

use bus::cloudevents::Payload;
use bus::event::Event;
use http::{HeaderName, HeaderValue};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::sender::stamp;
use crate::senders::fixtures;

fn delivery(content_type: &str, headers: &[(&str, &str)], body: &[u8]) -> Delivery {
    let mut headers: Vec<_> = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    headers.push(("content-type".to_owned(), content_type.to_owned()));
    fixtures::delivery("cloudevents", &headers, body.to_vec())
}

fn id_of(delivery: &Delivery) -> Option<DeliveryId> {
    let headers: HeaderMap = delivery
        .content
        .headers
        .iter()
        .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap()))
        .collect();
    delivery_id(&headers, &delivery.content.body)
}

/// The delivery under the id that it gives itself, as the events it becomes.
fn events(mut delivery: Delivery) -> Vec<Event> {
    if let Some(id) = id_of(&delivery) {
        delivery.content.delivery_id = id;
    }
    let drafts = normalize(&delivery).unwrap();
    stamp(&delivery, drafts)
}

fn structured(event: &CloudEvent) -> Delivery {
    delivery(STRUCTURED, &[], &event.to_json().unwrap())
}

fn binary(event: &CloudEvent) -> Delivery {
    let message = event.to_http().unwrap();
    fixtures::delivery("cloudevents", &message.headers, message.body)
}

/// The conformance events of CDEvents 0.5.1 in their envelopes; made distinct, since all of them have the same id.
fn cdevents() -> Vec<CloudEvent> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../bus/testdata/cdevents/v0.5.1/conformance");
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let bodies = paths.map(|path| serde_json::from_slice::<Value>(&std::fs::read(path).unwrap()).unwrap());
    let envelope = |(number, body): (usize, Value)| {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let context = &body["context"];
        let mut event = CloudEvent::new(format!("{number}"), text(&context["source"]), text(&context["type"]));
        event.subject = Some(text(&body["subject"]["id"]));
        event.datacontenttype = Some("application/json".to_owned());
        event.payload = Payload::Json(body);
        event
    };
    bodies.enumerate().map(envelope).collect()
}

fn unreadable(delivery: &Delivery) -> String {
    normalize(delivery).unwrap_err().to_string()
}

#[test]
fn an_event_is_the_same_in_every_mode() {
    let all = cdevents();
    assert_eq!(all.len(), 45);
    let batch = events(delivery(BATCH, &[], &CloudEvent::batch_to_json(&all).unwrap()));
    for (event, in_batch) in all.iter().zip(batch) {
        assert_ne!(in_batch.kind.family(), Family::Other, "{}", event.event_type);
        assert_eq!(events(structured(event)), std::slice::from_ref(&in_batch));
        assert_eq!(events(binary(event)), [in_batch]);
    }
}

#[test]
fn the_delivery_is_named_by_source_and_id_of_its_event() {
    let mut event = CloudEvent::new("A 1".to_owned(), "/ci".to_owned(), "t".to_owned());
    let name = |event: &CloudEvent| id_of(&structured(event)).unwrap().to_string();
    assert_eq!(name(&event), "/ci A 1");
    assert_eq!(id_of(&binary(&event)), id_of(&structured(&event)), "the id travels encoded");
    event.id = "x".repeat(512);
    insta::assert_snapshot!(name(&event), @"blake3/4952e8e3c384e7ed5d441fcd9325debc450032948bfbf583bf280a8a20208873");
    event.source = "/ci x".to_owned();
    event.id = "1".to_owned();
    let other = CloudEvent::new("x 1".to_owned(), "/ci".to_owned(), "t".to_owned());
    assert_ne!(name(&event), name(&other));
    assert_eq!(id_of(&delivery(BATCH, &[], b"[]")), None);
    assert_eq!(id_of(&delivery("text/plain", &[], b"")), None);
}

#[test]
fn an_empty_batch_is_no_event() {
    assert_eq!(events(delivery(BATCH, &[], b"[]")), []);
}

#[test]
fn an_event_of_an_unknown_type_keeps_type_and_data() {
    let mut event = CloudEvent::new("1".to_owned(), "/s".to_owned(), "com.example.thing".to_owned());
    event.payload = Payload::Json(json!({"a": 1}));
    let received = normalize(&binary(&event)).unwrap().remove(0);
    assert_eq!((received.kind.name(), received.data), ("com.example.thing", Data::AsReceived));
    assert_eq!(
        (received.subject.as_str(), received.key.0.as_str()),
        ("1", "/s"),
        "what it has serves for what it lacks"
    );
    assert_eq!(received.time, structured(&event).content.received_at);
    let inner = normalize(&structured(&event)).unwrap().remove(0);
    assert_eq!(inner.data, Data::Other(json!({"a": 1})), "the body is the envelope, not the data");
    let keyed = bus::cloudevents::Attribute::String("k".to_owned());
    event.extensions.insert("partitionkey".to_owned(), keyed);
    assert_eq!(normalize(&structured(&event)).unwrap().remove(0).key.0, "k");
}

#[test]
fn the_order_key_of_a_deployment_is_service_and_environment() {
    let deployed = cdevents().into_iter().find(|event| event.event_type.contains("service.deployed")).unwrap();
    assert_eq!(normalize(&structured(&deployed)).unwrap().remove(0).key.0, "mySubject123/test123");
}

#[test]
fn what_is_not_by_the_specification_is_quarantined_unless_the_source_is_lenient() {
    let headers =
        [("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "/s"), ("ce-type", "t"), ("ce-subject", "100%")];
    let strict = delivery("application/json", &headers, b"{}");
    insta::assert_snapshot!(unreadable(&strict), @r#"attribute "subject" has a % that is not followed by two hexadecimal digits: set `lenient = true` for the source to take it as it is"#);
    let headers = [&headers[..], &[(LENIENT, "true")]].concat();
    let lenient = delivery("application/json", &headers, b"{}");
    assert_eq!(normalize(&lenient).unwrap().remove(0).subject, "100%");
    assert_eq!(id_of(&strict), id_of(&lenient));
    let hopeless = [
        unreadable(&delivery("application/json", &[], b"{}")),
        unreadable(&delivery("application/cloudevents+avro", &[], b"{}")),
        unreadable(&delivery(STRUCTURED, &[], b"{")),
        unreadable(&delivery(
            STRUCTURED,
            &[],
            br#"{"specversion":"1.0","id":"1","source":"/s","type":"dev.cdevents.service.deployed.0.3.0","data":{}}"#,
        )),
    ];
    insta::assert_snapshot!(hopeless.join("\n"), @r#"
    attribute "specversion" is missing
    event format "application/cloudevents+avro" is not supported: send application/cloudevents+json, application/cloudevents-batch+json or binary mode
    the body is not JSON: EOF while parsing an object at line 1 column 1
    data of an event of type "dev.cdevents.service.deployed.0.3.0" must be a CDEvent: subject is missing
    "#);
}

proptest! {
    #[test]
    fn whatever_a_lenient_source_takes_is_strict_when_it_leaves(source in ".+") {
        let body = json!({"specversion": "1.0", "id": "1", "source": source, "type": "t"}).to_string();
        let received = normalize(&delivery(STRUCTURED, &[(LENIENT, "true")], body.as_bytes())).unwrap().remove(0);
        prop_assert!(is_uri_reference(&received.source), "{}", received.source);
        prop_assert!(received.alone.is_some());
        prop_assert!(!is_uri_reference(&source) || received.source == source);
    }
}

#[test]
fn what_send_sets_is_read() {
    for (event, body, kind) in [
        ("structured", r#"{"specversion":"1.0","id":"1","source":"/s","type":"t"}"#, "t"),
        ("batch", r#"[{"specversion":"1.0","id":"1","source":"/s","type":"t"}]"#, "t"),
        ("binary", "{}", "com.example.sample"),
        ("service.deployed", r#"{"service":"shop","environment":"prod"}"#, "service.deployed"),
    ] {
        let headers: Vec<_> = headers_for(event, "7").into_iter().map(|(n, value)| (n.to_owned(), value)).collect();
        let delivery = fixtures::delivery("cloudevents", &headers, body.as_bytes().to_vec());
        assert_eq!(normalize(&delivery).unwrap().remove(0).kind.name(), kind);
    }
}
