//! What starts and ends: pipeline runs and deployments.

use bus::data::ci;
use bus::data::runtime;
use bus::data::{Data, Manner, Outcome};
use bus::event::Event;
use bus::kind::Kind;

use super::told::{Field, Instant, keep_latest};
use super::{Fold, key_of, said, told_at};
use crate::facts::{Deployment, FactKey, Moment, PipelineRun};

impl Fold<'_> {
    pub(super) fn deployment(&mut self, event: &Event) {
        let Data::Deployment(data) = &event.data else { return };
        let key = key_of(event, &data.id);
        self.touched.deployments.insert(key.clone());
        let deployment = self.facts.deployments.entry(key).or_default();
        place_and_version(deployment, event, data);
        let starts = event.kind == Kind::DeploymentStarted;
        if let Some(at) = data.started_at.or(starts.then_some(event.time)) {
            let said = Moment { at, event: event.id };
            deployment.told.earliest(Instant::Started, &mut deployment.started, said, starts);
        }
        let outcome = if starts { None } else { Some(data.outcome.unwrap_or_else(|| implied_outcome(event))) };
        if let Some(outcome) = outcome {
            let Moment { at, event } = told_at(event, data.finished_at);
            keep_latest(&mut deployment.finished, at, event, outcome);
        }
    }

    pub(super) fn pipeline_run(&mut self, event: &Event) {
        let Data::PipelineRun(data) = &event.data else { return };
        let FactKey(id) = key_of(event, &data.id);
        let key = FactKey::of(format!("{id}#{}", data.attempt.max(1)));
        self.touched.pipeline_runs.insert(key.clone());
        let run = self.facts.pipeline_runs.entry(key).or_default();
        what_ran(run, event, data);
        let (queued, started) = (event.kind == Kind::PipelineRunQueued, event.kind == Kind::PipelineRunStarted);
        let told = &mut run.told;
        if let Some(at) = data.queued_at.or(queued.then_some(event.time)) {
            told.earliest(Instant::Queued, &mut run.queued, Moment { at, event: event.id }, queued);
        }
        if let Some(at) = data.started_at.or(started.then_some(event.time)) {
            told.earliest(Instant::Started, &mut run.started, Moment { at, event: event.id }, started);
        }
        let ended = event.kind == Kind::PipelineRunFinished;
        // An end without an outcome is no end that any metric could count.
        if let Some(outcome) = data.outcome.filter(|_| ended) {
            let Moment { at, event } = told_at(event, data.finished_at);
            keep_latest(&mut run.finished, at, event, outcome);
        }
    }
}

/// What the kind says where the sender gives no outcome.
fn implied_outcome(event: &Event) -> Outcome {
    if event.kind == Kind::DeploymentFailed { Outcome::Failure } else { Outcome::Success }
}

fn place_and_version(deployment: &mut Deployment, event: &Event, data: &runtime::Deployment) {
    let (said, told) = (said(event), &mut deployment.told);
    told.set(Field::Repository, said, &mut deployment.repository, data.repository.as_ref());
    told.set(Field::Service, said, &mut deployment.service, data.service.as_ref());
    told.set(Field::Environment, said, &mut deployment.environment, data.environment.as_ref());
    told.set(Field::Production, said, &mut deployment.production, data.production.as_ref());
    told.set(Field::Sha, said, &mut deployment.sha, data.sha.as_ref());
    told.set(Field::GitRef, said, &mut deployment.git_ref, data.git_ref.as_ref());
    told.set(Field::Version, said, &mut deployment.version, data.version.as_ref());
    told.set(Field::Fixes, said, &mut deployment.fixes, data.fixes.as_ref());
    let rolled_back = (event.kind == Kind::ServiceRolledBack).then_some(Manner::Rollback);
    told.set(Field::Manner, said, &mut deployment.manner, data.manner.or(rolled_back).as_ref());
}

fn what_ran(run: &mut PipelineRun, event: &Event, data: &ci::PipelineRun) {
    let (said, told) = (said(event), &mut run.told);
    told.set(Field::Repository, said, &mut run.repository, data.repository.as_ref());
    told.set(Field::Pipeline, said, &mut run.pipeline, data.pipeline.as_ref());
    told.set(Field::Sha, said, &mut run.sha, data.sha.as_ref());
    told.set(Field::GitRef, said, &mut run.branch, data.branch.as_ref());
    told.set(Field::Change, said, &mut run.change, data.change.as_ref());
    let on_default = match (&data.branch, &data.default_branch) {
        (Some(branch), Some(default)) => Some(branch == default),
        (_, _) => None,
    };
    told.set(Field::OnDefaultBranch, said, &mut run.on_default_branch, on_default.as_ref());
}
