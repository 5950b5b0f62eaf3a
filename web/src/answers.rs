//! The questions that pages ask of Ledger. [`View`] answers them; tests answer by hand.

use bus::ids::EventId;
use chrono::{DateTime, Utc};
use ledger::report::{Ask, Definition, Evidence, Report, Scope};
use ledger::view::{AskError, CountedIn, RecentDeployment, Service, ServiceStatus, Team, View};
use ledger::window::Calendar;

/// What pages need to know; each method is that of [`View`].
pub trait Answers: Send + Sync {
    /// The metrics there are, in the order of pages.
    fn definitions(&self) -> Vec<Definition>;

    /// Answers a metric.
    ///
    /// # Errors
    /// If metric or scope do not exist.
    fn report(&self, metric: &str, ask: &Ask) -> Result<Report, AskError>;

    /// The facts behind the figures: of one bucket, of one group, or of all complete buckets.
    ///
    /// # Errors
    /// If metric, scope or bucket do not exist, or the figures are withheld.
    fn evidence(
        &self,
        metric: &str,
        ask: &Ask,
        bucket: Option<&str>,
        group: Option<&str>,
    ) -> Result<Vec<Evidence>, AskError>;

    /// Which metrics used an event.
    fn counted_in(&self, event: EventId) -> Vec<CountedIn>;

    /// How the services of a scope stand.
    ///
    /// # Errors
    /// If the scope does not exist.
    fn status(&self, scope: &Scope, now: DateTime<Utc>) -> Result<Vec<ServiceStatus>, AskError>;

    /// The latest finished deployments, newest first.
    ///
    /// # Errors
    /// If the scope does not exist.
    fn recent_deployments(&self, scope: &Scope, limit: usize) -> Result<Vec<RecentDeployment>, AskError>;

    /// Teams by name.
    fn teams(&self) -> Vec<Team>;

    /// Services by name.
    fn services(&self) -> Vec<Service>;

    /// The organisation's calendar.
    fn calendar(&self) -> Calendar;

    /// Time of the newest event that the facts include.
    fn data_through(&self) -> Option<DateTime<Utc>>;

    /// True while facts are being loaded: nothing that is answered then may be shown.
    fn is_loading(&self) -> bool {
        false
    }
}

impl Answers for View {
    fn definitions(&self) -> Vec<Definition> {
        self.definitions()
    }

    fn report(&self, metric: &str, ask: &Ask) -> Result<Report, AskError> {
        self.report(metric, ask)
    }

    fn evidence(
        &self,
        metric: &str,
        ask: &Ask,
        bucket: Option<&str>,
        group: Option<&str>,
    ) -> Result<Vec<Evidence>, AskError> {
        self.evidence(metric, ask, bucket, group)
    }

    fn counted_in(&self, event: EventId) -> Vec<CountedIn> {
        self.counted_in(event)
    }

    fn status(&self, scope: &Scope, now: DateTime<Utc>) -> Result<Vec<ServiceStatus>, AskError> {
        self.status(scope, now)
    }

    fn recent_deployments(&self, scope: &Scope, limit: usize) -> Result<Vec<RecentDeployment>, AskError> {
        self.recent_deployments(scope, limit)
    }

    fn teams(&self) -> Vec<Team> {
        self.teams()
    }

    fn services(&self) -> Vec<Service> {
        self.services()
    }

    fn calendar(&self) -> Calendar {
        self.calendar()
    }

    fn data_through(&self) -> Option<DateTime<Utc>> {
        self.data_through()
    }

    fn is_loading(&self) -> bool {
        self.is_loading()
    }
}
