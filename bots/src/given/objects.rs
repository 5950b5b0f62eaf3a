//! Objects of a cluster out of a file: found by name, or by label and field selectors as the API server reads them.

use serde_json::Value;

use crate::lookups::{ObjectFilter, ObjectName};

/// The group of figures of usage: its kinds are called otherwise than its resources.
const METRICS: &str = "metrics.k8s.io";

/// Events have two groups, which serve the same objects.
const EVENTS: &str = "events";

/// The object of that name, if the file holds it.
pub(super) fn named<'a>(objects: &'a [Value], name: &ObjectName) -> Option<&'a Value> {
    let mut of_resource = objects.iter().filter(|object| is_of(object, &name.api, &name.resource));
    of_resource.find(|object| {
        let namespace = text(object, "/metadata/namespace");
        let in_namespace = name.namespace.as_deref().is_none_or(|wanted| namespace.is_none_or(|found| found == wanted));
        in_namespace && text(object, "/metadata/name") == Some(&name.name)
    })
}

/// The objects that a filter selects; none if the file holds no object of that resource at all: then it does not know.
pub(super) fn filtered(objects: &[Value], filter: &ObjectFilter) -> Option<Vec<Value>> {
    let mut of_resource = objects.iter().filter(|object| is_of(object, &filter.api, &filter.resource)).peekable();
    of_resource.peek()?;
    let wanted = |object: &&Value| {
        let namespace = text(object, "/metadata/namespace");
        filter.namespace.as_deref().is_none_or(|wanted| namespace.is_none_or(|found| found == wanted))
            && selects(filter.labels.as_deref(), |key| label(object, key))
            && selects(filter.fields.as_deref(), |path| field(object, path))
    };
    Some(of_resource.filter(wanted).take(usize::try_from(filter.limit).unwrap_or(usize::MAX)).cloned().collect())
}

/// Whether an object is of a resource: `Pod` of `v1` is of `pods`.
fn is_of(object: &Value, api: &str, resource: &str) -> bool {
    let group = |api: &str| api.split_once('/').map_or(String::new(), |(group, _)| group.to_owned());
    let found = group(text(object, "/apiVersion").unwrap_or_default());
    let kind = text(object, "/kind").unwrap_or_default();
    let kind = if found == METRICS { kind.trim_end_matches("Metrics") } else { kind };
    plural(&kind.to_lowercase()) == resource && (found == group(api) || resource == EVENTS)
}

/// The resource of a kind, as the API names it.
fn plural(kind: &str) -> String {
    if let Some(stem) = kind.strip_suffix('y') {
        return format!("{stem}ies");
    }
    if kind.ends_with('s') { format!("{kind}es") } else { format!("{kind}s") }
}

/// Whether a selector holds: `a=b,c!=d,e in (f, g),h,!i`.
fn selects(selector: Option<&str>, value_of: impl Fn(&str) -> Option<String>) -> bool {
    terms(selector.unwrap_or_default()).iter().all(|term| {
        if let Some((key, values)) = term.split_once(" notin ") {
            return !value_of(key.trim()).is_some_and(|value| listed(values, &value));
        }
        if let Some((key, values)) = term.split_once(" in ") {
            return value_of(key.trim()).is_some_and(|value| listed(values, &value));
        }
        if let Some((key, unwanted)) = term.split_once("!=") {
            return value_of(key.trim()).as_deref() != Some(unwanted.trim());
        }
        if let Some((key, wanted)) = term.split_once('=') {
            return value_of(key.trim()).as_deref() == Some(wanted.trim_start_matches('=').trim());
        }
        match term.strip_prefix('!') {
            Some(key) => value_of(key.trim()).is_none(),
            None => value_of(term).is_some(),
        }
    })
}

/// The terms of a selector: commas within parentheses do not part them.
fn terms(selector: &str) -> Vec<String> {
    let mut terms = vec![String::new()];
    let mut depth = 0_u32;
    for character in selector.chars() {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        match terms.last_mut() {
            Some(last) if character != ',' || depth > 0 => last.push(character),
            Some(_) | None => terms.push(String::new()),
        }
    }
    terms.iter().map(|term| term.trim().to_owned()).filter(|term| !term.is_empty()).collect()
}

fn listed(values: &str, value: &str) -> bool {
    values.trim().trim_matches(['(', ')']).split(',').any(|one| one.trim() == value)
}

fn label(object: &Value, key: &str) -> Option<String> {
    object.pointer("/metadata/labels")?.get(key)?.as_str().map(str::to_owned)
}

/// What a field selector compares: an absent field is the empty text, as for the API server.
fn field(object: &Value, path: &str) -> Option<String> {
    let at = |path: &str| object.pointer(&format!("/{}", path.replace('.', "/"))).cloned();
    // What an event is about has two names, one in each of its groups.
    let value = at(path).or_else(|| at(&path.replacen("involvedObject", "regarding", 1)));
    Some(match value {
        Some(Value::String(text)) => text,
        None | Some(Value::Null) => String::new(),
        Some(other) => other.to_string(),
    })
}

fn text<'a>(object: &'a Value, pointer: &str) -> Option<&'a str> {
    object.pointer(pointer)?.as_str()
}
