//! Establishes that a request comes from who it says, over the raw bytes and before anything parses them.

use base64::Engine as _;
use bus::delivery::Verification;
use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, header};
use sha2::Sha256;

use crate::sender::{Scheme, Signed};
use crate::source::{Secret, Source};

/// A request may be signed so long ago, or so far ahead of our clock: what the senders that sign a time recommend.
pub const SIGNED_TIME_TOLERANCE: TimeDelta = TimeDelta::minutes(5);

/// So many signatures in one header are looked at: a sender has two while it replaces its secret.
const SIGNATURES_MAX: usize = 10;

/// Why a request is not believed. The sender only hears "401"; these words are for the page of the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The header that must carry the proof is missing.
    #[error("the request carries no signature or token")]
    Missing,
    /// It stands there more than once.
    #[error("the signature or token stands there more than once")]
    Twice,
    /// It is not of the form that the sender uses.
    #[error("the signature or token is not of the sender's form")]
    Malformed,
    /// It does not match.
    #[error("the signature or token does not match any secret of this source")]
    Mismatch,
    /// It matches, but was made too long ago.
    #[error("the request was signed more than 5 minutes before or after the time of this machine's clock")]
    Stale,
    /// The source is read by the program itself.
    #[error("this source takes nothing over HTTP")]
    Local,
}

/// What a verification looks at.
#[derive(Debug, Clone, Copy)]
pub struct Request<'r> {
    /// Headers as received.
    pub headers: &'r HeaderMap,
    /// What stands behind the `?` of the address.
    pub query: Option<&'r str>,
    /// The raw body.
    pub body: &'r [u8],
    /// When it arrived.
    pub received_at: DateTime<Utc>,
}

/// Verifies a request. Takes the same time for a wrong secret as for a wrong signature.
///
/// # Errors
/// If the request is not believed.
pub fn verify(source: &Source, request: &Request<'_>) -> Result<Verification, Refusal> {
    if source.insecure && source.secrets.is_empty() {
        return Ok(Verification::None);
    }
    match source.sender.scheme {
        Scheme::HmacSha256Hex { header, prefix, signed, several } => {
            let claimed = signatures(only(request.headers, header)?, prefix, several)?;
            let signing = Signing::of(signed, request.headers)?;
            matches_any(&source.secrets, |secret| {
                let mac = signing.mac(secret, request.body);
                // Every signature is compared, for the same reason for which every secret is tried.
                claimed.iter().fold(false, |found, claimed| mac.clone().verify_slice(claimed).is_ok() | found)
            })?;
            signing.check_age(request.received_at).map(|()| Verification::Signature)
        }
        Scheme::Bearer => {
            let claimed = bearer(request.headers, request.query)?;
            matches_any(&source.secrets, |secret| same_bytes(secret.bytes(), claimed.as_bytes()))
                .map(|()| Verification::Token)
        }
        Scheme::Local => Err(Refusal::Local),
    }
}

/// Does the work of a verification for a source that does not exist, so that its time tells nothing.
pub(crate) fn pretend(body: &[u8]) {
    let mac = hmac_sha256(&Secret::new("no such source".to_owned()), &[body]);
    std::hint::black_box(mac.verify_slice(&[0; 32]).is_ok());
}

/// The headers that prove a request of this scheme, for those who send.
#[must_use]
pub fn prove(scheme: Scheme, secret: &Secret, at: DateTime<Utc>, body: &[u8]) -> Vec<(&'static str, String)> {
    match scheme {
        Scheme::HmacSha256Hex { header, prefix, signed: Signed::Body, .. } => {
            vec![(header, sign_hex(secret, prefix, body))]
        }
        Scheme::HmacSha256Hex {
            header, prefix, signed: Signed::TimeAndBody { header: time, before, between }, ..
        } => {
            let seconds = at.timestamp().to_string();
            let mac = hmac_sha256(secret, &[before.as_bytes(), seconds.as_bytes(), between.as_bytes(), body]);
            vec![(header, hex(prefix, mac)), (time, seconds)]
        }
        Scheme::Bearer => vec![("authorization", secret.bearer())],
        Scheme::Local => Vec::new(),
    }
}

/// The value of the signature header for a body, for those who send.
#[must_use]
pub fn sign_hex(secret: &Secret, prefix: &str, body: &[u8]) -> String {
    hex(prefix, hmac_sha256(secret, &[body]))
}

