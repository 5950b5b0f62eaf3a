//! Facts: what Ledger keeps of the events, one plain struct per kind of fact.
//!
//! A fact is folded from events in any order, any number of times, with the same result. It holds no person: only
//! [`PersonHash`], which serves to count distinct people and never leaves this crate.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use bus::data::{Manner, Outcome};
use bus::ids::EventId;
use bus::key::bounded;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::fold::told::Told;

/// A keyed hash of a handle. It is never shown, exported or logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PersonHash(pub(crate) u64);

/// Key of a fact, unique among all tools: `github.com/acme/shop#12`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FactKey(pub String);

impl FactKey {
    /// The key of that name, as every engine can keep it.
    #[must_use]
    pub(crate) fn of(name: String) -> Self {
        match bounded(&name) {
            Cow::Borrowed(_) => Self(name),
            Cow::Owned(name) => Self(name),
        }
    }
}

impl From<String> for FactKey {
    fn from(key: String) -> Self {
        Self(key)
    }
}

/// A value that a later statement of the tool replaces: the one with the greatest (time, event) wins, whatever the
/// order of arrival.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latest<T> {
    /// When the tool said so.
    pub at: DateTime<Utc>,
    /// In which event; breaks ties.
    pub event: EventId,
    /// What it said.
    pub value: T,
}

/// An instant together with the event that tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Moment {
    /// When.
    pub at: DateTime<Utc>,
    /// The event that tells it.
    pub event: EventId,
}

/// A change: pull request, merge request, or direct push to the default branch. Key: `repository#number`, or
/// `repository@sha` for a direct push.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Change {
    /// `host/owner/name`.
    pub repository: String,
    /// The forge's number; none for a direct push.
    pub number: Option<u64>,
    /// True for a push to the default branch outside a change. One whose sha is another change's `merge_sha` is no
    /// change of its own.
    pub direct: bool,
    /// Earliest author time of its commits.
    pub first_commit: Option<Moment>,
    /// Opened.
    pub opened: Option<Moment>,
    /// Left draft, or opened as no draft.
    pub ready: Option<Moment>,
    /// Merged.
    pub merged: Option<Moment>,
    /// Closed without being merged; reopened if a later `reopened` exists.
    pub closed: Option<Moment>,
    /// Latest time at which the forge said that it is open: after `closed`, it was opened again.
    pub reopened: Option<Moment>,
    /// The commit it became on the base branch.
    pub merge_sha: Option<String>,
    /// Latest commits of its branch, as told at one time or another.
    pub heads: BTreeSet<String>,
    /// The branch it goes to.
    pub base_branch: Option<String>,
    /// True if that is the repository's default branch; none if unknown.
    pub to_default_branch: Option<bool>,
    /// Lines added, deleted, number of files and of commits, as last told.
    pub size: Option<Latest<Size>>,
    /// Who opened it.
    pub author: Option<PersonHash>,
    /// True if an app or a bot opened it.
    pub author_is_bot: bool,
    /// Reviews and comments on code by others than bots, each with its event: (moment, person, requested changes, approved).
    pub reviews: BTreeMap<EventId, ReviewMark>,
    /// Pushes to the change after it was opened.
    pub pushes: BTreeSet<Moment>,
    /// Commit that this change reverts, or `#number`.
    pub reverts: Option<String>,
    /// Top-level paths it touches, where known.
    pub paths: BTreeSet<String>,
    /// Which event each field was taken from.
    pub(crate) told: Told,
}

/// Size of a change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Lines added.
    pub additions: u64,
    /// Lines deleted.
    pub deletions: u64,
    /// Files changed.
    pub files: Option<u64>,
    /// Commits.
    pub commits: Option<u64>,
}

/// A review of, or a comment on the code of, a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewMark {
    /// When.
    pub at: DateTime<Utc>,
    /// By whom; none if the sender does not say.
    pub person: Option<PersonHash>,
    /// Asked for changes.
    pub requested_changes: bool,
    /// Approved.
    pub approved: bool,
}

/// An attempt to put a version of a service into an environment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Deployment {
    /// `host/owner/name`, where known.
    pub repository: Option<String>,
    /// The service, where the sender names one.
    pub service: Option<String>,
    /// The environment, in the sender's word.
    pub environment: Option<String>,
    /// Whether the sender calls it production.
    pub production: Option<bool>,
    /// The commit.
    pub sha: Option<String>,
    /// Branch or tag.
    pub git_ref: Option<String>,
    /// Name of the version.
    pub version: Option<String>,
    /// Began.
    pub started: Option<Moment>,
    /// Ended, with its outcome: the latest end that was told.
    pub finished: Option<Latest<Outcome>>,
    /// Rollback or hotfix, where the sender says so.
    pub manner: Option<Manner>,
    /// Id of the deployment that this one makes good, where the sender says so.
    pub fixes: Option<String>,
    /// Which event each field was taken from.
    pub(crate) told: Told,
}

