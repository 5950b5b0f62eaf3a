//! What the bot remembers: the incidents of a workload's container, so that one failure is one message however often
//! it repeats.
//!
//! An incident is a cluster, a workload, a container, a cause and an image. Another image is another incident, which
//! says that the same failure was there before.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::cause::{Cause, Verdict};
use super::subject::Subject;
use crate::action::{Action, Audience};
use crate::lookups::Lookups;
use crate::message::{Block, Message, Span};

/// Incidents of one container of one workload that are remembered; beyond it the oldest are forgotten.
const INCIDENTS_MAX: usize = 6;
/// Runs that are remembered, so that none is counted twice: a run is told of as killed, then as crash-looping.
const RUNS_MAX: usize = 20;
/// A file as text: the runtime keeps values of at most 64 KiB.
const FILE_BYTES_MAX: usize = 60 << 10;
/// The runtime keeps keys of at most 512 bytes; names of clusters are shorter than this together.
const KEY_BYTES_MAX: usize = 480;
/// Pods of an incident that are told apart.
const PODS_MAX: usize = 50;

/// Where an incident stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Stage {
    /// It waits to see whether its whole node is in trouble.
    Settling,
    /// It has a message of its own.
    Posted,
    /// Its team had too many messages in this hour; it stands in the hour's digest.
    InDigest,
    /// Its node is in trouble; its message says only that.
    OfNode,
    /// It is over.
    Resolved {
        /// Since when.
        at: DateTime<Utc>,
        /// What shows it.
        because: String,
    },
}

/// Somebody who pressed a button.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pressed {
    /// The chat tool's id of the person.
    pub(super) by: String,
    /// When, or until when it holds.
    pub(super) at: DateTime<Utc>,
}

/// One failure, however often it repeats.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Incident {
    /// Number within its file, from 1; with it, what the message and its buttons are known by.
    pub(super) number: u64,
    /// The cause's name.
    pub(super) cause: String,
    /// What the pod alone says of the cause: where the next kill says the same, nothing needs to be asked.
    pub(super) signature: String,
    /// What ran.
    pub(super) digest: String,
    /// Where the last kill was.
    pub(super) node: Option<String>,
    /// The first kill.
    pub(super) first: DateTime<Utc>,
    /// The last kill.
    pub(super) last: DateTime<Utc>,
    /// How many.
    pub(super) kills: usize,
    /// Runs that are counted already, the newest last.
    pub(super) runs: Vec<String>,
    /// Pods that were hit.
    pub(super) pods: Vec<String>,
    /// The cluster waits ever longer before it starts it again.
    pub(super) looping: bool,
    /// Where it stands.
    pub(super) stage: Stage,
    /// Who took it on.
    pub(super) acknowledged: Option<Pressed>,
    /// Who wants to hear nothing of it, until when.
    pub(super) snoozed: Option<Pressed>,
    /// Where it is told.
    pub(super) audience: Audience,
    /// Whose messages of an hour it counts among.
    pub(super) team: String,
    /// What died, how, and of what.
    pub(super) heading: String,
    /// Why, in a sentence.
    pub(super) why: Vec<Span>,
    /// What stands below since when.
    pub(super) below: Vec<Block>,
    /// For the thread, until it is posted.
    pub(super) detail: Option<Message>,
    /// Where the whole report is.
    pub(super) report: Option<String>,
}

/// The incidents of one container of one workload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct CaseFile {
    #[serde(skip)]
    pub(super) key: String,
    numbered: u64,
    pub(super) incidents: Vec<Incident>,
}

impl CaseFile {
    /// The file of what died.
    pub(super) fn of(subject: &Subject, lookups: &Lookups<'_>) -> Self {
        let container = subject.container.as_deref().unwrap_or("-");
        Self::read(key(&subject.cluster, &subject.namespace, &subject.workload, container), lookups)
    }

    /// The file of that key. One that cannot be read was written by another version: it begins anew.
    pub(super) fn read(key: String, lookups: &Lookups<'_>) -> Self {
        let stored: Option<Self> = lookups.state(key.as_str()).and_then(|text| serde_json::from_str(&text).ok());
        match stored {
            Some(file) => Self { key, ..file },
            None => Self { key, numbered: 0, incidents: Vec::new() },
        }
    }

    /// Keeps it; forgets it if nothing is left in it.
    pub(super) fn save(&self) -> Action {
        let mut kept = self.clone();
        let mut text = kept.text();
        while text.as_ref().is_some_and(|text| text.len() > FILE_BYTES_MAX) && kept.lighten() {
            text = kept.text();
        }
        Action::SaveState { key: self.key.clone(), value: text }
    }

    fn text(&self) -> Option<String> {
        if self.incidents.is_empty() { None } else { serde_json::to_string(self).ok() }
    }

