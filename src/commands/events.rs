//! `devhose events list|get|tail`

use std::time::Duration;

use serde_json::Value;

use crate::cli::Events;
use crate::client::Server;
use crate::context::Context;
use crate::exit::{Ended, Exit, Failure};

/// First pause before a lost stream is asked for again; it doubles up to the last.
const RECONNECT_FIRST: Duration = Duration::from_millis(250);
const RECONNECT_LAST: Duration = Duration::from_secs(10);

pub(super) async fn run(command: Events, context: Context) -> Ended {
    let server = Server::find(&context).await?;
    let ended = match command {
        Events::List { query, limit } => list(&server, &context, query.join(" "), limit).await,
        Events::Get { id } => get(&server, &context, &id).await,
        Events::Tail { query, since, count, timeout } => {
            let tail = tail(&server, &context, Tail { query: query.join(" "), since, count });
            match timeout {
                None => tail.await,
                Some(seconds) => {
                    tokio::time::timeout(Duration::from_secs(seconds), tail).await.unwrap_or(Ok(Exit::Timeout))
                }
            }
        }
    };
    server.close().await?;
    ended
}

async fn list(server: &Server, context: &Context, query: String, limit: usize) -> Ended {
    let answer = server.get("/api/v1/events", &[("q", query), ("limit", limit.to_string())]).await?;
    let events = answer.get("events").and_then(Value::as_array).cloned().unwrap_or_default();
    let rows: Vec<Vec<String>> = events.iter().map(row).collect();
    context.output.table(&["time", "kind", "subject", "source", "id"], &rows, answer)?;
    if events.len() == limit {
        context.output.tell(&format!("the newest {limit}; --limit for more"));
    }
    Ok(Exit::Ok)
}

async fn get(server: &Server, context: &Context, id: &str) -> Ended {
    context.output.document(server.get(&format!("/api/v1/events/{id}"), &[]).await?)?;
    Ok(Exit::Ok)
}

struct Tail {
    query: String,
    since: Option<String>,
    count: Option<u64>,
}

/// Follows the stream over lost connections: it goes on after the last offset that was seen.
async fn tail(server: &Server, context: &Context, tail: Tail) -> Ended {
    let mut from = tail.since.unwrap_or_else(|| "latest".to_owned());
    let mut seen = 0_u64;
    let mut pause = RECONNECT_FIRST;
    loop {
        let before = seen;
        let query = [("q", tail.query.clone()), ("from", from.clone())];
        let each = |id: &str, data: &str| {
            if !id.is_empty() {
                id.clone_into(&mut from);
            }
            print(context, data)?;
            seen += 1;
            Ok(tail.count.is_none_or(|count| seen < count))
        };
        match server.stream(reqwest::Method::GET, "/api/v1/events/stream", &query, each).await {
            Ok(true) => return Ok(Exit::Ok),
            Ok(false) => {}
            Err(failure) if failure.exit == Exit::Unreachable && seen > 0 => {}
            Err(failure) => return Err(failure),
        }
        if seen > before {
            pause = RECONNECT_FIRST;
        }
        context.output.tell(&format!("the connection was lost; asking again in {} ms, from {from}", pause.as_millis()));
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(RECONNECT_LAST);
    }
}

fn print(context: &Context, data: &str) -> Result<(), Failure> {
    if context.output.json {
        return context.output.line(data);
    }
    let event: Value = serde_json::from_str(data)?;
    context.output.line(&row(&event).join(if context.output.terminal { "  " } else { "\t" }))
}

fn row(event: &Value) -> Vec<String> {
    let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or("-").to_owned();
    // `dev.cdevents.change.merged.0.3.0` is `change.merged` to a person; a sender's own type stays as it is.
    let kind = text("type");
    let short = kind.strip_prefix("dev.cdevents.").or_else(|| kind.strip_prefix("dev.cdeventsx.devhose-"));
    let short = short.map_or(kind.clone(), |rest| rest.split('.').take(2).collect::<Vec<_>>().join("."));
    vec![text("time"), short, text("subject"), text("source"), text("id")]
}
