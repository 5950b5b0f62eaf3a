//! What a metric contributes: one row for each fact that it counts, leaves out or waits for, and the same as a table.
//!
//! Rows are made once per view; a question only selects among them. It must not know any metric.

use std::collections::{HashMap, HashSet};

use bus::ids::EventId;
use chrono::{DateTime, Utc};
use polars::prelude::{Column, DataFrame, PolarsResult};

use crate::derive::places::{Place, RepositoryCode, ServiceCode, TierCode};
use crate::derive::{ChangeIx, DeploymentIx};
use crate::facts::Moment;
use crate::metrics::World;
use crate::report::Evidence;
use crate::window::Bucket;

/// The reason for leaving out a duration whose end lies before its beginning.
pub(crate) const NEGATIVE: &str = "negative";

/// The fact that a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Subject {
    Change(ChangeIx),
    Deployment(DeploymentIx),
    /// What another tool tells of a deployment: number so and so of its duplicates.
    Duplicate(DeploymentIx, u32),
    /// By number in the order of keys.
    Run(u32),
    /// By number in the order of keys.
    Incident(u32),
}

/// The names of the facts.
#[derive(Debug)]
pub(crate) struct Keys {
    changes: Vec<String>,
    deployments: Vec<String>,
    duplicates: HashMap<(DeploymentIx, u32), String>,
    runs: Vec<String>,
    incidents: Vec<String>,
}

impl Keys {
    pub(crate) fn new(world: &World<'_>) -> Self {
        let deployments = || (0..).map(DeploymentIx).zip(&world.derived.deployments);
        let duplicates = deployments().flat_map(|(ix, deployment)| {
            (0..).zip(&deployment.duplicates).map(move |(number, (key, _, _))| ((ix, number), key.0.clone()))
        });
        Self {
            changes: world.changes.iter().map(|(key, _)| key.0.clone()).collect(),
            deployments: deployments().map(|(_, deployment)| deployment.key.0.clone()).collect(),
            duplicates: duplicates.collect(),
            runs: world.runs.iter().map(|(key, _)| key.0.clone()).collect(),
            incidents: world.incidents.iter().map(|(key, _)| key.0.clone()).collect(),
        }
    }

    fn of(&self, subject: Subject) -> Option<&str> {
        let name = match subject {
            Subject::Change(ix) => self.changes.get(ix.index()),
            Subject::Deployment(ix) => self.deployments.get(ix.index()),
            Subject::Duplicate(ix, number) => self.duplicates.get(&(ix, number)),
            Subject::Run(number) => self.runs.get(number as usize),
            Subject::Incident(number) => self.incidents.get(number as usize),
        };
        name.map(String::as_str)
    }
}

