//! The invented organisation at work: what is open, built and running, and what is due next.
//!
//! A queue of due steps in order of time. Each step may tell of happenings and may make later steps due. Memory holds
//! what is open now, never the past.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use bus::data::Outcome;
use chrono::{DateTime, Datelike, Days, NaiveDate, TimeDelta, Utc};

use super::Options;
use super::happening::{Change, Commit, Deployment, Happening, Incident, Run, Ticket};
use super::organisation::{
    DemoService, EVENT_PIPELINE, Person, SERVICES, WITH_BROKEN_BUILD, WITHOUT_DEPLOYMENTS, YOUNG, people, repositories,
};
use super::random::Random;
use super::rhythm::Pace;
use super::story::{Sort, Step};

mod changes;
mod pipeline;
mod trouble;

pub(super) use trouble::Remedy;

/// Changes opened on an ordinary working day in a repository of ordinary size, in the middle of the year.
const CHANGES_PER_DAY: f64 = 0.62;
/// How long the history is.
const HISTORY_WEEKS: i64 = 53;

/// The dates that the history turns on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dates {
    /// Monday on which it begins.
    pub(super) start: DateTime<Utc>,
    /// When the large pipeline was split: builds are faster and deployments wait less from then on.
    pub(super) split_at: DateTime<Utc>,
    /// When the young service began.
    pub(super) young_since: DateTime<Utc>,
    /// Its end.
    pub(super) now: DateTime<Utc>,
}

impl Dates {
    pub(super) fn before(now: DateTime<Utc>) -> Self {
        let monday = now.date_naive() - Days::new(now.weekday().num_days_from_monday().into());
        let midnight = monday.and_time(chrono::NaiveTime::MIN).and_utc();
        Self {
            start: midnight - TimeDelta::weeks(HISTORY_WEEKS),
            split_at: spring_before(now),
            young_since: now - TimeDelta::weeks(10),
            now,
        }
    }

    /// How large the organisation is on a day, growing from 0.8 to 1.25.
    fn growth(&self, at: DateTime<Utc>) -> f64 {
        let past = (at - self.start).num_seconds() as f64 / (self.now - self.start).num_seconds().max(1) as f64;
        0.8 + 0.45 * past
    }
}

/// The last 15 April that has enough weeks on both sides to be seen; if there is none, half a year ago.
fn spring_before(now: DateTime<Utc>) -> DateTime<Utc> {
    let april = |year| NaiveDate::from_ymd_opt(year, 4, 15).map(|d| d.and_time(chrono::NaiveTime::MIN).and_utc());
    [april(now.year()), april(now.year() - 1)]
        .into_iter()
        .flatten()
        .find(|day| (TimeDelta::weeks(8)..TimeDelta::weeks(44)).contains(&(now - *day)))
        .unwrap_or(now - TimeDelta::weeks(26))
}

/// A repository as it stands.
#[derive(Debug)]
struct Repository {
    name: &'static str,
    /// Indexes of its services.
    services: Vec<usize>,
    people: Vec<Person>,
    since: DateTime<Utc>,
    /// The default branch's latest commit.
    head: String,
    /// Latest number of a change or ticket.
    number: u64,
    /// Latest number of a pipeline run.
    run: u64,
    releases: u64,
    /// Nothing is merged: its default branch does not build.
    frozen: bool,
    /// Merged changes become one commit.
    squashes: bool,
}

/// A service as it stands.
#[derive(Debug)]
struct Service {
    what: &'static DemoService,
    repository: usize,
    deploys: bool,
    /// Newest commit that was built.
    built: Option<String>,
    /// The commit in production, and the one before.
    live: Option<String>,
    before: Option<String>,
    /// A deployment to production is due already.
    due: bool,
    /// Lines of the largest change that waits for production, and what it was.
    largest: f64,
    latest_change: Option<(String, u64)>,
    coverage: f64,
}

/// A change that is open.
#[derive(Debug)]
struct Open {
    repository: usize,
    change: Change,
    commits: Vec<Commit>,
    /// Index of the service it touches.
    service: usize,
    /// What it is to make good.
    remedy: Option<Remedy>,
    breaks_build: bool,
}

