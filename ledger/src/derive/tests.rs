//! How services stand, and other questions that are no metric.

use bus::data::Outcome;

use super::samples::{Sample, at, event, november};
use crate::report::Scope;
use crate::view::Signal;

const NOW: &str = "2026-11-25T12:00";

fn failed(sample: &mut Sample, id: &str, time: &str) {
    sample.ran(id, time, time, Outcome::Failure);
}

#[test]
fn a_build_fails_since_the_first_failure_after_the_last_success() {
    let mut sample = Sample::new();
    sample.ran("1", "2026-11-24T08:00", "2026-11-24T08:10", Outcome::Success);
    failed(&mut sample, "2", "2026-11-24T09:00");
    failed(&mut sample, "3", "2026-11-24T10:00");
    // Another pipeline that passes later does not make it good.
    sample.ran("4", "2026-11-24T11:00", "2026-11-24T11:10", Outcome::Success).pipeline = Some("lint".to_owned());
    let status = sample.view().status(&Scope::Company, at(NOW)).unwrap();
    let failing = Signal::Failing { since: at("2026-11-24T09:00"), what: "pipeline ci".to_owned(), event: event("3") };
    assert_eq!((&status[0].build, &status[0].deployment), (&failing, &Signal::NotConfigured));
}

#[test]
fn a_service_without_a_sign_for_longer_than_usual_is_silent_and_one_with_an_open_incident_fails() {
    let mut sample = Sample::new();
    sample.deployed("1", "a", "2026-11-10T10:00");
    let silent = |sample: &Sample, now: &str| {
        let status = sample.view().status(&Scope::Company, at(now)).unwrap();
        matches!(status[0].deployment, Signal::Silent { .. })
    };
    assert!(!silent(&sample, "2026-11-24T10:00") && silent(&sample, "2026-11-24T10:01"));
    // Once a week is usual here, so four weeks are not yet silence.
    sample.deployed("2", "b", "2026-11-17T10:00");
    assert!(!silent(&sample, "2026-12-15T10:00") && silent(&sample, "2026-12-15T10:01"));
    sample.incident("i", "2026-11-24T12:00", None);
    let status = sample.view().status(&Scope::Company, at(NOW)).unwrap();
    assert!(matches!(status[0].runtime, Signal::Failing { since, .. } if since == at("2026-11-24T12:00")));
}

#[test]
fn recent_deployments_are_newest_first_with_their_kind_and_what_they_brought() {
    let mut sample = Sample::new();
    for (sha, parents) in [("a", &[][..]), ("b", &["a"])] {
        sample.commit(sha, parents);
    }
    sample.merged(1, "b", "2026-11-03T08:00", "2026-11-03T08:30");
    sample.deployed("1", "a", "2026-11-03T08:00");
    sample.deployed("2", "b", "2026-11-03T09:00");
    sample.deployed("3", "a", "2026-11-03T10:00");
    let recent = sample.view().recent_deployments(&Scope::Company, 10).unwrap();
    let told: Vec<_> = recent.iter().map(|one| (one.fact.as_str(), one.kind, one.changes)).collect();
    assert_eq!(told, [("3", "rollback", Some(0)), ("2", "deploy", Some(1)), ("1", "deploy", None)]);
}

#[test]
fn a_graph_with_a_gap_falls_back_to_the_time_of_merging() {
    let mut sample = Sample::new();
    sample.commit("a", &[]);
    // What lies between a and c was never told.
    sample.commit("c", &["lost"]);
    sample.merged(1, "lost", "2026-11-03T08:00", "2026-11-03T08:30");
    sample.merged(2, "c", "2026-11-04T08:00", "2026-11-04T08:30");
    sample.deployed("1", "a", "2026-11-03T09:00");
    sample.deployed("2", "c", "2026-11-04T09:00");
    let report = sample.report("lead-time");
    assert_eq!((report.total.n, report.total.beside.as_slice()), (1, &[("found by time of merging", 1)][..]));
}

#[test]
fn an_incident_is_blamed_on_the_deployment_it_names_however_long_ago() {
    let mut sample = Sample::new();
    sample.deployed("1", "abcdef0123", "2026-11-03T09:00");
    sample.deployed("2", "b", "2026-11-10T09:00");
    sample.incident("i", "2026-11-10T10:00", Some("2026-11-10T11:00")).deployment = Some("abcdef0".to_owned());
    let evidence = sample.evidence("recovery-time");
    assert_eq!(evidence.iter().map(|row| row.fact.as_str()).collect::<Vec<_>>(), ["1"]);
}

#[test]
fn a_scope_that_does_not_exist_is_an_error_that_names_it() {
    let ask = crate::report::Ask { scope: Scope::Team("nobody".to_owned()), ..november() };
    let error = Sample::new().view().report("lead-time", &ask).unwrap_err();
    assert_eq!(error.to_string(), "no team \"nobody\"");
}
