//! Metrics, teams and services.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use http::StatusCode;
use serde_json::json;

use super::{ApiError, answer, parameter};
use crate::answers::Answers;
use crate::site::App;
use crate::state::Asked;

/// `GET /api/v1/metrics`
pub(super) async fn list(State(app): State<App>) -> Response {
    answer(&json!({"metrics": (app.site.ledger)().definitions()}))
}

/// `GET /api/v1/metrics/{metric}?team=&service=&repo=&env=&from=&to=&range=&grain=&tz=`
pub(super) async fn one(
    State(app): State<App>,
    Path(metric): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    computed(move || {
        let (view, now) = (loaded(&app)?, (app.site.clock)());
        let asked = Asked::parse("/", query.as_deref(), view.calendar(), now)?;
        let mut document = serde_json::to_value(view.report(&metric, &asked.ask)?)?;
        if let Some(fields) = document.as_object_mut() {
            let window = &asked.ask.window;
            fields.insert("generated_at".to_owned(), json!(now));
            fields.insert(
                "window".to_owned(),
                json!({"from": window.from, "to": window.to, "grain": window.grain, "timezone": window.calendar.zone.name()}),
            );
        }
        Ok(answer(&document))
    })
    .await
}

/// `GET /api/v1/metrics/{metric}/evidence?bucket=&group=&…`: the facts behind a figure.
pub(super) async fn evidence(
    State(app): State<App>,
    Path(metric): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    computed(move || {
        let (view, now) = (loaded(&app)?, (app.site.clock)());
        let query = query.as_deref();
        let asked = Asked::parse("/", query, view.calendar(), now)?;
        let (bucket, group) = (parameter(query, "bucket"), parameter(query, "group"));
        let evidence = view.evidence(&metric, &asked.ask, bucket.as_deref(), group.as_deref())?;
        Ok(answer(&json!({"metric": metric, "evidence": evidence})))
    })
    .await
}

/// `GET /api/v1/teams`
pub(super) async fn teams(State(app): State<App>) -> Result<Response, ApiError> {
    Ok(answer(&json!({"teams": loaded(&app)?.teams()})))
}

/// `GET /api/v1/services`
pub(super) async fn services(State(app): State<App>) -> Result<Response, ApiError> {
    Ok(answer(&json!({"services": loaded(&app)?.services()})))
}

/// The latest view, once there is one with all facts.
fn loaded(app: &App) -> Result<Arc<dyn Answers>, ApiError> {
    let view = (app.site.ledger)();
    if view.is_loading() {
        let why = "the program has just started and is still loading its facts";
        return Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, why).remedy("the same again in some seconds"));
    }
    Ok(view)
}

/// Computing may take longer than a turn of the runtime should.
async fn computed(work: impl FnOnce() -> Result<Response, ApiError> + Send + 'static) -> Result<Response, ApiError> {
    let cut = |_| ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "the answer could not be computed");
    tokio::task::spawn_blocking(work).await.map_err(cut)?
}
