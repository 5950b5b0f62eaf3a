//! A made-up organisation whose answers are written by hand, for tests of pages: any state of a figure can be had
//! without a history that leads to it.

use std::sync::Arc;

use bus::ids::EventId;
use chrono::{DateTime, Duration, Utc};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use ledger::report::{
    Ask, BucketPoint, Definition, Evidence, Figure, Group, LeftOut, Point, Report, Scope, Unit, Withheld,
};
use ledger::view::{AskError, CountedIn, RecentDeployment, Service, ServiceStatus, Signal, Team};
use ledger::window::Calendar;
use tower::ServiceExt;

use crate::answers::Answers;
use crate::happenings::Happenings;
use crate::site::{FirstSteps, Served, Site};

/// A Wednesday.
pub(crate) fn now() -> DateTime<Utc> {
    "2026-11-25T09:16:00Z".parse().unwrap()
}

/// An organisation; the default has two teams and a year of data.
#[derive(Debug, Clone, Default)]
pub(crate) struct Made {
    pub(crate) empty: bool,
    pub(crate) withheld: bool,
}

/// What a page answered.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: String,
    /// As sent.
    pub(crate) bytes: usize,
}

/// Asks the default organisation for an address.
pub(crate) async fn get(address: &str) -> Answered {
    get_from(Made::default(), Request::get(address).body(axum::body::Body::empty()).unwrap()).await
}

/// Asks an organisation.
pub(crate) async fn get_from(made: Made, request: Request<axum::body::Body>) -> Answered {
    answered(crate::site_router(site(made)), request).await
}

async fn answered(router: axum::Router, request: Request<axum::body::Body>) -> Answered {
    let response = router.oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let bytes = body.len();
    let body = String::from_utf8_lossy(&body).into_owned();
    Answered { status: parts.status, headers: parts.headers, body, bytes }
}

/// Asks the default organisation, to which this happened.
pub(crate) async fn get_where(happened: impl Happenings + 'static, address: &str) -> Answered {
    let served = Served { site: site(Made::default()), happenings: Arc::new(happened) };
    let request = Request::get(address).body(axum::body::Body::empty()).unwrap();
    answered(crate::router::served_router(served), request).await
}

/// An organisation as a site.
pub(crate) fn site(made: Made) -> Site {
    let made: Arc<dyn Answers> = Arc::new(made);
    Site {
        ledger: Arc::new(move || Arc::clone(&made)),
        clock: Arc::new(now),
        first_steps: Arc::new(FirstSteps::at("http://127.0.0.1:4000", "hello")),
    }
}

/// A definition.
pub(crate) fn definition(name: &'static str, title: &'static str, unit: Unit) -> Definition {
    let needs_group = matches!(name, "size-merge-time" | "time-to-first-review" | "review-rounds");
    Definition { name, title, unit, text: "What is counted, and what is not.", version: 3, needs_group }
}

/// The metrics of the made-up organisation.
pub(crate) fn definitions() -> Vec<Definition> {
    vec![
        definition("successful-deployments", "Successful deployments", Unit::Count),
        definition("lead-time", "Change lead time", Unit::Seconds),
        definition("change-failure-rate", "Change failure rate", Unit::Ratio),
        definition("time-to-restore", "Time to restore", Unit::Seconds),
        definition("size-merge-time", "Change size and time to merge", Unit::Seconds),
        definition("time-to-first-review", "Time to first review", Unit::Seconds),
        definition("review-rounds", "Review rounds", Unit::Count),
    ]
}

/// How five services stand: two fail, one is silent.
pub(crate) fn status() -> Vec<ServiceStatus> {
    let ago = |hours: i64| now() - Duration::hours(hours);
    let event = event(1);
    let passing = |hours| Signal::Passing { since: ago(hours), event };
    let failing = |hours, what: &str| Signal::Failing { since: ago(hours), what: what.to_owned(), event };
    let row = |service: &str, build, deployment, runtime| ServiceStatus {
        service: service.to_owned(),
        build,
        deployment,
        runtime,
    };
    vec![
        row("checkout", failing(2, "unit tests"), passing(20), passing(300)),
        row("ledger-api", passing(1), failing(30, "deploy to production"), passing(300)),
        row("search", Signal::Silent { since: ago(146), event }, passing(150), Signal::NotConfigured),
        row("cart", Signal::Running { since: ago(0), event }, passing(5), passing(900)),
        row("mail", passing(9), passing(9), passing(12)),
    ]
}

pub(crate) fn event(number: u8) -> EventId {
    EventId::from_bytes([number; 16])
}

/// A number below `below` that looks random and is always the same.
fn noise(index: usize, salt: u64, below: u64) -> u64 {
    let index = u64::try_from(index).unwrap();
    (index + 1).wrapping_mul(2_654_435_761).wrapping_add(salt * 40_503) % 1_000 * below / 1_000
}

