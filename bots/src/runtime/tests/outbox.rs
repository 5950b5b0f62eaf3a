//! Destinations: order, pace, trouble, and messages that are updated.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

#[tokio::test]
async fn a_hanging_destination_delays_no_other() {
    over_every_engine(async |engine| {
        let chat = Chat::slow(|order, _| match channel_of(&order.action).as_str() {
            "#slow" => std::future::pending().boxed(),
            _ => std::future::ready(Ok(receipt(order))).boxed(),
        });
        let here = Installation::new(engine, chat).await;
        let running = here.start(&[echo()]).await;
        here.put("#slow", "one").await;
        here.chat.called(1).await;
        here.put("#a", "two").await;
        running.until("the other", performed).await;
        assert_eq!(action_statuses(&running.runs().await), [ActionStatus::Attempting, ActionStatus::Performed]);
        running.kill().await;
    })
    .await;
}

#[tokio::test]
async fn a_destination_that_asks_to_wait_is_left_alone_for_so_long() {
    over_every_engine(async |engine| {
        let chat = Chat::new(|order, n| match n {
            0 => Err(Problem::Later { after: Some(Duration::from_secs(30)), reason: "too many requests".to_owned() }),
            _ => Ok(receipt(order)),
        });
        let here = Installation::new(engine, chat).await;
        let running = here.start(&[echo()]).await;
        here.put("#a", "one").await;
        running.until("the refusal", refused).await;
        here.put("#a", "two").await;
        here.put("#b", "other").await;
        here.chat.called(2).await;
        running.pass(&here, TimeDelta::seconds(29)).await;
        running.until("the other", performed).await;
        assert_eq!(here.chat.posted(), ["#a: one", "#b: other"]);
        running.pass(&here, TimeDelta::seconds(1)).await;
        running.idle(&here).await;
        assert_eq!(here.chat.posted()[2..], ["#a: one", "#a: two"]);
        running.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_destination_that_fails_on_and_on_is_left_alone_and_then_tried_once() {
    over_every_engine(async |engine| {
        let down = Arc::new(AtomicBool::new(true));
        let switch = Arc::clone(&down);
        let chat = Chat::new(move |order, _| {
            if switch.load(Ordering::Relaxed) {
                return Err(Problem::Later { after: None, reason: "out of order".to_owned() });
            }
            Ok(receipt(order))
        });
        let here = Installation::new(engine, chat).await;
        let running = here.start(&[echo()]).await;
        here.put("#a", "one").await;
        // Waits of about 1, 2, 4 and 8 seconds, and the fifth failure opens the circuit.
        for calls in 1..5 {
            running.tried(calls).await;
            running.pass(&here, TimeDelta::seconds(12)).await;
        }
        running.tried(5).await;
        let lane = crate::store::Lane { client: "chat".to_owned(), destination: "#a".to_owned() };
        let until = running.bots.core.lanes.not_before(&lane).unwrap();
        assert!(until >= *here.now.lock().unwrap() + TimeDelta::seconds(22), "{until}");
        down.store(false, Ordering::Relaxed);
        running.pass(&here, TimeDelta::seconds(60)).await;
        running.idle(&here).await;
        assert_eq!(here.chat.calls().len(), 6);
        running.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_failed_action_is_a_dead_letter_and_can_be_redriven() {
    over_every_engine(async |engine| {
        let chat = Chat::new(|order, n| match n {
            0 => Err(Problem::Never { reason: "not in channel: invite the app".to_owned() }),
            _ => Ok(receipt(order)),
        });
        let here = Installation::new(engine, chat).await;
        let running = here.start(&[echo()]).await;
        here.put("#a", "one").await;
        running.idle(&here).await;
        let [letter] = running.bots.dead_letters(Some("fake"), 10).await.unwrap().try_into().unwrap();
        assert_eq!(letter.reason, "not in channel: invite the app");
        assert_eq!(letter.action.unwrap().destination.as_deref(), Some("#a"));
        assert_eq!(running.bots.redrive_plan("fake", None).await.unwrap().actions, 1);
        assert_eq!(running.bots.redrive("fake", None).await.unwrap(), 1);
        running.idle(&here).await;
        assert_eq!(action_statuses(&running.runs().await), [ActionStatus::Performed]);
        running.stop().await;
    })
    .await;
}

/// Posts every event of a key into one message, and says so in its thread where the subject asks for it.
fn grouping() -> &'static dyn Bot {
    fake(|event, _| {
        let (key, subject) = (&event.event.key.0, &event.event.subject);
        let mut actions = vec![grouped(key, subject, Some("incident"))];
        if subject.ends_with('!') {
            actions.push(Action::PostMessage {
                audience: Audience::Channel(key.clone()),
                message: Message::line(format!("about {subject}")),
                group: None,
                in_thread_of: Some("incident".to_owned()),
            });
        }
        Decision::act(actions, "it came")
    })
}

#[tokio::test]
async fn messages_of_a_group_become_one_that_is_updated_and_answered_in_its_thread() {
    over_every_engine(async |engine| {
        let here = Installation::new(engine, Chat::willing()).await;
        let running = here.start(&[grouping()]).await;
        let first = here.put("#a", "one!").await;
        running.idle(&here).await;
        here.put("#a", "two").await;
        running.idle(&here).await;
        let id = format!("fake/{first}/0.0");
        let seen: Vec<_> = here
            .chat
            .calls()
            .into_iter()
            .map(|order| {
                (line(&order), order.earlier.map(|receipt| receipt.id), order.thread.map(|receipt| receipt.id))
            })
            .collect();
        let wanted = [
            ("#a: one!".to_owned(), None, None),
            ("#a: about one!".to_owned(), None, Some(id.clone())),
            ("#a: two".to_owned(), Some(id), None),
        ];
        assert_eq!(seen, wanted);
        let toil = running.bots.bot("fake").await.unwrap().unwrap().toil;
        assert_eq!(toil.all_actions, 2, "an update saves nobody anything");
        running.stop().await;
    })
    .await;
}

#[tokio::test]
async fn an_update_that_was_not_sent_gives_way_to_a_later_one() {
    over_every_engine(async |engine| {
        let (open, opened) = watch::channel(false);
        let chat = Chat::slow(move |order, _| {
            let (mut opened, receipt) = (opened.clone(), receipt(order));
            async move {
                drop(opened.wait_for(|open| *open).await);
                Ok(receipt)
            }
            .boxed()
        });
        let here = Installation::new(engine, chat).await;
        let running = here.start(&[grouping()]).await;
        here.put("#a", "one").await;
        here.chat.called(1).await;
        for subject in ["two!", "three", "four"] {
            here.put("#a", subject).await;
        }
        running.until("four runs", |runs| runs.len() == 4).await;
        open.send_replace(true);
        running.idle(&here).await;
        assert_eq!(here.chat.posted(), ["#a: one", "#a: four", "#a: about two!"]);
        let performed = ActionStatus::Performed;
        let wanted = [performed, ActionStatus::Superseded, performed, ActionStatus::Superseded, performed];
        assert_eq!(action_statuses(&running.runs().await), wanted);
        running.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_refused_first_post_gives_way_to_its_update_and_its_thread_waits() {
    over_every_engine(async |engine| {
        let chat = Chat::new(|order, n| match n {
            0 => Err(Problem::Later { after: Some(Duration::from_secs(5)), reason: "busy".to_owned() }),
            _ => Ok(receipt(order)),
        });
        let here = Installation::new(engine, chat).await;
        let running = here.start(&[grouping()]).await;
        here.put("#a", "one!").await;
        running.until("the refusal", refused).await;
        here.put("#a", "two").await;
        running.until("two runs", |runs| runs.len() == 2).await;
        running.pass(&here, TimeDelta::seconds(5)).await;
        running.idle(&here).await;
        assert_eq!(here.chat.posted(), ["#a: one!", "#a: two", "#a: about one!"]);
        assert!(here.chat.calls()[2].thread.is_some());
        running.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_team_is_heard_in_its_channel_or_in_the_one_of_last_resort() {
    over_every_engine(async |engine| {
        let bot = fake(|event, _| {
            let message = Message::line(event.event.subject.clone());
            let audience = Audience::Team(event.event.subject.clone());
            Decision::act(vec![Action::PostMessage { audience, message, group: None, in_thread_of: None }], "it came")
        });
        let here = Installation::new(engine, Chat::willing()).await;
        let running = here.start(&[bot]).await;
        here.put("k", "payments").await;
        here.put("k", "search").await;
        running.idle(&here).await;
        assert_eq!(here.chat.posted(), ["#payments: payments"]);
        let [letter] = running.bots.dead_letters(None, 10).await.unwrap().try_into().unwrap();
        insta::allow_duplicates! {
            insta::assert_snapshot!(letter.reason, @r#"team "search" has no channel: name one in the catalog, or set default_channel in the settings of bot fake"#);
        }
        running.stop().await;
        let here = here.setting("default_channel", json!("#all"));
        let running = here.start(&[bot]).await;
        running.bots.redrive("fake", None).await.unwrap();
        running.idle(&here).await;
        assert_eq!(here.chat.posted(), ["#payments: payments", "#all: search"]);
        running.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_bot_that_is_switched_to_dry_runs_leaves_its_actions_where_they_are() {
    over_every_engine(async |engine| {
        let chat = Chat::new(|order, n| match n {
            0 => Err(Problem::Later { after: Some(Duration::from_secs(5)), reason: "busy".to_owned() }),
            _ => Ok(receipt(order)),
        });
        let mut here = Installation::new(engine, chat).await;
        let running = here.start(&[echo()]).await;
        here.put("#a", "one").await;
        running.tried(1).await;
        running.stop().await;
        here.settings.mode = Mode::DryRun;
        here.pass(TimeDelta::hours(1));
        let running = here.start(&[echo()]).await;
        running.idle(&here).await;
        running.stop().await;
        assert_eq!(here.chat.calls().len(), 1);
        here.settings.mode = Mode::Live;
        let running = here.start(&[echo()]).await;
        running.idle(&here).await;
        assert_eq!(action_statuses(&running.runs().await), [ActionStatus::Performed]);
        running.stop().await;
    })
    .await;
}

#[tokio::test]
async fn an_action_that_waited_for_a_day_is_given_up() {
    over_every_engine(async |engine| {
        let here = Installation::new(engine, Chat::willing()).await;
        let running = here.start(&[echo()]).await;
        running.bots.core.lanes.asked_to_wait(
            &crate::store::Lane { client: "chat".to_owned(), destination: "#a".to_owned() },
            start_of_tests() + TimeDelta::days(2),
        );
        here.put("#a", "one").await;
        running.until("the run", |runs| runs.len() == 1).await;
        running.pass(&here, TimeDelta::days(2)).await;
        running.idle(&here).await;
        let [letter] = running.bots.dead_letters(None, 10).await.unwrap().try_into().unwrap();
        assert_eq!((letter.reason.as_str(), here.chat.calls().len()), ("it waited for more than 24 h", 0));
        running.stop().await;
    })
    .await;
}
