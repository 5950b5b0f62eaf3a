//! Which events a subscription is for: the filter dialects of CloudEvents Subscriptions, and the explorer's query.
//!
//! ```json
//! [{"any": [{"prefix": {"type": "dev.cdevents.service."}}, {"query": "type:incident.* -env:test"}]}]
//! ```
//!
//! Dialects: `exact`, `prefix` and `suffix` compare attributes of the CloudEvent (all that are named, case sensitive,
//! an absent one never matches); `all`, `any` and `not` combine; `query` is the explorer's text, and
//! `{"kinds": ["service.*"]}` is short for a query of its `type:` terms. A list of expressions holds if all do.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::cdevents;
use crate::event::Recorded;
use crate::query::{Condition, Pattern, Query, Term};

/// Why a filter cannot be used, in words that name the place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FilterError(pub String);

/// Expressions stand in each other at most this deep: matching and reading are recursive.
const FILTER_DEPTH_MAX: usize = 16;

/// A filter holds at most this many comparisons and expressions: every event is held against all of them.
const FILTER_PARTS_MAX: usize = 500;

/// A filter is at most this long as JSON, in bytes: it is kept in memory and shown on pages.
const FILTER_BYTES_MAX: usize = 64 << 10;

/// The dialects, as an error names them.
const DIALECTS: &str = "exact, prefix, suffix, all, any, not, query and kinds";

/// A filter as it is written in JSON: a list of expressions of which all must hold. The empty one lets everything pass.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub struct Filter {
    written: Vec<Value>,
    all: Vec<Expression>,
}

/// What is written, compiled.
#[derive(Debug, Clone)]
enum Expression {
    Attributes(Comparison, Vec<(String, String)>),
    All(Vec<Expression>),
    Any(Vec<Expression>),
    Not(Box<Expression>),
    Query(Query),
}

/// How attributes are compared.
#[derive(Debug, Clone, Copy)]
enum Comparison {
    Exact,
    Prefix,
    Suffix,
}

impl Filter {
    /// Reads a filter: a list of expressions, or one expression. Times in a query that are counted back are counted
    /// from `now`, and kept as the points in time that they meant. (A filter that is part of a document has no `now`:
    /// there such a time is an error.)
    ///
    /// # Errors
    /// What is wrong, and where: `filter[1].any[0].prefix: …`.
    pub fn parse(value: &Value, now: DateTime<Utc>) -> Result<Self, FilterError> {
        Self::read(value, Some(now))
    }

    /// The filter that the explorer's query text is.
    ///
    /// # Errors
    /// What is wrong with the text, and where.
    pub fn of_query(text: &str, now: DateTime<Utc>) -> Result<Self, FilterError> {
        Self::parse(&serde_json::json!({"query": text}), now)
    }

    /// Whether an event passes.
    #[must_use]
    pub fn matches(&self, event: &Recorded) -> bool {
        self.all.iter().all(|expression| expression.matches(event))
    }

    /// The query that says the same, if one does: then a search finds what passes without looking at every event.
    #[must_use]
    pub fn as_query(&self) -> Option<&Query> {
        if let [Expression::Query(query)] = self.all.as_slice() { Some(query) } else { None }
    }

    /// Whether everything passes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.written.is_empty()
    }

    /// The expressions as written.
    #[must_use]
    pub fn expressions(&self) -> &[Value] {
        &self.written
    }

    fn read(value: &Value, now: Option<DateTime<Utc>>) -> Result<Self, FilterError> {
        let bytes = value.to_string().len();
        if bytes > FILTER_BYTES_MAX {
            return Err(at("filter", format_args!("it has {bytes} bytes, {FILTER_BYTES_MAX} are allowed")));
        }
        let mut written = match value {
            Value::Array(list) => list.clone(),
            Value::Object(_) => vec![value.clone()],
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                return Err(at("filter", "a list of expressions such as [{\"exact\": {\"type\": \"…\"}}] is needed"));
            }
        };
        let mut reader = Reader { now, parts: 0 };
        let all = reader.list("filter", &mut written, 0)?;
        Ok(Self { written, all })
    }
}

/// Two filters are the same if they are written the same.
impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl TryFrom<Value> for Filter {
    type Error = FilterError;

    fn try_from(value: Value) -> Result<Self, FilterError> {
        Self::read(&value, None)
    }
}

impl From<Filter> for Value {
    fn from(filter: Filter) -> Self {
        Self::Array(filter.written)
    }
}

impl Expression {
    fn matches(&self, event: &Recorded) -> bool {
        match self {
            Self::Attributes(comparison, wanted) => wanted.iter().all(|(name, value)| {
                cdevents::attribute(event, name).is_some_and(|found| comparison.holds(&found, value))
            }),
            Self::All(all) => all.iter().all(|expression| expression.matches(event)),
            Self::Any(any) => any.iter().any(|expression| expression.matches(event)),
            Self::Not(not) => !not.matches(event),
            Self::Query(query) => query.matches(event),
        }
    }
}

impl Comparison {
    fn holds(self, found: &str, value: &str) -> bool {
        match self {
            Self::Exact => found == value,
            Self::Prefix => found.starts_with(value),
            Self::Suffix => found.ends_with(value),
        }
    }
}

/// Reads expressions and counts what they are made of.
struct Reader {
    now: Option<DateTime<Utc>>,
    parts: usize,
}

