//! What holds for every metric, whatever the facts.

use bus::data::Outcome;
use bus::ids::EventId;
use chrono::{Duration, NaiveDate};
use proptest::prelude::{ProptestConfig, Strategy, any, prop, prop_assert, prop_assert_eq, proptest};

use crate::aggregate::ratio;
use crate::derive::samples::{ROLLBACK, SHOP, Sample, at, event, moment, november, review, short};
use crate::facts::{FactKey, PersonHash};
use crate::report::{Figure, Point, Scope};
use crate::window::{Calendar, Grain};

/// Cases of each law.
const CASES: u32 = 12;

const TEAMS: &str = "
team: [{name: red}, {name: blue}, {name: deep, parent: blue}]
service:
  - {name: s0, team: red, repository: git.example/acme/s0}
  - {name: s1, team: blue, repository: git.example/acme/s1}
  - {name: s2, team: deep, repository: git.example/acme/s2}
  - {name: s3, team: deep, repository: git.example/acme/s2}
";

/// Deployments, changes and incidents of four services over November, from small numbers.
fn anything(seeds: &[(u8, u16, u8)]) -> Sample {
    let mut sample = Sample::new().with_catalog(TEAMS);
    for (index, (place, minute, how)) in seeds.iter().enumerate() {
        let time = at("2026-10-30T00:00") + Duration::minutes(i64::from(*minute));
        let text = time.format("%Y-%m-%dT%H:%M").to_string();
        let service = place % 4;
        let deployment = sample.deployed(&format!("d{index}"), &format!("sha{}", how % 40), &text);
        deployment.service = Some(format!("s{service}"));
        deployment.repository = None;
        deployment.manner = if how % 7 == 0 { ROLLBACK } else { None };
        deployment.finished.as_mut().unwrap().value = if how % 5 == 0 { Outcome::Failure } else { Outcome::Success };
        let opened = (time - Duration::hours(i64::from(*how))).format("%Y-%m-%dT%H:%M").to_string();
        let number = index as u64;
        let change = sample.merged(number, &format!("sha{}", how % 40), &opened, &text);
        change.repository = format!("git.example/acme/s{}", service.min(2));
        change.author = Some(PersonHash(number % 20));
        change.reviews.insert(event(&format!("r{index}")), review(50, &text, how % 2 == 0));
        let change = change.clone();
        sample.facts.changes.remove(&FactKey(format!("{SHOP}#{number}")));
        sample.facts.changes.insert(FactKey(format!("{}#{number}", change.repository)), change);
        if how % 11 == 0 {
            let resolved = (how % 2 == 0).then_some("2026-11-24T00:00");
            let incident = sample.incident(&format!("i{index}"), &text, resolved);
            (incident.service, incident.repository) = (Some(format!("s{service}")), None);
        }
    }
    sample
}

fn facts() -> impl Strategy<Value = Sample> {
    prop::collection::vec((any::<u8>(), 0_u16..40_000, any::<u8>()), 0..60).prop_map(|seeds| anything(&seeds))
}

fn scopes() -> Vec<Scope> {
    let teams = ["red", "blue", "deep"].map(|name| Scope::Team(name.to_owned()));
    let services = ["s0", "s1", "s2", "s3"].map(|name| Scope::Service(name.to_owned()));
    [Scope::Company].into_iter().chain(teams).chain(services).collect()
}

