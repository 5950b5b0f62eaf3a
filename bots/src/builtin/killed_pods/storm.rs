//! When a node is in trouble: many pods of many owners die on it at once, and one message says so.
//!
//! The bus remembers every kill, so that nothing is counted here: the event that noticed the trouble first leads, counts
//! on the bus how far it has gone, and keeps the one message up to date. All others are only absorbed, which costs
//! neither a request nor a line of state.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bus::data::runtime::Pod;
use bus::ids::EventId;
use bus::kind::Kind;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::bus_events::{Told, around, kills_on};
use super::cause::{Cause, Class, Verdict};
use super::incident::{CaseFile, Pressed, Stage, key};
use super::message::of_node;
use super::reminder::{Note, quiet_needed};
use super::subject::Subject;
use crate::action::Action;
use crate::contract::Decision;
use crate::lookups::Lookups;
use crate::message::Span;

mod told;

/// Kills within so long of each other belong together.
const WINDOW: TimeDelta = TimeDelta::seconds(60);
/// Neighbours are named within so long.
const NEIGHBOURS_WITHIN: TimeDelta = TimeDelta::minutes(10);
/// Owners that lose pods to the node itself before it is the node's incident: two may be chance.
const OWNERS_ALIKE_MIN: usize = 3;
/// Owners that lose pods for whatever reason before it is the node's incident.
const OWNERS_ANY_MIN: usize = 5;
/// So long a kill waits before it is told, if the node may be to blame: a kubelet that makes room takes the next pod
/// about every second, and a message that was posted cannot be taken back.
pub(super) const SETTLE: Duration = Duration::from_secs(4);
/// How often the message is brought up to date at first; the older the trouble, the more rarely.
const REFRESH_MIN: TimeDelta = TimeDelta::seconds(30);
/// And at the most rarely: the runtime reminds of one event a thousand times, which is more than a day of these.
const REFRESH_MAX: TimeDelta = TimeDelta::minutes(5);
/// Messages of owners that are turned into one line at a time: those that were posted before it was clear.
const TURNED_MAX: usize = 6;
/// A node that stays in trouble for longer is not waited for any more.
const GIVEN_UP_AFTER: TimeDelta = TimeDelta::hours(24);

/// A node in trouble.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Storm {
    /// The event that keeps its message up to date.
    leader: EventId,
    /// When it began.
    pub(super) first: DateTime<Utc>,
    /// The last kill that is known.
    last: DateTime<Utc>,
    /// Why, by the kill that was noticed first.
    sentence: String,
    todo: String,
    /// Kills in its message; none before it is posted.
    told: Option<usize>,
    /// Who took it on.
    pub(super) acknowledged: Option<Pressed>,
    /// Who wants to hear nothing of it, until when.
    pub(super) snoozed: Option<Pressed>,
}

/// Who else died on the node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Company {
    /// Other workloads within ten minutes, with their kills.
    pub(super) neighbours: Vec<(String, usize)>,
    /// Owners of pods that died within the window, this one among them.
    owners: usize,
    /// Those of them that died in the same manner.
    owners_alike: usize,
    last: Option<DateTime<Utc>>,
    /// Why it is not known, where it is not.
    pub(super) gap: Option<String>,
}

impl Company {
    /// Whether this is the node's incident.
    pub(super) fn is_storm(&self, cause: Cause, subject: &Subject) -> bool {
        let enough = (is_of_node(cause) && self.owners_alike >= OWNERS_ALIKE_MIN) || self.owners >= OWNERS_ANY_MIN;
        enough && !subject.cannot_start && !cause.is_suppressed()
    }

    /// Whether it may become the node's incident: then it is waited for a moment.
    pub(super) fn may_be_storm(&self, cause: Cause, subject: &Subject) -> bool {
        (is_of_node(cause) || self.owners > 1) && !subject.cannot_start
    }
}

fn is_of_node(cause: Cause) -> bool {
    cause.class() == Class::Node
}

