//! From requests to pages: routes, headers, conditional requests, compression.

use std::sync::Arc;

use axum::extract::{RawPathParams, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY, VARY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use tower_http::compression::CompressionLayer;

use crate::api;
use crate::assets;
use crate::bots;
use crate::error::PageError;
use crate::explorer;
use crate::happenings::{Bus, Nothing};
use crate::layout::{Layout, Tab, Theme};
use crate::pages::{self, Page};
use crate::request::{Format, Reply, Request, SUFFIXES};
use crate::site::{App, Served, Site};
use crate::subscriptions;
use crate::tail::Tail;

/// Only our own files, no inline script or style, no framing: a page that shows what senders wrote must not run it.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);

/// All of the web half.
pub fn router(app: App) -> Router {
    let bus = Bus { streams: app.streams.clone(), watches: Arc::clone(&app.watches) };
    let served = Served { site: app.site.clone(), happenings: Arc::new(bus) };
    let tail = Tail::new(app.streams.clone());
    let events = explorer::router().merge(bots::router()).merge(subscriptions::router()).merge(api::router());
    let events = events.layer(Extension(tail)).with_state(app);
    finished(metric_pages(served).merge(events))
}

/// The pages of metrics alone.
pub fn site_router(site: Site) -> Router {
    served_router(Served { site, happenings: Arc::new(Nothing) })
}

/// The pages of metrics, and what happened beside them.
pub(crate) fn served_router(served: Served) -> Router {
    finished(metric_pages(served))
}

fn metric_pages(served: Served) -> Router {
    let mut router = Router::new()
        .route("/a/{file}", get(assets::serve))
        .route("/theme", get(pages::theme::choose))
        .route("/healthz", get(crate::health::healthy));
    for page in pages::PAGES {
        for path in paths(page) {
            router =
                router.route(&path, get(move |state, uri, headers, params| serve(page, state, uri, headers, params)));
        }
    }
    router.with_state(served)
}

/// What every answer has in common.
fn finished(router: Router) -> Router {
    router.fallback(not_found).layer(axum::middleware::map_response(guarded)).layer(CompressionLayer::new())
}

/// The path of a page and its forms. Where the path ends in a name, the suffix is part of what the name matches.
fn paths(page: &Page) -> Vec<String> {
    let stem = if page.path == "/" { "/north-star" } else { page.path };
    let forms = SUFFIXES.iter().map(|(suffix, _)| format!("{stem}{suffix}"));
    let forms = forms.filter(|_| !page.path.ends_with('}'));
    std::iter::once(page.path.to_owned()).chain(forms).collect()
}

async fn serve(
    page: &'static Page,
    State(served): State<Served>,
    uri: Uri,
    headers: HeaderMap,
    params: RawPathParams,
) -> Response {
    let parameter = params.iter().next().map(|(_, value)| value.to_owned());
    let (address, theme) = (uri.clone(), Theme::of(&headers));
    let conditions = headers.get(IF_NONE_MATCH).cloned();
    // Computing a metric may take longer than a turn of the runtime should.
    let work = tokio::task::spawn_blocking(move || {
        let request = Request::new(&served, &uri, &headers, parameter)?;
        Ok((request.format, (page.build)(&request)?))
    });
    match work.await.unwrap_or(Err(PageError::Cut)) {
        Ok((format, reply)) => answer(reply, format, conditions.as_ref()),
        Err(error) => failed(&error, &address, theme),
    }
}

async fn not_found(uri: Uri, headers: HeaderMap) -> Response {
    let error = PageError::NotFound { kind: "page", name: uri.path().to_owned(), meant: None };
    failed(&error, &uri, Theme::of(&headers))
}

fn answer(reply: Reply, format: Format, conditions: Option<&HeaderValue>) -> Response {
    let content_type = HeaderValue::from_static(reply.content_type);
    let revalidated = HeaderValue::from_static("no-cache");
    let tag = match format {
        // These say when they were made, so no two are the same.
        Format::Csv | Format::Json => None,
        Format::Html | Format::Svg => {
            let hash = blake3::hash(reply.body.as_bytes()).to_hex();
            HeaderValue::try_from(format!("\"{}\"", hash.get(..32).unwrap_or_default())).ok()
        }
    };
    let Some(tag) = tag else {
        return ([(CONTENT_TYPE, content_type), (CACHE_CONTROL, revalidated)], reply.body).into_response();
    };
    let headers = [(ETAG, tag.clone()), (CACHE_CONTROL, revalidated), (VARY, HeaderValue::from_static("cookie"))];
    if conditions.is_some_and(|known| is_known(known, &tag)) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, [(CONTENT_TYPE, content_type)], reply.body).into_response()
}

/// Weak comparison, as RFC 9110 section 13.1.2 asks: a proxy may have compressed the page and weakened its tag.
fn is_known(known: &HeaderValue, tag: &HeaderValue) -> bool {
    let (Ok(known), Ok(tag)) = (known.to_str(), tag.to_str()) else { return false };
    known.split(',').map(|one| one.trim().trim_start_matches("W/")).any(|one| one == tag || one == "*")
}

pub(crate) fn failed(error: &PageError, uri: &Uri, theme: Theme) -> Response {
    let status = error.status();
    if status.is_server_error() {
        tracing::error!(path = uri.path(), error = %error, "a page could not be shown");
    }
    let layout = Layout {
        title: status.canonical_reason().unwrap_or("Error").to_owned(),
        tab: Tab::None,
        theme,
        here: uri.path_and_query().map_or("/", |here| here.as_str()).to_owned(),
        carried: String::new(),
        data_through: None,
    };
    match askama::Template::render(&error.page(layout)) {
        Ok(body) => {
            (status, [(CONTENT_TYPE, "text/html; charset=utf-8"), (CACHE_CONTROL, "no-store")], body).into_response()
        }
        Err(_) => (status, error.to_string()).into_response(),
    }
}

async fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
}