proptest! {
    // Each case asks every metric for every scope; more would make the suite wait for little.
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn every_n_opens_into_as_many_events_and_every_event_tells_that_it_counts(sample in facts(), scope in prop::sample::select(scopes())) {
        let view = sample.view();
        for definition in view.definitions() {
            let ask = crate::report::Ask { scope: scope.clone(), ..november() };
            let report = view.report(definition.name, &ask).unwrap();
            if report.withheld.is_some() {
                continue;
            }
            let check = |bucket: Option<&str>, group: Option<&str>, point: &Point| {
                let evidence = view.evidence(definition.name, &ask, bucket, group).unwrap();
                let counted: Vec<EventId> = evidence.iter().filter(|row| row.left_out.is_none()).map(|row| row.event).collect();
                assert_eq!(counted.len() as u64, point.n, "{} {:?} {bucket:?} {group:?}", definition.name, ask.scope);
                let distinct: std::collections::BTreeSet<_> = counted.iter().collect();
                assert_eq!(distinct.len(), counted.len(), "an event counts twice in {}", definition.name);
                assert!(counted.iter().all(|event| view.counted_in(*event).iter().any(|counted| counted.metric == definition.name)));
            };
            report.points.iter().for_each(|point| check(Some(&point.bucket.label), None, &point.point));
            report.groups.iter().for_each(|group| check(None, Some(&group.label), &group.point));
            check(None, None, &report.total);
            let complete: u64 = report.points.iter().filter(|point| point.bucket.complete).map(|point| point.point.n).sum();
            prop_assert_eq!(complete, report.total.n);
        }
    }

    #[test]
    fn services_add_up_to_their_team_and_to_the_company(sample in facts()) {
        let view = sample.view();
        let n = |scope: Scope| view.report("successful-deployments", &crate::report::Ask { scope, ..november() }).unwrap().total.n;
        let service = |name: &str| n(Scope::Service(name.to_owned()));
        let team = |name: &str| n(Scope::Team(name.to_owned()));
        prop_assert_eq!(team("deep"), service("s2") + service("s3"));
        prop_assert_eq!(team("blue"), service("s1") + team("deep"));
        prop_assert_eq!(n(Scope::Company), team("red") + team("blue"));
    }

    #[test]
    fn the_names_of_facts_and_so_their_order_do_not_change_any_figure(sample in facts()) {
        let mut renamed = sample.clone();
        renamed.facts.deployments = std::mem::take(&mut renamed.facts.deployments)
            .into_iter()
            .map(|(key, deployment)| (FactKey(format!("{:?}", blake3::hash(key.0.as_bytes()))), deployment))
            .collect();
        // Two deployments of one instant are told apart by name only, so their order is free.
        let ends: std::collections::BTreeSet<_> = sample.facts.deployments.values().map(|deployment| deployment.finished.as_ref().unwrap().at).collect();
        if ends.len() == sample.facts.deployments.len() {
            for definition in sample.view().definitions() {
                prop_assert_eq!(sample.report(definition.name), renamed.report(definition.name));
            }
        }
    }

    #[test]
    fn quantiles_are_those_of_linear_interpolation(minutes in prop::collection::vec(0_u32..20_000, 1..60)) {
        let mut sample = Sample::new();
        for (index, minutes) in minutes.iter().enumerate() {
            let started = at("2026-11-17T00:00") - Duration::minutes(i64::from(*minutes));
            let started = started.format("%Y-%m-%dT%H:%M").to_string();
            sample.ran(&format!("{index}"), &started, "2026-11-17T00:00", Outcome::Success);
        }
        let Figure::Quantiles { p25, p50, p75, p90 } = sample.report("pipeline-duration").total.figure else {
            panic!("no quantiles");
        };
        let mut seconds: Vec<f64> = minutes.iter().map(|minutes| f64::from(*minutes) * 60.0).collect();
        seconds.sort_by(f64::total_cmp);
        for (percent, value) in [(25, p25), (50, p50), (75, p75), (90, p90)] {
            // In hundredths of a place.
            let place = percent * (seconds.len() - 1);
            let (low, high) = (seconds[place / 100], seconds[place.div_ceil(100)]);
            prop_assert!((low + (high - low) * ((place % 100) as f64 / 100.0) - value).abs() < 1e-6);
        }
    }

    #[test]
    fn an_interval_holds_its_rate_and_stays_within_0_and_1(hits in 0_u64..500, misses in 0_u64..500) {
        match ratio(hits, hits + misses) {
            Figure::Ratio { value, low, high, .. } => prop_assert!(0.0 <= low && low <= value && value <= high && high <= 1.0),
            figure @ (Figure::NoData | Figure::Count { .. } | Figure::Quantiles { .. } | Figure::BeforeFirst | Figure::Withheld) => prop_assert_eq!((figure, hits + misses), (Figure::NoData, 0)),
        }
    }
}

#[test]
fn the_interval_is_that_of_wilson() {
    // Newcombe (1998), table I: 81 of 263 and 15 of 148.
    assert_eq!(short(&ratio(81, 263)), "81 = 0.308 (0.255–0.366)");
    assert_eq!(short(&ratio(15, 148)), "15 = 0.101 (0.062–0.160)");
    assert_eq!(short(&ratio(0, 20)), "0 = 0.000 (0.000–0.161)");
}

