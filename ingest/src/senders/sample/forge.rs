//! Payloads as GitHub sends them, without the links that nobody follows: a year of an invented organisation in a
//! tenth of the bytes that [`crate::senders::github::sample`] prints.
//!
//! Everything is handed in: no clock, no randomness.

use bus::data::{Manner, Outcome, Verdict};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use crate::demo::happening::{
    Cause, Change, ChangeAction, Commit, Deployment, Happening, Phase, Push, Release, Run, Ticket,
};
use crate::demo::organisation::Person;

/// What GitHub would send for a happening: the name for the header `x-github-event` and the body. None for what it
/// does not tell of.
pub(crate) fn payload(happening: &Happening) -> Option<(&'static str, Value)> {
    Some(match happening {
        Happening::Change(action, change) => change_payload(action, change),
        Happening::Push(told) => ("push", push(told)),
        Happening::Run(phase, told) => ("workflow_run", run(*phase, told)),
        Happening::Deployment(told) => ("deployment_status", deployment_status(told)),
        Happening::Release(told) => ("release", release(told)),
        Happening::Ticket(told) => ("issues", ticket(told)),
        Happening::Incident(_) | Happening::Coverage(_) => return None,
    })
}

fn change_payload(action: &ChangeAction, change: &Change) -> (&'static str, Value) {
    match action {
        ChangeAction::Reviewed { id, by, verdict } => ("pull_request_review", review(change, *id, *by, *verdict)),
        ChangeAction::Commented { id, by } => ("issue_comment", comment(change, *id, *by)),
        ChangeAction::Opened => ("pull_request", pull_request("opened", change, change.author)),
        ChangeAction::Ready => ("pull_request", pull_request("ready_for_review", change, change.author)),
        ChangeAction::Merged(by) | ChangeAction::Abandoned(by) => ("pull_request", pull_request("closed", change, *by)),
        ChangeAction::Pushed { before } => {
            let mut body = pull_request("synchronize", change, change.author);
            put(&mut body, "before", json!(before));
            put(&mut body, "after", json!(change.head_sha));
            ("pull_request", body)
        }
        ChangeAction::ReviewRequested(reviewer) => {
            let mut body = pull_request("review_requested", change, change.author);
            put(&mut body, "requested_reviewer", user(*reviewer));
            ("pull_request", body)
        }
    }
}

fn pull_request(action: &str, change: &Change, sender: Person) -> Value {
    json!({
        "action": action, "number": change.number, "pull_request": pull_request_object(change, sender),
        "repository": repository(change.repository), "sender": user(sender),
    })
}

fn pull_request_object(change: &Change, sender: Person) -> Value {
    let merged = change.merged_at.is_some();
    let page = format!("https://github.com/{}/pull/{}", change.repository, change.number);
    let labels: Vec<Value> = change.labels.iter().map(|name| json!({"name": name})).collect();
    json!({
        "id": change.number + 1_800_000_000, "number": change.number, "html_url": page,
        "state": if change.closed_at.is_some() { "closed" } else { "open" },
        "title": change.title, "body": change.body, "user": user(change.author), "labels": labels,
        "draft": change.draft, "author_association": "MEMBER", "created_at": instant(change.opened_at),
        "updated_at": instant(change.updated_at), "closed_at": change.closed_at.map(instant),
        "merged_at": change.merged_at.map(instant), "merge_commit_sha": change.merge_sha, "merged": merged,
        "merged_by": if merged { user(sender) } else { Value::Null },
        "head": {"ref": change.branch, "sha": change.head_sha, "repo": repository(change.repository)},
        "base": {"ref": "main", "sha": change.base_sha, "repo": repository(change.repository)},
        "commits": change.size.commits, "additions": change.size.additions, "deletions": change.size.deletions,
        "changed_files": change.size.files, "comments": change.size.comments, "review_comments": 0,
    })
}

fn review(change: &Change, id: u64, by: Person, verdict: Verdict) -> Value {
    let (state, text) = match verdict {
        Verdict::Approved => ("approved", Value::Null),
        Verdict::ChangesRequested => ("changes_requested", json!("Please see the remarks.")),
        Verdict::Commented => ("commented", json!("Two questions.")),
        Verdict::Dismissed => ("dismissed", Value::Null),
    };
    let page = format!("https://github.com/{}/pull/{}#pullrequestreview-{id}", change.repository, change.number);
    json!({
        "action": "submitted",
        "review": {
            "id": id, "user": user(by), "body": text, "commit_id": change.head_sha, "state": state, "html_url": page,
            "submitted_at": instant(change.updated_at), "author_association": "MEMBER",
        },
        "pull_request": pull_request_object(change, by), "repository": repository(change.repository),
        "sender": user(by),
    })
}

