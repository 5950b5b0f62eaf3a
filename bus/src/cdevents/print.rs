//! What an event says in `subject.content`, in the words of CDEvents 0.5.1.

use serde_json::{Map, Value, json};

use crate::cloudevents::{is_uri, is_uri_reference};
use crate::data::ci::{Artifact, PipelineRun, TaskRun, Test};
use crate::data::forge::Repository;
use crate::data::runtime::{Deployment, Incident};
use crate::data::work::Ticket;
use crate::data::{Data, Outcome};
use crate::kind::Kind;

/// What the schemas of CDEvents 0.5.1 let stand in `subject.content`, as far as we ever know it: kind, required
/// members, optional members. A test compares it with the schemas.
#[rustfmt::skip]
pub(super) const MEMBERS: &[(&str, &[&str], &[&str])] = &[
    ("artifact.deleted", &[], &[]),
    ("artifact.downloaded", &[], &[]),
    ("artifact.packaged", &["change"], &[]),
    ("artifact.published", &[], &[]),
    ("artifact.signed", &["signature"], &[]),
    ("branch.created", &[], &["repository"]),
    ("branch.deleted", &[], &["repository"]),
    ("build.finished", &[], &["artifactId"]),
    ("build.queued", &[], &[]),
    ("build.started", &[], &[]),
    ("change.abandoned", &[], &["repository"]),
    ("change.created", &[], &["description", "repository"]),
    ("change.merged", &[], &["repository"]),
    ("change.reviewed", &[], &["repository"]),
    ("change.updated", &[], &["repository"]),
    ("environment.created", &[], &["name", "uri"]),
    ("environment.deleted", &[], &["name"]),
    ("environment.modified", &[], &["name", "uri"]),
    ("incident.detected", &["environment"], &["description", "service", "artifactId"]),
    ("incident.reported", &["environment", "ticketURI"], &["description", "service", "artifactId"]),
    ("incident.resolved", &["environment"], &["description", "service", "artifactId"]),
    ("pipelinerun.finished", &[], &["pipelineName", "uri", "outcome"]),
    ("pipelinerun.queued", &[], &["pipelineName", "uri"]),
    ("pipelinerun.started", &["pipelineName", "uri"], &[]),
    ("repository.created", &["name", "uri"], &["owner", "viewUrl"]),
    ("repository.deleted", &[], &["name", "owner", "uri", "viewUrl"]),
    ("repository.modified", &[], &["name", "owner", "uri", "viewUrl"]),
    ("service.deployed", &["environment", "artifactId"], &[]),
    ("service.published", &[], &["environment"]),
    ("service.removed", &[], &["environment"]),
    ("service.rolledback", &["environment", "artifactId"], &[]),
    ("service.upgraded", &["environment", "artifactId"], &[]),
    ("taskrun.finished", &[], &["taskName", "uri", "pipelineRun", "outcome"]),
    ("taskrun.started", &[], &["taskName", "uri", "pipelineRun"]),
    ("testcaserun.finished", &["outcome", "environment"], &["severity", "reason", "testSuiteRun"]),
    ("testcaserun.queued", &["environment"], &["testSuiteRun"]),
    ("testcaserun.skipped", &[], &["reason", "environment", "testSuiteRun"]),
    ("testcaserun.started", &["environment"], &["testSuiteRun"]),
    ("testoutput.published", &["outputType", "format"], &["uri"]),
    ("testsuiterun.finished", &["outcome", "environment"], &["severity", "reason"]),
    ("testsuiterun.queued", &["environment"], &[]),
    ("testsuiterun.started", &["environment"], &[]),
    ("ticket.closed", &["uri", "resolution"], &["summary", "ticketType", "creator", "assignees", "priority", "labels", "milestone", "updatedBy"]),
    ("ticket.created", &["summary", "creator", "uri"], &["ticketType", "assignees", "priority", "labels", "milestone"]),
    ("ticket.updated", &["uri"], &["summary", "ticketType", "creator", "assignees", "priority", "labels", "milestone", "updatedBy"]),
];

/// The content, and whether it holds all that the schema of the kind requires. A kind that CDEvents does not have says
/// all there is to say.
pub(super) fn content(kind: &Kind, data: &Data) -> (Map<String, Value>, bool) {
    let mut known = Known::default();
    say(&mut known, data);
    let mut content = known.0;
    let Some((_, required, optional)) = MEMBERS.iter().find(|(name, ..)| *name == kind.name()) else {
        return (content, false);
    };
    content.retain(|name, _| required.contains(&name.as_str()) || optional.contains(&name.as_str()));
    let complete = required.iter().all(|name| content.contains_key(*name));
    (content, complete)
}

/// What is known in the words of CDEvents. An empty text is not knowledge.
#[derive(Default)]
struct Known(Map<String, Value>);

impl Known {
    fn text(&mut self, name: &str, value: Option<&str>) {
        if let Some(text) = value.filter(|text| !text.is_empty()) {
            self.0.insert(name.to_owned(), text.into());
        }
    }

    fn uri(&mut self, name: &str, value: Option<&str>) {
        self.text(name, value.filter(|text| is_uri(text)));
    }

