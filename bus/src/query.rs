//! Which events somebody asks for: the query text of the explorer, parsed.
//!
//! `type:service.* service:checkout outcome:failed since:2h text:"timeout"`: terms are joined by *and*; terms of the
//! same key are joined by *or*; a `-` before a term excludes; a `*` at the end means "begins so". Keys: `type`,
//! `source`, `repo`, `service`, `env`, `outcome`, `subject`, `id`, `delivery`, `since`, `before`, `text`.
//!
//! [`Query::matches`] says the same as the engines' searches; it knows nothing of how they find events.

use std::fmt;

use chrono::{DateTime, Utc};

use crate::data::Outcome;
use crate::event::Recorded;
use crate::ids::{DeliveryOffset, EventId};

mod moment;
mod parse;

pub use moment::{Moment, Unit};
pub use parse::QueryError;

/// A query text holds at most this many terms: engines turn every term into a condition, and SQLite stops at 1,000.
pub const QUERY_TERMS_MAX: usize = 500;

/// A parsed query. The default matches every event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    terms: Vec<Term>,
}

/// One term of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// True if it excludes what it matches.
    pub negated: bool,
    /// What it matches.
    pub condition: Condition,
}

/// What a term matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// `type:` the kind's name.
    Type(Pattern),
    /// `source:` the configured endpoint that the delivery came through.
    Source(Pattern),
    /// `repo:` the repository, `host/owner/name`.
    Repository(Pattern),
    /// `service:` the service that the event names.
    Service {
        /// Its name.
        pattern: Pattern,
        /// Repositories that the service lives in: an event of theirs that names no service matches too.
        repositories: Vec<String>,
    },
    /// `env:` the environment.
    Environment(Pattern),
    /// `outcome:` how it ended.
    Outcome(OutcomeTerm),
    /// `subject:` the entity it happened to.
    Subject(Pattern),
    /// `id:` the event of that id.
    Id(EventId),
    /// `delivery:` the events read from that delivery.
    Delivery(DeliveryOffset),
    /// `since:` happened then or later.
    Since(Moment),
    /// `before:` happened earlier.
    Before(Moment),
    /// `text:` stands in the subject or in the JSON of the data, whatever the case of ASCII letters.
    Text(String),
}

/// A value to compare with: the whole of it, or how it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// The very value.
    Is(String),
    /// Every value that begins so; with an empty prefix every value there is.
    Begins(String),
}

/// The outcomes that a term asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutcomeTerm {
    /// That one.
    Is(Outcome),
    /// `failed`: failure or error.
    Failed,
}

/// The keys of terms, in the order in which the help names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// Of [`Condition::Type`].
    Type,
    /// Of [`Condition::Source`].
    Source,
    /// Of [`Condition::Repository`].
    Repository,
    /// Of [`Condition::Service`].
    Service,
    /// Of [`Condition::Environment`].
    Environment,
    /// Of [`Condition::Outcome`].
    Outcome,
    /// Of [`Condition::Subject`].
    Subject,
    /// Of [`Condition::Id`].
    Id,
    /// Of [`Condition::Delivery`].
    Delivery,
    /// Of [`Condition::Since`].
    Since,
    /// Of [`Condition::Before`].
    Before,
    /// Of [`Condition::Text`].
    Text,
}

impl Query {
    /// Reads a query as typed. Relative times are counted back from `now`.
    ///
    /// # Errors
    /// The first token that cannot be read, where it stands and what to write instead.
    pub fn parse(text: &str, now: DateTime<Utc>) -> Result<Self, QueryError> {
        parse::terms(text, now).map(|terms| Self { terms })
    }

    /// Exactly these events; none if there are none.
    #[must_use]
    pub fn of_ids(ids: impl IntoIterator<Item = EventId>) -> Self {
        let mut terms: Vec<Term> =
            ids.into_iter().map(|id| Term { negated: false, condition: Condition::Id(id) }).collect();
        if terms.is_empty() {
            // Without a term it would match every event.
            terms.push(Term { negated: true, condition: Condition::Type(Pattern::Begins(String::new())) });
        }
        Self { terms }
    }

