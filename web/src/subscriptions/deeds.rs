//! What a person does with a subscription: pausing, resuming, having dead letters delivered again. Forms, for those
//! without a script.

use axum::extract::{Form, Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use bus::subscriptions::{DeadLetterId, Which};
use serde::Deserialize;

use super::address;
use crate::api::subscriptions::named;
use crate::explorer::Failed;
use crate::site::App;

/// Which dead letters: one, or all.
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    letter: Option<i64>,
}

/// `POST /subscriptions/{name}/pause`
pub(super) async fn pause(State(app): State<App>, Path(name): Path<String>) -> Result<Response, Failed> {
    app.subscriptions.pause(&named(&name)?).await?;
    Ok(Redirect::to(&address(&name)).into_response())
}

/// `POST /subscriptions/{name}/resume`
pub(super) async fn resume(State(app): State<App>, Path(name): Path<String>) -> Result<Response, Failed> {
    app.subscriptions.resume(&named(&name)?).await?;
    Ok(Redirect::to(&address(&name)).into_response())
}

/// `POST /subscriptions/{name}/redrive`
pub(super) async fn redrive(
    State(app): State<App>,
    Path(name): Path<String>,
    Form(asked): Form<Asked>,
) -> Result<Response, Failed> {
    let which = asked.letter.map_or(Which::All, |letter| Which::These(vec![DeadLetterId(letter)]));
    app.subscriptions.redrive(&named(&name)?, which).await?;
    Ok(Redirect::to(&format!("{}#dead-letters", address(&name))).into_response())
}
