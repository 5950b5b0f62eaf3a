//! The mapping as a whole, over every recorded delivery.

mod ci;
mod delivered;
mod forge;
mod laws;
mod samples;

use std::collections::{BTreeMap, BTreeSet};

use bus::delivery::Delivery;
use serde_json::Value;

use super::GITHUB;
use crate::sender::Draft;
use crate::senders::fixtures;

fn body(delivery: &Delivery) -> Value {
    let text = String::from_utf8_lossy(&delivery.content.body);
    serde_json::from_str(text.trim_start_matches('\u{feff}')).unwrap()
}

fn read(delivery: &Delivery) -> Vec<Draft> {
    (GITHUB.normalize)(delivery).unwrap()
}

/// The events of a recorded delivery, with these values in their places.
fn changed(name: &str, changes: &[(&str, Value)]) -> Vec<Draft> {
    let mut delivery = fixtures::load("github", name);
    let mut json = body(&delivery);
    for (pointer, value) in changes {
        let (parent, member) = pointer.rsplit_once('/').unwrap();
        json.pointer_mut(parent).unwrap()[member] = value.clone();
    }
    delivery.content.body = json.to_string().into_bytes();
    read(&delivery)
}

fn print(drafts: &[Draft]) -> String {
    let lines = drafts.iter().map(|draft| {
        let Draft { kind, source, subject, time, key, data, alone: _ } = draft;
        let data = serde_json::to_string_pretty(&data.to_value().unwrap()).unwrap();
        format!("{kind} {subject} at {time:?}\nsource {source}, key {key}\n{data}")
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn show(name: &str) -> String {
    print(&changed(name, &[]))
}

/// The kinds of a delivery's events; those of GitHub's own without the name of the event.
fn kinds(delivery: &Delivery) -> String {
    let event = format!("com.github.{}", delivery.header("x-github-event").unwrap());
    let drafts = (GITHUB.normalize)(delivery).unwrap();
    let kinds = drafts.iter().map(|draft| match draft.kind.name() {
        name if name.starts_with(&event) => "own",
        name => name,
    });
    kinds.collect::<Vec<_>>().join(" + ")
}

/// By event, then by what becomes of it, the actions.
fn map() -> BTreeMap<String, BTreeMap<String, BTreeSet<String>>> {
    let mut map: BTreeMap<_, BTreeMap<_, BTreeSet<_>>> = BTreeMap::new();
    for (_, delivery) in fixtures::all("github") {
        let action = body(&delivery)["action"].as_str().unwrap_or("-").to_owned();
        let event = delivery.header("x-github-event").unwrap().to_owned();
        map.entry(event).or_default().entry(kinds(&delivery)).or_default().insert(action);
    }
    map
}

#[test]
fn the_whole_map() {
    let mut lines = Vec::new();
    for (event, kinds) in map().into_iter().filter(|(_, kinds)| kinds.keys().any(|kind| kind != "own")) {
        for (kind, actions) in kinds {
            lines.push(format!("{event} {} -> {kind}", Vec::from_iter(actions).join(" ")));
        }
    }
    insta::assert_snapshot!(lines.join("\n"), @r"
    check_run completed created requested_action rerequested -> own
    check_run completed -> taskrun.finished
    check_suite completed requested rerequested -> own
    check_suite completed -> pipelinerun.finished
    code_scanning_alert closed_by_user fixed reopened -> own
    code_scanning_alert created -> vulnerability.detected
    create - -> branch.created
    create - -> own
    dependabot_alert created -> vulnerability.detected
    dependabot_alert fixed -> vulnerability.resolved
    deployment_status created -> deployment.started
    deployment_status - created -> service.deployed
    issue_comment created -> change.commented
    issue_comment created deleted edited -> own
    issues deleted locked transferred unlocked -> own
    issues opened -> ticket.created
    issues assigned demilestoned edited labeled milestoned unassigned unlabeled -> ticket.updated
    package published -> artifact.published
    pull_request closed -> change.abandoned
    pull_request opened -> change.created
    pull_request closed -> change.merged
    pull_request assigned converted_to_draft edited labeled locked milestoned ready_for_review reopened review_request_removed synchronize unassigned unlabeled unlocked -> change.updated
    pull_request created -> own
    pull_request review_requested -> review.requested
    pull_request_review submitted -> change.reviewed
    pull_request_review dismissed edited -> own
    pull_request_review_comment created -> change.commented
    pull_request_review_comment  deleted edited -> own
    push - -> branch.deleted
    push - -> commit.pushed
    push - -> commit.pushed + branch.created
    push - -> commit.pushed + change.merged
    push - -> own
    registry_package published -> artifact.published
    release created deleted edited prereleased released unpublished -> own
    release published -> release.published + artifact.published
    repository created -> repository.created
    repository privatized publicized renamed transferred -> repository.modified
    secret_scanning_alert reopened -> vulnerability.detected
    workflow_job My workflow_job queued waiting -> own
    workflow_job completed -> taskrun.finished
    workflow_job in_progress -> taskrun.started
    workflow_run My workflow_run -> own
    workflow_run completed -> pipelinerun.finished
    workflow_run requested -> pipelinerun.queued
    workflow_run in_progress -> pipelinerun.started
    ");
}

#[test]
fn the_events_that_nobody_maps() {
    let own = map().into_iter().filter(|(_, kinds)| kinds.keys().all(|kind| kind == "own"));
    let own: Vec<String> = own.map(|(event, _)| event).collect();
    insta::assert_snapshot!(own.chunks(5).map(|events| events.join(" ")).collect::<Vec<_>>().join("\n"), @r"
    branch_protection_configuration branch_protection_rule commit_comment custom_property custom_property_promoted_to_enterprise
    custom_property_values delete deploy_key deployment deployment_review
    discussion discussion_comment fork github_app_authorization gollum
    installation installation_repositories integration_installation issue_dependencies label
    marketplace_purchase member membership merge_group meta
    milestone org_block organization page_build personal_access_token_request
    ping project project_card project_column projects_v2
    projects_v2_item projects_v2_status_update public pull_request_review_thread repository_advisory
    repository_dispatch repository_import repository_ruleset repository_vulnerability_alert secret_scanning_scan
    security_advisory security_and_analysis sponsorship star status
    team team_add watch workflow_dispatch
    ");
}
