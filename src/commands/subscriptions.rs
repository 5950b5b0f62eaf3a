//! `devhose subscriptions list|show|create|update|delete|pause|resume|rotate-secret|test|attempts|attempt|dead-letters|redrive|dry-run`

use reqwest::Method;
use serde_json::{Map, Value, json};

use super::events;
use crate::cli::{Create, Subscriptions, Update, Which};
use crate::client::Server;
use crate::context::Context;
use crate::exit::{Ended, Exit, Failure};

mod rows;

/// The API's address of all of them.
const ALL: &str = "/api/v1/subscriptions";

pub(super) async fn run(command: Subscriptions, context: Context) -> Ended {
    let server = Server::find(&context).await?;
    let ended = answer(command, &server, &context).await;
    server.close().await?;
    ended
}

async fn answer(command: Subscriptions, server: &Server, context: &Context) -> Ended {
    match command {
        Subscriptions::List => list(server, context).await,
        Subscriptions::Show { name } => {
            let answer = server.get(&of(&name, ""), &[]).await?;
            about(context, answer, rows::about)
        }
        Subscriptions::Create(args) => create(server, context, args).await,
        Subscriptions::Update(args) => update(server, context, args).await,
        Subscriptions::Delete { name, yes } => delete(server, context, &name, yes).await,
        Subscriptions::Pause { name } => deed(server, context, &of(&name, "/pause")).await,
        Subscriptions::Resume { name } => deed(server, context, &of(&name, "/resume")).await,
        Subscriptions::RotateSecret { name } => {
            let answer = server.tell(Method::POST, &of(&name, "/rotate-secret"), &json!({})).await?;
            secret(context, answer)
        }
        Subscriptions::Test { name } => {
            let answer = server.tell(Method::POST, &of(&name, "/test"), &json!({})).await?;
            let exit = if rows::is_taken(&answer) { Exit::Ok } else { Exit::Problem };
            about(context, answer, rows::one_attempt)?;
            Ok(exit)
        }
        Subscriptions::Attempts { name, before, limit } => attempts(server, context, &name, (before, limit)).await,
        Subscriptions::Attempt { name, attempt } => {
            let answer = server.get(&of(&name, &format!("/attempts/{attempt}")), &[]).await?;
            about(context, answer, rows::one_attempt)
        }
        Subscriptions::DeadLetters { name } => {
            let answer = server.get(&of(&name, "/dead-letters"), &[("limit", "100".to_owned())]).await?;
            let rows: Vec<_> = rows::entries(&answer, "dead_letters").map(rows::dead_letter).collect();
            context.output.table(&rows::DEAD_LETTER, &rows, answer)?;
            Ok(Exit::Ok)
        }
        Subscriptions::Redrive { name, letters, yes } => redrive(server, context, &name, (letters, yes)).await,
        Subscriptions::DryRun { which, last } => dry_run(server, context, &which, last).await,
    }
}

/// The API's address of a subscription. Names are plain; anything else is a name that nobody has.
pub(super) fn of(name: &str, rest: &str) -> String {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '~' }).collect();
    format!("{ALL}/{plain}{rest}")
}

async fn list(server: &Server, context: &Context) -> Ended {
    let answer = server.get(ALL, &[]).await?;
    let rows: Vec<_> = rows::entries(&answer, "subscriptions").map(rows::subscription).collect();
    context.output.table(&rows::SUBSCRIPTION, &rows, answer)?;
    Ok(Exit::Ok)
}

/// One thing: the document with `--json`, else in lines.
fn about(context: &Context, answer: Value, lines: impl Fn(&Value) -> Vec<String>) -> Ended {
    if context.output.json {
        context.output.document(answer)?;
        return Ok(Exit::Ok);
    }
    for line in lines(&answer) {
        context.output.line(&line)?;
    }
    Ok(Exit::Ok)
}

async fn create(server: &Server, context: &Context, args: Create) -> Ended {
    let mut spec = Map::new();
    spec.insert("name".to_owned(), json!(args.name));
    spec.insert("transport".to_owned(), transport(&args));
    spec.insert("start".to_owned(), json!(args.from));
    if let Some(filter) = args.which.filter()? {
        spec.insert("filter".to_owned(), filter);
    }
    if args.unordered {
        spec.insert("ordering".to_owned(), json!("none"));
    }
    let answer = server.tell(Method::POST, ALL, &Value::Object(spec)).await?;
    let url = answer.get("url").and_then(Value::as_str).map(|path| format!("{}{path}", server.base()));
    let made = answer.get("subscription").cloned().unwrap_or_default();
    let kept = rows::at(&answer, "/secret");
    context.output.table(&rows::SUBSCRIPTION, &[rows::subscription(&made)], answer)?;
    if context.output.json {
        return Ok(Exit::Ok);
    }
    if kept != "-" {
        context.output.tell("the secret that it signs with, which is not shown again:");
        context.output.line(&kept)?;
    }
    if let Some(url) = url {
        context.output.tell(&format!("listen at {url}"));
    }
    Ok(Exit::Ok)
}

