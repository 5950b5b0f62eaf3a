//! What the standard members of a `CDEvent` say, in our words: one function per family.

use super::{Parts, text, unique, without_scheme};
use crate::data::ci::{Analysis, Artifact, Build, Coverage, PipelineRun, TaskRun, Test};
use crate::data::forge::{Branch, Change, Comment, Person, Push, Release, Repository, Review};
use crate::data::runtime::{Deployment, Environment, Incident, Node, Pod, Vulnerability};
use crate::data::work::{Action, Ticket};
use crate::data::{Manner, Outcome};
use crate::kind::Kind;

pub(super) fn action(parts: &Parts<'_>) -> Action {
    Action { id: parts.unique_subject(), repository: repository_of(parts), ..Action::default() }
}

pub(super) fn analysis(parts: &Parts<'_>) -> Analysis {
    Analysis { repository: repository_of(parts), measured_at: parts.time, ..Analysis::default() }
}

pub(super) fn artifact(parts: &Parts<'_>) -> Artifact {
    Artifact {
        // A package URL is unique as it is.
        id: parts.subject.to_owned(),
        change: parts.thing("change"),
        signature: parts.text("signature"),
        ..Artifact::default()
    }
}

pub(super) fn branch(parts: &Parts<'_>) -> Branch {
    Branch {
        repository: repository_of(parts).unwrap_or_default(),
        branch: parts.subject.to_owned(),
        ..Branch::default()
    }
}

pub(super) fn build(parts: &Parts<'_>) -> Build {
    Build { id: parts.unique_subject(), artifact: parts.text("artifactId"), ..Build::default() }
}

pub(super) fn change(parts: &Parts<'_>) -> Change {
    let merged_at = parts.time_if(&Kind::ChangeMerged);
    Change {
        repository: repository_of(parts).unwrap_or_default(),
        number: number(parts.subject),
        title: parts.text("description"),
        opened_at: parts.time_if(&Kind::ChangeCreated),
        merged_at,
        closed_at: merged_at.or(parts.time_if(&Kind::ChangeAbandoned)),
        ..Change::default()
    }
}

pub(super) fn comment(parts: &Parts<'_>) -> Comment {
    Comment {
        repository: repository_of(parts).unwrap_or_default(),
        number: number(parts.subject),
        created_at: parts.time,
        ..Comment::default()
    }
}

pub(super) fn coverage(parts: &Parts<'_>) -> Coverage {
    Coverage { repository: repository_of(parts), measured_at: parts.time, ..Coverage::default() }
}

/// A service that was deployed, upgraded or rolled back is a deployment that ended well just then.
pub(super) fn deployment(parts: &Parts<'_>) -> Deployment {
    let done = matches!(parts.kind, Kind::ServiceDeployed | Kind::ServiceUpgraded | Kind::ServiceRolledBack);
    let failed = *parts.kind == Kind::DeploymentFailed;
    Deployment {
        // The subject is the service: the attempt has no id but the event's.
        id: unique(parts.source, parts.id),
        service: Some(parts.subject.to_owned()).filter(|service| !service.is_empty()),
        environment: parts.thing("environment"),
        artifact: parts.text("artifactId"),
        started_at: parts.time_if(&Kind::DeploymentStarted),
        finished_at: parts.time.filter(|_| done || failed),
        outcome: done.then_some(Outcome::Success).or(failed.then_some(Outcome::Failure)),
        manner: (*parts.kind == Kind::ServiceRolledBack).then_some(Manner::Rollback),
        ..Deployment::default()
    }
}

pub(super) fn environment(parts: &Parts<'_>) -> Environment {
    Environment { id: parts.unique_subject(), name: parts.text("name"), url: parts.link() }
}

pub(super) fn incident(parts: &Parts<'_>) -> Incident {
    Incident {
        id: parts.unique_subject(),
        service: parts.thing("service"),
        environment: parts.thing("environment"),
        description: parts.text("description"),
        url: parts.text("ticketURI"),
        artifact: parts.text("artifactId"),
        detected_at: parts.time_if(&Kind::IncidentDetected),
        acknowledged_at: parts.time_if(&Kind::IncidentAcknowledged),
        resolved_at: parts.time_if(&Kind::IncidentResolved),
        ..Incident::default()
    }
}

pub(super) fn node(parts: &Parts<'_>) -> Node {
    Node { id: parts.unique_subject(), ..Node::default() }
}

pub(super) fn pipeline_run(parts: &Parts<'_>) -> PipelineRun {
    PipelineRun {
        id: parts.unique_subject(),
        pipeline: parts.text("pipelineName"),
        url: parts.link(),
        attempt: 1,
        queued_at: parts.time_if(&Kind::PipelineRunQueued),
        started_at: parts.time_if(&Kind::PipelineRunStarted),
        finished_at: parts.time_if(&Kind::PipelineRunFinished),
        outcome: outcome(parts),
        ..PipelineRun::default()
    }
}

pub(super) fn pod(parts: &Parts<'_>) -> Pod {
    Pod {
        id: parts.unique_subject(),
        service: parts.thing("service"),
        environment: parts.thing("environment"),
        killed_at: parts.time_if(&Kind::PodKilled),
        ..Pod::default()
    }
}

