//! Payloads as GitHub sends them, without the links that nobody follows: a year of an invented organisation in a
//! tenth of the bytes that [`crate::senders::github::sample`] prints.
//!
//! Everything is handed in: no clock, no randomness.

use bus::data::{Manner, Outcome, Verdict};
use chrono::{DateTime, Utc};

use super::json::{Json, Null, Object, members, object};
use crate::demo::happening::{Cause, Change, ChangeAction, Commit, Deployment, Phase, Push, Release, Run, Ticket};
use crate::demo::organisation::Person;

/// An empty list.
const NONE: &[Null] = &[];

/// What happened to a change: the name for the header `x-github-event`, and the body.
pub(super) fn change(action: &ChangeAction, change: &Change) -> (&'static str, Json) {
    match action {
        ChangeAction::Reviewed { id, by, verdict } => ("pull_request_review", review(change, *id, *by, *verdict)),
        ChangeAction::Commented { id, by } => ("issue_comment", comment(change, *id, *by)),
        ChangeAction::Opened => ("pull_request", pull_request("opened", change, change.author)),
        ChangeAction::Ready => ("pull_request", pull_request("ready_for_review", change, change.author)),
        ChangeAction::Merged(by) | ChangeAction::Abandoned(by) => ("pull_request", pull_request("closed", change, *by)),
        ChangeAction::Pushed { before } => {
            let mut body = pull_request_members("synchronize", change, change.author);
            body.member("before", before);
            body.member("after", &change.head_sha);
            ("pull_request", body.end())
        }
        ChangeAction::ReviewRequested(reviewer) => {
            let mut body = pull_request_members("review_requested", change, change.author);
            body.member("requested_reviewer", &user(*reviewer));
            ("pull_request", body.end())
        }
    }
}

fn pull_request(action: &str, change: &Change, sender: Person) -> Json {
    pull_request_members(action, change, sender).end()
}

fn pull_request_members(action: &str, change: &Change, sender: Person) -> Object {
    members! {
        "action": action, "number": change.number, "pull_request": pull_request_object(change, sender),
        "repository": repository(change.repository), "sender": user(sender),
    }
}

fn pull_request_object(change: &Change, sender: Person) -> Json {
    let merged = change.merged_at.is_some();
    let page = format!("https://github.com/{}/pull/{}", change.repository, change.number);
    let labels: Vec<Json> = change.labels.iter().map(|name| object! {"name": name}).collect();
    object! {
        "id": change.number + 1_800_000_000, "number": change.number, "html_url": page,
        "state": if change.closed_at.is_some() { "closed" } else { "open" },
        "title": change.title, "body": change.body, "user": user(change.author), "labels": labels,
        "draft": change.draft, "author_association": "MEMBER", "created_at": change.opened_at,
        "updated_at": change.updated_at, "closed_at": change.closed_at,
        "merged_at": change.merged_at, "merge_commit_sha": change.merge_sha, "merged": merged,
        "merged_by": merged.then(|| user(sender)),
        "head": object! {"ref": change.branch, "sha": change.head_sha, "repo": repository(change.repository)},
        "base": object! {"ref": "main", "sha": change.base_sha, "repo": repository(change.repository)},
        "commits": change.size.commits, "additions": change.size.additions, "deletions": change.size.deletions,
        "changed_files": change.size.files, "comments": change.size.comments, "review_comments": 0_u64,
    }
}

fn review(change: &Change, id: u64, by: Person, verdict: Verdict) -> Json {
    let (state, text) = match verdict {
        Verdict::Approved => ("approved", None),
        Verdict::ChangesRequested => ("changes_requested", Some("Please see the remarks.")),
        Verdict::Commented => ("commented", Some("Two questions.")),
        Verdict::Dismissed => ("dismissed", None),
    };
    let page = format!("https://github.com/{}/pull/{}#pullrequestreview-{id}", change.repository, change.number);
    object! {
        "action": "submitted",
        "review": object! {
            "id": id, "user": user(by), "body": text, "commit_id": change.head_sha, "state": state, "html_url": page,
            "submitted_at": change.updated_at, "author_association": "MEMBER",
        },
        "pull_request": pull_request_object(change, by), "repository": repository(change.repository),
        "sender": user(by),
    }
}