fn weeks(zone: chrono_tz::Tz, from: &str, to: &str, deployed: &[&str]) -> Vec<(String, String)> {
    let mut sample = Sample::new();
    sample.facts.first_seen.insert(SHOP.to_owned(), at("2020-01-01T00:00"));
    for time in deployed {
        sample.deployed(time, time, time);
    }
    let mut ask = november();
    let day = |text: &str| text.parse::<NaiveDate>().unwrap();
    (ask.window.from, ask.window.to, ask.window.grain) = (day(from), day(to), Grain::Week);
    (ask.window.calendar, ask.window.now) = (Calendar { zone, ..Calendar::default() }, at("2028-01-01T00:00"));
    let report = sample.view().report("successful-deployments", &ask).unwrap();
    report.points.into_iter().map(|point| (point.bucket.label, short(&point.point.figure))).collect()
}

#[test]
fn a_week_ends_at_midnight_of_the_organisation_also_when_the_clock_changes() {
    // Sunday 25 October 2026 has 25 hours in Berlin: 22:59 UTC is 23:59 there, 23:00 UTC is Monday.
    let told =
        weeks(chrono_tz::Tz::Europe__Berlin, "2026-10-19", "2026-11-02", &["2026-10-25T22:59", "2026-10-25T23:00"]);
    assert_eq!(told, [("2026-W43".to_owned(), "1".to_owned()), ("2026-W44".to_owned(), "1".to_owned())]);
}

#[test]
fn week_53_takes_the_days_of_both_years() {
    let told = weeks(
        chrono_tz::Tz::UTC,
        "2026-12-28",
        "2027-01-11",
        &["2026-12-31T12:00", "2027-01-03T23:59", "2027-01-04T00:00"],
    );
    assert_eq!(told, [("2026-W53".to_owned(), "2".to_owned()), ("2027-W01".to_owned(), "1".to_owned())]);
}

#[test]
fn before_the_first_event_no_data_and_zero_are_three_different_things() {
    let mut sample = Sample::new();
    sample.facts.first_seen.insert(SHOP.to_owned(), at("2026-11-10T00:00"));
    let figures = |sample: &Sample, metric: &str| {
        sample.report(metric).points.iter().map(|point| short(&point.point.figure)).collect::<Vec<_>>()
    };
    assert_eq!(figures(&sample, "successful-deployments"), ["before first", "no data", "no data", "no data"]);
    sample.deployed("1", "a", "2026-11-18T00:00");
    assert_eq!(figures(&sample, "successful-deployments"), ["before first", "0", "1", "0"]);
    assert_eq!(figures(&sample, "time-to-restore"), ["before first", "no data", "no data", "no data"]);
}

#[test]
fn a_change_that_two_services_share_counts_for_each_and_once_for_both() {
    let mut sample = Sample::new().with_catalog(
        "service: [{name: api, repository: git.example/acme/shop}, {name: worker, repository: git.example/acme/shop}]",
    );
    for (index, (service, sha, time)) in [
        ("api", "a", "2026-11-03T08:00"),
        ("worker", "a", "2026-11-03T08:00"),
        ("worker", "b", "2026-11-03T12:00"),
        ("api", "b", "2026-11-03T14:00"),
    ]
    .into_iter()
    .enumerate()
    {
        sample.deployed(&index.to_string(), sha, time).service = Some(service.to_owned());
    }
    sample.merged(1, "b", "2026-11-03T10:00", "2026-11-03T11:00");
    let view = sample.view();
    let told = |scope: Scope| {
        let report = view.report("lead-time", &crate::report::Ask { scope, ..november() }).unwrap();
        (report.total.n, short(&report.total.figure))
    };
    let hours = |hours: u32| (1, [hours * 3_600; 4].map(|seconds| seconds.to_string()).join(" "));
    assert_eq!(told(Scope::Service("api".to_owned())), hours(5));
    assert_eq!(told(Scope::Service("worker".to_owned())), hours(3));
    assert_eq!(told(Scope::Company), hours(3));
    assert_eq!(told(Scope::Repository(SHOP.to_owned())), hours(3));
    let now = moment("2026-11-25T12:00", "now").at;
    assert_eq!(view.status(&Scope::Company, now).unwrap().len(), 2);
}