/// Something that is due.
#[derive(Debug)]
enum Due {
    /// Work of a day is handed out.
    Day(NaiveDate),
    /// On the stage: somebody opens a change.
    Entrance,
    /// A change is opened.
    Open(Commission),
    /// A step of an open change.
    Step(u64, Step),
    /// A pipeline run is asked for, is taken by a machine, and ends; and what it is for.
    Run(Run, RunFor),
    RunStarts(Run, RunFor),
    RunEnds(Run, RunFor, Outcome),
    /// A run that the clock starts.
    Hourly(usize),
    /// A deployment of a service begins.
    Deploy(usize, Order),
    /// A deployment ends.
    DeployEnds(usize, Deployment, Order),
    /// Somebody notices that a deployment of a service does harm.
    Notice(usize, Deployment),
    /// An incident is over.
    Resolve(Incident),
    /// A ticket is opened in a repository.
    OpenTicket(usize),
    /// A ticket is closed.
    CloseTicket(Ticket),
    /// A version is released.
    Release(usize),
    /// From now on the build of a repository is to fail.
    Freeze(usize),
    /// An incident that nobody has resolved yet.
    OpenIncident(usize),
}

/// A change that somebody is to make.
#[derive(Debug)]
struct Commission {
    /// Index of the service it touches.
    service: usize,
    sort: Sort,
    /// What it is to make good.
    remedy: Option<Remedy>,
    breaks_build: bool,
}

impl Commission {
    fn of(service: usize, sort: Sort) -> Self {
        Self { service, sort, remedy: None, breaks_build: false }
    }
}

/// What a pipeline run is for.
#[derive(Debug, Clone)]
enum RunFor {
    /// A change.
    Change,
    /// A merged change that touches a service, and what it is to make good.
    Merge { service: usize, remedy: Option<Remedy>, lines: f64, breaks_build: bool },
    /// Nothing else.
    Clock,
}

/// What is to be deployed.
#[derive(Debug, Clone)]
struct Order {
    production: bool,
    /// None for the newest commit that was built.
    sha: Option<String>,
    remedy: Option<Remedy>,
}

/// A step with its time; the number keeps steps of the same second in the order they were made due.
#[derive(Debug)]
struct Entry {
    at: DateTime<Utc>,
    number: u64,
    due: Due,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

/// The organisation. As an iterator it tells what happens, in order of time, without end.
#[derive(Debug)]
pub(super) struct World {
    random: Random,
    pace: Pace,
    scale: f64,
    dates: Dates,
    repositories: Vec<Repository>,
    services: Vec<Service>,
    open: BTreeMap<u64, Open>,
    due: BinaryHeap<Reverse<Entry>>,
    /// Latest id of anything.
    id: u64,
    told: VecDeque<(DateTime<Utc>, Happening)>,
}

impl World {
    /// The organisation on the first day of its history.
    pub(super) fn new(options: Options) -> Self {
        let dates = Dates::before(options.now);
        let mut random = Random::new(options.seed);
        let repositories = found_repositories(&mut random, dates);
        let services = found_services(&mut random, &repositories);
        let mut world = Self {
            random,
            pace: Pace::Office,
            scale: options.scale,
            dates,
            repositories,
            services,
            open: BTreeMap::new(),
            due: BinaryHeap::new(),
            // Ids as large as those of a forge that is many years old.
            id: 4_100_000_000,
            told: VecDeque::new(),
        };
        world.later(dates.start, Due::Day(dates.start.date_naive()));
        world.script();
        world
    }

    /// From `now` on, at the speed of the stage: everything that was due is dropped.
    pub(super) fn take_the_stage(&mut self, now: DateTime<Utc>) {
        self.pace = Pace::Stage;
        self.due.clear();
        self.told.clear();
        self.open.clear();
        for service in &mut self.services {
            service.due = false;
        }
        self.later(now + TimeDelta::seconds(1), Due::Entrance);
    }

    /// Time of the next step.
    pub(super) fn next_at(&self) -> Option<DateTime<Utc>> {
        self.told.front().map(|(at, _)| *at).or_else(|| self.due.peek().map(|Reverse(entry)| entry.at))
    }

