//! The laws of folding: the order of events, and how often each comes, do not matter.

use bus::data::forge::{Change, Comment, Commit, Person, Push, Review};
use bus::data::runtime::{Deployment, Incident, Vulnerability};
use bus::data::{Data, Manner, Outcome, Verdict, ci};
use bus::event::Event;
use bus::ids::{EventId, OrderKey};
use bus::kind::Kind;
use chrono::{DateTime, Utc};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::facts::PersonHash;

const REPOSITORY: &str = "git.example/acme/shop";

fn people() -> People {
    People::new([1; 32], &["*[bot]".to_owned()])
}

fn at(minute: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000 + minute * 60, 0).unwrap()
}

fn event(number: u8, minute: i64, kind: Kind, data: Data) -> Event {
    Event {
        id: EventId::from_bytes([number; 16]),
        kind,
        source: "/tests".to_owned(),
        subject: "subject".to_owned(),
        time: at(minute),
        key: OrderKey(REPOSITORY.to_owned()),
        data,
    }
}

fn folded<'e>(events: impl IntoIterator<Item = &'e Event>) -> Facts {
    let (mut facts, mut touched) = (Facts::default(), Touched::default());
    for event in events {
        fold(&mut facts, &mut touched, event, &people());
    }
    facts
}

fn time() -> impl Strategy<Value = Option<DateTime<Utc>>> {
    // Few instants, so that many are equal.
    option::of((0..4_i64).prop_map(at))
}

fn word(words: &'static [&'static str]) -> impl Strategy<Value = Option<String>> {
    option::of(select(words).prop_map(str::to_owned))
}

fn person() -> impl Strategy<Value = Option<Person>> {
    let handle = select(&["ada", "grace", "updates[bot]"][..]);
    option::of((handle, any::<bool>()).prop_map(|(handle, bot)| Person { handle: handle.to_owned(), bot }))
}

fn change() -> impl Strategy<Value = (Kind, Data)> {
    let kind = select(vec![Kind::ChangeCreated, Kind::ChangeUpdated, Kind::ChangeMerged, Kind::ChangeAbandoned]);
    let times = (time(), time(), time(), time(), time(), time());
    let words = (word(&["main", "next"]), word(&["main"]), word(&["aa", "bb"]), word(&["#1", "aa"]));
    let rest = (person(), any::<bool>(), any::<bool>(), option::of(0..9_u64), vec(select(&["a", "b"][..]), 0..2));
    (kind, option::of(1..3_u64), times, words, rest).prop_map(|(kind, number, times, words, rest)| {
        let (first_commit_at, opened_at, ready_at, merged_at, closed_at, pushed_at) = times;
        let (base_branch, default_branch, merge_sha, reverts) = words;
        let (author, draft, direct, additions, paths) = rest;
        let data = Change {
            repository: REPOSITORY.to_owned(),
            number,
            author,
            draft,
            direct,
            base_branch,
            default_branch,
            merge_sha,
            reverts,
            additions,
            first_commit_at,
            opened_at,
            ready_at,
            merged_at,
            closed_at,
            pushed_at,
            paths: paths.into_iter().map(str::to_owned).collect(),
            ..Change::default()
        };
        (kind, Data::Change(Box::new(data)))
    })
}

fn review() -> impl Strategy<Value = (Kind, Data)> {
    let verdict = select(vec![Verdict::Approved, Verdict::ChangesRequested, Verdict::Commented, Verdict::Dismissed]);
    (1..3_u64, option::of(verdict), person(), person(), time()).prop_map(
        |(number, verdict, reviewer, author, submitted_at)| {
            let repository = REPOSITORY.to_owned();
            let data = Review {
                repository,
                number: Some(number),
                verdict,
                reviewer,
                author,
                submitted_at,
                ..Review::default()
            };
            (Kind::ChangeReviewed, Data::Review(Box::new(data)))
        },
    )
}

