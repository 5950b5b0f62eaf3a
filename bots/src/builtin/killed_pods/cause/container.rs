//! The container that a kill is about, and how it ended.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::Case;
use super::json::{NOTHING, list, number, quote, text, time};

/// The watch sees a kill as soon as the API server has it; its time and the container's differ by less than this.
const SAME_SECONDS: i64 = 2;

/// Reasons for which a container waits although nothing is wrong yet.
pub(super) const PREPARING: [&str; 2] = ["ContainerCreating", "PodInitializing"];

/// What a container is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The pod's work.
    Main,
    /// Runs before the work.
    Init,
    /// An init container that goes on beside the work: `restartPolicy: Always`.
    Sidecar,
    /// Put into the running pod by somebody, to look around.
    Ephemeral,
}

impl Role {
    /// As it stands before the container's name.
    const fn words(self) -> &'static str {
        match self {
            Self::Main => "container",
            Self::Init => "init container",
            Self::Sidecar => "sidecar",
            Self::Ephemeral => "debug container",
        }
    }
}

/// How a run of a container ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct End<'a> {
    /// Where it is told: `state` or `lastState`.
    pub(super) field: &'static str,
    value: &'a Value,
}

impl<'a> End<'a> {
    /// `OOMKilled`, `Error`, …
    pub(super) fn reason(&self) -> &'a str {
        text(self.value, "/reason").unwrap_or_default()
    }

    /// The exit code.
    pub(super) fn exit_code(&self) -> Option<i64> {
        number(self.value, "/exitCode")
    }

    /// The signal, where the runtime tells it.
    pub(super) fn signal(&self) -> Option<i64> {
        number(self.value, "/signal").filter(|signal| *signal > 0)
    }

    /// What the program or the runtime left to say.
    pub(super) fn message(&self) -> Option<&'a str> {
        text(self.value, "/message").map(str::trim).filter(|message| !message.is_empty())
    }

    /// The line of it that says what went wrong: it may be the whole end of a log. Else the last one.
    pub(super) fn complaint(&self) -> Option<&'a str> {
        let lines = || self.message().into_iter().flat_map(str::lines).map(str::trim).filter(|line| !line.is_empty());
        lines().find(|line| is_complaint(line)).or_else(|| lines().next_back())
    }

    /// When it started.
    pub(super) fn started(&self) -> Option<DateTime<Utc>> {
        time(self.value, "/startedAt").filter(|time| time.timestamp() > 0)
    }

    /// When it ended.
    pub(super) fn finished(&self) -> Option<DateTime<Utc>> {
        time(self.value, "/finishedAt").filter(|time| time.timestamp() > 0)
    }

    /// How long it ran.
    pub(super) fn uptime(&self) -> Option<TimeDelta> {
        Some(self.finished()?.signed_duration_since(self.started()?))
    }

    /// Whether it ended well, or left in the air.
    fn is_well(&self) -> bool {
        self.exit_code() == Some(0) && self.reason() != "OOMKilled"
    }

    fn distance(&self, time: DateTime<Utc>) -> Option<i64> {
        Some(self.finished()?.signed_duration_since(time).num_seconds().abs())
    }

    fn is_at(&self, time: DateTime<Utc>) -> bool {
        self.distance(time).is_some_and(|seconds| seconds <= SAME_SECONDS)
    }

    /// As evidence: `lastState.terminated: reason = OOMKilled, exitCode = 137`.
    pub(super) fn evidence(&self) -> String {
        let code = self.exit_code().map_or_else(String::new, |code| format!(", exitCode = {code}"));
        let signal = self.signal().map_or_else(String::new, |signal| format!(", signal = {signal}"));
        let reason = if self.reason().is_empty() { "not given" } else { self.reason() };
        format!("{}.terminated.reason = {}{code}{signal}", self.field, quote(reason))
    }
}

/// A container of the pod.
#[derive(Debug, Clone, Copy)]
pub(super) struct Container<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// What it is for.
    pub(super) role: Role,
    /// What was asked for; null if the pod does not have it.
    pub(super) spec: &'a Value,
    /// What became of it; null if it never began.
    pub(super) status: &'a Value,
    /// How the run that this is about ended; none if it did not.
    pub(super) end: Option<End<'a>>,
    /// Whether the run that this is about was followed by another one.
    pub(super) is_earlier_run: bool,
}

impl<'a> Container<'a> {
    /// The container that was killed: the one that is named, or else the first that ended badly.
    pub(super) fn find(case: &Case<'a>) -> Option<Self> {
        let all = Self::all(case);
        let named = all.iter().copied().find(|found| Some(found.name) == case.container);
        if let Some(named) = named.filter(|found| !found.waits_for_others()) {
            return Some(named);
        }
        let is_bad = |found: &Self| found.is_bad() || found.has_just_ended(case);
        let worst = all.iter().copied().filter(is_bad).min_by_key(|found| found.rank(case.killed_at));
        worst
            .or(named)
            .or_else(|| all.iter().copied().find(|found| found.end.is_some()))
            .or_else(|| all.iter().copied().find(|found| found.role == Role::Main))
    }

