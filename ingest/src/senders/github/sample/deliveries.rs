//! Payloads about what is made of code: workflow runs, deployments, releases.

use bus::data::Outcome;
use serde_json::{Value, json};

use super::objects::{extend, instant, number_of, user};
use super::{Deployment, DeploymentState, DeploymentStatus, Payload, Release, RunState, WorkflowRun};

/// Something happened to a run of a workflow.
#[must_use]
pub fn workflow_run(input: &WorkflowRun) -> Payload {
    let (action, status, conclusion) = match input.state {
        RunState::Requested => ("requested", "queued", None),
        RunState::InProgress => ("in_progress", "in_progress", None),
        RunState::Completed(outcome) => ("completed", "completed", Some(conclusion(outcome))),
    };
    let mut run = run_core(input);
    extend(&mut run, run_links(input));
    extend(&mut run, json!({"status": status, "conclusion": conclusion}));
    let body = json!({
        "action": action, "workflow_run": run, "workflow": workflow(input),
        "repository": input.repository.object(input.at), "organization": input.repository.organization(),
        "sender": user(&input.actor),
    });
    Payload { event: "workflow_run", body }
}

/// What GitHub calls an outcome.
fn conclusion(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "success",
        Outcome::Failure => "failure",
        Outcome::Cancelled => "cancelled",
        Outcome::Error => "startup_failure",
    }
}

fn path(input: &WorkflowRun) -> String {
    format!(".github/workflows/{}.yml", input.workflow.to_lowercase().replace(' ', "-"))
}

fn run_core(input: &WorkflowRun) -> Value {
    let repository = &input.repository;
    let pull_requests: Vec<Value> = input
        .pull_request
        .map(|number| {
            let repo = json!({"id": 1, "url": repository.api(), "name": repository.name});
            json!({
                "url": format!("{}/pulls/{number}", repository.api()), "id": number, "number": number,
                "head": {"ref": input.head_branch, "sha": input.head_sha, "repo": repo},
                "base": {"ref": repository.default_branch, "sha": input.head_sha, "repo": repo},
            })
        })
        .into_iter()
        .collect();
    json!({
        "id": input.id, "name": input.workflow, "node_id": format!("WFR_kwLO{:08x}", input.id),
        "head_branch": input.head_branch, "head_sha": input.head_sha, "path": path(input),
        "display_title": input.workflow, "run_number": input.run_number,
        "event": if input.pull_request.is_some() { "pull_request" } else { "push" },
        "workflow_id": number_of(&input.workflow), "check_suite_id": input.check_suite_id,
        "check_suite_node_id": format!("CS_kwDO{:08x}", input.check_suite_id), "pull_requests": pull_requests,
        "created_at": instant(input.created_at), "updated_at": instant(input.at), "actor": user(&input.actor),
        "triggering_actor": user(&input.actor), "run_attempt": input.attempt, "referenced_workflows": [],
        "run_started_at": instant(input.started_at), "repository": repository.object(input.at),
        "head_repository": repository.object(input.at),
        "head_commit": {
            "id": input.head_sha, "tree_id": format!("{:040x}", number_of(&input.head_sha)),
            "message": "Change what has to change", "timestamp": instant(input.created_at),
            "author": {"name": input.actor, "email": format!("{}@users.noreply.github.com", input.actor)},
            "committer": {"name": "GitHub", "email": "noreply@github.com"},
        },
    })
}

fn run_links(input: &WorkflowRun) -> Value {
    let api = input.repository.api();
    let url = format!("{api}/actions/runs/{}", input.id);
    json!({
        "url": url, "html_url": format!("{}/actions/runs/{}", input.repository.page(), input.id),
        "jobs_url": format!("{url}/jobs"), "logs_url": format!("{url}/logs"),
        "check_suite_url": format!("{api}/check-suites/{}", input.check_suite_id),
        "artifacts_url": format!("{url}/artifacts"), "cancel_url": format!("{url}/cancel"),
        "rerun_url": format!("{url}/rerun"), "previous_attempt_url": Value::Null,
        "workflow_url": format!("{api}/actions/workflows/{}", number_of(&input.workflow)),
    })
}