/// Who else died on the node of a kill.
pub(super) fn company(subject: &Subject, lookups: &Lookups<'_>) -> Company {
    let Some(node) = subject.node.as_deref() else { return Company::default() };
    let window = around(subject.at, NEIGHBOURS_WITHIN, NEIGHBOURS_WITHIN);
    let kills = match kills_on((&subject.cluster, node), window, lookups) {
        Ok(killed) => killed.pods,
        Err(unavailable) => {
            let gap = Some(format!("other kills on {node}: {unavailable}"));
            return Company { owners: 1, owners_alike: 1, gap, ..Company::default() };
        }
    };
    let own = format!("{}/{}", subject.namespace, subject.workload);
    let close: Vec<_> = kills.iter().filter(|told| (told.at - subject.at).abs() <= WINDOW).collect();
    let alike = |told: &&&Told<Pod>| told.kind == Kind::PodEvicted || told.data.reason == subject.reason;
    let owners = |told: &[&Told<Pod>]| -> usize {
        let owners: BTreeSet<_> = told.iter().map(|told| owner(&told.data)).chain([own.clone()]).collect();
        owners.len()
    };
    let all = owners(&close);
    let last = close.iter().map(|told| told.at).max();
    let close_alike: Vec<_> = close.iter().filter(alike).copied().collect();
    let mut neighbours = by_owner(&kills);
    neighbours.retain(|(workload, _)| *workload != own);
    Company { neighbours, owners: all, owners_alike: owners(&close_alike), last, gap: None }
}

/// The node's trouble that a kill is only a part of.
pub(super) fn absorbing(subject: &Subject, lookups: &Lookups<'_>) -> Option<String> {
    let node = subject.node.as_deref().filter(|_| !subject.cannot_start)?;
    let storm = Storm::of(&subject.cluster, node, lookups)?;
    let within = storm.first - WINDOW..=storm.last + WINDOW + storm.refresh_after();
    within.contains(&subject.at).then(|| format!("it is part of the incident of node {node}"))
}

/// What begins the node's incident, in a run of which nothing else comes.
pub(super) fn begun(subject: &Subject, verdict: &Verdict, company: &Company, lookups: &Lookups<'_>) -> Decision {
    let owners = format!("{} owners lost pods on its node: that is the node's incident", company.owners);
    Decision::act(begin(subject, verdict, company, lookups), owners)
}

/// Begins the node's incident, or lets it go on; the caller's event leads it.
pub(super) fn begin(subject: &Subject, verdict: &Verdict, company: &Company, lookups: &Lookups<'_>) -> Vec<Action> {
    let Some(node) = subject.node.as_deref() else { return Vec::new() };
    let last = company.last.unwrap_or(subject.at);
    // One whose leader is not heard of any more is over.
    let is_led = |storm: &Storm| subject.at - storm.last < quiet_needed(lookups) + WINDOW;
    if let Some(mut storm) = Storm::of(&subject.cluster, node, lookups).filter(is_led) {
        storm.last = storm.last.max(last);
        return vec![storm.save(&subject.cluster, node)];
    }
    let storm = Storm {
        leader: subject.event,
        first: subject.at,
        last,
        sentence: verdict.sentence.clone(),
        todo: verdict.todo.clone(),
        told: None,
        acknowledged: None,
        snoozed: None,
    };
    let remind = Note::Storm.after(SETTLE);
    vec![storm.save(&subject.cluster, node), remind]
}

/// Counts how far it has gone, and says so.
pub(super) fn refresh(subject: &Subject, lookups: &Lookups<'_>) -> (Vec<Action>, String) {
    let stored = subject.node.as_deref().and_then(|node| Some((node, Storm::of(&subject.cluster, node, lookups)?)));
    let Some((node, mut storm)) = stored.filter(|(_, storm)| storm.leader == subject.event) else {
        return (Vec::new(), "the incident of its node is over".to_owned());
    };
    let now = lookups.now();
    let kills = kills_on((&subject.cluster, node), [storm.first - WINDOW, now.max(storm.last) + WINDOW], lookups);
    let killed = kills.unwrap_or_default();
    let kills = &killed.pods;
    storm.first = kills.iter().map(|told| told.at).min().unwrap_or(storm.first).min(storm.first);
    storm.last = kills.iter().map(|told| told.at).max().unwrap_or(storm.last).max(storm.last);
    let quiet = now - storm.last;
    let is_over = quiet >= quiet_needed(lookups) || now - storm.first >= GIVEN_UP_AFTER;
    let mut actions = Vec::new();
    let silent = storm.snoozed.as_ref().is_some_and(|snoozed| snoozed.at > now);
    if is_over || (storm.told != Some(kills.len()) && !silent) {
        actions.push(told::post(&storm, (&subject.cluster, node), &killed, is_over, lookups));
        actions.extend(turn(&storm, (&subject.cluster, node), kills, lookups));
        storm.told = Some(kills.len());
    }
    if is_over {
        actions.push(Action::SaveState { key: state_key(&subject.cluster, node), value: None });
        return (actions, format!("node {node} is quiet"));
    }
    actions.push(storm.save(&subject.cluster, node));
    actions.push(Note::Storm.after(storm.refresh_after().to_std().unwrap_or(SETTLE)));
    (actions, format!("{} kills on node {node}", kills.len()))
}

