//! Folds events into facts. Pure; any order and any repetition of a set of events gives the same facts.
//!
//! Every kind is decided here: the ones without a fact are listed, so that a new kind does not go unnoticed.

use std::collections::HashSet;

use bus::event::Event;
use bus::key::bounded;
use bus::kind::Kind;

use crate::facts::{FactKey, Facts, Moment};
use crate::people::People;

mod changes;
mod code;
mod incidents;
mod runs;
pub(crate) mod told;

#[cfg(test)]
mod tests;

/// Raised whenever the same events give other facts: facts of an earlier version are then folded again from the log.
pub(crate) const FOLD_VERSION: u32 = 2;

/// Which facts were changed, and are to be written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Touched {
    pub(crate) changes: HashSet<FactKey>,
    pub(crate) deployments: HashSet<FactKey>,
    pub(crate) pipeline_runs: HashSet<FactKey>,
    pub(crate) incidents: HashSet<FactKey>,
    pub(crate) measurements: HashSet<FactKey>,
    pub(crate) vulnerabilities: HashSet<FactKey>,
    pub(crate) commits: HashSet<FactKey>,
    pub(crate) first_seen: HashSet<String>,
}

/// What an event is folded into.
#[derive(Debug)]
struct Fold<'a> {
    facts: &'a mut Facts,
    touched: &'a mut Touched,
    people: &'a People,
}

/// Folds one event in. Of an event that was read several times, only the latest reading may be handed in.
pub(crate) fn fold(facts: &mut Facts, touched: &mut Touched, event: &Event, people: &People) {
    facts.data_through = facts.data_through.max(Some(event.time));
    for name in [event.data.repository(), event.data.service()].into_iter().flatten().filter(|name| !name.is_empty()) {
        note_first_seen(facts, touched, name, event);
    }
    let mut fold = Fold { facts, touched, people };
    match &event.kind {
        Kind::ChangeCreated | Kind::ChangeUpdated | Kind::ChangeMerged | Kind::ChangeAbandoned => fold.change(event),
        Kind::ChangeReviewed | Kind::ReviewSubmitted => fold.review(event),
        Kind::ChangeCommented => fold.comment(event),
        Kind::CommitPushed => fold.push(event),
        Kind::DeploymentStarted
        | Kind::DeploymentFailed
        | Kind::ServiceDeployed
        | Kind::ServiceUpgraded
        | Kind::ServiceRolledBack => fold.deployment(event),
        Kind::PipelineRunQueued | Kind::PipelineRunStarted | Kind::PipelineRunFinished => fold.pipeline_run(event),
        Kind::IncidentDetected | Kind::IncidentReported | Kind::IncidentAcknowledged | Kind::IncidentResolved => {
            fold.incident(event);
        }
        Kind::CoverageMeasured => fold.coverage(event),
        Kind::AnalysisReported => fold.analysis(event),
        Kind::VulnerabilityDetected | Kind::VulnerabilityResolved => fold.vulnerability(event),
        // No fact follows from these: no metric reads them yet.
        Kind::ActionPerformed
        | Kind::ArtifactDeleted
        | Kind::ArtifactDownloaded
        | Kind::ArtifactPackaged
        | Kind::ArtifactPublished
        | Kind::ArtifactSigned
        | Kind::BranchCreated
        | Kind::BranchDeleted
        | Kind::BuildFinished
        | Kind::BuildQueued
        | Kind::BuildStarted
        | Kind::EnvironmentCreated
        | Kind::EnvironmentDeleted
        | Kind::EnvironmentModified
        | Kind::CommandInvoked
        | Kind::MessageAnswered
        | Kind::MessagePosted
        | Kind::NodePressured
        | Kind::PodCrashLooping
        | Kind::PodEvicted
        | Kind::PodKilled
        | Kind::PodUnschedulable
        | Kind::ReleasePublished
        | Kind::RepositoryCreated
        | Kind::RepositoryDeleted
        | Kind::RepositoryModified
        | Kind::ReviewRequested
        | Kind::ServicePublished
        | Kind::ServiceRemoved
        | Kind::TaskRunFinished
        | Kind::TaskRunStarted
        | Kind::TestCaseRunFinished
        | Kind::TestCaseRunQueued
        | Kind::TestCaseRunSkipped
        | Kind::TestCaseRunStarted
        | Kind::TestOutputPublished
        | Kind::TestSuiteRunFinished
        | Kind::TestSuiteRunQueued
        | Kind::TestSuiteRunStarted
        | Kind::TicketClosed
        | Kind::TicketCreated
        | Kind::TicketUpdated
        | Kind::Other(_) => {}
    }
}

fn note_first_seen(facts: &mut Facts, touched: &mut Touched, name: &str, event: &Event) {
    let name = bounded(name);
    match facts.first_seen.get_mut(name.as_ref()) {
        Some(first) if *first <= event.time => {}
        Some(first) => {
            *first = event.time;
            touched.first_seen.insert(name.into_owned());
        }
        None => {
            facts.first_seen.insert(name.to_string(), event.time);
            touched.first_seen.insert(name.into_owned());
        }
    }
}

/// The event as a statement: who says it, and when.
fn said(event: &Event) -> Moment {
    Moment { at: event.time, event: event.id }
}

/// An instant that the event tells: the one in its data, else its own time.
fn told_at(event: &Event, at: Option<chrono::DateTime<chrono::Utc>>) -> Moment {
    Moment { at: at.unwrap_or(event.time), event: event.id }
}

/// The id that the sender gives, or the event's subject where it gives none.
fn key_of(event: &Event, id: &str) -> FactKey {
    FactKey::of(if id.is_empty() { event.subject.clone() } else { id.to_owned() })
}
