//! A consistent picture of everything Ledger knows at one moment: what pages, the API and the command line ask.

use bus::ids::EventId;
use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::report::{Ask, Definition, Evidence, Report, Scope};
use crate::window::Calendar;

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// There is no such metric.
    #[error("no metric {0:?}")]
    NoMetric(String),
    /// There is no such team, service or repository.
    #[error("no {kind} {name:?}")]
    NoScope {
        /// `team`, `service` or `repository`.
        kind: &'static str,
        /// What was asked for.
        name: String,
    },
    /// The window has no such bucket, or the metric no such group.
    #[error("no bucket {0:?} in the window")]
    NoBucket(String),
    /// The figures are withheld, so their evidence is too.
    #[error("{0}")]
    Withheld(String),
}

/// A metric that counted an event.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CountedIn {
    /// Which metric.
    pub metric: &'static str,
    /// Title of the metric.
    pub title: &'static str,
    /// The instant that puts it in its bucket.
    pub at: DateTime<Utc>,
    /// The service it counted for, where there is one.
    pub service: Option<String>,
    /// Why it was left out, if it was.
    pub left_out: Option<String>,
}

/// State of one signal of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Signal {
    /// The latest ended well.
    Passing {
        /// Since when it is so.
        since: DateTime<Utc>,
        /// The event that says so.
        event: EventId,
    },
    /// The latest failed.
    Failing {
        /// Since when it is so: the first failure after the last success.
        since: DateTime<Utc>,
        /// What failed, in words.
        what: String,
        /// The event that says so.
        event: EventId,
    },
    /// Under way.
    Running {
        /// Since when.
        since: DateTime<Utc>,
        /// The event that says so.
        event: EventId,
    },
    /// No signal for longer than usual.
    Silent {
        /// When the last one came.
        since: DateTime<Utc>,
        /// The last event.
        event: EventId,
    },
    /// There never was one.
    NotConfigured,
}

/// How a service stands now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServiceStatus {
    /// Which service.
    pub service: String,
    /// Its latest pipeline run on the default branch.
    pub build: Signal,
    /// Its latest deployment to production.
    pub deployment: Signal,
    /// Its open or latest incident.
    pub runtime: Signal,
}

/// One deployment, for lists of recent ones.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RecentDeployment {
    /// Key of the fact.
    pub fact: String,
    /// Which service.
    pub service: String,
    /// The environment.
    pub environment: String,
    /// The commit.
    pub sha: Option<String>,
    /// Name of the version.
    pub version: Option<String>,
    /// When it ended.
    pub finished_at: DateTime<Utc>,
    /// `success`, `failure`, `cancelled` or `error`.
    pub outcome: &'static str,
    /// `deploy`, `rollback` or `hotfix`.
    pub kind: &'static str,
    /// How many changes it brought; none if unknown.
    pub changes: Option<u64>,
    /// The event that says so.
    pub event: EventId,
}

/// What pages, the API and the command line ask of Ledger.
#[derive(Debug)]
pub struct View {}

impl View {
    /// The metrics there are, in the order of pages.
    #[must_use]
    pub fn definitions(&self) -> Vec<Definition> {
        todo!()
    }

    /// Answers a metric. Milliseconds, without I/O.
    ///
    /// # Errors
    /// If metric or scope do not exist.
    pub fn report(&self, metric: &str, ask: &Ask) -> Result<Report, AskError> {
        todo!("{metric} {ask:?}")
    }

    /// The facts behind a figure: those of one bucket (by label), of one group (by label), or of all complete buckets.
    /// Left-out ones too, with their reason.
    ///
    /// # Errors
    /// If metric, scope or bucket do not exist, or the figures are withheld.
    pub fn evidence(
        &self,
        metric: &str,
        ask: &Ask,
        bucket: Option<&str>,
        group: Option<&str>,
    ) -> Result<Vec<Evidence>, AskError> {
        todo!("{metric} {ask:?} {bucket:?} {group:?}")
    }

    /// Which metrics used an event: the reverse of [`View::evidence`].
    #[must_use]
    pub fn counted_in(&self, event: EventId) -> Vec<CountedIn> {
        todo!("{event}")
    }

    /// How the services of a scope stand at `now`: failing, silent, not configured, passing; then by name.
    ///
    /// # Errors
    /// If the scope does not exist.
    pub fn status(&self, scope: &Scope, now: DateTime<Utc>) -> Result<Vec<ServiceStatus>, AskError> {
        todo!("{scope:?} {now}")
    }

    /// The latest finished deployments of a scope, newest first.
    ///
    /// # Errors
    /// If the scope does not exist.
    pub fn recent_deployments(&self, scope: &Scope, limit: usize) -> Result<Vec<RecentDeployment>, AskError> {
        todo!("{scope:?} {limit}")
    }

    /// Teams by name, with the names of their services.
    #[must_use]
    pub fn teams(&self) -> Vec<Team> {
        todo!()
    }

    /// Services by name.
    #[must_use]
    pub fn services(&self) -> Vec<Service> {
        todo!()
    }

    /// The organisation's calendar.
    #[must_use]
    pub fn calendar(&self) -> Calendar {
        todo!()
    }

    /// Time of the newest event that the facts include.
    #[must_use]
    pub fn data_through(&self) -> Option<DateTime<Utc>> {
        todo!()
    }
}

/// A team of the catalog, or `unassigned`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Team {
    /// Name in URLs.
    pub name: String,
    /// Name on a page.
    pub title: String,
    /// The team it is part of.
    pub parent: Option<String>,
    /// Services of it and of its sub-teams, by name.
    pub services: Vec<String>,
}

/// A service of the catalog, or one that follows from a repository without an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Service {
    /// Name in URLs: letters, digits, `.`, `_`, `-`.
    pub name: String,
    /// Name on a page.
    pub title: String,
    /// Owning team.
    pub team: String,
    /// The repository it lives in, where known.
    pub repository: Option<String>,
    /// The path within it, for a repository of many services.
    pub path: Option<String>,
    /// False if it follows from a repository without a catalog entry.
    pub in_catalog: bool,
    /// Time of its first event.
    pub first_event_at: Option<DateTime<Utc>>,
}
