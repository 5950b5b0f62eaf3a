//! Reviews of pull requests, and comments on them.

use bus::data::forge::{Comment, Review};
use bus::data::{Data, Verdict};
use bus::kind::Kind;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::changes::PullRequest;
use super::payload::{At, Repository, User, person};
use super::request::Request;
use crate::sender::Draft;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Event {
    action: Option<String>,
    review: Option<GivenReview>,
    comment: Option<GivenComment>,
    pull_request: Option<PullRequest>,
    issue: Option<Issue>,
    repository: Option<Repository>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GivenReview {
    html_url: Option<String>,
    user: Option<User>,
    state: Option<String>,
    commit_id: Option<String>,
    submitted_at: At,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GivenComment {
    html_url: Option<String>,
    user: Option<User>,
    body: Option<String>,
    path: Option<String>,
    created_at: At,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Issue {
    number: Option<u64>,
    user: Option<User>,
    /// Present on the issue that stands for a pull request.
    pull_request: Option<IgnoredAny>,
}

/// A review was given; dismissed and edited ones stay GitHub's own, since the review was counted when it was given.
pub(super) fn pull_request_review(request: &Request<'_>) -> Option<Vec<Draft>> {
    let event: Event = request.parse()?;
    let place = request.place(event.repository)?;
    let (review, pull) = (event.review?, event.pull_request?);
    let number = pull.number?;
    if event.action.as_deref() != Some("submitted") {
        return None;
    }
    let data = Review {
        repository: place.name.clone(),
        number: Some(number),
        url: review.html_url,
        reviewer: person(review.user),
        team: None,
        author: person(pull.user),
        verdict: review.state.as_deref().and_then(verdict),
        head_sha: review.commit_id,
        submitted_at: review.submitted_at.0,
    };
    let time = review.submitted_at.or(pull.updated_at);
    Some(vec![place.draft(Kind::ChangeReviewed, number.to_string(), time, Data::Review(Box::new(data)))])
}

/// Webhooks write a state in lower case, the API in upper case.
fn verdict(state: &str) -> Option<Verdict> {
    match state.to_ascii_lowercase().as_str() {
        "approved" => Some(Verdict::Approved),
        "changes_requested" => Some(Verdict::ChangesRequested),
        "commented" => Some(Verdict::Commented),
        "dismissed" => Some(Verdict::Dismissed),
        _ => None,
    }
}

/// A comment on the code of a pull request.
pub(super) fn pull_request_review_comment(request: &Request<'_>) -> Option<Vec<Draft>> {
    let event: Event = request.parse()?;
    let pull = event.pull_request?;
    let (number, author) = (pull.number?, pull.user);
    commented(request, event.action.as_deref(), event.repository, event.comment?, (number, author))
}

/// A comment below a pull request; one below an issue stays GitHub's own.
pub(super) fn issue_comment(request: &Request<'_>) -> Option<Vec<Draft>> {
    let event: Event = request.parse()?;
    let issue = event.issue?;
    issue.pull_request.as_ref()?;
    let (number, author) = (issue.number?, issue.user);
    commented(request, event.action.as_deref(), event.repository, event.comment?, (number, author))
}

/// A comment on the change of that number and author.
fn commented(
    request: &Request<'_>,
    action: Option<&str>,
    repository: Option<Repository>,
    comment: GivenComment,
    (number, author): (u64, Option<User>),
) -> Option<Vec<Draft>> {
    let place = request.place(repository)?;
    if action != Some("created") {
        return None;
    }
    let time = comment.created_at.0;
    let data = Comment {
        repository: place.name.clone(),
        number: Some(number),
        url: comment.html_url,
        author: person(comment.user),
        change_author: person(author),
        origin: comment.body.as_deref().and_then(bus::mark::Mark::find),
        text: comment.body,
        path: comment.path,
        created_at: time,
    };
    Some(vec![place.draft(Kind::ChangeCommented, number.to_string(), time, Data::Comment(Box::new(data)))])
}
