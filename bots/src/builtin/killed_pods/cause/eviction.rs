//! Evictions by the kubelet: their messages, which differ from version to version, and the annotations of their events.

use super::facts::Facts;
use super::json::quote;
use super::quantity;
use super::seen::Seen;
use super::{Cause, Confidence, Verdict};

/// The kubelet evicts and tells within this time; its event may come later than the pod's status.
const EVENT_SECONDS: i64 = 120;

/// The pod was evicted by the kubelet: the node ran low, or the pod used more local storage than it may.
pub(super) fn evicted(facts: &Facts<'_>) -> Option<Verdict> {
    let event = facts
        .events("Evicted")
        .filter(|event| event.is_near(facts.ended, EVENT_SECONDS) && is_of_kubelet(event))
        .max_by_key(|event| event.last);
    let said = facts.pod_reason().filter(|(reason, _)| *reason == "Evicted").map(|(_, message)| message);
    // Status is lost when the container ends well while it is evicted; then condition and event still tell.
    let disrupted = facts.disruption().filter(|found| {
        found.reason == "TerminationByKubelet" && (is_low(found.message) || exceeds_storage(found.message))
    });
    let message = [said, disrupted.map(|found| found.message), event.map(|event| event.message)]
        .into_iter()
        .flatten()
        .find(|message| !message.is_empty())
        .or(said)?;
    // The three say the same, word by word; once is enough.
    let is_news = |words: &str| words.trim() != message.trim();
    let status = said.map(|_| format!("status.reason = Evicted, status.message = {}", quote(message)));
    let condition = disrupted.map(|found| {
        let is_new = said.is_none() || is_news(found.message);
        let words = if is_new { quote(found.message) } else { "as in the status".to_owned() };
        format!("DisruptionTarget.reason = TerminationByKubelet: {words}")
    });
    let is_only = said.is_none() && disrupted.is_none();
    let told = event.filter(|event| is_only || is_news(event.message)).map(Seen::evidence);
    let evidence = status.into_iter().chain(condition).chain(told).chain(event.into_iter().flat_map(annotations));
    let verdict =
        if exceeds_storage(message) { over_its_storage(facts, message) } else { low_node(facts, message, event) };
    Some(verdict.because(evidence))
}

fn over_its_storage(facts: &Facts<'_>, message: &str) -> Verdict {
    Verdict::new(
        Cause::EvictedEphemeralLimit,
        Confidence::High,
        format!("The kubelet evicted pod {}: {}.", facts.pod_name(), quote(message).trim_end_matches('.')),
        "Find what it writes to its own disk or to an emptyDir (logs, caches, uploads), or raise the limit of \
         ephemeral-storage."
            .to_owned(),
    )
}

fn low_node(facts: &Facts<'_>, message: &str, event: Option<&Seen<'_>>) -> Verdict {
    let starved = event.and_then(|event| event.annotation("starved_resource"));
    let low = Low::of(message);
    let resource = starved.or(low.resource).unwrap_or("a resource");
    let available = match (low.available, low.threshold) {
        (Some(available), Some(threshold)) => {
            format!(": {} were left, {} have to be", amount(resource, available), amount(resource, threshold))
        }
        _ => String::new(),
    };
    let usage = match (low.container, low.used, low.request) {
        (Some(container), Some(used), Some(request)) => {
            let (used, request) = (amount(resource, used), amount(resource, request));
            format!(" Container {container} was using {used} and had asked for {request}.")
        }
        _ => String::new(),
    };
    let (node, pod) = (capital(&facts.node_words()), facts.pod_name());
    let sentence = if message.contains("had condition") {
        format!("{node} is low on something ({resource}), so its kubelet did not take pod {pod}.")
    } else {
        format!("{node} ran low on {resource}{available}, and the kubelet evicted pod {pod}.{usage}")
    };
    let todo = if resource.to_lowercase().contains("memory") {
        "Set the memory request to what the container really uses, so that the scheduler leaves room for it; \
         then see who else on the node uses more than it asked for."
    } else if resource.to_lowercase().contains("pid") {
        "See which pod on the node starts so many processes, and limit pids per pod."
    } else {
        "See what fills the disk of the node (images, logs, emptyDirs), and set requests and limits of \
         ephemeral-storage."
    };
    Verdict::new(Cause::EvictedNodePressure, Confidence::High, sentence, todo.to_owned())
}

/// Bytes as people write them; of other resources, such as pids, the number as it is.
fn amount(resource: &str, quantity: &str) -> String {
    let is_bytes = matches!(resource, "memory" | "ephemeral-storage" | "nodefs" | "imagefs");
    let bytes = quantity::parse(quantity).filter(|_| is_bytes);
    bytes.map_or_else(|| quantity.to_owned(), quantity::bytes)
}

/// What the message of an eviction of a low node tells.
#[derive(Debug, Default, PartialEq, Eq)]
struct Low<'a> {
    resource: Option<&'a str>,
    threshold: Option<&'a str>,
    available: Option<&'a str>,
    container: Option<&'a str>,
    used: Option<&'a str>,
    request: Option<&'a str>,
}

impl<'a> Low<'a> {
    /// Reads the message of any version: `was using 9Gi, which exceeds its request of 0` until 1.25, `request is 0, has
    /// larger consumption of memory` since.
    fn of(message: &'a str) -> Self {
        let resource = between(message, "low on resource: ", ". ");
        let resource = resource.or_else(|| between(message, "had condition: ", ". "));
        let request = between(message, ", request is ", ",");
        Self {
            resource: resource.map(|found| found.trim_end_matches('.').trim_matches(['[', ']'])),
            threshold: between(message, "Threshold quantity: ", ","),
            available: between(message, "available: ", ". "),
            container: between(message, "Container ", " was using "),
            used: between(message, " was using ", ","),
            request: request.or_else(|| between(message, "which exceeds its request of ", ". ")),
        }
    }
}

/// The text after the first and before the next, or to the end.
fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let rest = text.split_once(before)?.1;
    let found = rest.split_once(after).map_or(rest, |(found, _)| found).trim().trim_end_matches('.');
    Some(found).filter(|found| !found.is_empty())
}

fn is_low(message: &str) -> bool {
    message.contains("low on resource") || message.contains("had condition")
}

fn exceeds_storage(message: &str) -> bool {
    let message = message.to_lowercase();
    !is_low(&message)
        && (message.contains("exceeded its local ephemeral storage limit")
            || message.contains("pod ephemeral local storage usage exceeds")
            || (message.contains("emptydir") && message.contains("exceeds the limit")))
}

/// Others, such as autoscalers that drain nodes, call their events the same.
fn is_of_kubelet(event: &Seen<'_>) -> bool {
    event.annotation("starved_resource").is_some() || is_low(event.message) || exceeds_storage(event.message)
}

fn annotations(event: &Seen<'_>) -> Vec<String> {
    let names = ["starved_resource", "offending_containers", "offending_containers_usage"];
    let found = |name: &&str| Some(format!("annotation {name} = {}", quote(event.annotation(name)?)));
    names.iter().filter_map(found).collect()
}

fn capital(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
