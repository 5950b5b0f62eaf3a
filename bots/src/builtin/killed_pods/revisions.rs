//! What the running revision of a deployment sets otherwise than the one before.

use std::collections::BTreeSet;

use serde_json::Value;

use super::collect::Collected;
use super::json::{entry, items, text};

/// Where a deployment writes which revision a replica set is.
const REVISION: &str = "deployment.kubernetes.io/revision";

/// What is compared of each container: how it is called, and where it stands.
const COMPARED: [(&str, &str); 9] = [
    ("image", "/image"),
    ("memory limit", "/resources/limits/memory"),
    ("memory request", "/resources/requests/memory"),
    ("cpu limit", "/resources/limits/cpu"),
    ("cpu request", "/resources/requests/cpu"),
    ("command", "/command"),
    ("arguments", "/args"),
    ("liveness probe", "/livenessProbe"),
    ("startup probe", "/startupProbe"),
];

/// A revision and its replica set.
type Revision<'a> = (i64, &'a Value);

/// The running revision.
pub(super) fn current(collected: &Collected) -> Option<Revision<'_>> {
    let owner = collected.owner.as_ref()?;
    Some((revision(owner)?, owner))
}

/// What the running revision sets otherwise than the one before, a sentence each.
pub(super) fn difference(collected: &Collected) -> Vec<String> {
    /// More is a rewrite, and is read elsewhere.
    const SENTENCES_MAX: usize = 6;
    let Some([(now, new), (_, old)]) = both(collected) else { return Vec::new() };
    let told = between(old, new);
    let more = told.len().saturating_sub(SENTENCES_MAX);
    let mut shown: Vec<String> =
        told.into_iter().take(SENTENCES_MAX).map(|text| format!("Revision {now}: {text}")).collect();
    if more > 0 {
        shown.push(format!("Revision {now}: and {more} more"));
    }
    shown
}

fn revision(replica_set: &Value) -> Option<i64> {
    entry(replica_set, "/metadata/annotations", REVISION)?.parse().ok()
}

/// The running revision and the last one before it.
fn both(collected: &Collected) -> Option<[Revision<'_>; 2]> {
    let (now, new) = current(collected)?;
    let deployment = text(collected.deployment.as_ref()?, "/metadata/name")?;
    let of_it = |set: &&Value| super::json::owner(set) == Some(("Deployment", deployment));
    let numbered = collected.replica_sets.iter().filter(of_it).filter_map(|set| Some((revision(set)?, set)));
    let before = numbered.filter(|(number, _)| *number < now).max_by_key(|(number, _)| *number)?;
    Some([(now, new), before])
}

fn between(old: &Value, new: &Value) -> Vec<String> {
    let containers = |set| items(set, "/spec/template/spec/containers");
    let mut told = Vec::new();
    for container in containers(new) {
        let Some(name) = text(container, "/name") else { continue };
        let Some(before) = containers(old).find(|other| text(other, "/name") == Some(name)) else {
            told.push(format!("container {name} is new"));
            continue;
        };
        let prefix = if containers(new).count() > 1 { format!("{name}: ") } else { String::new() };
        told.extend(COMPARED.iter().filter_map(|(what, place)| {
            let (old, new) = (before.pointer(place), container.pointer(place));
            (old != new).then(|| format!("{prefix}{what} {} → {}", shown(old), shown(new)))
        }));
        told.extend(variables(before, container).map(|text| format!("{prefix}{text}")));
    }
    told
}

/// Names of variables that came, went or are set otherwise. Their values may be secret and are not told.
fn variables(old: &Value, new: &Value) -> Option<String> {
    let named = |container| -> BTreeSet<(String, String)> {
        let variables = items(container, "/env");
        variables.filter_map(|variable| Some((text(variable, "/name")?.to_owned(), variable.to_string()))).collect()
    };
    let (old, new) = (named(old), named(new));
    let changed: BTreeSet<&str> = old.symmetric_difference(&new).map(|(name, _)| name.as_str()).collect();
    let changed: Vec<&str> = changed.into_iter().collect();
    (!changed.is_empty()).then(|| format!("environment variables {}", changed.join(", ")))
}

/// A value in a line.
fn shown(value: Option<&Value>) -> String {
    /// A probe or a command line that is longer is looked up.
    const CHARS_MAX: usize = 120;
    let text = match value {
        None | Some(Value::Null) => return "none".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    if text.chars().count() <= CHARS_MAX { text } else { text.chars().take(CHARS_MAX).chain(['…']).collect() }
}
