//! Standard Webhooks 1.0.0: keys and their texts, what an attempt is signed with, and how a signature is checked.
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>
//!
//! Signed is `id.timestamp.body`, byte for byte; a body need not be text. This file knows neither HTTP nor where keys
//! are kept.

use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_PAD_INDIFFERENT;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, Utc};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

use crate::subscriptions::SigningKey;

/// The header that names a message: the same over all attempts.
pub const ID: &str = "webhook-id";

/// The header that says when the attempt was made, in seconds since 1970.
pub const TIMESTAMP: &str = "webhook-timestamp";

/// The header with the signatures, separated by spaces.
pub const SIGNATURE: &str = "webhook-signature";

/// Longest id: it is kept by every receiver that looks out for repetitions.
pub const ID_BYTES_MAX: usize = 256;

/// How far a message's time may be from the receiver's, as in the reference libraries.
pub const TOLERANCE_SECONDS: i64 = 5 * 60;

/// Shortest secret of `v1`.
const SECRET_BYTES_MIN: usize = 24;

/// Longest secret of `v1`.
const SECRET_BYTES_MAX: usize = 64;

/// Bytes of a secret of `v1` that is made here: the length of the hash, beyond which nothing is gained.
const FRESH_SECRET_BYTES: usize = 32;

/// Signatures that are looked at: two keys of two schemes, twice.
const SIGNATURES_MAX: usize = 8;

const SECRET_PREFIX: &str = "whsec_";
const PRIVATE_PREFIX: &str = "whsk_";
const PUBLIC_PREFIX: &str = "whpk_";

/// What an attempt's three headers say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Headers {
    /// Value of [`ID`].
    pub id: String,
    /// Value of [`TIMESTAMP`].
    pub timestamp: String,
    /// Value of [`SIGNATURE`].
    pub signature: String,
}

/// A key that signatures are checked with.
#[derive(Clone, PartialEq, Eq)]
pub enum VerifyingKey {
    /// The shared secret of `v1`.
    Symmetric(Vec<u8>),
    /// The public key of `v1a`.
    Public([u8; 32]),
}

/// Why a text is no key, or a message cannot be signed with a key. Never holds a part of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not base64.
    #[error("the key is not base64 after its prefix")]
    NotBase64,
    /// The secret of `v1` is too short or too long.
    #[error("a secret has {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes, this one has {0}")]
    SecretLength(usize),
    /// A private key that is neither a seed nor a seed with its public key.
    #[error("a private key has 32 bytes, or 64 with its public key, this one has {0}")]
    PrivateLength(usize),
    /// A public key of another length.
    #[error("a public key has 32 bytes, this one has {0}")]
    PublicLength(usize),
    /// The public key beside a private one is of another.
    #[error("the public key beside the private key is not its own")]
    Mismatch,
    /// A public key where a key to sign with is needed.
    #[error("this is a public key, which cannot sign: give the one that begins with whsec_ or whsk_")]
    Public,
    /// The system gives no random bytes.
    #[error("the system gives no random bytes for a key")]
    NoRandomness,
}

/// Why a message cannot be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The id cannot be told from what follows it, or cannot be a header.
    #[error("id {0:?}: 1 to {ID_BYTES_MAX} visible ASCII characters without a dot are needed")]
    Id(String),
    /// Nothing to sign with.
    #[error("there is no key to sign with")]
    NoKey,
    /// A key that does not work.
    #[error("cannot sign")]
    Key(#[from] KeyError),
}

/// Why a message is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The id is missing or contains a dot.
    #[error("{ID} is missing or contains a dot")]
    Id,
    /// The timestamp is no number of seconds.
    #[error("{TIMESTAMP} is not a number of seconds since 1970")]
    Timestamp,
    /// It is too old, perhaps sent again by somebody else.
    #[error("{TIMESTAMP} is more than {TOLERANCE_SECONDS} s in the past")]
    TooOld,
    /// It is from the future.
    #[error("{TIMESTAMP} is more than {TOLERANCE_SECONDS} s in the future")]
    TooNew,
    /// None of the signatures is by one of the keys.
    #[error("no signature in {SIGNATURE} matches")]
    NoMatch,
}

