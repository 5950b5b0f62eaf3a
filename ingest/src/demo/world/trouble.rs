//! What goes wrong after a deployment, and how it is made good: rolled back, fixed in a hurry, or reverted.

use bus::data::Manner;
use chrono::{DateTime, Utc};

use super::super::happening::{Deployment, Happening, Incident};
use super::super::story::Sort;
use super::{Commission, Due, Order, World};

/// Of 100 deployments with changes of ordinary size, so many do harm.
const DOES_HARM: f64 = 0.105;
/// Of 100 that do harm, so many become an incident; the others are noticed by who deployed them.
const BECOMES_INCIDENT: f64 = 0.5;

/// What makes a deployment good.
#[derive(Debug, Clone)]
pub(in super::super) struct Remedy {
    /// Rollback or hotfix; none for a revert that goes the usual way.
    pub(super) manner: Option<Manner>,
    /// Id of the deployment that did harm.
    pub(super) fixes: u64,
    /// The incident that is over then.
    pub(super) incident: Option<Incident>,
}

impl World {
    /// Draws whether a deployment does harm: large changes more often, well covered services less often.
    pub(super) fn watch(&mut self, at: DateTime<Utc>, index: usize, deployment: Deployment, largest: f64) {
        let Some(service) = self.services.get(index) else { return };
        let size = 1.0 + 0.3 * (largest.max(5.0) / 60.0).ln();
        let cover = 1.0 + 1.2 * (0.7 - service.coverage);
        if self.random.chance((DOES_HARM * size * cover).clamp(0.02, 0.3)) {
            let minutes = self.random.log_normal(40.0, 0.9);
            let noticed_at = self.pace.run(at, minutes);
            self.later(noticed_at, Due::Notice(index, deployment));
        }
    }

    pub(super) fn notice(&mut self, at: DateTime<Utc>, index: usize, harmful: Deployment) {
        let fixes = harmful.id;
        let incident =
            if self.random.chance(BECOMES_INCIDENT) { self.detect(at, index, Some(harmful.sha)) } else { None };
        let Some(service) = self.services.get(index) else { return };
        let (before, latest) = (service.before.clone(), service.latest_change.clone());
        let way = self.random.unit();
        let minutes = self.random.log_normal(18.0, 0.6);
        let acts_at = self.pace.run(at, minutes);
        if let (Some(before), true) = (before, way < 0.45) {
            let remedy = Some(Remedy { manner: Some(Manner::Rollback), fixes, incident });
            return self.later(acts_at, Due::Deploy(index, Order { production: true, sha: Some(before), remedy }));
        }
        let (sort, manner) = match latest {
            Some((title, number)) if way > 0.8 => (Sort::Revert(title, number), None),
            Some(_) | None => (Sort::Hotfix, Some(Manner::Hotfix)),
        };
        let remedy = Some(Remedy { manner, fixes, incident });
        self.later(acts_at, Due::Open(Commission { remedy, ..Commission::of(index, sort) }));
    }

    /// The remedy is in production: its incident is over as soon as somebody has looked.
    pub(super) fn settle(&mut self, at: DateTime<Utc>, remedy: Remedy) {
        if let Some(incident) = remedy.incident {
            let minutes = self.random.between(2.0, 20.0);
            let over_at = self.pace.run(at, minutes);
            self.later(over_at, Due::Resolve(incident));
        }
    }

    pub(super) fn resolve(&mut self, at: DateTime<Utc>, incident: Incident) {
        self.tell(at, Happening::Incident(Incident { resolved_at: Some(at), ..incident }));
    }

    pub(super) fn open_incident(&mut self, at: DateTime<Utc>, index: usize) {
        self.detect(at, index, None);
    }

    fn detect(&mut self, at: DateTime<Utc>, index: usize, sha: Option<String>) -> Option<Incident> {
        let id = self.next_id();
        let description = self.random.pick(DESCRIPTIONS).unwrap_or_default();
        let severity = self.random.pick(&["critical", "major", "major", "minor", "minor"]).unwrap_or_default();
        let service = self.services.get(index)?;
        let incident = Incident {
            id,
            service: service.what.name,
            repository: service.what.repository,
            description,
            severity,
            sha,
            detected_at: at,
            resolved_at: None,
        };
        self.tell(at, Happening::Incident(incident.clone()));
        Some(incident)
    }
}

const DESCRIPTIONS: &[&str] = &[
    "error rate above 2 % for 5 minutes",
    "latency p99 above 1.5 s for 10 minutes",
    "queue grows for 15 minutes",
    "health check fails on half of the instances",
    "requests time out",
];
