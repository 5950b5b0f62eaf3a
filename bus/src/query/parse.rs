//! From the text of a query to its terms, and back. Every error says where it is and what to write instead.

use std::fmt;
use std::ops::Range;

use chrono::{DateTime, Utc};

use super::{Condition, Key, Moment, OutcomeTerm, Pattern, QUERY_TERMS_MAX, Term};
use crate::data::Outcome;
use crate::ids::{DeliveryOffset, EventId};

/// Why a query cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{token} cannot be read: {remedy}")]
pub struct QueryError {
    /// The token as typed.
    pub token: String,
    /// Where it stands, in bytes of the text.
    pub range: Range<usize>,
    /// What is wrong with it and what to write instead.
    pub remedy: String,
}

/// A value as typed.
struct Value {
    text: String,
    /// A `*` follows.
    prefix: bool,
    quoted: bool,
}

pub(super) fn terms(text: &str, now: DateTime<Utc>) -> Result<Vec<Term>, QueryError> {
    let mut terms = Vec::new();
    let mut cursor = Cursor { text, at: 0 };
    loop {
        cursor.skip_while(char::is_whitespace);
        if cursor.peek().is_none() {
            return Ok(terms);
        }
        let start = cursor.at;
        let term = term(&mut cursor, now);
        cursor.skip_while(|c| !c.is_whitespace());
        let error = |remedy| QueryError { token: cursor.since(start).to_owned(), range: start..cursor.at, remedy };
        if terms.len() == QUERY_TERMS_MAX {
            return Err(error(format!("a query has at most {QUERY_TERMS_MAX} terms")));
        }
        terms.push(term.map_err(error)?);
    }
}

fn term(cursor: &mut Cursor<'_>, now: DateTime<Utc>) -> Result<Term, String> {
    let negated = cursor.skip('-');
    let start = cursor.at;
    cursor.skip_while(|c| c.is_ascii_alphabetic());
    let word = cursor.since(start);
    if word.is_empty() || !cursor.skip(':') {
        cursor.at = start;
        return Ok(Term { negated, condition: without_key(cursor.value()?)? });
    }
    let Some(key) = Key::ALL.iter().copied().find(|key| key.name() == word) else {
        return Err(unknown_key(word));
    };
    let value = cursor.value()?;
    if value.text.is_empty() && !value.prefix {
        return Err(format!("{word}: needs a value right after the colon"));
    }
    Ok(Term { negated, condition: condition(key, value, now)? })
}

/// A word without a key: an event id if it is one, or else a text to look for.
fn without_key(value: Value) -> Result<Condition, String> {
    if value.text.is_empty() {
        return Err("a key and a value are needed, such as type:change.merged".to_owned());
    }
    match value.text.parse::<EventId>() {
        Ok(id) if !value.quoted && !value.prefix => Ok(Condition::Id(id)),
        Ok(_) | Err(_) => whole(Key::Text, value).map(Condition::Text),
    }
}

fn condition(key: Key, value: Value, now: DateTime<Utc>) -> Result<Condition, String> {
    Ok(match key {
        Key::Type => Condition::Type(pattern(value)),
        Key::Source => Condition::Source(pattern(value)),
        Key::Repository => Condition::Repository(pattern(value)),
        Key::Service => Condition::Service { pattern: pattern(value), repositories: Vec::new() },
        Key::Environment => Condition::Environment(pattern(value)),
        Key::Subject => Condition::Subject(pattern(value)),
        Key::Outcome => Condition::Outcome(outcome(&whole(key, value)?)?),
        Key::Id => Condition::Id(whole(key, value)?.parse().map_err(|_| "an event id is a UUID".to_owned())?),
        Key::Delivery => {
            let offset = whole(key, value)?.parse();
            Condition::Delivery(DeliveryOffset(offset.map_err(|_| "a delivery is named by its offset, a number")?))
        }
        Key::Since => Condition::Since(moment(&whole(key, value)?, now)?),
        Key::Before => Condition::Before(moment(&whole(key, value)?, now)?),
        Key::Text => Condition::Text(whole(key, value)?),
    })
}

fn pattern(value: Value) -> Pattern {
    if value.prefix { Pattern::Begins(value.text) } else { Pattern::Is(value.text) }
}

fn whole(key: Key, value: Value) -> Result<String, String> {
    if value.prefix {
        return Err(format!("{} takes no *; to look for the character, put the value in quotes", key.name()));
    }
    Ok(value.text)
}

