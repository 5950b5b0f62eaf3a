//! Tests of signatures: the vectors of the reference libraries, the rules for headers, and `verify ∘ sign = ok`.

use proptest::prelude::*;
use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Vectors {
    vectors: Vec<Vector>,
    asymmetric: Vec<Asymmetric>,
}

#[derive(Deserialize)]
struct Vector {
    origin: String,
    secret: String,
    id: String,
    timestamp: i64,
    body: String,
    signature: String,
    valid: bool,
}

#[derive(Deserialize)]
struct Asymmetric {
    private: String,
    public: String,
    id: String,
    timestamp: i64,
    body: String,
    signature: String,
}

fn vectors() -> Vectors {
    let path = format!("{}/testdata/standard-webhooks/vectors.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

/// A vector's message, with one header changed.
fn changed(change: impl FnOnce(&mut Headers)) -> Result<(), Refusal> {
    let secret = SigningKey::Symmetric(vec![7; 32]);
    let mut headers = sign("msg_1", at(1_000_000), b"{}", std::slice::from_ref(&secret)).unwrap();
    change(&mut headers);
    verify(&headers, b"{}", &[secret.verifying().unwrap()], at(1_000_000))
}

#[test]
fn the_vectors_of_the_reference_libraries_hold() {
    let vectors = vectors().vectors;
    assert!(vectors.iter().any(|vector| vector.valid) && vectors.iter().any(|vector| !vector.valid));
    for vector in vectors {
        let headers = Headers {
            id: vector.id.clone(),
            timestamp: vector.timestamp.to_string(),
            signature: vector.signature.clone(),
        };
        let key: VerifyingKey = vector.secret.parse().unwrap();
        let verified = verify(&headers, vector.body.as_bytes(), &[key], at(vector.timestamp));
        assert_eq!(verified.is_ok(), vector.valid, "{}: {:?}", vector.origin, vector.signature);
        if vector.valid {
            let key: SigningKey = vector.secret.parse().unwrap();
            let signed = sign(&vector.id, at(vector.timestamp), vector.body.as_bytes(), &[key]).unwrap();
            assert!(vector.signature.split(' ').any(|listed| listed == signed.signature), "{}", vector.origin);
        }
    }
}

#[test]
fn the_asymmetric_vector_holds_whether_the_key_is_a_seed_or_a_pair() {
    for vector in vectors().asymmetric {
        let key: SigningKey = vector.private.parse().unwrap();
        let verifying = key.verifying().unwrap();
        assert_eq!(key.reveal().unwrap(), vector.private);
        assert_eq!(verifying.public_text().as_deref(), Some(vector.public.as_str()));
        assert_eq!(vector.public.parse(), Ok(verifying.clone()));

        let SigningKey::Asymmetric(seed) = &key else { panic!("whsk_ is no shared secret") };
        let short = format!("whsk_{}", BASE64_STANDARD.encode(seed));
        assert_eq!(short.parse(), Ok(key.clone()));

        let signed = sign(&vector.id, at(vector.timestamp), vector.body.as_bytes(), &[key]).unwrap();
        assert_eq!(signed.signature, vector.signature);
        assert_eq!(verify(&signed, vector.body.as_bytes(), &[verifying], at(vector.timestamp)), Ok(()));
    }
}

#[test]
fn a_message_that_is_not_as_it_was_signed_is_refused() {
    assert_eq!(changed(|_| ()), Ok(()));
    assert_eq!(changed(|headers| headers.id.clear()), Err(Refusal::Id));
    assert_eq!(changed(|headers| headers.id = "msg.1".to_owned()), Err(Refusal::Id));
    assert_eq!(changed(|headers| headers.id = "msg_2".to_owned()), Err(Refusal::NoMatch));
    assert_eq!(changed(|headers| headers.timestamp.clear()), Err(Refusal::Timestamp));
    assert_eq!(changed(|headers| headers.timestamp = "hello".to_owned()), Err(Refusal::Timestamp));
    assert_eq!(changed(|headers| headers.timestamp = i64::MIN.to_string()), Err(Refusal::Timestamp));
    assert_eq!(changed(|headers| headers.timestamp = "999700".to_owned()), Err(Refusal::NoMatch), "300 s are in time");
    assert_eq!(changed(|headers| headers.timestamp = "999699".to_owned()), Err(Refusal::TooOld));
    assert_eq!(changed(|headers| headers.timestamp = "1000301".to_owned()), Err(Refusal::TooNew));
    assert_eq!(changed(|headers| headers.signature.clear()), Err(Refusal::NoMatch));
    let flood = |headers: &mut Headers| headers.signature = "v1,AAAA ".repeat(8) + &headers.signature;
    assert_eq!(changed(flood), Err(Refusal::NoMatch), "only so many are looked at");
}

#[test]
fn a_signature_of_one_scheme_is_none_of_the_other() {
    let key = SigningKey::Asymmetric([9; 32]);
    let mut headers = sign("msg_1", at(1), b"{}", std::slice::from_ref(&key)).unwrap();
    headers.signature = headers.signature.replace("v1a,", "v1,");
    assert_eq!(verify(&headers, b"{}", &[key.verifying().unwrap()], at(1)), Err(Refusal::NoMatch));
}

#[test]
fn what_is_no_key_is_refused_in_words() {
    let signing = |text: &str| text.parse::<SigningKey>().unwrap_err();
    assert_eq!(signing(""), KeyError::SecretLength(0));
    assert_eq!(signing("whsec_"), KeyError::SecretLength(0));
    assert_eq!(signing("whsec_%"), KeyError::NotBase64);
    assert_eq!(signing(&format!("whsec_{}", BASE64_STANDARD.encode([0; 65]))), KeyError::SecretLength(65));
    assert_eq!(signing("whpk_AAAA"), KeyError::Public);
    assert_eq!(signing("whsk_AAAA"), KeyError::PrivateLength(3));
    assert_eq!(signing(&format!("whsk_{}", BASE64_STANDARD.encode([1; 64]))), KeyError::Mismatch);
    assert_eq!(signing(&format!("whsk_{}", BASE64_STANDARD.encode([1; 40]))), KeyError::PrivateLength(40));
    assert_eq!("whpk_AAAA".parse::<VerifyingKey>(), Err(KeyError::PublicLength(3)));
    insta::assert_snapshot!(signing("whsec_AAAA"), @"a secret has 24 to 64 bytes, this one has 3");
}

#[test]
fn an_id_that_cannot_be_told_from_what_follows_is_not_signed() {
    let key = [SigningKey::Symmetric(vec![1; 24])];
    for id in ["", "a.b", "a b", "é", "a\n", &"a".repeat(257)] {
        assert!(matches!(sign(id, at(1), b"", &key), Err(SignError::Id(_))), "{id:?}");
    }
    assert_eq!(sign("a", at(1), b"", &[]), Err(SignError::NoKey));
}

#[test]
fn fresh_keys_differ_and_no_key_is_printed() {
    let fresh = SigningKey::fresh_symmetric().unwrap();
    assert_ne!(fresh, SigningKey::fresh_symmetric().unwrap());
    assert_eq!(fresh.reveal().unwrap().parse(), Ok(fresh.clone()));
    assert_eq!(format!("{:?}", fresh.verifying().unwrap()), "Symmetric");
    let fresh = SigningKey::fresh_asymmetric().unwrap();
    assert_ne!(fresh, SigningKey::fresh_asymmetric().unwrap());
    assert_eq!(fresh.reveal().unwrap().parse(), Ok(fresh));
}

fn keys() -> impl Strategy<Value = SigningKey> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 24..=64).prop_map(SigningKey::Symmetric),
        any::<[u8; 32]>().prop_map(SigningKey::Asymmetric),
    ]
}

