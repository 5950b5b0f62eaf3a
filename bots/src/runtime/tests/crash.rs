//! Whatever step the program ends at, every action has its effect once.

use super::*;

async fn check(engine: &Engine, point: CrashPoint, calls: usize) {
    let mut here = Installation::new(engine, Chat::willing()).await;
    here.crash_at = Some(point);
    let running = here.start(&[echo()]).await;
    let event = here.put("#a", "one").await;
    let ended = tokio::time::timeout(PATIENCE, running.task).await.expect("it should crash").unwrap();
    assert!(matches!(ended, Err(BotError::Crashed(name)) if name == point.name()), "{ended:?}");
    here.crash_at = None;
    let running = here.start(&[echo()]).await;
    running.idle(&here).await;
    let mark = format!("fake/{event}/0.0");
    assert_eq!(here.chat.done(), [mark.as_str()], "done once, {}", point.name());
    assert_eq!(here.told().await, [mark.as_str()], "told once, {}", point.name());
    assert_eq!(here.chat.calls().len(), calls, "{}", point.name());
    let runs = running.runs().await;
    assert_eq!(action_statuses(&runs), [ActionStatus::Performed]);
    let record = running.bots.run_record(runs[0].id).await.unwrap().unwrap();
    assert!(!record.actions[0].in_doubt);
    running.stop().await;
}

#[tokio::test]
async fn an_action_is_done_once_wherever_the_program_ended() {
    over_every_engine(async |engine| {
        for point in CrashPoint::ALL {
            check(engine, point, 1).await;
        }
    })
    .await;
}

#[tokio::test]
async fn where_the_tool_cannot_tell_an_action_is_done_again_and_marked_as_in_doubt() {
    over_every_engine(async |engine| {
        let chat = Chat::with(|order, _| std::future::ready(Ok(receipt(order))).boxed(), |_, _| Ok(Sought::Unknowable));
        let mut here = Installation::new(engine, chat).await;
        here.crash_at = Some(CrashPoint::AfterCall);
        let running = here.start(&[echo()]).await;
        here.put("#a", "one").await;
        assert!(running.task.await.unwrap().is_err());
        here.crash_at = None;
        let running = here.start(&[echo()]).await;
        running.idle(&here).await;
        assert_eq!(here.chat.posted(), ["#a: one", "#a: one"]);
        let runs = running.runs().await;
        let record = running.bots.run_record(runs[0].id).await.unwrap().unwrap();
        assert_eq!((record.actions[0].status, record.actions[0].in_doubt), (ActionStatus::Performed, true));
        running.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_lost_answer_is_looked_up_before_anything_is_done_again() {
    over_every_engine(async |engine| {
        let chat = Chat::new(|order, n| match n {
            0 => Err(Problem::InDoubt { reason: "the connection broke".to_owned() }),
            _ => Ok(receipt(order)),
        });
        let here = Installation::new(engine, Arc::clone(&chat)).await;
        let running = here.start(&[echo()]).await;
        let event = here.put("#a", "one").await;
        let mark = format!("fake/{event}/0.0");
        // It had its effect all the same.
        chat.done.lock().unwrap().push(mark.clone());
        running.until("the attempt", refused).await;
        running.pass(&here, TimeDelta::seconds(2)).await;
        running.idle(&here).await;
        assert_eq!(chat.posted(), ["#a: one"]);
        let runs = running.runs().await;
        let record = running.bots.run_record(runs[0].id).await.unwrap().unwrap();
        let outcomes: Vec<&str> = record.actions[0].attempts.iter().map(|attempt| attempt.outcome.as_str()).collect();
        assert_eq!(outcomes, ["in-doubt", "found"]);
        assert_eq!(here.told().await, [mark]);
        running.stop().await;
    })
    .await;
}
