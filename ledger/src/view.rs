//! A consistent picture of everything Ledger knows at one moment: what pages, the API and the command line ask.

use std::collections::HashMap;
use std::sync::OnceLock;

use bus::ids::EventId;
use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::catalog::Catalog;
use crate::derive::Derived;
use crate::derive::deployments::Logical;
use crate::derive::places::Place;
use crate::facts::Facts;
use crate::frames::{Frame, Keys};
use crate::groups::People;
use crate::metrics::{LIST, Metric, World};
use crate::report::{Ask, Definition, Evidence, Report, Scope};
use crate::rules::Rules;
use crate::status::{FirstEvents, Signals};
use crate::window::Calendar;

mod questions;

use questions::span;

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
    /// The query could not be run: a fault of the program, not of the question.
    #[error("the metric could not be computed: {0}")]
    Computation(String),
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

/// What pages, the API and the command line ask of Ledger. It never changes, and holds all that its answers need:
/// share it by `Arc`.
pub struct View {
    catalog: Catalog,
    rules: Rules,
    calendar: Calendar,
    derived: Derived,
    people: People,
    signals: Signals,
    first_events: FirstEvents,
    data_through: Option<DateTime<Utc>>,
    keys: Keys,
    /// In the order of [`LIST`].
    frames: Vec<Result<Frame, String>>,
    /// By event: metric and row. Made when it is first asked for.
    uses: OnceLock<HashMap<EventId, Vec<(usize, usize)>>>,
    loading: bool,
}

impl std::fmt::Debug for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View").field("data_through", &self.data_through).finish_non_exhaustive()
    }
}

impl View {
    /// A view of these facts. What they name and the catalog does not hold is added to it.
    #[must_use]
    pub fn build(facts: &Facts, catalog: &Catalog, rules: &Rules, calendar: Calendar) -> Self {
        let catalog = catalog.completed(facts);
        let derived = Derived::new(facts, &catalog, rules);
        let world = World::new(facts, &derived, rules);
        let frame = |metric: &Metric| Frame::new((metric.rows)(&world)).map_err(|error| error.to_string());
        Self {
            people: People::new(facts, &derived),
            signals: Signals::new(facts, &derived, &catalog),
            first_events: FirstEvents::new(facts, &catalog),
            data_through: facts.data_through,
            keys: Keys::new(&world),
            frames: LIST.iter().map(frame).collect(),
            uses: OnceLock::new(),
            rules: rules.clone(),
            calendar,
            catalog,
            derived,
            loading: false,
        }
    }

    /// The same, known to lack facts that are being loaded.
    pub(crate) fn loading(self) -> Self {
        Self { loading: true, ..self }
    }

    /// True while the facts of a program that starts are being loaded: until then nothing it says may be shown.
    #[must_use]
    pub fn is_loading(&self) -> bool {
        self.loading
    }

    /// The metrics there are, in the order of pages.
    #[must_use]
    pub fn definitions(&self) -> Vec<Definition> {
        LIST.iter().map(|metric| metric.definition).collect()
    }

    /// Answers a metric. Milliseconds, without I/O.
    ///
    /// # Errors
    /// If metric or scope do not exist.
    pub fn report(&self, metric: &str, ask: &Ask) -> Result<Report, AskError> {
        let (metric, frame) = self.metric(metric)?;
        let buckets = ask.window.buckets();
        let withheld = self.withheld(metric, ask)?;
        let answer = match &withheld {
            Some(_) => self.nothing(metric, &buckets),
            None => self.answer(metric, frame, ask, &buckets)?,
        };
        Ok(Report {
            definition: metric.definition,
            scope: ask.scope.clone(),
            environment: ask.environment.clone(),
            points: answer.points,
            total: answer.total,
            groups: answer.groups,
            notes: answer.notes,
            left_out: answer.left_out,
            withheld,
            data_through: self.data_through,
        })
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
        let (metric, frame) = self.metric(metric)?;
        if let Some(withheld) = self.withheld(metric, ask)? {
            return Err(AskError::Withheld(withheld.reason));
        }
        let buckets = ask.window.buckets();
        let span = span(ask, &buckets);
        let selected = frame.select(&self.within(ask)?, &span);
        let number = |labels: Vec<&str>, label: &str| {
            let found = labels.iter().position(|known| *known == label);
            found.ok_or_else(|| AskError::NoBucket(label.to_owned()))
        };
        let bucket = bucket.map(|label| number(buckets.iter().map(|bucket| bucket.label.as_str()).collect(), label));
        let groups = (metric.groups)(&self.rules);
        let group = group.map(|label| number(groups.iter().map(String::as_str).collect(), label));
        let (bucket, group) = (bucket.transpose()?, group.transpose()?);
        let chosen = selected.evidence(frame, bucket, group);
        Ok(chosen.into_iter().filter_map(|row| row.evidence(&self.keys, ask.window.now)).collect())
    }

