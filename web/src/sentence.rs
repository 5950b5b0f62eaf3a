//! One sentence for an event, as somebody would say it. No sentence names a person.

use bus::data::runtime::Deployment;
use bus::data::work::Message;
use bus::data::{Data, Outcome, Verdict};
use bus::event::Event;
use bus::kind::Kind;
use chrono::{DateTime, Utc};

use crate::format;

/// What happened, in one sentence without a full stop.
pub(crate) fn of(event: &Event) -> String {
    match &event.data {
        Data::Change(change) => {
            let what = name(&change.repository, change.number, change.merge_sha.as_deref());
            let did = match event.kind.name() {
                "change.created" => "was opened",
                "change.merged" if change.direct => "was pushed to the default branch",
                "change.merged" => "was merged",
                "change.abandoned" => "was closed without being merged",
                _ => "was updated",
            };
            let size = change.additions.zip(change.deletions).map(|(plus, minus)| format!(" (+{plus} −{minus} lines)"));
            format!("Change {what} {did}{}", size.unwrap_or_default())
        }
        Data::Review(review) => {
            let what = name(&review.repository, review.number, None);
            match (&event.kind, review.verdict) {
                (Kind::ReviewRequested, _) => format!("A review of change {what} was requested"),
                (_, Some(Verdict::Approved)) => format!("Change {what} was approved"),
                (_, Some(Verdict::ChangesRequested)) => format!("Changes to {what} were requested"),
                (_, Some(Verdict::Commented) | None) => format!("Change {what} was reviewed"),
                (_, Some(Verdict::Dismissed)) => format!("A review of change {what} was dismissed"),
            }
        }
        Data::Comment(comment) => {
            format!("Change {} was commented on", name(&comment.repository, comment.number, None))
        }
        Data::Push(push) => {
            let commits = counted(push.commits.len(), "commit");
            match &push.branch {
                Some(branch) => format!("{commits} reached {branch} of {}", push.repository),
                None => format!("{commits} became known in {}", push.repository),
            }
        }
        Data::Branch(branch) => format!("Branch {} of {} was {}", branch.branch, branch.repository, past(&event.kind)),
        Data::Repository(repository) => format!("Repository {} was {}", repository.repository, past(&event.kind)),
        Data::Release(release) => format!("{} {} was released", release.repository, release.tag),
        Data::PipelineRun(run) => ran("Pipeline", run.pipeline.as_deref(), run.repository.as_deref(), &event.kind)
            .ended(run.outcome, run.started_at, run.finished_at),
        Data::TaskRun(task) => ran("Task", task.task.as_deref(), task.repository.as_deref(), &event.kind).ended(
            task.outcome,
            task.started_at,
            task.finished_at,
        ),
        Data::Deployment(_)
        | Data::Environment(_)
        | Data::Incident(_)
        | Data::Vulnerability(_)
        | Data::Pod(_)
        | Data::Node(_) => in_operation(event).unwrap_or_else(|| event.subject.clone()),
        Data::Artifact(artifact) => format!("Artifact {} was {}", artifact.id, past(&event.kind)),
        Data::Build(build) => format!("Build {} was {}", build.id, past(&event.kind)),
        Data::Test(test) => {
            ran("Test", test.name.as_deref().or(Some(&test.id)), None, &event.kind).ended(test.outcome, None, None)
        }
        Data::Coverage(coverage) => {
            let share = coverage.ratio.map_or_else(|| "unknown".to_owned(), |ratio| format!("{:.1} %", ratio * 100.0));
            format!("Coverage of {} is {share}", place(coverage.repository.as_deref(), coverage.service.as_deref()))
        }
        Data::Analysis(analysis) => {
            let findings: u64 = analysis.findings.values().sum();
            format!("{findings} findings in {}", place(analysis.repository.as_deref(), analysis.service.as_deref()))
        }
        Data::Ticket(ticket) => format!("Ticket {} was {}", ticket.id, past(&event.kind)),
        Data::Message(message) => said(&event.kind, message),
        Data::Action(action) => {
            let bot = action.bot.as_deref().unwrap_or("a bot");
            format!("{bot} performed {}", action.action.as_deref().unwrap_or("an action"))
        }
        Data::AsReceived | Data::Other(_) => format!("{} of {}", event.kind, event.subject),
    }
}