fn comment() -> impl Strategy<Value = (Kind, Data)> {
    (1..3_u64, person(), person(), word(&["src/main.rs"])).prop_map(|(number, author, change_author, path)| {
        let repository = REPOSITORY.to_owned();
        let data = Comment { repository, number: Some(number), author, change_author, path, ..Comment::default() };
        (Kind::ChangeCommented, Data::Comment(Box::new(data)))
    })
}

fn push() -> impl Strategy<Value = (Kind, Data)> {
    let sha = || select(&["aa", "bb", "cc"][..]).prop_map(str::to_owned);
    let commit = (sha(), option::of(vec(sha(), 0..2)), time());
    let commits = vec(
        commit.prop_map(|(sha, parents, authored_at)| Commit { sha, parents, authored_at, ..Commit::default() }),
        0..3,
    );
    (commits, option::of(sha()), option::of(sha()), any::<bool>()).prop_map(|(commits, before, after, forced)| {
        let data = Push { repository: REPOSITORY.to_owned(), commits, before, after, forced, ..Push::default() };
        (Kind::CommitPushed, Data::Push(Box::new(data)))
    })
}

fn outcome() -> impl Strategy<Value = Option<Outcome>> {
    option::of(select(vec![Outcome::Success, Outcome::Failure, Outcome::Cancelled, Outcome::Error]))
}

fn deployment() -> impl Strategy<Value = (Kind, Data)> {
    let kinds = vec![
        Kind::DeploymentStarted,
        Kind::DeploymentFailed,
        Kind::ServiceDeployed,
        Kind::ServiceUpgraded,
        Kind::ServiceRolledBack,
    ];
    let words = (word(&["prod", "staging"]), word(&["aa", "bb"]), word(&["shop", "checkout"]));
    let manner = option::of(select(vec![Manner::Rollback, Manner::Hotfix]));
    (select(kinds), select(&["d1", "d2"][..]), words, (time(), time()), outcome(), manner).prop_map(
        |(kind, id, (environment, sha, service), (started_at, finished_at), outcome, manner)| {
            let id = id.to_owned();
            let rest = Deployment::default();
            let data = Deployment { id, environment, sha, service, started_at, finished_at, outcome, manner, ..rest };
            (kind, Data::Deployment(Box::new(data)))
        },
    )
}

fn run() -> impl Strategy<Value = (Kind, Data)> {
    let kinds = vec![Kind::PipelineRunQueued, Kind::PipelineRunStarted, Kind::PipelineRunFinished];
    let words = (word(&["build", "test"]), word(&["main", "next"]), word(&["main"]));
    (select(kinds), 0..3_u32, words, (time(), time(), time()), outcome()).prop_map(
        |(kind, attempt, (pipeline, branch, default_branch), (queued_at, started_at, finished_at), outcome)| {
            let id = "run".to_owned();
            let times = ci::PipelineRun { queued_at, started_at, finished_at, ..ci::PipelineRun::default() };
            let data = ci::PipelineRun { id, attempt, pipeline, branch, default_branch, outcome, ..times };
            (kind, Data::PipelineRun(Box::new(data)))
        },
    )
}

fn incident() -> impl Strategy<Value = (Kind, Data)> {
    let kinds =
        vec![Kind::IncidentDetected, Kind::IncidentReported, Kind::IncidentAcknowledged, Kind::IncidentResolved];
    (select(kinds), word(&["high", "low"]), (time(), time(), time())).prop_map(|(kind, severity, times)| {
        let (detected_at, acknowledged_at, resolved_at) = times;
        let id = "incident".to_owned();
        let data = Incident { id, severity, detected_at, acknowledged_at, resolved_at, ..Incident::default() };
        (kind, Data::Incident(Box::new(data)))
    })
}

fn measured() -> impl Strategy<Value = (Kind, Data)> {
    let coverage = (word(&["aa"]), option::of(0.0..1.0_f64), time()).prop_map(|(sha, ratio, measured_at)| {
        let repository = Some(REPOSITORY.to_owned());
        (
            Kind::CoverageMeasured,
            Data::Coverage(ci::Coverage { repository, sha, ratio, measured_at, ..ci::Coverage::default() }),
        )
    });
    let found = (any::<bool>(), word(&["high", "low"]), time()).prop_map(|(detects, severity, detected_at)| {
        let kind = if detects { Kind::VulnerabilityDetected } else { Kind::VulnerabilityResolved };
        let id = "vulnerability".to_owned();
        (kind, Data::Vulnerability(Vulnerability { id, severity, detected_at, ..Vulnerability::default() }))
    });
    prop_oneof![coverage, found]
}

