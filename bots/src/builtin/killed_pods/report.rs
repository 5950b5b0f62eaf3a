//! What is said of a kill: a heading, why, and the facts beside it. Pure: everything was asked before.

use serde_json::Value;

use super::cause::{Cause, Class, Verdict};
use super::changes::{BLAMED_WITHIN, Changes};
use super::collect::{Collected, Log};
use super::deployed::Deployed;
use super::json::{items, number, text, time};
use super::logs;
use super::ownership::Ownership;
use super::quantity::{bytes, parse, percent};
use super::subject::Subject;
use super::words::{moment_after, span};
use crate::lookups::Cost;
use crate::message::{Block, Field, Span};

/// Labels of the facts that change with every kill of an incident.
pub(super) const RESTARTS: &str = "Restarts";
/// See [`RESTARTS`].
pub(super) const NOW: &str = "Now";
/// See [`RESTARTS`].
pub(super) const REPLICAS: &str = "Replicas";

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
        let reason = self.subject.reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default();
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

    /// How the program ended: its code, and the signal that such a code stands for.
    pub(super) fn exit(&self) -> Option<String> {
        let code = number(self.subject.terminated()?, "/exitCode")?;
        let signal = match code {
            129 => " (SIGHUP)",
            130 => " (SIGINT)",
            131 => " (SIGQUIT)",
            132 => " (SIGILL)",
            133 => " (SIGTRAP)",
            134 => " (SIGABRT)",
            135 => " (SIGBUS)",
            136 => " (SIGFPE)",
            137 => " (SIGKILL)",
            139 => " (SIGSEGV)",
            141 => " (SIGPIPE)",
            143 => " (SIGTERM)",
            _ => "",
        };
        Some(format!("exit code {code}{signal}"))
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

    /// The facts that decide what to look at first, at most ten.
    fn fields(&self) -> Vec<Field> {
        let subject = self.subject;
        let verdict = self.verdict;
        let facts = [
            ("Cause", Some(format!("{} ({} confidence)", verdict.cause.name(), verdict.confidence.name()))),
            ("Exit", self.exit_after()),
            ("Memory", self.memory()),
            (RESTARTS, subject.restarts().map(|restarts| restarts.to_string())),
            (NOW, now(subject)),
            (REPLICAS, self.replicas()),
            ("Version", self.version()),
            ("Node", subject.node.as_ref().map(|node| self.node(node))),
            ("Team", self.whose.team.clone().or_else(|| Some("nobody is known to own it".to_owned()))),
            ("Pod", Some(format!("{}/{}", subject.namespace, subject.pod))),
        ];
        facts.into_iter().filter_map(|(label, value)| Some(Field::new(label, value?))).collect()
    }

    /// The limit that the container was killed by.
    pub(super) fn memory_limit(&self) -> Option<String> {
        let own = self.subject.spec().and_then(|spec| text(spec, "/resources/limits/memory"));
        own.or_else(|| text(&self.subject.object, "/spec/resources/limits/memory")).map(str::to_owned)
    }

    fn memory(&self) -> Option<String> {
        if self.subject.cannot_start {
            return None;
        }
        let limit = self.memory_limit();
        let before = |at| at <= self.subject.at;
        let used = self.collected.usage.as_ref().ok().filter(|used| used.at.is_some_and(before));
        Some(match (used, limit) {
            (Some(used), Some(limit)) => {
                let share = parse(&limit).and_then(|limit| percent(used.working_set_bytes, limit));
                let share = share.map(|share| format!(" ({share} %)")).unwrap_or_default();
                format!("{} of {limit}{share}", bytes(used.working_set_bytes))
            }
            (Some(used), None) => format!("{}, no limit", bytes(used.working_set_bytes)),
            (None, Some(limit)) => format!("limit {limit}; use at death not known"),
            (None, None) => "no limit; use at death not known".to_owned(),
        })
    }

    /// How the program ended, and how long it had run.
    fn exit_after(&self) -> Option<String> {
        let terminated = self.subject.terminated()?;
        let ran = || Some(span(time(terminated, "/finishedAt")? - time(terminated, "/startedAt")?));
        let after = ran().map(|ran| format!(" after {ran}")).unwrap_or_default();
        Some(format!("{}{after}", self.exit()?))
    }

    /// How many of how many were hit, and how many are ready now.
    fn replicas(&self) -> Option<String> {
        let (ready, wanted) = replicas(self.collected.workload()?).filter(|(_, wanted)| *wanted > 0)?;
        Some(format!("1 of {wanted} hit, {ready} ready"))
    }

    fn version(&self) -> Option<String> {
        let image = text(self.subject.spec()?, "/image").or_else(|| text(self.subject.status()?, "/image"))?;
        let name = image.rsplit('/').next().unwrap_or(image);
        let digest = &self.subject.digest;
        Some(if image.contains(digest.as_str()) { name.to_owned() } else { format!("{name} ({digest})") })
    }

    /// The node, and what is wrong with it.
    fn node(&self, name: &str) -> String {
        let Some(node) = &self.collected.node else { return name.to_owned() };
        let mut troubles = troubles(node).peekable();
        if troubles.peek().is_none() {
            return name.to_owned();
        }
        format!("{name}: {}", troubles.collect::<Vec<_>>().join(", "))
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
        let gaps = if gaps == 0 { String::new() } else { format!(" · {gaps} answers missing, see the thread") };
        vec![Span::plain(format!("{} · {calls} API calls, {millis} ms{gaps}", place.join(" / ")))]
    }
}

/// How the container is now, by what the watch told.
pub(super) fn now(subject: &Subject) -> Option<String> {
    if subject.evicted {
        return None;
    }
    let state = subject.status()?.get("state")?;
    if let Some(since) = time(state, "/running/startedAt") {
        return Some(format!("running again since {}", moment_after(since, subject.at)));
    }
    let waiting = text(state, "/waiting/reason")?;
    let message = text(state, "/waiting/message").unwrap_or_default();
    let pause = message.strip_prefix("back-off ").and_then(|rest| rest.split_whitespace().next());
    Some(pause.map_or_else(|| waiting.to_owned(), |pause| format!("waits {pause} before the next start")))
}

/// How many replicas of a workload are ready, and how many there are to be.
pub(super) fn replicas(workload: &Value) -> Option<(i64, i64)> {
    if let Some(wanted) = number(workload, "/status/desiredNumberScheduled") {
        return Some((number(workload, "/status/numberReady").unwrap_or_default(), wanted));
    }
    let wanted = number(workload, "/spec/replicas")?;
    Some((number(workload, "/status/readyReplicas").unwrap_or_default(), wanted))
}

/// What a node says is wrong with it.
pub(super) fn troubles(node: &Value) -> impl Iterator<Item = String> {
    let conditions = items(node, "/status/conditions").filter_map(|condition| {
        let (kind, status) = (text(condition, "/type")?, text(condition, "/status")?);
        match kind {
            "Ready" => (status != "True").then(|| "not ready".to_owned()),
            kind => (status == "True").then(|| kind.to_owned()),
        }
    });
    let cordoned = node.pointer("/spec/unschedulable").and_then(Value::as_bool) == Some(true);
    conditions.chain(cordoned.then(|| "takes no more pods".to_owned()))
}