pub(super) fn push(parts: &Parts<'_>) -> Push {
    Push { repository: repository_of(parts).unwrap_or_default(), ..Push::default() }
}

pub(super) fn release(parts: &Parts<'_>) -> Release {
    Release {
        repository: repository_of(parts).unwrap_or_default(),
        tag: parts.subject.to_owned(),
        released_at: parts.time,
        ..Release::default()
    }
}

pub(super) fn repository(parts: &Parts<'_>) -> Repository {
    let (url, view_url) = (parts.link(), parts.text("viewUrl"));
    let (name, owner) = (parts.text("name"), parts.text("owner"));
    let named = || Some(format!("{}/{}", owner.as_ref()?, name.as_ref()?));
    let place = url.as_deref().or(view_url.as_deref()).map(repository_at);
    Repository {
        repository: place.or_else(named).unwrap_or_else(|| parts.unique_subject()),
        name,
        owner,
        url,
        view_url,
        ..Repository::default()
    }
}

pub(super) fn review(parts: &Parts<'_>) -> Review {
    let given = matches!(parts.kind, Kind::ChangeReviewed | Kind::ReviewSubmitted);
    Review {
        repository: repository_of(parts).unwrap_or_default(),
        number: number(parts.subject),
        submitted_at: parts.time.filter(|_| given),
        ..Review::default()
    }
}

pub(super) fn task_run(parts: &Parts<'_>) -> TaskRun {
    TaskRun {
        id: parts.unique_subject(),
        run: parts.unique_thing("pipelineRun"),
        task: parts.text("taskName"),
        url: parts.link(),
        attempt: 1,
        started_at: parts.time_if(&Kind::TaskRunStarted),
        finished_at: parts.time_if(&Kind::TaskRunFinished),
        outcome: outcome(parts),
        ..TaskRun::default()
    }
}

pub(super) fn test(parts: &Parts<'_>) -> Test {
    let tested = parts.object("testCase").or_else(|| parts.object("testSuite"));
    Test {
        id: parts.unique_subject(),
        name: text(tested, "name").or_else(|| text(tested, "id")).map(str::to_owned),
        suite_run: parts.unique_thing("testSuiteRun"),
        environment: parts.thing("environment"),
        outcome: outcome(parts),
        severity: parts.text("severity"),
        reason: parts.text("reason"),
        url: parts.link(),
        output_type: parts.text("outputType"),
        format: parts.text("format"),
    }
}

pub(super) fn ticket(parts: &Parts<'_>) -> Ticket {
    let person = |handle: String| Person { handle, bot: false };
    Ticket {
        id: parts.unique_subject(),
        summary: parts.text("summary"),
        url: parts.link(),
        creator: parts.text("creator").map(person),
        assignees: parts.texts("assignees").map(person).collect(),
        labels: parts.texts("labels").collect(),
        milestone: parts.text("milestone"),
        ticket_type: parts.text("ticketType"),
        priority: parts.text("priority"),
        updated_by: parts.text("updatedBy").map(person),
        resolution: parts.text("resolution"),
        ..Ticket::default()
    }
}

pub(super) fn vulnerability(parts: &Parts<'_>) -> Vulnerability {
    Vulnerability {
        id: parts.unique_subject(),
        repository: repository_of(parts),
        detected_at: parts.time_if(&Kind::VulnerabilityDetected),
        resolved_at: parts.time_if(&Kind::VulnerabilityResolved),
        ..Vulnerability::default()
    }
}

/// Until 0.4 tests passed and failed; until 0.5 a pipeline ended in any word.
fn outcome(parts: &Parts<'_>) -> Option<Outcome> {
    match parts.text("outcome")?.to_ascii_lowercase().as_str() {
        "success" | "succeeded" | "pass" | "passed" => Some(Outcome::Success),
        "failure" | "failed" | "fail" => Some(Outcome::Failure),
        "cancel" | "canceled" | "cancelled" | "aborted" => Some(Outcome::Cancelled),
        "error" => Some(Outcome::Error),
        _ => None,
    }
}

/// The number that an id ends in: `12`, `acme/shop#12`, `https://forge.example/acme/shop/pull/12`.
fn number(id: &str) -> Option<u64> {
    id.rsplit(['/', '#', '!']).next()?.parse().ok()
}

/// `host/owner/name` of the repository that the content refers to, as far as it says.
fn repository_of(parts: &Parts<'_>) -> Option<String> {
    let repository = parts.object("repository");
    let id = text(repository, "id")?;
    let host = text(repository, "source").filter(|source| source.contains("://")).map(without_scheme);
    match host.map(|host| host.trim_end_matches('/')) {
        Some(host) if !without_scheme(id).starts_with(host) => Some(format!("{host}/{}", repository_at(id))),
        Some(_) | None => Some(repository_at(id)),
    }
}

/// `host/owner/name` out of the address of a repository.
fn repository_at(address: &str) -> String {
    without_scheme(address).trim_end_matches('/').trim_end_matches(".git").to_owned()
}
