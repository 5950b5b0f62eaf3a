//! Pages of subscriptions.
use axum::Router;
use crate::site::App;
/// The routes.
pub(crate) fn router() -> Router<App> {
    Router::new()
}