fn comment(change: &Change, id: u64, by: Person) -> Value {
    let page = format!("https://github.com/{}/pull/{}", change.repository, change.number);
    json!({
        "action": "created",
        "issue": {
            "number": change.number, "title": change.title, "html_url": page, "user": user(change.author),
            "state": "open", "created_at": instant(change.opened_at), "updated_at": instant(change.updated_at),
            "pull_request": {"html_url": page}, "labels": [], "comments": change.size.comments,
        },
        "comment": {
            "id": id, "html_url": format!("{page}#issuecomment-{id}"), "user": user(by),
            "body": "Could we say why in the description?", "created_at": instant(change.updated_at),
            "updated_at": instant(change.updated_at), "author_association": "MEMBER",
        },
        "repository": repository(change.repository), "sender": user(by),
    })
}

fn push(told: &Push) -> Value {
    let after = told.commits.last().map(|c| c.sha.as_str());
    let commits: Vec<Value> = told.commits.iter().map(|c| commit(told.repository, c)).collect();
    json!({
        "ref": "refs/heads/main", "before": told.before, "after": after, "created": false, "deleted": false,
        "forced": false, "base_ref": Value::Null,
        "compare": format!("https://github.com/{}/compare/main", told.repository),
        "head_commit": commits.last(), "commits": commits,
        "pusher": {"name": told.pusher.handle(), "email": email(told.pusher)},
        "repository": pushed_repository(told.repository, told.at), "sender": user(told.pusher),
    })
}

fn commit(repository: &str, commit: &Commit) -> Value {
    let author = json!({
        "name": commit.author.handle(), "email": email(commit.author), "username": commit.author.handle(),
    });
    json!({
        "id": commit.sha, "distinct": true, "message": commit.message, "timestamp": instant(commit.authored_at),
        "url": format!("https://github.com/{repository}/commit/{}", commit.sha), "author": author,
        "committer": author, "added": [], "removed": [], "modified": [commit.file],
    })
}

fn run(phase: Phase, told: &Run) -> Value {
    let (action, status, conclusion) = match phase {
        Phase::Asked => ("requested", "queued", None),
        Phase::Started => ("in_progress", "in_progress", None),
        Phase::Ended(outcome) => ("completed", "completed", Some(conclusion(outcome))),
    };
    let (event, change) = match told.cause {
        Cause::Change(number) => ("pull_request", Some(number)),
        Cause::Push => ("push", None),
        Cause::Schedule => ("schedule", None),
    };
    let changes: Vec<Value> = change
        .map(|number| json!({"number": number, "head": {"ref": told.branch, "sha": told.sha}, "base": {"ref": "main"}}))
        .into_iter()
        .collect();
    json!({
        "action": action,
        "workflow_run": {
            "id": told.id, "name": "build", "path": ".github/workflows/build.yml", "head_branch": told.branch,
            "head_sha": told.sha, "run_number": told.number, "run_attempt": told.attempt, "event": event,
            "status": status, "conclusion": conclusion, "workflow_id": 7_210_044, "check_suite_id": told.id + 17,
            "html_url": format!("https://github.com/{}/actions/runs/{}", told.repository, told.id),
            "pull_requests": changes, "created_at": instant(told.created_at), "updated_at": instant(told.updated_at),
            "run_started_at": instant(told.queued_at), "actor": user(told.by), "triggering_actor": user(told.by),
        },
        "repository": repository(told.repository), "sender": user(told.by),
    })
}

fn conclusion(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "success",
        Outcome::Failure => "failure",
        Outcome::Cancelled => "cancelled",
        Outcome::Error => "startup_failure",
    }
}

