//! The pages of subscriptions: how each stands, what became of every delivery, and the few things a person does with
//! one.
//!
//! An endpoint's answer may name people and let secrets slip; what is shown of it goes through [`crate::redact`].

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::{get, post};
use bus::subscriptions::{Subscription, SubscriptionError};

use crate::api::{ApiError, same_origin};
use crate::error::PageError;
use crate::explorer::Failed;
use crate::nearest::nearest;
use crate::site::App;
use crate::state::segment;

mod attempt;
mod deeds;
mod list;
mod one;
mod preview;
#[cfg(test)]
mod tests;
mod words;

/// The routes.
pub(crate) fn router() -> Router<App> {
    let deeds = Router::new()
        .route("/subscriptions/{name}/pause", post(deeds::pause))
        .route("/subscriptions/{name}/resume", post(deeds::resume))
        .route("/subscriptions/{name}/redrive", post(deeds::redrive))
        .layer(from_fn(same_origin));
    Router::new()
        .route("/subscriptions", get(list::page))
        .route("/subscriptions/{name}", get(one::page))
        .route("/subscriptions/{name}/attempts/{attempt}", get(attempt::page))
        .merge(deeds)
}

/// The page of a subscription.
fn address(name: &str) -> String {
    format!("/subscriptions/{}", segment(name))
}

/// The subscription of that name, or one that may have been meant.
async fn known(app: &App, name: &str) -> Result<Subscription, Failed> {
    if let Ok(parsed) = name.parse() {
        match app.subscriptions.get(&parsed).await {
            Ok(found) => return Ok(found),
            Err(SubscriptionError::Unknown(_)) => {}
            Err(error) => return Err(ApiError::from(error).into()),
        }
    }
    let all = app.subscriptions.list().await?;
    let meant = nearest(name, all.iter().map(|one| one.spec.name.as_str()));
    let meant = meant.map(|name| (name.to_owned(), address(name)));
    Err(PageError::NotFound { kind: "subscription", name: name.to_owned(), meant }.into())
}