/// The headers of an attempt made at this time: one signature for each key, in their order.
///
/// # Errors
/// If the id cannot be signed, there is no key, or a key does not work.
pub fn sign(id: &str, at: DateTime<Utc>, body: &[u8], keys: &[SigningKey]) -> Result<Headers, SignError> {
    if !is_id(id) {
        return Err(SignError::Id(id.chars().take(ID_BYTES_MAX).collect()));
    }
    if keys.is_empty() {
        return Err(SignError::NoKey);
    }
    let timestamp = at.timestamp().to_string();
    let content = content(id, &timestamp, body);
    let signatures = keys.iter().map(|key| signature(key, &content)).collect::<Result<Vec<_>, _>>()?;
    Ok(Headers { id: id.to_owned(), timestamp, signature: signatures.join(" ") })
}

/// Checks a message that was received at `now`. Signatures of versions that are not known are passed over.
///
/// # Errors
/// Why it is not believed.
pub fn verify(headers: &Headers, body: &[u8], keys: &[VerifyingKey], now: DateTime<Utc>) -> Result<(), Refusal> {
    if !is_id(&headers.id) {
        return Err(Refusal::Id);
    }
    let seconds: i64 = headers.timestamp.parse().map_err(|_| Refusal::Timestamp)?;
    let age = now.timestamp().checked_sub(seconds).ok_or(Refusal::Timestamp)?;
    if age > TOLERANCE_SECONDS {
        return Err(Refusal::TooOld);
    }
    if age < -TOLERANCE_SECONDS {
        return Err(Refusal::TooNew);
    }
    let content = content(&headers.id, &headers.timestamp, body);
    let listed = headers.signature.split(' ').take(SIGNATURES_MAX);
    let matches = listed.filter_map(|listed| listed.split_once(',')).any(|(version, signature)| {
        let Ok(signature) = BASE64_STANDARD.decode(signature) else { return false };
        keys.iter().any(|key| key.matches(version, &signature, &content))
    });
    if matches { Ok(()) } else { Err(Refusal::NoMatch) }
}

fn is_id(id: &str) -> bool {
    (1..=ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic() && b != b'.')
}

fn content(id: &str, timestamp: &str, body: &[u8]) -> Vec<u8> {
    [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat()
}

fn signature(key: &SigningKey, content: &[u8]) -> Result<String, KeyError> {
    Ok(match key {
        SigningKey::Symmetric(secret) => {
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), content);
            format!("v1,{}", BASE64_STANDARD.encode(tag))
        }
        SigningKey::Asymmetric(seed) => {
            format!("v1a,{}", BASE64_STANDARD.encode(key_pair(seed)?.sign(content)))
        }
    })
}

fn key_pair(seed: &[u8; 32]) -> Result<Ed25519KeyPair, KeyError> {
    // Only a seed of another length is rejected.
    Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| KeyError::PrivateLength(seed.len()))
}

impl SigningKey {
    /// A new secret for `v1`.
    ///
    /// # Errors
    /// If the system gives no random bytes.
    pub fn fresh_symmetric() -> Result<Self, KeyError> {
        Ok(Self::Symmetric(random::<FRESH_SECRET_BYTES>()?.to_vec()))
    }

    /// A new private key for `v1a`.
    ///
    /// # Errors
    /// If the system gives no random bytes.
    pub fn fresh_asymmetric() -> Result<Self, KeyError> {
        random().map(Self::Asymmetric)
    }

    /// The secret as text: `whsec_…`, or `whsk_…` with the public key after the seed, as senders exchange it. Whoever has
    /// it can sign.
    ///
    /// # Errors
    /// If a private key does not work.
    pub fn reveal(&self) -> Result<String, KeyError> {
        Ok(match self {
            Self::Symmetric(secret) => format!("{SECRET_PREFIX}{}", BASE64_STANDARD.encode(secret)),
            Self::Asymmetric(seed) => {
                let pair = key_pair(seed)?;
                let both = [seed.as_slice(), pair.public_key().as_ref()].concat();
                format!("{PRIVATE_PREFIX}{}", BASE64_STANDARD.encode(both))
            }
        })
    }

