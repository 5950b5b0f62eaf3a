//! What the demo promises, read back the way every delivery is read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use bus::data::forge::{Change, Push};
use bus::data::runtime::Deployment;
use bus::data::{Data, Manner, Outcome};
use bus::delivery::Delivery;
use bus::ids::DeliveryOffset;
use bus::kind::Kind;
use chrono::Datelike;

use super::organisation::{SERVICES, WITH_BROKEN_BUILD, WITH_OPEN_INCIDENT, WITHOUT_DEPLOYMENTS, YOUNG, people};
use super::*;
use crate::normalizer::normalize;
use crate::senders::sample::DATA_OWNER;
use crate::source::sender_of;

/// A Wednesday afternoon, so that the week is half done.
fn options(scale: f64) -> Options {
    Options { seed: 1, now: "2026-11-25T14:20:00Z".parse().unwrap(), scale }
}

/// The year at full scale, made once for all tests.
static YEAR: LazyLock<Vec<NewDelivery>> = LazyLock::new(|| deliveries(options(1.0)).collect());

/// What an event says, or why a delivery cannot be read.
type Read = Result<(DateTime<Utc>, Kind, Data), String>;

/// What the year means.
static MEANING: LazyLock<Vec<Read>> = LazyLock::new(|| YEAR.iter().flat_map(read).collect());

fn read(content: &NewDelivery) -> Vec<Read> {
    let delivery =
        Delivery { offset: DeliveryOffset(1), content: content.clone(), body_hash: [0; 32], chain_hash: [0; 32] };
    match normalize(&delivery) {
        Ok(events) => events.into_iter().map(|event| Ok((event.time, event.kind, event.data))).collect(),
        Err(error) => vec![Err(error)],
    }
}

fn events() -> impl Iterator<Item = (DateTime<Utc>, &'static Kind, &'static Data)> {
    MEANING.iter().filter_map(|read| read.as_ref().ok()).map(|(at, kind, data)| (*at, kind, data))
}

fn changes(wanted: Kind) -> impl Iterator<Item = (DateTime<Utc>, &'static Change)> {
    events().filter(move |(_, kind, _)| **kind == wanted).filter_map(|(at, _, data)| {
        let Data::Change(change) = data else { return None };
        Some((at, &**change))
    })
}

fn pushes() -> impl Iterator<Item = &'static Push> {
    events().filter_map(|(_, _, data)| {
        let Data::Push(push) = data else { return None };
        Some(&**push)
    })
}

/// Deployments to production that ended.
fn deployments() -> impl Iterator<Item = (DateTime<Utc>, &'static Deployment)> {
    let all = events().filter_map(|(at, _, data)| {
        let Data::Deployment(deployment) = data else { return None };
        Some((at, &**deployment))
    });
    all.filter(|(_, d)| d.production == Some(true) && d.outcome.is_some())
}

fn now() -> DateTime<Utc> {
    options(1.0).now
}

/// Successful deployments to production, by the Monday of their week.
fn weekly() -> BTreeMap<DateTime<Utc>, usize> {
    let mut weeks = BTreeMap::new();
    for (at, _) in deployments().filter(|(_, d)| d.outcome == Some(Outcome::Success)) {
        let week = (at - Dates::before(now()).start).num_weeks();
        *weeks.entry(Dates::before(now()).start + TimeDelta::weeks(week)).or_default() += 1;
    }
    weeks
}

fn repository(service: &str) -> String {
    SERVICES.iter().find(|s| s.name == service).unwrap().repository()
}

#[test]
fn the_same_seed_gives_the_same_deliveries() {
    let year = |seed| deliveries(Options { seed, ..options(0.05) }).collect::<Vec<_>>();
    let first = year(1);
    assert!(first == year(1));
    assert!(first != year(2));
}

#[test]
fn deliveries_arrive_in_order_within_the_year() {
    assert!(YEAR.is_sorted_by_key(|d| d.received_at));
    assert!(YEAR.first().unwrap().received_at >= now() - TimeDelta::weeks(54));
    assert!(YEAR.last().unwrap().received_at <= now());
    assert!(YEAR.last().unwrap().received_at > now() - TimeDelta::hours(1));
}

#[test]
fn it_is_small_enough_to_be_read_while_somebody_waits() {
    let bytes: usize = YEAR.iter().map(|d| d.body.len()).sum();
    assert!((36_000..44_000).contains(&YEAR.len()), "{} deliveries", YEAR.len());
    assert!(bytes / YEAR.len() < 2_500, "{} bytes each", bytes / YEAR.len());
}

