//! What machines do with a merged change: build it, deploy it to staging and, with others, to production.

use bus::data::Outcome;
use chrono::{DateTime, TimeDelta, Utc};

use super::super::happening::{Cause, Coverage, Deployment, Happening, Phase, Run};
use super::super::organisation::{DEPLOYER, Person};
use super::super::rhythm::seconds;
use super::{Due, Order, Remedy, RunFor, World};

/// Of 100 attempts to deploy to production, so many fail.
const DEPLOYMENT_FAILS: f64 = 0.07;
/// On the stage only some builds go to production, so that watching does not change the week's figures much.
const STAGE_GOES_LIVE: f64 = 0.15;

impl World {
    /// Starts a run on a commit of a branch.
    pub(super) fn start_run(
        &mut self,
        at: DateTime<Utc>,
        repository: usize,
        (cause, sha, branch, by): (Cause, String, String, Person),
        what_for: RunFor,
    ) {
        let id = self.next_id();
        let Some(r) = self.repositories.get_mut(repository) else { return };
        r.run += 1;
        let (name, number) = (r.name, r.run);
        let run = Run {
            repository: name,
            id,
            number,
            attempt: 1,
            cause,
            sha,
            branch,
            by,
            created_at: at,
            queued_at: at,
            updated_at: at,
        };
        self.run(at, run, what_for);
    }

    pub(super) fn run(&mut self, at: DateTime<Utc>, mut run: Run, what_for: RunFor) {
        run.queued_at = at;
        run.updated_at = at;
        if self.is_on_stage() {
            self.tell(at, Happening::Run(Phase::Asked, run.clone()));
        }
        let waits = self.random.log_normal(14.0, 1.0).min(1_800.0);
        self.later(at + seconds(1.0 + waits), Due::RunStarts(run, what_for));
    }

    pub(super) fn run_starts(&mut self, at: DateTime<Utc>, mut run: Run, what_for: RunFor) {
        run.updated_at = at;
        // That it starts says how long it takes, and for those that the clock starts nobody asks.
        if run.cause != Cause::Schedule {
            self.tell(at, Happening::Run(Phase::Started, run.clone()));
        }
        let (minutes, fails) = match (&what_for, self.is_split(at)) {
            (RunFor::Change, false) => (17.0, 0.12),
            (RunFor::Change, true) => (8.5, 0.12),
            (RunFor::Merge { .. }, false) => (27.0, 0.05),
            (RunFor::Merge { .. }, true) => (12.0, 0.04),
            (RunFor::Clock, _) => (6.0, 0.02),
        };
        let outcome = match self.random.unit() {
            _ if what_for.breaks_build() => Outcome::Failure,
            draw if draw < if run.attempt > 1 { 0.3 } else { fails } => Outcome::Failure,
            draw if draw > 0.985 && what_for.is_change() => Outcome::Cancelled,
            _ => Outcome::Success,
        };
        let minutes = self.random.log_normal(minutes, 0.3);
        self.later(self.pace.run(at, minutes), Due::RunEnds(run, what_for, outcome));
    }

    pub(super) fn run_ends(&mut self, at: DateTime<Utc>, mut run: Run, what_for: RunFor, outcome: Outcome) {
        run.updated_at = at;
        self.tell(at, Happening::Run(Phase::Ended(outcome), run.clone()));
        match (what_for, outcome) {
            (RunFor::Merge { service, remedy, lines, .. }, Outcome::Success) => {
                self.built(at, service, run.sha, remedy);
                self.measure(at, service, lines);
            }
            // Some failures are the machine's fault: the same commit passes when somebody runs it again. A fix in a
            // hurry is run again in any case.
            (what_for, Outcome::Failure) if run.attempt < 4 && !what_for.breaks_build() => {
                if what_for.is_hurried() || (run.attempt == 1 && self.random.chance(0.55)) {
                    let minutes = self.random.between(4.0, 25.0);
                    let again_at = self.pace.run(at, minutes);
                    self.later(again_at, Due::Run(Run { attempt: run.attempt + 1, ..run }, what_for));
                }
            }
            (RunFor::Change | RunFor::Clock | RunFor::Merge { .. }, _) => {}
        }
    }

    /// Every hour the clock starts a run on the default branch.
    pub(super) fn hourly(&mut self, at: DateTime<Utc>, repository: usize) {
        let Some(head) = self.repositories.get(repository).map(|r| r.head.clone()) else { return };
        self.start_run(at, repository, (Cause::Schedule, head, "main".to_owned(), DEPLOYER), RunFor::Clock);
        self.later(at + TimeDelta::hours(1), Due::Hourly(repository));
    }

