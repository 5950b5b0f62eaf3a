//! Answers of the API about subscriptions, as rows.

use serde_json::Value;

pub(super) use crate::commands::bots::{at, entries};

pub(super) const SUBSCRIPTION: [&str; 8] =
    ["subscription", "state", "transport", "filter", "behind", "waiting", "parked_keys", "dead"];
pub(super) const ATTEMPT: [&str; 7] = ["attempt", "at", "offset", "number", "outcome", "millis", "verdict"];
pub(super) const DEAD_LETTER: [&str; 6] = ["letter", "at", "offset", "attempts", "event", "reason"];

pub(super) fn subscription(one: &Value) -> Vec<String> {
    vec![
        at(one, "/name"),
        at(one, "/state"),
        transport(one),
        filter(one),
        at(one, "/behind"),
        at(one, "/waiting"),
        at(one, "/parked_keys"),
        at(one, "/dead"),
    ]
}

fn transport(one: &Value) -> String {
    match at(one, "/transport/url").as_str() {
        "-" => at(one, "/transport/kind"),
        url => format!("{} {url}", at(one, "/transport/kind")),
    }
}

fn filter(one: &Value) -> String {
    match one.get("filter") {
        Some(Value::Array(list)) if list.is_empty() => "everything".to_owned(),
        Some(written) => written.to_string(),
        None => "-".to_owned(),
    }
}

/// A subscription in lines.
pub(super) fn about(one: &Value) -> Vec<String> {
    let because = one.get("because").map(|_| format!("because       {}", at(one, "/because")));
    let open = one
        .get("circuit_open_until")
        .map(|_| format!("circuit       open: the endpoint fails; tried again {}", at(one, "/circuit_open_until")));
    let public = one.get("public_key").map(|_| format!("public key    {}", at(one, "/public_key")));
    let lines = [
        format!("{}  {}", at(one, "/name"), at(one, "/state")),
        format!("transport     {}", transport(one)),
        format!("filter        {}", filter(one)),
        format!("ordering      {}", at(one, "/ordering")),
        format!("created       {}", at(one, "/created_at")),
        format!("position      {}", at(one, "/position")),
        format!("behind        {} events", at(one, "/behind")),
        format!("waiting       {} events, behind {} keys", at(one, "/waiting"), at(one, "/parked_keys")),
        format!("dead letters  {}", at(one, "/dead")),
    ];
    lines.into_iter().chain(because).chain(open).chain(public).collect()
}

pub(super) fn attempt(one: &Value) -> Vec<String> {
    vec![
        at(one, "/id"),
        at(one, "/at"),
        at(one, "/event"),
        at(one, "/number"),
        outcome(one),
        at(one, "/timings/total"),
        at(one, "/verdict"),
    ]
}

/// Whether the endpoint took what it was sent.
pub(super) fn is_taken(one: &Value) -> bool {
    one.pointer("/response/status").and_then(Value::as_u64).is_some_and(|status| (200..300).contains(&status))
}

fn outcome(one: &Value) -> String {
    match at(one, "/response/status").as_str() {
        "-" => at(one, "/error"),
        status => status.to_owned(),
    }
}

/// An attempt in lines, with everything that is kept of it.
pub(super) fn one_attempt(one: &Value) -> Vec<String> {
    let parts = ["resolve", "connect", "wait", "read", "total"];
    let timings = parts.map(|part| format!("{part} {}", at(one, &format!("/timings/{part}"))));
    let mut lines = vec![
        match at(one, "/event_id").as_str() {
            "-" => format!("test at {}", at(one, "/at")),
            event => format!(
                "attempt {} of event {event} at {}: {}",
                at(one, "/number"),
                at(one, "/at"),
                at(one, "/verdict")
            ),
        },
        format!("outcome  {}", outcome(one)),
        format!("millis   {}", timings.join(", ")),
        String::new(),
        "request".to_owned(),
    ];
    lines.extend(headers(one, "/request_headers"));
    if one.pointer("/response/status").is_some() {
        lines.extend([String::new(), format!("response {}", at(one, "/response/status"))]);
        lines.extend(headers(one, "/response/headers"));
        lines.push(String::new());
        lines.push(one.pointer("/response/body").and_then(Value::as_str).unwrap_or_default().to_owned());
    }
    lines
}

fn headers(one: &Value, pointer: &str) -> Vec<String> {
    let pairs = one.pointer(pointer).and_then(Value::as_array).into_iter().flatten();
    pairs.map(|pair| format!("{}: {}", at(pair, "/0"), at(pair, "/1"))).collect()
}

pub(super) fn dead_letter(one: &Value) -> Vec<String> {
    vec![
        at(one, "/id"),
        at(one, "/at"),
        at(one, "/event"),
        at(one, "/attempts"),
        at(one, "/event_id"),
        at(one, "/because"),
    ]
}