fn quantiles(median: f64) -> Figure {
    Figure::Quantiles { p25: median * 0.4, p50: median, p75: median * 2.4, p90: median * 6.0 }
}

pub(crate) fn ratio(hits: u64, n: u64) -> Figure {
    let (p, z, n) = (hits as f64 / n as f64, 1.96, n as f64);
    let centre = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z / (1.0 + z * z / n) * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    Figure::Ratio { hits, value: p, low: (centre - half).max(0.0), high: (centre + half).min(1.0) }
}

fn point(name: &str, index: usize, of: usize) -> Point {
    let young = |n: u64| if index < 3 { 0 } else { n };
    match name {
        "successful-deployments" => {
            let mut value = noise(index, 1, 18) + if index < 26 { 39 } else { 53 };
            value = if index == 30 { 96 } else { value };
            value = if index + 1 == of { 27 } else { value };
            value = if index == 5 { 0 } else { value };
            let failed = noise(index, 2, 4);
            let beside = vec![("rollbacks", noise(index, 3, 2)), ("failed", failed)];
            let figure = if index < 2 { Figure::BeforeFirst } else { Figure::Count { value } };
            Point { figure, n: value, beside }
        }
        "change-failure-rate" => {
            let n = young(if index % 9 == 4 { 6 } else { 40 + noise(index, 4, 30) });
            let hits = noise(index, 5, n * 12) / 100;
            let figure = if n == 0 { Figure::NoData } else { ratio(hits, n) };
            Point { figure, n, beside: Vec::new() }
        }
        "time-to-restore" => {
            let n = noise(index, 6, 3);
            let figure = if n == 0 { Figure::NoData } else { quantiles(5_400.0) };
            Point { figure, n, beside: Vec::new() }
        }
        "review-rounds" => {
            Point { figure: Figure::Quantiles { p25: 1.0, p50: 1.0, p75: 2.0, p90: 3.0 }, n: 30, beside: Vec::new() }
        }
        _ => {
            let n = young(match index % 11 {
                3 => 3,
                7 => 7,
                9 => 0,
                _ => 44,
            });
            let figure = if n == 0 { Figure::NoData } else { quantiles(45_000.0 + noise(index, 7, 90_000) as f64) };
            let sizes = [("size 1", 14), ("size 2", 17), ("size 3", 9), ("size 4", 5), ("size 5", 2), ("size 6", 1)];
            let beside = if name == "size-merge-time" { sizes.to_vec() } else { Vec::new() };
            Point { figure, n, beside }
        }
    }
}

fn groups(name: &str) -> Vec<Group> {
    let group = |label: &str, figure: Figure, n: u64| Group {
        label: label.to_owned(),
        point: Point { figure, n, beside: Vec::new() },
    };
    match name {
        "lead-time" => vec![
            group("coding", quantiles(30_000.0), 800),
            group("draft", Figure::NoData, 0),
            group("pickup", quantiles(9_000.0), 700),
            group("review", quantiles(18_000.0), 700),
            group("waiting", quantiles(60_000.0), 900),
        ],
        "size-merge-time" => vec![
            group("1–10", quantiles(7_000.0), 320),
            group("11–50", quantiles(20_000.0), 410),
            group("51–200", quantiles(70_000.0), 240),
            group("201–500", quantiles(150_000.0), 90),
            group("501–1000", quantiles(300_000.0), 8),
            group("> 1000", quantiles(300_000.0), 3),
        ],
        "review-rounds" => {
            let count = |label, value| group(label, Figure::Count { value }, value);
            vec![count("1", 610), count("2", 240), count("3", 70), count("4", 12), count("5 or more", 0)]
        }
        _ => Vec::new(),
    }
}

impl Answers for Made {
    fn definitions(&self) -> Vec<Definition> {
        definitions()
    }

    fn report(&self, metric: &str, ask: &Ask) -> Result<Report, AskError> {
        let definition = definitions().into_iter().find(|definition| definition.name == metric);
        let definition = definition.ok_or_else(|| AskError::NoMetric(metric.to_owned()))?;
        self.known(&ask.scope)?;
        let buckets = ask.window.buckets();
        let of = buckets.len();
        let hide = self.withheld && definition.needs_group;
        let points = buckets.into_iter().enumerate().map(|(index, bucket)| {
            let point = if hide {
                Point { figure: Figure::Withheld, n: 0, beside: Vec::new() }
            } else {
                point(metric, index, of)
            };
            BucketPoint { bucket, point }
        });
        let total = match definition.unit {
            Unit::Ratio => Point { figure: ratio(182, 2_600), n: 2_600, beside: Vec::new() },
            Unit::Seconds => Point { figure: quantiles(86_000.0), n: 1_240, beside: Vec::new() },
            Unit::Count | Unit::Lines => Point { figure: Figure::Count { value: 2_860 }, n: 2_860, beside: Vec::new() },
        };
        let reason = "fewer than 5 people contributed; figures are shown from 5 on".to_owned();
        Ok(Report {
            definition,
            scope: ask.scope.clone(),
            environment: ask.environment.clone(),
            points: points.collect(),
            total,
            groups: if hide { Vec::new() } else { groups(metric) },
            notes: vec![
                ("waiting now", 7.0),
                ("oldest waiting seconds", 777_600.0),
                ("spearman rho", 0.412),
                ("spearman n", 1_071.0),
                ("open now", 14.0),
                ("closed unmerged", 9.0),
            ],
            left_out: vec![LeftOut { reason: "negative".to_owned(), count: 5 }],
            withheld: hide.then_some(Withheld { reason, people_min: 5 }),
            data_through: self.data_through(),
        })
    }

