//! Out of memory: the container's limit, the node, or a child of the main process.

use chrono::{DateTime, Utc};

use super::facts::Facts;
use super::json::{text, time};
use super::quantity;
use super::seen::{Seen, around};
use super::{Cause, Confidence, Hypothesis, Verdict};

/// The kernel kills at once; the node's events about it come with the next look at the kernel's log.
const NODE_OOM_SECONDS: i64 = 60;

/// An event about some control group is surely this container's only if it is as near as this.
const SAME_KILL_SECONDS: i64 = 5;

/// A container that used so many hundredths of its limit when last measured ran into it.
const NEAR_LIMIT_PERCENT: u64 = 90;

/// The runtime says `OOMKilled`.
pub(super) fn oom_killed(facts: &Facts<'_>) -> Option<Verdict> {
    if facts.reason() != "OOMKilled" {
        return None;
    }
    if let Some(code) = facts.exit_code().filter(|code| *code != 137) {
        return Some(child_then_exit(facts, code));
    }
    let node = NodeMemory::of(facts, facts.ended);
    let verdict = match (facts.memory_limit(), used_percent(facts)) {
        (None, _) if node.is_short() => node_is_out(facts, Confidence::High, &node),
        (None, _) => node_must_be_out(facts, &node),
        (Some(_), Some(percent)) if percent >= NEAR_LIMIT_PERCENT => over_limit(facts, Confidence::High),
        (Some(_), Some(_)) if node.is_out() => node_is_out(facts, Confidence::High, &node),
        // A measurement is up to a minute old: a program that grows at once passes its limit between two of them.
        (Some(_), Some(_)) => spiked(facts),
        (Some(_), None) if node.system_oom.is_some() => node_is_out(facts, Confidence::Medium, &node),
        (Some(_), None) => over_limit(facts, Confidence::Medium),
    };
    Some(verdict.because(limit_and_usage(facts)))
}

/// The runtime did not notice, but the node tells of an out-of-memory kill at that time, or of one inside the pod.
pub(super) fn killed_beside_an_oom(facts: &Facts<'_>) -> Option<Verdict> {
    if facts.is_windows() {
        return None;
    }
    if goes_on(facts) {
        return child_silent(facts);
    }
    let node = NodeMemory::of(facts, facts.ended);
    let code = facts.exit_code()?;
    if code != 137 {
        let event = node.cgroup_oom.filter(|event| code != 0 && names_pod(facts, event))?;
        return Some(child_then_exit(facts, code).because([event.evidence()]));
    }
    let is_own = |event: &Seen<'_>| names_pod(facts, event) || event.is_near(facts.ended, SAME_KILL_SECONDS);
    let verdict = match (facts.memory_limit(), used_percent(facts)) {
        (None, _) if node.is_short() => node_is_out(facts, Confidence::High, &node),
        (Some(_), Some(percent)) if percent < NEAR_LIMIT_PERCENT && node.is_out() => {
            node_is_out(facts, Confidence::High, &node)
        }
        (Some(_), None) if node.system_oom.is_some() => node_is_out(facts, Confidence::Medium, &node),
        (Some(_), _) => {
            let event = node.cgroup_oom?;
            let confidence = if is_own(event) { Confidence::Medium } else { Confidence::Low };
            over_limit(facts, confidence).because([event.evidence()])
        }
        (None, _) => return None,
    };
    Some(verdict.because(limit_and_usage(facts)))
}

/// What the node tells about its memory at a time.
struct NodeMemory<'f, 'a> {
    /// The whole node ran out.
    system_oom: Option<&'f Seen<'a>>,
    /// Some control group on it ran into its limit.
    cgroup_oom: Option<&'f Seen<'a>>,
    /// The condition `MemoryPressure` was true.
    has_pressure: bool,
}

impl<'f, 'a> NodeMemory<'f, 'a> {
    fn of(facts: &'f Facts<'a>, at: DateTime<Utc>) -> Self {
        let near = |event: &&Seen<'_>| event.is_near(at, NODE_OOM_SECONDS);
        let pressure = facts.node_condition("MemoryPressure").filter(|condition| {
            let since = time(condition, "/lastTransitionTime");
            since.is_none_or(|since| since <= around(at, 0, NODE_OOM_SECONDS).1)
        });
        let killings = || facts.any_events("OOMKilling").filter(near);
        Self {
            system_oom: facts
                .any_events("SystemOOM")
                .find(near)
                .or_else(|| killings().find(|event| !is_of_cgroup(event))),
            cgroup_oom: killings().filter(|event| is_of_cgroup(event)).max_by_key(|event| names_pod(facts, event)),
            has_pressure: pressure.is_some(),
        }
    }

    /// The node ran out of memory, or was about to.
    const fn is_out(&self) -> bool {
        self.system_oom.is_some() || self.has_pressure
    }

    /// The same, and a container without a limit can only have met a limit that holds for all pods of the node.
    const fn is_short(&self) -> bool {
        self.is_out() || self.cgroup_oom.is_some()
    }

    fn evidence(&self) -> Vec<String> {
        let events = self.system_oom.or(self.cgroup_oom).map(Seen::evidence);
        events.into_iter().chain(self.has_pressure.then(|| "node condition MemoryPressure = True".to_owned())).collect()
    }
}

/// `Memory cgroup out of memory` is a limit that was met; `Out of memory` is the machine.
fn is_of_cgroup(event: &Seen<'_>) -> bool {
    let message = event.message.to_lowercase();
    message.contains("memory cgroup") || message.contains("constraint_memcg")
}