/// The message once more, after a button was pressed.
pub(super) fn post_again(storm: &Storm, (cluster, node): (&str, &str), lookups: &Lookups<'_>) -> Vec<Action> {
    let window = [storm.first - WINDOW, lookups.now().max(storm.last) + WINDOW];
    let kills = kills_on((cluster, node), window, lookups).unwrap_or_default();
    vec![told::post(storm, (cluster, node), &kills, false, lookups), storm.save(cluster, node)]
}

/// Messages of owners that were posted before it was clear become one line.
fn turn(storm: &Storm, (cluster, node): (&str, &str), kills: &[Told<Pod>], lookups: &Lookups<'_>) -> Vec<Action> {
    // Only the first kills can have been told by themselves.
    let early = kills.iter().rev().take_while(|told| told.at <= storm.first + WINDOW).take(2 * TURNED_MAX);
    let keys: BTreeSet<String> = early
        .filter_map(|told| {
            let pod = &told.data;
            let container = pod.container.as_deref().unwrap_or("-");
            Some(key(cluster, pod.namespace.as_deref()?, &workload(pod), container))
        })
        .collect();
    let mut actions = Vec::new();
    for key in keys {
        let mut file = CaseFile::read(key, lookups);
        let began = |first: DateTime<Utc>| (first - storm.first).abs() <= WINDOW;
        let turned: Vec<u64> = file
            .incidents
            .iter()
            .filter(|incident| incident.stage == Stage::Posted && incident.node.as_deref() == Some(node))
            .filter(|incident| began(incident.first))
            .map(|incident| incident.number)
            .collect();
        for number in &turned {
            let Some(incident) = file.numbered(*number) else { continue };
            incident.stage = Stage::OfNode;
            let incident = incident.clone();
            actions.push(of_node(&file, &incident, node, link(storm, lookups)));
        }
        if !turned.is_empty() {
            actions.push(file.save());
        }
        if actions.len() >= 2 * TURNED_MAX {
            break;
        }
    }
    actions
}

/// Where the node's incident is told.
fn link(storm: &Storm, lookups: &Lookups<'_>) -> Vec<Span> {
    match super::report_address(storm.leader, lookups) {
        Some(address) => vec![Span::plain(", see "), Span::link("its report", address), Span::plain(".")],
        None => vec![Span::plain(", which is told where the platform is talked about.")],
    }
}

/// Kills by the workload that they hit, the most first.
fn by_owner(kills: &[Told<Pod>]) -> Vec<(String, usize)> {
    let mut owners: BTreeMap<String, usize> = BTreeMap::new();
    for told in kills {
        *owners.entry(owner(&told.data)).or_default() += 1;
    }
    let mut owners: Vec<_> = owners.into_iter().collect();
    owners.sort_by(|(one, many), (other, more)| more.cmp(many).then_with(|| one.cmp(other)));
    owners
}

fn owner(pod: &Pod) -> String {
    format!("{}/{}", pod.namespace.as_deref().unwrap_or_default(), workload(pod))
}

fn workload(pod: &Pod) -> String {
    pod.workload.clone().unwrap_or_else(|| format!("Pod/{}", pod.pod.as_deref().unwrap_or_default()))
}

fn state_key(cluster: &str, node: &str) -> String {
    format!("storm/{cluster}/{node}")
}

impl Storm {
    /// The trouble of a node, if it is in trouble.
    pub(super) fn of(cluster: &str, node: &str, lookups: &Lookups<'_>) -> Option<Self> {
        serde_json::from_str(&lookups.state(state_key(cluster, node))?).ok()
    }

    /// How long until it is counted again.
    fn refresh_after(&self) -> TimeDelta {
        ((self.last - self.first) / 20).clamp(REFRESH_MIN, REFRESH_MAX)
    }

    fn save(&self, cluster: &str, node: &str) -> Action {
        Action::SaveState { key: state_key(cluster, node), value: serde_json::to_string(self).ok() }
    }
}

/// The cluster and the node of a button's value, if it is one of a node's incident.
pub(super) fn read_group(value: &str) -> Option<(&str, &str)> {
    let (key, _) = value.rsplit_once('@')?;
    key.strip_prefix("storm/")?.rsplit_once('/')
}