fn workflow(input: &WorkflowRun) -> Value {
    let id = number_of(&input.workflow);
    let path = path(input);
    json!({
        "id": id, "node_id": format!("W_kwDO{id:08x}"), "name": input.workflow, "path": path, "state": "active",
        "created_at": "2024-03-04T09:20:11.000Z", "updated_at": "2024-03-04T09:20:11.000Z",
        "url": format!("{}/actions/workflows/{id}", input.repository.api()),
        "html_url": format!("{}/blob/{}/{path}", input.repository.page(), input.repository.default_branch),
        "badge_url": format!("{}/workflows/{id}/badge.svg", input.repository.page()),
    })
}

/// Somebody asked to deploy.
#[must_use]
pub fn deployment(input: &Deployment) -> Payload {
    let body = json!({
        "action": "created", "deployment": deployment_object(input), "workflow": Value::Null,
        "workflow_run": Value::Null, "repository": input.repository.object(input.created_at),
        "organization": input.repository.organization(), "sender": user(&input.creator),
    });
    Payload { event: "deployment", body }
}

fn deployment_object(input: &Deployment) -> Value {
    let url = format!("{}/deployments/{}", input.repository.api(), input.id);
    json!({
        "url": url, "id": input.id, "node_id": format!("DE_kwDO{:08x}", input.id), "task": input.task,
        "original_environment": input.environment, "environment": input.environment,
        "description": input.description, "created_at": instant(input.created_at),
        "updated_at": instant(input.created_at), "statuses_url": format!("{url}/statuses"),
        "repository_url": input.repository.api(), "creator": user(&input.creator), "sha": input.sha,
        "ref": input.git_ref, "payload": input.payload, "transient_environment": false,
        "production_environment": input.production, "performed_via_github_app": Value::Null,
    })
}

/// A deployment came a step further.
#[must_use]
pub fn deployment_status(input: &DeploymentStatus) -> Payload {
    let deployment = &input.deployment;
    let url = format!("{}/deployments/{}", deployment.repository.api(), deployment.id);
    let state = match input.state {
        DeploymentState::Queued => "queued",
        DeploymentState::InProgress => "in_progress",
        DeploymentState::Success => "success",
        DeploymentState::Failure => "failure",
        DeploymentState::Error => "error",
        DeploymentState::Inactive => "inactive",
    };
    let body = json!({
        "action": "created",
        "deployment_status": {
            "url": format!("{url}/statuses/{}", input.id), "id": input.id,
            "node_id": format!("DES_kwDO{:08x}", input.id), "state": state, "creator": user(&deployment.creator),
            "description": "", "environment": deployment.environment, "target_url": "", "environment_url": "",
            "log_url": "", "created_at": instant(input.at), "updated_at": instant(input.at), "deployment_url": url,
            "repository_url": deployment.repository.api(), "performed_via_github_app": Value::Null,
        },
        "deployment": deployment_object(deployment), "check_run": Value::Null, "workflow": Value::Null,
        "workflow_run": Value::Null, "repository": deployment.repository.object(input.at),
        "organization": deployment.repository.organization(), "sender": user(&deployment.creator),
    });
    Payload { event: "deployment_status", body }
}

/// A release was published.
#[must_use]
pub fn release(input: &Release) -> Payload {
    let (api, page, tag) = (input.repository.api(), input.repository.page(), &input.tag);
    let url = format!("{api}/releases/{}", input.id);
    let body = json!({
        "action": "published",
        "release": {
            "url": url, "assets_url": format!("{url}/assets"),
            "upload_url": format!("{}/assets{{?name,label}}", url.replace("//api.", "//uploads.")),
            "html_url": format!("{page}/releases/tag/{tag}"), "id": input.id, "author": user(&input.author),
            "node_id": format!("RE_kwDO{:08x}", input.id), "tag_name": tag, "target_commitish": input.target,
            "name": tag, "draft": false, "immutable": false, "prerelease": input.prerelease,
            "created_at": instant(input.at), "updated_at": instant(input.at), "published_at": instant(input.at),
            "assets": [], "tarball_url": format!("{api}/tarball/{tag}"),
            "zipball_url": format!("{api}/zipball/{tag}"), "body": input.body,
        },
        "repository": input.repository.object(input.at), "organization": input.repository.organization(),
        "sender": user(&input.author),
    });
    Payload { event: "release", body }
}
