//! Trials: tests and replays, of which nothing is recorded or performed.

use super::*;
use crate::trial::{AnsweredBy, Trial};

/// Posts what is in a file of which every answer is another, and how often it did.
fn curious() -> &'static dyn Bot {
    fake(|event, lookups| {
        let content = lookups.file("h/o/n", &event.event.subject, None).unwrap().unwrap();
        let times: u32 = lookups.state("times").and_then(|text| text.parse().ok()).unwrap_or_default();
        let save = Action::SaveState { key: "times".to_owned(), value: Some((times + 1).to_string()) };
        Decision::act(vec![post("#a", &content), save], format!("{times} before"))
    })
}

fn because(trial: &Trial) -> &str {
    let Decision::Act { because, .. } = trial.decision.as_ref().unwrap() else { panic!("{:?}", trial.decision) };
    because
}

#[tokio::test]
async fn a_test_shows_what_a_bot_would_do_and_leaves_nothing_behind() {
    over_every_engine(async |engine| {
        let here = Installation::new(engine, Chat::willing()).await;
        let event = here.put("#a", "one").await;
        let bots = here.open(&[curious()]).await;
        let trial = bots.test("fake", event).await.unwrap().unwrap();
        assert_eq!((because(&trial), &trial.answered_by), ("0 before", &AnsweredBy::Live));
        assert_eq!(trial.asked.len(), 2);
        assert_eq!(bots.core.store.state("fake", "times").await.unwrap(), None);
        assert_eq!(bots.runs("fake", None, 10).await.unwrap(), []);
        assert_eq!(here.chat.calls(), []);
        let unknown = EventId::derive(&"x".parse().unwrap(), &"y".parse().unwrap(), 0);
        assert!(bots.test("fake", unknown).await.unwrap().is_none());
    })
    .await;
}

#[tokio::test]
async fn a_replay_hears_the_answers_of_the_original_runs() {
    over_every_engine(async |engine| {
        let here = Installation::new(engine, Chat::willing()).await;
        here.put("#a", "before the bot").await;
        let running = here.start(&[curious()]).await;
        for subject in ["one", "two"] {
            here.pass(TimeDelta::minutes(1));
            here.put("#a", subject).await;
            running.idle(&here).await;
        }
        here.pass(TimeDelta::hours(1));
        let mut trials = Vec::new();
        let range = start_of_tests()..start_of_tests() + TimeDelta::days(1);
        let replayed = running.bots.replay("fake", range, |trial| trials.push(trial)).await.unwrap();
        assert_eq!((replayed.events, replayed.from_record, replayed.live), (3, 2, 1));
        assert_eq!(trials.iter().map(because).collect::<Vec<_>>(), ["0 before", "0 before", "1 before"]);
        assert_eq!(trials[0].answered_by, AnsweredBy::Live);
        assert!(matches!(trials[1].answered_by, AnsweredBy::Record { unrecorded: 0, .. }));
        assert_eq!(trials[1].now, start_of_tests() + TimeDelta::minutes(1), "a replay says the time of the run");
        assert_eq!(running.runs().await.len(), 2, "nothing of it is recorded");
        assert_eq!(here.chat.calls().len(), 2, "nothing of it is performed");
        running.stop().await;
    })
    .await;
}