fn deployment_status(told: &Deployment) -> Value {
    let (at, state) = match told.ended {
        None => (told.started_at, "in_progress"),
        Some((at, Outcome::Success)) => (at, "success"),
        Some((at, Outcome::Failure)) => (at, "failure"),
        Some((at, Outcome::Cancelled | Outcome::Error)) => (at, "error"),
    };
    json!({
        "action": "created",
        "deployment_status": {
            "id": told.id * 2 + u64::from(told.ended.is_some()), "state": state, "creator": user(told.by),
            "description": "", "environment": told.environment, "created_at": instant(at), "updated_at": instant(at),
        },
        "deployment": deployment_object(told), "repository": repository(told.repository), "sender": user(told.by),
    })
}

fn deployment_object(told: &Deployment) -> Value {
    let task = match told.manner {
        Some(Manner::Rollback) => "rollback",
        Some(Manner::Hotfix) => "hotfix",
        None => "deploy",
    };
    let payload = match told.fixes {
        None => json!({"service": told.service}),
        Some(fixed) => json!({"service": told.service, "fixes": fixed}),
    };
    json!({
        "id": told.id, "task": task, "environment": told.environment, "original_environment": told.environment,
        "description": Value::Null, "sha": told.sha, "ref": "main", "payload": payload,
        "production_environment": told.production, "transient_environment": false, "creator": user(told.by),
        "created_at": instant(told.started_at), "updated_at": instant(told.started_at),
        "url": format!("https://api.github.com/repos/{}/deployments/{}", told.repository, told.id),
    })
}

fn release(told: &Release) -> Value {
    let page = format!("https://github.com/{}/releases/tag/{}", told.repository, told.tag);
    json!({
        "action": "published",
        "release": {
            "id": told.id, "html_url": page, "tag_name": told.tag, "target_commitish": "main", "name": told.tag,
            "draft": false, "prerelease": false, "author": user(told.by), "created_at": instant(told.at),
            "published_at": instant(told.at), "assets": [], "body": "See the merged changes.",
        },
        "repository": repository(told.repository), "sender": user(told.by),
    })
}

fn ticket(told: &Ticket) -> Value {
    let closed = told.closed_at.is_some();
    json!({
        "action": if closed { "closed" } else { "opened" },
        "issue": {
            "id": told.number + 2_600_000_000_u64, "number": told.number, "title": told.title,
            "html_url": format!("https://github.com/{}/issues/{}", told.repository, told.number),
            "user": user(told.author), "labels": [], "assignees": [], "milestone": Value::Null, "comments": 0,
            "state": if closed { "closed" } else { "open" },
            "state_reason": if closed { json!("completed") } else { Value::Null },
            "created_at": instant(told.opened_at), "updated_at": instant(told.closed_at.unwrap_or(told.opened_at)),
            "closed_at": told.closed_at.map(instant), "author_association": "MEMBER", "body": Value::Null,
        },
        "repository": repository(told.repository), "sender": user(told.author),
    })
}

fn user(person: Person) -> Value {
    let id = person.number + if person.bot { 41_000_000 } else { 9_300_000 };
    json!({"login": person.handle(), "id": id, "type": if person.bot { "Bot" } else { "User" }, "site_admin": false})
}

fn email(person: Person) -> String {
    format!("{}@users.noreply.github.com", person.handle())
}

fn repository(full_name: &str) -> Value {
    let (owner, name) = full_name.split_once('/').unwrap_or_default();
    let id = full_name.bytes().fold(17_u64, |id, byte| (id * 31 + u64::from(byte)) % 900_000_000);
    json!({
        "id": id, "name": name, "full_name": full_name, "private": true,
        "owner": {"login": owner, "id": 9_100_000 + owner.len(), "type": "Organization"},
        "html_url": format!("https://github.com/{full_name}"),
        "url": format!("https://api.github.com/repos/{full_name}"), "fork": false, "default_branch": "main",
        "visibility": "private", "archived": false,
    })
}

/// The repository of a `push`: its `url` is the page, and its times are numbers.
fn pushed_repository(full_name: &str, at: DateTime<Utc>) -> Value {
    let mut object = repository(full_name);
    put(&mut object, "url", json!(format!("https://github.com/{full_name}")));
    put(&mut object, "pushed_at", json!(at.timestamp()));
    put(&mut object, "master_branch", json!("main"));
    object
}

fn put(object: &mut Value, name: &str, value: Value) {
    if let Value::Object(fields) = object {
        fields.insert(name.to_owned(), value);
    }
}

fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