    /// Every container of the pod, those that do the work first.
    pub(super) fn all(case: &Case<'a>) -> Vec<Self> {
        let lists = [
            ("/spec/containers", "/status/containerStatuses", Role::Main),
            ("/spec/initContainers", "/status/initContainerStatuses", Role::Init),
            ("/spec/ephemeralContainers", "/status/ephemeralContainerStatuses", Role::Ephemeral),
        ];
        let mut found = Vec::new();
        for (specs, statuses, role) in lists {
            let (specs, statuses) = (list(case.pod, specs), list(case.pod, statuses));
            let named = specs.iter().chain(statuses).filter_map(|value| text(value, "/name"));
            for name in named {
                if !found.iter().any(|known: &Self| known.name == name) {
                    let spec = of_name(specs, name);
                    let status = of_name(statuses, name);
                    found.push(Self::of(name, role, (spec, status), case.killed_at));
                }
            }
        }
        found
    }

    fn of(name: &'a str, role: Role, (spec, status): (&'a Value, &'a Value), killed_at: DateTime<Utc>) -> Self {
        let is_sidecar = role == Role::Init && text(spec, "/restartPolicy") == Some("Always");
        let end = |field, pointer| {
            status.pointer(pointer).filter(|value| value.is_object()).map(|value| End { field, value })
        };
        let (now, last) = (end("state", "/state/terminated"), end("lastState", "/lastState/terminated"));
        let is_last = |last: End<'_>| last.is_at(killed_at) && !now.is_some_and(|now| now.is_at(killed_at));
        // What keeps it from starting again is told with the time of its last end, but is not how that came about.
        let waiting = text(status, "/state/waiting/reason");
        let cannot_start = waiting.is_some_and(|reason| reason != "CrashLoopBackOff" && !PREPARING.contains(&reason));
        let is_earlier_run = !cannot_start && last.is_some_and(is_last);
        let end = if is_earlier_run { last } else { now.or(last).filter(|_| !cannot_start) };
        Self { name, role: if is_sidecar { Role::Sidecar } else { role }, spec, status, end, is_earlier_run }
    }

    /// Why it does not run now, in the kubelet's word; none for the run that was followed by another one.
    pub(super) fn waiting(&self) -> Option<&'a str> {
        text(self.status, "/state/waiting/reason").filter(|_| !self.is_earlier_run)
    }

    /// What the kubelet says about why it does not run.
    pub(super) fn waiting_message(&self) -> Option<&'a str> {
        text(self.status, "/state/waiting/message")
    }

    /// Whether it runs now.
    pub(super) fn is_running(&self) -> bool {
        self.status.pointer("/state/running").is_some()
    }

    /// Whether it runs again, and the run that ended is not the one that is asked about.
    pub(super) fn has_come_back(&self) -> bool {
        self.is_running() && !self.is_earlier_run
    }

    /// How often it was started again.
    pub(super) fn restarts(&self) -> i64 {
        number(self.status, "/restartCount").unwrap_or_default()
    }

    /// Whether it is started again after it ended, also if it ended well.
    pub(super) fn is_always_restarted(&self, pod: &Value) -> bool {
        match self.role {
            Role::Sidecar => true,
            Role::Init | Role::Ephemeral => false,
            Role::Main => {
                let own = text(self.spec, "/restartPolicy");
                own.or_else(|| text(pod, "/spec/restartPolicy")).is_none_or(|policy| policy == "Always")
            }
        }
    }

    /// As a sentence names it: `container app`.
    pub(super) fn words(&self) -> String {
        format!("{} {}", self.role.words(), self.name)
    }

    fn waits_for_others(&self) -> bool {
        self.end.is_none() && self.waiting() == Some("PodInitializing")
    }

    fn is_bad(&self) -> bool {
        let is_done = self.role == Role::Init && self.status.pointer("/state/terminated/exitCode") == Some(&0.into());
        let waits = self.waiting().is_some_and(|reason| !PREPARING.contains(&reason));
        waits || (self.end.is_some_and(|end| !end.is_well()) && (!is_done || self.is_earlier_run))
    }

    /// Whether it is the one that ended at the time of the kill, and was not to end.
    fn has_just_ended(&self, case: &Case<'_>) -> bool {
        self.is_always_restarted(case.pod) && self.end.is_some_and(|end| end.is_at(case.killed_at))
    }

    /// Smaller is likelier the one: it ended at the time of the kill; then it has not come back; then, among those that
    /// have not, the one that ended first, because the others may have followed it; among the rest the last one.
    fn rank(&self, killed_at: DateTime<Utc>) -> (bool, bool, i64) {
        let finished = self.end.and_then(|end| end.finished()).map_or(i64::MAX, |time| time.timestamp());
        let is_at = self.end.is_some_and(|end| end.is_at(killed_at));
        let is_back =
            self.is_running() || self.end.is_some_and(|end| end.field == "lastState" && self.waiting().is_none());
        (!is_at, is_back, if is_back { finished.saturating_neg() } else { finished })
    }
}

/// A fatal line of Go's usual log begins with `F` and the month.
fn is_complaint(line: &str) -> bool {
    let lower = line.to_lowercase();
    let is_fatal = line.strip_prefix('F').is_some_and(|rest| rest.starts_with(|letter: char| letter.is_ascii_digit()));
    is_fatal || ["panic", "fatal", "exception", "error"].iter().any(|word| lower.contains(word))
}

fn of_name<'a>(values: &'a [Value], name: &str) -> &'a Value {
    values.iter().find(|value| text(value, "/name") == Some(name)).unwrap_or(NOTHING)
}
