//! Who is named in a run, so that no page and no answer names them: handles stand in events, in answers to lookups and
//! in what the bot wrote from them.

use std::collections::BTreeSet;

use bots::action::Action;
use bots::contract::Decision;
use bots::lookups::{Asked, Question};
use bots::runtime::record::RunRecord;
use bots::trial::Trial;
use bus::event::Recorded;
use serde_json::{Map, Value, json};

use crate::redact::{MARK, People};

/// Keys of what bots ask and do under which handles stand that no sender has.
const ROLES: [&str; 4] = ["reviewers", "requested_reviewers", "person", "author"];

/// Everybody who is named in a run and in its event.
pub(crate) fn of_run(record: &RunRecord, event: Option<&Recorded>) -> People {
    let asked: Vec<&Asked> = record.asked.iter().map(|asked| &asked.asked).collect();
    let actions: Vec<&Action> = record.actions.iter().map(|action| &action.action).collect();
    of(&asked, &actions, event)
}

/// Everybody who is named in a trial and in its event.
pub(crate) fn of_trial(trial: &Trial) -> People {
    let asked: Vec<&Asked> = trial.asked.iter().collect();
    let actions = match &trial.decision {
        Ok(Decision::Act { actions, .. }) => actions.iter().collect(),
        Ok(Decision::Retry { .. } | Decision::Reject { .. }) | Err(_) => Vec::new(),
    };
    of(&asked, &actions, Some(&trial.event))
}

fn of(asked: &[&Asked], actions: &[&Action], event: Option<&Recorded>) -> People {
    let mut named = BTreeSet::new();
    for asked in asked {
        named.extend(reviewing(asked).into_iter().flat_map(Map::keys).cloned());
    }
    let answers: Vec<&Value> = asked.iter().filter_map(|asked| asked.told.answer.as_ref().ok()).collect();
    answers.iter().for_each(|answer| collect(answer, &mut named));
    collect(&json!(actions), &mut named);
    let event = event.and_then(|recorded| recorded.event.data.to_value().ok()).unwrap_or_default();
    People::of(answers.into_iter().chain([&event]), named)
}

/// A run or a trial as the API answers it.
pub(crate) fn masked(mut document: Value, people: &People) -> Value {
    hide_reviewers(&mut document);
    people.json(&document)
}

/// An answer as it is shown: pretty, without people.
pub(super) fn answer(asked: &Asked, people: &People) -> String {
    match (&asked.told.answer, reviewing(asked)) {
        (Ok(_), Some(open)) => format!("{:#}", loads(open)),
        (Ok(Value::String(text)), None) => people.text(text),
        (Ok(answer), None) => format!("{:#}", people.json(answer)),
        (Err(unavailable), _) => people.text(&unavailable.reason),
    }
}

/// The answer to how many reviews are open: its keys are handles.
fn reviewing(asked: &Asked) -> Option<&Map<String, Value>> {
    let asks = matches!(asked.question, Question::OpenReviews { .. });
    asked.told.answer.as_ref().ok().and_then(Value::as_object).filter(|_| asks)
}

/// The same wherever it stands in a document.
fn hide_reviewers(value: &mut Value) {
    if value.pointer("/question/ask").and_then(Value::as_str) == Some("open-reviews")
        && let Some(answer) = value.pointer_mut("/told/answer/Ok")
        && let Some(open) = answer.as_object()
    {
        *answer = loads(open);
        return;
    }
    match value {
        Value::Object(fields) => fields.values_mut().for_each(hide_reviewers),
        Value::Array(values) => values.iter_mut().for_each(hide_reviewers),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// How many reviews are open for each, without saying whose they are.
fn loads(open: &Map<String, Value>) -> Value {
    let mut loads: Vec<u64> = open.values().filter_map(Value::as_u64).collect();
    loads.sort_unstable_by(|a, b| b.cmp(a));
    json!({MARK: loads})
}

fn collect(value: &Value, named: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                if ROLES.contains(&key.as_str()) {
                    texts(value, named);
                }
                collect(value, named);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, named)),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn texts(value: &Value, named: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            named.insert(text.clone());
        }
        Value::Array(values) => values.iter().for_each(|value| texts(value, named)),
        Value::Object(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