#[test]
fn on_any_day_at_any_hour_what_must_be_there_is_there() {
    for now in ["2026-11-22T03:10:00Z", "2027-01-01T00:00:05Z", "2026-03-30T00:10:00Z", "2028-02-29T23:59:59Z"] {
        let now = now.parse().unwrap();
        let year: Vec<_> = deliveries(Options { now, ..options(0.05) }).collect();
        let last = |wanted: &str| {
            let wanted = year.iter().filter(|d| String::from_utf8_lossy(&d.body).contains(wanted));
            now - wanted.map(|d| d.received_at).next_back().unwrap()
        };
        assert!(last("incident.detected") < TimeDelta::hours(2), "{now}");
        assert!(last("Bump ") < TimeDelta::hours(5), "{now}");
        assert!(last(r#""number":4711,"pull_request":{"title"#) < TimeDelta::hours(48), "{now}");
        let ids: BTreeSet<_> = year.iter().map(|d| &d.delivery_id).collect();
        assert_eq!(ids.len() + 1, year.len(), "{now}");
    }
}

#[test]
fn a_smaller_scale_gives_less() {
    let quarter = deliveries(options(0.25)).count();
    assert!((YEAR.len() / 6..YEAR.len() / 3).contains(&quarter), "{quarter}");
}

#[test]
fn every_delivery_comes_through_a_source_that_is_named() {
    let used: BTreeSet<_> = YEAR.iter().map(|d| d.source.as_str()).collect();
    assert_eq!(used, source_names().into_iter().chain([CLUSTER_SOURCE]).collect());
}

#[test]
fn pods_are_killed_again_and_again_today_and_many_on_one_node_three_nights_ago() {
    let pods: Vec<_> = events()
        .filter_map(|(at, kind, data)| {
            let Data::Pod(pod) = data else { return None };
            Some((at, kind, &**pod))
        })
        .collect();
    let now = options(1.0).now;
    let again = pods.iter().filter(|(at, kind, pod)| {
        **kind == Kind::PodKilled
            && *at > now - TimeDelta::hours(2)
            && pod.service.as_deref() == Some(WITH_OPEN_INCIDENT)
    });
    assert_eq!(again.count(), 6);
    let evicted: Vec<_> = pods.iter().filter(|(_, kind, _)| **kind == Kind::PodEvicted).collect();
    assert_eq!(evicted.len(), 14);
    let nodes: BTreeSet<_> = evicted.iter().map(|(_, _, pod)| pod.node.as_deref()).collect();
    assert_eq!(nodes.len(), 1);
    let killed = pods.iter().filter(|(_, kind, _)| **kind == Kind::PodKilled).count();
    assert!((40..160).contains(&killed), "{killed} in two weeks");
}

#[test]
fn every_delivery_has_the_id_that_its_sender_would_give_it() {
    for delivery in YEAR.iter() {
        let sender = sender_of(&delivery.source).unwrap();
        let mut headers = http::HeaderMap::new();
        headers.insert(http::header::CONTENT_TYPE, delivery.content_type.as_ref().unwrap().parse().unwrap());
        for (name, value) in &delivery.headers {
            headers.insert(http::HeaderName::try_from(name.as_str()).unwrap(), value.parse().unwrap());
        }
        assert_eq!((sender.delivery_id)(&headers, &delivery.body).as_ref(), Some(&delivery.delivery_id));
    }
}

#[test]
fn one_delivery_is_quarantined_and_everything_else_is_understood() {
    let errors: Vec<_> = MEANING.iter().filter_map(|read| read.as_ref().err()).collect();
    assert_eq!(errors.len(), 1, "{errors:?}");
    let unmapped = names(events().filter(|(_, kind, _)| matches!(kind, Kind::Other(_))));
    assert_eq!(unmapped, BTreeSet::new());
    let broken = YEAR.iter().find(|d| serde_json::from_slice::<serde_json::Value>(&d.body).is_err()).unwrap();
    assert!((1..3).contains(&(now() - broken.received_at).num_days()));
}

fn names(events: impl Iterator<Item = (DateTime<Utc>, &'static Kind, &'static Data)>) -> BTreeSet<String> {
    events.map(|(_, kind, _)| kind.name().to_owned()).collect()
}

#[test]
fn one_delivery_is_sent_again_and_no_other_id_comes_twice() {
    let mut seen = BTreeMap::new();
    let mut again = Vec::new();
    for delivery in YEAR.iter() {
        if let Some(first) = seen.insert((&delivery.source, &delivery.delivery_id), delivery) {
            again.push((first, delivery));
        }
    }
    let [(first, second)] = again.as_slice() else { panic!("{} redeliveries", again.len()) };
    assert_eq!(first.body, second.body);
    assert!(second.received_at - first.received_at >= TimeDelta::minutes(20));
}

#[test]
fn the_small_team_is_small() {
    let reviewers: BTreeSet<_> = events()
        .filter_map(|(_, _, data)| {
            let Data::Review(review) = data else { return None };
            (review.repository == repository("release-tools")).then(|| review.reviewer.clone())?
        })
        .map(|person| person.handle)
        .collect();
    assert!((2..=3).contains(&reviewers.len()), "{reviewers:?}");
    assert!(people("storefront").len() >= 5);
}

#[test]
fn a_source_that_used_to_speak_every_hour_has_been_silent_for_six_days() {
    let times: Vec<_> = YEAR.iter().filter(|d| d.source.as_str() == DATA_SOURCE).map(|d| d.received_at).collect();
    let last = *times.last().unwrap();
    assert!((6..7).contains(&(now() - last).num_days()), "{last}");
    let recent: Vec<_> = times.iter().filter(|at| **at > now() - TimeDelta::days(28)).collect();
    let longest = recent.windows(2).map(|pair| *pair[1] - *pair[0]).max().unwrap();
    assert!(longest < TimeDelta::minutes(80), "{longest}");
    assert!(YEAR.iter().filter(|d| d.source.as_str() == FORGE_SOURCE).any(|d| d.received_at > last));
}

#[test]
fn a_library_is_built_and_released_and_never_deployed() {
    let here = repository(WITHOUT_DEPLOYMENTS);
    let about = |text: &Data| format!("{text:?}").contains(&here);
    let wanted = |kind: &Kind| {
        ["pipelinerun", "service", "deployment", "release"].contains(&kind.name().split('.').next().unwrap())
    };
    let told = names(events().filter(|(_, kind, data)| wanted(kind) && about(data)));
    assert_eq!(told, ["pipelinerun.finished", "pipelinerun.started", "release.published"].map(str::to_owned).into());
}

#[test]
fn a_service_is_ten_weeks_old() {
    let first = changes(Kind::ChangeCreated).find(|(_, c)| c.repository == repository(YOUNG)).unwrap().0;
    assert!((60..=70).contains(&(now() - first).num_days()), "{first}");
}

#[test]
fn an_incident_is_open_and_only_one() {
    let mut open = BTreeMap::new();
    for (_, kind, data) in events() {
        let Data::Incident(incident) = data else { continue };
        if *kind == Kind::IncidentDetected {
            open.insert(&incident.id, incident);
        } else {
            assert_eq!(*kind, Kind::IncidentResolved);
            assert!(open.remove(&incident.id).is_some(), "{incident:?}");
        }
    }
    let open: Vec<_> = open.into_values().collect();
    assert!(open.iter().any(|i| i.service.as_deref() == Some(WITH_OPEN_INCIDENT)), "{open:?}");
    assert!(open.len() <= 3, "{open:?}");
}

#[test]
fn a_default_branch_does_not_build_now() {
    let here = repository(WITH_BROKEN_BUILD);
    let runs: Vec<_> = events()
        .filter_map(|(at, _, data)| {
            let Data::PipelineRun(run) = data else { return None };
            let here = run.repository.as_ref() == Some(&here) && run.change.is_none();
            run.outcome.filter(|_| here).map(|outcome| (at, outcome))
        })
        .collect();
    let (at, outcome) = runs.last().unwrap();
    assert_eq!(*outcome, Outcome::Failure);
    assert!((2..4).contains(&(now() - *at).num_hours()), "{at}");
}

#[test]
fn deployments_are_rolled_back_and_fixed_in_a_hurry_and_changes_reverted() {
    let recent = || deployments().filter(|(at, _)| *at > now() - TimeDelta::weeks(8)).map(|(_, d)| d);
    assert!(recent().any(|d| d.manner == Some(Manner::Rollback) && d.fixes.is_some()));
    assert!(recent().any(|d| d.manner == Some(Manner::Hotfix) && d.fixes.is_some()));
    let reverts: Vec<_> = changes(Kind::ChangeMerged).filter(|(_, c)| c.reverts.is_some()).collect();
    assert!(reverts.len() > 5, "{}", reverts.len());
}

#[test]
fn the_current_week_has_begun_and_is_not_over() {
    let weeks = weekly();
    let (last, count) = weeks.last_key_value().unwrap();
    assert_eq!(last.iso_week(), now().iso_week());
    assert!(*count > 10, "{count}");
    assert_eq!(weeks.len(), 54);
}

#[test]
fn about_seven_of_a_hundred_attempts_fail_and_ten_do_harm() {
    let all = deployments().count() as f64;
    let failed = deployments().filter(|(_, d)| d.outcome == Some(Outcome::Failure)).count() as f64;
    assert!((0.05..0.09).contains(&(failed / all)), "{failed} of {all} failed");
    let harmful: BTreeSet<_> = deployments().filter_map(|(_, d)| d.fixes.as_ref()).collect();
    let share = harmful.len() as f64 / (all - failed);
    assert!((0.06..0.13).contains(&share), "{share}");
}

#[test]
fn every_deployed_commit_is_a_merge_that_was_pushed() {
    let heads: BTreeSet<_> = pushes().filter_map(|p| p.after.as_ref()).collect();
    assert!(deployments().all(|(_, d)| d.sha.as_ref().is_some_and(|sha| heads.contains(sha))));
    assert!(changes(Kind::ChangeMerged).all(|(_, c)| c.merge_sha.as_ref().is_some_and(|sha| heads.contains(sha))));
}

#[test]
fn pushes_of_a_branch_follow_one_another() {
    let mut heads = BTreeMap::new();
    for push in pushes() {
        if let Some(before) = heads.insert(&push.repository, push.after.as_ref()) {
            assert_eq!(push.before.as_ref(), before, "{}", push.repository);
        }
        assert_eq!(push.commits.last().map(|c| &c.sha), push.after.as_ref());
    }
}

#[test]
fn the_pipeline_split_shortens_the_wait_for_production() {
    let merged: BTreeMap<_, _> = changes(Kind::ChangeMerged).map(|(at, c)| (c.merge_sha.as_ref(), at)).collect();
    let split_at = pipeline_split_at(now());
    let median = |after: bool| {
        let waits = deployments().filter(|(at, d)| (*at > split_at) == after && d.manner.is_none());
        let mut waits: Vec<_> =
            waits.filter_map(|(at, d)| Some((at - *merged.get(&d.sha.as_ref())?).num_minutes())).collect();
        waits.sort_unstable();
        waits[waits.len() / 2]
    };
    assert!(median(false) > 2 * median(true), "{} then {} minutes", median(false), median(true));
}

#[test]
fn the_weeks_of_the_year() {
    let counts: Vec<_> = weekly().into_values().map(|count| count.to_string()).collect();
    insta::assert_snapshot!(counts.join(" "), @"20 24 30 25 22 8 5 20 34 28 24 30 30 26 34 22 28 35 27 31 26 37 57 34 43 53 48 48 46 39 37 41 59 56 50 48 50 31 32 35 32 48 52 52 41 51 57 65 49 50 44 55 52 22");
}

#[test]
fn what_goes_on_follows_from_what_was() {
    let known: BTreeSet<_> = YEAR.iter().map(|d| &d.delivery_id).collect();
    let mut heads: BTreeMap<_, _> = pushes().map(|p| (p.repository.clone(), p.after.clone())).collect();
    let mut at = now();
    let mut followed = 0;
    for (wait, delivery) in live(options(1.0)).take(400) {
        at += TimeDelta::from_std(wait).unwrap();
        assert_eq!(delivery.received_at, at);
        assert!(!known.contains(&delivery.delivery_id));
        assert_ne!(delivery.source.as_str(), DATA_SOURCE);
        for event in read(&delivery) {
            let Data::Push(push) = event.unwrap().2 else { continue };
            followed += 1;
            assert_eq!(heads.insert(push.repository.clone(), push.after), Some(push.before), "{}", push.repository);
        }
    }
    assert!(followed > 3, "{followed}");
    assert!((at - now()) < TimeDelta::minutes(40), "{} for 400", at - now());
}

#[test]
fn every_other_service_is_deployed_by_its_name() {
    let deployed: BTreeSet<_> = deployments().filter_map(|(_, d)| d.service.as_deref()).collect();
    let all: BTreeSet<_> = SERVICES.iter().map(|s| s.name).filter(|name| *name != WITHOUT_DEPLOYMENTS).collect();
    assert_eq!(deployed, all);
}

#[test]
fn coverage_is_measured_as_a_share_of_a_commit() {
    let measured: Vec<_> = events()
        .filter_map(|(_, _, data)| {
            let Data::Coverage(coverage) = data else { return None };
            Some(coverage)
        })
        .collect();
    assert!(measured.len() > 300, "{}", measured.len());
    let heads: BTreeSet<_> = pushes().filter_map(|p| p.after.as_ref()).collect();
    for coverage in measured {
        assert!((0.3..=0.97).contains(&coverage.ratio.unwrap()), "{coverage:?}");
        // What was pushed to the silent source's repositories of late is not known.
        let known = heads.contains(coverage.sha.as_ref().unwrap());
        assert!(known || coverage.repository.as_ref().unwrap().contains(DATA_OWNER), "{coverage:?}");
    }
}
