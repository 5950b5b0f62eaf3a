//! Answers what a bot asks about a cluster.

use serde_json::{Value, json};

use super::access::Cluster;
use super::clean;
use super::request::{Refusal, Trouble, Wanted, get, part, value};
use crate::lookups::{LogName, ObjectFilter, ObjectName, Question, Unavailable};

/// At most so many objects of a kind are listed.
const OBJECTS_MAX: u32 = 500;

/// Longest part of a log that is read from the server.
const LOG_READ_BYTES_MAX: u32 = 4 << 20;

/// A server stops after so many bytes from the first of the lines asked for, and the last lines matter most: so more is
/// asked for than kept.
const LOG_READ_FACTOR: u32 = 8;

/// What is never asked for, whatever the role allows.
const SECRET: &str = "secrets";

/// The cluster that a question is about; none if it is about something else.
pub(super) fn cluster_of(question: &Question) -> Option<&str> {
    match question {
        Question::Object(name) => Some(&name.cluster),
        Question::Objects(filter) => Some(&filter.cluster),
        Question::Logs(name) => Some(&name.cluster),
        Question::Delivery
        | Question::State { .. }
        | Question::Setting { .. }
        | Question::Owner(_)
        | Question::Events { .. }
        | Question::File { .. }
        | Question::ChangedFiles { .. }
        | Question::Change { .. }
        | Question::OpenReviews { .. } => None,
    }
}

pub(super) async fn answer(cluster: &Cluster, question: &Question) -> Result<Value, Unavailable> {
    match question {
        Question::Object(name) => object(cluster, name).await,
        Question::Objects(filter) => objects(cluster, filter).await,
        Question::Logs(name) => log(cluster, name).await,
        Question::Delivery
        | Question::State { .. }
        | Question::Setting { .. }
        | Question::Owner(_)
        | Question::Events { .. }
        | Question::File { .. }
        | Question::ChangedFiles { .. }
        | Question::Change { .. }
        | Question::OpenReviews { .. } => Err(Unavailable::for_good("not a question about a cluster")),
    }
}

async fn object(cluster: &Cluster, name: &ObjectName) -> Result<Value, Unavailable> {
    let place = place(&name.api, &name.resource, name.namespace.as_deref())?;
    let words = words(&format!("{}/{}", name.resource, name.name), name.namespace.as_deref());
    let wanted = Wanted { words, path: format!("{place}/{}", part(&name.name)?) };
    match get(cluster, &wanted).await {
        Ok(body) => Ok(clean::object(parsed(&body, &wanted)?)),
        // The name says that the kind is known and only this object is not there.
        Err(Trouble::Refused(refusal)) if refusal.status.as_u16() == 404 && !refusal.name.is_empty() => Ok(Value::Null),
        Err(trouble) => Err(unavailable(trouble, &wanted)),
    }
}

async fn objects(cluster: &Cluster, filter: &ObjectFilter) -> Result<Value, Unavailable> {
    let place = place(&filter.api, &filter.resource, filter.namespace.as_deref())?;
    let mut path = format!("{place}?limit={}", filter.limit.clamp(1, OBJECTS_MAX));
    for (key, selector) in [("labelSelector", &filter.labels), ("fieldSelector", &filter.fields)] {
        if let Some(selector) = selector {
            path = format!("{path}&{key}={}", value(selector));
        }
    }
    let wanted = Wanted { words: words(&filter.resource, filter.namespace.as_deref()), path };
    let body = get(cluster, &wanted).await.map_err(|trouble| unavailable(trouble, &wanted))?;
    let mut list = parsed(&body, &wanted)?;
    let items = list.get_mut("items").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default();
    Ok(items.into_iter().map(clean::object).collect())
}

async fn log(cluster: &Cluster, name: &LogName) -> Result<Value, Unavailable> {
    let pods = place("v1", "pods", Some(&name.namespace))?;
    let read = name.bytes_max.saturating_mul(LOG_READ_FACTOR).clamp(1, LOG_READ_BYTES_MAX);
    let mut path = format!("{pods}/{}/log?container={}", part(&name.pod)?, value(&name.container));
    path = format!("{path}&tailLines={}&limitBytes={read}", name.lines_max.max(1));
    if name.previous {
        path.push_str("&previous=true");
    }
    let wanted = Wanted { words: words(&format!("pods/log of {}", name.pod), Some(&name.namespace)), path };
    match get(cluster, &wanted).await {
        Ok(body) => {
            let log = String::from_utf8_lossy(&body);
            Ok(if is_excuse(&log) { Value::Null } else { json!(clean::log(&log, name.bytes_max)) })
        }
        Err(Trouble::Refused(refusal)) if is_gone(&refusal) => Ok(Value::Null),
        Err(trouble) => Err(unavailable(trouble, &wanted)),
    }
}

/// Whether the log is not there: the pod, the container or its earlier run is gone, or has not begun.
fn is_gone(refusal: &Refusal) -> bool {
    let said = |words: &str| refusal.message.contains(words);
    match refusal.status.as_u16() {
        404 => refusal.reason == "NotFound" || said("not found"),
        400 => said("not found") || said("is waiting to start") || said("is not valid for pod") || said("terminated"),
        _ => false,
    }
}

/// A kubelet whose runtime has thrown the log away says so in the place of the log, with status 200.
fn is_excuse(log: &str) -> bool {
    log.lines().count() <= 1 && log.starts_with("unable to retrieve container logs for ")
}

/// `/apis/apps/v1/namespaces/payments/replicasets`.
fn place(api: &str, resource: &str, namespace: Option<&str>) -> Result<String, Unavailable> {
    if resource.eq_ignore_ascii_case(SECRET) {
        return Err(Unavailable::for_good("Secrets are never read"));
    }
    let root = match api.split_once('/') {
        Some((group, version)) => format!("/apis/{}/{}", part(group)?, part(version)?),
        None => format!("/api/{}", part(api)?),
    };
    match namespace {
        Some(namespace) => Ok(format!("{root}/namespaces/{}/{}", part(namespace)?, part(resource)?)),
        None => Ok(format!("{root}/{}", part(resource)?)),
    }
}

fn words(what: &str, namespace: Option<&str>) -> String {
    namespace.map_or_else(|| what.to_owned(), |namespace| format!("{what} in {namespace}"))
}

fn parsed(body: &[u8], wanted: &Wanted) -> Result<Value, Unavailable> {
    serde_json::from_slice(body).map_err(|_| Unavailable::for_now(format!("{}: the answer is no JSON", wanted.words)))
}

fn unavailable(trouble: Trouble, wanted: &Wanted) -> Unavailable {
    match trouble {
        Trouble::Refused(refusal) => refusal.unavailable(wanted),
        Trouble::Unavailable(unavailable) => unavailable,
    }
}
