//! How services stand: the latest build, deployment and incident of each, and when each was first heard of.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bus::data::Outcome;
use chrono::{DateTime, Duration, Utc};

use crate::catalog::{Catalog, PRODUCTION, ServiceName};
use crate::derive::Derived;
use crate::derive::places::{self, Place, ServiceCode};
use crate::facts::{Facts, Incident, Moment, PipelineRun};
use crate::report::Scope;
use crate::view::{ServiceStatus, Signal};

/// A signal is never called silent before this: holidays and release trains are no silence.
const SILENT_AFTER_MIN: Duration = Duration::days(14);

/// Silence is this many times the longest usual gap: the 99th percentile of the gaps between signals.
const USUAL_GAPS: i32 = 4;

/// One sign of life of a build or a deployment.
#[derive(Debug, Clone)]
struct Beat {
    /// When it began, or ended if its beginning is not known.
    began: Moment,
    /// When and how it ended; none while it runs.
    ended: Option<(Moment, bool)>,
    /// What repeats: the pipeline, or the environment. A later success of another one does not make it good.
    lane: String,
}

/// All signs of life.
#[derive(Debug)]
pub(crate) struct Signals {
    builds: HashMap<ServiceCode, Vec<Beat>>,
    deployments: HashMap<ServiceCode, Vec<Beat>>,
    incidents: HashMap<ServiceCode, Vec<Trouble>>,
}

/// An incident in production.
#[derive(Debug, Clone)]
struct Trouble {
    detected: Option<Moment>,
    resolved: Option<Moment>,
    severity: Option<String>,
}

impl Signals {
    pub(crate) fn new(facts: &Facts, derived: &Derived, catalog: &Catalog) -> Self {
        let mut incidents: HashMap<ServiceCode, Vec<Trouble>> = HashMap::new();
        for (incident, attributed) in facts.incidents.values().zip(&derived.incidents) {
            if let Some(service) = attributed.place.service.filter(|_| in_production(derived, &attributed.place)) {
                let Incident { detected, resolved, severity, .. } = incident.clone();
                incidents.entry(service).or_default().push(Trouble { detected, resolved, severity });
            }
        }
        Self { builds: builds(facts, derived, catalog), deployments: deployments(facts, derived, catalog), incidents }
    }

    /// States of the services, those that need attention first.
    pub(crate) fn of_services(
        &self,
        derived: &Derived,
        services: &BTreeSet<&ServiceName>,
        now: DateTime<Utc>,
    ) -> Vec<ServiceStatus> {
        let coded = services.iter().filter_map(|name| Some((name, derived.places.service(name.as_str())?)));
        let state = |(name, code): (&&ServiceName, ServiceCode)| ServiceStatus {
            service: name.to_string(),
            build: signal(of(&self.builds, code), "pipeline", now),
            deployment: signal(of(&self.deployments, code), "deployment to", now),
            runtime: runtime(of(&self.incidents, code), now),
        };
        let mut states: Vec<ServiceStatus> = coded.map(state).collect();
        states.sort_by(|left, right| (urgency(left), &left.service).cmp(&(urgency(right), &right.service)));
        states
    }
}

fn of<T>(by_service: &HashMap<ServiceCode, Vec<T>>, service: ServiceCode) -> &[T] {
    by_service.get(&service).map_or(&[], Vec::as_slice)
}

fn urgency(status: &ServiceStatus) -> u8 {
    let of = |signal: &Signal| match signal {
        Signal::Failing { .. } => 0,
        Signal::Silent { .. } => 1,
        Signal::NotConfigured => 2,
        Signal::Passing { .. } | Signal::Running { .. } => 3,
    };
    of(&status.build).min(of(&status.deployment)).min(of(&status.runtime))
}

fn in_production(derived: &Derived, place: &Place) -> bool {
    place.tier.is_some() && place.tier == derived.places.tier(PRODUCTION)
}

/// Runs on the default branch, by every service of the repository.
fn builds(facts: &Facts, derived: &Derived, catalog: &Catalog) -> HashMap<ServiceCode, Vec<Beat>> {
    let mut beats: HashMap<ServiceCode, Vec<Beat>> = HashMap::new();
    let mut services: HashMap<&str, Vec<ServiceCode>> = HashMap::new();
    for run in facts.pipeline_runs.values().filter(|run| run.on_default_branch == Some(true) && run.change.is_none()) {
        let (Some(repository), Some(beat)) = (run.repository.as_deref(), beat_of_run(run)) else { continue };
        let codes = services.entry(repository).or_insert_with(|| {
            let names = catalog.services_touched(repository, &BTreeSet::new());
            names.into_iter().filter_map(|name| derived.places.service(name.as_str())).collect()
        });
        for code in codes.iter() {
            beats.entry(*code).or_default().push(beat.clone());
        }
    }
    beats
}