proptest! {
    #[test]
    fn whatever_is_signed_is_believed_by_each_key_alone(
        id in "[!-\\-/-~]{1,64}",
        seconds in 0_i64..4_000_000_000,
        body in proptest::collection::vec(any::<u8>(), 0..200),
        keys in proptest::collection::vec(keys(), 1..=4),
    ) {
        let headers = sign(&id, at(seconds), &body, &keys).unwrap();
        for key in &keys {
            let text = key.reveal().unwrap();
            prop_assert_eq!(text.trim_end_matches('=').parse(), Ok(key.clone()));
            prop_assert_eq!(verify(&headers, &body, &[key.verifying().unwrap()], at(seconds)), Ok(()));
        }
    }

    #[test]
    fn one_bit_more_or_less_is_not_believed(
        body in proptest::collection::vec(any::<u8>(), 1..100),
        bit in any::<prop::sample::Index>(),
        key in keys(),
    ) {
        let headers = sign("msg_1", at(1), &body, std::slice::from_ref(&key)).unwrap();
        let mut other = body.clone();
        let bit = bit.index(body.len() * 8);
        other[bit / 8] ^= 1 << (bit % 8);
        prop_assert_eq!(verify(&headers, &other, &[key.verifying().unwrap()], at(1)), Err(Refusal::NoMatch));
    }

    #[test]
    fn nothing_that_is_received_panics(id in ".*", timestamp in ".*", signature in ".*", now in any::<i32>()) {
        let headers = Headers { id, timestamp, signature };
        let keys = [VerifyingKey::Symmetric(vec![1; 24]), VerifyingKey::Public([2; 32])];
        prop_assert!(verify(&headers, b"", &keys, at(now.into())).is_err());
    }

    #[test]
    fn no_text_panics_as_a_key(text in "(whsec_|whsk_|whpk_)?.*") {
        drop((text.parse::<SigningKey>(), text.parse::<VerifyingKey>()));
    }
}