fn comment(change: &Change, id: u64, by: Person) -> Json {
    let page = format!("https://github.com/{}/pull/{}", change.repository, change.number);
    object! {
        "action": "created",
        "issue": object! {
            "number": change.number, "title": change.title, "html_url": page, "user": user(change.author),
            "state": "open", "created_at": change.opened_at, "updated_at": change.updated_at,
            "pull_request": object! {"html_url": page}, "labels": NONE, "comments": change.size.comments,
        },
        "comment": object! {
            "id": id, "html_url": format!("{page}#issuecomment-{id}"), "user": user(by),
            "body": "Could we say why in the description?", "created_at": change.updated_at,
            "updated_at": change.updated_at, "author_association": "MEMBER",
        },
        "repository": repository(change.repository), "sender": user(by),
    }
}

/// The body of a `push`.
pub(super) fn push(told: &Push) -> Json {
    let after = told.commits.last().map(|c| c.sha.as_str());
    let commits: Vec<Json> = told.commits.iter().map(|c| commit(told.repository, c)).collect();
    object! {
        "ref": "refs/heads/main", "before": told.before, "after": after, "created": false, "deleted": false,
        "forced": false, "base_ref": Null,
        "compare": format!("https://github.com/{}/compare/main", told.repository),
        "head_commit": commits.last(), "commits": commits,
        "pusher": object! {"name": told.pusher.handle(), "email": email(told.pusher)},
        "repository": pushed_repository(told.repository, told.at), "sender": user(told.pusher),
    }
}

fn commit(repository: &str, commit: &Commit) -> Json {
    let author = object! {
        "name": commit.author.handle(), "email": email(commit.author), "username": commit.author.handle(),
    };
    object! {
        "id": commit.sha, "distinct": true, "message": commit.message, "timestamp": commit.authored_at,
        "url": format!("https://github.com/{repository}/commit/{}", commit.sha), "author": author,
        "committer": author, "added": NONE, "removed": NONE, "modified": vec![&commit.file],
    }
}

/// The body of a `workflow_run`.
pub(super) fn run(phase: Phase, told: &Run) -> Json {
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
    let changes: Vec<Json> = change
        .map(|number| object! {"number": number, "head": object! {"ref": told.branch, "sha": told.sha}, "base": object! {"ref": "main"}})
        .into_iter()
        .collect();
    object! {
        "action": action,
        "workflow_run": object! {
            "id": told.id, "name": "build", "path": ".github/workflows/build.yml", "head_branch": told.branch,
            "head_sha": told.sha, "run_number": told.number, "run_attempt": told.attempt, "event": event,
            "status": status, "conclusion": conclusion, "workflow_id": 7_210_044_u64, "check_suite_id": told.id + 17,
            "html_url": format!("https://github.com/{}/actions/runs/{}", told.repository, told.id),
            "pull_requests": changes, "created_at": told.created_at, "updated_at": told.updated_at,
            "run_started_at": told.queued_at, "actor": user(told.by), "triggering_actor": user(told.by),
        },
        "repository": repository(told.repository), "sender": user(told.by),
    }
}

fn conclusion(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "success",
        Outcome::Failure => "failure",
        Outcome::Cancelled => "cancelled",
        Outcome::Error => "startup_failure",
    }
}

/// The body of a `deployment_status`.
pub(super) fn deployment_status(told: &Deployment) -> Json {
    let (at, state) = match told.ended {
        None => (told.started_at, "in_progress"),
        Some((at, Outcome::Success)) => (at, "success"),
        Some((at, Outcome::Failure)) => (at, "failure"),
        Some((at, Outcome::Cancelled | Outcome::Error)) => (at, "error"),
    };
    object! {
        "action": "created",
        "deployment_status": object! {
            "id": told.id * 2 + u64::from(told.ended.is_some()), "state": state, "creator": user(told.by),
            "description": "", "environment": told.environment, "created_at": at, "updated_at": at,
        },
        "deployment": deployment_object(told), "repository": repository(told.repository), "sender": user(told.by),
    }
}

