//! What is said of a kill: a heading, why, and the facts beside it. Pure: everything was asked before.

use super::cause::{Cause, Class, Verdict};
use super::changes::{BLAMED_WITHIN, Changes};
use super::collect::{Collected, Log};
use super::deployed::Deployed;
use super::json::text;
use super::logs;
use super::ownership::Ownership;
use super::subject::Subject;
use crate::lookups::Cost;
use crate::message::{Block, Span};

/// Everything that is known of a kill.
#[derive(Debug, Clone, Copy)]
pub(super) struct Report<'a> {
    /// What died.
    pub(super) subject: &'a Subject,
    /// Why.
    pub(super) verdict: &'a Verdict,
    /// What the cluster told.
    pub(super) collected: &'a Collected,
    /// Whose it is.
    pub(super) whose: &'a Ownership,
    /// What changed before.
    pub(super) changes: &'a Changes,
    /// Other workloads that lost a pod on the same node at about the same time, with how many.
    pub(super) neighbours: &'a [(String, usize)],
    /// What it cost to find out.
    pub(super) cost: Cost,
}

impl Report<'_> {
    /// What died, how, and of what, in one line.
    pub(super) fn heading(&self) -> String {
        let what = self.subject.title();
        let cause = self.verdict.cause;
        let how = if matches!(cause, Cause::Image | Cause::StartError) {
            "does not start"
        } else if cause == Cause::CompletedLoop {
            "keeps ending"
        } else if cause == Cause::OomChildSilent {
            "lost a process"
        } else if self.subject.evicted {
            "evicted"
        } else if self.subject.looping {
            "keeps crashing"
        } else {
            "killed"
        };
        format!("{what} {how}: {}", self.why())
    }

    /// Why, in a sentence. Where a deployment comes right before it, that comes first, unless the node did it.
    pub(super) fn sentence(&self) -> Vec<Span> {
        let soon = |deployed: &&Deployed| self.subject.at - deployed.at <= BLAMED_WITHIN;
        let blamed = self.changes.deployed.as_ref().filter(soon).filter(|_| self.verdict.cause.class() != Class::Node);
        let mut spans: Vec<Span> = Vec::new();
        if let Some(deployed) = blamed {
            spans.push(Span::bold(deployed.blamed(self.subject.at)));
        }
        spans.push(Span::plain(self.verdict.sentence.clone()));
        if self.subject.synthetic {
            spans.push(Span::plain(" It was found later, when the cluster could be read again."));
        }
        spans
    }

    /// What stands below since when: what changed, what to do, the facts, the log, where it was and what it cost.
    pub(super) fn below(&self) -> Vec<Block> {
        let mut blocks = vec![
            Block::Text(vec![Span::bold("What changed")]),
            Block::List(self.changes.items.clone()),
            Block::Text(self.todo()),
            Block::Fields(self.fields()),
        ];
        // What never ran has no log.
        if !self.subject.cannot_start {
            blocks.extend(self.log());
        }
        blocks.push(Block::Context(self.small_print()));
        blocks
    }

    /// Of what, as short as it can be said.
    fn why(&self) -> String {
        let limit = self.memory_limit().map(|limit| format!(" ({limit} limit)")).unwrap_or_default();
        let waits = self.subject.status().and_then(|status| text(status, "/state/waiting/reason"));
        let reason = waits.filter(|_| self.subject.cannot_start).or(self.subject.reason.as_deref());
        let reason = reason.filter(|reason| !["Error", "Unknown", "OOMKilled"].contains(reason));
        let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
        match self.verdict.cause {
            Cause::OomContainerLimit => format!("out of memory{limit}"),
            Cause::OomNode => "the node ran out of memory".to_owned(),
            Cause::OomChildThenExit | Cause::OomChildSilent => format!("a child process ran out of memory{limit}"),
            Cause::EvictedNodePressure => format!("its node ran low{}", self.starved()),
            Cause::EvictedEphemeralLimit => "too much local storage".to_owned(),
            Cause::EvictedApi => "moved off its node".to_owned(),
            Cause::PreemptedScheduler => "made room for a pod of higher priority".to_owned(),
            Cause::PreemptedKubelet => "made room for a critical pod".to_owned(),
            Cause::NodeShutdown => "its node was shut down".to_owned(),
            Cause::NodeLost => "its node was lost".to_owned(),
            Cause::ProbeLiveness => "liveness probe failed".to_owned(),
            Cause::ProbeStartup => "startup probe failed".to_owned(),
            Cause::GraceExceeded => "did not stop in time".to_owned(),
            Cause::Deadline => "ran past its deadline".to_owned(),
            Cause::StartError => format!("its container cannot be started{reason}"),
            Cause::Image => format!("its image cannot be pulled{reason}"),
            Cause::AppSignal => self.exit().unwrap_or_else(|| "a signal".to_owned()),
            Cause::AppExit => self.exit().unwrap_or_else(|| "it exited".to_owned()),
            Cause::CompletedLoop => "exit code 0, again and again".to_owned(),
            Cause::SigkillUnknown => "SIGKILL from an unknown sender".to_owned(),
            Cause::Unknown => format!("cause not known{reason}"),
            Cause::Rollout | Cause::ScaleDown | Cause::UserDelete | Cause::Completed => {
                self.verdict.cause.name().to_owned()
            }
        }
    }

    /// What the node ran low on, by the kubelet's own sentence.
    fn starved(&self) -> String {
        let message = text(&self.subject.object, "/status/message").unwrap_or_default();
        let resource = message.split_once("low on resource: ").and_then(|(_, rest)| rest.split(['.', ' ']).next());
        resource.map(|resource| format!(" on {resource}")).unwrap_or_default()
    }

    fn todo(&self) -> Vec<Span> {
        let mut spans = vec![Span::bold("What to do: "), Span::plain(self.verdict.todo.clone())];
        for hypothesis in self.verdict.hypotheses.iter().take(2) {
            spans.push(Span::plain(format!(" Perhaps: {} ", hypothesis.text)));
            spans.push(Span::code(hypothesis.check.clone()));
        }
        // Where the advice ends with a command already, a second one would only be in its way.
        if !self.verdict.todo.contains("kubectl") {
            spans.push(Span::plain(" See "));
            spans.push(Span::code(self.first_command()));
        }
        spans
    }

    fn first_command(&self) -> String {
        let Subject { namespace, pod, .. } = self.subject;
        match (&self.collected.log, self.subject.container_name()) {
            (Log::Text(_), Some(container)) => {
                let previous = if self.subject.is_newest_run() { "" } else { " --previous" };
                format!("kubectl -n {namespace} logs {pod} -c {container}{previous}")
            }
            (Log::Text(_) | Log::Next(_) | Log::Gone | Log::Unavailable(_), _) => {
                format!("kubectl -n {namespace} describe pod {pod}")
            }
        }
    }

    /// The log, or why there is none.
    fn log(&self) -> Vec<Block> {
        let aside = |text: String| Block::Context(vec![Span::plain(text)]);
        // What the container left in its termination message is the end of its log, or what it wanted to be known.
        let message = self.subject.terminated().and_then(|terminated| text(terminated, "/message")).map(logs::excerpt);
        let message = message.filter(|excerpt| !excerpt.is_empty());
        match (&self.collected.log, message) {
            (Log::Text(log), _) => vec![Block::Code(logs::excerpt(log))],
            (Log::Next(_) | Log::Gone | Log::Unavailable(_), Some(message)) => vec![Block::Code(message)],
            (Log::Next(log), None) => {
                vec![
                    aside("Its log is gone; this is the log of the run after it:".to_owned()),
                    Block::Code(logs::excerpt(log)),
                ]
            }
            (Log::Gone, None) => vec![aside("Log: the cluster has none of this run.".to_owned())],
            (Log::Unavailable(reason), None) => vec![aside(format!("Log: could not be read, {reason}."))],
        }
    }

    fn small_print(&self) -> Vec<Span> {
        let subject = self.subject;
        let Cost { calls, millis } = self.cost;
        let place = [subject.cluster.as_str(), subject.namespace.as_str(), subject.workload.as_str()];
        let place: Vec<_> = place.into_iter().filter(|part| !part.is_empty()).collect();
        let gaps = self.collected.gaps.len() + self.changes.gaps.len();
        let gaps = match gaps {
            0 => String::new(),
            1 => " · 1 answer missing, see the thread".to_owned(),
            _ => format!(" · {gaps} answers missing, see the thread"),
        };
        vec![Span::plain(format!("{} · {calls} API calls, {millis} ms{gaps}", place.join(" / ")))]
    }
}
