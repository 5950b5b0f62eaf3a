//! The thread below the message: how it is known, what happened when, how the pod was set up, and what is not known.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::facts::{replicas, troubles};
use super::json::{entry, items, number, text, time};
use super::report::Report;
use super::words::{count, moment, span};
use crate::message::{Block, Field, Message, Span};

/// What happened longer before the kill is not its history.
const TIMELINE_BEFORE: TimeDelta = TimeDelta::minutes(30);
/// What is told of the time after: restarts and back-offs.
const TIMELINE_AFTER: TimeDelta = TimeDelta::minutes(10);
/// Lines of the timeline, the newest.
const TIMELINE_LINES_MAX: usize = 20;
/// Characters of a line of the timeline.
const TIMELINE_CHARS_MAX: usize = 160;
/// What no question is asked about, because no history of measurements is connected.
const NOT_MEASURED: &str = "memory over time, CPU throttling and pressure: no history of measurements is connected";

impl Report<'_> {
    /// The message for the thread.
    pub(super) fn detail(&self) -> Message {
        let mut blocks = vec![title("How it is known"), list(self.verdict.evidence.iter().cloned())];
        if !self.verdict.hypotheses.is_empty() {
            let guesses = self.verdict.hypotheses.iter();
            blocks.push(title("What it may have been, the likeliest first"));
            blocks.push(list(guesses.map(|guess| format!("{} ({})", guess.text, guess.check))));
        }
        let timeline = self.timeline();
        if !timeline.is_empty() {
            blocks.push(title("What happened when (UTC)"));
            blocks.push(Block::Code(timeline.join("\n")));
        }
        blocks.push(Block::Fields(self.setup()));
        if !self.neighbours.is_empty() {
            blocks.push(title("Also killed on this node within 10 min"));
            blocks.push(list(
                self.neighbours.iter().map(|(workload, many)| format!("{workload}: {}", count(*many, "pod"))),
            ));
        }
        let commands = self.commands();
        if !commands.is_empty() {
            blocks.push(title("Commands"));
            blocks.push(Block::Code(commands.join("\n")));
        }
        blocks.push(title("Not known"));
        blocks.push(list(self.missing()));
        Message { summary: format!("Details: {}", self.heading()), blocks }
    }

    /// Everything that is known to have happened around it, in order.
    fn timeline(&self) -> Vec<String> {
        let subject = self.subject;
        let mut moments: Vec<(DateTime<Utc>, String)> = Vec::new();
        let events = self.collected.pod_events.iter().chain(&self.collected.node_events);
        moments.extend(events.filter_map(|event| Some((event_time(event)?, event_line(event)))));
        if let Some(deployed) = &self.changes.deployed {
            moments.push((deployed.at, format!("Deployed  {}", deployed.name.as_deref().unwrap_or_default())));
        }
        if let Some(terminated) = subject.terminated() {
            moments.extend(time(terminated, "/startedAt").map(|at| (at, "Started  the container's run".to_owned())));
        }
        let end = if subject.cannot_start { "Noticed" } else { "Ended" };
        let how = self.exit().unwrap_or_else(|| self.verdict.cause.name().to_owned());
        moments.push((subject.at, format!("{end}  {how}")));
        let within = subject.at - TIMELINE_BEFORE..=subject.at + TIMELINE_AFTER;
        moments.retain(|(at, _)| within.contains(at));
        moments.sort();
        let skipped = moments.len().saturating_sub(TIMELINE_LINES_MAX);
        let lines = moments.into_iter().skip(skipped).map(|(at, line)| {
            let line: String = line.chars().take(TIMELINE_CHARS_MAX).collect();
            format!("{}  {line}", at.format("%H:%M:%S"))
        });
        lines.collect()
    }

    /// How the pod was set up, and what surrounded it.
    fn setup(&self) -> Vec<Field> {
        let object = &self.subject.object;
        let spec = self.subject.spec();
        let own = |pointer: &str| spec.and_then(|spec| text(spec, pointer));
        let pair = |request: Option<&str>, limit: Option<&str>| {
            Some(format!("{} / {}", request.unwrap_or("none"), limit.unwrap_or("none")))
        };
        let grace = number(object, "/spec/terminationGracePeriodSeconds").map(|seconds| format!("{seconds} s"));
        let started = time(object, "/status/startTime");
        let age = started.map(|at| format!("{} (since {})", span(self.subject.at - at), moment(at)));
        let limit = self.memory_limit();
        let facts = [
            ("Kills like this", self.changes.kills.as_deref().map(|kills| how_often(kills, self.subject.at))),
            ("Memory request / limit", pair(own("/resources/requests/memory"), limit.as_deref())),
            ("CPU request / limit", pair(own("/resources/requests/cpu"), own("/resources/limits/cpu"))),
            ("QoS class", text(object, "/status/qosClass").map(str::to_owned)),
            ("Priority class", text(object, "/spec/priorityClassName").map(str::to_owned)),
            ("Age of the pod", age),
            ("Grace period", grace),
            ("Liveness probe", spec.and_then(|spec| spec.get("livenessProbe")).map(probe)),
            ("Startup probe", spec.and_then(|spec| spec.get("startupProbe")).map(probe)),
            ("Node", self.collected.node.as_ref().map(node)),
            ("Replicas", self.collected.workload().and_then(rollout)),
            ("Autoscaler", self.collected.autoscaler.as_ref().map(autoscaler)),
            ("Disruption budget", self.collected.budget.as_ref().map(budget)),
            ("Image", self.subject.status().and_then(|status| text(status, "/imageID")).map(str::to_owned)),
        ];
        facts.into_iter().filter_map(|(label, value)| Some(Field::new(label, value?))).collect()
    }

    fn commands(&self) -> Vec<String> {
        let subject = self.subject;
        let (namespace, pod) = (&subject.namespace, &subject.pod);
        // What is to be pasted into a shell must be names and nothing else.
        let node = subject.node.as_deref().unwrap_or_default();
        let names = [namespace, pod, subject.container_name().unwrap_or_default(), node, subject.workload_name()];
        let is_plain = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        if !names.into_iter().all(is_plain) {
            return Vec::new();
        }
        let mut commands = vec![format!("kubectl -n {namespace} describe pod {pod}")];
        if let Some(container) = subject.container_name() {
            commands.push(format!("kubectl -n {namespace} logs {pod} -c {container} --previous --tail=200"));
        }
        if let Some(node) = &subject.node {
            commands.push(format!("kubectl describe node {node}"));
            commands.push(format!("kubectl get pods -A -o wide --field-selector spec.nodeName={node}"));
        }
        if let Some(name) = subject.workload.strip_prefix("Deployment/") {
            commands.push(format!("kubectl -n {namespace} rollout history deployment/{name}"));
            commands.push(format!("kubectl -n {namespace} rollout undo deployment/{name}"));
        }
        commands
    }

    /// What could not be had, and why.
    fn missing(&self) -> Vec<String> {
        let mut missing: Vec<String> = self.collected.gaps.iter().chain(&self.changes.gaps).cloned().collect();
        let at_death = match &self.collected.usage {
            _ if self.subject.cannot_start => None,
            Ok(used) if used.at.is_some_and(|at| at <= self.subject.at) => None,
            Ok(_) => Some("memory at death: the measurement is of the time after".to_owned()),
            Err(reason) if missing.iter().any(|gap| gap.ends_with(reason.as_str())) => None,
            Err(reason) => Some(format!("memory at death: {reason}")),
        };
        missing.extend(at_death);
        missing.push(NOT_MEASURED.to_owned());
        missing
    }
}