fn deployment_object(told: &Deployment) -> Json {
    let task = match told.manner {
        Some(Manner::Rollback) => "rollback",
        Some(Manner::Hotfix) => "hotfix",
        None => "deploy",
    };
    let payload = match told.fixes {
        None => object! {"service": told.service},
        Some(fixed) => object! {"service": told.service, "fixes": fixed},
    };
    object! {
        "id": told.id, "task": task, "environment": told.environment, "original_environment": told.environment,
        "description": Null, "sha": told.sha, "ref": "main", "payload": payload,
        "production_environment": told.production, "transient_environment": false, "creator": user(told.by),
        "created_at": told.started_at, "updated_at": told.started_at,
        "url": format!("https://api.github.com/repos/{}/deployments/{}", told.repository, told.id),
    }
}

/// The body of a `release`.
pub(super) fn release(told: &Release) -> Json {
    let page = format!("https://github.com/{}/releases/tag/{}", told.repository, told.tag);
    object! {
        "action": "published",
        "release": object! {
            "id": told.id, "html_url": page, "tag_name": told.tag, "target_commitish": "main", "name": told.tag,
            "draft": false, "prerelease": false, "author": user(told.by), "created_at": told.at,
            "published_at": told.at, "assets": NONE, "body": "See the merged changes.",
        },
        "repository": repository(told.repository), "sender": user(told.by),
    }
}

/// The body of a `issues`.
pub(super) fn ticket(told: &Ticket) -> Json {
    let closed = told.closed_at.is_some();
    object! {
        "action": if closed { "closed" } else { "opened" },
        "issue": object! {
            "id": told.number + 2_600_000_000_u64, "number": told.number, "title": told.title,
            "html_url": format!("https://github.com/{}/issues/{}", told.repository, told.number),
            "user": user(told.author), "labels": NONE, "assignees": NONE, "milestone": Null, "comments": 0_u64,
            "state": if closed { "closed" } else { "open" },
            "state_reason": closed.then_some("completed"),
            "created_at": told.opened_at, "updated_at": told.closed_at.unwrap_or(told.opened_at),
            "closed_at": told.closed_at, "author_association": "MEMBER", "body": Null,
        },
        "repository": repository(told.repository), "sender": user(told.author),
    }
}

fn user(person: Person) -> Json {
    let id = person.number + if person.bot { 41_000_000 } else { 9_300_000 };
    object! {"login": person.handle(), "id": id, "type": if person.bot { "Bot" } else { "User" }, "site_admin": false}
}

fn email(person: Person) -> String {
    format!("{}@users.noreply.github.com", person.handle())
}

fn repository(full_name: &str) -> Json {
    let mut object = repository_members(full_name);
    object.member("url", &format!("https://api.github.com/repos/{full_name}"));
    object.end()
}

/// The repository of a `push`: its `url` is the page, and its times are numbers.
fn pushed_repository(full_name: &str, at: DateTime<Utc>) -> Json {
    let mut object = repository_members(full_name);
    object.member("url", &format!("https://github.com/{full_name}"));
    object.member("pushed_at", &at.timestamp());
    object.member("master_branch", &"main");
    object.end()
}

fn repository_members(full_name: &str) -> Object {
    let (owner, name) = full_name.split_once('/').unwrap_or_default();
    let id = full_name.bytes().fold(17_u64, |id, byte| (id * 31 + u64::from(byte)) % 900_000_000);
    members! {
        "id": id, "name": name, "full_name": full_name, "private": true,
        "owner": object! {"login": owner, "id": 9_100_000 + owner.len(), "type": "Organization"},
        "html_url": format!("https://github.com/{full_name}"), "fork": false, "default_branch": "main",
        "visibility": "private", "archived": false,
    }
}