fn beat_of_run(run: &PipelineRun) -> Option<Beat> {
    let ended = run.finished.as_ref().map(|end| (Moment { at: end.at, event: end.event }, end.value));
    let lane = run.pipeline.clone().unwrap_or_default();
    let ended = match ended {
        Some((_, Outcome::Cancelled)) => return None,
        Some((moment, Outcome::Success)) => Some((moment, true)),
        Some((moment, Outcome::Failure | Outcome::Error)) => Some((moment, false)),
        None => None,
    };
    let began = run.started.or(run.queued).or(ended.map(|(moment, _)| moment))?;
    Some(Beat { began, ended, lane })
}

/// Deployments to production, finished and under way.
fn deployments(facts: &Facts, derived: &Derived, catalog: &Catalog) -> HashMap<ServiceCode, Vec<Beat>> {
    let mut beats: HashMap<ServiceCode, Vec<Beat>> = HashMap::new();
    for deployment in derived.deployments.iter().filter(|deployment| in_production(derived, &deployment.place)) {
        let Some(service) = deployment.place.service else { continue };
        let end = Moment { at: deployment.finished_at, event: deployment.event };
        let ok = match deployment.outcome {
            Outcome::Success => true,
            Outcome::Failure | Outcome::Error => false,
            Outcome::Cancelled => continue,
        };
        let began = Moment { at: deployment.taken_at(), event: deployment.event };
        let lane = deployment.environment.clone();
        beats.entry(service).or_default().push(Beat { began, ended: Some((end, ok)), lane });
    }
    for deployment in facts.deployments.values().filter(|deployment| deployment.finished.is_none()) {
        let place = places::of_deployment(&derived.places, catalog, deployment);
        let (Some(service), Some(began), true) = (place.service, deployment.started, in_production(derived, &place))
        else {
            continue;
        };
        let lane = deployment.environment.clone().unwrap_or_default();
        beats.entry(service).or_default().push(Beat { began, ended: None, lane });
    }
    beats
}

/// The state that these signs of life add up to.
fn signal(beats: &[Beat], what: &str, now: DateTime<Utc>) -> Signal {
    let Some(last) = beats.iter().map(last_sign).max() else { return Signal::NotConfigured };
    let silent_after = silent_after(beats);
    let mut lanes: BTreeMap<&str, Vec<&Beat>> = BTreeMap::new();
    for beat in beats {
        lanes.entry(&beat.lane).or_default().push(beat);
    }
    // A pipeline that was removed must not fail for ever.
    lanes.retain(|_, beats| {
        beats.iter().map(|beat| last_sign(beat)).max().is_some_and(|own| last.at - own.at <= silent_after)
    });
    let states: Vec<LaneState<'_>> = lanes.into_iter().map(|(lane, beats)| LaneState::of(lane, &beats)).collect();
    let failing = states.iter().filter_map(|state| Some((state.failing_since?, state))).min_by_key(|(since, _)| *since);
    if let Some((since, state)) = failing {
        let what = if state.lane.is_empty() { what.to_owned() } else { format!("{what} {}", state.lane) };
        return Signal::Failing { since: since.at, what, event: state.latest.unwrap_or(since).event };
    }
    if now - last.at > silent_after {
        return Signal::Silent { since: last.at, event: last.event };
    }
    if let Some(running) = states.iter().filter_map(|state| state.running).max() {
        return Signal::Running { since: running.at, event: running.event };
    }
    let since = states.iter().filter_map(|state| state.passing_since).max();
    let latest = states.iter().filter_map(|state| state.latest).max();
    since.map_or(Signal::NotConfigured, |since| Signal::Passing {
        since: since.at,
        event: latest.unwrap_or(since).event,
    })
}

fn last_sign(beat: &Beat) -> Moment {
    beat.ended.map_or(beat.began, |(end, _)| end)
}

/// How one pipeline or environment stands.
struct LaneState<'b> {
    lane: &'b str,
    /// The latest end.
    latest: Option<Moment>,
    failing_since: Option<Moment>,
    passing_since: Option<Moment>,
    /// Began after the latest end.
    running: Option<Moment>,
}