    fn evidence(
        &self,
        metric: &str,
        ask: &Ask,
        bucket: Option<&str>,
        _group: Option<&str>,
    ) -> Result<Vec<Evidence>, AskError> {
        let report = self.report(metric, ask)?;
        let wanted = report.points.iter().filter(|point| match bucket {
            Some(label) => point.bucket.label == label,
            None => point.bucket.complete,
        });
        let evidence = wanted.enumerate().flat_map(|(index, point)| {
            (0..point.point.n).map(move |number| {
                let seconds = (point.bucket.to - point.bucket.from).num_seconds();
                let number = i64::try_from(number).unwrap();
                let parts = 2 * i64::try_from(point.point.n).unwrap();
                Evidence {
                    fact: format!("fact {index} {number}"),
                    at: point.bucket.from + Duration::seconds(seconds * (2 * number + 1) / parts),
                    value: Some(600.0 + noise(index, number.unsigned_abs(), 36_000) as f64),
                    event: event(7),
                    also: Vec::new(),
                    left_out: None,
                }
            })
        });
        Ok(evidence.collect())
    }

    fn counted_in(&self, _event: EventId) -> Vec<CountedIn> {
        Vec::new()
    }

    fn status(&self, scope: &Scope, _now: DateTime<Utc>) -> Result<Vec<ServiceStatus>, AskError> {
        self.known(scope)?;
        Ok(match scope {
            Scope::Service(name) => status().into_iter().filter(|status| status.service == *name).collect(),
            Scope::Company | Scope::Team(_) | Scope::Repository(_) => status(),
        })
    }

    fn recent_deployments(&self, scope: &Scope, limit: usize) -> Result<Vec<RecentDeployment>, AskError> {
        self.known(scope)?;
        let deployment = |number: i64| RecentDeployment {
            fact: format!("deployment {number}"),
            service: "checkout".to_owned(),
            environment: "production".to_owned(),
            sha: Some("0123456789abcdef0123456789abcdef01234567".to_owned()),
            version: Some(format!("4.2.{}", 9 - number)),
            finished_at: now() - Duration::hours(7 * number + 1),
            outcome: if number == 2 { "failure" } else { "success" },
            kind: if number == 3 { "rollback" } else { "deploy" },
            changes: (number != 3).then_some(4),
            event: event(9),
        };
        Ok((0..5).map(deployment).take(limit).collect())
    }

    fn teams(&self) -> Vec<Team> {
        let team = |name: &str, title: &str| Team {
            name: name.to_owned(),
            title: title.to_owned(),
            parent: None,
            services: self.services().into_iter().map(|service| service.name).collect(),
        };
        vec![team("payments", "Payments"), team("shop", "Shop & <Search>")]
    }

    fn services(&self) -> Vec<Service> {
        let service = |status: ServiceStatus| Service {
            name: status.service.clone(),
            title: status.service,
            team: "payments".to_owned(),
            repository: Some("forge.example/acme/shop".to_owned()),
            path: None,
            in_catalog: true,
            first_event_at: Some(now() - Duration::days(300)),
        };
        let mut services: Vec<Service> = status().into_iter().map(service).collect();
        services.sort_by(|a, b| a.name.cmp(&b.name));
        services
    }

    fn calendar(&self) -> Calendar {
        Calendar::default()
    }

    fn data_through(&self) -> Option<DateTime<Utc>> {
        (!self.empty).then(now)
    }
}

impl Made {
    fn known(&self, scope: &Scope) -> Result<(), AskError> {
        let (kind, name, known) = match scope {
            Scope::Company => return Ok(()),
            Scope::Team(name) => ("team", name, self.teams().iter().any(|team| team.name == *name)),
            Scope::Service(name) => ("service", name, self.services().iter().any(|service| service.name == *name)),
            Scope::Repository(name) => ("repository", name, false),
        };
        if known { Ok(()) } else { Err(AskError::NoScope { kind, name: name.clone() }) }
    }
}
