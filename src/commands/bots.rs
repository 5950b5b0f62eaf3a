//! `devhose bots list|show|test|replay|dead-letters|redrive|pause|resume`

use serde_json::{Value, json};

use crate::cli::Bots;
use crate::client::Server;
use crate::context::Context;
use crate::exit::{Ended, Exit, Failure};

mod file;
mod given;
mod rows;
mod trial;

pub(super) use rows::{at, entries};

pub(super) async fn run(command: Bots, context: Context) -> Ended {
    // A bot that is tried with a file needs nothing around it.
    if let Bots::Test { bot, event } = &command
        && let Some(text) = file::read(event)?
    {
        return given::run(bot, event, &text, &context);
    }
    let server = Server::find(&context).await?;
    let ended = match command {
        Bots::List => list(&server, &context).await,
        Bots::Show { bot } => show(&server, &context, &bot).await,
        Bots::Test { bot, event } => {
            let answer = server.post(&of(&bot, "/test"), &[("event", event)], String::new()).await?;
            trial::print(&context, &[answer])
        }
        Bots::Replay { bot, since, before } => replay(&server, &context, &bot, since, before).await,
        Bots::DeadLetters { bot } => dead_letters(&server, &context, bot.as_deref()).await,
        Bots::Redrive { bot, run, yes } => redrive(&server, &context, &bot, run, yes).await,
        Bots::Pause { bot } => deed(&server, &context, &bot, "/pause").await,
        Bots::Resume { bot } => deed(&server, &context, &bot, "/resume").await,
    };
    server.close().await?;
    ended
}

/// The API's address of a bot. Names are plain; anything else is a name that nobody has.
fn of(bot: &str, rest: &str) -> String {
    let plain: String =
        bot.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '_' }).collect();
    format!("/api/v1/bots/{plain}{rest}")
}

async fn list(server: &Server, context: &Context) -> Ended {
    let answer = server.get("/api/v1/bots", &[]).await?;
    let rows: Vec<_> = rows::entries(&answer, "bots").map(rows::bot).collect();
    context.output.table(&rows::BOT, &rows, answer)?;
    Ok(Exit::Ok)
}

async fn show(server: &Server, context: &Context, bot: &str) -> Ended {
    let answer = server.get(&of(bot, ""), &[]).await?;
    if context.output.json {
        context.output.document(answer)?;
        return Ok(Exit::Ok);
    }
    for line in rows::about(&answer) {
        context.output.line(&line)?;
    }
    let runs: Vec<_> = rows::entries(&answer, "last_runs").map(rows::run).collect();
    context.output.line("")?;
    context.output.table(&rows::RUN, &runs, Value::Null)?;
    Ok(Exit::Ok)
}

async fn replay(server: &Server, context: &Context, bot: &str, since: String, before: Option<String>) -> Ended {
    let mut query = vec![("since", since)];
    query.extend(before.map(|before| ("before", before)));
    let (mut trials, mut end) = (Vec::new(), Value::Null);
    let each = |_: &str, data: &str| {
        let line: Value = serde_json::from_str(data)?;
        match line.get("trial") {
            Some(trial) => trials.push(trial.clone()),
            None => end = line,
        }
        Ok(true)
    };
    server.stream(reqwest::Method::POST, &of(bot, "/replay"), &query, each).await?;
    if let Some(error) = end.get("error").and_then(Value::as_str) {
        return Err(Failure::new(Exit::Failed, error));
    }
    let Some(replayed) = end.get("replayed") else {
        return Err(Failure::new(Exit::Unreachable, "the server ended before the replay did").remedy("run it again"));
    };
    let rows: Vec<_> = trials.iter().map(rows::trial).collect();
    context.output.table(&rows::TRIAL, &rows, json!({"trials": trials, "replayed": replayed}))?;
    let number = |name: &str| replayed.get(name).and_then(Value::as_u64).unwrap_or_default();
    context.output.tell(&format!(
        "{} events; {} with the answers of the original run, {} with those of now. Nothing was performed.",
        number("events"),
        number("from_record"),
        number("live"),
    ));
    Ok(Exit::Ok)
}

async fn dead_letters(server: &Server, context: &Context, bot: Option<&str>) -> Ended {
    let path = bot.map_or_else(|| "/api/v1/dead-letters".to_owned(), |bot| of(bot, "/dead-letters"));
    let answer = server.get(&path, &[("limit", "100".to_owned())]).await?;
    let rows: Vec<_> = rows::entries(&answer, "dead_letters").map(rows::dead_letter).collect();
    context.output.table(&rows::DEAD_LETTER, &rows, answer)?;
    Ok(Exit::Ok)
}

async fn redrive(server: &Server, context: &Context, bot: &str, run: Option<i64>, yes: bool) -> Ended {
    let mut query: Vec<_> = run.map(|run| ("run", run.to_string())).into_iter().collect();
    if !yes {
        query.push(("dry", "1".to_owned()));
    }
    let answer = server.post(&of(bot, "/redrive"), &query, String::new()).await?;
    let plan = answer.get("plan").cloned().unwrap_or_default();
    let number = |name: &str| plan.get(name).and_then(Value::as_u64).unwrap_or_default();
    let (runs, actions) = (number("runs"), number("actions"));
    let columns = ["bot", "runs", "actions", "about_seconds", "done"];
    let row = vec![
        bot.to_owned(),
        runs.to_string(),
        actions.to_string(),
        number("about_seconds").to_string(),
        if yes { "yes" } else { "no" }.to_owned(),
    ];
    context.output.table(&columns, &[row], answer)?;
    if !yes && runs + actions > 0 {
        context.output.tell("this is the plan; --yes does it");
    }
    Ok(Exit::Ok)
}

async fn deed(server: &Server, context: &Context, bot: &str, what: &str) -> Ended {
    let answer = server.post(&of(bot, what), &[], String::new()).await?;
    context.output.table(&rows::BOT, &[rows::bot(&answer)], answer.clone())?;
    Ok(Exit::Ok)
}