fn outcome(name: &str) -> Result<OutcomeTerm, String> {
    if name == "failed" {
        return Ok(OutcomeTerm::Failed);
    }
    [Outcome::Success, Outcome::Failure, Outcome::Cancelled, Outcome::Error]
        .into_iter()
        .find(|outcome| outcome.name() == name)
        .map(OutcomeTerm::Is)
        .ok_or_else(|| "an outcome is success, failure, cancelled, error, or failed for failure and error".to_owned())
}

fn moment(text: &str, now: DateTime<Utc>) -> Result<Moment, String> {
    Moment::parse(text, now).ok_or_else(|| {
        "a time is 30m, 2h, 3d or 52w ago, a date such as 2026-01-31, a time such as 2026-01-31T09:30:00Z, \
         or milliseconds since 1970"
            .to_owned()
    })
}

fn unknown_key(word: &str) -> String {
    /// A word further away than this is no slip of the finger.
    const DISTANCE_MAX: usize = 2;
    let near = Key::ALL.iter().map(|key| (distance(word, key.name()), key.name())).min();
    // Words that other tools use for the same thing.
    let alias = [("kind", "type"), ("repository", "repo"), ("environment", "env"), ("status", "outcome")];
    if let Some((_, name)) = alias.into_iter().find(|(alias, _)| word.eq_ignore_ascii_case(alias)) {
        return format!("there is no key {word}; did you mean {name}:?");
    }
    match near {
        Some((distance, name)) if distance <= DISTANCE_MAX && distance < word.len() => {
            format!("there is no key {word}; did you mean {name}:?")
        }
        Some(_) | None => {
            let names: Vec<_> = Key::ALL.iter().map(|key| key.name()).collect();
            format!("there is no key {word}; the keys are {}; to look for a text, put it in quotes", names.join(", "))
        }
    }
}

/// How many characters must be inserted, deleted or replaced to make one word the other (Levenshtein 1966).
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (line, a) in from.chars().enumerate() {
        let mut next = vec![line + 1];
        for ((b, diagonal), above) in to.chars().zip(&row).zip(row.iter().skip(1)) {
            let left = next.last().copied().unwrap_or_default();
            next.push((diagonal + usize::from(!a.eq_ignore_ascii_case(&b))).min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

/// Where the reading of a text has come to.
struct Cursor<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Cursor<'t> {
    fn peek(&self) -> Option<char> {
        self.text.get(self.at..)?.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn skip(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    fn skip_while(&mut self, wanted: impl Fn(char) -> bool) {
        while self.peek().is_some_and(&wanted) {
            self.next();
        }
    }

    fn since(&self, start: usize) -> &'t str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    fn value(&mut self) -> Result<Value, String> {
        if self.skip('"') {
            let text = self.rest_of_quoted()?;
            let prefix = self.skip('*');
            return match self.peek() {
                Some(c) if !c.is_whitespace() => Err("a space is needed after the closing quote".to_owned()),
                Some(_) | None => Ok(Value { text, prefix, quoted: true }),
            };
        }
        let start = self.at;
        self.skip_while(|c| !c.is_whitespace());
        let word = self.since(start);
        let text = word.strip_suffix('*').unwrap_or(word);
        if text.contains('*') {
            return Err("* can stand only at the end; to look for the character, put the value in quotes".to_owned());
        }
        Ok(Value { text: text.to_owned(), prefix: text.len() < word.len(), quoted: false })
    }

    /// The text up to the closing quote; `\"` and `\\` stand for the characters themselves.
    fn rest_of_quoted(&mut self) -> Result<String, String> {
        let mut text = String::new();
        loop {
            match self.next() {
                Some('"') => return Ok(text),
                Some('\\') => text.extend(self.next()),
                Some(other) => text.push(other),
                None => return Err("the closing quote is missing".to_owned()),
            }
        }
    }
}

/// Writes a value so that it reads back: in quotes unless it is a plain word.
pub(super) fn write_value(f: &mut fmt::Formatter<'_>, value: &str) -> fmt::Result {
    let plain = !value.is_empty() && !value.contains(|c: char| c.is_whitespace() || matches!(c, '"' | '*'));
    if plain {
        return f.write_str(value);
    }
    f.write_str("\"")?;
    for c in value.chars() {
        if matches!(c, '"' | '\\') {
            f.write_str("\\")?;
        }
        write!(f, "{c}")?;
    }
    f.write_str("\"")
}