    /// What must be so at the end, whatever chance says.
    fn script(&mut self) {
        let now = self.dates.now;
        if let Some(repository) = self.repositories.iter().position(|r| r.name == EVENT_PIPELINE) {
            self.later(now - TimeDelta::days(36), Due::Hourly(repository));
        }
        if let Some(service) = self.services.iter().position(|s| s.what.name == WITH_BROKEN_BUILD) {
            let repository = self.services.get(service).map_or(0, |s| s.repository);
            self.later(now - TimeDelta::hours(5), Due::Freeze(repository));
            let broken = Due::Open(Commission { breaks_build: true, ..Commission::of(service, Sort::Automatic) });
            self.later(now - TimeDelta::minutes(225), broken);
        }
        if let Some(service) = self.services.iter().position(|s| s.what.name == super::organisation::WITH_OPEN_INCIDENT)
        {
            self.later(now - TimeDelta::minutes(95), Due::OpenIncident(service));
        }
    }

    fn later(&mut self, at: DateTime<Utc>, due: Due) {
        self.id += 1;
        self.due.push(Reverse(Entry { at, number: self.id, due }));
    }

    fn tell(&mut self, at: DateTime<Utc>, happening: Happening) {
        self.told.push_back((at, happening));
    }

    fn next_id(&mut self) -> u64 {
        self.id += 1;
        self.id
    }

    fn is_split(&self, at: DateTime<Utc>) -> bool {
        at >= self.dates.split_at
    }

    fn handle(&mut self, at: DateTime<Utc>, due: Due) {
        match due {
            Due::Day(day) => self.hand_out(day),
            Due::Entrance => self.enter(at),
            Due::Open(commission) => self.open(at, commission),
            Due::Step(key, step) => self.step(at, key, step),
            Due::Run(run, what_for) => self.run(at, run, what_for),
            Due::RunStarts(run, what_for) => self.run_starts(at, run, what_for),
            Due::RunEnds(run, what_for, outcome) => self.run_ends(at, run, what_for, outcome),
            Due::Hourly(repository) => self.hourly(at, repository),
            Due::Deploy(service, order) => self.deploy(at, service, order),
            Due::DeployEnds(service, deployment, order) => self.deploy_ends(at, service, deployment, order),
            Due::Notice(service, deployment) => self.notice(at, service, deployment),
            Due::Resolve(incident) => self.resolve(at, incident),
            Due::OpenTicket(repository) => self.open_ticket(at, repository),
            Due::CloseTicket(ticket) => self.close_ticket(at, ticket),
            Due::Release(repository) => self.release(at, repository),
            Due::Freeze(repository) => self.freeze(repository),
            Due::OpenIncident(service) => self.open_incident(at, service),
        }
    }
}

impl Iterator for World {
    type Item = (DateTime<Utc>, Happening);

    fn next(&mut self) -> Option<Self::Item> {
        while self.told.is_empty() {
            let Reverse(Entry { at, due, .. }) = self.due.pop()?;
            self.handle(at, due);
        }
        self.told.pop_front()
    }
}

fn found_repositories(random: &mut Random, dates: Dates) -> Vec<Repository> {
    repositories()
        .into_iter()
        .map(|name| {
            let services: Vec<usize> =
                SERVICES.iter().enumerate().filter(|(_, s)| s.repository == name).map(|(index, _)| index).collect();
            let first = services.first().and_then(|index| SERVICES.get(*index));
            let is = |wanted: &[&str]| first.is_some_and(|s| wanted.contains(&s.name));
            Repository {
                name,
                people: first.map(|s| people(s.team)).unwrap_or_default(),
                since: if is(&[YOUNG]) { dates.young_since } else { dates.start },
                head: random.sha(),
                number: if is(&[YOUNG]) { 0 } else { 400 + random.bits() % 2_000 },
                run: if is(&[YOUNG]) { 0 } else { 1_000 + random.bits() % 9_000 },
                releases: u64::from(is(&[WITHOUT_DEPLOYMENTS, "mobile-gateway", "web-shop"])),
                frozen: false,
                squashes: is(&[WITHOUT_DEPLOYMENTS, "release-tools"]),
                services,
            }
        })
        .collect()
}

fn found_services(random: &mut Random, repositories: &[Repository]) -> Vec<Service> {
    SERVICES
        .iter()
        .enumerate()
        .map(|(index, what)| Service {
            what,
            repository: repositories.iter().position(|r| r.services.contains(&index)).unwrap_or_default(),
            deploys: what.name != WITHOUT_DEPLOYMENTS,
            built: None,
            live: None,
            before: None,
            due: false,
            largest: 0.0,
            latest_change: None,
            coverage: random.between(0.48, 0.88),
        })
        .collect()
}
