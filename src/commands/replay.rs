//! `devhose replay --since TIME --to SUBSCRIPTION|URL`: delivers events of the past again, after saying how many.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::subscriptions::of;
use crate::cli::Replay;
use crate::client::Server;
use crate::context::Context;
use crate::exit::{Ended, Exit, Failure};
use crate::follow::{Follow, Heard};
use crate::forward::{self, Forward};

/// Events a second that may be asked for.
const RATES: std::ops::RangeInclusive<f64> = 0.01..=10_000.0;

pub(super) async fn run(args: Replay, context: Context) -> Ended {
    // What is wrong with the words is said before anything is asked.
    let target = Target::of(&args)?;
    if !RATES.contains(&args.rate) {
        let words = format!("--rate {} cannot be used", args.rate);
        return Err(Failure::new(Exit::Usage, words).remedy(format!(
            "events a second, {} to {}",
            RATES.start(),
            RATES.end()
        )));
    }
    let server = Server::find(&context).await?;
    let ended = match target {
        Target::Subscription(name) => to_subscription(&server, &context, &args, &name).await,
        Target::Address(forward) => to_address(&server, &context, &args, &forward).await,
    };
    server.close().await?;
    ended
}

/// Where to.
enum Target {
    Subscription(String),
    Address(Forward),
}

impl Target {
    fn of(args: &Replay) -> Result<Self, Failure> {
        if !args.to.contains("://") {
            return Ok(Self::Subscription(args.to.clone()));
        }
        let url = reqwest::Url::parse(&args.to)
            .map_err(|error| Failure::new(Exit::Usage, format!("--to {:?} is no address: {error}", args.to)))?;
        if !is_local(&url) && args.secret.is_none() {
            return Err(Failure::new(
                Exit::Usage,
                format!("{} is not on this machine, and nothing is signed", args.to),
            )
            .remedy("--secret whsec_… signs as webhooks are signed"));
        }
        Ok(Self::Address(Forward::new(args.to.clone(), args.secret.as_deref())?))
    }
}

fn is_local(url: &reqwest::Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// What is asked of the server: which events of which time.
fn body(args: &Replay) -> Result<Value, Failure> {
    let mut body = json!({"since": args.since});
    if let Some(fields) = body.as_object_mut() {
        fields.extend(args.before.as_ref().map(|before| ("before".to_owned(), json!(before))));
        fields.extend(args.which.filter()?.map(|filter| ("filter".to_owned(), filter)));
    }
    Ok(body)
}

async fn to_subscription(server: &Server, context: &Context, args: &Replay, name: &str) -> Ended {
    let mut body = body(args)?;
    if let Some(fields) = body.as_object_mut() {
        fields.insert("confirm".to_owned(), json!(args.yes));
    }
    let answer = server.tell(Method::POST, &of(name, "/replay"), &body).await?;
    let plan = answer.get("plan").cloned().unwrap_or_default();
    print(context, args, (&plan, plan.get("about_seconds").and_then(Value::as_u64)), answer)
}

async fn to_address(server: &Server, context: &Context, args: &Replay, forward: &Forward) -> Ended {
    let mut body = body(args)?;
    let plan = server.tell(Method::POST, "/api/v1/subscriptions/replay-plan", &body).await?;
    let events = plan.get("events").and_then(Value::as_u64).unwrap_or_default();
    let about = Duration::try_from_secs_f64(events as f64 / args.rate).map_or(u64::MAX, |about| about.as_secs());
    if !args.yes || events == 0 {
        return print(context, args, (&plan, Some(about)), json!({"plan": plan}));
    }
    let number = |name: &str| plan.get(name).and_then(Value::as_i64).unwrap_or_default();
    let (after, last) = (number("after"), number("last"));
    let filter = body.get_mut("filter").map(Value::take).unwrap_or_else(|| json!([]));
    let query = vec![("filter", filter.to_string())];
    let mut follow = Follow::new(server, context.output, query, after.to_string());
    let mut pace = tokio::time::interval(Duration::from_secs_f64(1.0 / args.rate));
    let (mut taken, mut refused) = (0_u64, 0_u64);
    loop {
        match follow.next().await? {
            Heard::Event(offset, data) if offset.parse::<i64>().is_ok_and(|offset| offset <= last) => {
                pace.tick().await;
                if send(context, forward, &offset, &data).await? {
                    taken += 1;
                } else {
                    refused += 1;
                }
                if offset.parse() == Ok(last) {
                    break;
                }
            }
            Heard::Event(..) => break,
            Heard::Place(offset) | Heard::CaughtUp(offset) => {
                if offset.parse::<i64>().is_ok_and(|offset| offset >= last) {
                    break;
                }
            }
            Heard::Lost => {}
        }
    }
    context.output.tell(&format!("{taken} taken, {refused} not"));
    Ok(if refused == 0 { Exit::Ok } else { Exit::Partly })
}

async fn send(context: &Context, forward: &Forward, offset: &str, data: &str) -> Result<bool, Failure> {
    let event: Value = serde_json::from_str(data)?;
    let forwarded = forward.post(&format!("{}_replay", forward::id(&event)), data).await?;
    let line = if context.output.json {
        let status = forwarded.outcome.as_ref().ok();
        json!({"offset": offset.parse::<i64>().ok(), "id": event.get("id"), "status": status, "error": forwarded.outcome.as_ref().err()})
            .to_string()
    } else {
        let row = [forwarded.words(), format!("{} ms", forwarded.millis), offset.to_owned(), forward::id(&event)];
        row.join(if context.output.terminal { "  " } else { "\t" })
    };
    context.output.line(&line)?;
    Ok(forwarded.taken())
}

/// Prints a plan, and whether it was done.
fn print(context: &Context, args: &Replay, plan: (&Value, Option<u64>), document: Value) -> Ended {
    let (plan, about) = plan;
    let events = plan.get("events").and_then(Value::as_u64).unwrap_or_default();
    let shown = about.map_or_else(|| "-".to_owned(), |about| about.to_string());
    let row = vec![args.to.clone(), events.to_string(), shown, if args.yes { "yes" } else { "no" }.to_owned()];
    context.output.table(&["to", "events", "about_seconds", "done"], &[row], document)?;
    if events == 0 {
        context.output.tell("no event of that time matches");
        return Ok(Exit::Ok);
    }
    let long = about.map(|about| in_words(events, about)).unwrap_or_default();
    let noun = if events == 1 { "event" } else { "events" };
    let tell = if args.yes { "queued" } else { "this is the plan; --yes does it" };
    context.output.tell(&format!("{events} {noun}{long}; {tell}"));
    Ok(Exit::Ok)
}

/// `, about 3 min at 1.2/s`
fn in_words(events: u64, about_seconds: u64) -> String {
    let rate = events as f64 / about_seconds.max(1) as f64;
    let long = match about_seconds {
        0..=1 => "1 s".to_owned(),
        2..=119 => format!("{about_seconds} s"),
        120..=7_199 => format!("{} min", about_seconds.div_ceil(60)),
        _ => format!("{} h", about_seconds.div_ceil(3_600)),
    };
    format!(", about {long} at {rate:.1}/s")
}