    /// Leaves out what is missed least: a log of an old incident, and then the whole of it.
    fn lighten(&mut self) -> bool {
        let is_log = |block: &Block| matches!(block, Block::Code(_));
        let heavy = |incident: &&mut Incident| incident.detail.is_some() || incident.below.iter().any(is_log);
        if let Some(incident) = self.incidents.iter_mut().find(heavy) {
            incident.detail = None;
            incident.below.retain(|block| !is_log(block));
            return true;
        }
        let several = self.incidents.len() > 1;
        self.incidents.drain(..usize::from(several));
        several
    }

    /// The open incident that this kill is one more of, where the pod alone tells so.
    pub(super) fn like(&mut self, signature: &str, subject: &Subject) -> Option<&mut Incident> {
        let same = |incident: &&mut Incident| incident.signature == signature && incident.digest == subject.digest;
        self.open().find(same)
    }

    /// The open incident of a cause and an image.
    pub(super) fn of_cause(&mut self, verdict: &Verdict, subject: &Subject) -> Option<&mut Incident> {
        let cause = verdict.cause.name();
        self.open().find(|incident| incident.cause == cause && incident.digest == subject.digest)
    }

    /// The open incident that has counted a run already.
    pub(super) fn knowing(&mut self, run: &str) -> Option<&mut Incident> {
        self.open().find(|incident| incident.runs.iter().any(|known| known == run))
    }

    /// The last incident of the same cause, whatever ran then.
    pub(super) fn earlier(&self, cause: &str) -> Option<&Incident> {
        self.incidents.iter().rfind(|incident| incident.cause == cause)
    }

    /// The incident of that number.
    pub(super) fn numbered(&mut self, number: u64) -> Option<&mut Incident> {
        self.incidents.iter_mut().find(|incident| incident.number == number)
    }

    /// Adds an incident under the next number, which it gives.
    pub(super) fn add(&mut self, incident: Incident) -> u64 {
        self.numbered += 1;
        self.incidents.push(Incident { number: self.numbered, ..incident });
        while self.incidents.len() > INCIDENTS_MAX {
            self.incidents.remove(0);
        }
        self.numbered
    }

    /// Forgets an incident.
    pub(super) fn remove(&mut self, number: u64) {
        self.incidents.retain(|incident| incident.number != number);
    }

    /// What the message of an incident is known by, for the runtime and for its buttons.
    pub(super) fn group(&self, number: u64) -> String {
        format!("{}#{number}", self.key)
    }

    fn open(&mut self) -> impl Iterator<Item = &mut Incident> {
        self.incidents.iter_mut().filter(|incident| incident.is_open())
    }
}

/// Under which key the incidents of a container are kept.
pub(super) fn key(cluster: &str, namespace: &str, workload: &str, container: &str) -> String {
    let mut key = format!("workload/{cluster}/{namespace}/{workload}/{container}");
    key.truncate(key.floor_char_boundary(KEY_BYTES_MAX));
    key
}

impl Incident {
    /// Whether it may still go on.
    pub(super) const fn is_open(&self) -> bool {
        !matches!(self.stage, Stage::Resolved { .. })
    }

    /// Whether its message is kept up to date now.
    pub(super) fn is_told(&self, now: DateTime<Utc>) -> bool {
        self.stage == Stage::Posted && self.snoozed.as_ref().is_none_or(|snoozed| snoozed.at <= now)
    }

    /// Counts one more kill.
    pub(super) fn count(&mut self, subject: &Subject) {
        self.kills += 1;
        self.first = self.first.min(subject.at);
        self.last = self.last.max(subject.at);
        self.looping |= subject.looping;
        self.node.clone_from(&subject.node);
        self.runs.push(subject.run.clone());
        if self.runs.len() > RUNS_MAX {
            self.runs.remove(0);
        }
        if !self.pods.contains(&subject.uid) && self.pods.len() < PODS_MAX {
            self.pods.push(subject.uid.clone());
        }
    }

    /// How long it has been quiet.
    pub(super) fn quiet(&self, now: DateTime<Utc>) -> TimeDelta {
        now - self.last
    }
}

/// Whether the pod alone tells the cause, so that a kill like the one before needs no questions. Whoever is ended from
/// outside, or ends well, may be ended by anybody: only events tell by whom.
pub(super) fn is_told_by_pod(of_pod: &Verdict, subject: &Subject) -> bool {
    const SIGTERM: i64 = 143;
    let exit = subject.terminated().and_then(|terminated| super::json::number(terminated, "/exitCode"));
    !matches!(of_pod.cause, Cause::SigkillUnknown | Cause::Unknown | Cause::CompletedLoop) && exit != Some(SIGTERM)
}

/// What the pod alone says of a cause.
pub(super) fn signature(of_pod: &Verdict, subject: &Subject) -> String {
    let exit = subject.terminated().and_then(|terminated| super::json::number(terminated, "/exitCode"));
    let exit = exit.map(|code| code.to_string()).unwrap_or_default();
    format!("{}/{}/{exit}", of_pod.cause.name(), subject.reason.as_deref().unwrap_or_default())
}