fn said(kind: &Kind, message: &Message) -> String {
    let channel = message.channel.as_deref().unwrap_or("chat");
    match kind.name() {
        "command.invoked" => format!("{} was given in {channel}", message.command.as_deref().unwrap_or("A command")),
        "message.answered" => format!("A message in {channel} was answered"),
        _ => format!("A message was posted in {channel}"),
    }
}

/// What happens where services run; none for anything else.
fn in_operation(event: &Event) -> Option<String> {
    let did = past(&event.kind);
    if let Data::Deployment(deployment) = &event.data {
        return Some(deployed(&event.kind, deployment));
    }
    if let Data::Environment(environment) = &event.data {
        return Some(format!("Environment {} was {did}", environment.name.as_deref().unwrap_or(&environment.id)));
    }
    if let Data::Incident(incident) = &event.data {
        let what = place(incident.service.as_deref(), incident.environment.as_deref());
        return Some(format!("Incident {} of {what} was {did}", incident.id));
    }
    if let Data::Vulnerability(found) = &event.data {
        let severity = found.severity.as_deref().map(|severity| format!(" ({severity})")).unwrap_or_default();
        return Some(format!("Vulnerability {}{severity} was {did}", found.id));
    }
    if let Data::Pod(pod) = &event.data {
        let reason = pod.reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        return Some(format!("Pod {} was {did}{reason}", pod.pod.as_deref().unwrap_or(&pod.id)));
    }
    let Data::Node(node) = &event.data else { return None };
    Some(format!("Node {} is under pressure", node.node.as_deref().unwrap_or(&node.id)))
}

fn deployed(kind: &Kind, deployment: &Deployment) -> String {
    let what = place(deployment.service.as_deref(), deployment.repository.as_deref());
    let version = deployment.version.clone().or_else(|| deployment.sha.as_deref().map(short)).unwrap_or_default();
    let whereto = deployment.environment.as_deref().map(|name| format!(" to {name}")).unwrap_or_default();
    let did = match kind.name() {
        "deployment.started" => "started",
        "deployment.failed" => "failed",
        "service.rolledback" => "succeeded as a rollback",
        "service.removed" => return format!("{what} was removed"),
        "service.published" => return format!("{what} was published"),
        _ => "succeeded",
    };
    let what = format!("{what} {version}");
    format!("Deployment of {}{whereto} {did}{}", what.trim_end(), took(deployment.started_at, deployment.finished_at))
}

/// The beginning of a sentence about something that runs.
struct Ran {
    what: String,
    predicate: String,
}

fn ran(word: &str, name: Option<&str>, repository: Option<&str>, kind: &Kind) -> Ran {
    let name = name.map(|name| format!(" {name}")).unwrap_or_default();
    let place = repository.map(|repository| format!(" of {repository}")).unwrap_or_default();
    Ran { what: format!("{word}{name}{place}"), predicate: past(kind).to_owned() }
}

impl Ran {
    fn ended(self, outcome: Option<Outcome>, from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>) -> String {
        let Self { what, predicate } = self;
        match outcome {
            Some(Outcome::Success) => format!("{what} succeeded{}", took(from, to)),
            Some(Outcome::Failure) => format!("{what} failed{}", took(from, to)),
            Some(Outcome::Cancelled) => format!("{what} was cancelled{}", took(from, to)),
            Some(Outcome::Error) => format!("{what} could not run"),
            None => format!("{what} {predicate}"),
        }
    }
}

fn took(from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>) -> String {
    let seconds = from.zip(to).map(|(from, to)| (to - from).num_seconds()).filter(|seconds| *seconds >= 0);
    seconds
        .map(|seconds| format!(" in {}", format::duration(f64::from(i32::try_from(seconds).unwrap_or(i32::MAX)))))
        .unwrap_or_default()
}

/// The predicate of a kind: `merged`.
fn past(kind: &Kind) -> &str {
    match kind.name().rsplit('.').next().unwrap_or_default() {
        "rolledback" => "rolled back",
        "crashlooping" => "crash-looping",
        other => other,
    }
}

fn name(repository: &str, number: Option<u64>, sha: Option<&str>) -> String {
    match (number, sha) {
        (Some(number), _) => format!("{repository}#{number}"),
        (None, Some(sha)) => format!("{repository}@{}", short(sha)),
        (None, None) => repository.to_owned(),
    }
}

/// A commit as people write it.
pub(crate) fn short(sha: &str) -> String {
    sha.chars().take(8).collect()
}

fn place(first: Option<&str>, second: Option<&str>) -> String {
    first.or(second).unwrap_or("something").to_owned()
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