/// Whether the kernel's message names the control group of this pod, whichever way the runtime writes it.
fn names_pod(facts: &Facts<'_>, event: &Seen<'_>) -> bool {
    let uid = text(facts.pod, "/metadata/uid");
    let container = facts.container.and_then(|container| text(container.status, "/containerID"));
    let id = container.and_then(|id| id.split_once("://")).map(|(_, id)| id);
    let names = |name: &str| !name.is_empty() && event.message.contains(name);
    let is_own = event.kind() == Some("Pod") && event.uid().is_some() && event.uid() == uid;
    is_own || uid.is_some_and(|uid| names(uid) || names(&uid.replace('-', "_"))) || id.is_some_and(names)
}

/// Nothing ended at the time of the kill.
fn goes_on(facts: &Facts<'_>) -> bool {
    let Some(container) = facts.container else { return true };
    let is_old = facts.killed_at.signed_duration_since(facts.ended).num_seconds().abs() > NODE_OOM_SECONDS;
    container.end.is_none() || (container.has_come_back() && is_old)
}

fn used_percent(facts: &Facts<'_>) -> Option<u64> {
    quantity::percent(facts.used_bytes?, facts.memory_limit()?.0)
}

fn limit_and_usage(facts: &Facts<'_>) -> Vec<String> {
    let limit = facts.memory_limit().map(|(bytes, words)| format!("{words} = {}", quantity::bytes(bytes)));
    let used = facts.used_bytes.map(|bytes| {
        let part = used_percent(facts).map_or_else(String::new, |percent| format!(", {percent} % of the limit"));
        format!("last working set = {}{part}", quantity::bytes(bytes))
    });
    limit.into_iter().chain(used).collect()
}

fn limit_words(facts: &Facts<'_>) -> String {
    facts
        .memory_limit()
        .map_or_else(|| "its limit".to_owned(), |(bytes, _)| format!("its limit of {}", quantity::bytes(bytes)))
}

fn over_limit(facts: &Facts<'_>, confidence: Confidence) -> Verdict {
    let sentence =
        format!("{} used more memory than {} and was killed by the kernel.", facts.subject(), limit_words(facts));
    let todo = format!(
        "Look whether its memory grew slowly (a leak) or at once (load): {}. Raise the limit only if it needs \
         more when it is well.",
        facts.logs()
    );
    Verdict::new(Cause::OomContainerLimit, confidence, sentence, todo)
}

fn spiked(facts: &Facts<'_>) -> Verdict {
    let percent = used_percent(facts).unwrap_or_default();
    let mut verdict = over_limit(facts, Confidence::Medium);
    verdict.sentence = format!(
        "{} was killed for using more memory than {}; when last measured it used {percent} % of it, so it grew \
         at once.",
        facts.subject(),
        limit_words(facts)
    );
    verdict.hypotheses = vec![
        Hypothesis::new("Its memory grew past the limit between two measurements.", facts.logs()),
        Hypothesis::new("The node ran out of memory, and its event is gone or was not seen.", node_command(facts)),
    ];
    verdict
}

fn node_is_out(facts: &Facts<'_>, confidence: Confidence, node: &NodeMemory<'_, '_>) -> Verdict {
    let sentence = format!(
        "{} ran out of memory, and the kernel killed {} although it was not over a limit of its own.",
        facts.node_words().replacen('n', "N", 1),
        facts.container.map_or_else(|| "the container".to_owned(), |container| container.words()),
    );
    let todo = format!(
        "See who uses the memory of the node and give requests that are true to every pod there: {}",
        node_command(facts)
    );
    Verdict::new(Cause::OomNode, confidence, sentence, todo).because(node.evidence())
}

/// There is no other limit that it could have met.
fn node_must_be_out(facts: &Facts<'_>, node: &NodeMemory<'_, '_>) -> Verdict {
    let mut verdict = node_is_out(facts, Confidence::Medium, node).because(["no memory limit is set".to_owned()]);
    verdict.sentence = format!(
        "{} was killed for lack of memory and has no limit, so it was {} that ran out, although it does not say so.",
        facts.subject(),
        facts.node_words()
    );
    verdict
}

fn node_command(facts: &Facts<'_>) -> String {
    format!("kubectl describe node {}", text(facts.pod, "/spec/nodeName").unwrap_or("NODE"))
}

/// The kernel's counter of the control group only grows: whatever ends later is called `OOMKilled` as well.
fn child_then_exit(facts: &Facts<'_>, code: i64) -> Verdict {
    let sentence = format!(
        "A child process in {} was killed for lack of memory; the main process then ended by itself with code {code}.",
        facts.container.map_or_else(|| "the container".to_owned(), |container| container.words()),
    );
    let todo = format!(
        "Find the child that needs so much (a worker, a compiler, a shell command), and limit it or raise the \
         limit: {}",
        facts.logs()
    );
    let verdict = Verdict::new(Cause::OomChildThenExit, Confidence::Medium, sentence, todo);
    verdict.because([format!("an out-of-memory kill of the main process would have exit code 137, not {code}")])
}

fn child_silent(facts: &Facts<'_>) -> Option<Verdict> {
    let node = NodeMemory::of(facts, facts.killed_at);
    let event = node.cgroup_oom.or(node.system_oom)?;
    let is_named = names_pod(facts, event);
    let confidence = if is_named { Confidence::Medium } else { Confidence::Low };
    let sentence = format!(
        "A child process in {} was killed for lack of memory; the container goes on without it.",
        facts.container.map_or_else(|| "the container".to_owned(), |container| container.words())
    );
    let todo = format!("See whether it still does its work, and which process is missing: {}", facts.logs());
    let doubt = (!is_named).then(|| "the event does not name the pod, only the time fits".to_owned());
    let verdict = Verdict::new(Cause::OomChildSilent, confidence, sentence, todo);
    Some(verdict.because([event.evidence(), "no container of the pod ended then".to_owned()]).because(doubt))
}
