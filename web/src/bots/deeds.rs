//! What a person does with a bot: pausing, resuming, having dead letters tried again. Forms, for those without a script.

use axum::extract::{Form, Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use bots::runtime::record::RunId;
use serde::Deserialize;

use super::address;
use crate::explorer::Failed;
use crate::site::App;

/// Which dead letters: one run's, or all.
#[derive(Debug, Deserialize)]
pub(super) struct Which {
    run: Option<i64>,
}

/// `POST /bots/{bot}/pause`
pub(super) async fn pause(State(app): State<App>, Path(bot): Path<String>) -> Result<Response, Failed> {
    app.bots.pause(&bot).await?;
    Ok(Redirect::to(&address(&bot)).into_response())
}

/// `POST /bots/{bot}/resume`
pub(super) async fn resume(State(app): State<App>, Path(bot): Path<String>) -> Result<Response, Failed> {
    app.bots.resume(&bot).await?;
    Ok(Redirect::to(&address(&bot)).into_response())
}

/// `POST /bots/{bot}/redrive`
pub(super) async fn redrive(
    State(app): State<App>,
    Path(bot): Path<String>,
    Form(which): Form<Which>,
) -> Result<Response, Failed> {
    let run = which.run.map(RunId);
    app.bots.redrive(&bot, run.as_ref().map(std::slice::from_ref)).await?;
    Ok(Redirect::to(&format!("{}#dead-letters", address(&bot))).into_response())
}
