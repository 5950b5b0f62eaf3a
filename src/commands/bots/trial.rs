//! Prints what a bot would do: why, each action, and each message as text and as the blocks that chat gets.

use bots::action::{Action, Audience};
use bots::clients::slack::block_kit;
use bots::lookups::Question;
use serde_json::{Value, json};

use super::rows::{at, entries};
use crate::context::Context;
use crate::exit::{Ended, Exit, Failure};

/// Prints trials; ends with a failure if the bot itself failed.
pub(super) fn print(context: &Context, trials: &[Value]) -> Ended {
    if context.output.json {
        let trials: Vec<Value> = trials.iter().cloned().map(with_messages).collect();
        context.output.document(json!({"trials": trials}))?;
    } else {
        for (index, trial) in trials.iter().enumerate() {
            if index > 0 {
                context.output.line("")?;
            }
            for line in lines(trial)? {
                context.output.line(&line)?;
            }
        }
    }
    match trials.iter().find(|trial| at(trial, "/decision") == "failed") {
        Some(failed) => Err(Failure::new(Exit::Failed, format!("the bot {}", at(failed, "/because")))),
        None => Ok(Exit::Ok),
    }
}

/// Every message also as text and as blocks.
fn with_messages(mut trial: Value) -> Value {
    let actions = trial.get_mut("actions").and_then(Value::as_array_mut);
    for shown in actions.into_iter().flatten() {
        let Ok(Action::PostMessage { message, .. }) = serde_json::from_value(shown.clone()) else { continue };
        if let Some(fields) = shown.as_object_mut() {
            fields.insert("text".to_owned(), json!(message.to_text()));
            fields.insert("block_kit".to_owned(), block_kit(&message));
        }
    }
    trial
}

fn lines(trial: &Value) -> Result<Vec<String>, Failure> {
    let mut lines = vec![
        format!(
            "event     {} of {}, {}",
            at(trial, "/event/kind"),
            at(trial, "/event/subject"),
            at(trial, "/event/time")
        ),
        format!("bot       {} {}", at(trial, "/bot"), at(trial, "/version")),
    ];
    if trial.pointer("/reminder/note").is_some() {
        lines.push(format!("reminder  {}, at {}", at(trial, "/reminder/round"), at(trial, "/now")));
    }
    lines.push(format!("decision  {}: {}", at(trial, "/decision"), at(trial, "/because")));
    lines.push(format!("asked     {}", asked(trial)));
    for question in unanswered(trial) {
        lines.push(format!("  unknown {question}"));
    }
    for (index, shown) in entries(trial, "actions").enumerate() {
        let action: Action = serde_json::from_value(shown.clone())?;
        lines.push(String::new());
        lines.push(format!("action {}  {}", index + 1, words(&action)));
        if let Action::PostMessage { message, .. } = &action {
            lines.push(String::new());
            lines.extend(message.to_text().lines().map(str::to_owned));
            lines.push(String::new());
            lines.push("Block Kit:".to_owned());
            lines.push(format!("{:#}", block_kit(message)));
        }
    }
    Ok(lines)
}

fn asked(trial: &Value) -> String {
    let count = entries(trial, "asked").count();
    let source = match at(trial, "/answered_by/by").as_str() {
        "given" => "answered by the file",
        "record" => "answered by the record of the original run",
        _ => "answered by the tools as they are now",
    };
    format!("{count} questions, {source}; {} calls, {} ms", at(trial, "/cost/calls"), at(trial, "/cost/millis"))
}

/// Questions without an answer, with the reason.
fn unanswered(trial: &Value) -> Vec<String> {
    let without = entries(trial, "asked").filter_map(|asked| {
        let reason = asked.pointer("/told/answer/Err/reason")?.as_str()?;
        let question: Question = serde_json::from_value(asked.get("question")?.clone()).ok()?;
        Some(format!("{question}: {reason}"))
    });
    without.collect()
}

/// An action in one line.
fn words(action: &Action) -> String {
    let what = action.name();
    match action {
        Action::PostMessage { audience, group, in_thread_of, .. } => {
            let place = match audience {
                Audience::Channel(channel) => channel.clone(),
                Audience::Team(team) => format!("the channel of team {team}"),
            };
            let group = group.as_ref().map(|group| format!(", as {group}")).unwrap_or_default();
            let thread = in_thread_of.as_ref().map(|of| format!(", in the thread of {of}")).unwrap_or_default();
            format!("{what} to {place}{group}{thread}")
        }
        Action::Comment { repository, number, text, topic } => {
            format!("{what} on {repository}#{number} about {topic}:\n\n{text}")
        }
        Action::RequestReviewers { repository, number, reviewers, teams } => {
            let asked: Vec<&str> = reviewers.iter().chain(teams).map(String::as_str).collect();
            format!("{what} of {repository}#{number}: {}", asked.join(", "))
        }
        Action::AddLabels { repository, number, labels } => {
            format!("{what} to {repository}#{number}: {}", labels.join(", "))
        }
        Action::SaveState { key, value: Some(value) } => format!("{what} {key} ({} bytes)", value.len()),
        Action::SaveState { key, value: None } => format!("{what} {key}: forgotten"),
        Action::Remind { after, note } => format!("{what} after {} s: {note}", after.as_secs()),
    }
}
