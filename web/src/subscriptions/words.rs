//! What states, ways and filters of subscriptions are called on a page.

use bus::subscriptions::{Attempt, Filter, Ordering, RetryPolicy, Signatures, State, Subscription, Transport, Verdict};
use serde_json::{Map, Value};

use crate::format;
use crate::redact;

/// How a subscription stands: a class, a sign and words, so that no colour is needed to tell them apart.
pub(super) fn state(one: &Subscription) -> (&'static str, &'static str, &'static str) {
    match one.state {
        State::Disabled => ("failing", "✕", "disabled"),
        State::Paused => ("silent", "‖", "paused"),
        State::Active if one.circuit_open_until.is_some() => ("failing", "✕", "held back"),
        State::Active if one.parked_keys > 0 => ("failing", "✕", "failing"),
        State::Active => ("delivering", "✓", "active"),
    }
}

/// Where it stands in a list that begins with what needs a look.
pub(super) fn rank(one: &Subscription) -> u8 {
    match (state(one).2, one.dead) {
        ("disabled", _) => 0,
        ("held back", _) => 1,
        ("failing", _) => 2,
        (_, 1..) => 3,
        ("paused", 0) => 4,
        (_, 0) => 5,
    }
}

/// By which way: `signed webhooks to https://…, at most 8 at once`.
pub(super) fn transport(transport: &Transport) -> String {
    match transport {
        Transport::Sse => "server-sent events".to_owned(),
        Transport::Websocket => "a WebSocket".to_owned(),
        Transport::Pull { lease_seconds } => {
            format!("pull, with leases of {}", format::duration(f64::from(*lease_seconds)))
        }
        Transport::Webhook(webhook) => {
            let signed = match webhook.signatures {
                Signatures::V1 => "signed webhooks (v1)",
                Signatures::V1a => "signed webhooks (v1a)",
                Signatures::Both => "signed webhooks (v1 and v1a)",
            };
            format!("{signed} to {}, at most {} at once", endpoint(&webhook.url), webhook.concurrency)
        }
    }
}

/// An endpoint as a page shows it: what stands behind a `?` is often a secret.
pub(super) fn endpoint(url: &str) -> String {
    let (shown, hidden) = url.split_once('?').map_or((url, false), |(path, _)| (path, true));
    let shown = redact::text(shown).0;
    if hidden { format!("{shown}?…") } else { shown }
}

pub(super) const fn ordering(ordering: Ordering) -> &'static str {
    match ordering {
        Ordering::PerKey => "one event of a key after the other",
        Ordering::None => "in any order",
    }
}

/// `at once, then after 5 s, 5 min, 30 min; then it is given up`
pub(super) fn retry(policy: &RetryPolicy) -> String {
    let delays: Vec<String> =
        policy.delays_seconds.iter().map(|seconds| format::duration(f64::from(*seconds))).collect();
    if delays.is_empty() {
        return "one attempt; then it is given up".to_owned();
    }
    let attempts = format::plural(delays.len() as u64 + 1, "attempt", "attempts");
    format!("{attempts}: at once, then after {}; then it is given up", delays.join(", "))
}

/// A filter in words.
pub(super) fn filter(filter: &Filter) -> String {
    let parts: Vec<String> = filter.expressions().iter().map(expression).collect();
    if parts.is_empty() { "everything".to_owned() } else { redact::text(&parts.join(", and ")).0 }
}

/// An expression in words. It was compiled already, so what does not fit is only shown as it stands.
fn expression(value: &Value) -> String {
    let one = value.as_object().and_then(|members| members.iter().next());
    let Some((dialect, inner)) = one else { return value.to_string() };
    match (dialect.as_str(), inner) {
        ("exact", Value::Object(wanted)) => attributes(wanted, "is"),
        ("prefix", Value::Object(wanted)) => attributes(wanted, "begins with"),
        ("suffix", Value::Object(wanted)) => attributes(wanted, "ends with"),
        ("all", Value::Array(list)) => several(list, " and "),
        ("any", Value::Array(list)) => several(list, " or "),
        ("not", inner) => format!("not ({})", expression(inner)),
        ("query", Value::String(text)) => text.clone(),
        ("kinds", Value::Array(list)) => {
            let kinds: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
            kinds.join(" or ")
        }
        _ => value.to_string(),
    }
}

fn attributes(wanted: &Map<String, Value>, how: &str) -> String {
    let one = |(name, value): (&String, &Value)| {
        format!("{name} {how} {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    };
    wanted.iter().map(one).collect::<Vec<_>>().join(" and ")
}

fn several(list: &[Value], between: &str) -> String {
    format!("({})", list.iter().map(expression).collect::<Vec<_>>().join(between))
}

/// What followed from an attempt: a class and words.
pub(super) const fn verdict(verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::Delivered => ("", "delivered"),
        Verdict::Retried => ("warned", "is tried again"),
        Verdict::Dead => ("bad", "given up"),
        Verdict::Gone => ("bad", "the endpoint is gone"),
    }
}

/// What the endpoint answered: `204`, or why there was no answer.
pub(super) fn outcome(attempt: &Attempt) -> String {
    match (&attempt.seen.response, &attempt.seen.error) {
        (Some(response), None) => response.status.to_string(),
        (Some(response), Some(error)) => redact::text(&format!("{}, {error}", response.status)).0,
        (None, Some(error)) => redact::text(error).0,
        (None, None) => "no answer".to_owned(),
    }
}
