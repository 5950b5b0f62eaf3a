//! Check suites, check runs and commit statuses, where a CI reports them. Those of linters, licence checks and
//! reviewing apps are no runs of a pipeline and stay GitHub's own.

use bus::data::ci::{PipelineRun, TaskRun};
use bus::data::{Data, Outcome};
use bus::kind::Kind;
use serde::Deserialize;

use super::payload::{At, Named, Numbered, Repository, filled, first_number, names};
use super::request::{Place, Request};
use super::runs::outcome;
use crate::sender::Draft;

/// The app of GitHub's own CI. Its suites have the name of their workflow in `workflow_run` only.
const ACTIONS: &str = "github-actions";

/// Apps that are a CI, by the last part of their address.
const CI_APPS: &[&str] = &[
    ACTIONS,
    "appveyor",
    "azure-pipelines",
    "buildkite",
    "circleci-checks",
    "cirrus-ci",
    "codemagic-ci-cd",
    "google-cloud-build",
    "semaphore-ci",
    "travis-ci",
    "woodpecker-ci",
];

/// Beginnings of status contexts that a CI writes, and whether such a status stands for a whole run or for a task.
const CI_CONTEXTS: &[(&str, Level)] = &[
    ("buildkite/", Level::Run),
    ("ci/circleci:", Level::Task),
    ("ci/woodpecker/", Level::Task),
    ("concourse-ci/", Level::Task),
    ("continuous-integration/appveyor/", Level::Run),
    ("continuous-integration/drone/", Level::Run),
    ("continuous-integration/jenkins/", Level::Run),
    ("continuous-integration/travis-ci/", Level::Run),
    ("semaphoreci", Level::Run),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Run,
    Task,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Event {
    action: Option<String>,
    check_suite: Option<Suite>,
    check_run: Option<Check>,
    repository: Option<Repository>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct App {
    slug: Option<String>,
    name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Suite {
    id: Option<u64>,
    head_branch: Option<String>,
    head_sha: Option<String>,
    conclusion: Option<String>,
    pull_requests: Option<Vec<Numbered>>,
    app: Option<App>,
    created_at: At,
    updated_at: At,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Check {
    id: Option<u64>,
    name: Option<String>,
    html_url: Option<String>,
    details_url: Option<String>,
    head_sha: Option<String>,
    status: Option<String>,
    conclusion: Option<String>,
    check_suite: Option<Suite>,
    app: Option<App>,
    started_at: At,
    completed_at: At,
}

/// True if a CI reports through this app.
fn is_ci(app: Option<&App>) -> bool {
    app.and_then(|app| app.slug.as_deref()).is_some_and(|slug| CI_APPS.contains(&slug))
}

pub(super) fn check_suite(request: &Request<'_>) -> Option<Vec<Draft>> {
    let event: Event = request.parse()?;
    let place = request.place(event.repository)?;
    let suite = event.check_suite?;
    if !is_ci(suite.app.as_ref()) {
        return None;
    }
    let (kind, finished) = match event.action.as_deref()? {
        "requested" => (Kind::PipelineRunQueued, false),
        "completed" => (Kind::PipelineRunFinished, true),
        _ => return None,
    };
    let pipeline = suite.app.filter(|app| app.slug.as_deref() != Some(ACTIONS)).and_then(|app| app.name);
    let data = PipelineRun {
        id: suite_id(&place, suite.id?),
        repository: Some(place.name.clone()),
        pipeline,
        url: None,
        sha: suite.head_sha,
        branch: suite.head_branch,
        default_branch: place.repository.default_branch.clone(),
        change: first_number(suite.pull_requests),
        attempt: 1,
        queued_at: suite.created_at.0,
        started_at: None,
        finished_at: suite.updated_at.0.filter(|_| finished),
        outcome: suite.conclusion.as_deref().filter(|_| finished).and_then(outcome),
    };
    let time = data.finished_at.or(data.queued_at);
    Some(vec![place.draft(kind, data.id.clone(), time, Data::PipelineRun(Box::new(data)))])
}

fn suite_id(place: &Place, suite: u64) -> String {
    format!("{}/checks/{suite}", place.name)
}

/// A check began or ended. A check of GitHub's own CI is a job, and has the job's id.
pub(super) fn check_run(request: &Request<'_>) -> Option<Vec<Draft>> {
    let event: Event = request.parse()?;
    let place = request.place(event.repository)?;
    let check = event.check_run?;
    if !is_ci(check.app.as_ref()) {
        return None;
    }
    let (kind, finished) = match (event.action.as_deref()?, check.status.as_deref()?) {
        ("created", "in_progress") => (Kind::TaskRunStarted, false),
        ("completed", _) => (Kind::TaskRunFinished, true),
        _ => return None,
    };
    let suite = check.check_suite.unwrap_or_default();
    let data = TaskRun {
        id: format!("{}/jobs/{}", place.name, check.id?),
        run: suite.id.map(|suite| suite_id(&place, suite)),
        repository: Some(place.name.clone()),
        task: check.name,
        url: filled(check.html_url).or(check.details_url),
        sha: check.head_sha,
        branch: suite.head_branch,
        attempt: 1,
        started_at: check.started_at.0,
        finished_at: check.completed_at.0.filter(|_| finished),
        outcome: check.conclusion.as_deref().filter(|_| finished).and_then(outcome),
    };
    let time = data.finished_at.or(data.started_at);
    Some(vec![place.draft(kind, data.id.clone(), time, Data::TaskRun(Box::new(data)))])
}

/// A commit status. Its states have ids of their own, so what a CI says of one commit under one context is one run.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    sha: Option<String>,
    context: Option<String>,
    state: Option<String>,
    target_url: Option<String>,
    branches: Option<Vec<Named>>,
    created_at: At,
    updated_at: At,
    repository: Option<Repository>,
}

pub(super) fn status(request: &Request<'_>) -> Option<Vec<Draft>> {
    let status: Status = request.parse()?;
    let place = request.place(status.repository)?;
    let (context, sha) = (filled(status.context)?, filled(status.sha)?);
    let (_, level) = CI_CONTEXTS.iter().find(|(beginning, _)| context.starts_with(beginning))?;
    let outcome = match status.state.as_deref()? {
        "pending" => None,
        "success" => Some(Outcome::Success),
        "failure" => Some(Outcome::Failure),
        "error" => Some(Outcome::Error),
        _ => return None,
    };
    let time = status.updated_at.or(status.created_at);
    let mut branches = names(status.branches);
    let data = TaskRun {
        id: format!("{}/statuses/{sha}/{context}", place.name),
        run: None,
        repository: Some(place.name.clone()),
        task: Some(context),
        url: filled(status.target_url),
        sha: Some(sha),
        // With several branches at this commit nobody can tell for which one it ran.
        branch: if branches.len() == 1 { branches.pop() } else { None },
        attempt: 1,
        started_at: time.filter(|_| outcome.is_none()),
        finished_at: time.filter(|_| outcome.is_some()),
        outcome,
    };
    Some(vec![match level {
        Level::Task => {
            let kind = if outcome.is_some() { Kind::TaskRunFinished } else { Kind::TaskRunStarted };
            place.draft(kind, data.id.clone(), time, Data::TaskRun(Box::new(data)))
        }
        Level::Run => {
            let kind = if outcome.is_some() { Kind::PipelineRunFinished } else { Kind::PipelineRunStarted };
            place.draft(kind, data.id.clone(), time, Data::PipelineRun(Box::new(whole_run(&place, data))))
        }
    }])
}

/// The pipeline run that a task is, where a CI has one status for all of it.
fn whole_run(place: &Place, task: TaskRun) -> PipelineRun {
    PipelineRun {
        id: task.id,
        repository: task.repository,
        pipeline: task.task,
        url: task.url,
        sha: task.sha,
        branch: task.branch,
        default_branch: place.repository.default_branch.clone(),
        change: None,
        attempt: task.attempt,
        queued_at: None,
        started_at: task.started_at,
        finished_at: task.finished_at,
        outcome: task.outcome,
    }
}
