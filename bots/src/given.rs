//! A world out of a file: everything that a bot would be told, given beforehand. With it a bot is tried without any
//! network, server or data, and a test needs no client.
//!
//! What the file does not hold is not made up: the bot is told that it cannot be had, as in a cluster whose role does
//! not permit it.

use std::collections::BTreeMap;

use bus::data::Data;
use bus::event::{Event, Origin, Recorded};
use bus::ids::{DeliveryOffset, EventId, EventOffset, OrderKey, SourceName};
use bus::kind::Kind;
use bus::query::Query;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::action::Action;
use crate::clients::secrets;
use crate::lookups::{ChangeNow, Happened, LogName, Owner, Question, Told, Unavailable, World};

mod objects;

/// What stands in the place of an answer that the file does not hold.
const ABSENT: &str = "not in the file";

/// Answers, by the questions that they answer. All are optional.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Answers {
    /// Logs by `pod/container`, or by the container alone.
    pub logs: BTreeMap<String, String>,
    /// All files there are, by path or by `host/owner/name:path`; another path is a file that does not exist.
    pub files: Option<BTreeMap<String, String>>,
    /// How many open changes wait for each reviewer.
    pub open_reviews: Option<BTreeMap<String, u32>>,
    /// The paths that the change touches.
    pub changed_files: Option<Vec<String>>,
    /// The change as the forge has it now.
    pub change: Option<ChangeNow>,
    /// Who owns whatever is asked for.
    pub owner: Option<Owner>,
    /// Events of the bus; those that the question finds are told.
    pub events: Option<Vec<Happened>>,
    /// Objects of a cluster, as `kubectl get -o json` prints them.
    pub objects: Vec<Value>,
    /// The bot's own state.
    pub state: BTreeMap<String, String>,
    /// The bot's settings.
    pub settings: BTreeMap<String, Value>,
}

/// The world of one delivery.
#[derive(Debug, Clone, Default)]
pub struct Scene {
    /// The body of the delivery, where there is one.
    pub delivery: Option<Value>,
    /// Everything else.
    pub answers: Answers,
    /// When the run begins: relative times of queries are counted back from here.
    pub now: DateTime<Utc>,
}

impl Scene {
    /// Keeps what the bot saves, so that its next run finds it.
    pub fn keep_state(&mut self, actions: &[Action]) {
        for action in actions {
            match action {
                Action::SaveState { key, value: Some(value) } => {
                    self.answers.state.insert(key.clone(), value.clone());
                }
                Action::SaveState { key, value: None } => {
                    self.answers.state.remove(key);
                }
                Action::PostMessage { .. }
                | Action::Comment { .. }
                | Action::RequestReviewers { .. }
                | Action::AddLabels { .. }
                | Action::Remind { .. } => {}
            }
        }
    }

    fn told(&self, question: &Question) -> Result<Value, Unavailable> {
        let answers = &self.answers;
        match question {
            Question::Delivery => self.delivery.clone().ok_or_else(absent),
            // A bot that never ran has no state, and one that nobody configured has no settings: both are answers.
            Question::State { key } => Ok(json!(answers.state.get(key))),
            Question::Setting { name } => Ok(json!(answers.settings.get(name))),
            Question::Owner(_) => told(answers.owner.as_ref()),
            Question::Events { query, before, since, limit } => self.events(query, *since..*before, *limit),
            Question::File { repository, path, at: _ } => {
                let files = answers.files.as_ref().ok_or_else(absent)?;
                Ok(json!(files.get(&format!("{repository}:{path}")).or_else(|| files.get(path))))
            }
            Question::ChangedFiles { .. } => told(answers.changed_files.as_ref()),
            Question::Change { .. } => told(answers.change.as_ref()),
            Question::OpenReviews { .. } => told(answers.open_reviews.as_ref()),
            Question::Object(name) => objects::named(&answers.objects, name).cloned().ok_or_else(absent),
            Question::Objects(filter) => {
                objects::filtered(&answers.objects, filter).map(Value::Array).ok_or_else(absent)
            }
            Question::Logs(name) => self.log(name).map(Value::String).ok_or_else(absent),
        }
    }

