//! What a metric answers: points with their sample sizes, what was left out and why, and the evidence behind each.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use bus::ids::EventId;

use crate::window::{Bucket, Window};

/// Which part of the organisation a figure is about. Wider scopes pool facts; they never average averages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Everything.
    #[default]
    Company,
    /// A team with its sub-teams.
    Team(String),
    /// One service.
    Service(String),
    /// One repository, `host/owner/name`.
    Repository(String),
}

/// What somebody wants to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// About whom.
    pub scope: Scope,
    /// Tier of environment, such as `production`.
    pub environment: String,
    /// Over which time, in which steps.
    pub window: Window,
}

/// What a metric is, in words. The text is shown beside every figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Definition {
    /// Name in URLs and on the command line: `successful-deployments`.
    pub name: &'static str,
    /// Name on a page: `Successful deployments per week`.
    pub title: &'static str,
    /// Unit of the values.
    pub unit: Unit,
    /// One or two sentences: what is counted, and what is not.
    pub text: &'static str,
    /// Raised whenever the same facts give other values.
    pub version: u32,
    /// True for review and change statistics, which are withheld for small groups.
    pub needs_group: bool,
}

/// Unit of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Things.
    Count,
    /// Seconds.
    Seconds,
    /// A share, 0 to 1.
    Ratio,
    /// Lines of code.
    Lines,
}

/// One figure.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Figure {
    /// So many things; a true zero is a count of 0.
    Count {
        /// How many.
        value: u64,
    },
    /// A distribution; linear interpolation between order statistics (type 7).
    Quantiles {
        /// First quartile.
        p25: f64,
        /// Median.
        p50: f64,
        /// Third quartile.
        p75: f64,
        /// Ninth decile.
        p90: f64,
    },
    /// A rate: `hits` of the sample, with its 95 % Wilson interval.
    Ratio {
        /// k of n.
        hits: u64,
        /// k / n.
        value: f64,
        /// Lower end.
        low: f64,
        /// Upper end.
        high: f64,
    },
    /// Nothing was measured: never the same as zero.
    NoData,
    /// Before the first event of this scope: the axis has not begun.
    BeforeFirst,
    /// Too few people contributed.
    Withheld,
}

/// A figure with what it rests on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Point {
    /// The figure.
    pub figure: Figure,
    /// Sample size.
    pub n: u64,
    /// Named counts beside it: (`rollbacks`, 2), (`failed`, 1), (`days with one`, 4).
    pub beside: Vec<(&'static str, u64)>,
}

/// A point of a bucket.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BucketPoint {
    /// Which bucket.
    #[serde(flatten)]
    pub bucket: Bucket,
    /// Its point.
    #[serde(flatten)]
    pub point: Point,
}

/// A point of a category, such as changes of 11–50 lines.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    /// Name: `11–50`.
    pub label: String,
    /// Its point.
    #[serde(flatten)]
    pub point: Point,
}

/// Facts that a rule left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Which rule, in words: `negative`, `first deployment of the service`.
    pub reason: String,
    /// How many.
    pub count: u64,
}

/// Why a figure is not shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Withheld {
    /// In words, for the page.
    pub reason: String,
    /// Distinct people needed. How many there are is not told.
    pub people_min: u64,
}

/// The answer of a metric.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// What is measured.
    pub definition: Definition,
    /// About whom.
    pub scope: Scope,
    /// Tier of environment.
    pub environment: String,
    /// One point a bucket, oldest first.
    pub points: Vec<BucketPoint>,
    /// The complete buckets of the window as one: what the headline says.
    pub total: Point,
    /// Points by category, for metrics that have categories; else empty.
    pub groups: Vec<Group>,
    /// Named single figures, such as (`spearman rho`, 0.41) or (`waiting now`, 7).
    pub notes: Vec<(&'static str, f64)>,
    /// What was left out over the window, by reason.
    pub left_out: Vec<LeftOut>,
    /// Set if the whole answer is withheld: every figure then is [`Figure::Withheld`].
    pub withheld: Option<Withheld>,
    /// Time of the newest event that the facts include; none if there is none.
    pub data_through: Option<DateTime<Utc>>,
}

/// One fact behind a figure.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evidence {
    /// Key of the fact, such as `github.com/acme/shop#12`.
    pub fact: String,
    /// The instant that puts it in its bucket.
    pub at: DateTime<Utc>,
    /// Its value in the metric's unit, where it has one.
    pub value: Option<f64>,
    /// The event that counts: exactly one for each of the `n` of a point.
    pub event: EventId,
    /// Further events that the value rests on, such as the deployment that a change went out with.
    pub also: Vec<EventId>,
    /// Why it was left out, if it was.
    pub left_out: Option<String>,
}