/// One run of a CI pipeline. Key: the tool's id and the attempt.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PipelineRun {
    /// `host/owner/name`, where known.
    pub repository: Option<String>,
    /// Name of the pipeline.
    pub pipeline: Option<String>,
    /// The commit.
    pub sha: Option<String>,
    /// The branch.
    pub branch: Option<String>,
    /// True if that is the default branch; none if unknown.
    pub on_default_branch: Option<bool>,
    /// The change it runs for.
    pub change: Option<u64>,
    /// Asked for.
    pub queued: Option<Moment>,
    /// Began.
    pub started: Option<Moment>,
    /// Ended, with its outcome.
    pub finished: Option<Latest<Outcome>>,
    /// Which event each field was taken from.
    pub(crate) told: Told,
}

/// Something that went wrong for users.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Incident {
    /// The service, where the sender names one.
    pub service: Option<String>,
    /// `host/owner/name`, where known.
    pub repository: Option<String>,
    /// The environment, in the sender's word.
    pub environment: Option<String>,
    /// In the sender's word.
    pub severity: Option<String>,
    /// Id, version or commit of the deployment to blame, where the sender says so.
    pub deployment: Option<String>,
    /// Noticed.
    pub detected: Option<Moment>,
    /// Taken on.
    pub acknowledged: Option<Moment>,
    /// Over.
    pub resolved: Option<Moment>,
    /// Which event each field was taken from.
    pub(crate) told: Told,
}

/// Coverage or findings of one commit by one tool. Key: repository or service, sha, tool, measure.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Measurement {
    /// `host/owner/name`, where known.
    pub repository: Option<String>,
    /// The service, where the sender names one.
    pub service: Option<String>,
    /// The commit.
    pub sha: Option<String>,
    /// Who measured.
    pub tool: Option<String>,
    /// Covered share, 0 to 1.
    pub coverage: Option<Latest<f64>>,
    /// Findings by the tool's own severity.
    pub findings: Option<Latest<BTreeMap<String, u64>>>,
    /// Which event each field was taken from.
    pub(crate) told: Told,
}

/// A known vulnerability.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Vulnerability {
    /// `host/owner/name`, where known.
    pub repository: Option<String>,
    /// In the sender's word.
    pub severity: Option<String>,
    /// Found.
    pub detected: Option<Moment>,
    /// Gone.
    pub resolved: Option<Moment>,
    /// Which event each field was taken from.
    pub(crate) told: Told,
}

/// The commits of a repository as far as they are known. `parents` is none where a push names a commit without them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Commit {
    /// `host/owner/name`.
    pub repository: String,
    /// Commits it reaches directly: its parents, or for the head of a push all that came with it and what was there before.
    pub reaches: Option<BTreeSet<String>>,
    /// True if `reaches` are its parents, as git knows them.
    pub exact: bool,
    /// Author time, where known.
    pub authored_at: Option<DateTime<Utc>>,
    /// Pushes whose head it was.
    pub pushes: BTreeSet<Pushed>,
}

/// A push, as far as it tells when work began.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Pushed {
    /// The earliest commit that it brought, and the event that tells of it.
    pub first_commit: Moment,
    /// What the branch pointed at before.
    pub before: Option<String>,
    /// True if it went to the default branch.
    pub to_default_branch: bool,
}

/// All facts, in memory.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// By `repository#number` or `repository@sha`.
    pub changes: BTreeMap<FactKey, Change>,
    /// By the tool's id.
    pub deployments: BTreeMap<FactKey, Deployment>,
    /// By the tool's id and the attempt.
    pub pipeline_runs: BTreeMap<FactKey, PipelineRun>,
    /// By the tool's id.
    pub incidents: BTreeMap<FactKey, Incident>,
    /// By repository or service, sha, tool.
    pub measurements: BTreeMap<FactKey, Measurement>,
    /// By the tool's id.
    pub vulnerabilities: BTreeMap<FactKey, Vulnerability>,
    /// By `repository@sha`.
    pub commits: BTreeMap<FactKey, Commit>,
    /// Time of the newest event folded in.
    pub data_through: Option<DateTime<Utc>>,
    /// Per repository or service name as the sender gives it: time of the first event.
    pub first_seen: BTreeMap<String, DateTime<Utc>>,
}
