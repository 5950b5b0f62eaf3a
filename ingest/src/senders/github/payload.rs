//! The parts that many payloads share. Only the fields that are read; everything else is skipped unread.
//!
//! Shapes: the payload examples of `octokit/webhooks` and recorded deliveries under `ingest/testdata/github/`.

use std::fmt;

use bus::data::forge::Person;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// An instant, written as RFC 3339 or, in a `push`, as seconds since 1970. Anything else is no instant, not an error:
/// packages carry the year 1, and a time is never worth losing an event for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct At(pub(super) Option<DateTime<Utc>>);

impl At {
    /// This instant, or else another.
    pub(super) fn or(self, other: Self) -> Option<DateTime<Utc>> {
        self.0.or(other.0)
    }
}

impl<'de> Deserialize<'de> for At {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AtVisitor)
    }
}

struct AtVisitor;

impl<'de> Visitor<'de> for AtVisitor {
    type Value = At;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an instant")
    }

    fn visit_str<E>(self, text: &str) -> Result<At, E> {
        let at = DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc());
        Ok(At(at.filter(|at| at.timestamp() > 0)))
    }

    fn visit_i64<E>(self, seconds: i64) -> Result<At, E> {
        Ok(At(epoch(seconds)))
    }

    fn visit_u64<E>(self, seconds: u64) -> Result<At, E> {
        Ok(At(i64::try_from(seconds).ok().and_then(epoch)))
    }

    fn visit_f64<E>(self, _: f64) -> Result<At, E> {
        Ok(At(None))
    }

    fn visit_bool<E>(self, _: bool) -> Result<At, E> {
        Ok(At(None))
    }

    fn visit_unit<E>(self) -> Result<At, E> {
        Ok(At(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<At, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(At(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<At, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(At(None))
    }
}

/// The instant so many seconds after 1970 began.
fn epoch(seconds: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(seconds, 0).filter(|at| at.timestamp() > 0)
}

/// A user, an app or an organisation.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct User {
    pub(super) login: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    pub(super) url: Option<String>,
}

impl User {
    /// This user as a person of the bus; none for a deleted account.
    pub(super) fn person(self) -> Option<Person> {
        let bot = self.kind.as_deref() == Some("Bot");
        self.login
            .filter(|login| !login.is_empty())
            .map(|handle| Person { bot: bot || handle.ends_with("[bot]"), handle })
    }
}

/// As [`User::person`], of a user that may be absent or null.
pub(super) fn person(user: Option<User>) -> Option<Person> {
    user.and_then(User::person)
}

/// A repository.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Repository {
    pub(super) name: Option<String>,
    pub(super) full_name: Option<String>,
    /// The address of the API; in a `push` that of the page.
    pub(super) url: Option<String>,
    pub(super) html_url: Option<String>,
    pub(super) clone_url: Option<String>,
    pub(super) default_branch: Option<String>,
    pub(super) owner: Option<User>,
    pub(super) created_at: At,
    pub(super) updated_at: At,
    pub(super) pushed_at: At,
}

impl Repository {
    /// `host/owner/name`, from the address of its page; so it is right for GitHub Enterprise Server as well. Without
    /// that address, from the API's host and the full name.
    pub(super) fn host_and_name(&self) -> Option<String> {
        if let Some(page) = self.html_url.as_deref().and_then(without_scheme) {
            return (page.split('/').filter(|part| !part.is_empty()).count() == 3).then(|| page.to_owned());
        }
        let full_name = self.full_name.as_deref()?;
        let host = without_scheme(self.url.as_deref()?)?.split('/').next()?;
        let host = host.strip_prefix("api.").unwrap_or(host);
        let (owner, name) = full_name.split_once('/')?;
        (!owner.is_empty() && !name.is_empty() && !name.contains('/')).then(|| format!("{host}/{full_name}"))
    }
}

fn without_scheme(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    Some(rest.trim_end_matches('/'))
}

/// Something that is known by its name, such as a label.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Named {
    pub(super) name: Option<String>,
}

/// The names of a list.
pub(super) fn names(list: Option<Vec<Named>>) -> Vec<String> {
    list.into_iter().flatten().filter_map(|named| named.name).collect()
}

/// The number of a pull request that a run or a check belongs to. Those of other repositories are not listed, so a
/// run for a fork has none.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Numbered {
    number: Option<u64>,
}

/// The first number of a list.
pub(super) fn first_number(list: Option<Vec<Numbered>>) -> Option<u64> {
    list.into_iter().flatten().find_map(|numbered| numbered.number)
}

/// A text that says something.
pub(super) fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// True for a full object name of git.
pub(super) fn is_sha(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_hexdigit())
}
