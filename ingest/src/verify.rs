//! Establishes that a request comes from who it says, over the raw bytes and before anything parses them.

use base64::Engine as _;
use bus::delivery::Verification;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, header};
use sha2::Sha256;

use crate::sender::Scheme;
use crate::source::{Secret, Source};

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
    /// The source is read by the program itself.
    #[error("this source takes nothing over HTTP")]
    Local,
}

/// Verifies a request. Takes the same time for a wrong secret as for a wrong signature.
///
/// # Errors
/// If the request is not believed.
pub fn verify(source: &Source, headers: &HeaderMap, query: Option<&str>, body: &[u8]) -> Result<Verification, Refusal> {
    if source.insecure && source.secrets.is_empty() {
        return Ok(Verification::None);
    }
    match source.sender.scheme {
        Scheme::HmacSha256Hex { header, prefix } => {
            let claimed = signature(headers, header, prefix)?;
            matches_any(&source.secrets, |secret| hmac_sha256(secret, body).verify_slice(&claimed).is_ok())
                .map(|()| Verification::Signature)
        }
        Scheme::Bearer => {
            let claimed = bearer(headers, query)?;
            matches_any(&source.secrets, |secret| same_bytes(secret.bytes(), claimed.as_bytes()))
                .map(|()| Verification::Token)
        }
        Scheme::Local => Err(Refusal::Local),
    }
}

/// Does the work of a verification for a source that does not exist, so that its time tells nothing.
pub(crate) fn pretend(body: &[u8]) {
    let mac = hmac_sha256(&Secret::new("no such source".to_owned()), body);
    std::hint::black_box(mac.verify_slice(&[0; 32]).is_ok());
}

/// The value of the signature header for a body, for those who send.
#[must_use]
pub fn sign_hex(secret: &Secret, prefix: &str, body: &[u8]) -> String {
    let digest = hmac_sha256(secret, body).finalize().into_bytes();
    digest.iter().fold(prefix.to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

// Every secret is tried even after one matched: the time must not tell which.
fn matches_any(secrets: &[Secret], matches: impl Fn(&Secret) -> bool) -> Result<(), Refusal> {
    let found = secrets.iter().fold(false, |found, secret| matches(secret) | found);
    if found { Ok(()) } else { Err(Refusal::Mismatch) }
}

fn hmac_sha256(secret: &Secret, body: &[u8]) -> Hmac<Sha256> {
    let mut mac = match Hmac::<Sha256>::new_from_slice(secret.bytes()) {
        Ok(mac) => mac,
        // HMAC takes keys of every length, so this arm cannot be reached; an all-zero key matches nobody's signature.
        Err(_) => Hmac::<Sha256>::new(&Default::default()),
    };
    mac.update(body);
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

fn signature(headers: &HeaderMap, header: &str, prefix: &str) -> Result<[u8; 32], Refusal> {
    let digits = only(headers, header)?.strip_prefix(prefix).ok_or(Refusal::Malformed)?.as_bytes();
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
