//! Facts for tests, each in one line.

use std::collections::BTreeSet;

use bus::data::{Manner, Outcome};
use bus::ids::EventId;
use chrono::{DateTime, NaiveDate, Utc};

use crate::catalog::{Catalog, CatalogSettings};
use crate::facts::{
    Change, Commit, Deployment, FactKey, Facts, Incident, Latest, Moment, PersonHash, PipelineRun, ReviewMark, Size,
};
use crate::report::{Ask, Evidence, Figure, Report, Scope};
use crate::rules::Rules;
use crate::view::View;
use crate::window::{Calendar, Grain, Window};

/// The repository of every sample unless another is named.
pub(crate) const SHOP: &str = "git.example/acme/shop";

/// `2026-11-02T10:00` as an instant in UTC; seconds may be left away.
pub(crate) fn at(text: &str) -> DateTime<Utc> {
    let seconds = if text.len() == 16 { ":00Z" } else { "Z" };
    format!("{text}{seconds}").parse().unwrap()
}

/// The event of that name: always the same, and another for another name.
pub(crate) fn event(name: &str) -> EventId {
    EventId::derive(&"test".parse().unwrap(), &name.parse().unwrap(), 0)
}

pub(crate) fn moment(time: &str, name: &str) -> Moment {
    Moment { at: at(time), event: event(name) }
}

/// Facts under construction, with the rules and the catalog to look at them with.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) facts: Facts,
    pub(crate) rules: Rules,
    pub(crate) catalog: Catalog,
    pub(crate) calendar: Calendar,
}

impl Sample {
    pub(crate) fn new() -> Self {
        let mut facts = Facts::default();
        facts.first_seen.insert(SHOP.to_owned(), at("2026-10-01T00:00"));
        let (rules, catalog) = (Rules::default(), Catalog::default());
        Self { facts, rules, catalog, calendar: Calendar::default() }
    }

    /// With the teams and services of these settings, written as YAML.
    pub(crate) fn with_catalog(mut self, yaml: &str) -> Self {
        let settings: CatalogSettings = serde_norway::from_str(yaml).unwrap();
        self.catalog = Catalog::build(&settings, &[]).unwrap();
        self
    }

    /// A successful deployment of the repository's service to production.
    pub(crate) fn deployed(&mut self, id: &str, sha: &str, finished: &str) -> &mut Deployment {
        let deployment = Deployment {
            repository: Some(SHOP.to_owned()),
            environment: Some("production".to_owned()),
            sha: Some(sha.to_owned()),
            finished: Some(Latest { at: at(finished), event: event(id), value: Outcome::Success }),
            ..Deployment::default()
        };
        let key = FactKey(id.to_owned());
        self.facts.deployments.insert(key.clone(), deployment);
        self.facts.deployments.get_mut(&key).unwrap()
    }

    /// A merged change `#number`, opened at `opened`, with its first commit an hour before, of ten lines.
    pub(crate) fn merged(&mut self, number: u64, sha: &str, opened: &str, merged: &str) -> &mut Change {
        let opened = Moment { at: at(opened), event: event(&format!("opened {number}")) };
        let first = Moment { at: opened.at - chrono::Duration::hours(1), event: event(&format!("commit {number}")) };
        let size = Size { additions: 8, deletions: 2, ..Size::default() };
        let change = Change {
            repository: SHOP.to_owned(),
            number: Some(number),
            first_commit: Some(first),
            opened: Some(opened),
            ready: Some(opened),
            merged: Some(Moment { at: at(merged), event: event(&format!("merged {number}")) }),
            merge_sha: Some(sha.to_owned()),
            size: Some(Latest { at: opened.at, event: opened.event, value: size }),
            author: Some(PersonHash(number)),
            ..Change::default()
        };
        let key = FactKey(format!("{SHOP}#{number}"));
        self.facts.changes.insert(key.clone(), change);
        self.facts.changes.get_mut(&key).unwrap()
    }

    /// A commit with its parents.
    pub(crate) fn commit(&mut self, sha: &str, parents: &[&str]) {
        let reaches: BTreeSet<String> = parents.iter().map(|sha| (*sha).to_owned()).collect();
        let commit = Commit { repository: SHOP.to_owned(), reaches: Some(reaches), ..Commit::default() };
        self.facts.commits.insert(FactKey(format!("{SHOP}@{sha}")), commit);
    }

