//! The pages of events and sources: what came in, what it means, and what counted it.
//!
//! They read the streams, so they wait for a disk now and then; pages of metrics never do.

use askama::Template;
use axum::Router;
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, StatusCode, Uri};

use crate::api::{ApiError, same_origin};
use crate::error::PageError;
use crate::format;
use crate::layout::{Layout, Tab, Theme};
use crate::site::App;

mod event;
mod histogram;
mod list;
pub(crate) mod row;
mod sources;

/// The routes.
pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/events", get(list::page))
        .route("/events/{id}", get(event::page))
        .route("/sources", get(sources::page))
        .route("/sources/quarantine/{offset}/retry", post(sources::retry).layer(from_fn(same_origin)))
        .route("/readyz", get(ready))
}

/// Ready once the log answers.
async fn ready(axum::extract::State(app): axum::extract::State<App>) -> Response {
    crate::health::ready(&app.streams, "").await
}

/// What stands around a page of events.
pub(crate) fn layout(app: &App, title: &str, tab: Tab, uri: &Uri, headers: &HeaderMap) -> Layout {
    let view = (app.site.ledger)();
    let zone = view.calendar().zone;
    Layout {
        title: title.to_owned(),
        tab,
        theme: Theme::of(headers),
        here: uri.path_and_query().map_or("/", |here| here.as_str()).to_owned(),
        carried: String::new(),
        data_through: view.data_through().map(|at| format!("data through {}", format::minute(at, zone))),
    }
}

/// A page as an answer.
pub(crate) fn html(status: StatusCode, page: &impl Template) -> Result<Response, Failed> {
    let body = page.render().map_err(PageError::from)?;
    let headers = [(CONTENT_TYPE, "text/html; charset=utf-8"), (CACHE_CONTROL, "no-cache")];
    Ok((status, headers, body).into_response())
}

/// A page of events that cannot be shown.
#[derive(Debug)]
pub(crate) enum Failed {
    /// As on the pages of metrics.
    Page(Box<PageError>),
    /// As in the API.
    Api(ApiError),
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        match self {
            // The path is not known here; the theme and the links of the page do without it.
            Self::Page(error) => crate::router::failed(&error, &Uri::from_static("/events"), Theme::System),
            Self::Api(error) => error.into_response(),
        }
    }
}

impl From<PageError> for Failed {
    fn from(error: PageError) -> Self {
        Self::Page(Box::new(error))
    }
}

impl<E: Into<ApiError>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::Api(error.into())
    }
}
