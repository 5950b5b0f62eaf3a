//! From an event to what was performed of it, when nothing goes wrong.

use bus::data::work;
use serde_json::Value;

use super::*;
use crate::runtime::record::State;

#[tokio::test]
async fn an_action_is_performed_and_the_bus_is_told() {
    over_every_engine(async |engine| {
        let here = Installation::new(engine, Chat::willing()).await;
        let running = here.start(&[echo()]).await;
        let event = here.put("#a", "one").await;
        running.idle(&here).await;
        assert_eq!(here.chat.posted(), ["#a: one"]);
        let mark = format!("fake/{event}/0.0");
        assert_eq!(here.told().await, [mark.as_str()]);
        let told = here.streams.delivery(*here.streams.delivery_head().borrow()).await.unwrap().unwrap();
        let body: Value = serde_json::from_slice(&told.content.body).unwrap();
        assert_eq!(body["kind"], "action.performed");
        let data: work::Action = serde_json::from_value(body["data"].clone()).unwrap();
        assert_eq!(data.id, mark);
        assert_eq!(data.target.as_deref(), Some("#a"));
        assert_eq!(data.toil_minutes, Some(1));
        let status = running.bots.bot("fake").await.unwrap().unwrap();
        assert_eq!((status.state, status.lag.events, status.day.ok), (State::Active, 0, 1));
        assert_eq!(status.performed, BTreeMap::from([("post-message".to_owned(), 1)]));
        assert_eq!((status.toil.week_minutes, status.toil.all_actions), (1, 1));
        running.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_new_bot_begins_at_the_head_and_goes_on_where_it_was() {
    over_every_engine(async |engine| {
        let here = Installation::new(engine, Chat::willing()).await;
        here.put("#a", "before it came").await;
        let running = here.start(&[echo()]).await;
        assert_eq!(running.bots.list().await.unwrap()[0].state, State::NeverCalled);
        here.put("#a", "one").await;
        running.idle(&here).await;
        running.stop().await;
        here.put("#a", "while it was away").await;
        let running = here.start(&[echo()]).await;
        running.idle(&here).await;
        assert_eq!(here.chat.posted(), ["#a: one", "#a: while it was away"]);
        running.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_dry_run_records_everything_and_performs_nothing() {
    over_every_engine(async |engine| {
        let mut here = Installation::new(engine, Chat::willing()).await;
        here.settings.mode = Mode::DryRun;
        let bot = fake(|_, _| {
            let keep = Action::SaveState { key: "seen".to_owned(), value: Some("yes".to_owned()) };
            Decision::act(vec![post("#a", "hello"), keep], "it came")
        });
        let running = here.start(&[bot]).await;
        here.put("#a", "one").await;
        running.idle(&here).await;
        assert_eq!(here.chat.posted(), [""; 0]);
        assert_eq!(here.told().await, [""; 0]);
        let runs = running.runs().await;
        assert_eq!(action_statuses(&runs), [ActionStatus::Recorded, ActionStatus::Performed]);
        assert_eq!(runs[0].actions[0].destination.as_deref(), Some("#a"));
        assert_eq!(running.bots.bot("fake").await.unwrap().unwrap().toil.all_minutes, 0);
        let seen = running.bots.core.store.state("fake", "seen").await.unwrap();
        assert_eq!(seen.as_deref(), Some("yes"), "state is kept in every mode");
        running.stop().await;
    })
    .await;
}

#[tokio::test]
async fn what_an_event_saves_the_next_one_of_the_batch_sees() {
    over_every_engine(async |engine| {
        let bot = fake(|_, lookups| {
            let seen: u32 = lookups.state("count").and_then(|text| text.parse().ok()).unwrap_or_default();
            let save = Action::SaveState { key: "count".to_owned(), value: Some((seen + 1).to_string()) };
            Decision::act(vec![save], format!("{seen} before"))
        });
        let here = Installation::new(engine, Chat::willing()).await;
        here.open(&[bot]).await.close().await;
        for n in 0..5 {
            here.put("#a", &n.to_string()).await;
        }
        let running = here.start(&[bot]).await;
        running.idle(&here).await;
        let because: Vec<String> = running.runs().await.into_iter().rev().map(|run| run.because).collect();
        assert_eq!(because, ["0 before", "1 before", "2 before", "3 before", "4 before"]);
        running.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_bot_is_reminded_of_an_event_with_its_note() {
    over_every_engine(async |engine| {
        let bot = fake(|_, lookups| match lookups.reminder() {
            None => {
                let remind = Action::Remind { after: Duration::from_secs(600), note: "is it better?".to_owned() };
                Decision::act(vec![remind], "wait and see")
            }
            Some(reminder) => Decision::act(vec![post("#a", &format!("{} {}", reminder.round, reminder.note))], "now"),
        });
        let here = Installation::new(engine, Chat::willing()).await;
        let running = here.start(&[bot]).await;
        let event = here.put("#a", "one").await;
        running.idle(&here).await;
        assert_eq!(statuses(&running.runs().await), ["one: done", "one: scheduled"]);
        running.pass(&here, TimeDelta::seconds(599)).await;
        running.pass(&here, TimeDelta::seconds(1)).await;
        running.until("the reminder", |runs| all(runs, RunStatus::Done)).await;
        running.idle(&here).await;
        assert_eq!(here.chat.posted(), ["#a: 1 is it better?"]);
        assert_eq!(here.told().await, [format!("fake/{event}/1.0")]);
        running.stop().await;
    })
    .await;
}

#[tokio::test]
async fn the_record_of_a_run_tells_all() {
    over_every_engine(async |engine| {
        let bot = fake(|event, lookups| {
            let file = lookups.file("h/o/n", "README", None).unwrap().unwrap();
            let body = lookups.delivery().unwrap();
            let before =
                lookups.events("type:change.merged", [event.event.time - TimeDelta::days(1), lookups.now()], 5);
            Decision::act(vec![post("#a", &file)], format!("{} {}", body["subject"], before.unwrap().len()))
        });
        let here = Installation::new(engine, Chat::willing()).await;
        here.put("#a", "earlier").await;
        here.pass(TimeDelta::minutes(1));
        let running = here.start(&[bot]).await;
        let event = here.put("#a", "one").await;
        running.idle(&here).await;
        let [run] = running.bots.runs_of_event(event).await.unwrap().try_into().unwrap();
        let record = running.bots.run_record(run.id).await.unwrap().unwrap();
        assert_eq!(record.run.because, r#""one" 1"#);
        let questions: Vec<&Question> = record.asked.iter().map(|record| &record.asked.question).collect();
        assert!(matches!(questions.as_slice(), [Question::File { .. }, Question::Delivery, Question::Events { .. }]));
        let [action] = record.actions.try_into().unwrap();
        assert_eq!(action.attempts.iter().map(|attempt| attempt.outcome.as_str()).collect::<Vec<_>>(), ["performed"]);
        assert_eq!(action.receipt.unwrap().url.unwrap(), format!("https://chat.example/fake/{event}/0.0"));
        running.stop().await;
    })
    .await;
}

#[tokio::test]
async fn many_bots_hear_the_same_events_each_from_its_own_place() {
    over_every_engine(async |engine| {
        let here = Installation::new(engine, Chat::willing()).await;
        let names = ["bot-a", "bot-b", "bot-c"];
        let bots: Vec<&'static dyn Bot> = names
            .into_iter()
            .map(|name| {
                let manifest = Manifest::new(name, "For tests.", "type:change.merged");
                of(manifest, |event, _| Decision::nothing(event.event.subject.clone()))
            })
            .collect();
        let running = here.start(&bots).await;
        for n in 0..700 {
            here.put(&format!("#{}", n % 7), &n.to_string()).await;
        }
        running.idle(&here).await;
        for name in names {
            let heard: Vec<String> =
                running.bots.runs(name, None, 1_000).await.unwrap().into_iter().rev().map(|run| run.because).collect();
            assert_eq!(heard, (0..700).map(|n| n.to_string()).collect::<Vec<_>>(), "{name}");
        }
        running.stop().await;
    })
    .await;
}