fn hex(prefix: &str, mac: Hmac<Sha256>) -> String {
    let digest = mac.finalize().into_bytes();
    digest.iter().fold(prefix.to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// What is signed, with the time that the request gives.
enum Signing<'r> {
    Body,
    TimeAndBody { before: &'static str, seconds: &'r str, between: &'static str },
}

impl<'r> Signing<'r> {
    fn of(signed: Signed, headers: &'r HeaderMap) -> Result<Self, Refusal> {
        Ok(match signed {
            Signed::Body => Self::Body,
            Signed::TimeAndBody { header, before, between } => {
                Self::TimeAndBody { before, seconds: only(headers, header)?, between }
            }
        })
    }

    fn mac(&self, secret: &Secret, body: &[u8]) -> Hmac<Sha256> {
        match self {
            Self::Body => hmac_sha256(secret, &[body]),
            Self::TimeAndBody { before, seconds, between } => {
                hmac_sha256(secret, &[before.as_bytes(), seconds.as_bytes(), between.as_bytes(), body])
            }
        }
    }

    /// Asked only once the signature matched: then the time is the sender's own.
    fn check_age(&self, received_at: DateTime<Utc>) -> Result<(), Refusal> {
        let Self::TimeAndBody { seconds, .. } = self else { return Ok(()) };
        let seconds = seconds.parse().map_err(|_| Refusal::Malformed)?;
        let signed_at = DateTime::from_timestamp(seconds, 0).ok_or(Refusal::Malformed)?;
        let age = (received_at - signed_at).abs();
        if age <= SIGNED_TIME_TOLERANCE { Ok(()) } else { Err(Refusal::Stale) }
    }
}

// Every secret is tried even after one matched: the time must not tell which.
fn matches_any(secrets: &[Secret], matches: impl Fn(&Secret) -> bool) -> Result<(), Refusal> {
    let found = secrets.iter().fold(false, |found, secret| matches(secret) | found);
    if found { Ok(()) } else { Err(Refusal::Mismatch) }
}

fn hmac_sha256(secret: &Secret, parts: &[&[u8]]) -> Hmac<Sha256> {
    let mut mac = match Hmac::<Sha256>::new_from_slice(secret.bytes()) {
        Ok(mac) => mac,
        // HMAC takes keys of every length, so this arm cannot be reached; an all-zero key matches nobody's signature.
        Err(_) => Hmac::<Sha256>::new(&Default::default()),
    };
    parts.iter().for_each(|part| mac.update(part));
    mac
}

// Comparing the digests of both instead of the texts takes the same time for every text.
fn same_bytes(a: &[u8], b: &[u8]) -> bool {
    blake3::hash(a) == blake3::hash(b)
}

fn only<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, Refusal> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().ok_or(Refusal::Missing)?;
    if values.next().is_some() {
        return Err(Refusal::Twice);
    }
    value.to_str().map_err(|_| Refusal::Malformed)
}

/// The signatures that a header holds: at least one, each of the sender's form.
fn signatures(value: &str, prefix: &str, several: bool) -> Result<Vec<[u8; 32]>, Refusal> {
    if !several {
        return digest(value.strip_prefix(prefix).ok_or(Refusal::Malformed)?).map(|one| vec![one]);
    }
    let entries = value.split(',').filter_map(|entry| entry.trim().strip_prefix(prefix));
    let claimed: Vec<_> = entries.take(SIGNATURES_MAX).map(digest).collect::<Result<_, _>>()?;
    if claimed.is_empty() { Err(Refusal::Malformed) } else { Ok(claimed) }
}

fn digest(digits: &str) -> Result<[u8; 32], Refusal> {
    let digits = digits.as_bytes();
    if digits.len() != 64 {
        return Err(Refusal::Malformed);
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).map_err(|_| Refusal::Malformed)?;
        // `from_str_radix` would also take a sign.
        if !pair.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(Refusal::Malformed);
        }
        *byte = u8::from_str_radix(pair, 16).map_err(|_| Refusal::Malformed)?;
    }
    Ok(bytes)
}

fn bearer(headers: &HeaderMap, query: Option<&str>) -> Result<String, Refusal> {
    if headers.contains_key(header::AUTHORIZATION) {
        let value = only(headers, header::AUTHORIZATION.as_str())?;
        let (scheme, rest) = value.split_once(' ').ok_or(Refusal::Malformed)?;
        if scheme.eq_ignore_ascii_case("bearer") {
            return Ok(rest.trim().to_owned());
        }
        // A password goes where a tool offers only basic authentication; the user name does not matter.
        if scheme.eq_ignore_ascii_case("basic") {
            let decoded =
                base64::engine::general_purpose::STANDARD.decode(rest.trim()).map_err(|_| Refusal::Malformed)?;
            let text = String::from_utf8(decoded).map_err(|_| Refusal::Malformed)?;
            return text.split_once(':').map(|(_, password)| password.to_owned()).ok_or(Refusal::Malformed);
        }
        return Err(Refusal::Malformed);
    }
    let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let mut tokens = pairs.filter(|(name, _)| name == "access_token").map(|(_, value)| value.into_owned());
    let token = tokens.next().ok_or(Refusal::Missing)?;
    if tokens.next().is_some() { Err(Refusal::Twice) } else { Ok(token) }
}

#[cfg(test)]
mod tests;
