//! Takes people, and secrets that somebody let slip, out of what is shown: payloads as senders sent them, and events as
//! the bus carries them.
//!
//! The bus carries handles because bots need them; no page, export or API answer does. Accounts of people are found by
//! their shape, whatever the sender, and what they are called is then taken out of every text as well.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::LazyLock;

use bots::clients::secrets;
use regex::{Captures, Regex};
use serde_json::{Map, Value};

/// What stands in the place of a person.
pub(crate) const MARK: &str = "‹person›";

/// Shorter names are part of too many words to be taken out of texts.
const NAME_CHARACTERS_MIN: usize = 3;

/// Fields of an account that tell nothing of who it is.
const HARMLESS: [&str; 5] = ["type", "bot", "site_admin", "user_view_type", "state"];

/// Keys under which a person stands, as an object or as a mere name.
const ROLES: [&str; 24] = [
    "actor",
    "approver",
    "assignee",
    "assignees",
    "author",
    "committer",
    "creator",
    "handle",
    "merged_by",
    "owner_email",
    "pusher",
    "requested_reviewer",
    "requested_reviewers",
    "responder",
    "reviewer",
    "sender",
    "triggering_actor",
    "updatedBy",
    "updated_by",
    "uploader",
    "user",
    "user_id",
    "user_name",
    "username",
];

/// Keys under which a sender puts what lets its reader act: shown to nobody.
const SECRETS: [&str; 4] = ["response_url", "secret", "token", "trigger_id"];

/// What a document calls an account that has no login.
const ACCOUNT_TYPES: [&str; 2] = ["user", "user_reference"];

/// A document without people, and how many places were masked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Redacted {
    pub(crate) value: Value,
    pub(crate) count: usize,
}

/// Takes people out of a JSON document.
pub(crate) fn json(value: &Value) -> Redacted {
    let mut names = BTreeSet::new();
    collect(value, None, &mut names);
    // A repository of one person is called by that person's handle; without it the repository has no name.
    let mut places = BTreeSet::new();
    repositories(value, &mut places);
    names.retain(|name| name.chars().count() >= NAME_CHARACTERS_MIN && !places.contains(name));
    let mut mask = Mask { names: longest_first(names), count: 0 };
    let mut value = mask.value(value, None);
    secrets::redact_all(&mut value);
    Redacted { value, count: mask.count }
}

/// Takes what looks like a person out of a text that is no JSON.
pub(crate) fn text(text: &str) -> (String, usize) {
    let mut mask = Mask { names: Vec::new(), count: 0 };
    let masked = mask.text(text).into_owned();
    (secrets::redact(&masked).into_owned(), mask.count)
}

/// People who are named in several documents, to be taken out of every text that was made from them.
#[derive(Debug, Clone, Default)]
pub(crate) struct People {
    names: Vec<String>,
}

impl People {
    /// Those whose accounts stand in the documents, and those who are known otherwise.
    pub(crate) fn of<'a>(
        documents: impl IntoIterator<Item = &'a Value>,
        also: impl IntoIterator<Item = String>,
    ) -> Self {
        let mut names: BTreeSet<String> = also.into_iter().collect();
        let mut places = BTreeSet::new();
        for document in documents {
            collect(document, None, &mut names);
            repositories(document, &mut places);
        }
        names.retain(|name| name.chars().count() >= NAME_CHARACTERS_MIN && name != MARK && !places.contains(name));
        Self { names: longest_first(names) }
    }

    /// A text without them, and without what looks like a person.
    pub(crate) fn text(&self, text: &str) -> String {
        Mask { names: self.names.clone(), count: 0 }.text(text).into_owned()
    }

    /// A document without them, and without the accounts that stand in it.
    pub(crate) fn json(&self, document: &Value) -> Value {
        Mask { names: self.names.clone(), count: 0 }.value(&json(document).value, None)
    }
}

/// An object that is the account of a person or a bot.
fn is_account(fields: &Map<String, Value>, key: Option<&str>) -> bool {
    let is_organisation = fields.get("type").and_then(Value::as_str) == Some("Organization");
    let has = |name: &str| fields.get(name).is_some_and(Value::is_string);
    let by_role = key.is_some_and(|key| ROLES.contains(&key));
    !is_organisation
        && (has("login")
            || (has("handle") && fields.len() <= 2)
            || (has("summary")
                && fields.get("type").and_then(Value::as_str).is_some_and(|t| ACCOUNT_TYPES.contains(&t)))
            || (by_role && (has("name") || has("email") || has("username"))))
}

/// An account whose mail nobody reads is a tool's own, which signs what it merges with the name that also stands in its
/// address and in the types of its events.
fn is_machine(fields: &Map<String, Value>) -> bool {
    fields.get("email").and_then(Value::as_str).is_some_and(|email| email.starts_with("noreply@"))
}

