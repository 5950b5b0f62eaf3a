//! Deliveries and events on the wire: what goes out is what comes back, and what is none of ours is told apart.

use proptest::prelude::*;
use rdkafka::message::Headers as _;

use super::*;
use crate::ids::{DeliveryId, SourceName};

fn any_delivery() -> impl Strategy<Value = NewDelivery> {
    let source = "[a-z]{1,8}(/[a-z0-9._-]{1,8}[a-z0-9])?";
    let headers = prop::collection::vec(("[a-z-]{1,12}", "\\PC{0,40}"), 0..6);
    let verification = prop::sample::select(vec![
        Verification::Signature,
        Verification::Token,
        Verification::None,
        Verification::Local,
    ]);
    let body = prop::collection::vec(any::<u8>(), 0..300);
    let micros = 0..4_000_000_000_000_000_i64;
    (source, "\\PC{1,60}", micros, headers, prop::option::of("\\PC{1,40}"), verification, body).prop_map(
        |(source, id, micros, headers, content_type, verification, body)| NewDelivery {
            source: source.parse::<SourceName>().unwrap(),
            delivery_id: id.parse::<DeliveryId>().unwrap(),
            received_at: DateTime::from_timestamp_micros(micros).unwrap(),
            headers,
            content_type,
            body,
            verification,
        },
    )
}

/// What a reader finds.
fn fields(headers: &OwnedHeaders) -> Fields {
    let pair = |header: Header<'_, &[u8]>| (header.key.to_owned(), header.value.map(<[u8]>::to_vec));
    Fields(headers.iter().map(pair).collect())
}

fn sample() -> NewDelivery {
    NewDelivery {
        source: "forge/acme".parse().unwrap(),
        delivery_id: "72d3162e".parse().unwrap(),
        received_at: "2026-03-02T09:00:00.000123Z".parse().unwrap(),
        headers: vec![("x-event".to_owned(), "pûsh \"1\"".to_owned())],
        content_type: Some("application/json".to_owned()),
        body: b"{}".to_vec(),
        verification: Verification::Signature,
    }
}

proptest! {
    #[test]
    fn what_is_sent_is_what_is_read(delivery in any_delivery(), by_reference: bool) {
        let parcel = Parcel::new(delivery.clone()).unwrap();
        let envelope = fields(&parcel.headers(by_reference)).read().unwrap();
        prop_assert_eq!(envelope.by_reference, by_reference);
        envelope.check(&delivery.body).unwrap();
        let body = delivery.body.clone();
        prop_assert_eq!(envelope.fill(body), delivery);
    }

    #[test]
    fn no_header_is_taken_for_what_it_is_not(name in 0_usize..8, value in prop::option::of(prop::collection::vec(any::<u8>(), 0..40))) {
        let parcel = Parcel::new(sample()).unwrap();
        let mut changed = fields(&parcel.headers(false));
        changed.0[name].1 = value;
        // It is read or refused; what is read has a body that can be checked.
        if let Ok(envelope) = changed.read() {
            let body = sample().body;
            prop_assert_eq!(envelope.check(&body).is_ok(), envelope.told == parcel.body_hash);
        }
    }
}

#[test]
fn a_delivery_is_a_cloudevent_in_binary_mode() {
    let parcel = Parcel::new(sample()).unwrap();
    let lines = |headers: &OwnedHeaders| {
        let line = |(name, value): &(String, Option<Vec<u8>>)| {
            format!("{name}: {}", String::from_utf8_lossy(value.as_deref().unwrap_or_default()))
        };
        fields(headers).0.iter().map(line).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(parcel.key(), "forge/acme");
    insta::assert_snapshot!(lines(&parcel.headers(false)), @r#"
    ce_specversion: 1.0
    ce_id: 72d3162e
    ce_source: forge/acme
    ce_type: dev.devhose.delivery.received.v1
    ce_time: 2026-03-02T09:00:00.000123Z
    devhose_headers: [["x-event","pûsh \"1\""]]
    devhose_verification: signature
    content-type: application/json
    devhose_bodyhash: 6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279
    "#);
    let reference = lines(&parcel.headers(true));
    assert!(reference.contains(&format!("ce_dataref: blake3:{}", blake3::hash(b"{}").to_hex())), "{reference}");
}

#[test]
fn a_record_of_somebody_else_is_refused_in_words() {
    let whole = fields(&Parcel::new(sample()).unwrap().headers(true));
    let with = |name: &str, value: Option<&str>| {
        let mut fields = whole.clone();
        fields.0.retain(|(found, _)| found != name);
        if let Some(value) = value {
            fields.0.push((name.to_owned(), Some(value.as_bytes().to_vec())));
        }
        fields.read().unwrap_err().to_string()
    };
    let refused = [
        Fields::default().read().unwrap_err().to_string(),
        with("ce_id", None),
        with("ce_type", Some("dev.devhose.delivery.received.v2")),
        with("ce_specversion", Some("0.3")),
        with("ce_source", Some("a b")),
        with("ce_time", Some("yesterday")),
        with("devhose_verification", Some("trust me")),
        with("devhose_headers", Some("{")),
        with("devhose_bodyhash", Some("abc")),
        with("ce_dataref", Some("https://elsewhere.example/body")),
        whole.read().unwrap().check(b"[]").unwrap_err().to_string(),
    ];
    insta::assert_snapshot!(refused.join("\n"), @r#"
    header ce_specversion is missing
    header ce_id is missing
    it is a "dev.devhose.delivery.received.v2", and dev.devhose.delivery.received.v1 is what this version reads
    header ce_specversion: "0.3" is not the version 1.0 that is read
    header ce_source: source name "a b" is not valid: only letters, digits and . _ - / are allowed
    header ce_time: premature end of input
    header devhose_verification: "trust me" is none
    header devhose_headers: invalid type: map, expected a sequence at line 1 column 0
    header devhose_bodyhash: expected 64 hex bytes, received 3
    header ce_dataref: blake3: and the hash of the body is needed
    the body is not the one that was sent: its BLAKE3 hash is d53d18c23212ea7b6300594bb89bce60218f6eff2b9d628b8cc42d3e79bbd5ab, the header says 6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279
    "#);
}

#[test]
fn the_size_on_the_wire_is_never_told_too_small() {
    let parcel = Parcel::new(sample()).unwrap();
    let headers: usize =
        fields(&parcel.headers(true)).0.iter().map(|(name, value)| name.len() + value.as_ref().unwrap().len()).sum();
    assert!(parcel.envelope_bytes() >= headers + parcel.key().len());
    assert_eq!(parcel.bytes(), parcel.envelope_bytes() + 2);
}
