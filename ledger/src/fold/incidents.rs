//! What goes wrong and is made good: incidents and vulnerabilities.

use bus::data::Data;
use bus::event::Event;
use bus::kind::Kind;

use super::told::{Field, Instant};
use super::{Fold, key_of, said};
use crate::facts::Moment;

impl Fold<'_> {
    pub(super) fn incident(&mut self, event: &Event) {
        let Data::Incident(data) = &event.data else { return };
        let key = key_of(event, &data.id);
        self.touched.incidents.insert(key.clone());
        let incident = self.facts.incidents.entry(key).or_default();
        let (said, told) = (said(event), &mut incident.told);
        told.set(Field::Service, said, &mut incident.service, data.service.as_ref());
        told.set(Field::Repository, said, &mut incident.repository, data.repository.as_ref());
        told.set(Field::Environment, said, &mut incident.environment, data.environment.as_ref());
        told.set(Field::Severity, said, &mut incident.severity, data.severity.as_ref());
        told.set(Field::Blamed, said, &mut incident.deployment, data.deployment.as_ref());
        let by_kind = |kind: &Kind| (event.kind == *kind).then_some(event.time);
        let noticed = by_kind(&Kind::IncidentDetected).or(by_kind(&Kind::IncidentReported));
        if let Some(at) = data.detected_at.or(noticed) {
            let said = Moment { at, event: event.id };
            told.earliest(Instant::Detected, &mut incident.detected, said, noticed.is_some());
        }
        let taken_on = by_kind(&Kind::IncidentAcknowledged);
        if let Some(at) = data.acknowledged_at.or(taken_on) {
            let said = Moment { at, event: event.id };
            told.earliest(Instant::Acknowledged, &mut incident.acknowledged, said, taken_on.is_some());
        }
        let over = by_kind(&Kind::IncidentResolved);
        if let Some(at) = data.resolved_at.or(over) {
            told.latest(Instant::Resolved, &mut incident.resolved, Moment { at, event: event.id }, over.is_some());
        }
    }

    pub(super) fn vulnerability(&mut self, event: &Event) {
        let Data::Vulnerability(data) = &event.data else { return };
        let key = key_of(event, &data.id);
        self.touched.vulnerabilities.insert(key.clone());
        let vulnerability = self.facts.vulnerabilities.entry(key).or_default();
        let (said, told) = (said(event), &mut vulnerability.told);
        told.set(Field::Repository, said, &mut vulnerability.repository, data.repository.as_ref());
        told.set(Field::Severity, said, &mut vulnerability.severity, data.severity.as_ref());
        let detects = event.kind == Kind::VulnerabilityDetected;
        if let Some(at) = data.detected_at.or(detects.then_some(event.time)) {
            let said = Moment { at, event: event.id };
            told.earliest(Instant::Detected, &mut vulnerability.detected, said, detects);
        }
        if let Some(at) = data.resolved_at.or((!detects).then_some(event.time)) {
            let said = Moment { at, event: event.id };
            told.latest(Instant::Resolved, &mut vulnerability.resolved, said, !detects);
        }
    }
}
