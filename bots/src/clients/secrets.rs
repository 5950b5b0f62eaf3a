//! Takes secrets out of texts before anybody sees them: logs of containers, objects of clusters, errors of tools.
//!
//! What is known by its form is taken out wherever it stands; what is only known by its name (`password=…`) is taken
//! out where it is a value and not code that handles one. A stack trace stays as it is.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex, RegexSet};
use serde_json::Value;

mod named;

/// What stands in the place of a secret.
pub const REMOVED: &str = "[secret removed]";

/// A secret shorter than this is no secret, and taking it out would spoil every text.
const KNOWN_BYTES_MIN: usize = 6;

/// Secrets that are known by their form, and what stays of a match: what is before it (`$1`) and after it (`@`).
const PATTERNS: &[(&str, &str)] = &[
    // Private keys and certificates, whole; without their end or their beginning where the text was cut.
    (r"(?s)-----BEGIN [A-Z0-9 ]+-----.*?-----END [A-Z0-9 ]+-----", ""),
    (r"-----BEGIN [A-Z0-9 ]+-----(?:(?:\s|\\n|\\r)+[A-Za-z0-9+/=]{16,})*", ""),
    (r"(?:[A-Za-z0-9+/=]{16,}(?:\s|\\n|\\r)+)*-----END [A-Z0-9 ]+-----", ""),
    // Forges, chat, clouds, registries, payment, mail, vaults.
    (r"\bgh[pousr]_[A-Za-z0-9]{16,}|\bgithub_pat_[A-Za-z0-9_]{20,}", ""),
    (r"\bgl(?:pat|dt|rt|cbt|ptt|soat|ft|imt|agent)-[A-Za-z0-9_.-]{16,}", ""),
    (r"\bxox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]{8,}|\bxapp-[0-9]-[A-Za-z0-9-]{8,}", ""),
    (r"(hooks\.slack\.com/(?:services|workflows|triggers)/)[A-Za-z0-9/_-]+", "$1"),
    (r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b", ""),
    (r"\bAIza[A-Za-z0-9_-]{30,}|\bya29\.[A-Za-z0-9_-]{20,}|\bGOCSPX-[A-Za-z0-9_-]{20,}", ""),
    (r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)*", ""),
    (r"\bsk-[A-Za-z0-9_-]{16,}|\b(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{10,}|\bwhsec_[A-Za-z0-9+/=]{16,}", ""),
    (r"\bnpm_[A-Za-z0-9]{30,}|\bpypi-[A-Za-z0-9_-]{30,}|\bdckr_pat_[A-Za-z0-9_-]{20,}", ""),
    (r"\bhv[sbr]\.[A-Za-z0-9_-]{20,}|\bdop_v1_[a-f0-9]{40,}|\bglsa_[A-Za-z0-9_]{30,}", ""),
    (r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|\bkey-[a-f0-9]{32}\b", ""),
    (r"\bATATT3[A-Za-z0-9_=.-]{20,}|\bshp(?:at|ss|ca)_[a-fA-F0-9]{32}|\bNRAK-[A-Z0-9]{20,}", ""),
    // A password in an address: `postgres://app:secret@db`, and a token alone: `https://0123…@host`.
    (r"([A-Za-z][A-Za-z0-9+.-]*://[^\s:/?#@\x22']*:)[^\s/?#\x22']+(@)", "$1@"),
    (r"([A-Za-z][A-Za-z0-9+.-]*://)[A-Za-z0-9_-]{20,}(@)", "$1@"),
    // Headers.
    (
        r#"(?i)\b((?:proxy-)?authorization\\?["']?\s*[:=]\s*\\?["']?(?:(?:bearer|basic|digest|token|negotiate|apikey)\s+)?)[^\s"',;\\\[][^\s"',;\\]*"#,
        "$1",
    ),
    (r"(?i)\b(bearer\s+)[A-Za-z0-9_.~+/-]{16,}=*", "$1"),
    (r"(?i)\b((?:set-)?cookie:\s*)[^\s\[][^\r\n]*", "$1"),
];

static FORMS: LazyLock<Vec<Form>> = LazyLock::new(|| {
    let form = |(pattern, kept): &(&str, &'static str)| Some(Form { pattern: Regex::new(pattern).ok()?, kept });
    PATTERNS.iter().filter_map(form).collect()
});

/// Any of the forms.
static ANY_FORM: LazyLock<Option<RegexSet>> =
    LazyLock::new(|| RegexSet::new(PATTERNS.iter().map(|(pattern, _)| pattern)).ok());

/// Ways to sign in that a header names before the secret.
const SCHEMES: [&str; 6] = ["bearer", "basic", "digest", "token", "negotiate", "apikey"];

struct Form {
    pattern: Regex,
    kept: &'static str,
}

/// The text without whatever looks like a secret. Doing it twice changes nothing more.
#[must_use]
pub fn redact(text: &str) -> Cow<'_, str> {
    let mut clean = Cow::Borrowed(text);
    // One pass over most texts is enough to see that there is nothing in them.
    let suspicious = ANY_FORM.as_ref().is_none_or(|any| any.is_match(text));
    for form in FORMS.iter().filter(|_| suspicious) {
        if let Cow::Owned(cleaner) = form.pattern.replace_all(&clean, |found: &Captures<'_>| form.replaced(found))
            && cleaner != *clean
        {
            clean = Cow::Owned(cleaner);
        }
    }
    if let Cow::Owned(cleaner) = named::redact(&clean) {
        clean = Cow::Owned(cleaner);
    }
    clean
}

/// The same for every text of a document, however deep.
pub fn redact_all(document: &mut Value) {
    match document {
        Value::String(text) => {
            if let Cow::Owned(clean) = redact(text) {
                *text = clean;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(redact_all),
        Value::Object(fields) => fields.values_mut().for_each(redact_all),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

impl Form {
    fn replaced(&self, found: &Captures<'_>) -> String {
        let whole = found.get(0).map_or("", |all| all.as_str());
        let before = if self.kept.starts_with("$1") { found.get(1).map_or("", |part| part.as_str()) } else { "" };
        let after = if self.kept.ends_with('@') { "@" } else { "" };
        let value = whole.strip_prefix(before).unwrap_or(whole);
        if SCHEMES.iter().any(|scheme| value.eq_ignore_ascii_case(scheme)) {
            return whole.to_owned();
        }
        format!("{before}{REMOVED}{after}")
    }
}

/// Takes known secrets out of texts, wherever they stand, and then what looks like one.
#[derive(Clone, Default)]
pub(super) struct Veil(Vec<String>);

impl Veil {
    pub(super) fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let mut known: Vec<String> = secrets
            .into_iter()
            .map(str::trim)
            .filter(|text| text.len() >= KNOWN_BYTES_MIN)
            .map(str::to_owned)
            .collect();
        // The longest first: one may be part of another.
        known.sort_by_key(|text| std::cmp::Reverse(text.len()));
        Self(known)
    }

    pub(super) fn over(&self, text: &str) -> String {
        let known = self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), REMOVED));
        redact(&known).into_owned()
    }
}

#[cfg(test)]
mod tests;
