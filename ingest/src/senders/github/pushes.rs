//! Pushes, and branches that come and go.
//!
//! A push to the default branch outside a pull request is also a change, merged at once: its subject is the commit.
//! GitHub tells one time per commit, which stands for both the author's and the committer's.

use std::collections::BTreeSet;

use bus::data::Data;
use bus::data::forge::{Branch, Change, Commit, Push};
use bus::kind::Kind;
use serde::Deserialize;

use super::changes::reverted_commit;
use super::payload::{At, Repository, User, person};
use super::request::{Place, Request};
use crate::sender::Draft;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Event {
    #[serde(rename = "ref")]
    reference: Option<String>,
    ref_type: Option<String>,
    before: Option<String>,
    after: Option<String>,
    created: Option<bool>,
    deleted: Option<bool>,
    forced: Option<bool>,
    commits: Option<Vec<PushedCommit>>,
    head_commit: Option<PushedCommit>,
    repository: Option<Repository>,
    sender: Option<User>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PushedCommit {
    id: Option<String>,
    message: Option<String>,
    timestamp: At,
    distinct: Option<bool>,
    url: Option<String>,
    added: Option<Vec<String>>,
    modified: Option<Vec<String>>,
    removed: Option<Vec<String>>,
}

/// A push to a branch; one to a tag stays GitHub's own.
pub(super) fn push(request: &Request<'_>) -> Option<Vec<Draft>> {
    let event: Event = request.parse()?;
    let place = request.place(event.repository.clone())?;
    let branch =
        event.reference.as_deref()?.strip_prefix("refs/heads/").filter(|branch| !branch.is_empty())?.to_owned();
    if event.deleted == Some(true) {
        return Some(vec![branch_event(&place, Kind::BranchDeleted, branch, commit_name(event.before))]);
    }
    let mut drafts = Vec::with_capacity(2);
    if event.created == Some(true) {
        drafts.push(branch_event(&place, Kind::BranchCreated, branch.clone(), commit_name(event.after.clone())));
    } else if let Some(change) = direct_change(&place, &branch, &event) {
        drafts.push(change);
    }
    drafts.insert(0, commits_pushed(&place, branch, event));
    Some(drafts)
}

fn commits_pushed(place: &Place, branch: String, event: Event) -> Draft {
    let time = place.repository.pushed_at.0.or(event.head_commit.and_then(|head| head.timestamp.0));
    let commits = event.commits.into_iter().flatten().filter_map(|commit| {
        Some(Commit {
            sha: commit.id?,
            parents: None,
            authored_at: commit.timestamp.0,
            committed_at: commit.timestamp.0,
            distinct: commit.distinct,
        })
    });
    let subject = format!("refs/heads/{branch}");
    let push = Push {
        repository: place.name.clone(),
        branch: Some(branch),
        default_branch: place.repository.default_branch.clone(),
        before: commit_name(event.before),
        after: commit_name(event.after),
        forced: event.forced.unwrap_or(false),
        pusher: person(event.sender),
        commits: commits.collect(),
    };
    place.draft(Kind::CommitPushed, subject, time, Data::Push(Box::new(push)))
}

/// The change that a push to the default branch is, unless a pull request was merged. The first push to a branch is
/// none: nothing was there to change.
fn direct_change(place: &Place, branch: &str, event: &Event) -> Option<Draft> {
    let head = event.head_commit.as_ref()?;
    let sha = head.id.clone().filter(|sha| !sha.is_empty())?;
    let message = head.message.as_deref().unwrap_or_default();
    let subject = message.lines().next().unwrap_or_default();
    if place.repository.default_branch.as_deref() != Some(branch) || merges_pull_request(subject) {
        return None;
    }
    let commits = event.commits.as_deref().unwrap_or_default();
    let merged_at = head.timestamp.0;
    let change = Change {
        repository: place.name.clone(),
        title: Some(subject.to_owned()),
        url: head.url.clone(),
        author: person(event.sender.clone()),
        base_branch: Some(branch.to_owned()),
        default_branch: place.repository.default_branch.clone(),
        head_sha: Some(sha.clone()),
        merge_sha: Some(sha.clone()),
        commits: u64::try_from(commits.len()).ok().filter(|count| *count > 0),
        first_commit_at: commits.iter().filter_map(|commit| commit.timestamp.0).min().or(merged_at),
        merged_at,
        closed_at: merged_at,
        reverts: reverted_commit(message).map(str::to_owned),
        direct: true,
        paths: top_level_paths(commits),
        ..Change::default()
    };
    Some(place.draft(Kind::ChangeMerged, sha, merged_at, Data::Change(Box::new(change))))
}

/// True for the subjects that GitHub writes when it merges: `Merge pull request #12 from …`, and `… (#12)` for a
/// squash.
fn merges_pull_request(subject: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let merged = subject
        .strip_prefix("Merge pull request #")
        .and_then(|rest| rest.split_once(" from "))
        .is_some_and(|(digits, _)| number(digits));
    let squashed = subject
        .trim_end()
        .strip_suffix(')')
        .and_then(|rest| rest.rsplit_once("(#"))
        .is_some_and(|(_, digits)| number(digits));
    merged || squashed
}

fn top_level_paths(commits: &[PushedCommit]) -> Vec<String> {
    let files =
        commits.iter().flat_map(|commit| [&commit.added, &commit.modified, &commit.removed]).flatten().flatten();
    let tops: BTreeSet<&str> = files.filter_map(|file| file.split('/').next()).collect();
    tops.into_iter().map(str::to_owned).collect()
}

/// A branch was created; a tag stays GitHub's own.
pub(super) fn create(request: &Request<'_>) -> Option<Vec<Draft>> {
    branch_alone(request, Kind::BranchCreated)
}

/// A branch was deleted; a tag stays GitHub's own.
pub(super) fn delete(request: &Request<'_>) -> Option<Vec<Draft>> {
    branch_alone(request, Kind::BranchDeleted)
}

fn branch_alone(request: &Request<'_>, kind: Kind) -> Option<Vec<Draft>> {
    let event: Event = request.parse()?;
    let place = request.place(event.repository)?;
    if event.ref_type.as_deref() != Some("branch") {
        return None;
    }
    let branch = event.reference.filter(|branch| !branch.is_empty())?;
    Some(vec![branch_event(&place, kind, branch, None)])
}

fn branch_event(place: &Place, kind: Kind, branch: String, sha: Option<String>) -> Draft {
    let data = Branch { repository: place.name.clone(), branch: branch.clone(), sha };
    place.draft(kind, branch, place.repository.pushed_at.0, Data::Branch(data))
}

/// A commit that exists: zeros stand for none.
fn commit_name(sha: Option<String>) -> Option<String> {
    sha.filter(|sha| sha.bytes().any(|b| b != b'0'))
}
