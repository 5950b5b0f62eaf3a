//! Payloads about code: pushes, pull requests, reviews, issues.

use bus::data::Verdict;
use serde_json::{Value, json};

use super::objects::{extend, instant, number_of, owner, user};
use super::{Commit, Issue, IssueAction, Payload, PullRequest, PullRequestAction, PullRequestReview, Push};

/// What git calls a commit that does not exist.
const NO_COMMIT: &str = "0000000000000000000000000000000000000000";

/// Commits reached a branch, or a branch came or went.
#[must_use]
pub fn push(input: &Push) -> Payload {
    let repository = &input.repository;
    let commits: Vec<Value> = input.commits.iter().map(|c| commit(c, &repository.page())).collect();
    let before = input.before.as_deref().unwrap_or(NO_COMMIT);
    let after = input.after.as_deref().unwrap_or(NO_COMMIT);
    let body = json!({
        "ref": format!("refs/heads/{}", input.branch), "before": before, "after": after,
        "repository": repository.pushed_object(input.at),
        "pusher": {"name": input.pusher, "email": mail(&input.pusher)},
        "organization": repository.organization(), "sender": user(&input.pusher),
        "created": input.before.is_none(), "deleted": input.after.is_none(), "forced": input.forced,
        "base_ref": Value::Null, "compare": format!("{}/compare/{before}...{after}", repository.page()),
        "head_commit": commits.last(), "commits": commits,
    });
    Payload { event: "push", body }
}

/// An address that no mail reaches.
fn mail(handle: &str) -> String {
    format!("{}+{handle}@users.noreply.github.com", number_of(handle))
}

fn commit(commit: &Commit, page: &str) -> Value {
    let person = json!({"name": commit.author, "email": mail(&commit.author), "username": commit.author});
    json!({
        "id": commit.sha, "tree_id": format!("{:040x}", number_of(&commit.sha)), "distinct": true,
        "message": commit.message, "timestamp": instant(commit.at), "url": format!("{page}/commit/{}", commit.sha),
        "author": person, "committer": person, "added": [], "removed": [], "modified": commit.paths,
    })
}

/// Something happened to a pull request.
#[must_use]
pub fn pull_request(input: &PullRequest) -> Payload {
    let mut body = json!({
        "number": input.number, "pull_request": pull_request_object(input),
        "repository": input.repository.object(input.at), "organization": input.repository.organization(),
        "sender": user(&input.sender),
    });
    let action = match &input.action {
        PullRequestAction::Opened => "opened",
        PullRequestAction::Synchronize { before } => {
            extend(&mut body, json!({"before": before, "after": input.head_sha}));
            "synchronize"
        }
        PullRequestAction::ReadyForReview => "ready_for_review",
        PullRequestAction::Reopened => "reopened",
        PullRequestAction::Closed | PullRequestAction::Merged { .. } => "closed",
    };
    extend(&mut body, json!({"action": action}));
    Payload { event: "pull_request", body }
}

fn pull_request_object(input: &PullRequest) -> Value {
    let mut object = pull_request_core(input);
    extend(&mut object, pull_request_links(input));
    extend(&mut object, pull_request_end(input));
    let size = json!({
        "comments": 0, "review_comments": 0, "maintainer_can_modify": false, "commits": input.commits,
        "additions": input.additions, "deletions": input.deletions, "changed_files": input.changed_files,
        "mergeable": Value::Null, "rebaseable": Value::Null, "mergeable_state": "unknown",
    });
    extend(&mut object, size);
    object
}

fn pull_request_core(input: &PullRequest) -> Value {
    let repository = &input.repository;
    let id = number_of(&format!("{}#{}", repository.page(), input.number));
    let labels: Vec<Value> = input.labels.iter().map(|name| repository.label(name)).collect();
    let side = |branch: &str, sha: &str| {
        json!({
            "label": format!("{}:{branch}", repository.owner), "ref": branch, "sha": sha,
            "user": owner(&repository.owner), "repo": repository.object(input.at),
        })
    };
    json!({
        "id": id, "node_id": format!("PR_kwDO{id:08x}"), "number": input.number, "locked": false,
        "title": input.title, "user": user(&input.author), "body": input.body, "created_at": instant(input.opened_at),
        "updated_at": instant(input.at), "assignee": Value::Null, "assignees": [], "requested_reviewers": [],
        "requested_teams": [], "labels": labels, "milestone": Value::Null, "draft": input.draft,
        "head": side(&input.head_branch, &input.head_sha), "base": side(&input.base_branch, &input.base_sha),
        "author_association": "MEMBER", "auto_merge": Value::Null, "active_lock_reason": Value::Null,
    })
}

/// How it stands: open, closed or merged.
fn pull_request_end(input: &PullRequest) -> Value {
    let at = instant(input.at);
    match &input.action {
        PullRequestAction::Opened
        | PullRequestAction::Synchronize { .. }
        | PullRequestAction::ReadyForReview
        | PullRequestAction::Reopened => json!({
            "state": "open", "merged": false, "closed_at": Value::Null, "merged_at": Value::Null,
            "merge_commit_sha": Value::Null, "merged_by": Value::Null,
        }),
        PullRequestAction::Closed => json!({
            "state": "closed", "merged": false, "closed_at": at, "merged_at": Value::Null,
            "merge_commit_sha": Value::Null, "merged_by": Value::Null,
        }),
        PullRequestAction::Merged { sha } => json!({
            "state": "closed", "merged": true, "closed_at": at, "merged_at": at, "merge_commit_sha": sha,
            "merged_by": user(&input.sender),
        }),
    }
}