    pub(crate) fn incident(&mut self, id: &str, detected: &str, resolved: Option<&str>) -> &mut Incident {
        let incident = Incident {
            repository: Some(SHOP.to_owned()),
            detected: Some(moment(detected, &format!("{id} detected"))),
            resolved: resolved.map(|time| moment(time, &format!("{id} resolved"))),
            ..Incident::default()
        };
        let key = FactKey(id.to_owned());
        self.facts.incidents.insert(key.clone(), incident);
        self.facts.incidents.get_mut(&key).unwrap()
    }

    /// A run of the pipeline `ci` on the default branch.
    pub(crate) fn ran(&mut self, id: &str, started: &str, finished: &str, outcome: Outcome) -> &mut PipelineRun {
        let run = PipelineRun {
            repository: Some(SHOP.to_owned()),
            pipeline: Some("ci".to_owned()),
            on_default_branch: Some(true),
            started: Some(moment(started, &format!("{id} started"))),
            finished: Some(Latest { at: at(finished), event: event(id), value: outcome }),
            ..PipelineRun::default()
        };
        let key = FactKey(id.to_owned());
        self.facts.pipeline_runs.insert(key.clone(), run);
        self.facts.pipeline_runs.get_mut(&key).unwrap()
    }

    pub(crate) fn view(&self) -> View {
        View::build(&self.facts, &self.catalog, &self.rules, self.calendar)
    }

    /// The answer for the company and the weeks of November 2026, asked in the last of them.
    pub(crate) fn report(&self, metric: &str) -> Report {
        self.view().report(metric, &november()).unwrap()
    }

    /// The evidence of the headline.
    pub(crate) fn evidence(&self, metric: &str) -> Vec<Evidence> {
        self.view().evidence(metric, &november(), None, None).unwrap()
    }
}

/// The company and the weeks 45 to 48 of 2026 (2 to 29 November), asked on Wednesday of the last.
pub(crate) fn november() -> Ask {
    let day = |text: &str| text.parse::<NaiveDate>().unwrap();
    let window = Window {
        from: day("2026-11-02"),
        to: day("2026-11-30"),
        grain: Grain::Week,
        calendar: Calendar::default(),
        now: at("2026-11-25T12:00"),
    };
    Ask { scope: Scope::Company, environment: "production".to_owned(), window }
}

pub(crate) fn review(person: u64, time: &str, requested_changes: bool) -> ReviewMark {
    ReviewMark { at: at(time), person: Some(PersonHash(person)), requested_changes, approved: !requested_changes }
}

pub(crate) const ROLLBACK: Option<Manner> = Some(Manner::Rollback);

/// A figure in a few characters, for snapshots and comparisons.
pub(crate) fn short(figure: &Figure) -> String {
    match figure {
        Figure::Count { value } => value.to_string(),
        Figure::Quantiles { p25, p50, p75, p90 } => format!("{p25} {p50} {p75} {p90}"),
        Figure::Ratio { hits, value, low, high } => format!("{hits} = {value:.3} ({low:.3}–{high:.3})"),
        Figure::NoData => "no data".to_owned(),
        Figure::BeforeFirst => "before first".to_owned(),
        Figure::Withheld => "withheld".to_owned(),
    }
}

/// A whole report in lines.
pub(crate) fn lines(report: &Report) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    let beside = |point: &crate::report::Point| {
        point
            .beside
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(name, count)| format!(", {name} {count}"))
            .collect::<String>()
    };
    for BucketLine { label, point } in buckets(report) {
        writeln!(text, "{label}: {} (n {}{})", short(&point.figure), point.n, beside(point)).unwrap();
    }
    for group in report.groups.iter().filter(|group| group.point.n > 0) {
        writeln!(text, "{}: {} (n {})", group.label, short(&group.point.figure), group.point.n).unwrap();
    }
    for (name, value) in &report.notes {
        writeln!(text, "{name} = {value}").unwrap();
    }
    for left_out in &report.left_out {
        writeln!(text, "left out, {}: {}", left_out.reason, left_out.count).unwrap();
    }
    text
}

struct BucketLine<'r> {
    label: &'r str,
    point: &'r crate::report::Point,
}

fn buckets(report: &Report) -> impl Iterator<Item = BucketLine<'_>> {
    let points = report.points.iter().map(|point| BucketLine { label: &point.bucket.label, point: &point.point });
    points.chain([BucketLine { label: "total", point: &report.total }])
}
