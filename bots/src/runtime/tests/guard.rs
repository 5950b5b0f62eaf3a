//! Bots that fail, that do too much, or that hear themselves.

use bus::data::work;
use bus::mark::Mark;

use super::*;
use crate::runtime::admit::LOOP_ACTIONS_MAX;
use crate::runtime::decide::FAILURES_IN_ROW_MAX;
use crate::runtime::record::State;

#[tokio::test]
async fn a_bot_that_panics_is_tried_again_and_harms_nobody() {
    over_every_engine(async |engine| {
        let bot = fake(|event, _| match event.event.subject.as_str() {
            "bad" => panic!("no such thing"),
            subject => Decision::act(vec![post("#a", subject)], "it came"),
        });
        let here = Installation::new(engine, Chat::willing()).await;
        let running = here.start(&[bot]).await;
        here.put("#a", "bad").await;
        here.put("#b", "good").await;
        running.until("two runs", |runs| statuses(runs) == ["bad: retrying", "good: done"]).await;
        running.pass(&here, TimeDelta::seconds(2)).await;
        running.idle(&here).await;
        let runs = running.runs().await;
        assert_eq!((runs[1].status, runs[1].because.as_str()), (RunStatus::Dead, "panicked: no such thing"));
        let status = running.bots.bot("fake").await.unwrap().unwrap();
        assert_eq!(status.state, State::Failing);
        assert_eq!(status.last_failure.unwrap().reason, "panicked: no such thing");
        assert_eq!(status.dead_letters, 1);
        running.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_bot_that_fails_on_and_on_is_paused_until_it_is_resumed() {
    over_every_engine(async |engine| {
        let bot = fake(|event, _| Decision::Reject { reason: event.event.subject.clone() });
        let here = Installation::new(engine, Chat::willing()).await;
        let running = here.start(&[bot]).await;
        for n in 0..FAILURES_IN_ROW_MAX + 5 {
            here.put(&n.to_string(), "bad").await;
        }
        running.until("the pause", |_| running.bots.core.entries[0].paused().is_some()).await;
        let status = running.bots.bot("fake").await.unwrap().unwrap();
        assert_eq!(status.paused.unwrap().because, "failed 20 times in a row, last with: bad");
        assert_eq!((status.dead_letters, status.lag.events), (20, 5));
        running.stop().await;
        let running = here.start(&[bot]).await;
        assert_eq!(running.bots.redrive("fake", None).await.unwrap(), 20);
        running.bots.resume("fake").await.unwrap();
        running.idle(&here).await;
        let status = running.bots.bot("fake").await.unwrap().unwrap();
        assert_eq!(status.paused, None, "what is redriven by hand does not pause it");
        assert_eq!((status.dead_letters, status.lag.events), (25, 0));
        running.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_paused_bot_does_nothing_and_goes_on_where_it_was() {
    over_every_engine(async |engine| {
        let here = Installation::new(engine, Chat::willing()).await;
        let running = here.start(&[echo()]).await;
        running.bots.pause("fake").await.unwrap();
        here.put("#a", "one").await;
        running.idle(&here).await;
        assert_eq!(running.runs().await, []);
        assert_eq!(running.bots.list().await.unwrap()[0].paused.as_ref().unwrap().because, "paused by hand");
        running.bots.resume("fake").await.unwrap();
        running.idle(&here).await;
        assert_eq!(here.chat.posted(), ["#a: one"]);
        running.stop().await;
        let error = here.open(&[echo()]).await.pause("nobody").await.unwrap_err();
        assert_eq!(error.to_string(), r#"there is no bot "nobody"; there are fake"#);
    })
    .await;
}

#[tokio::test]
async fn more_actions_than_the_manifest_allows_are_an_error_of_the_bot() {
    over_every_engine(async |engine| {
        let bot = fake(|_, _| Decision::act(vec![post("#a", "spam"); 11], "all at once"));
        let here = Installation::new(engine, Chat::willing()).await;
        let running = here.start(&[bot]).await;
        here.put("#a", "one").await;
        running.idle(&here).await;
        let runs = running.runs().await;
        assert_eq!(runs[0].because, "11 actions for one event, of which at most 10 are allowed");
        assert_eq!((runs[0].status, here.chat.calls().len()), (RunStatus::Dead, 0));
        running.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_bot_does_not_hear_what_it_did_itself() {
    over_every_engine(async |engine| {
        let manifest = Manifest::new("fake", "For tests.", "type:*");
        let bot = of(manifest, |event, _| Decision::nothing(event.event.subject.clone()));
        let here = Installation::new(engine, Chat::willing()).await;
        let running = here.start(&[bot]).await;
        let cause = here.put("#a", "cause").await;
        for name in ["fake", "other"] {
            let mark = Mark { bot: name.to_owned(), event: cause, round: 0, index: 0 };
            let action = work::Action { bot: Some(name.to_owned()), ..work::Action::default() };
            here.put_data(Kind::ActionPerformed, "#a", &format!("action of {name}"), Data::Action(action)).await;
            let message = work::Message { origin: Some(mark), ..work::Message::default() };
            let said = format!("message of {name}");
            here.put_data(Kind::MessagePosted, "#a", &said, Data::Message(message.clone())).await;
            let answered = format!("answer to {name}");
            here.put_data(Kind::MessageAnswered, "#a", &answered, Data::Message(message)).await;
        }
        running.idle(&here).await;
        let heard: Vec<String> = running.runs().await.into_iter().rev().map(|run| run.subject).collect();
        assert_eq!(heard, ["cause", "answer to fake", "action of other", "message of other", "answer to other"]);
        running.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_bot_that_goes_round_in_circles_is_stopped() {
    over_every_engine(async |engine| {
        let here = Installation::new(engine, Chat::willing()).await;
        let running = here.start(&[echo()]).await;
        for n in 0..LOOP_ACTIONS_MAX + 2 {
            here.put("#a", &n.to_string()).await;
        }
        here.put("#b", "another key").await;
        running.idle(&here).await;
        assert_eq!(here.chat.calls().len(), LOOP_ACTIONS_MAX + 1);
        let letters = running.bots.dead_letters(None, 10).await.unwrap();
        assert_eq!(letters.len(), 2);
        assert_eq!(
            letters[0].reason,
            "more than 100 actions on #a within 10 minutes: it seems to hear what it does itself"
        );
        assert_eq!(running.bots.redrive("fake", None).await.unwrap(), 2);
        running.idle(&here).await;
        assert_eq!(here.chat.calls().len(), LOOP_ACTIONS_MAX + 3, "whoever redrives has looked at it");
        running.pass(&here, TimeDelta::minutes(11)).await;
        here.put("#a", "later").await;
        running.idle(&here).await;
        assert_eq!(here.chat.posted().last().unwrap(), "#a: later");
        running.stop().await;
    })
    .await;
}

#[tokio::test]
async fn updates_of_one_message_are_no_circle() {
    over_every_engine(async |engine| {
        let bot = fake(|event, _| Decision::act(vec![grouped("#a", &event.event.subject, Some("one"))], "it came"));
        let here = Installation::new(engine, Chat::willing()).await;
        let running = here.start(&[bot]).await;
        for n in 0..2 * LOOP_ACTIONS_MAX {
            here.put("#a", &n.to_string()).await;
        }
        running.idle(&here).await;
        assert!(all(&running.runs().await, RunStatus::Done));
        assert_eq!(here.chat.posted().last().unwrap(), "#a: 199");
        running.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_corrected_reading_of_an_event_that_was_handled_is_no_news() {
    over_every_engine(async |engine| {
        let here = Installation::new(engine, Chat::willing()).await;
        let running = here.start(&[echo()]).await;
        let id = here.put("#a", "one").await;
        running.idle(&here).await;
        let recorded = here.streams.event(id).await.unwrap().unwrap();
        let corrected = Event { subject: "one, corrected".to_owned(), ..recorded.event };
        let (delivery, source) = (recorded.origin.delivery, recorded.origin.source);
        here.streams.revise(vec![Reading { delivery, source, outcome: Ok(vec![corrected]) }]).await.unwrap();
        here.put("#a", "two").await;
        running.idle(&here).await;
        assert_eq!(here.chat.posted(), ["#a: one", "#a: two"]);
        running.stop().await;
    })
    .await;
}
