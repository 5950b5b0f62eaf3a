//! What pages of bots say, and whom they do not name.

use bots::action::{Action, Audience};
use bots::contract::{Manifest, Mode};
use bots::lookups::{Asked, Question, Told as Answer, Unavailable};
use bots::message::{Block, Button, Message, Press, Span};
use bots::runtime::record::{
    AskedRecord, BotStatus, Lag, Outcomes, Paused, RunId, RunRecord, RunStatus, RunSummary, State, Toil,
};
use bus::ids::EventOffset;
use serde_json::json;

use super::one::settings;
use super::preview::Preview;
use super::{list, people, words};
use crate::testing::{event, now};

fn status(name: &'static str) -> BotStatus {
    BotStatus {
        manifest: Manifest::new(name, "Does something.", "type:pod.killed"),
        mode: Mode::Live,
        paused: None,
        state: State::Active,
        last_failure: None,
        checkpoint: EventOffset(1),
        lag: Lag::default(),
        day: Outcomes { ok: 12, failed: 1 },
        dead_letters: 0,
        open_actions: 0,
        performed: std::collections::BTreeMap::new(),
        toil: Toil::default(),
        last_runs: Vec::new(),
    }
}

fn plain(text: &str) -> String {
    text.replace(['\u{202f}', '\u{a0}'], " ")
}

#[test]
fn what_needs_a_look_is_said_first_and_in_words() {
    let failing = BotStatus { state: State::Failing, dead_letters: 2, ..status("a") };
    let paused = BotStatus { paused: Some(Paused { since: now(), because: "by hand".to_owned() }), ..status("b") };
    let dry = BotStatus { mode: Mode::DryRun, ..status("c") };
    let said = |all: &[BotStatus]| plain(&list::sentence(all));
    assert_eq!(
        said(&[failing, paused.clone(), dry.clone()]),
        "1 of 3 bots is failing; 1 of 3 bots is paused; 2 dead letters to look at."
    );
    assert_eq!(said(&[dry]), "Nothing needs a look: 1 bot in order; all of them only record what they would do.");
    assert_eq!(words::state(&paused).2, "paused");
    assert_eq!(said(&[]), "There is no bot in this program.");
    assert_eq!(plain(&words::plan(214, 0, 178)), "214 runs, about 2 min");
    assert_eq!(plain(&words::plan(0, 1, 0)), "1 action, about 1 s");
}

fn record() -> RunRecord {
    let asked = |question, answer| AskedRecord { asked: Asked { question, told: Answer::free(answer) }, cut: None };
    let repository = "forge.example/acme/shop".to_owned();
    RunRecord {
        run: RunSummary {
            id: RunId(7),
            bot: "reviewers".to_owned(),
            version: 1,
            mode: Mode::Live,
            event: event(1),
            kind: "change.created".to_owned(),
            subject: "12".to_owned(),
            round: 0,
            status: RunStatus::Done,
            because: "ada-17 owns src and has 1 open review; not asked: grace-3".to_owned(),
            tries: 1,
            recorded_at: now(),
            began_at: Some(now()),
            millis: 4,
            due_at: None,
            actions: Vec::new(),
        },
        key: repository.clone(),
        note: None,
        attempts: Vec::new(),
        asked: vec![
            asked(Question::OpenReviews { repository: repository.clone() }, Ok(json!({"ada-17": 1, "grace-3": 4}))),
            asked(Question::Change { repository, number: 12 }, Ok(json!({"author": "linus-9", "draft": false}))),
            asked(Question::Delivery, Err(Unavailable::for_good("linus-9 may not read it"))),
        ],
        actions: Vec::new(),
    }
}

#[test]
fn nobody_is_named_in_what_a_bot_asked_and_said() {
    let record = record();
    let people = people::of_run(&record, None);
    let document = people::masked(serde_json::to_value(&record).unwrap(), &people).to_string();
    let answers = record.asked.iter().map(|asked| people::answer(&asked.asked, &people));
    let shown = answers.chain([document, people.text(&record.run.because)]).collect::<Vec<_>>().join("\n");
    for name in ["ada-17", "grace-3", "linus-9"] {
        assert!(!shown.contains(name), "{name} in {shown}");
    }
    assert!(shown.contains("owns src and has 1 open review") && shown.contains("[4,1]"), "{shown}");
    assert!(shown.contains("forge.example/acme/shop"));
}

#[test]
fn a_message_is_shown_as_it_reads_with_its_text_as_text_and_its_people_masked() {
    let message = Message {
        summary: "checkout was killed".to_owned(),
        blocks: vec![
            Block::Heading("checkout <!channel> killed".to_owned()),
            Block::Text(vec![
                Span::bold("Taken by "),
                Span::Person("U02ADA".to_owned()),
                Span::link("the log", "javascript:alert(1)"),
                Span::link("the deployment", "https://deploy.example/1"),
            ]),
            Block::Buttons(vec![Button {
                label: "Snooze".to_owned(),
                does: Press::Open("https://x.example".to_owned()),
            }]),
        ],
    };
    let audience = Audience::Team("payments".to_owned());
    let action = Action::PostMessage { audience, message: message.clone(), group: None, in_thread_of: None };
    let mut record = record();
    record.actions = vec![bots::runtime::record::ActionRecord {
        mark: format!("reviewers/{}/0.0", event(1)).parse().unwrap(),
        action,
        client: None,
        destination: None,
        channel: Some("#pay".to_owned()),
        status: bots::runtime::record::ActionStatus::Recorded,
        reason: None,
        attempts: Vec::new(),
        receipt: None,
        in_doubt: false,
        recorded_at: now(),
        performed_at: None,
        due_at: None,
        toil_minutes: 0,
    }];
    let people = people::of_run(&record, None);
    let shown = askama::Template::render(&Preview::of(&message, &people).unwrap()).unwrap();
    assert!(!shown.contains("U02ADA") && shown.contains("‹person›"), "{shown}");
    assert!(shown.contains("&#60;!channel&#62;") && !shown.contains("<!channel>"), "{shown}");
    assert!(!shown.contains("href=\"javascript") && shown.contains("href=\"https://deploy.example/1\""), "{shown}");
    assert_eq!(
        words::action(&record.actions[0].action, Some("#pay")),
        "Post a message in #pay, the channel of team payments"
    );
}

#[test]
fn a_setting_that_is_called_like_a_secret_is_not_shown() {
    let values = json!({"default_channel": "#ops", "api_token": "xyz", "resolve_minutes": 10});
    let shown = settings(values.as_object().unwrap());
    let shown: Vec<(&str, &str)> = shown.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(shown, [("api_token", "set, not shown"), ("default_channel", "#ops"), ("resolve_minutes", "10")]);
}
