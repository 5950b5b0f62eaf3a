//! What becomes of deployments.
//!
//! The event `deployment` only tells that one was asked for: it may wait for an approval for days, and the tool that
//! does the work reports its beginning with a status. It stays GitHub's own, so that a deployment begins once.
//! The statuses `queued` and `pending` announce an attempt; only `in_progress` tells when the work began.

use bus::data::runtime::Deployment;
use bus::data::{Data, Manner, Outcome};
use bus::ids::OrderKey;
use bus::kind::Kind;
use serde::Deserialize;
use serde_json::Value;

use super::artifacts::forge_purl;
use super::payload::{At, Repository, filled};
use super::request::{Place, Request};
use crate::sender::Draft;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Event {
    deployment: Option<Requested>,
    deployment_status: Option<Status>,
    repository: Option<Repository>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Requested {
    id: Option<u64>,
    sha: Option<String>,
    #[serde(rename = "ref")]
    git_ref: Option<String>,
    task: Option<String>,
    environment: Option<String>,
    production_environment: Option<bool>,
    description: Option<String>,
    /// Whatever the caller of the API gave: an object, or a text that may be one.
    payload: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    state: Option<String>,
    environment: Option<String>,
    target_url: Option<String>,
    log_url: Option<String>,
    created_at: At,
    updated_at: At,
}

pub(super) fn deployment_status(request: &Request<'_>) -> Option<Vec<Draft>> {
    let event: Event = request.parse()?;
    let place = request.place(event.repository)?;
    let (deployment, status) = (event.deployment?, event.deployment_status?);
    let (kind, outcome) = match status.state.as_deref()? {
        "queued" | "pending" | "in_progress" => (Kind::DeploymentStarted, None),
        "success" => (Kind::ServiceDeployed, Some(Outcome::Success)),
        "failure" => (Kind::DeploymentFailed, Some(Outcome::Failure)),
        "error" => (Kind::DeploymentFailed, Some(Outcome::Error)),
        _ => return None,
    };
    let time = status.created_at.or(status.updated_at);
    let mut data = describe(&place, deployment)?;
    data.started_at = time.filter(|_| status.state.as_deref() == Some("in_progress"));
    data.finished_at = time.filter(|_| outcome.is_some());
    data.outcome = outcome;
    data.url = filled(status.log_url).or(filled(status.target_url));
    data.environment = data.environment.or(filled(status.environment));
    // What is deployed is a service; GitHub knows it by its repository only. An attempt is known by its own id.
    let subject = if kind == Kind::ServiceDeployed { place.name.clone() } else { data.id.clone() };
    let key = data.environment.as_ref().map(|environment| format!("{}/{environment}", place.name));
    let mut draft = place.draft(kind, subject, time, Data::Deployment(Box::new(data)));
    draft.key = key.map_or(draft.key, OrderKey);
    Some(vec![draft])
}

/// What holds of a deployment at any moment.
fn describe(place: &Place, deployment: Requested) -> Option<Deployment> {
    let payload = deployment.payload.and_then(object);
    let manner = manner(&deployment.task, &deployment.description, payload.as_ref());
    let fixes = payload.as_ref().and_then(|payload| fixed(place, payload.get("fixes")?));
    // A repository of many services has no other place to say which one it is.
    let service = payload.as_ref().and_then(|payload| filled(Some(payload.get("service")?.as_str()?.to_owned())));
    let sha = filled(deployment.sha);
    Some(Deployment {
        id: format!("{}/deployments/{}", place.name, deployment.id?),
        repository: Some(place.name.clone()),
        service,
        environment: filled(deployment.environment),
        production: deployment.production_environment,
        artifact: sha.as_deref().and_then(|sha| forge_purl(place, sha)),
        sha,
        version: deployment.git_ref.as_deref().and_then(version).map(str::to_owned),
        git_ref: filled(deployment.git_ref),
        manner,
        fixes,
        ..Deployment::default()
    })
}

/// The object that a payload is, or that its text is.
fn object(payload: Value) -> Option<Value> {
    match payload {
        Value::Object(_) => Some(payload),
        Value::String(text) => serde_json::from_str(&text).ok().filter(Value::is_object),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
    }
}

/// Rollback or hotfix, if the task, the payload or the beginning of the description says so.
fn manner(task: &Option<String>, description: &Option<String>, payload: Option<&Value>) -> Option<Manner> {
    const WORDS: &[(&str, Manner)] =
        &[("rollback", Manner::Rollback), ("roll back", Manner::Rollback), ("hotfix", Manner::Hotfix)];
    let task = task.as_deref().unwrap_or_default();
    let task = task.rsplit(':').next().unwrap_or_default().to_ascii_lowercase();
    let description = description.as_deref().unwrap_or_default().trim_start().to_ascii_lowercase();
    let flagged = |word: &str| payload.and_then(|payload| payload.get(word)) == Some(&Value::Bool(true));
    let says = |word: &str| task == word || flagged(word) || description.starts_with(word);
    WORDS.iter().find(|(word, _)| says(word)).map(|(_, manner)| *manner)
}

/// The deployment that another makes good: a number is GitHub's id of one of the same repository.
fn fixed(place: &Place, fixes: &Value) -> Option<String> {
    let text = match fixes {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    let number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if number { Some(format!("{}/deployments/{text}", place.name)) } else { filled(Some(text)) }
}

/// The version, if a ref looks like the tag of one: three numbers, such as `v1.2.3` or `2024.5.13-rc.1`. A branch of
/// such a name is told as a tag; nothing in the payload parts the two.
fn version(git_ref: &str) -> Option<&str> {
    let tag = git_ref.strip_prefix("refs/tags/").unwrap_or(git_ref);
    let core = tag.strip_prefix('v').unwrap_or(tag).split(['-', '+']).next()?;
    let numbers = core.split('.').filter(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit())).count();
    (numbers == 3 && core.split('.').count() == 3).then_some(tag)
}
