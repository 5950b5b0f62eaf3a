//! Secrets that are known only by the name before them: `password=…`, `"api_key": "…"`, `--token …`.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Match, Regex};

use super::REMOVED;

/// A name, a separator and a value. The name may be part of a longer one: `DB_PASSWORD`, `spring.datasource.password`.
static NAMED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let name = r"(?<name>[A-Za-z0-9_.-]*(?:pass(?:word|wd|phrase|code)|pwd|secret|token|api[_.-]?key|access[_.-]?key|account[_.-]?key|private[_.-]?key|auth[_.-]?key|signing[_.-]?key|encryption[_.-]?key|master[_.-]?key|credentials?|[?&](?:sig|signature))[A-Za-z0-9_.-]*)";
    let separator = r#"(?<separator>\\?["']?\s*(?:=>|:=|=|:)\s*|\s+is\s+|\s+)"#;
    let value = r#"(?:\\?"(?<double>[^"\r\n\\]*)\\?"|'(?<single>[^'\r\n]*)'|(?<bare>[^\s"',;&<>(){}\\]+))"#;
    Regex::new(&format!("(?i){name}{separator}{value}(?<rest>[(\\[]?)")).ok()
});

/// Ends of names of what is about a secret and is none: `secretName`, `token_type`, `password_file`.
const ABOUT: [&str; 33] = [
    "name",
    "names",
    "type",
    "id",
    "ids",
    "count",
    "file",
    "path",
    "url",
    "uri",
    "ttl",
    "expiry",
    "expires",
    "expiration",
    "exp",
    "at",
    "length",
    "size",
    "version",
    "class",
    "limit",
    "max",
    "min",
    "used",
    "usage",
    "policy",
    "field",
    "ref",
    "provider",
    "manager",
    "exception",
    "error",
    "failed",
];

/// Values that are no secret.
const NOTHING: [&str; 16] = [
    "null",
    "none",
    "nil",
    "true",
    "false",
    "undefined",
    "empty",
    "missing",
    "invalid",
    "required",
    "redacted",
    "removed",
    "unset",
    "optional",
    "yes",
    "no",
];

pub(super) fn redact(text: &str) -> Cow<'_, str> {
    let Some(named) = NAMED.as_ref() else { return Cow::Borrowed(text) };
    let mut clean = String::new();
    let (mut kept, mut at) = (0, 0);
    while let Some(found) = named.captures_at(text, at) {
        let (Some(all), Some(name)) = (found.get(0), found.name("name")) else { break };
        match secret(text, &found) {
            Some(value) => {
                clean.push_str(text.get(kept..value.start()).unwrap_or_default());
                clean.push_str(REMOVED);
                (kept, at) = (value.end(), all.end());
            }
            // What stands where a value would may itself be a name.
            None => at = name.end(),
        }
    }
    if kept == 0 {
        return Cow::Borrowed(text);
    }
    clean.push_str(text.get(kept..).unwrap_or_default());
    Cow::Owned(clean)
}

/// The value of what was found, if it is a secret.
fn secret<'t>(text: &'t str, found: &Captures<'t>) -> Option<Match<'t>> {
    let name = found.name("name")?.as_str();
    let separator = found.name("separator")?.as_str().trim();
    let quoted = found.name("double").or_else(|| found.name("single"));
    let value = quoted.or_else(|| found.name("bare"))?;
    let (word, called) = (value.as_str(), !found.name("rest")?.as_str().is_empty());
    let is_folder = name.eq_ignore_ascii_case("pwd") && word.starts_with('/');
    if word.is_empty() || called || is_about(name) || is_nothing(word) || is_folder {
        return None;
    }
    let flag = name.starts_with('-') && separator.is_empty();
    let is_secret = if !separator.contains(['=', ':']) && !flag {
        // Running text: `the token is 0123…`.
        is_random(word)
    } else if quoted.is_some() {
        is_password(name) || (word.chars().count() >= 8 && !word.contains(' ') && !is_words(word))
    } else if is_code(name, word) {
        false
    } else if is_password(name) {
        // `password: too short` is a sentence; `password: hunter2`, `password: hunter` and `password=hunter` are none.
        let goes_on = text.get(value.end()..).is_some_and(|rest| rest.starts_with(' '));
        separator.contains('=') || flag || !goes_on || !word.chars().all(|c| c.is_ascii_lowercase())
    } else {
        is_random(word)
    };
    is_secret.then_some(value)
}