    /// This query with one term more.
    #[must_use]
    pub fn and(mut self, term: Term) -> Self {
        self.terms.push(term);
        self
    }

    /// This query without the term that stands at `index`.
    #[must_use]
    pub fn without(&self, index: usize) -> Self {
        let terms = self.terms.iter().enumerate().filter(|(at, _)| *at != index).map(|(_, term)| term.clone());
        Self { terms: terms.collect() }
    }

    /// This query with every time that was counted back from now as the point in time that it meant.
    #[must_use]
    pub fn with_fixed_times(mut self) -> Self {
        for term in &mut self.terms {
            if let Condition::Since(moment) | Condition::Before(moment) = &mut term.condition {
                *moment = Moment::at_time(moment.at());
            }
        }
        self
    }

    /// Its terms, in the order typed. Each prints as it is written.
    #[must_use]
    pub fn terms(&self) -> &[Term] {
        &self.terms
    }

    /// Lets every `service:` term also match the events of the service's repositories that name no service
    /// themselves. `repositories_of` is asked with the term's value as written, so a `*` at its end stands for every
    /// service that begins so.
    pub fn with_service_repositories(&mut self, repositories_of: impl Fn(&str) -> Vec<String>) {
        for term in &mut self.terms {
            if let Condition::Service { pattern, repositories } = &mut term.condition {
                *repositories = repositories_of(&match pattern {
                    Pattern::Is(name) => name.clone(),
                    Pattern::Begins(prefix) => format!("{prefix}*"),
                });
            }
        }
    }

    /// Whether the event is asked for.
    #[must_use]
    pub fn matches(&self, recorded: &Recorded) -> bool {
        // One bit per key: terms of one key are joined by or, keys by and.
        let (mut asked, mut met) = (0_u16, 0_u16);
        for term in &self.terms {
            let bit = 1 << (term.condition.key() as u16);
            if term.negated {
                if term.condition.matches(recorded) {
                    return false;
                }
            } else {
                asked |= bit;
                if met & bit == 0 && term.condition.matches(recorded) {
                    met |= bit;
                }
            }
        }
        asked == met
    }
}

impl Condition {
    /// The key it is written with.
    #[must_use]
    pub const fn key(&self) -> Key {
        match self {
            Self::Type(_) => Key::Type,
            Self::Source(_) => Key::Source,
            Self::Repository(_) => Key::Repository,
            Self::Service { .. } => Key::Service,
            Self::Environment(_) => Key::Environment,
            Self::Outcome(_) => Key::Outcome,
            Self::Subject(_) => Key::Subject,
            Self::Id(_) => Key::Id,
            Self::Delivery(_) => Key::Delivery,
            Self::Since(_) => Key::Since,
            Self::Before(_) => Key::Before,
            Self::Text(_) => Key::Text,
        }
    }

    fn matches(&self, recorded: &Recorded) -> bool {
        let event = &recorded.event;
        match self {
            Self::Type(pattern) => pattern.matches(event.kind.name()),
            Self::Source(pattern) => pattern.matches(recorded.origin.source.as_str()),
            Self::Repository(pattern) => event.data.repository().is_some_and(|name| pattern.matches(name)),
            Self::Service { pattern, repositories } => match event.data.service() {
                Some(service) => pattern.matches(service),
                None => event.data.repository().is_some_and(|name| repositories.iter().any(|r| r == name)),
            },
            Self::Environment(pattern) => event.data.environment().is_some_and(|name| pattern.matches(name)),
            Self::Outcome(term) => event.data.outcome().is_some_and(|outcome| term.outcomes().contains(&outcome)),
            Self::Subject(pattern) => pattern.matches(&event.subject),
            Self::Id(id) => event.id == *id,
            Self::Delivery(delivery) => recorded.origin.delivery == *delivery,
            Self::Since(moment) => event.time >= moment.at(),
            Self::Before(moment) => event.time < moment.at(),
            Self::Text(text) => {
                let data = event.data.to_json().ok().flatten().unwrap_or_default();
                event.subject.to_ascii_lowercase().contains(&needle(text))
                    || data.to_ascii_lowercase().contains(&needle_in_json(text))
            }
        }
    }
}