fn happening() -> impl Strategy<Value = (i64, (Kind, Data))> {
    let any_kind = prop_oneof![
        3 => change(), 2 => review(), 1 => comment(), 2 => push(), 2 => deployment(), 1 => run(), 1 => incident(), 1 => measured(),
    ];
    (0..4_i64, any_kind)
}

/// Events of a few entities, in two orders, with repetitions in the second.
fn shuffled() -> impl Strategy<Value = (Vec<Event>, Vec<Event>)> {
    let events = vec(happening(), 1..12).prop_map(|happenings| {
        (1..)
            .zip(happenings)
            .map(|(number, (minute, (kind, data)))| event(number, minute, kind, data))
            .collect::<Vec<_>>()
    });
    events.prop_flat_map(|events| {
        let again = vec(0..events.len(), 0..6);
        let repeated = {
            let events = events.clone();
            again.prop_map(move |again| {
                again.into_iter().map(|index| events[index].clone()).chain(events.clone()).collect::<Vec<_>>()
            })
        };
        (Just(events), repeated.prop_shuffle())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_and_any_repetition_folds_to_the_same_facts((events, other) in shuffled()) {
        prop_assert_eq!(folded(&events), folded(&other));
    }

    #[test]
    fn a_fact_is_the_same_after_it_was_written_and_read(events in vec(happening(), 1..12)) {
        let numbered = (1..).zip(events);
        let events: Vec<Event> = numbered.map(|(number, (minute, (kind, data)))| event(number, minute, kind, data)).collect();
        for change in folded(&events).changes.values() {
            let json = serde_json::to_string(change).unwrap();
            prop_assert_eq!(&serde_json::from_str::<crate::facts::Change>(&json).unwrap(), change);
        }
    }
}

fn one_change(events: &[Event]) -> crate::facts::Change {
    folded(events).changes.into_values().next().unwrap()
}

fn change_event(number: u8, minute: i64, kind: Kind, data: Change) -> Event {
    let data = Change { repository: REPOSITORY.to_owned(), number: Some(7), ..data };
    event(number, minute, kind, Data::Change(Box::new(data)))
}

#[test]
fn the_evidence_of_an_instant_is_the_event_that_told_it_first_hand() {
    let merged_at = Some(at(5));
    let label = change_event(1, 9, Kind::ChangeUpdated, Change { merged_at, ..Change::default() });
    let merge = change_event(2, 6, Kind::ChangeMerged, Change { merged_at, ..Change::default() });
    assert_eq!(one_change(&[label, merge.clone()]).merged, Some(Moment { at: at(5), event: merge.id }));
}

#[test]
fn a_later_statement_replaces_an_earlier_one_though_it_comes_first() {
    let base = |branch: &str| Change { base_branch: Some(branch.to_owned()), ..Change::default() };
    let earlier = change_event(9, 1, Kind::ChangeCreated, base("next"));
    let later = change_event(1, 2, Kind::ChangeUpdated, base("main"));
    assert_eq!(one_change(&[later, earlier]).base_branch.as_deref(), Some("main"));
}

#[test]
fn a_change_that_is_said_to_be_open_after_it_was_closed_was_opened_again() {
    let closed = change_event(1, 2, Kind::ChangeAbandoned, Change { closed_at: Some(at(2)), ..Change::default() });
    let again = change_event(2, 3, Kind::ChangeUpdated, Change::default());
    let change = one_change(&[again.clone(), closed.clone()]);
    assert_eq!(change.closed.map(|moment| moment.event), Some(closed.id));
    assert_eq!(change.reopened.map(|moment| moment.event), Some(again.id));
}

#[test]
fn a_bot_does_not_review_and_a_remark_that_is_not_on_code_is_no_review() {
    let by = |number, handle: &str| {
        let reviewer = Some(Person { handle: handle.to_owned(), bot: false });
        let verdict = Some(Verdict::Approved);
        let data = Review { repository: REPOSITORY.into(), number: Some(7), reviewer, verdict, ..Review::default() };
        event(number, 1, Kind::ChangeReviewed, Data::Review(Box::new(data)))
    };
    let remark = |number, path: Option<&str>| {
        let (repository, path) = (REPOSITORY.to_owned(), path.map(str::to_owned));
        let data = Comment { repository, number: Some(7), path, ..Comment::default() };
        event(number, 1, Kind::ChangeCommented, Data::Comment(Box::new(data)))
    };
    let change = one_change(&[by(1, "updates[bot]"), by(2, "ada"), remark(3, None), remark(4, Some("a.rs"))]);
    let reviews: Vec<_> = change.reviews.keys().copied().collect();
    assert_eq!(reviews, [EventId::from_bytes([2; 16]), EventId::from_bytes([4; 16])]);
}

#[test]
fn the_head_of_a_push_without_parents_reaches_what_came_with_it_and_what_was_there() {
    let listed =
        |shas: &[&str]| shas.iter().map(|sha| Commit { sha: (*sha).to_owned(), ..Commit::default() }).collect();
    let (before, after) = (Some("a".to_owned()), Some("d".to_owned()));
    let data =
        Push { repository: REPOSITORY.into(), before, after, commits: listed(&["b", "c", "d"]), ..Push::default() };
    let push = event(1, 1, Kind::CommitPushed, Data::Push(Box::new(data.clone())));
    let reaches = |facts: &Facts, sha: &str| {
        let commit = &facts.commits[&FactKey(format!("{REPOSITORY}@{sha}"))];
        commit.reaches.clone().map(|reached| reached.into_iter().collect::<Vec<_>>().join(" "))
    };
    let facts = folded([&push]);
    assert_eq!(reaches(&facts, "d").as_deref(), Some("a b c"));
    assert_eq!(reaches(&facts, "c"), None);

    let parents = Some(vec!["c".to_owned()]);
    let known = Push { commits: vec![Commit { sha: "d".into(), parents, ..Commit::default() }], ..data.clone() };
    let git = event(2, 1, Kind::CommitPushed, Data::Push(Box::new(known)));
    assert_eq!(reaches(&folded([&push, &git]), "d").as_deref(), Some("c"), "git knows better");

    let forced = event(1, 1, Kind::CommitPushed, Data::Push(Box::new(Push { forced: true, ..data })));
    assert_eq!(reaches(&folded([&forced]), "d").as_deref(), Some("b c"), "what was there is gone");
}

#[test]
fn a_deployment_without_an_outcome_ends_as_its_kind_says() {
    let deployed = |number: u8, kind| {
        let data = Deployment { id: number.to_string(), ..Deployment::default() };
        event(number, 1, kind, Data::Deployment(Box::new(data)))
    };
    let kinds = [Kind::DeploymentStarted, Kind::DeploymentFailed, Kind::ServiceDeployed, Kind::ServiceRolledBack];
    let events: Vec<Event> = (1..).zip(kinds).map(|(number, kind)| deployed(number, kind)).collect();
    let facts = folded(&events);
    let ends: Vec<_> =
        facts.deployments.values().map(|d| (d.finished.as_ref().map(|end| end.value), d.manner)).collect();
    assert_eq!(
        ends,
        [
            (None, None),
            (Some(Outcome::Failure), None),
            (Some(Outcome::Success), None),
            (Some(Outcome::Success), Some(Manner::Rollback)),
        ]
    );
}

#[test]
fn no_handle_is_left_in_a_fact() {
    let author = Some(Person { handle: "ada".to_owned(), bot: false });
    let opened = change_event(1, 1, Kind::ChangeCreated, Change { author, ..Change::default() });
    let change = one_change(&[opened]);
    assert!(change.author.is_some_and(|PersonHash(hash)| hash != 0));
    assert!(!serde_json::to_string(&change).unwrap().contains("ada"));
}