fn is_password(name: &str) -> bool {
    let name = name.to_lowercase();
    ["pass", "pwd"].iter().any(|word| name.contains(word))
}

/// Whether the last word of the name says that this is not the secret itself.
fn is_about(name: &str) -> bool {
    let mut last = String::new();
    for c in name.chars().rev() {
        if !c.is_ascii_alphabetic() {
            break;
        }
        last.insert(0, c.to_ascii_lowercase());
        if c.is_ascii_uppercase() && name.chars().any(|c| c.is_ascii_lowercase()) {
            break;
        }
    }
    ABOUT.contains(&last.as_str())
}

fn is_nothing(value: &str) -> bool {
    let bare = value.trim_matches(|c: char| !c.is_ascii_alphanumeric()).to_lowercase();
    bare.is_empty() || NOTHING.contains(&bare.as_str()) || value.starts_with('[') || value.starts_with('$')
}

/// Whether it reads as code that handles a secret: `password=password`, `token = self.tokens.next`, `secret: String`.
fn is_code(name: &str, value: &str) -> bool {
    let path = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':' | '-' | '>' | '?' | '!');
    let last = value.rsplit(['.', ':', '>']).next().unwrap_or(value).to_lowercase();
    let own = name.rsplit('.').next().unwrap_or(name).to_lowercase();
    let is_type =
        ["string", "str", "text", "bytes", "secretstr", "token", "int", "number", "any"].contains(&last.as_str());
    value.chars().all(path) && (last == own || is_type || (value.contains('.') && is_words(value)))
        || value.contains(['[', '(', '{'])
}

/// Long, and of letters and digits, or of letters in no order that words have.
fn is_random(value: &str) -> bool {
    let length = value.chars().count();
    let digits = value.chars().filter(char::is_ascii_digit).count();
    let letters = value.chars().filter(char::is_ascii_alphabetic).count();
    let in_form = value.chars().all(|c| c.is_ascii_graphic());
    if !in_form || length < 8 || is_words(value) || is_time(value) {
        return false;
    }
    (digits > 0 && letters > 0 && entropy(value) >= 2.5) || (length >= 16 && entropy(value) >= 3.5)
}

/// Words, numbers and paths: every part between separators is a word or a number.
fn is_words(value: &str) -> bool {
    value.split(|c: char| !c.is_ascii_alphanumeric()).all(|part| {
        let turns = part
            .as_bytes()
            .windows(2)
            .filter(|two| matches!(two, [a, b] if a.is_ascii_lowercase() && b.is_ascii_uppercase()))
            .count();
        let word =
            part.chars().all(|c| c.is_ascii_alphabetic()) && (turns + 1) * 4 <= part.len().max(4) && part.len() <= 40;
        word || part.chars().all(|c| c.is_ascii_digit())
    })
}

/// `2026-11-21T18:38:00Z`, `10.5s`.
fn is_time(value: &str) -> bool {
    value.chars().all(|c| c.is_ascii_digit() || matches!(c, '-' | ':' | '.' | 'T' | 'Z' | '+' | 's' | 'm' | 'h'))
}

/// Bits that a character tells, by how often each stands in the value.
fn entropy(value: &str) -> f64 {
    let mut counts = std::collections::BTreeMap::new();
    for c in value.chars() {
        *counts.entry(c).or_insert(0_u32) += 1;
    }
    let total = f64::from(counts.values().sum::<u32>().max(1));
    counts.values().map(|count| f64::from(*count) / total).map(|share| -share * share.log2()).sum()
}
