//! Issues.

use bus::data::Data;
use bus::data::work::Ticket;
use bus::kind::Kind;
use serde::Deserialize;

use super::payload::{At, Named, Repository, User, filled, names, person};
use super::request::Request;
use crate::sender::Draft;

/// Actions after which an issue is the same one, changed. Actions that are not listed, such as `transferred` and
/// `deleted`, stay GitHub's own.
const UPDATES: &[&str] = &[
    "assigned",
    "demilestoned",
    "edited",
    "labeled",
    "milestoned",
    "reopened",
    "typed",
    "unassigned",
    "unlabeled",
    "untyped",
];

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Event {
    action: Option<String>,
    issue: Option<Issue>,
    repository: Option<Repository>,
    sender: Option<User>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Issue {
    number: Option<u64>,
    title: Option<String>,
    html_url: Option<String>,
    user: Option<User>,
    assignees: Option<Vec<User>>,
    labels: Option<Vec<Named>>,
    milestone: Option<Milestone>,
    #[serde(rename = "type")]
    kind: Option<Named>,
    state_reason: Option<String>,
    created_at: At,
    updated_at: At,
    closed_at: At,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Milestone {
    title: Option<String>,
}

pub(super) fn issues(request: &Request<'_>) -> Option<Vec<Draft>> {
    let event: Event = request.parse()?;
    let place = request.place(event.repository)?;
    let issue = event.issue?;
    let number = issue.number?;
    let (kind, time) = match event.action.as_deref()? {
        "opened" => (Kind::TicketCreated, issue.created_at.or(issue.updated_at)),
        "closed" => (Kind::TicketClosed, issue.closed_at.or(issue.updated_at)),
        action if UPDATES.contains(&action) => (Kind::TicketUpdated, issue.updated_at.0),
        _ => return None,
    };
    let data = Ticket {
        id: format!("{}#{number}", place.name),
        repository: Some(place.name.clone()),
        summary: issue.title,
        url: issue.html_url,
        creator: person(issue.user),
        assignees: issue.assignees.into_iter().flatten().filter_map(User::person).collect(),
        labels: names(issue.labels),
        milestone: issue.milestone.and_then(|milestone| milestone.title),
        ticket_type: issue.kind.and_then(|kind| kind.name),
        priority: None,
        updated_by: person(event.sender),
        action: event.action,
        resolution: filled(issue.state_reason).filter(|_| kind == Kind::TicketClosed),
    };
    Some(vec![place.draft(kind, number.to_string(), time, Data::Ticket(Box::new(data)))])
}