    /// Which metrics used an event: the reverse of [`View::evidence`].
    #[must_use]
    pub fn counted_in(&self, event: EventId) -> Vec<CountedIn> {
        let uses = self.uses.get_or_init(|| self.index_uses()).get(&event).map_or(&[][..], Vec::as_slice);
        let mut found: Vec<CountedIn> = Vec::new();
        for (number, index) in uses {
            let Some(Metric { definition, .. }) = LIST.get(*number) else { continue };
            let Some(row) = self.frame(*number).and_then(|frame| frame.row(*index)) else { continue };
            let service = row.place.service.and_then(|code| self.derived.places.service_name(code));
            let counted = CountedIn {
                metric: definition.name,
                title: definition.title,
                at: row.at,
                service: service.map(ToString::to_string),
                left_out: row.part.why_not_counted().map(str::to_owned),
            };
            if !found.contains(&counted) {
                found.push(counted);
            }
        }
        found
    }

    /// How the services of a scope stand at `now`: failing, silent, not configured, passing; then by name.
    ///
    /// # Errors
    /// If the scope does not exist.
    pub fn status(&self, scope: &Scope, now: DateTime<Utc>) -> Result<Vec<ServiceStatus>, AskError> {
        let services = self.services_of(scope)?;
        Ok(self.signals.of_services(&self.derived, &services, now))
    }

    /// The latest finished deployments of a scope, newest first.
    ///
    /// # Errors
    /// If the scope does not exist.
    pub fn recent_deployments(&self, scope: &Scope, limit: usize) -> Result<Vec<RecentDeployment>, AskError> {
        let within = self.places_within(scope)?;
        let name = |place: &Place| place.service.and_then(|code| self.derived.places.service_name(code));
        let latest =
            self.derived.deployments.iter().rev().filter(|deployment| within.holds_any_tier(&deployment.place));
        let recent = |deployment: &Logical| RecentDeployment {
            fact: deployment.key.0.clone(),
            service: name(&deployment.place).map(ToString::to_string).unwrap_or_default(),
            environment: deployment.environment.clone(),
            sha: deployment.sha.clone(),
            version: deployment.version.clone(),
            finished_at: deployment.finished_at,
            outcome: deployment.outcome.name(),
            kind: deployment.kind.name(),
            changes: deployment.changes,
            event: deployment.event,
        };
        Ok(latest.take(limit).map(recent).collect())
    }

    /// Teams by name, with the names of their services.
    #[must_use]
    pub fn teams(&self) -> Vec<Team> {
        let team = |entry: &crate::catalog::TeamEntry| {
            let services = self.catalog.services_of(&Scope::Team(entry.name.clone())).unwrap_or_default();
            Team {
                name: entry.name.clone(),
                title: entry.title.clone(),
                parent: entry.parent.clone(),
                services: services.into_iter().map(ToString::to_string).collect(),
            }
        };
        self.catalog.teams().map(team).collect()
    }

    /// Services by name.
    #[must_use]
    pub fn services(&self) -> Vec<Service> {
        let service = |entry: &crate::catalog::ServiceEntry| Service {
            name: entry.name.to_string(),
            title: entry.title.clone(),
            team: entry.team.clone(),
            repository: entry.repository.clone(),
            path: entry.path.clone(),
            in_catalog: entry.in_catalog,
            first_event_at: self.first_events.of_service(entry.name.as_str()),
        };
        self.catalog.services().map(service).collect()
    }

    /// The organisation's calendar.
    #[must_use]
    pub fn calendar(&self) -> Calendar {
        self.calendar
    }

    /// Time of the newest event that the facts include.
    #[must_use]
    pub fn data_through(&self) -> Option<DateTime<Utc>> {
        self.data_through
    }

    /// Time of the first event of a scope: where its axis begins.
    ///
    /// # Errors
    /// If the scope does not exist.
    pub fn first_event_at(&self, scope: &Scope) -> Result<Option<DateTime<Utc>>, AskError> {
        let services = self.services_of(scope)?;
        Ok(self.first_events.of(scope, &services))
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
