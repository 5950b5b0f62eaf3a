//! `devhose events list|get|tail`

use std::time::Duration;

use serde_json::Value;

use crate::cli::Events;
use crate::client::Server;
use crate::context::Context;
use crate::exit::{Ended, Exit, Failure};
use crate::follow::{self, Follow, Heard};

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

async fn tail(server: &Server, context: &Context, tail: Tail) -> Ended {
    let from = tail.since.unwrap_or_else(|| "latest".to_owned());
    let mut follow = Follow::new(server, context.output, vec![("q", tail.query)], from);
    let mut seen = 0_u64;
    // Counted from the loss of a connection to the end of what came meanwhile.
    let mut gap = None;
    loop {
        match follow.next().await? {
            Heard::Event(_, data) => {
                print(context, &data)?;
                seen += 1;
                gap = gap.map(|events: u64| events + 1);
                if tail.count.is_some_and(|count| seen >= count) {
                    return Ok(Exit::Ok);
                }
            }
            Heard::Place(_) => {}
            Heard::CaughtUp(_) => {
                if let Some(events) = gap.take() {
                    context.output.tell(&follow::filled(events));
                }
            }
            Heard::Lost => gap = Some(0),
        }
    }
}

fn print(context: &Context, data: &str) -> Result<(), Failure> {
    if context.output.json {
        return context.output.line(data);
    }
    let event: Value = serde_json::from_str(data)?;
    context.output.line(&row(&event).join(if context.output.terminal { "  " } else { "\t" }))
}

pub(super) fn row(event: &Value) -> Vec<String> {
    let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or("-").to_owned();
    // `dev.cdevents.change.merged.0.3.0` is `change.merged` to a person; a sender's own type stays as it is.
    let kind = text("type");
    let short = kind.strip_prefix("dev.cdevents.").or_else(|| kind.strip_prefix("dev.cdeventsx.devhose-"));
    let short = short.map_or(kind.clone(), |rest| rest.split('.').take(2).collect::<Vec<_>>().join("."));
    vec![text("time"), short, text("subject"), text("source"), text("id")]
}