    /// A commit of the default branch was built: to staging at once, to production when its turn comes.
    fn built(&mut self, at: DateTime<Utc>, index: usize, sha: String, remedy: Option<Remedy>) {
        let (split, on_stage) = (self.is_split(at), self.is_on_stage());
        let Some(service) = self.services.get_mut(index) else { return };
        service.built = Some(sha.clone());
        if !service.deploys {
            return;
        }
        let minutes = self.random.between(1.0, 4.0);
        let staging_at = self.pace.run(at, minutes);
        self.later(staging_at, Due::Deploy(index, Order { production: false, sha: Some(sha.clone()), remedy: None }));
        if remedy.is_some() {
            let order = Order { production: true, sha: Some(sha), remedy };
            return self.later(staging_at + TimeDelta::seconds(90), Due::Deploy(index, order));
        }
        let Some(service) = self.services.get_mut(index) else { return };
        if service.due || (on_stage && !self.random.chance(STAGE_GOES_LIVE)) {
            return;
        }
        service.due = true;
        let hours = if split { self.random.log_normal(2.6, 0.8) } else { self.random.log_normal(11.0, 0.7) };
        let production_at = self.pace.work(staging_at, hours);
        self.later(production_at, Due::Deploy(index, Order { production: true, sha: None, remedy: None }));
    }

    pub(super) fn deploy(&mut self, at: DateTime<Utc>, index: usize, order: Order) {
        let id = self.next_id();
        let Some(service) = self.services.get_mut(index) else { return };
        let (environment, production) = if order.production { ("production", true) } else { ("staging", false) };
        if production && order.remedy.is_none() {
            service.due = false;
        }
        let Some(sha) = order.sha.clone().or_else(|| service.built.clone()) else { return };
        if production && service.live.as_ref() == Some(&sha) {
            // What was to mend it is there already, with a later deployment than the one it was made for.
            return order.remedy.into_iter().for_each(|remedy| self.settle(at, remedy));
        }
        let Some(repository) = self.repositories.get(service.repository) else { return };
        let manner = order.remedy.as_ref().and_then(|r| r.manner);
        let fixes = order.remedy.as_ref().map(|r| r.fixes);
        let mut deployment = Deployment {
            repository: repository.name,
            id,
            service: service.what.name,
            environment,
            production,
            sha,
            manner,
            fixes,
            by: DEPLOYER,
            started_at: at,
            ended: None,
        };
        // Of staging only the end is told.
        if production {
            self.tell(at, Happening::Deployment(deployment.clone()));
        }
        let fails = match (production, &order.remedy) {
            (true, None) => DEPLOYMENT_FAILS,
            // A remedy that fails would be tried again until it works: told as the one that does.
            (true, Some(_)) => 0.0,
            (false, _) => 0.03,
        };
        let outcome = if self.random.chance(fails) { Outcome::Failure } else { Outcome::Success };
        let minutes = self.random.log_normal(if production { 4.5 } else { 2.5 }, 0.35);
        let ended_at = self.pace.run(at, minutes);
        deployment.ended = Some((ended_at, outcome));
        self.later(ended_at, Due::DeployEnds(index, deployment, order));
    }

    pub(super) fn deploy_ends(&mut self, at: DateTime<Utc>, index: usize, deployment: Deployment, order: Order) {
        let outcome = deployment.ended.map(|(_, outcome)| outcome);
        self.tell(at, Happening::Deployment(deployment.clone()));
        if !order.production {
            return;
        }
        if outcome != Some(Outcome::Success) {
            let minutes = self.random.between(15.0, 60.0);
            let again_at = self.pace.run(at, minutes);
            return self.later(again_at, Due::Deploy(index, order));
        }
        let Some(service) = self.services.get_mut(index) else { return };
        service.before = service.live.replace(deployment.sha.clone());
        let largest = std::mem::take(&mut service.largest);
        match order.remedy {
            Some(remedy) => self.settle(at, remedy),
            None => self.watch(at, index, deployment, largest),
        }
    }

    /// One build in five measures coverage; large changes bring it down a little, and somebody brings it up again.
    fn measure(&mut self, at: DateTime<Utc>, index: usize, lines: f64) {
        if !self.random.chance(0.2) {
            return;
        }
        let step = self.random.between(-0.008, 0.011) - (lines / 100_000.0).min(0.02);
        let Some(service) = self.services.get_mut(index) else { return };
        service.coverage = (service.coverage + step).clamp(0.3, 0.97);
        let Some(repository) = self.repositories.get(service.repository) else { return };
        let Some(sha) = service.built.clone() else { return };
        let ratio = (service.coverage * 10_000.0).round() / 10_000.0;
        let measured = Coverage { service: service.what.name, repository: repository.name, sha, ratio, at };
        self.tell(at, Happening::Coverage(measured));
    }
}

impl RunFor {
    fn breaks_build(&self) -> bool {
        match self {
            Self::Merge { breaks_build, .. } => *breaks_build,
            Self::Change | Self::Clock => false,
        }
    }

    fn is_hurried(&self) -> bool {
        match self {
            Self::Merge { remedy, .. } => remedy.is_some(),
            Self::Change | Self::Clock => false,
        }
    }

    fn is_change(&self) -> bool {
        match self {
            Self::Change => true,
            Self::Merge { .. } | Self::Clock => false,
        }
    }
}
