//! Answers of the API about bots, as rows.

use serde_json::Value;

pub(super) const BOT: [&str; 7] = ["bot", "state", "mode", "behind", "ok_24h", "failed_24h", "dead_letters"];
pub(super) const RUN: [&str; 6] = ["run", "at", "event", "status", "actions", "because"];
pub(super) const DEAD_LETTER: [&str; 6] = ["bot", "run", "at", "tries", "event", "reason"];
pub(super) const TRIAL: [&str; 6] = ["time", "event", "decision", "actions", "answers", "because"];

/// The entries of a list in an answer.
pub(in crate::commands) fn entries<'a>(answer: &'a Value, list: &str) -> impl Iterator<Item = &'a Value> {
    answer.get(list).and_then(Value::as_array).into_iter().flatten()
}

/// What stands there, as a person reads it; `-` if nothing does.
pub(in crate::commands) fn at(value: &Value, pointer: &str) -> String {
    match value.pointer(pointer) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.replace(['\n', '\t'], " "),
        Some(other) => other.to_string(),
    }
}

pub(super) fn bot(bot: &Value) -> Vec<String> {
    let paused = bot.get("paused").is_some_and(|paused| !paused.is_null());
    vec![
        at(bot, "/manifest/name"),
        if paused { "paused".to_owned() } else { at(bot, "/state") },
        at(bot, "/mode"),
        at(bot, "/lag/events"),
        at(bot, "/day/ok"),
        at(bot, "/day/failed"),
        at(bot, "/dead_letters"),
    ]
}

/// A bot in lines: what it is, how it stands, what it saved.
pub(super) fn about(bot: &Value) -> Vec<String> {
    let paused = bot
        .pointer("/paused/because")
        .map(|_| format!("paused        since {}: {}", at(bot, "/paused/since"), at(bot, "/paused/because")));
    let failed = bot
        .pointer("/last_failure/at")
        .map(|_| format!("last error    {}: {}", at(bot, "/last_failure/at"), at(bot, "/last_failure/reason")));
    let lines = [
        format!("{} {}  {}", at(bot, "/manifest/name"), at(bot, "/manifest/version"), at(bot, "/manifest/description")),
        format!("subscribes    {}", at(bot, "/manifest/subscription")),
        format!("mode          {}", at(bot, "/mode")),
        format!("state         {}", at(bot, "/state")),
        format!("behind        {} events", at(bot, "/lag/events")),
        format!("last 24 h     {} went well, {} given up", at(bot, "/day/ok"), at(bot, "/day/failed")),
        format!("dead letters  {}", at(bot, "/dead_letters")),
        format!(
            "toil saved    {} min in 7 days by {} actions, {} min in all",
            at(bot, "/toil/week_minutes"),
            at(bot, "/toil/week_actions"),
            at(bot, "/toil/all_minutes")
        ),
    ];
    lines.into_iter().chain(paused).chain(failed).collect()
}

pub(super) fn run(run: &Value) -> Vec<String> {
    let began = at(run, "/began_at");
    vec![
        at(run, "/id"),
        if began == "-" { at(run, "/recorded_at") } else { began },
        event(run),
        at(run, "/status"),
        actions(run, "name"),
        at(run, "/because"),
    ]
}

pub(super) fn dead_letter(letter: &Value) -> Vec<String> {
    vec![
        at(letter, "/bot"),
        at(letter, "/run"),
        at(letter, "/at"),
        at(letter, "/tries"),
        event(letter),
        at(letter, "/reason"),
    ]
}

pub(super) fn trial(trial: &Value) -> Vec<String> {
    vec![
        at(trial, "/event/time"),
        format!("{} {}", at(trial, "/event/kind"), at(trial, "/event/subject")),
        at(trial, "/decision"),
        actions(trial, "action"),
        at(trial, "/answered_by/by"),
        at(trial, "/because"),
    ]
}

fn event(run: &Value) -> String {
    format!("{} {}", at(run, "/kind"), at(run, "/subject"))
}

/// Names of actions; what a bot keeps for itself is no news.
fn actions(of: &Value, name: &str) -> String {
    let names = entries(of, "actions").filter_map(|action| action.get(name)?.as_str()).filter(|n| *n != "save-state");
    let names: Vec<&str> = names.collect();
    if names.is_empty() { "-".to_owned() } else { names.join(",") }
}
