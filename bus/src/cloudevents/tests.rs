//! Tests of the envelope: the examples of the specification, its prohibitions, and `parse ∘ print = id`.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn example(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/testdata/cloudevents/{name}.json", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn minimal() -> Value {
    json!({"specversion": "1.0", "id": "1", "source": "/s", "type": "t"})
}

/// What is wrong with the minimal event once these members are set.
fn strict_error(members: &Value) -> String {
    let mut value = minimal();
    value.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    CloudEvent::from_json(value.to_string().as_bytes(), Rules::Strict).unwrap_err().to_string()
}

fn from_headers(headers: &[(&str, &str)], rules: Rules) -> Result<CloudEvent, CloudEventError> {
    let required = [("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "/s"), ("ce-type", "t")];
    let given = |name: &str| headers.iter().any(|(other, _)| *other == name);
    let rest = required.into_iter().filter(|(name, _)| !given(name));
    CloudEvent::from_http(None, rest.chain(headers.iter().copied()), b"", rules)
}

#[test]
fn the_mode_follows_from_the_content_type_in_any_case() {
    assert_eq!(mode(Some("application/cloudevents-batch+json")), Mode::Batch);
    assert_eq!(mode(Some("Application/CloudEvents-Batch+JSON; charset=utf-8")), Mode::Batch);
    assert_eq!(mode(Some("APPLICATION/cloudevents+json")), Mode::Structured);
    assert_eq!(mode(Some("application/cloudevents")), Mode::Structured);
    for other in [Some("application/json"), Some("text/plain"), Some(""), Some("application/cloudé"), None] {
        assert_eq!(mode(other), Mode::Binary, "{other:?}");
    }
}

#[test]
fn a_format_other_than_json_is_named() {
    let error = CloudEvent::read(Some("application/cloudevents+avro"), [], b"", Rules::Strict).unwrap_err();
    insta::assert_snapshot!(error, @r#"event format "application/cloudevents+avro" is not supported: send application/cloudevents+json, application/cloudevents-batch+json or binary mode"#);
}

#[test]
fn the_examples_of_the_specification_are_read() {
    let event = CloudEvent::from_json(&example("md-json-format-L252"), Rules::Strict).unwrap();
    assert_eq!(event.payload, Payload::Text("<much wow=\"xml\"/>".to_owned()));
    assert_eq!(event.extensions.get("comexampleothervalue"), Some(&Attribute::Integer(5)));
    assert_eq!(event.extensions.get("unsetextension"), None, "null is absence");

    let event = CloudEvent::from_json(&example("md-json-format-L360"), Rules::Strict).unwrap();
    assert_eq!(event.payload, Payload::Json(json!("I'm just a string")));
    assert_eq!(event.to_http().unwrap().headers.last().unwrap().1, "application/json", "the implied type is named");

    let event = CloudEvent::from_json(&example("md-json-format-L398"), Rules::Strict).unwrap();
    assert_eq!(event.payload, Payload::Binary(br#"{ "xyz": 123 }"#.to_vec()));
    assert_eq!(event.json(), None, "bytes without a type are not taken for JSON");

    let event = CloudEvent::from_json(&example("md-verifiability-L863"), Rules::Lenient).unwrap();
    assert_eq!(timestamp(event.time.unwrap()), "2020-06-18T17:24:53Z");
    assert_eq!(event.subject, None, "an empty subject is absent to the lenient");
}

#[test]
fn null_data_is_not_absent_data() {
    let read = |text: &str| CloudEvent::from_json(text.as_bytes(), Rules::Strict).unwrap();
    let null = read(r#"{"specversion":"1.0","id":"1","source":"/s","type":"t","data":null}"#);
    assert_eq!(null.payload, Payload::Json(Value::Null));
    assert_eq!(read(&minimal().to_string()).payload, Payload::None);
    assert_eq!(CloudEvent::from_json(&null.to_json().unwrap(), Rules::Strict).unwrap(), null);
}

#[test]
fn a_batch_may_be_empty_and_names_its_bad_event() {
    assert_eq!(CloudEvent::batch_from_json(b"[]", Rules::Strict).unwrap(), []);
    let batch = json!([minimal(), {"specversion": "1.0", "id": "2", "type": "t"}]).to_string();
    let error = CloudEvent::batch_from_json(batch.as_bytes(), Rules::Strict).unwrap_err();
    insta::assert_snapshot!(error, @r#"event 1 of the batch: attribute "source" is missing"#);
    let error = CloudEvent::batch_from_json(minimal().to_string().as_bytes(), Rules::Strict).unwrap_err();
    insta::assert_snapshot!(error, @"the body must be a JSON array of events");
}

#[test]
fn what_the_specification_forbids_is_named() {
    let errors: Vec<String> = [
        json!({"specversion": "0.3"}),
        json!({"specversion": null}),
        json!({"id": ""}),
        json!({"id": 7}),
        json!({"id": "a\u{7f}"}),
        json!({"source": "a b"}),
        json!({"source": "http://[::1/x#[]"}),
        json!({"type": null}),
        json!({"subject": ""}),
        json!({"subject": "\u{fdd0}"}),
        json!({"time": "2018-04-05 17:31:00Z"}),
        json!({"time": "2018-04-05"}),
        json!({"datacontenttype": "json"}),
        json!({"dataschema": "/relative"}),
        json!({"my_extension": "x"}),
        json!({"Extension": "x"}),
        json!({"big": 2_147_483_648_i64}),
        json!({"float": 1.5}),
        json!({"list": []}),
        json!({"data": 1, "data_base64": "MQ=="}),
        json!({"data_base64": "... base64 encoded string ..."}),
        json!({"data": {}, "datacontenttype": "text/xml"}),
    ]
    .iter()
    .map(strict_error)
    .collect();
    insta::assert_snapshot!(errors.join("\n"), @r#"
    attribute "specversion" must be 1.0: other versions are not supported
    attribute "specversion" is missing
    attribute "id" must not be empty
    attribute "id" must be a string
    attribute "id" must not hold control characters
    attribute "source" must be a URI reference
    attribute "source" must be a URI reference
    attribute "type" is missing
    attribute "subject" must not be empty
    attribute "subject" must not hold Unicode noncharacters
    attribute "time" must be a time by RFC 3339, such as 2018-04-05T17:31:00Z
    attribute "time" must be a time by RFC 3339, such as 2018-04-05T17:31:00Z
    attribute "datacontenttype" must be a media type, such as application/json
    attribute "dataschema" must be an absolute URI
    attribute "my_extension" must have a name of lower-case letters and digits, other than data
    attribute "Extension" must have a name of lower-case letters and digits, other than data
    attribute "big" must be an integer of 32 bits, as every number of an attribute
    attribute "float" must be an integer of 32 bits, as every number of an attribute
    attribute "list" must be a string, a number or a boolean, as every attribute
    data must not stand beside data_base64
    attribute "data_base64" must be base64
    data must be a string, because datacontenttype is not JSON
    "#);
}

#[test]
fn header_values_are_unquoted_then_decoded_once() {
    let subject = |value: &str| from_headers(&[("CE-Subject", value)], Rules::Strict).unwrap().subject.unwrap();
    assert_eq!(subject("Euro%20%E2%82%AC%20%F0%9F%98%80"), "Euro € 😀");
    assert_eq!(subject("%e2%82%ac"), "€", "digits in lower case");
    assert_eq!(subject("%41%42"), "AB", "needless encoding");
    assert_eq!(subject("%2541"), "%41", "one round only");
    assert_eq!(subject(r#""a \"quoted\" %22b%22""#), r#"a "quoted" "b""#);
}

#[test]
fn a_header_value_that_cannot_be_decoded_is_an_error_unless_lenient() {
    let mut errors = Vec::new();
    for value in ["%C0%A0", "100%", "%zz", "\"open", "\"a\" b", "\"\\"] {
        errors.push(from_headers(&[("ce-subject", value)], Rules::Strict).unwrap_err().to_string());
        let lenient = from_headers(&[("ce-subject", value)], Rules::Lenient).unwrap();
        assert_eq!(lenient.subject.as_deref(), Some(value));
    }
    insta::assert_snapshot!(errors.join("\n"), @r#"
    attribute "subject" is not UTF-8 after percent-decoding
    attribute "subject" has a % that is not followed by two hexadecimal digits
    attribute "subject" has a % that is not followed by two hexadecimal digits
    attribute "subject" has a quoted string without its end
    attribute "subject" has a quoted string without its end
    attribute "subject" has a quoted string without its end
    "#);
    let source = [("ce-source", "https://ci.example/a%20b")];
    assert!(from_headers(&source, Rules::Strict).is_err(), "it must be encoded twice");
    assert_eq!(from_headers(&source, Rules::Lenient).unwrap().source, "https://ci.example/a%20b");
}

#[test]
fn binary_mode_wants_its_headers() {
    let read = |headers: &[(&str, &str)]| {
        let headers = headers.iter().copied();
        CloudEvent::from_http(Some("application/json"), headers, b"{}", Rules::Strict).unwrap_err().to_string()
    };
    let id = [("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "/s"), ("ce-type", "t")];
    let errors = [
        read(&[]),
        read(&id[..1]),
        read(&[("ce-specversion", "0.3")]),
        read(&[id[0], id[1], ("Ce-Id", "2")]),
        read(&[("ce-datacontenttype", "text/plain")]),
    ];
    insta::assert_snapshot!(errors.join("\n"), @r#"
    attribute "specversion" is missing
    attribute "id" is missing
    attribute "specversion" must be 1.0: other versions are not supported
    attribute "id" must not be sent twice
    attribute "datacontenttype" must not be a ce- header: it is the content-type of the request
    "#);
    for rules in [Rules::Strict, Rules::Lenient] {
        assert!(from_headers(&[("ce-id", "")], rules).is_err(), "nothing is an event without an id");
    }
}

#[test]
fn the_body_is_what_its_type_says_or_else_bytes() {
    let headers = [("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "/s"), ("ce-type", "t")];
    let read = |content_type: Option<&str>, body: &[u8]| {
        CloudEvent::from_http(content_type, headers, body, Rules::Strict).unwrap()
    };
    assert_eq!(read(Some("application/json; charset=utf-8"), b"[1]").payload, Payload::Json(json!([1])));
    assert_eq!(read(Some("application/vnd.x+json"), b"nope").payload, Payload::Binary(b"nope".to_vec()));
    assert_eq!(read(Some("text/plain; charset=\"UTF-8\""), "ü".as_bytes()).payload, Payload::Text("ü".to_owned()));
    assert_eq!(read(Some("text/plain; charset=latin1"), b"u").payload, Payload::Binary(b"u".to_vec()));
    assert_eq!(read(None, b"[1]").payload, Payload::Binary(b"[1]".to_vec()));
    assert_eq!(read(Some("application/json"), b"").payload, Payload::None);
}

#[test]
fn the_cases_of_the_conformance_suite_read_alike_in_both_modes() {
    let attributes = [
        ("ce-specversion", "1.0"),
        ("ce-type", "com.example.someevent"),
        ("ce-time", "2018-04-05T03:56:24Z"),
        ("ce-id", "1234-1234-1234"),
        ("ce-source", "/mycontext/subcontext"),
    ];
    let body = br#"{ "message": "Hello World!" }"#;
    let binary = CloudEvent::read(Some("application/json"), attributes, body, Rules::Strict).unwrap();
    let structured = json!({
        "specversion": "1.0", "type": "com.example.someevent", "time": "2018-04-05T03:56:24Z",
        "id": "1234-1234-1234", "source": "/mycontext/subcontext",
        "datacontenttype": "application/json", "data": {"message": "Hello World!"}
    });
    for content_type in ["application/cloudevents+json", "application/cloudevents+json; charset=utf-8"] {
        let body = structured.to_string();
        assert_eq!(CloudEvent::read(Some(content_type), [], body.as_bytes(), Rules::Strict).unwrap(), binary);
    }
}

#[test]
fn the_handshake_grants_what_is_asked_for() {
    assert_eq!(handshake([("webhook-request-rate", "10")]), None, "nobody asks");
    assert_eq!(handshake([("WebHook-Request-Origin", "")]), None);
    let granted = |rate| handshake([("WebHook-Request-Origin", "events.example"), ("WebHook-Request-Rate", rate)]);
    let answer = |rate: &str| {
        Some(vec![
            ("webhook-allowed-origin", "events.example".to_owned()),
            ("webhook-allowed-rate", rate.to_owned()),
            ("allow", "POST, OPTIONS".to_owned()),
        ])
    };
    assert_eq!(granted("120"), answer("120"));
    assert_eq!(granted("0"), answer("*"));
    assert_eq!(granted("many"), answer("*"));
}

#[test]
fn uri_references_are_told_from_other_text() {
    for good in
        ["/s", "a/b", "urn:x:y", "https://h/p?q#f", "//h", "mailto:a@b", "http://[::1]:80/x", "../x", "a%20b", "?q=:"]
    {
        assert!(is_uri_reference(good), "{good}");
    }
    for bad in ["", "a b", "é", "a%2", "%zz", "1a:b", ":x", "a#b#c", "/[x]", "http://h/[x]", "<a>", "a\\b", "a|b", "`"]
    {
        assert!(!is_uri_reference(bad), "{bad}");
    }
    assert!(is_uri("https://h") && is_uri("pkg:oci/x@1") && !is_uri("/h") && !is_uri("1:x") && !is_uri(""));
}

fn legal_text() -> impl Strategy<Value = String> {
    any::<String>().prop_map(|text| {
        text.chars()
            .filter(|c| !c.is_control() && (u32::from(*c) & 0xFFFE) != 0xFFFE && !('\u{fdd0}'..='\u{fdef}').contains(c))
            .collect()
    })
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..3).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

fn payload_with_type() -> impl Strategy<Value = (Option<String>, Payload)> {
    prop_oneof![
        Just((None, Payload::None)),
        json_value().prop_map(|value| (Some("application/json".to_owned()), Payload::Json(value))),
        ".+".prop_map(|text| (Some("text/plain; charset=utf-8".to_owned()), Payload::Text(text))),
        prop::collection::vec(any::<u8>(), 1..9)
            .prop_map(|bytes| (Some("application/octet-stream".to_owned()), Payload::Binary(bytes))),
    ]
}

prop_compose! {
    fn event()(
        id in legal_text(), subject in legal_text(), source in "(https://[a-z]{1,9})?/[a-z0-9%]{0}[a-z/]{0,9}",
        event_type in "[a-z]{1,9}(\\.[a-z]{1,9}){0,3}", seconds in any::<u32>(), nanos in 0..1_000_000_000_u32,
        extensions in prop::collection::btree_map("x[a-z0-9]{1,8}", legal_text(), 0..4),
        (datacontenttype, payload) in payload_with_type(), integer in any::<i32>(), boolean in any::<bool>(),
    ) -> CloudEvent {
        let mut event = CloudEvent::new(format!("i{id}"), source, event_type);
        event.subject = Some(subject).filter(|text| !text.is_empty());
        event.time = DateTime::from_timestamp(i64::from(seconds), nanos);
        event.datacontenttype = datacontenttype;
        event.payload = payload;
        event.extensions = extensions.into_iter().map(|(name, text)| (name, Attribute::String(text))).collect();
        event.extensions.insert("integer".to_owned(), Attribute::Integer(integer));
        event.extensions.insert("boolean".to_owned(), Attribute::Boolean(boolean));
        event
    }
}

proptest! {
    #[test]
    fn what_is_printed_in_json_is_read_back(events in prop::collection::vec(event(), 0..3)) {
        let batch = CloudEvent::batch_to_json(&events).unwrap();
        prop_assert_eq!(&CloudEvent::batch_from_json(&batch, Rules::Strict).unwrap(), &events);
        for event in events {
            let json = event.to_json().unwrap();
            prop_assert_eq!(CloudEvent::from_json(&json, Rules::Strict).unwrap(), event);
        }
    }

    #[test]
    fn what_is_printed_in_headers_is_read_back(event in event(), rules in prop_oneof![Just(Rules::Strict), Just(Rules::Lenient)]) {
        let message = event.to_http().unwrap();
        for (name, value) in &message.headers {
            prop_assert!(value.bytes().all(|b| (0x20..0x7F).contains(&b)), "{}: {}", name, value);
        }
        let headers = || message.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let content_type = headers().find(|(name, _)| *name == "content-type").map(|(_, value)| value);
        let read = CloudEvent::from_http(content_type, headers(), &message.body, rules).unwrap();
        // Headers know only text; and to the lenient an empty attribute is none.
        let mut expected = event;
        for value in expected.extensions.values_mut() {
            *value = Attribute::String(value.text().into_owned());
        }
        if rules == Rules::Lenient {
            expected.extensions.retain(|_, value| !value.text().is_empty());
        }
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn reading_never_panics(body in any::<Vec<u8>>(), value in any::<String>()) {
        for rules in [Rules::Strict, Rules::Lenient] {
            drop(CloudEvent::from_json(&body, rules));
            drop(from_headers(&[("ce-source", &value), ("ce-time", &value), ("ce-x", &value)], rules));
        }
    }
}
