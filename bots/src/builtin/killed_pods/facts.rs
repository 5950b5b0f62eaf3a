//! The facts beside the sentence: how it ended, what it used, how it is now, where it ran.

use serde_json::Value;

use super::cause::Cause;
use super::json::{items, number, text, time};
use super::quantity::{bytes, parse, percent};
use super::report::Report;
use super::subject::Subject;
use super::words::{moment_after, span};
use crate::message::Field;

/// Labels of the facts that change with every kill of an incident.
pub(super) const RESTARTS: &str = "Restarts";
/// See [`RESTARTS`].
pub(super) const NOW: &str = "Now";
/// See [`RESTARTS`].
pub(super) const REPLICAS: &str = "Replicas";

impl Report<'_> {
    /// The facts that decide what to look at first, at most ten.
    pub(super) fn fields(&self) -> Vec<Field> {
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

    /// How the program ended: its code, and the signal that such a code stands for.
    pub(super) fn exit(&self) -> Option<String> {
        let code = number(self.subject.terminated()?, "/exitCode")?;
        // A code that a program chose by itself, or one of Windows, is no signal.
        let is_signal = self.verdict.cause != Cause::AppExit;
        let signal = match code {
            _ if !is_signal => "",
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
