//! What is left: a SIGKILL of which nobody tells, and ends that nothing explains. Says what it may have been.

use super::facts::Facts;
use super::json::{condition, quote, text};
use super::seen::around;
use super::{Cause, Confidence, Hypothesis, Verdict, quantity};

/// From here on memory is the first suspect, although the runtime did not say so.
const SUSPICIOUS_PERCENT: u64 = 75;

/// No rule knows.
pub(super) fn unknown(facts: &Facts<'_>) -> Verdict {
    let end = facts.container.and_then(|container| container.end);
    if facts.exit_code() == Some(137) || end.and_then(|end| end.signal()) == Some(9) {
        return sigkill(facts);
    }
    if super::node::is_forgotten(facts) {
        return forgotten(facts);
    }
    let scheduled = condition(facts.pod, "PodScheduled").filter(|found| text(found, "/status") == Some("False"));
    let (sentence, todo) = if let Some(waits) = scheduled {
        let why = text(waits, "/message").unwrap_or("no node is free");
        let sentence = format!(
            "Pod {} was not killed: it waits for a node: {}.",
            facts.pod_name(),
            quote(why).trim_end_matches('.')
        );
        (sentence, "See what it asks for and what the nodes have.".to_owned())
    } else if end.is_none() && facts.container.is_some() {
        (format!("{} has not ended, as far as the cluster tells.", facts.subject()), facts.kubectl("describe pod"))
    } else {
        (
            format!("Nothing that the cluster tells says why {} ended.", lower(&facts.subject())),
            facts.kubectl("describe pod"),
        )
    };
    Verdict::new(Cause::Unknown, Confidence::Low, sentence, todo)
}

fn forgotten(facts: &Facts<'_>) -> Verdict {
    let sentence = format!("{} ended while nobody watched: the runtime does not know how.", facts.subject());
    let mut verdict = Verdict::new(Cause::Unknown, Confidence::Low, sentence, node_command(facts));
    verdict.hypotheses = after_the_runtime(facts);
    verdict
}

fn sigkill(facts: &Facts<'_>) -> Verdict {
    let sentence = format!("{} was ended by SIGKILL, and nothing tells who sent it.", facts.subject());
    let hypotheses = hypotheses(facts);
    let told = if facts.node.is_null() {
        "no OOMKilled, no eviction, no deletion and no failed probe is told; the node is not known"
    } else {
        "no OOMKilled, no eviction, no deletion, no failed probe and no trouble of the node is told"
    };
    let todo = hypotheses
        .first()
        .map_or_else(|| facts.logs(), |first| format!("Look first whether this is so: {} {}", first.text, first.check));
    let mut verdict = Verdict::new(Cause::SigkillUnknown, Confidence::Low, sentence, todo);
    verdict.hypotheses = hypotheses;
    verdict.because([told.to_owned()]).because(usage(facts))
}

/// Likeliest first: what something points to, then what is common, then what is merely possible.
fn hypotheses(facts: &Facts<'_>) -> Vec<Hypothesis> {
    let mut ranked: Vec<(u8, Hypothesis)> = Vec::new();
    let mut add = |rank: u8, text: &str, check: String| ranked.push((rank, Hypothesis::new(text, check)));
    if super::node::is_forgotten(facts) {
        for hypothesis in after_the_runtime(facts) {
            add(9, &hypothesis.text, hypothesis.check);
        }
    }
    let (from, to) = around(facts.ended, facts.grace().saturating_add(60), 60);
    if facts.events("SandboxChanged").any(|event| event.recurs_between(from, to)) {
        add(
            9,
            "The pod's sandbox was made anew (network or node restarted), which kills its containers.",
            node_command(facts),
        );
    }
    match memory_percent(facts) {
        Some(percent) if percent >= SUSPICIOUS_PERCENT => {
            add(8, "It ran out of memory and the runtime missed it: it was near its limit.", facts.logs());
        }
        Some(_) => add(2, "It ran out of memory at once, between two measurements.", facts.logs()),
        None if facts.memory_limit().is_none() => {
            add(6, "The node ran out of memory and killed it: it has no limit of its own.", node_command(facts));
        }
        None => add(5, "It ran out of memory and the runtime missed it.", facts.logs()),
    }
    let has_liveness = facts.container.is_some_and(|container| {
        ["/livenessProbe", "/startupProbe"].iter().any(|field| container.spec.pointer(field).is_some())
    });
    if has_liveness {
        add(
            4,
            "Its liveness probe failed, and the events about it are gone (they are kept for an hour).",
            facts.kubectl("describe pod"),
        );
    }
    add(
        3,
        "A process inside the container, or somebody on the node, sent SIGKILL; a shell also passes on 137 of a child.",
        facts.logs(),
    );
    add(1, "The container runtime or the node was restarted.", node_command(facts));
    ranked.sort_by_key(|(rank, _)| std::cmp::Reverse(*rank));
    ranked.into_iter().map(|(_, hypothesis)| hypothesis).collect()
}

fn after_the_runtime(facts: &Facts<'_>) -> Vec<Hypothesis> {
    vec![
        Hypothesis::new("The node or its container runtime was restarted.", node_command(facts)),
        Hypothesis::new(
            "The container was removed from the node before the kubelet could ask how it ended.",
            facts.kubectl("describe pod"),
        ),
    ]
}

fn memory_percent(facts: &Facts<'_>) -> Option<u64> {
    quantity::percent(facts.used_bytes?, facts.memory_limit()?.0)
}

fn usage(facts: &Facts<'_>) -> Vec<String> {
    let limit = facts.memory_limit().map_or_else(
        || "no memory limit is set".to_owned(),
        |(bytes, words)| format!("{words} = {}", quantity::bytes(bytes)),
    );
    let used = facts.used_bytes.map(|bytes| format!("last working set = {}", quantity::bytes(bytes)));
    [limit].into_iter().chain(used).collect()
}

fn node_command(facts: &Facts<'_>) -> String {
    format!("kubectl describe node {}", text(facts.pod, "/spec/nodeName").unwrap_or("NODE"))
}

fn lower(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