    /// What its signatures are checked with.
    ///
    /// # Errors
    /// If a private key does not work.
    pub fn verifying(&self) -> Result<VerifyingKey, KeyError> {
        Ok(match self {
            Self::Symmetric(secret) => VerifyingKey::Symmetric(secret.clone()),
            Self::Asymmetric(seed) => VerifyingKey::Public(public(key_pair(seed)?.public_key().as_ref())?),
        })
    }
}

impl FromStr for SigningKey {
    type Err = KeyError;

    /// `whsec_…`, the same without its prefix, or `whsk_…`; base64 with or without padding.
    fn from_str(text: &str) -> Result<Self, KeyError> {
        if text.starts_with(PUBLIC_PREFIX) {
            return Err(KeyError::Public);
        }
        let Some(private) = text.strip_prefix(PRIVATE_PREFIX) else {
            return secret(text).map(Self::Symmetric);
        };
        let bytes = decoded(private)?;
        let wrong = KeyError::PrivateLength(bytes.len());
        let (seed, public) = bytes.split_first_chunk::<32>().ok_or(wrong)?;
        match public.len() {
            0 => {}
            32 if key_pair(seed)?.public_key().as_ref() == public => {}
            32 => return Err(KeyError::Mismatch),
            _ => return Err(wrong),
        }
        Ok(Self::Asymmetric(*seed))
    }
}

impl VerifyingKey {
    /// The public key as text, `whpk_…`; none for a shared secret.
    #[must_use]
    pub fn public_text(&self) -> Option<String> {
        match self {
            Self::Symmetric(_) => None,
            Self::Public(key) => Some(format!("{PUBLIC_PREFIX}{}", BASE64_STANDARD.encode(key))),
        }
    }

    fn matches(&self, version: &str, signature: &[u8], content: &[u8]) -> bool {
        match self {
            Self::Symmetric(secret) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
                version == "v1" && hmac::verify(&key, content, signature).is_ok()
            }
            Self::Public(key) => {
                version == "v1a" && UnparsedPublicKey::new(&ED25519, key).verify(content, signature).is_ok()
            }
        }
    }
}

impl FromStr for VerifyingKey {
    type Err = KeyError;

    /// `whpk_…`, `whsec_…` or the latter without its prefix; base64 with or without padding.
    fn from_str(text: &str) -> Result<Self, KeyError> {
        match text.strip_prefix(PUBLIC_PREFIX) {
            Some(key) => Ok(Self::Public(public(&decoded(key)?)?)),
            None => secret(text).map(Self::Symmetric),
        }
    }
}

impl std::fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Symmetric(_) => f.write_str("Symmetric"),
            Self::Public(_) => f.write_str(&self.public_text().unwrap_or_default()),
        }
    }
}

fn secret(text: &str) -> Result<Vec<u8>, KeyError> {
    let bytes = decoded(text.strip_prefix(SECRET_PREFIX).unwrap_or(text))?;
    if !(SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&bytes.len()) {
        return Err(KeyError::SecretLength(bytes.len()));
    }
    Ok(bytes)
}

fn public(bytes: &[u8]) -> Result<[u8; 32], KeyError> {
    bytes.try_into().map_err(|_| KeyError::PublicLength(bytes.len()))
}

fn decoded(text: &str) -> Result<Vec<u8>, KeyError> {
    STANDARD_PAD_INDIFFERENT.decode(text).map_err(|_| KeyError::NotBase64)
}

fn random<const BYTES: usize>() -> Result<[u8; BYTES], KeyError> {
    let mut bytes = [0; BYTES];
    SystemRandom::new().fill(&mut bytes).map_err(|_| KeyError::NoRandomness)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
