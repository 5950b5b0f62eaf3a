//! What is delivered once more, and what would be: plans first, deeds on confirmation.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use bus::ids::EventOffset;
use bus::subscriptions::{
    Attempt, DRY_RUN_EVENTS_MAX, DeadLetterId, Filter, ReplayPlan, Subscription, Transport, Which,
};
use chrono::{DateTime, Utc};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{known, read, read_filter};
use crate::api::{ApiError, answer, document, stream};
use crate::site::App;

/// Events that a dry run looks at if nothing else is asked for.
const LAST_DEFAULT: usize = 1_000;

/// Attempts from which the pace of a subscription is taken.
const PACE_ATTEMPTS: usize = 50;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DryRunAsked {
    #[serde(default)]
    filter: Option<Value>,
    #[serde(default)]
    last: Option<usize>,
}

/// `POST /api/v1/subscriptions/dry-run`: `{"filter", "last": 1000}`
pub(super) async fn dry_run(State(app): State<App>, body: Result<Bytes, BytesRejection>) -> Result<Response, ApiError> {
    let asked: DryRunAsked = read(body)?;
    let filter = asked.filter.map_or_else(|| Ok(Filter::default()), |value| read_filter(&app, &value))?;
    let last = asked.last.unwrap_or(LAST_DEFAULT).clamp(1, DRY_RUN_EVENTS_MAX);
    let run = app.subscriptions.would_match(&filter, last).await?;
    let mut sample = Vec::with_capacity(run.sample.len());
    for recorded in &run.sample {
        sample.push(document(&app.streams, recorded).await?);
    }
    Ok(answer(&json!({"looked_at": run.looked_at, "matched": run.matched, "sample": sample})))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RedriveAsked {
    /// Only these dead letters; without it all.
    #[serde(default)]
    letters: Option<Vec<i64>>,
    #[serde(default)]
    confirm: bool,
}

/// `POST /api/v1/subscriptions/{name}/redrive`: `{"letters", "confirm"}`; without `confirm` only the plan.
pub(super) async fn redrive(
    State(app): State<App>,
    Path(name): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let asked: RedriveAsked = read(body)?;
    let subscription = known(&app, &name).await?;
    let events = asked.letters.as_ref().map_or(subscription.dead, |letters| letters.len() as u64);
    let about = about_seconds(&app, &subscription, events).await?;
    let mut document = json!({"plan": {"events": events, "about_seconds": about}});
    if asked.confirm {
        let which = match asked.letters {
            None => Which::All,
            Some(letters) => Which::These(letters.into_iter().map(DeadLetterId).collect()),
        };
        let redriven = app.subscriptions.redrive(&subscription.spec.name, which).await?;
        insert(&mut document, "redriven", json!(redriven));
    }
    Ok(answer(&document))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReplayAsked {
    since: String,
    #[serde(default)]
    before: Option<String>,
    /// Without it that of the subscription.
    #[serde(default)]
    filter: Option<Value>,
    #[serde(default)]
    confirm: bool,
}

/// A time span of what happened.
struct Span {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
}

impl ReplayAsked {
    fn span(&self, app: &App) -> Result<Span, ApiError> {
        let now = (app.site.clock)();
        let moment = |text: &str| {
            stream::moment(text, now).ok_or_else(|| {
                ApiError::new(StatusCode::BAD_REQUEST, format!("{text:?} is no time"))
                    .remedy("a duration such as 2h, a date, or an instant in RFC 3339")
            })
        };
        let from = moment(&self.since)?;
        Ok(Span { from, to: self.before.as_deref().map(moment).transpose()?.unwrap_or(now) })
    }
}

/// `POST /api/v1/subscriptions/replay-plan`: `{"since", "before", "filter"}`: what of the past would be delivered, for
/// whoever delivers it without a subscription.
pub(super) async fn plan(State(app): State<App>, body: Result<Bytes, BytesRejection>) -> Result<Response, ApiError> {
    let asked: ReplayAsked = read(body)?;
    let span = asked.span(&app)?;
    let filter = asked.filter.map_or_else(|| Ok(Filter::default()), |value| read_filter(&app, &value))?;
    let plan = app.subscriptions.replay_plan(&filter, span.from, span.to).await?;
    Ok(answer(&counted(&plan, &span)))
}

/// `POST /api/v1/subscriptions/{name}/replay`: the same and `confirm`; without it only the plan.
pub(super) async fn start(
    State(app): State<App>,
    Path(name): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, ApiError> {
    let mut asked: ReplayAsked = read(body)?;
    let subscription = known(&app, &name).await?;
    if !matches!(subscription.spec.transport, Transport::Webhook(_)) {
        let by = super::transport(&subscription.spec.transport);
        return Err(ApiError::new(StatusCode::CONFLICT, format!("subscription {name} is delivered by {by}"))
            .remedy("only webhooks are replayed; others ask for a place in the log with from="));
    }
    let span = asked.span(&app)?;
    let filter = match asked.filter.take() {
        Some(value) => read_filter(&app, &value)?,
        None => subscription.spec.filter.clone(),
    };
    let plan = app.subscriptions.replay_plan(&filter, span.from, span.to).await?;
    let mut counted = counted(&plan, &span);
    let about = about_seconds(&app, &subscription, plan.count() as u64).await?;
    insert(&mut counted, "about_seconds", json!(about));
    let mut document = json!({"plan": counted});
    if asked.confirm {
        let queued = app.subscriptions.replay(&subscription.spec.name, plan).await?;
        insert(&mut document, "queued", json!(queued));
    }
    Ok(answer(&document))
}

/// A plan: how many events of which time, the first after `after` and the last at `last`.
fn counted(plan: &ReplayPlan, span: &Span) -> Value {
    let after = plan.events.first().map(|first| EventOffset(first.0 - 1));
    json!({
        "events": plan.count(),
        "since": span.from,
        "before": span.to,
        "after": after,
        "last": plan.events.last(),
    })
}

fn insert(document: &mut Value, name: &str, value: Value) {
    if let Some(fields) = document.as_object_mut() {
        fields.insert(name.to_owned(), value);
    }
}

/// How long so many deliveries take about, at the pace of the last ones; none if there was none yet.
pub(crate) async fn about_seconds(
    app: &App,
    subscription: &Subscription,
    events: u64,
) -> Result<Option<u64>, ApiError> {
    let Transport::Webhook(webhook) = &subscription.spec.transport else { return Ok(None) };
    let attempts = app.subscriptions.attempts(&subscription.spec.name, None, PACE_ATTEMPTS).await?;
    Ok(pace(&attempts, webhook.concurrency, events))
}

fn pace(attempts: &[Attempt], concurrency: u16, events: u64) -> Option<u64> {
    if attempts.is_empty() {
        return None;
    }
    let millis: u64 = attempts.iter().map(|attempt| u64::from(attempt.seen.timings.total)).sum();
    let each = millis.div_ceil(attempts.len() as u64).max(1);
    Some(events.saturating_mul(each).div_ceil(1_000 * u64::from(concurrency.max(1))))
}
