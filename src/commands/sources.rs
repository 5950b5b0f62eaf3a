//! `devhose sources list|quarantine|retry`

use serde_json::{Value, json};

use crate::cli::Sources;
use crate::client::Server;
use crate::context::Context;
use crate::exit::{Ended, Exit};

pub(super) async fn run(command: Sources, context: Context) -> Ended {
    let server = Server::find(&context).await?;
    let ended = match command {
        Sources::List => list(&server, &context).await,
        Sources::Quarantine => quarantine(&server, &context).await,
        Sources::Retry { offset } => retry(&server, &context, offset).await,
    };
    server.close().await?;
    ended
}

async fn list(server: &Server, context: &Context) -> Ended {
    let answer = server.get("/api/v1/sources", &[]).await?;
    let columns = ["source", "state", "deliveries", "last_at", "quarantined"];
    context.output.table(&columns, &rows(&answer, "sources", &columns), answer.clone())?;
    Ok(Exit::Ok)
}

async fn quarantine(server: &Server, context: &Context) -> Ended {
    let answer = server.get("/api/v1/quarantine", &[]).await?;
    let columns = ["delivery", "source", "since", "attempts", "error"];
    context.output.table(&columns, &rows(&answer, "quarantined", &columns), answer.clone())?;
    Ok(Exit::Ok)
}

async fn retry(server: &Server, context: &Context, offset: Option<i64>) -> Ended {
    let offsets: Vec<i64> = if let Some(offset) = offset {
        vec![offset]
    } else {
        let answer = server.get("/api/v1/quarantine", &[]).await?;
        let entries = answer.get("quarantined").and_then(Value::as_array).cloned().unwrap_or_default();
        entries.iter().filter_map(|entry| entry.get("delivery")?.as_i64()).collect()
    };
    let mut outcomes = Vec::new();
    for offset in &offsets {
        outcomes.push(server.post(&format!("/api/v1/quarantine/{offset}/retry"), &[], String::new()).await?);
    }
    let still = outcomes.iter().filter(|outcome| outcome.get("error").is_some_and(|error| !error.is_null())).count();
    let columns = ["delivery", "events", "error"];
    let document = json!({"retried": outcomes});
    context.output.table(&columns, &rows(&document, "retried", &columns), document.clone())?;
    Ok(if still == 0 { Exit::Ok } else { Exit::Partly })
}

fn rows(document: &Value, list: &str, columns: &[&str]) -> Vec<Vec<String>> {
    let entries = document.get(list).and_then(Value::as_array).into_iter().flatten();
    let cell = |entry: &Value, column: &&str| match entry.get(*column) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    entries.map(|entry| columns.iter().map(|column| cell(entry, column)).collect()).collect()
}
