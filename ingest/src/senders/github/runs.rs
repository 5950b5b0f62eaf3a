//! Workflow runs and their jobs.
//!
//! A run is called `…/checks/{check suite}`, so that the events `workflow_run` and `check_suite` tell of one run. A
//! job names its run by the run's own id, since it does not tell the check suite.

use bus::data::ci::{PipelineRun, TaskRun};
use bus::data::{Data, Outcome};
use bus::kind::Kind;
use serde::Deserialize;

use super::payload::{At, Numbered, Repository, first_number};
use super::request::{Place, Request};
use crate::sender::Draft;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Event {
    action: Option<String>,
    workflow_run: Option<Run>,
    workflow_job: Option<Job>,
    repository: Option<Repository>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Run {
    id: Option<u64>,
    name: Option<String>,
    check_suite_id: Option<u64>,
    run_attempt: Option<u32>,
    html_url: Option<String>,
    head_branch: Option<String>,
    head_sha: Option<String>,
    head_repository: Option<HeadRepository>,
    pull_requests: Option<Vec<Numbered>>,
    conclusion: Option<String>,
    created_at: At,
    run_started_at: At,
    updated_at: At,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct HeadRepository {
    full_name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Job {
    id: Option<u64>,
    run_id: Option<u64>,
    run_attempt: Option<u32>,
    name: Option<String>,
    html_url: Option<String>,
    head_branch: Option<String>,
    head_sha: Option<String>,
    conclusion: Option<String>,
    started_at: At,
    completed_at: At,
}

/// How a run, a job or a check ended. Neutral and skipped ones neither succeeded nor failed, and have no outcome.
pub(super) fn outcome(conclusion: &str) -> Option<Outcome> {
    match conclusion {
        "success" => Some(Outcome::Success),
        "failure" | "timed_out" | "startup_failure" => Some(Outcome::Failure),
        "cancelled" => Some(Outcome::Cancelled),
        "action_required" | "stale" => Some(Outcome::Error),
        _ => None,
    }
}

pub(super) fn workflow_run(request: &Request<'_>) -> Option<Vec<Draft>> {
    let event: Event = request.parse()?;
    let place = request.place(event.repository)?;
    let run = event.workflow_run?;
    let kind = match event.action.as_deref()? {
        "requested" => Kind::PipelineRunQueued,
        "in_progress" => Kind::PipelineRunStarted,
        "completed" => Kind::PipelineRunFinished,
        _ => return None,
    };
    let data = pipeline_run(&place, &kind, run)?;
    let time = data.finished_at.or(data.started_at).or(data.queued_at);
    Some(vec![place.draft(kind, data.id.clone(), time, Data::PipelineRun(Box::new(data)))])
}

fn pipeline_run(place: &Place, kind: &Kind, run: Run) -> Option<PipelineRun> {
    let id = match (run.check_suite_id, run.id) {
        (Some(suite), _) => format!("{}/checks/{suite}", place.name),
        (None, Some(id)) => format!("{}/runs/{id}", place.name),
        (None, None) => return None,
    };
    // The branch of a fork is not a branch of this repository, even if it is called the same.
    let head = run.head_repository.and_then(|head| head.full_name);
    let own_branch = head.is_none() || head == place.repository.full_name;
    let attempt = run.run_attempt.unwrap_or(1);
    // A run keeps its time of creation over all attempts; the time of the attempt is `run_started_at`, which GitHub
    // sets when the attempt is asked for, not when a runner takes it.
    let queued_at = if attempt > 1 { run.run_started_at.0 } else { run.created_at.or(run.run_started_at) };
    let finished = *kind == Kind::PipelineRunFinished;
    Some(PipelineRun {
        id,
        repository: Some(place.name.clone()),
        pipeline: run.name,
        url: run.html_url,
        sha: run.head_sha,
        branch: run.head_branch.filter(|_| own_branch),
        default_branch: place.repository.default_branch.clone(),
        change: first_number(run.pull_requests),
        attempt,
        queued_at,
        // Only this event comes when the run begins.
        started_at: run.updated_at.0.max(run.run_started_at.0).filter(|_| *kind == Kind::PipelineRunStarted),
        finished_at: run.updated_at.0.filter(|_| finished),
        outcome: run.conclusion.as_deref().filter(|_| finished).and_then(outcome),
    })
}

/// A job began or ended; waiting and queued ones stay GitHub's own, since a task run has no such moment.
pub(super) fn workflow_job(request: &Request<'_>) -> Option<Vec<Draft>> {
    let event: Event = request.parse()?;
    let place = request.place(event.repository)?;
    let job = event.workflow_job?;
    let (kind, finished) = match event.action.as_deref()? {
        "in_progress" => (Kind::TaskRunStarted, false),
        "completed" => (Kind::TaskRunFinished, true),
        _ => return None,
    };
    let data = TaskRun {
        id: format!("{}/jobs/{}", place.name, job.id?),
        run: job.run_id.map(|run| format!("{}/runs/{run}", place.name)),
        repository: Some(place.name.clone()),
        task: job.name,
        url: job.html_url,
        sha: job.head_sha,
        branch: job.head_branch,
        attempt: job.run_attempt.unwrap_or(1),
        started_at: job.started_at.0,
        finished_at: job.completed_at.0.filter(|_| finished),
        outcome: job.conclusion.as_deref().filter(|_| finished).and_then(outcome),
    };
    let time = data.finished_at.or(data.started_at);
    Some(vec![place.draft(kind, data.id.clone(), time, Data::TaskRun(Box::new(data)))])
}