fn title(text: &str) -> Block {
    Block::Text(vec![Span::bold(text)])
}

fn list(items: impl IntoIterator<Item = String>) -> Block {
    /// What a field of the cluster says can be of any length.
    const CHARS_MAX: usize = 300;
    let clip = |item: String| {
        if item.chars().count() <= CHARS_MAX { item } else { item.chars().take(CHARS_MAX).chain(['…']).collect() }
    };
    Block::List(items.into_iter().map(|item| vec![Span::plain(clip(item))]).collect())
}

/// How often it died like this of late.
fn how_often(kills: &[DateTime<Utc>], at: DateTime<Utc>) -> String {
    let within = |duration| kills.iter().filter(|kill| at - **kill < duration).count();
    let [ten, hour, day] = [TimeDelta::minutes(10), TimeDelta::hours(1), TimeDelta::hours(24)].map(within);
    format!("{ten} in 10 min, {hour} in 1 h, {day} in 24 h")
}

/// When an event happened last, in either of its two shapes.
fn event_time(event: &Value) -> Option<DateTime<Utc>> {
    let places = [
        "/series/lastObservedTime",
        "/lastTimestamp",
        "/deprecatedLastTimestamp",
        "/eventTime",
        "/firstTimestamp",
        "/metadata/creationTimestamp",
    ];
    places.iter().find_map(|place| time(event, place))
}

