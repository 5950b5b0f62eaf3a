//! Every metric against figures worked out by hand.

use bus::data::Outcome;

use crate::derive::samples::{ROLLBACK, SHOP, Sample, at, event, lines, moment, november, review};
use crate::facts::{Latest, PersonHash};

mod laws;

#[test]
fn successful_deployments_count_rollbacks_and_name_them_and_keep_failures_apart() {
    let mut sample = Sample::new();
    sample.deployed("1", "a", "2026-11-03T10:00");
    sample.deployed("2", "b", "2026-11-03T12:00").manner = ROLLBACK;
    let failed = sample.deployed("3", "c", "2026-11-04T10:00");
    failed.finished.as_mut().unwrap().value = Outcome::Failure;
    sample.deployed("4", "c", "2026-11-04T11:00");
    sample.deployed("5", "d", "2026-11-24T11:00");
    sample.deployed("6", "e", "2026-11-10T11:00").environment = Some("staging".to_owned());
    insta::assert_snapshot!(lines(&sample.report("successful-deployments")), @r"
    2026-W45: 3 (n 3, rollbacks 1, failed 1)
    2026-W46: 0 (n 0)
    2026-W47: 0 (n 0)
    2026-W48: 1 (n 1)
    total: 3 (n 3, rollbacks 1, failed 1)
    ");
}

#[test]
fn frequency_tells_the_days_with_at_least_one() {
    let mut sample = Sample::new();
    for (id, time) in [("1", "2026-11-03T10:00"), ("2", "2026-11-03T12:00"), ("3", "2026-11-05T10:00")] {
        sample.deployed(id, id, time);
    }
    insta::assert_snapshot!(lines(&sample.report("deployment-frequency")), @r"
    2026-W45: 3 (n 3, days with one 2)
    2026-W46: 0 (n 0)
    2026-W47: 0 (n 0)
    2026-W48: 0 (n 0)
    total: 3 (n 3, days with one 2)
    ");
}

#[test]
fn what_two_tools_tell_of_one_deployment_counts_once_with_both_as_evidence() {
    let mut sample = Sample::new();
    sample.deployed("forge/1", "abcdef0123", "2026-11-03T10:00");
    sample.deployed("cd/1", "abcdef0", "2026-11-03T10:10");
    sample.deployed("cd/2", "abcdef0123", "2026-11-03T10:11");
    let report = sample.report("successful-deployments");
    assert_eq!(report.total.n, 2);
    let counted: Vec<_> =
        sample.evidence("successful-deployments").into_iter().filter(|row| row.left_out.is_none()).collect();
    assert_eq!(counted[0].also, [event("cd/1")]);
}

#[test]
fn lead_time_runs_from_the_first_commit_to_the_first_deployment_that_contains_the_change() {
    let mut sample = Sample::new();
    for (sha, parents) in [("a", &[][..]), ("b", &["a"]), ("c", &["b"]), ("d", &["c"]), ("e", &["d"])] {
        sample.commit(sha, parents);
    }
    sample.merged(1, "a", "2026-11-02T00:00", "2026-11-02T01:00");
    // Coding 1 h, pickup 2 h, review 3 h, waiting 4 h.
    let change = sample.merged(2, "b", "2026-11-09T10:00", "2026-11-09T15:00");
    change.reviews.insert(event("review 2"), review(99, "2026-11-09T12:00", false));
    sample.merged(3, "c", "2026-11-09T18:00", "2026-11-09T18:30");
    let backwards = sample.merged(4, "d", "2026-11-09T18:00", "2026-11-09T18:40");
    backwards.first_commit = Some(moment("2026-11-12T00:00", "wrong clock"));
    sample.merged(5, "e", "2026-11-16T10:00", "2026-11-16T12:00");
    sample.deployed("1", "a", "2026-11-03T10:00");
    sample.deployed("2", "b", "2026-11-09T19:00");
    sample.deployed("3", "d", "2026-11-10T18:00");
    insta::assert_snapshot!(lines(&sample.report("lead-time")), @r"
    2026-W45: no data (n 0)
    2026-W46: 49500 63000 76500 84600 (n 2)
    2026-W47: no data (n 0)
    2026-W48: no data (n 0)
    total: 49500 63000 76500 84600 (n 2)
    coding: 3600 3600 3600 3600 (n 2)
    draft: 0 0 0 0 (n 2)
    pickup: 7200 7200 7200 7200 (n 1)
    review: 10800 10800 10800 10800 (n 1)
    waiting: 31950 49500 67050 77580 (n 2)
    waiting now = 1
    oldest waiting seconds = 777600
    left out, first deployment of the service: 1
    left out, negative: 1
    ");
}

#[test]
fn without_a_commit_graph_the_time_of_merging_decides_and_that_is_said() {
    let mut sample = Sample::new();
    sample.deployed("1", "a", "2026-11-03T10:00");
    sample.merged(1, "b", "2026-11-03T11:00", "2026-11-03T12:00");
    sample.merged(2, "c", "2026-11-03T12:00", "2026-11-03T13:05");
    // It took its content at 13:00, so what was merged at 13:05 is not in it.
    sample.deployed("2", "b", "2026-11-03T13:30").started = Some(moment("2026-11-03T13:00", "2 started"));
    insta::assert_snapshot!(lines(&sample.report("lead-time")), @r"
    2026-W45: 12600 12600 12600 12600 (n 1, found by time of merging 1)
    2026-W46: no data (n 0)
    2026-W47: no data (n 0)
    2026-W48: no data (n 0)
    total: 12600 12600 12600 12600 (n 1, found by time of merging 1)
    coding: 3600 3600 3600 3600 (n 1)
    draft: 0 0 0 0 (n 1)
    waiting: 5400 5400 5400 5400 (n 1)
    waiting now = 1
    oldest waiting seconds = 1896900
    ");
}

#[test]
fn a_push_that_is_the_merge_of_a_change_is_no_change_of_its_own() {
    let mut sample = Sample::new();
    sample.deployed("1", "a", "2026-11-03T10:00");
    let merged = sample.merged(1, "b", "2026-11-03T11:00", "2026-11-03T12:00").clone();
    let pushes = [("b", merged.clone()), ("c", merged)].map(|(sha, mut push)| {
        push.direct = true;
        push.number = None;
        push.merge_sha = Some(sha.to_owned());
        (crate::facts::FactKey(format!("{SHOP}@{sha}")), push)
    });
    sample.facts.changes.extend(pushes);
    sample.deployed("2", "c", "2026-11-03T13:00");
    assert_eq!(sample.report("lead-time").total.n, 2);
    assert_eq!(sample.view().recent_deployments(&november().scope, 1).unwrap()[0].changes, Some(2));
}

#[test]
fn a_failed_deployment_is_one_that_a_rollback_hotfix_revert_or_incident_follows_in_time() {
    let mut sample = Sample::new();
    for (sha, parents) in [("a", &[][..]), ("b", &["a"]), ("c", &["b"]), ("d", &["c"]), ("e", &["d"]), ("f", &["e"])] {
        sample.commit(sha, parents);
    }
    sample.merged(1, "c", "2026-11-09T08:00", "2026-11-09T09:00");
    sample.merged(2, "d", "2026-11-09T11:00", "2026-11-09T11:30").reverts = Some("c".to_owned());
    sample.deployed("1", "a", "2026-11-02T10:00");
    sample.deployed("2", "b", "2026-11-03T10:00");
    // Back to a: 2 failed, though no tool calls this a rollback. It is not in the sample.
    sample.deployed("3", "a", "2026-11-03T11:00");
    sample.deployed("4", "c", "2026-11-09T10:00");
    // Brings the revert of what 4 brought.
    sample.deployed("5", "d", "2026-11-09T12:00");
    sample.deployed("6", "e", "2026-11-10T12:00");
    sample.incident("latest", "2026-11-10T12:30", Some("2026-11-10T15:30"));
    sample.deployed("7", "f", "2026-11-17T12:00");
    sample.incident("a day and a minute later", "2026-11-18T12:01", None);
    insta::assert_snapshot!(lines(&sample.report("change-failure-rate")), @r"
    2026-W45: 1 = 0.500 (0.095–0.905) (n 2)
    2026-W46: 2 = 0.667 (0.208–0.939) (n 3)
    2026-W47: 0 = 0.000 (0.000–0.793) (n 1)
    2026-W48: no data (n 0)
    total: 3 = 0.500 (0.188–0.812) (n 6)
    left out, only makes another deployment good: 1
    ");
    insta::assert_snapshot!(lines(&sample.report("recovery-time")), @r"
    2026-W45: 3600 3600 3600 3600 (n 1)
    2026-W46: 8550 9900 11250 12060 (n 2)
    2026-W47: no data (n 0)
    2026-W48: no data (n 0)
    total: 5400 7200 9900 11520 (n 3)
    open = 0
    ");
    insta::assert_snapshot!(lines(&sample.report("time-to-restore")), @r"
    2026-W45: no data (n 0)
    2026-W46: 10800 10800 10800 10800 (n 1)
    2026-W47: no data (n 0)
    2026-W48: no data (n 0)
    total: 10800 10800 10800 10800 (n 1)
    open = 1
    longest open seconds, at least = 604740
    ");
}

#[test]
fn a_rollback_fails_what_it_takes_back_and_not_what_still_stands() {
    let mut sample = Sample::new();
    for (sha, parents) in [("a", &[][..]), ("b", &["a"]), ("c", &["b"]), ("d", &["c"])] {
        sample.commit(sha, parents);
    }
    for (id, sha, time) in
        [("1", "a", "2026-11-03T08:00"), ("2", "b", "2026-11-03T09:00"), ("3", "c", "2026-11-03T10:00")]
    {
        sample.deployed(id, sha, time);
    }
    sample.deployed("4", "d", "2026-11-03T11:00");
    sample.deployed("5", "b", "2026-11-03T12:00");
    let failed: Vec<_> = sample.evidence("recovery-time").into_iter().map(|row| row.fact).collect();
    assert_eq!(failed, ["3", "4"]);
}

#[test]
fn a_hotfix_makes_good_the_deployment_it_names() {
    let mut sample = Sample::new();
    sample.deployed("1", "a", "2026-11-03T08:00");
    sample.deployed("2", "b", "2026-11-03T09:00");
    sample.deployed("3", "c", "2026-11-03T10:00").fixes = Some("1".to_owned());
    let evidence = sample.evidence("recovery-time");
    assert_eq!(evidence.iter().map(|row| (row.fact.as_str(), row.value)).collect::<Vec<_>>(), [("1", Some(7_200.0))]);
}

#[test]
fn a_failed_deployment_that_nobody_made_good_yet_is_open_for_at_least_so_long() {
    let mut sample = Sample::new();
    sample.deployed("1", "a", "2026-11-24T12:00");
    sample.incident("i", "2026-11-24T13:00", None).deployment = Some("a".to_owned());
    insta::assert_snapshot!(lines(&sample.report("recovery-time")), @r"
    2026-W45: no data (n 0)
    2026-W46: no data (n 0)
    2026-W47: no data (n 0)
    2026-W48: no data (n 0)
    total: no data (n 0)
    open = 1
    longest open seconds, at least = 86400
    ");
    let evidence = sample.evidence("recovery-time");
    assert_eq!((evidence[0].value, evidence[0].left_out.as_deref()), (Some(86_400.0), Some("still open")));
}

#[test]
fn attempts_that_failed_count_in_the_success_rate_and_cancelled_ones_stand_beside() {
    let mut sample = Sample::new();
    let outcomes = [Outcome::Success, Outcome::Success, Outcome::Failure, Outcome::Error, Outcome::Cancelled];
    for (hour, outcome) in (10..).zip(outcomes) {
        let id = format!("{hour}");
        sample.deployed(&id, &id, &format!("2026-11-03T{hour}:00")).finished.as_mut().unwrap().value = outcome;
    }
    insta::assert_snapshot!(lines(&sample.report("deployment-success-rate")), @r"
    2026-W45: 2 = 0.500 (0.150–0.850) (n 4, cancelled 1)
    2026-W46: no data (n 0)
    2026-W47: no data (n 0)
    2026-W48: no data (n 0)
    total: 2 = 0.500 (0.150–0.850) (n 4, cancelled 1)
    ");
}

/// Changes of five people, so that nothing is withheld: 1 to 5, merged after as many hours.
fn five_people() -> Sample {
    let mut sample = Sample::new();
    for number in 1..=5 {
        let change =
            sample.merged(number, &format!("sha{number}"), "2026-11-03T10:00", &format!("2026-11-03T1{number}:00"));
        change.size.as_mut().unwrap().value.additions = 10 * number;
    }
    sample
}

#[test]
fn merge_time_is_told_by_size_with_what_was_left_out_and_what_is_open() {
    let mut sample = five_people();
    sample.merged(6, "f", "2026-11-03T10:00", "2026-11-03T20:00").author_is_bot = true;
    sample.merged(7, "g", "2026-11-03T10:00", "2026-11-03T20:00").size = None;
    sample.merged(8, "h", "2026-11-03T10:00", "2026-11-03T09:00");
    let open = sample.merged(9, "i", "2026-11-03T10:00", "2026-11-03T20:00");
    open.merged = None;
    let closed = sample.merged(10, "j", "2026-11-03T10:00", "2026-11-03T20:00");
    closed.closed = closed.merged.take();
    insta::assert_snapshot!(lines(&sample.report("size-merge-time")), @r"
    2026-W45: 7200 10800 14400 16560 (n 5, closed unmerged 1, size 2 4, size 3 1)
    2026-W46: no data (n 0)
    2026-W47: no data (n 0)
    2026-W48: no data (n 0)
    total: 7200 10800 14400 16560 (n 5, closed unmerged 1, size 2 4, size 3 1)
    11–50: 6300 9000 11700 13320 (n 4)
    51–200: 18000 18000 18000 18000 (n 1)
    spearman n = 5
    spearman rho = 1
    from first commit = 0
    open now = 1
    closed unmerged = 1
    left out, by a bot: 1
    left out, negative: 1
    left out, size unknown: 1
    ");
}

#[test]
fn where_opening_is_unknown_merge_time_runs_from_the_first_commit_and_says_so() {
    let mut sample = five_people();
    for change in sample.facts.changes.values_mut() {
        change.opened = None;
        change.ready = None;
    }
    let report = sample.report("size-merge-time");
    assert!(report.notes.contains(&("from first commit", 1.0)), "{:?}", report.notes);
    assert_eq!(
        lines(&report).lines().next().unwrap(),
        "2026-W45: 10800 14400 18000 20160 (n 5, from first commit 5, size 2 4, size 3 1)"
    );
}

#[test]
fn the_first_review_is_that_of_somebody_else_after_the_change_left_draft() {
    let mut sample = five_people();
    for (number, change) in (1..).zip(sample.facts.changes.values_mut()) {
        change.reviews.insert(event(&format!("own {number}")), review(number, "2026-11-03T10:01", false));
        change
            .reviews
            .insert(event(&format!("other {number}")), review(20, &format!("2026-11-03T10:{number}0"), false));
    }
    let mut drafts = sample.facts.changes.values_mut();
    drafts.next().unwrap().ready = Some(moment("2026-11-03T10:05", "left draft"));
    drafts.next().unwrap().ready = Some(moment("2026-11-03T23:00", "left draft after the review"));
    drafts.next().unwrap().reviews.clear();
    insta::assert_snapshot!(lines(&sample.report("time-to-first-review")), @r"
    2026-W45: 1350 2400 2700 2880 (n 3)
    2026-W46: no data (n 0)
    2026-W47: no data (n 0)
    2026-W48: no data (n 0)
    total: 1350 2400 2700 2880 (n 3)
    waiting now = 0
    left out, merged without a review: 1
    left out, negative: 1
    ");
}

#[test]
fn review_rounds_are_pushes_after_changes_were_requested_plus_one() {
    let mut sample = five_people();
    for (number, change) in (1..).zip(sample.facts.changes.values_mut().take(4)) {
        change.reviews.insert(event(&format!("review {number}")), review(20, "2026-11-03T10:30", number > 1));
        change.pushes.insert(moment("2026-11-03T10:10", "before"));
        change
            .pushes
            .extend((1..number).map(|push| moment(&format!("2026-11-03T10:4{push}"), &format!("push {push}"))));
    }
    insta::assert_snapshot!(lines(&sample.report("review-rounds")), @r"
    2026-W45: 1.75 2.5 3.25 3.7 (n 4)
    2026-W46: no data (n 0)
    2026-W47: no data (n 0)
    2026-W48: no data (n 0)
    total: 1.75 2.5 3.25 3.7 (n 4)
    1: 1 (n 1)
    2: 1 (n 1)
    3: 1 (n 1)
    4: 1 (n 1)
    left out, merged without a review: 1
    ");
}

#[test]
fn pipeline_runs_on_the_default_branch_and_on_changes_are_told_apart() {
    let mut sample = Sample::new();
    sample.ran("1", "2026-11-03T10:00", "2026-11-03T10:10", Outcome::Success).queued =
        Some(moment("2026-11-03T09:58", "1 queued"));
    sample.ran("2", "2026-11-03T11:00", "2026-11-03T11:20", Outcome::Failure);
    let change = sample.ran("3", "2026-11-03T12:00", "2026-11-03T12:30", Outcome::Success);
    (change.change, change.on_default_branch) = (Some(7), None);
    sample.ran("4", "2026-11-03T12:00", "2026-11-03T12:01", Outcome::Cancelled);
    sample.ran("5", "2026-11-03T12:00", "2026-11-03T12:01", Outcome::Success).on_default_branch = Some(false);
    insta::assert_snapshot!(lines(&sample.report("pipeline-duration")), @r"
    2026-W45: 465 900 1350 1620 (n 4)
    2026-W46: no data (n 0)
    2026-W47: no data (n 0)
    2026-W48: no data (n 0)
    total: 465 900 1350 1620 (n 4)
    default branch: 330 600 900 1080 (n 3)
    changes: 1800 1800 1800 1800 (n 1)
    queue of default branch: 120 120 120 120 (n 1)
    left out, neither the default branch nor a change: 1
    ");
    insta::assert_snapshot!(lines(&sample.report("pipeline-success-rate")), @r"
    2026-W45: 2 = 0.667 (0.208–0.939) (n 3, cancelled 1)
    2026-W46: no data (n 0)
    2026-W47: no data (n 0)
    2026-W48: no data (n 0)
    total: 2 = 0.667 (0.208–0.939) (n 3, cancelled 1)
    default branch: 1 = 0.500 (0.095–0.905) (n 2)
    changes: 1 = 1.000 (0.207–1.000) (n 1)
    left out, neither the default branch nor a change: 1
    ");
}

#[test]
fn change_statistics_of_four_people_are_withheld_and_so_is_their_evidence() {
    let mut sample = five_people();
    sample.facts.changes.pop_last();
    let report = sample.report("size-merge-time");
    assert_eq!(report.withheld.as_ref().unwrap().people_min, 5);
    assert!(lines(&report).lines().all(|line| line.ends_with(": withheld (n 0)")), "{}", lines(&report));
    assert!(sample.view().evidence("size-merge-time", &november(), None, None).is_err());
    // A reviewer makes five.
    let change = sample.facts.changes.values_mut().next().unwrap();
    change.reviews.insert(event("review"), review(20, "2026-11-03T10:30", false));
    assert_eq!(sample.report("size-merge-time").withheld, None);
    // A robot does not.
    let change = sample.facts.changes.values_mut().next().unwrap();
    change.author_is_bot = true;
    change.author = Some(PersonHash(77));
    assert!(sample.report("size-merge-time").withheld.is_some());
}

#[test]
fn a_late_end_of_a_deployment_changes_the_result_as_if_it_had_come_in_time() {
    let mut sample = Sample::new();
    sample.deployed("1", "a", "2026-11-03T10:00");
    sample.deployed("2", "b", "2026-11-04T10:00").finished = None;
    assert_eq!(sample.report("successful-deployments").total.n, 1);
    let late = sample.facts.deployments.values_mut().last().unwrap();
    late.finished = Some(Latest { at: at("2026-11-04T10:00"), event: event("2"), value: Outcome::Success });
    let mut in_time = Sample::new();
    in_time.deployed("2", "b", "2026-11-04T10:00");
    in_time.deployed("1", "a", "2026-11-03T10:00");
    assert_eq!(sample.report("successful-deployments"), in_time.report("successful-deployments"));
}