    fn events(&self, query: &str, within: std::ops::Range<DateTime<Utc>>, limit: usize) -> Result<Value, Unavailable> {
        let events = self.answers.events.as_ref().ok_or_else(absent)?;
        let query = Query::parse(query, self.now).map_err(|error| Unavailable::for_good(error.to_string()))?;
        let found = events
            .iter()
            .filter(|event| within.contains(&event.time) && recorded(event).is_some_and(|event| query.matches(&event)));
        let mut found: Vec<&Happened> = found.collect();
        found.sort_by_key(|event| std::cmp::Reverse(event.time));
        found.truncate(limit);
        Ok(json!(found))
    }

    /// The last lines of a log without secrets, as a client hands it over.
    fn log(&self, name: &LogName) -> Option<String> {
        let LogName { namespace, pod, container, .. } = name;
        let known = [format!("{namespace}/{pod}/{container}"), format!("{pod}/{container}"), container.clone()];
        let log = known.iter().find_map(|name| self.answers.logs.get(name))?;
        let lines: Vec<&str> = log.lines().collect();
        let skipped = lines.len().saturating_sub(usize::try_from(name.lines_max).unwrap_or(usize::MAX));
        let text = lines.get(skipped..).unwrap_or_default().join("\n");
        let too_long = text.len().saturating_sub(usize::try_from(name.bytes_max).unwrap_or(usize::MAX));
        let start = (too_long..=text.len()).find(|start| text.is_char_boundary(*start)).unwrap_or_default();
        text.get(start..).map(|text| secrets::redact(text).into_owned())
    }
}

impl World for Scene {
    fn answer(&self, question: &Question) -> Told {
        Told::free(self.told(question))
    }
}

/// An event of that kind as it comes over the bus, for a test. Its id and its place are made up; its subject and its
/// order key are the entity that its data names.
///
/// # Errors
/// If the data is not of the shape that goes with the kind.
pub fn event(kind: &str, time: DateTime<Utc>, data: &Value) -> Result<Recorded, serde_json::Error> {
    let kind = Kind::from(kind);
    let data = Data::from_json(&kind, Some(&data.to_string()))?;
    let key = data.order_key().unwrap_or_default();
    let source: SourceName = serde_json::from_value(json!("given"))?;
    let id = EventId::derive(&source, &serde_json::from_value(json!(format!("{kind} {key} {time}")))?, 0);
    let (source_uri, subject, key) = (source.to_string(), key.clone(), OrderKey(key));
    Ok(Recorded {
        offset: EventOffset(1),
        recorded_at: time,
        revision: 0,
        origin: Origin { source, delivery: DeliveryOffset(1), index: 0 },
        event: Event { id, kind, source: source_uri, subject, time, key, data },
    })
}

fn absent() -> Unavailable {
    Unavailable::for_good(ABSENT)
}

fn told<T: serde::Serialize>(answer: Option<&T>) -> Result<Value, Unavailable> {
    answer.map(|answer| json!(answer)).ok_or_else(absent)
}

/// An event of the file as a query looks at it; its source and its order key are not known.
fn recorded(happened: &Happened) -> Option<Recorded> {
    let data = Data::from_json(&happened.kind, Some(&happened.data.to_string()));
    Some(Recorded {
        offset: EventOffset(0),
        recorded_at: happened.time,
        revision: 0,
        origin: Origin { source: "file".parse().ok()?, delivery: DeliveryOffset(0), index: 0 },
        event: Event {
            id: happened.id,
            kind: happened.kind.clone(),
            source: String::new(),
            subject: happened.subject.clone(),
            time: happened.time,
            key: OrderKey(String::new()),
            data: data.unwrap_or_else(|_| Data::Other(happened.data.clone())),
        },
    })
}

#[cfg(test)]
mod tests;