impl Pattern {
    /// Whether the value is meant.
    #[must_use]
    pub fn matches(&self, value: &str) -> bool {
        match self {
            Self::Is(whole) => value == whole,
            Self::Begins(prefix) => value.starts_with(prefix.as_str()),
        }
    }

    /// The first value after all that begin with `prefix`, in the order of code points; none if nothing comes after.
    pub(crate) fn end_of_prefix(prefix: &str) -> Option<String> {
        let mut end: Vec<char> = prefix.chars().collect();
        while let Some(last) = end.pop() {
            // The code points after D7FF up to DFFF are no characters.
            let next = if last == '\u{d7ff}' { Some('\u{e000}') } else { char::from_u32(u32::from(last) + 1) };
            if let Some(next) = next {
                end.push(next);
                return Some(end.into_iter().collect());
            }
        }
        None
    }
}

impl OutcomeTerm {
    /// The outcomes it stands for.
    #[must_use]
    pub const fn outcomes(self) -> &'static [Outcome] {
        match self {
            Self::Is(Outcome::Success) => &[Outcome::Success],
            Self::Is(Outcome::Failure) => &[Outcome::Failure],
            Self::Is(Outcome::Cancelled) => &[Outcome::Cancelled],
            Self::Is(Outcome::Error) => &[Outcome::Error],
            Self::Failed => &[Outcome::Failure, Outcome::Error],
        }
    }
}

impl Key {
    /// Every key.
    pub const ALL: &'static [Self] = &[
        Self::Type,
        Self::Source,
        Self::Repository,
        Self::Service,
        Self::Environment,
        Self::Outcome,
        Self::Subject,
        Self::Id,
        Self::Delivery,
        Self::Since,
        Self::Before,
        Self::Text,
    ];

    /// As it is written, without the colon.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::Source => "source",
            Self::Repository => "repo",
            Self::Service => "service",
            Self::Environment => "env",
            Self::Outcome => "outcome",
            Self::Subject => "subject",
            Self::Id => "id",
            Self::Delivery => "delivery",
            Self::Since => "since",
            Self::Before => "before",
            Self::Text => "text",
        }
    }
}

/// The text of a `text:` term as it is looked for in lower-cased plain text.
pub(crate) fn needle(text: &str) -> String {
    text.to_ascii_lowercase()
}

/// The text of a `text:` term as it is looked for in lower-cased JSON, where quotes and line breaks are escaped.
pub(crate) fn needle_in_json(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    json.strip_prefix('"').and_then(|json| json.strip_suffix('"')).unwrap_or(&json).to_ascii_lowercase()
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, term) in self.terms.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            term.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minus = if self.negated { "-" } else { "" };
        write!(f, "{minus}{}:", self.condition.key().name())?;
        match &self.condition {
            Condition::Type(pattern)
            | Condition::Source(pattern)
            | Condition::Repository(pattern)
            | Condition::Service { pattern, .. }
            | Condition::Environment(pattern)
            | Condition::Subject(pattern) => pattern.fmt(f),
            Condition::Outcome(OutcomeTerm::Is(outcome)) => f.write_str(outcome.name()),
            Condition::Outcome(OutcomeTerm::Failed) => f.write_str("failed"),
            Condition::Id(id) => id.fmt(f),
            Condition::Delivery(delivery) => delivery.fmt(f),
            Condition::Since(moment) | Condition::Before(moment) => moment.fmt(f),
            Condition::Text(text) => parse::write_value(f, text),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Is(whole) => parse::write_value(f, whole),
            Self::Begins(prefix) if prefix.is_empty() => f.write_str("*"),
            Self::Begins(prefix) => {
                parse::write_value(f, prefix)?;
                f.write_str("*")
            }
        }
    }
}

#[cfg(test)]
mod tests;