fn collect(value: &Value, key: Option<&str>, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if is_account(fields, key) && !is_machine(fields) {
                let called = ["login", "handle", "name", "username", "email", "summary"];
                names.extend(called.iter().filter_map(|name| fields.get(*name)?.as_str()).map(str::to_owned));
            }
            fields.iter().for_each(|(key, value)| collect(value, Some(key), names));
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, key, names)),
        Value::String(name) if key.is_some_and(|key| ROLES.contains(&key)) => {
            names.insert(name.clone());
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The first parts of the names of repositories.
fn repositories(value: &Value, places: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for key in ["full_name", "repository"] {
                let name = fields.get(key).and_then(Value::as_str).unwrap_or_default();
                let mut parts: Vec<_> = name.split('/').collect();
                parts.pop();
                places.extend(parts.into_iter().map(str::to_owned));
            }
            fields.values().for_each(|value| repositories(value, places));
        }
        Value::Array(values) => values.iter().for_each(|value| repositories(value, places)),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Names, the longest first: of `ada` and `ada-17` the whole name is meant.
fn longest_first(names: BTreeSet<String>) -> Vec<String> {
    let mut names: Vec<_> = names.into_iter().collect();
    names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    names
}

/// The text without the names that stand in it as words, whatever the case of ASCII letters; none if none does. Not a
/// regular expression: making one for each event takes longer than everything else that is done to it.
fn without_names(text: &str, names: &[String]) -> Option<(String, usize)> {
    let is_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let (mut masked, mut copied, mut count) = (String::new(), 0, 0);
    let mut before = None;
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let found = names.iter().find(|name| {
            let here = rest.get(..name.len()).is_some_and(|here| here.eq_ignore_ascii_case(name));
            let after = rest.get(name.len()..).and_then(|rest| rest.chars().next());
            // A name may end in what is no letter, such as `[bot]`: that is its own boundary.
            here && !(is_word(before) && is_word(name.chars().next()))
                && !(is_word(name.chars().next_back()) && is_word(after))
        });
        let step = if let Some(name) = found {
            masked.push_str(text.get(copied..at).unwrap_or_default());
            masked.push_str(MARK);
            (copied, count) = (at + name.len(), count + 1);
            name.len()
        } else {
            rest.chars().next().map_or(1, char::len_utf8)
        };
        before = text.get(..at + step).and_then(|done| done.chars().next_back());
        at += step;
    }
    masked.push_str(text.get(copied..).unwrap_or_default());
    (count > 0).then_some((masked, count))
}

struct Mask {
    names: Vec<String>,
    count: usize,
}

static ADDRESS: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"[A-Za-z0-9._%+\[\]-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+(:)?").ok());
static MENTION: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(^|[\s(>,;])@[A-Za-z0-9][A-Za-z0-9-]*(/)?").ok());
static TRAILER: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?im)^([a-z]+(?:-[a-z]+)*-by:|author:)[^\n]*").ok());