fn transport(args: &Create) -> Value {
    let Some(url) = &args.webhook else {
        let kind = if args.pull {
            "pull"
        } else if args.sse {
            "sse"
        } else {
            "websocket"
        };
        return json!({"kind": kind});
    };
    let mut webhook = Map::new();
    webhook.insert("kind".to_owned(), json!("webhook"));
    webhook.insert("url".to_owned(), json!(url));
    webhook.extend(args.concurrency.map(|concurrency| ("concurrency".to_owned(), json!(concurrency))));
    webhook.extend(args.signatures.as_ref().map(|signatures| ("signatures".to_owned(), json!(signatures))));
    Value::Object(webhook)
}

async fn update(server: &Server, context: &Context, args: Update) -> Ended {
    let mut change = Map::new();
    change.extend(args.which.filter()?.map(|filter| ("filter".to_owned(), filter)));
    change.extend(args.webhook.map(|url| ("url".to_owned(), json!(url))));
    change.extend(args.concurrency.map(|concurrency| ("concurrency".to_owned(), json!(concurrency))));
    if change.is_empty() {
        return Err(Failure::new(Exit::Usage, "nothing is to be changed")
            .remedy("--webhook, --kind, --query, --filter or --concurrency"));
    }
    let answer = server.tell(Method::PATCH, &of(&args.name, ""), &Value::Object(change)).await?;
    context.output.table(&rows::SUBSCRIPTION, &[rows::subscription(&answer)], answer.clone())?;
    Ok(Exit::Ok)
}

async fn delete(server: &Server, context: &Context, name: &str, yes: bool) -> Ended {
    let there = server.get(&of(name, ""), &[]).await?;
    if yes {
        server.ask(server.request(Method::DELETE, &of(name, ""))).await?;
    }
    let document = json!({"subscription": there, "deleted": yes});
    context.output.table(&rows::SUBSCRIPTION, &[rows::subscription(&there)], document)?;
    if !yes {
        context.output.tell("this would be deleted, with all that waits for it and its delivery log; --yes does it");
    }
    Ok(Exit::Ok)
}

async fn deed(server: &Server, context: &Context, path: &str) -> Ended {
    let answer = server.tell(Method::POST, path, &json!({})).await?;
    context.output.table(&rows::SUBSCRIPTION, &[rows::subscription(&answer)], answer.clone())?;
    Ok(Exit::Ok)
}

fn secret(context: &Context, answer: Value) -> Ended {
    if context.output.json {
        context.output.document(answer)?;
        return Ok(Exit::Ok);
    }
    context.output.tell("the new secret, which is not shown again; the one before it signs for a day more:");
    context.output.line(&rows::at(&answer, "/secret"))?;
    Ok(Exit::Ok)
}

async fn attempts(server: &Server, context: &Context, name: &str, page: (Option<i64>, usize)) -> Ended {
    let (before, limit) = page;
    let mut query = vec![("limit", limit.to_string())];
    query.extend(before.map(|before| ("before", before.to_string())));
    let answer = server.get(&of(name, "/attempts"), &query).await?;
    let rows: Vec<_> = rows::entries(&answer, "attempts").map(rows::attempt).collect();
    let next = rows::at(&answer, "/next");
    context.output.table(&rows::ATTEMPT, &rows, answer)?;
    if next != "-" {
        context.output.tell(&format!("older ones: --before {next}"));
    }
    Ok(Exit::Ok)
}

async fn redrive(server: &Server, context: &Context, name: &str, which: (Vec<i64>, bool)) -> Ended {
    let (letters, yes) = which;
    let letters = Some(letters).filter(|letters| !letters.is_empty());
    let body = json!({"letters": letters, "confirm": yes});
    let answer = server.tell(Method::POST, &of(name, "/redrive"), &body).await?;
    let row = vec![
        name.to_owned(),
        rows::at(&answer, "/plan/events"),
        rows::at(&answer, "/plan/about_seconds"),
        if yes { "yes" } else { "no" }.to_owned(),
    ];
    let events = answer.pointer("/plan/events").and_then(Value::as_u64).unwrap_or_default();
    context.output.table(&["subscription", "events", "about_seconds", "done"], &[row], answer)?;
    if !yes && events > 0 {
        context.output.tell("this is the plan; --yes does it");
    }
    Ok(Exit::Ok)
}

async fn dry_run(server: &Server, context: &Context, which: &Which, last: usize) -> Ended {
    let filter = which.filter()?.unwrap_or_else(|| json!([]));
    let body = json!({"filter": filter, "last": last});
    let answer = server.tell(Method::POST, &format!("{ALL}/dry-run"), &body).await?;
    let rows: Vec<_> = rows::entries(&answer, "sample").map(events::row).collect();
    let figures =
        format!("{} of the newest {} events match", rows::at(&answer, "/matched"), rows::at(&answer, "/looked_at"));
    context.output.table(&["time", "kind", "subject", "source", "id"], &rows, answer)?;
    context.output.tell(&figures);
    Ok(Exit::Ok)
}