/// What a row is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    /// It is one of the sample.
    Counted,
    /// It is counted beside the sample, under that name.
    Beside(&'static str),
    /// It would be one of the sample, but for that reason.
    LeftOut(&'static str),
    /// It has no end yet, and is told under that name.
    Open(&'static str),
}

/// One fact's contribution to a metric.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// The instant that puts it in its bucket; of an open one, its beginning.
    pub(crate) at: DateTime<Utc>,
    /// In the metric's unit.
    pub(crate) value: Option<f64>,
    /// For rates: whether it is a hit.
    pub(crate) hit: bool,
    pub(crate) part: Part,
    /// Number of the category that it is in.
    pub(crate) group: Option<u32>,
    /// False for one that counts in its category only, such as a phase of what is counted as a whole.
    pub(crate) in_points: bool,
    /// A name under which it is counted beside, though it is one of the sample.
    pub(crate) beside: Option<&'static str>,
    /// What the value is compared with, for a correlation.
    pub(crate) against: Option<f64>,
    pub(crate) place: Place,
    pub(crate) subject: Subject,
    /// The event that counts.
    pub(crate) event: EventId,
    /// Further events that the value rests on.
    pub(crate) also: Vec<EventId>,
}

impl Row {
    /// One of the sample.
    pub(crate) fn counted(subject: Subject, place: Place, moment: Moment) -> Self {
        Self {
            at: moment.at,
            value: None,
            hit: false,
            part: Part::Counted,
            group: None,
            in_points: true,
            beside: None,
            against: None,
            place,
            subject,
            event: moment.event,
            also: Vec::new(),
        }
    }

    /// Not one of the sample: left out, counted beside or still open.
    pub(crate) fn apart(subject: Subject, place: Place, moment: Moment, part: Part) -> Self {
        Self { part, ..Self::counted(subject, place, moment) }
    }

    /// One of the sample by the seconds that it took, bucketed by its end; left out if it ended before it began.
    pub(crate) fn lasting(subject: Subject, place: Place, from: DateTime<Utc>, to: Moment) -> Self {
        let row = Self::counted(subject, place, to);
        match seconds_between(from, to.at) {
            Some(seconds) => row.with_value(seconds),
            None => Self { part: Part::LeftOut(NEGATIVE), ..row },
        }
    }

    pub(crate) fn with_value(self, value: f64) -> Self {
        Self { value: Some(value), ..self }
    }

    pub(crate) fn with_hit(self, hit: bool) -> Self {
        Self { hit, ..self }
    }

    pub(crate) fn in_group(self, group: Option<u32>) -> Self {
        Self { group, ..self }
    }

    /// Counts in that category and in no point.
    pub(crate) fn in_group_only(self, group: u32) -> Self {
        Self { group: Some(group), in_points: false, ..self }
    }

    pub(crate) fn named_beside(self, beside: Option<&'static str>) -> Self {
        Self { beside, ..self }
    }

    pub(crate) fn compared_with(self, against: f64) -> Self {
        Self { against: Some(against), ..self }
    }

    pub(crate) fn resting_on(mut self, events: impl IntoIterator<Item = EventId>) -> Self {
        let own = self.event;
        self.also.extend(events.into_iter().filter(|event| *event != own));
        self.also.sort_unstable();
        self.also.dedup();
        self
    }
}

/// Seconds from one instant to a later one; none if it is earlier.
#[expect(clippy::cast_precision_loss, reason = "durations of up to 200 years in microseconds are exact")]
pub(crate) fn seconds_between(from: DateTime<Utc>, to: DateTime<Utc>) -> Option<f64> {
    let micros = (to - from).num_microseconds()?;
    (micros >= 0).then_some(micros as f64 / 1e6)
}

/// All rows of a metric, oldest first.
#[derive(Debug)]
pub(crate) struct Frame {
    rows: Vec<Row>,
    table: DataFrame,
    /// True if a fact has a row for each of several services, so that wider scopes must take it once.
    repeats: bool,
}

/// The part of the organisation and the tier that a question is about, in numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Within {
    /// By service: whether it is meant. None for all, with or without a service.
    pub(crate) services: Option<Vec<bool>>,
    /// None for all.
    pub(crate) repository: Option<RepositoryCode>,
    /// None if no fact is of that tier.
    pub(crate) tier: Option<TierCode>,
}

/// The buckets of a question, and the instants that its headline covers.
#[derive(Debug, Clone)]
pub(crate) struct Span<'b> {
    pub(crate) buckets: &'b [Bucket],
    pub(crate) from: DateTime<Utc>,
    pub(crate) to: DateTime<Utc>,
    pub(crate) now: DateTime<Utc>,
}

/// Which rows answer a question.
#[derive(Debug)]
pub(crate) struct Selected {
    /// By row: its bucket, if it is in one.
    pub(crate) bucket: Vec<Option<u32>>,
    /// By row: whether the headline covers it.
    pub(crate) headline: Vec<bool>,
    /// The open ones, whenever they began.
    pub(crate) open: Vec<usize>,
    /// True if the scope has any row at all, ever.
    pub(crate) any: bool,
}

impl Part {
    /// In words, for one that is not in the sample.
    pub(crate) const fn why_not_counted(self) -> Option<&'static str> {
        match self {
            Self::Counted => None,
            Self::Beside(name) | Self::LeftOut(name) | Self::Open(name) => Some(name),
        }
    }
}

impl Selected {
    /// The rows behind a figure: of a bucket or else of the headline, in a category or else in the points. Open ones
    /// are in no bucket, so only the headline has them.
    pub(crate) fn evidence<'f>(&self, frame: &'f Frame, bucket: Option<usize>, group: Option<usize>) -> Vec<&'f Row> {
        let in_time = |index: usize| match bucket {
            Some(bucket) => self.bucket.get(index).copied().flatten().is_some_and(|own| own as usize == bucket),
            None => self.headline.get(index).copied().unwrap_or(false),
        };
        let in_group = |row: &Row| match group {
            Some(group) => row.part == Part::Counted && row.group.is_some_and(|own| own as usize == group),
            None => row.in_points,
        };
        let open = if bucket.is_none() && group.is_none() { self.open.as_slice() } else { &[] };
        let rows = frame.rows.iter().enumerate().filter(|(index, row)| in_time(*index) && in_group(row));
        rows.map(|(_, row)| row).chain(open.iter().filter_map(|index| frame.row(*index))).collect()
    }
}

impl Row {
    /// The row as it is shown; the value of an open one is how long it has been so at `now`.
    pub(crate) fn evidence(&self, keys: &Keys, now: DateTime<Utc>) -> Option<Evidence> {
        let so_far = match self.part {
            Part::Open(_) => seconds_between(self.at, now),
            Part::Counted | Part::Beside(_) | Part::LeftOut(_) => None,
        };
        Some(Evidence {
            fact: keys.of(self.subject)?.to_owned(),
            at: self.at,
            value: self.value.or(so_far),
            event: self.event,
            also: self.also.clone(),
            left_out: self.part.why_not_counted().map(str::to_owned),
        })
    }
}