impl<'b> LaneState<'b> {
    fn of(lane: &'b str, beats: &[&Beat]) -> Self {
        let mut ends: Vec<(Moment, bool)> = beats.iter().filter_map(|beat| beat.ended).collect();
        ends.sort_unstable();
        let latest = ends.last().copied();
        // The first of the ends that say the same as the latest, without another in between.
        let since = latest.and_then(|(_, ok)| ends.iter().rev().take_while(|(_, own)| *own == ok).last()).copied();
        let after = |began: &Moment| latest.is_none_or(|(end, _)| began.at > end.at);
        let running = beats.iter().filter(|beat| beat.ended.is_none()).map(|beat| beat.began).filter(after).max();
        Self {
            lane,
            latest: latest.map(|(moment, _)| moment),
            failing_since: since.filter(|(_, ok)| !ok).map(|(moment, _)| moment),
            passing_since: since.filter(|(_, ok)| *ok).map(|(moment, _)| moment),
            running,
        }
    }
}

/// Longer than this without a sign is silence.
fn silent_after(beats: &[Beat]) -> Duration {
    let mut times: Vec<DateTime<Utc>> = beats.iter().map(|beat| last_sign(beat).at).collect();
    times.sort_unstable();
    let mut gaps: Vec<Duration> = times.windows(2).filter_map(|pair| Some(*pair.last()? - *pair.first()?)).collect();
    gaps.sort_unstable();
    // The nearest rank: with fewer than a hundred gaps, the longest.
    let rank = (gaps.len() * 99).div_ceil(100).saturating_sub(1);
    gaps.get(rank).map_or(SILENT_AFTER_MIN, |gap| (*gap * USUAL_GAPS).max(SILENT_AFTER_MIN))
}

/// Incidents are rare, and none is good: they are never silent.
fn runtime(incidents: &[Trouble], now: DateTime<Utc>) -> Signal {
    let detected = |incident: &&Trouble| incident.detected.is_some_and(|moment| moment.at <= now);
    let open = incidents.iter().filter(detected).filter(|incident| incident.resolved.is_none());
    if let Some((since, incident)) =
        open.filter_map(|incident| Some((incident.detected?, incident))).min_by_key(|open| open.0)
    {
        let what = incident
            .severity
            .as_ref()
            .map_or_else(|| "incident".to_owned(), |severity| format!("incident, {severity}"));
        return Signal::Failing { since: since.at, what, event: since.event };
    }
    let resolved = incidents.iter().filter_map(|incident| incident.resolved).max();
    resolved.map_or(Signal::NotConfigured, |resolved| Signal::Passing { since: resolved.at, event: resolved.event })
}

/// When each service and repository was first heard of.
#[derive(Debug, Default)]
pub(crate) struct FirstEvents {
    services: BTreeMap<String, DateTime<Utc>>,
    repositories: BTreeMap<String, DateTime<Utc>>,
    any: Option<DateTime<Utc>>,
}

impl FirstEvents {
    pub(crate) fn new(facts: &Facts, catalog: &Catalog) -> Self {
        let mut first = Self { any: facts.first_seen.values().min().copied(), ..Self::default() };
        let earliest = |known: &mut BTreeMap<String, DateTime<Utc>>, name: String, at: DateTime<Utc>| {
            let slot = known.entry(name).or_insert(at);
            *slot = at.min(*slot);
        };
        for (name, at) in &facts.first_seen {
            earliest(&mut first.repositories, name.to_lowercase(), *at);
            let named = catalog.service_of(None, Some(name), &BTreeSet::new());
            for service in catalog.services_touched(name, &BTreeSet::new()).into_iter().chain(named) {
                earliest(&mut first.services, service.to_string(), *at);
            }
        }
        first
    }

    pub(crate) fn of_service(&self, name: &str) -> Option<DateTime<Utc>> {
        self.services.get(name).copied()
    }

    pub(crate) fn of(&self, scope: &Scope, services: &BTreeSet<&ServiceName>) -> Option<DateTime<Utc>> {
        match scope {
            Scope::Company => self.any,
            Scope::Repository(name) => self.repositories.get(&name.to_lowercase()).copied(),
            Scope::Team(_) | Scope::Service(_) => {
                services.iter().filter_map(|name| self.of_service(name.as_str())).min()
            }
        }
    }
}
