//! What the readers of many senders share: a body as text, texts that say something, instants, addresses, and the
//! events that are made of them. It knows no vendor.

use bus::cloudevents::is_uri_reference;
use bus::data::Data;
use bus::delivery::Delivery;
use bus::ids::{DeliveryId, OrderKey};
use bus::kind::Kind;
use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;

use crate::sender::{Draft, Unreadable};

/// Longest name of an event that becomes part of a type.
const EVENT_NAME_BYTES_MAX: usize = 100;

/// A body as text. Some tools that replay recorded bodies put a byte order mark before them, which JSON does not know.
///
/// # Errors
/// If the body is not UTF-8.
pub(super) fn text(body: &[u8]) -> Result<&str, Unreadable> {
    let text = std::str::from_utf8(body).map_err(|error| Unreadable(format!("the body is not text: {error}")))?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// An object of this shape; none if the text is anything else. A struct would also be read from an array, by position.
pub(super) fn object<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok().filter(|_| text.trim_ascii_start().starts_with('{'))
}

/// A text that says something.
pub(super) fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty())
}

/// An instant in RFC 3339. What lies before 1970 is how some tools write that there is none.
pub(super) fn instant(text: &str) -> Option<DateTime<Utc>> {
    let at = DateTime::parse_from_rfc3339(text.trim()).ok()?.to_utc();
    (at.timestamp() > 0).then_some(at)
}

/// As [`instant`], of a text that may be absent.
pub(super) fn instant_of(text: Option<&String>) -> Option<DateTime<Utc>> {
    instant(text?)
}

/// True for a full object name of git.
pub(super) fn is_sha(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// True for a name that can be part of a type.
pub(super) fn is_plain(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    (1..=EVENT_NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(plain)
}

/// `host/path` of the address of a page.
pub(super) fn without_scheme(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    Some(rest.trim_end_matches('/')).filter(|rest| !rest.is_empty())
}

/// An address that can be the source of an event, or else the name of the configured source.
pub(super) fn source_of(delivery: &Delivery, address: Option<&str>) -> String {
    let usable = address.filter(|text| !text.is_empty() && is_uri_reference(text));
    usable.unwrap_or(delivery.content.source.as_str()).to_owned()
}

/// `host/owner/name` of a repository of git, from its address; none for other registries and for shorter paths.
pub(super) fn repository_at(address: &str) -> Option<String> {
    let address = address.trim();
    let place = match address.split_once("://") {
        Some(("https" | "http" | "ssh" | "git", rest)) => rest.to_owned(),
        Some(_) => return None,
        // `git@host:owner/name`
        None => address.split_once('@')?.1.replacen(':', "/", 1),
    };
    let place = place.split_once('@').map_or(place.as_str(), |(_, rest)| rest).trim_end_matches('/');
    let place = place.strip_suffix(".git").unwrap_or(place);
    let (host, path) = place.split_once('/')?;
    // The port is that of one way to reach it.
    let host = host.split(':').next().unwrap_or(host).to_ascii_lowercase();
    let parts = path.split('/').filter(|part| !part.is_empty()).count();
    (parts >= 2 && !host.is_empty()).then(|| format!("{host}/{path}"))
}

/// An event that happens at this source.
pub(super) fn event(kind: Kind, source: &str, subject: String, time: DateTime<Utc>, data: Data) -> Draft {
    let key = data.order_key().unwrap_or_else(|| source.to_owned());
    Draft { kind, source: source.to_owned(), subject, time, key: OrderKey(key), data, alone: None }
}

/// The same, which may come again in another delivery: its identity does not depend on the delivery.
pub(super) fn known_as(draft: Draft, identity: &str) -> Draft {
    Draft { alone: identity_of(identity), ..draft }
}

/// A text as the id of a delivery: as it is where it fits, so that a person can read it, else its hash.
pub(super) fn identity_of(text: &str) -> Option<DeliveryId> {
    text.parse().ok().or_else(|| format!("blake3/{}", blake3::hash(text.as_bytes())).parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_known_by_any_of_its_addresses() {
        for address in [
            "https://github.com/acme/shop",
            "https://github.com/acme/shop.git/",
            "https://token@GitHub.com/acme/shop.git",
            "git@github.com:acme/shop.git",
            "ssh://git@github.com:22/acme/shop.git",
        ] {
            assert_eq!(repository_at(address).as_deref(), Some("github.com/acme/shop"), "{address}");
        }
        assert_eq!(repository_at("https://gitlab.com/a/b/c.git").as_deref(), Some("gitlab.com/a/b/c"));
        for address in ["", "shop", "oci://ghcr.io/acme/charts", "https://charts.example.com", "ghcr.io/acme/charts"] {
            assert_eq!(repository_at(address), None, "{address}");
        }
    }

    #[test]
    fn the_year_one_is_no_instant() {
        assert_eq!(instant("0001-01-01T00:00:00Z"), None);
        assert_eq!(instant("2026-01-05T10:00:00.5+01:00").unwrap().to_rfc3339(), "2026-01-05T09:00:00.500+00:00");
    }
}