    /// A reference to a thing by its id.
    fn thing(&mut self, name: &str, id: Option<&str>) {
        if let Some(id) = id.filter(|id| !id.is_empty()) {
            self.0.insert(name.to_owned(), json!({"id": id}));
        }
    }

    fn texts<'a>(&mut self, name: &str, values: impl Iterator<Item = &'a str>) {
        let values: Vec<Value> = values.map(Value::from).collect();
        if !values.is_empty() {
            self.0.insert(name.to_owned(), values.into());
        }
    }

    fn one_of(&mut self, name: &str, value: Option<&str>, words: &[&str]) {
        self.text(name, value.filter(|text| words.contains(text)));
    }

    fn outcome(&mut self, value: Option<Outcome>) {
        let word = value.map(|outcome| match outcome {
            Outcome::Success => "success",
            Outcome::Failure => "failure",
            Outcome::Cancelled => "cancel",
            Outcome::Error => "error",
        });
        self.text("outcome", word);
    }
}

fn say(known: &mut Known, data: &Data) {
    match data {
        Data::Artifact(data) => artifact(known, data),
        Data::Build(data) => known.text("artifactId", data.artifact.as_deref()),
        Data::Change(data) => {
            known.text("description", data.title.as_deref());
            known.thing("repository", Some(&data.repository));
        }
        Data::Deployment(data) => deployment(known, data),
        Data::Environment(data) => {
            known.text("name", data.name.as_deref());
            known.uri("uri", data.url.as_deref());
        }
        Data::Incident(data) => incident(known, data),
        Data::PipelineRun(data) => pipeline_run(known, data),
        Data::Pod(data) => {
            known.thing("environment", data.environment.as_deref());
            known.thing("service", data.service.as_deref());
        }
        Data::Repository(data) => repository(known, data),
        Data::TaskRun(data) => task_run(known, data),
        Data::Test(data) => test(known, data),
        Data::Ticket(data) => ticket(known, data),
        Data::Action(_)
        | Data::Analysis(_)
        | Data::Branch(_)
        | Data::Comment(_)
        | Data::Coverage(_)
        | Data::Push(_)
        | Data::Release(_)
        | Data::Review(_)
        | Data::Vulnerability(_) => known.thing("repository", data.repository()),
        Data::Message(_) | Data::Node(_) | Data::AsReceived | Data::Other(_) => {}
    }
}

fn artifact(known: &mut Known, data: &Artifact) {
    known.thing("change", data.change.as_deref());
    known.text("signature", data.signature.as_deref());
}

fn deployment(known: &mut Known, data: &Deployment) {
    known.thing("environment", data.environment.as_deref());
    known.text("artifactId", data.artifact.as_deref());
}

fn incident(known: &mut Known, data: &Incident) {
    known.text("description", data.description.as_deref());
    known.thing("environment", data.environment.as_deref());
    known.thing("service", data.service.as_deref());
    known.text("artifactId", data.artifact.as_deref());
    known.uri("ticketURI", data.url.as_deref());
}

fn pipeline_run(known: &mut Known, data: &PipelineRun) {
    known.text("pipelineName", data.pipeline.as_deref());
    known.uri("uri", data.url.as_deref());
    known.outcome(data.outcome);
}

fn repository(known: &mut Known, data: &Repository) {
    known.text("name", data.name.as_deref());
    known.text("owner", data.owner.as_deref());
    known.uri("uri", data.url.as_deref());
    known.uri("viewUrl", data.view_url.as_deref());
}

fn task_run(known: &mut Known, data: &TaskRun) {
    known.text("taskName", data.task.as_deref());
    known.uri("uri", data.url.as_deref());
    known.thing("pipelineRun", data.run.as_deref());
    known.outcome(data.outcome);
}

fn test(known: &mut Known, data: &Test) {
    known.outcome(data.outcome);
    known.one_of("severity", data.severity.as_deref(), &["low", "medium", "high", "critical"]);
    known.text("reason", data.reason.as_deref());
    known.thing("environment", data.environment.as_deref());
    known.thing("testSuiteRun", data.suite_run.as_deref());
    known.one_of("outputType", data.output_type.as_deref(), &["report", "video", "image", "log", "other"]);
    known.text("format", data.format.as_deref());
    known.uri("uri", data.url.as_deref());
}

fn ticket(known: &mut Known, data: &Ticket) {
    known.text("summary", data.summary.as_deref());
    known.text("ticketType", data.ticket_type.as_deref());
    known.text("creator", data.creator.as_ref().map(|person| person.handle.as_str()));
    known.texts("assignees", data.assignees.iter().map(|person| person.handle.as_str()));
    known.text("priority", data.priority.as_deref());
    known.texts("labels", data.labels.iter().map(String::as_str));
    known.text("milestone", data.milestone.as_deref());
    known.text("uri", data.url.as_deref().filter(|url| is_uri_reference(url)));
    known.text("resolution", data.resolution.as_deref());
    known.text("updatedBy", data.updated_by.as_ref().map(|person| person.handle.as_str()));
}