fn pull_request_links(input: &PullRequest) -> Value {
    let (api, number) = (input.repository.api(), input.number);
    let url = format!("{api}/pulls/{number}");
    let issue = format!("{api}/issues/{number}");
    let page = format!("{}/pull/{number}", input.repository.page());
    let statuses = format!("{api}/statuses/{}", input.head_sha);
    json!({
        "url": url, "html_url": page, "diff_url": format!("{page}.diff"), "patch_url": format!("{page}.patch"),
        "issue_url": issue, "commits_url": format!("{url}/commits"), "review_comments_url": format!("{url}/comments"),
        "review_comment_url": format!("{api}/pulls/comments{{/number}}"), "comments_url": format!("{issue}/comments"),
        "statuses_url": statuses,
        "_links": {
            "self": {"href": url}, "html": {"href": page}, "issue": {"href": issue},
            "comments": {"href": format!("{issue}/comments")},
            "review_comments": {"href": format!("{url}/comments")},
            "review_comment": {"href": format!("{api}/pulls/comments{{/number}}")},
            "commits": {"href": format!("{url}/commits")}, "statuses": {"href": statuses},
        },
    })
}

/// Somebody reviewed a pull request.
#[must_use]
pub fn pull_request_review(input: &PullRequestReview) -> Payload {
    let change = &input.pull_request;
    let url = format!("{}/pulls/{}", change.repository.api(), change.number);
    let page = format!("{}/pull/{}#pullrequestreview-{}", change.repository.page(), change.number, input.id);
    let state = match input.verdict {
        Verdict::Approved => "approved",
        Verdict::ChangesRequested => "changes_requested",
        Verdict::Commented => "commented",
        Verdict::Dismissed => "dismissed",
    };
    let action = if input.verdict == Verdict::Dismissed { "dismissed" } else { "submitted" };
    let body = json!({
        "action": action,
        "review": {
            "id": input.id, "node_id": format!("PRR_kwDO{:08x}", input.id), "user": user(&input.reviewer),
            "body": input.body, "commit_id": change.head_sha, "submitted_at": instant(input.at),
            "updated_at": instant(input.at), "state": state, "html_url": page, "pull_request_url": url,
            "author_association": "MEMBER",
            "_links": {"html": {"href": page}, "pull_request": {"href": url}},
        },
        "pull_request": pull_request_object(change), "repository": change.repository.object(input.at),
        "organization": change.repository.organization(), "sender": user(&input.reviewer),
    });
    Payload { event: "pull_request_review", body }
}

/// Something happened to an issue.
#[must_use]
pub fn issues(input: &Issue) -> Payload {
    let closed = input.action == IssueAction::Closed;
    let action = match input.action {
        IssueAction::Opened => "opened",
        IssueAction::Edited => "edited",
        IssueAction::Closed => "closed",
        IssueAction::Reopened => "reopened",
    };
    let mut issue = issue_core(input);
    let state = json!({
        "state": if closed { "closed" } else { "open" },
        "state_reason": if closed { json!("completed") } else { Value::Null },
        "closed_at": if closed { json!(instant(input.at)) } else { Value::Null },
    });
    extend(&mut issue, state);
    let body = json!({
        "action": action, "issue": issue, "repository": input.repository.object(input.at),
        "organization": input.repository.organization(), "sender": user(&input.sender),
    });
    Payload { event: "issues", body }
}

fn issue_core(input: &Issue) -> Value {
    let repository = &input.repository;
    let url = format!("{}/issues/{}", repository.api(), input.number);
    let id = number_of(&url);
    let labels: Vec<Value> = input.labels.iter().map(|name| repository.label(name)).collect();
    let assignees: Vec<Value> = input.assignees.iter().map(|handle| user(handle)).collect();
    json!({
        "url": url, "repository_url": repository.api(), "labels_url": format!("{url}/labels{{/name}}"),
        "comments_url": format!("{url}/comments"), "events_url": format!("{url}/events"),
        "html_url": format!("{}/issues/{}", repository.page(), input.number), "id": id,
        "node_id": format!("I_kwDO{id:08x}"), "number": input.number, "title": input.title,
        "user": user(&input.author), "labels": labels, "locked": false, "assignee": assignees.first(),
        "assignees": assignees, "milestone": Value::Null, "comments": 0, "created_at": instant(input.opened_at),
        "updated_at": instant(input.at), "author_association": "MEMBER", "active_lock_reason": Value::Null,
        "body": input.body, "timeline_url": format!("{url}/timeline"), "performed_via_github_app": Value::Null,
        "reactions": {
            "url": format!("{url}/reactions"), "total_count": 0, "+1": 0, "-1": 0, "laugh": 0, "hooray": 0,
            "confused": 0, "heart": 0, "rocket": 0, "eyes": 0,
        },
    })
}