impl Mask {
    fn value(&mut self, value: &Value, key: Option<&str>) -> Value {
        match value {
            Value::Object(fields) if is_account(fields, key) => {
                self.count += 1;
                let masked = fields.iter().map(|(key, value)| {
                    let kept = HARMLESS.contains(&key.as_str()) || value.is_null() || value.is_boolean();
                    (key.clone(), if kept { value.clone() } else { Value::String(MARK.to_owned()) })
                });
                Value::Object(masked.collect())
            }
            Value::Object(fields) => {
                Value::Object(fields.iter().map(|(key, value)| (key.clone(), self.value(value, Some(key)))).collect())
            }
            Value::Array(values) => Value::Array(values.iter().map(|value| self.value(value, key)).collect()),
            Value::String(text) if !text.is_empty() && key.is_some_and(|key| ROLES.contains(&key)) => {
                self.count += 1;
                Value::String(MARK.to_owned())
            }
            Value::String(_) if key.is_some_and(|key| SECRETS.contains(&key)) => {
                Value::String(secrets::REMOVED.to_owned())
            }
            // What something is, never who: somebody called `deployment` must not change the type of an event.
            Value::String(_) if key == Some("type") => value.clone(),
            Value::String(text) => Value::String(self.text(text).into_owned()),
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }

    fn text<'a>(&mut self, text: &'a str) -> Cow<'a, str> {
        let mut count = 0;
        let mut masked = Cow::Borrowed(text);
        let mut replace = |pattern: Option<&Regex>, with: &dyn Fn(&Captures<'_>) -> Option<String>| {
            let Some(pattern) = pattern.filter(|pattern| pattern.is_match(&masked)) else { return };
            let replaced = pattern.replace_all(&masked, |found: &Captures<'_>| match with(found) {
                Some(with) => {
                    count += 1;
                    with
                }
                None => found.get(0).map_or_else(String::new, |all| all.as_str().to_owned()),
            });
            masked = Cow::Owned(replaced.into_owned());
        };
        replace(TRAILER.as_ref(), &|found| Some(format!("{} {MARK}", found.get(1)?.as_str())));
        // `git@host:path` is an address of a repository.
        replace(ADDRESS.as_ref(), &|found| found.get(1).is_none().then(|| MARK.to_owned()));
        // `@scope/package` is a package.
        replace(MENTION.as_ref(), &|found| {
            found.get(2).is_none().then(|| format!("{}{MARK}", found.get(1).map_or("", |c| c.as_str())))
        });
        if let Some((without, found)) = without_names(&masked, &self.names) {
            count += found;
            masked = Cow::Owned(without);
        }
        self.count += count;
        masked
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_lets_a_reader_act_is_shown_to_nobody() {
        let command = serde_json::json!({
            "command": "/deploys", "token": "gIkuvaNzQIHg97ATvDxqgjtO", "user_name": "ada",
            "response_url": "https://chat.example/commands/1/2", "text": "for ada",
        });
        let shown = super::json(&command).value.to_string();
        for hidden in ["gIkuva", "chat.example", "ada"] {
            assert!(!shown.contains(hidden), "{shown}");
        }
        let agent = serde_json::json!({"agent": {"type": "user_reference", "summary": "Ada Berg", "id": "P1"}});
        assert!(!super::json(&agent).value.to_string().contains("Ada"));
    }

    use super::*;
    use serde_json::json;

    #[test]
    fn accounts_are_masked_by_their_shape_and_their_names_everywhere() {
        let payload = json!({
            "sender": {"login": "ada-17", "id": 5, "avatar_url": "https://forge/ada-17.png", "type": "User"},
            "organization": {"login": "acme", "type": "Organization"},
            "repository": {"full_name": "acme/shop", "owner": {"login": "acme", "type": "Organization"}},
            "pull_request": {"title": "Merge ada-17's branch", "body": "thanks @grace-3, see @types/node", "number": 12},
            "commits": [{"author": {"name": "Ada L", "email": "ada@example.com"}, "message": "Fix\n\nSigned-off-by: Ada L <ada@example.com>"}],
        });
        let redacted = json(&payload);
        let shown = redacted.value.to_string();
        for name in ["ada", "Ada", "grace", "example.com"] {
            assert!(!shown.contains(name), "{name} in {shown}");
        }
        assert!(shown.contains("acme/shop") && shown.contains("@types/node") && shown.contains("\"number\":12"));
        assert!(redacted.count >= 5, "{}", redacted.count);
    }

    #[test]
    fn a_repository_keeps_its_name_though_it_is_a_persons() {
        let payload = json!({"repository": {"full_name": "ada-17/notes", "owner": {"login": "ada-17", "type": "User"}}, "ref": "x"});
        let shown = json(&payload).value.to_string();
        assert!(shown.contains("ada-17/notes"), "{shown}");
        assert!(!shown.contains("\"login\":\"ada-17\""), "{shown}");
    }

    #[test]
    fn events_of_the_bus_are_masked_too() {
        let event =
            json!({"data": {"customData": {"author": {"handle": "ada-17", "bot": false}, "title": "by ada-17"}}});
        assert!(!json(&event).value.to_string().contains("ada"));
    }

    #[test]
    fn neither_the_type_of_an_event_nor_the_address_of_its_tool_is_a_person() {
        let merged =
            json!({"committer": {"name": "Forge", "email": "noreply@forge.example"}, "author": {"login": "push"}});
        let event = json!({"type": "com.forge.push", "source": "https://forge.example/acme/shop", "data": merged});
        let shown = json(&event).value;
        assert_eq!((&shown["type"], &shown["source"]), (&event["type"], &event["source"]));
        assert_eq!(shown["data"]["committer"]["name"], MARK);
    }

    #[test]
    fn a_name_is_a_whole_word_and_may_end_in_brackets() {
        let payload =
            json!({"user": {"login": "updates[bot]"}, "sender": {"login": "ada"}, "text": "Ada, updates[bot]; Adana"});
        assert_eq!(json(&payload).value["text"], format!("{MARK}, {MARK}; Adana"));
    }

    #[test]
    fn an_address_of_a_repository_is_no_person() {
        assert_eq!(
            text("git@forge.example:acme/shop and jo@acme.example").0,
            format!("git@forge.example:acme/shop and {MARK}")
        );
    }
}