fn event_line(event: &Value) -> String {
    let many = ["/series/count", "/count", "/deprecatedCount"].iter().find_map(|place| number(event, place));
    let many = many.filter(|many| *many > 1).map(|many| format!(" ({many} times)")).unwrap_or_default();
    let note = text(event, "/message").or_else(|| text(event, "/note")).unwrap_or_default();
    let note: Vec<&str> = note.split_whitespace().collect();
    format!("{}  {}{many}", text(event, "/reason").unwrap_or_default(), note.join(" "))
}

/// A probe in a line: what it asks, how often, and how many failures it forgives.
fn probe(probe: &Value) -> String {
    let asks = if let Some(http) = probe.get("httpGet") {
        let port = http.get("port").map(Value::to_string).unwrap_or_default();
        format!("GET {} on port {}", text(http, "/path").unwrap_or("/"), port.trim_matches('"'))
    } else if probe.get("exec").is_some() {
        let command: Vec<_> = items(probe, "/exec/command").filter_map(Value::as_str).collect();
        format!("runs {}", command.join(" "))
    } else if let Some(socket) = probe.get("tcpSocket") {
        format!("connects to port {}", socket.get("port").map(Value::to_string).unwrap_or_default().trim_matches('"'))
    } else {
        "asks over gRPC".to_owned()
    };
    let or = |pointer: &str, usual: i64| number(probe, pointer).unwrap_or(usual);
    let (timeout, period, failures) = (or("/timeoutSeconds", 1), or("/periodSeconds", 10), or("/failureThreshold", 3));
    format!("{asks}, {timeout} s to answer, every {period} s, {failures} failures end it")
}

fn node(node: &Value) -> String {
    let label = |key: &str| entry(node, "/metadata/labels", key);
    let kubelet = text(node, "/status/nodeInfo/kubeletVersion").map(|version| format!("kubelet {version}"));
    let memory = text(node, "/status/allocatable/memory").map(|memory| format!("{memory} memory for pods"));
    let machine = label("node.kubernetes.io/instance-type").map(str::to_owned);
    let troubles: Vec<String> = troubles(node).collect();
    let troubles = (!troubles.is_empty()).then(|| troubles.join(", "));
    let name = text(node, "/metadata/name").map(str::to_owned);
    [name, machine, kubelet, memory, troubles].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn rollout(workload: &Value) -> Option<String> {
    let (ready, wanted) = replicas(workload)?;
    let updated =
        number(workload, "/status/updatedReplicas").map(|updated| format!(", {updated} of the newest revision"));
    Some(format!("{ready} of {wanted} ready{}", updated.unwrap_or_default()))
}

fn autoscaler(scaler: &Value) -> String {
    let at = |pointer: &str| number(scaler, pointer).unwrap_or_default();
    let (least, most) = (at("/spec/minReplicas").max(1), at("/spec/maxReplicas"));
    format!(
        "{least} to {most} replicas, now {}, wants {}",
        at("/status/currentReplicas"),
        at("/status/desiredReplicas")
    )
}

fn budget(budget: &Value) -> String {
    let at = |pointer: &str| number(budget, pointer).unwrap_or_default();
    let (healthy, expected) = (at("/status/currentHealthy"), at("/status/expectedPods"));
    format!("{healthy} of {expected} healthy, {} may be disrupted", at("/status/disruptionsAllowed"))
}
