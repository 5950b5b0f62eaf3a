//! Pull requests.
//!
//! Reading of the mapping table: `opened` is `change.created`; `reopened` and `ready_for_review` are
//! `change.updated`, the latter with `ready_at`, since a change is created once.

use bus::data::Data;
use bus::data::forge::{Change, Review};
use bus::kind::Kind;
use serde::Deserialize;

use super::payload::{At, Named, Repository, User, filled, names, person};
use super::request::{Place, Request};
use crate::sender::Draft;

/// Actions after which a pull request is the same one, changed. Actions that are not listed stay GitHub's own.
const UPDATES: &[&str] = &[
    "assigned",
    "auto_merge_disabled",
    "auto_merge_enabled",
    "converted_to_draft",
    "demilestoned",
    "dequeued",
    "edited",
    "enqueued",
    "labeled",
    "locked",
    "milestoned",
    "ready_for_review",
    "reopened",
    "review_request_removed",
    "synchronize",
    "unassigned",
    "unlabeled",
    "unlocked",
];

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Event {
    action: Option<String>,
    number: Option<u64>,
    pull_request: Option<PullRequest>,
    requested_reviewer: Option<User>,
    requested_team: Option<Team>,
    repository: Option<Repository>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Team {
    slug: Option<String>,
    name: Option<String>,
}

/// A pull request, as it stands in the events about it and about its reviews.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PullRequest {
    pub(super) number: Option<u64>,
    pub(super) html_url: Option<String>,
    pub(super) user: Option<User>,
    pub(super) updated_at: At,
    title: Option<String>,
    body: Option<String>,
    draft: Option<bool>,
    merged: Option<bool>,
    base: Option<End>,
    head: Option<End>,
    merge_commit_sha: Option<String>,
    labels: Option<Vec<Named>>,
    commits: Option<u64>,
    changed_files: Option<u64>,
    additions: Option<u64>,
    deletions: Option<u64>,
    created_at: At,
    merged_at: At,
    closed_at: At,
}

impl PullRequest {
    /// The API's lists leave `merged` out.
    fn is_merged(&self) -> bool {
        self.merged.unwrap_or(self.merged_at.0.is_some())
    }
}

/// One of the two branches of a pull request.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct End {
    #[serde(rename = "ref")]
    branch: Option<String>,
    sha: Option<String>,
}

pub(super) fn pull_request(request: &Request<'_>) -> Option<Vec<Draft>> {
    let mut event: Event = request.parse()?;
    let place = request.place(event.repository.take())?;
    let pull = event.pull_request.take()?;
    let number = event.number.or(pull.number)?;
    let action = event.action.as_deref()?;
    let updated = pull.updated_at.0;
    let (kind, time) = match action {
        "opened" => (Kind::ChangeCreated, pull.created_at.0),
        "closed" if pull.is_merged() => (Kind::ChangeMerged, pull.merged_at.or(pull.closed_at)),
        "closed" => (Kind::ChangeAbandoned, pull.closed_at.0),
        "review_requested" => return Some(vec![review_requested(&place, number, pull, event)]),
        update if UPDATES.contains(&update) => (Kind::ChangeUpdated, updated),
        _ => return None,
    };
    let data = change(&place, number, action, pull);
    Some(vec![place.draft(kind, number.to_string(), time.or(updated), Data::Change(Box::new(data)))])
}

fn change(place: &Place, number: u64, action: &str, pull: PullRequest) -> Change {
    let merged = pull.is_merged();
    let (base, head) = (pull.base.unwrap_or_default(), pull.head.unwrap_or_default());
    let draft = pull.draft.unwrap_or(false);
    let reverts = reverts(place, pull.title.as_deref(), pull.body.as_deref());
    // Whether a pull request that is no draft now was opened as one is told only while it is opened.
    let ready_at = match action {
        "opened" if !draft => pull.created_at.0,
        "ready_for_review" => pull.updated_at.0,
        _ => None,
    };
    Change {
        repository: place.name.clone(),
        number: Some(number),
        title: pull.title,
        url: pull.html_url,
        author: person(pull.user),
        draft,
        base_branch: base.branch,
        head_branch: head.branch,
        default_branch: place.repository.default_branch.clone(),
        head_sha: head.sha,
        // Before the merge this is a trial merge that nobody will ever deploy.
        merge_sha: pull.merge_commit_sha.filter(|_| merged),
        labels: names(pull.labels),
        commits: pull.commits,
        files: pull.changed_files,
        additions: pull.additions,
        deletions: pull.deletions,
        first_commit_at: None,
        opened_at: pull.created_at.0,
        ready_at,
        merged_at: pull.merged_at.0,
        closed_at: pull.closed_at.0,
        pushed_at: pull.updated_at.0.filter(|_| action == "synchronize"),
        reverts,
        direct: false,
        paths: Vec::new(),
    }
}

fn review_requested(place: &Place, number: u64, pull: PullRequest, event: Event) -> Draft {
    let team = event.requested_team.and_then(|team| filled(team.slug).or(team.name));
    let time = pull.updated_at.0;
    let review = Review {
        repository: place.name.clone(),
        number: Some(number),
        url: pull.html_url,
        reviewer: person(event.requested_reviewer),
        team,
        author: person(pull.user),
        verdict: None,
        head_sha: pull.head.and_then(|head| head.sha),
        submitted_at: None,
    };
    place.draft(Kind::ReviewRequested, number.to_string(), time, Data::Review(Box::new(review)))
}

/// What a pull request reverts: GitHub's button writes `Revert "TITLE"` and `Reverts owner/name#12`; git writes
/// `This reverts commit SHA`.
fn reverts(place: &Place, title: Option<&str>, body: Option<&str>) -> Option<String> {
    let body = body?;
    if let Some(sha) = reverted_commit(body) {
        return Some(sha.to_owned());
    }
    if !title?.starts_with("Revert \"") {
        return None;
    }
    let (repository, rest) = body.split_once("Reverts ")?.1.split_once('#')?;
    let here = place.name.split_once('/').map_or("", |(_, full_name)| full_name);
    if !repository.is_empty() && !repository.eq_ignore_ascii_case(here) {
        return None;
    }
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    (!digits.is_empty()).then(|| format!("#{digits}"))
}

/// The commit that a message, or a description, says it reverts.
pub(super) fn reverted_commit(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("This reverts commit ")?;
    let end = rest.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(rest.len());
    rest.get(..end).filter(|sha| (7..=64).contains(&sha.len()))
}
