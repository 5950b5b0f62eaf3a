//! `devhose metrics list|get|explain`: the same numbers as the pages.

use serde_json::Value;

use crate::cli::{Ask, Metrics};
use crate::client::Server;
use crate::context::Context;
use crate::exit::{Ended, Exit, Failure};

pub(super) async fn run(command: Metrics, context: Context) -> Ended {
    let server = Server::find(&context).await?;
    let ended = match command {
        Metrics::List => list(&server, &context).await,
        Metrics::Get(ask) => get(&server, &context, &ask).await,
        Metrics::Explain(ask) => explain(&server, &context, &ask).await,
    };
    server.close().await?;
    ended
}

async fn list(server: &Server, context: &Context) -> Ended {
    let answer = server.get("/api/v1/metrics", &[]).await?;
    let metrics = answer.get("metrics").and_then(Value::as_array).cloned().unwrap_or_default();
    let rows: Vec<_> =
        metrics.iter().map(|metric| vec![text(metric, "name"), text(metric, "unit"), text(metric, "title")]).collect();
    context.output.table(&["name", "unit", "title"], &rows, answer)?;
    Ok(Exit::Ok)
}

async fn report(server: &Server, ask: &Ask) -> Result<Value, Failure> {
    let Ask { metric, team, service, repo, env, from, to, range, grain, tz } = ask;
    let named = [
        ("team", team),
        ("service", service),
        ("repo", repo),
        ("env", env),
        ("from", from),
        ("to", to),
        ("range", range),
        ("grain", grain),
        ("tz", tz),
    ];
    let query: Vec<_> = named.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))).collect();
    let failure = match server.get(&format!("/api/v1/metrics/{metric}"), &query).await {
        Ok(report) => return Ok(report),
        Err(failure) => failure,
    };
    let unexplained = failure.exit == Exit::NotFound && failure.remedy.is_none();
    Err(if unexplained { failure.remedy("devhose metrics list") } else { failure })
}

async fn get(server: &Server, context: &Context, ask: &Ask) -> Ended {
    let report = report(server, ask).await?;
    let points = report.get("points").and_then(Value::as_array).cloned().unwrap_or_default();
    let groups = report.get("groups").and_then(Value::as_array).cloned().unwrap_or_default();
    let rows: Vec<_> = points.iter().chain(&groups).map(row).collect();
    if let Some(reason) = report.pointer("/withheld/reason").and_then(Value::as_str) {
        context.output.tell(&format!("withheld: {reason}"));
    }
    let unit = report.pointer("/definition/unit").and_then(Value::as_str).unwrap_or("value").to_owned();
    context.output.table(&["bucket", "complete", &unit, "n", "details"], &rows, report)?;
    Ok(Exit::Ok)
}

async fn explain(server: &Server, context: &Context, ask: &Ask) -> Ended {
    let report = report(server, ask).await?;
    if context.output.json {
        context.output.document(report)?;
        return Ok(Exit::Ok);
    }
    let definition = report.get("definition").cloned().unwrap_or_default();
    let line = |text: String| context.output.line(&text);
    line(format!(
        "{} ({}), definition version {}",
        text(&definition, "title"),
        text(&definition, "unit"),
        number(&definition, "version")
    ))?;
    line(text(&definition, "text"))?;
    if let Some(total) = report.get("total") {
        line(format!("complete buckets: {}, n {}", figure(total), number(total, "n")))?;
    }
    for left_out in report.get("left_out").and_then(Value::as_array).into_iter().flatten() {
        line(format!("left out: {} {}", number(left_out, "count"), text(left_out, "reason")))?;
    }
    line(format!("data through {}", text(&report, "data_through")))?;
    Ok(Exit::Ok)
}

fn row(point: &Value) -> Vec<String> {
    let details = point.get("beside").and_then(Value::as_array).into_iter().flatten();
    let details = details.filter_map(|pair| Some(format!("{} {}", pair.get(0)?.as_str()?, pair.get(1)?)));
    vec![
        text(point, "label"),
        match point.get("complete").and_then(Value::as_bool) {
            Some(true) => "yes",
            Some(false) => "no",
            // A group, such as changes of 11–50 lines, is over the whole range.
            None => "-",
        }
        .to_owned(),
        figure(point),
        point.get("n").map(ToString::to_string).unwrap_or_default(),
        details.collect::<Vec<_>>().join(", "),
    ]
}

/// The figure of a point as a machine reads it: a number, or the state's name where there is none.
fn figure(point: &Value) -> String {
    let figure = point.get("figure").unwrap_or(point);
    let number = |name: &str| figure.get(name).filter(|value| value.is_number()).map(ToString::to_string);
    number("value").or_else(|| number("p50")).unwrap_or_else(|| text(figure, "state"))
}

fn number(value: &Value, name: &str) -> u64 {
    value.get(name).and_then(Value::as_u64).unwrap_or(0)
}

fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or("-").to_owned()
}
