//! `devhose rebuild`: computes events and facts anew from the deliveries, while dashboards keep answering.

use serde_json::Value;

use crate::cli::Rebuild;
use crate::client::Server;
use crate::context::Context;
use crate::exit::{Ended, Exit, Failure};
use crate::progress::Meter;

pub(super) async fn run(args: Rebuild, context: Context) -> Ended {
    let mode = match (args.plan, args.verify) {
        (true, _) => "plan",
        (_, true) => "verify",
        (false, false) => "run",
    };
    let server = Server::find(&context).await?;
    let meter = Meter::new(context.progress, "deliveries", 0);
    let mut result = Value::Null;
    let each = |_: &str, data: &str| {
        let line: Value = serde_json::from_str(data)?;
        match line.get("progress") {
            Some(progress) => meter.at(number(progress, "deliveries"), number(progress, "deliveries_total")),
            None => result = line,
        }
        Ok(true)
    };
    server.stream(reqwest::Method::POST, &format!("/api/v1/rebuild/{mode}"), &[], each).await?;
    meter.finish();
    let ended = report(&context, &result);
    server.close().await?;
    ended
}

fn report(context: &Context, result: &Value) -> Ended {
    if let Some(error) = result.get("error").and_then(Value::as_str) {
        return Err(Failure::new(Exit::Failed, error));
    }
    if let Some(plan) = result.get("plan") {
        let lines = plan.get("lines").and_then(Value::as_array).cloned().unwrap_or_default();
        let columns = ["kind", "month", "changed", "added", "withdrawn"];
        let cell = |line: &Value, column: &str| match line.get(column) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        };
        let rows: Vec<Vec<_>> =
            lines.iter().map(|line| columns.iter().map(|column| cell(line, column)).collect()).collect();
        context.output.table(&columns, &rows, plan.clone())?;
        context
            .output
            .tell(&format!("{} deliveries read, {} events stay as they are", plan["deliveries"], plan["unchanged"]));
        return Ok(Exit::Ok);
    }
    if let Some(verified) = result.get("verified") {
        let summary = format!("{} deliveries, {} events", verified["deliveries"], verified["events"]);
        return match verified.get("difference").filter(|difference| !difference.is_null()) {
            None if context.output.json => context.output.document(verified.clone()).map(|()| Exit::Ok),
            None => context
                .output
                .line(&format!("{summary}: the facts are those of the deliveries, bit for bit"))
                .map(|()| Exit::Ok),
            Some(difference) => Err(Failure::new(Exit::Problem, format!("{summary}: the facts differ: {difference}"))
                .remedy("devhose rebuild folds them anew")),
        };
    }
    let Some(rebuilt) = result.get("rebuilt") else {
        return Err(Failure::new(Exit::Unreachable, "the server ended before the rebuild did").remedy("run it again"));
    };
    let columns = ["generation", "deliveries", "events", "deliveries_revised", "deliveries_unreadable"];
    let row = columns.iter().map(|column| number(rebuilt, column).to_string()).collect();
    context.output.table(&columns, &[row], rebuilt.clone())?;
    Ok(Exit::Ok)
}

fn number(value: &Value, name: &str) -> u64 {
    value.get(name).and_then(Value::as_u64).unwrap_or(0)
}