impl Reader {
    fn list(&mut self, place: &str, list: &mut [Value], depth: usize) -> Result<Vec<Expression>, FilterError> {
        let expressions = list.iter_mut().enumerate();
        expressions.map(|(index, value)| self.expression(&format!("{place}[{index}]"), value, depth)).collect()
    }

    fn expression(&mut self, place: &str, value: &mut Value, depth: usize) -> Result<Expression, FilterError> {
        if depth == FILTER_DEPTH_MAX {
            return Err(at(place, format_args!("expressions stand in each other more than {FILTER_DEPTH_MAX} deep")));
        }
        self.count(place, 1)?;
        let one =
            value.as_object_mut().filter(|members| members.len() == 1).and_then(|members| members.iter_mut().next());
        let Some((dialect, value)) = one else {
            return Err(at(place, format_args!("an object with one of {DIALECTS} is needed")));
        };
        let place = format!("{place}.{dialect}");
        match dialect.as_str() {
            "exact" => self.attributes(&place, Comparison::Exact, value),
            "prefix" => self.attributes(&place, Comparison::Prefix, value),
            "suffix" => self.attributes(&place, Comparison::Suffix, value),
            "all" => Ok(Expression::All(self.list(&place, some(&place, value)?, depth + 1)?)),
            "any" => Ok(Expression::Any(self.list(&place, some(&place, value)?, depth + 1)?)),
            "not" => Ok(Expression::Not(Box::new(self.expression(&place, value, depth + 1)?))),
            "query" => self.query(&place, value),
            "kinds" => self.kinds(&place, value),
            _ => Err(at(&place, format_args!("there is no such dialect; there are {DIALECTS}"))),
        }
    }

    fn attributes(&mut self, place: &str, how: Comparison, value: &Value) -> Result<Expression, FilterError> {
        let members = value.as_object().filter(|members| !members.is_empty());
        let members = members.ok_or_else(|| at(place, "an object of attributes and their values is needed"))?;
        self.count(place, members.len())?;
        Ok(Expression::Attributes(how, wanted(place, members)?))
    }

    fn query(&mut self, place: &str, value: &mut Value) -> Result<Expression, FilterError> {
        let text = value.as_str().ok_or_else(|| at(place, "a text such as \"type:service.*\" is needed"))?;
        // Where there is no now, no time may be counted back from it: any time will do to see whether one is.
        let query = Query::parse(text, self.now.unwrap_or_default()).map_err(|error| at(place, error))?;
        let counted_back = |term: &&Term| matches!(&term.condition, Condition::Since(moment) | Condition::Before(moment) if moment.is_relative());
        let relative = query.terms().iter().find(counted_back);
        if let (Some(term), None) = (relative, self.now) {
            return Err(at(
                place,
                format_args!(
                    "{term} counts back from now, but a filter stays: write a time such as 2026-01-31T09:30:00Z"
                ),
            ));
        }
        let query = if relative.is_some() {
            let fixed = query.with_fixed_times();
            *value = Value::String(fixed.to_string());
            fixed
        } else {
            query
        };
        self.count(place, query.terms().len())?;
        Ok(Expression::Query(query))
    }

    fn kinds(&mut self, place: &str, value: &mut Value) -> Result<Expression, FilterError> {
        let list = some(place, value)?;
        self.count(place, list.len())?;
        let mut query = Query::default();
        for (index, value) in list.iter().enumerate() {
            let text = value.as_str().filter(|text| !text.is_empty());
            let text = text.ok_or_else(|| at(&format!("{place}[{index}]"), "a kind such as service.* is needed"))?;
            let pattern = match text.strip_suffix('*') {
                Some(prefix) => Pattern::Begins(prefix.to_owned()),
                None => Pattern::Is(text.to_owned()),
            };
            query = query.and(Term { negated: false, condition: Condition::Type(pattern) });
        }
        Ok(Expression::Query(query))
    }

    fn count(&mut self, place: &str, parts: usize) -> Result<(), FilterError> {
        self.parts += parts;
        if self.parts > FILTER_PARTS_MAX {
            return Err(at(place, format_args!("a filter has at most {FILTER_PARTS_MAX} comparisons and expressions")));
        }
        Ok(())
    }
}

/// The members of a list that may not be empty.
fn some<'v>(place: &str, value: &'v mut Value) -> Result<&'v mut [Value], FilterError> {
    match value {
        Value::Array(list) if !list.is_empty() => Ok(list),
        Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            Err(at(place, "a list of at least one is needed"))
        }
    }
}

fn wanted(place: &str, members: &Map<String, Value>) -> Result<Vec<(String, String)>, FilterError> {
    let mut wanted = Vec::with_capacity(members.len());
    for (name, value) in members {
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) {
            return Err(at(place, format_args!("{name:?} is no attribute: lower-case letters and digits are needed")));
        }
        let text = value.as_str().filter(|text| !text.is_empty());
        let text = text.ok_or_else(|| at(&format!("{place}.{name}"), "a text that is not empty is needed"))?;
        wanted.push((name.clone(), text.to_owned()));
    }
    Ok(wanted)
}

fn at(place: &str, what: impl std::fmt::Display) -> FilterError {
    FilterError(format!("{place}: {what}"))
}

#[cfg(test)]
mod tests;