impl Within {
    /// As [`Within::holds`], whatever the tier.
    pub(crate) fn holds_any_tier(&self, place: &Place) -> bool {
        self.holds(&Place { tier: None, ..*place })
    }

    fn holds(&self, place: &Place) -> bool {
        let service = |flags: &Vec<bool>| {
            place.service.is_some_and(|ServiceCode(code)| flags.get(code as usize).copied().unwrap_or(false))
        };
        self.services.as_ref().is_none_or(service)
            && self.repository.is_none_or(|repository| place.repository == Some(repository))
            && place.tier.is_none_or(|tier| self.tier == Some(tier))
    }
}

impl Span<'_> {
    fn bucket_of(&self, at: DateTime<Utc>) -> Option<(usize, &Bucket)> {
        let index = self.buckets.partition_point(|bucket| bucket.to <= at);
        self.buckets.get(index).filter(|bucket| bucket.from <= at).map(|bucket| (index, bucket))
    }
}

impl Frame {
    /// Orders the rows and makes the table of them.
    ///
    /// # Errors
    /// If polars refuses columns of equal length: never.
    pub(crate) fn new(mut rows: Vec<Row>) -> PolarsResult<Self> {
        rows.sort_by_key(|row| (row.at, row.subject, row.place, row.group, row.event));
        let mut services = HashMap::with_capacity(rows.len());
        let repeats =
            rows.iter().any(|row| *services.entry(row.subject).or_insert(row.place.service) != row.place.service);
        let table = DataFrame::new(
            rows.len(),
            vec![
                Column::new("value".into(), rows.iter().map(|row| row.value).collect::<Vec<_>>()),
                Column::new("hit".into(), rows.iter().map(|row| row.hit).collect::<Vec<_>>()),
                Column::new("group".into(), rows.iter().map(|row| row.group).collect::<Vec<_>>()),
                Column::new("in_points".into(), rows.iter().map(|row| row.in_points).collect::<Vec<_>>()),
                Column::new("counted".into(), rows.iter().map(|row| row.part == Part::Counted).collect::<Vec<_>>()),
            ],
        )?;
        Ok(Self { rows, table, repeats })
    }

    pub(crate) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// A row by its number.
    pub(crate) fn row(&self, index: usize) -> Option<&Row> {
        self.rows.get(index)
    }

    /// The table of all rows with the columns `bucket` and `headline` of a selection.
    ///
    /// # Errors
    /// If the selection is of another frame.
    pub(crate) fn table(&self, selected: &Selected) -> PolarsResult<DataFrame> {
        let mut table = self.table.clone();
        table.with_column(Column::new("bucket".into(), selected.bucket.as_slice()))?;
        table.with_column(Column::new("headline".into(), selected.headline.as_slice()))?;
        Ok(table)
    }

    /// Selects the rows of a scope and span. A fact that several services of the scope share is taken once: the
    /// earliest that counts.
    pub(crate) fn select(&self, within: &Within, span: &Span<'_>) -> Selected {
        let mut selected = Selected {
            bucket: vec![None; self.rows.len()],
            headline: vec![false; self.rows.len()],
            open: Vec::new(),
            any: false,
        };
        let mut taken = HashSet::new();
        for (index, row) in self.rows.iter().enumerate().filter(|(_, row)| within.holds(&row.place)) {
            selected.any = true;
            if matches!(row.part, Part::Open(_)) || (self.repeats && !taken.insert(identity(row))) {
                continue;
            }
            let Some((number, bucket)) = span.bucket_of(row.at) else { continue };
            if let (Some(slot), Some(headline)) = (selected.bucket.get_mut(index), selected.headline.get_mut(index)) {
                *slot = u32::try_from(number).ok();
                *headline = bucket.complete && span.from <= row.at && row.at < span.to;
            }
        }
        // What one service of the scope waits for and another has is not open for the scope.
        let done: HashSet<Subject> = taken.iter().map(|(subject, _, _)| *subject).collect();
        let mut told = HashSet::new();
        for (index, row) in self.rows.iter().enumerate() {
            let open = matches!(row.part, Part::Open(_)) && row.at <= span.now && within.holds(&row.place);
            if open && !done.contains(&row.subject) && told.insert((row.subject, row.group)) {
                selected.open.push(index);
            }
        }
        selected
    }
}

/// What makes two rows the same contribution of one fact, for different services.
fn identity(row: &Row) -> (Subject, Option<u32>, Part) {
    (row.subject, if row.in_points { None } else { row.group }, row.part)
}
