//! Events come in, decisions come out, in a small given world.

use std::collections::BTreeMap;

use bus::data::forge::Person;
use bus::event::Recorded;
use bus::ids::EventId;
use chrono::{DateTime, Utc};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::given::{self, Answers, Scene};
use crate::lookups::{Question, Told, World};

const REPOSITORY: &str = "github.com/acme/shop";

const CODE_OWNERS: &str = "\
# Everything else.
*            @zoe
/cart/       @alice @Bob @carol @dave
/cart/*.md   @acme/writers
/docs/       @acme/writers docs@acme.example
/vendor/
[ab]         @nobody
";

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn event(kind: &Kind, change: Change) -> Recorded {
    let data = serde_json::to_value(change).unwrap();
    given::event(kind.name(), at("2026-03-02T10:00:00Z"), &data).unwrap()
}

fn change() -> Change {
    Change {
        repository: REPOSITORY.to_owned(),
        number: Some(7),
        author: Some(Person { handle: "carol".to_owned(), bot: false }),
        base_branch: Some("main".to_owned()),
        ..Change::default()
    }
}

fn opened() -> Recorded {
    event(&Kind::ChangeCreated, change())
}

fn made_ready() -> Recorded {
    let ready_at = Some(at("2026-03-02T10:00:00Z"));
    event(&Kind::ChangeUpdated, Change { ready_at, ..change() })
}

/// A change of carol's to two files of the cart and one of the root.
fn world() -> Scene {
    let answers = json!({
        "change": {"author": "carol", "open": true, "base_branch": "main"},
        "changed_files": ["cart/src/lib.rs", "cart/src/total.rs", "cart/README.md"],
        "files": {".github/CODEOWNERS": CODE_OWNERS},
        "open_reviews": {"alice": 2, "bob": 1, "dave": 9},
        "events": [],
    });
    Scene { delivery: None, answers: serde_json::from_value(answers).unwrap(), now: at("2026-03-02T10:00:01Z") }
}

fn with(alter: impl FnOnce(&mut Answers)) -> Scene {
    let mut scene = world();
    alter(&mut scene.answers);
    scene
}

fn decide_in(event: &Recorded, world: &dyn World) -> Decision {
    ReviewerAssignment.handle(event, &Lookups::new(world, at("2026-03-02T10:00:01Z"), None))
}

/// The decision in words: whom it asks, what it says, why.
fn told(event: &Recorded, world: &dyn World) -> String {
    match decide_in(event, world) {
        Decision::Act { actions, because } => {
            let mut lines: Vec<String> = actions.iter().filter_map(line).collect();
            lines.push(format!("because {because}"));
            lines.join("\n")
        }
        Decision::Retry { after, reason } => format!("again after {after:?}: {reason}"),
        Decision::Reject { reason } => format!("never: {reason}"),
    }
}

fn line(action: &Action) -> Option<String> {
    match action {
        Action::RequestReviewers { reviewers, teams, .. } => Some(format!("ask {reviewers:?} and teams {teams:?}")),
        Action::SaveState { key, value: None } => Some(format!("forget {key}")),
        Action::Comment { .. }
        | Action::SaveState { .. }
        | Action::PostMessage { .. }
        | Action::AddLabels { .. }
        | Action::Remind { .. } => None,
    }
}

fn asked(event: &Recorded, world: &dyn World) -> Vec<String> {
    actions(event, world).into_iter().find_map(|action| reviewers(&action)).unwrap_or_default()
}

fn reviewers(action: &Action) -> Option<Vec<String>> {
    if let Action::RequestReviewers { reviewers, teams, .. } = action {
        return Some(reviewers.iter().chain(teams).cloned().collect());
    }
    None
}

fn actions(event: &Recorded, world: &dyn World) -> Vec<Action> {
    match decide_in(event, world) {
        Decision::Act { actions, .. } => actions,
        Decision::Retry { reason, .. } | Decision::Reject { reason } => panic!("{reason}"),
    }
}

fn comment(event: &Recorded, world: &dyn World) -> String {
    let text = |action: &Action| if let Action::Comment { text, .. } = action { Some(text.clone()) } else { None };
    actions(event, world).iter().find_map(text).unwrap_or_default()
}

#[test]
fn the_least_busy_owner_is_asked_and_a_team_for_what_nobody_else_owns() {
    insta::assert_snapshot!(told(&opened(), &world()), @r#"
    ask ["Bob"] and teams ["writers"]
    because Bob owns 2 of the 3 files (CODEOWNERS line 3) and has 1 open review; the team acme/writers owns 1 of the 3 files (CODEOWNERS line 4); not asked: carol (author), alice (2 open reviews), dave (9 open reviews); CODEOWNERS line 7 (ranges of characters in [ ] are not known) is skipped
    "#);
}

#[test]
fn the_choice_is_explained_without_notifying_anybody() {
    let text = comment(&opened(), &world());
    assert!(!text.contains('@'), "{text}");
    insta::assert_snapshot!(text, @"
    Reviewers, by `.github/CODEOWNERS` at `main`:

    - `Bob` owns 2 of the 3 files (CODEOWNERS line 3) and has 1 open review
    - the team `acme/writers` owns 1 of the 3 files (CODEOWNERS line 4)

    Not asked: `carol` (author), `alice` (2 open reviews), `dave` (9 open reviews).

    CODEOWNERS line 7 (ranges of characters in [ ] are not known) is skipped.
    ");
    let one = with(|a| drop(a.settings.insert("reviewers".to_owned(), json!(1))));
    insta::assert_snapshot!(comment(&opened(), &one), @"
    Reviewers, by `.github/CODEOWNERS` at `main`:

    - `Bob` owns 2 of the 3 files (CODEOWNERS line 3) and has 1 open review

    Not asked: `carol` (author), `alice` (2 open reviews), `dave` (9 open reviews), `acme/writers` (people are asked first).

    CODEOWNERS line 7 (ranges of characters in [ ] are not known) is skipped.
    ");
    let silent = with(|a| drop(a.settings.insert("explain".to_owned(), json!("none"))));
    assert_eq!(comment(&opened(), &silent), "");
    assert_eq!(asked(&opened(), &silent), asked(&opened(), &world()));
}

#[test]
fn nobody_is_asked_who_must_not_be() {
    let busy = with(|a| {
        a.files =
            Some([("CODEOWNERS".to_owned(), "* @Carol @ci-bot @eve @fay @gus @other/team @hal\n".to_owned())].into());
        let change = a.change.as_mut().unwrap();
        change.reviewers = vec!["EVE".to_owned()];
        change.requested_reviewers = vec!["Fay".to_owned()];
        a.settings.insert("reviewers".to_owned(), json!(9));
        a.settings.insert("never".to_owned(), json!(["gus"]));
    });
    insta::assert_snapshot!(told(&opened(), &busy), @r#"
    ask ["hal"] and teams []
    because hal owns all 3 files (CODEOWNERS line 1) and has no open review; not asked: Carol (author), ci-bot (a bot), eve (has reviewed it already), fay (is asked already), gus (never to be asked, by the configuration), other/team (a team of another organisation); 6 more wanted, but no owner is left
    "#);
}

#[test]
fn whoever_is_asked_already_counts() {
    let asked_both = with(|a| a.change.as_mut().unwrap().requested_reviewers = vec!["x".to_owned(), "y".to_owned()]);
    insta::assert_snapshot!(told(&opened(), &asked_both), @"because 2 wanted, 2 asked or given already: nobody is missing");
    // The author's and a program's remarks are no reviews.
    let remarks = with(|a| a.change.as_mut().unwrap().reviewers = vec!["carol".to_owned(), "copilot[bot]".to_owned()]);
    assert_eq!(asked(&opened(), &remarks).len(), 2);
    let one = with(|a| a.change.as_mut().unwrap().requested_teams = vec!["writers".to_owned()]);
    assert_eq!(asked(&opened(), &one), ["Bob"]);
}

#[test]
fn teams_are_left_out_where_the_configuration_says_so() {
    let people = with(|a| drop(a.settings.insert("teams".to_owned(), json!(false))));
    assert_eq!(asked(&opened(), &people), ["Bob", "alice"]);
}

#[test]
fn recent_work_decides_between_those_who_are_as_busy() {
    let merged = |handle: &str, id: &str, path: &str| {
        let id = EventId::derive(&"s".parse().unwrap(), &id.parse().unwrap(), 0);
        let data = json!({"repository": REPOSITORY, "author": {"handle": handle}, "paths": [path]});
        json!({"id": id, "kind": "change.merged", "time": "2026-02-20T10:00:00Z", "subject": "1", "data": data})
    };
    let events = json!([merged("Dave", "1", "cart"), merged("dave", "2", "cart"), merged("alice", "3", "docs")]);
    let rested = with(|a| {
        a.open_reviews = Some(BTreeMap::new());
        a.events = Some(serde_json::from_value(events).unwrap());
        a.settings.insert("reviewers".to_owned(), json!(1));
    });
    insta::assert_snapshot!(told(&opened(), &rested), @r#"
    ask ["dave"] and teams []
    because dave owns 2 of the 3 files (CODEOWNERS line 3), has 2 recent changes there and has no open review; not asked: carol (author), Bob (less recent work there), alice (less recent work there), acme/writers (people are asked first); CODEOWNERS line 7 (ranges of characters in [ ] are not known) is skipped
    "#);
}

#[test]
fn a_draft_waits_until_it_is_ready() {
    let draft = event(&Kind::ChangeCreated, Change { draft: true, ..change() });
    insta::assert_snapshot!(told(&draft, &world()), @"because a draft waits until it is ready for review");
    assert_eq!(asked(&made_ready(), &world()), asked(&opened(), &world()));
    let draft_again = with(|a| a.change.as_mut().unwrap().draft = true);
    insta::assert_snapshot!(told(&made_ready(), &draft_again), @"because it is a draft again");
    let pushed = event(&Kind::ChangeUpdated, change());
    insta::assert_snapshot!(told(&pushed, &world()), @"because it was neither opened nor made ready for review");
}

#[test]
fn a_closed_change_is_left_alone_and_forgotten() {
    let closed = with(|a| a.change.as_mut().unwrap().open = false);
    insta::assert_snapshot!(told(&opened(), &closed), @"because it is closed by now");
    let mut scene = world();
    scene.keep_state(&actions(&opened(), &scene));
    assert_eq!(scene.answers.state.len(), 1);
    for kind in [Kind::ChangeMerged, Kind::ChangeAbandoned] {
        insta::allow_duplicates! {
            insta::assert_snapshot!(told(&event(&kind, change()), &scene), @"
            forget change/github.com/acme/shop#7
            because it is closed: the choice is forgotten
            ");
            insta::assert_snapshot!(told(&event(&kind, change()), &world()), @"because it is closed, and nobody was chosen for it");
        }
    }
}

#[test]
fn a_second_delivery_asks_the_same_people_and_nobody_twice() {
    let mut scene = world();
    let first = actions(&opened(), &scene);
    scene.keep_state(&first);
    // Meanwhile others are the least busy, and the file says something else: the choice stands.
    scene.answers.open_reviews = Some(BTreeMap::from([("bob".to_owned(), 20)]));
    scene.answers.files = Some(BTreeMap::new());
    assert_eq!(actions(&opened(), &scene), first);
    insta::assert_snapshot!(told(&made_ready(), &scene), @"because its reviewers were chosen before");

    scene.answers.change.as_mut().unwrap().reviewers = vec!["bob".to_owned()];
    assert_eq!(asked(&opened(), &scene), ["writers"]);
    scene.answers.change.as_mut().unwrap().requested_teams = vec!["writers".to_owned()];
    insta::assert_snapshot!(told(&opened(), &scene), @"because its reviewers were chosen and asked before");
}

#[test]
fn that_nobody_can_be_asked_is_said() {
    let without = with(|a| a.files = Some(BTreeMap::new()));
    insta::assert_snapshot!(told(&opened(), &without), @"because what is needed cannot be had: the branch main has no .github/CODEOWNERS, no CODEOWNERS, no docs/CODEOWNERS");
    let large = with(|a| a.files = Some([("CODEOWNERS".to_owned(), "#".repeat(CODE_OWNERS_BYTES_MAX))].into()));
    insta::assert_snapshot!(told(&opened(), &large), @"because what is needed cannot be had: CODEOWNERS at main is not below 3 MB, so the forge does not load it either");
    let alone = with(|a| a.files = Some([("docs/CODEOWNERS".to_owned(), "* @carol\n*.md\n".to_owned())].into()));
    insta::assert_snapshot!(told(&opened(), &alone), @"because no owner is left to ask; not asked: carol (author); 1 of the 3 files has no owner");
    let configured = with(|a| drop(a.settings.insert("file".to_owned(), json!("REVIEWERS"))));
    insta::assert_snapshot!(told(&opened(), &configured), @"because what is needed cannot be had: the branch main has no REVIEWERS");
    let direct = event(&Kind::ChangeCreated, Change { number: None, direct: true, ..change() });
    insta::assert_snapshot!(told(&direct, &world()), @"because nobody reviews a direct push");
}

/// A world in which one question has no answer.
struct Without(fn(&Question) -> bool, bool);

impl World for Without {
    fn answer(&self, question: &Question) -> Told {
        if (self.0)(question) {
            let reason = "github.com: 503".to_owned();
            return Told::free(Err(Unavailable { reason, transient: self.1 }));
        }
        world().answer(question)
    }
}

#[test]
fn a_forge_that_is_away_is_asked_again_and_one_that_refuses_is_named() {
    let questions: [fn(&Question) -> bool; 5] = [
        |question| matches!(question, Question::Change { .. }),
        |question| matches!(question, Question::File { .. }),
        |question| matches!(question, Question::ChangedFiles { .. }),
        |question| matches!(question, Question::OpenReviews { .. }),
        |question| matches!(question, Question::Events { .. }),
    ];
    for question in questions {
        insta::allow_duplicates! {
            insta::assert_snapshot!(told(&opened(), &Without(question, true)), @"again after None: github.com: 503");
        }
    }
    let [change, file, files, reviews, events] = questions.map(|question| told(&opened(), &Without(question, false)));
    insta::allow_duplicates! {
        for needed in [change, file, files] {
            insta::assert_snapshot!(needed, @"because what is needed cannot be had: github.com: 503");
        }
    }
    insta::assert_snapshot!(reviews, @r#"
    ask ["dave"] and teams ["writers"]
    because dave owns 2 of the 3 files (CODEOWNERS line 3); the team acme/writers owns 1 of the 3 files (CODEOWNERS line 4); not asked: carol (author), Bob (what they own has a reviewer), alice (what they own has a reviewer); CODEOWNERS line 7 (ranges of characters in [ ] are not known) is skipped; open reviews are not known: github.com: 503
    "#);
    assert!(events.ends_with("recent work is not known: github.com: 503"), "{events}");
}

#[test]
fn a_change_that_the_forge_does_not_know_yet_is_waited_for() {
    struct Lagging;
    impl World for Lagging {
        fn answer(&self, question: &Question) -> Told {
            if matches!(question, Question::Change { .. }) {
                return Told::free(Ok(serde_json::Value::Null));
            }
            world().answer(question)
        }
    }
    insta::assert_snapshot!(told(&opened(), &Lagging), @"again after Some(20s): the forge does not know the change yet");
    let lookups = Lookups::new(&Lagging, at("2026-03-02T10:06:00Z"), None);
    let late = ReviewerAssignment.handle(&opened(), &lookups);
    assert_eq!(late, Decision::nothing("the forge does not know the change"));
}

#[test]
fn a_recorded_change_finds_its_reviewers_by_the_answers_of_a_file() {
    let file = include_str!("../../../testdata/reviewer-assignment/opened.json");
    let file: serde_json::Value = serde_json::from_str(file).unwrap();
    let body = &file["delivery"]["body"];
    let opened = event(
        &Kind::ChangeCreated,
        Change {
            repository: format!("github.com/{}", body["repository"]["full_name"].as_str().unwrap()),
            number: body["number"].as_u64(),
            ..change()
        },
    );
    let answers = serde_json::from_value(file["answers"].clone()).unwrap();
    let scene = Scene { delivery: Some(body.clone()), answers, now: at("2026-03-02T10:00:01Z") };
    insta::assert_snapshot!(told(&opened, &scene), @r#"
    ask ["hubot"] and teams []
    because hubot owns 2 of the 4 files (CODEOWNERS lines 2, 4) and has no open review; not asked: Codertocat (author), octocat (is asked already), monalisa (1 open review)
    "#);
}

#[test]
fn the_subscription_reads_and_finds_what_the_bot_reacts_to() {
    let manifest = ReviewerAssignment.manifest();
    let query = bus::query::Query::parse(manifest.subscription, at("2026-03-02T10:00:00Z")).unwrap();
    assert!(query.matches(&opened()) && query.matches(&made_ready()));
    assert!(!query.matches(&event(&Kind::ChangeReviewed, change())));
    let outward = actions(&opened(), &world()).iter().filter(|action| action.is_outward()).count();
    assert!(outward <= manifest.actions_per_event_max);
}

#[test]
fn the_lot_falls_on_everybody() {
    let file = "* @a @b @c @d\n".to_owned();
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for number in 0..400 {
        let scene = with(|a| {
            a.files = Some([("CODEOWNERS".to_owned(), file.clone())].into());
            a.settings.insert("reviewers".to_owned(), json!(1));
        });
        let change = event(&Kind::ChangeCreated, Change { number: Some(number), ..change() });
        for one in asked(&change, &scene) {
            *counts.entry(one).or_default() += 1;
        }
    }
    assert!(counts.len() == 4 && counts.values().all(|count| (60..140).contains(count)), "{counts:?}");
}

proptest! {
    #[test]
    fn the_same_answers_give_the_same_decision_whatever_their_order(
        loads in proptest::collection::btree_map("[a-f]", 0u32..4, 0..6),
        files in Just(["cart/a.rs", "cart/b.rs", "web/c.rs", "README.md", "docs/d.md"]).prop_shuffle(),
        owners in Just(["@a", "@b", "@c", "@d", "@carol", "@acme/t"]).prop_shuffle(),
        wanted in 0usize..5,
    ) {
        let scene = |files: &[&str], owners: &[&str]| with(|a| {
            a.files = Some([("CODEOWNERS".to_owned(), format!("* {}\n/cart/ @e @f\n", owners.join(" ")))].into());
            a.changed_files = Some(files.iter().map(|file| (*file).to_owned()).collect());
            a.open_reviews = Some(loads.clone());
            a.settings.insert("reviewers".to_owned(), json!(wanted));
        });
        let mut sorted = (files, owners);
        sorted.0.sort_unstable();
        sorted.1.sort_unstable();
        let decision = decide_in(&opened(), &scene(&files, &owners));
        prop_assert_eq!(&decision, &decide_in(&opened(), &scene(&sorted.0, &sorted.1)));
        let asked = asked(&opened(), &scene(&files, &owners));
        prop_assert_eq!(asked.len(), wanted);
        prop_assert!(!asked.contains(&"carol".to_owned()));
        let once: BTreeSet<&String> = asked.iter().collect();
        prop_assert_eq!(once.len(), asked.len());
    }
}
