//! Several processes over one database: one runs the bots, the others show them and take orders, any takes over.

use super::*;

/// An installation in PostgreSQL; whoever needs no database of its own is in the other files.
async fn shared(chat: Arc<Chat>) -> (Engine, Installation) {
    let engine = Engine::postgres();
    let here = Installation::new(&engine, chat).await;
    (engine, here)
}

#[tokio::test]
async fn what_people_do_through_another_process_is_noticed() {
    let chat = Chat::new(|order, n| match n {
        0 => Err(Problem::Never { reason: "not in channel: invite the app".to_owned() }),
        _ => Ok(receipt(order)),
    });
    let (engine, here) = shared(chat).await;
    let running = here.start(&[echo()]).await;
    let other = here.open(&[echo()]).await;
    other.pause("fake").await.unwrap();
    assert_eq!(other.bot("fake").await.unwrap().unwrap().paused.unwrap().because, "paused by hand");
    running.until("the pause", |_| running.bots.core.entries[0].paused().is_some()).await;
    here.put("#a", "one").await;
    running.idle(&here).await;
    assert_eq!(running.runs().await, []);

    other.resume("fake").await.unwrap();
    running.until("the refusal", refused).await;
    assert_eq!(other.bot("fake").await.unwrap().unwrap().dead_letters, 1);
    assert_eq!(other.redrive("fake", None).await.unwrap(), 1);
    running.until("the action", performed).await;
    assert_eq!(here.chat.posted(), ["#a: one", "#a: one"]);
    running.stop().await;
    other.close().await;
    engine.end().await;
}

#[tokio::test]
async fn whoever_has_lost_the_lease_writes_nothing_more_and_the_next_one_goes_on() {
    let (engine, here) = shared(Chat::willing()).await;
    let before = here.start(&[echo()]).await;
    here.put("#a", "one").await;
    before.idle(&here).await;
    // The first was paused, say: it does not hear that the lease is lost before it writes.
    let after = here.start(&[echo()]).await;
    here.put("#a", "two").await;
    assert!(matches!(before.ended().await, Err(BotError::LeaseLost)));
    after.idle(&here).await;
    assert_eq!(here.chat.posted(), ["#a: one", "#a: two"]);
    assert_eq!(here.told().await.len(), 2);
    after.stop().await;
    engine.end().await;
}

#[tokio::test]
async fn an_attempt_that_was_cut_off_with_the_lease_is_looked_up_by_the_next_one() {
    // The tool has done it, but its answer never comes.
    let chat = Chat::slow(|_, _| std::future::pending().boxed());
    let (engine, here) = shared(Arc::clone(&chat)).await;
    let mut before = here.start(&[echo()]).await;
    let event = here.put("#a", "one").await;
    here.chat.called(1).await;
    let mark = format!("fake/{event}/0.0");
    chat.done.lock().unwrap().push(mark.clone());
    before.keeper.take().unwrap().send_replace(true);
    assert!(matches!(before.ended().await, Err(BotError::LeaseLost)));

    let after = here.start(&[echo()]).await;
    after.idle(&here).await;
    assert_eq!(here.chat.calls().len(), 1, "it is not done again");
    assert_eq!(here.told().await, [mark]);
    after.stop().await;
    engine.end().await;
}

#[tokio::test]
async fn a_process_that_runs_them_again_goes_on_where_the_other_one_was() {
    let (engine, here) = shared(Chat::willing()).await;
    let bots = here.open(&[echo()]).await;
    for round in 0..3 {
        let running = here.run(bots.clone()).await;
        here.put("#a", &format!("here {round}")).await;
        running.idle(&here).await;
        let other = here.start(&[echo()]).await;
        here.put("#a", &format!("there {round}")).await;
        other.idle(&here).await;
        assert!(matches!(running.ended().await, Err(BotError::LeaseLost)));
        other.stop().await;
    }
    let wanted = (0..3).flat_map(|round| [format!("#a: here {round}"), format!("#a: there {round}")]);
    assert_eq!(here.chat.posted(), wanted.collect::<Vec<_>>());
    bots.close().await;
    engine.end().await;
}

#[tokio::test]
async fn a_server_that_ends_every_session_loses_nothing_and_has_nothing_done_twice() {
    let (engine, here) = shared(Chat::willing()).await;
    let bots = here.open(&[echo()]).await;
    let mut running = here.run(bots.clone()).await;
    let mut marks = Vec::new();
    for n in 0..8 {
        let event = here.put("#a", &n.to_string()).await;
        marks.push(format!("fake/{event}/0.0"));
        engine.end_sessions().await;
        if running.task.is_finished() {
            running = here.run(bots.clone()).await;
        }
    }
    while tokio::select! {
        idle = bots.wait_until_idle(here.head()) => idle.is_err(),
        _ = &mut running.task => true,
    } {
        running = here.run(bots.clone()).await;
    }
    assert_eq!(here.chat.done(), marks);
    assert_eq!(here.told().await, marks);
    running.stop().await;
    engine.end().await;
}

#[tokio::test]
async fn names_that_no_tool_has_are_kept_all_the_same() {
    let long = "x".repeat(10_000);
    let keys = ["#a\0b".to_owned(), format!("#{long}"), format!("#{long}y")];
    let bot = fake(|event, lookups| {
        let key = &event.event.key.0;
        assert_eq!(lookups.state("seen"), None, "{key}");
        let said = format!("{}\0", event.event.subject);
        Decision::act(vec![grouped(key, &said, Some(key)), grouped(key, &said, Some(key))], said)
    });
    over_every_engine(async |engine| {
        let here = Installation::new(engine, Chat::willing()).await;
        let running = here.start(&[bot]).await;
        for key in &keys {
            here.put(key, "one\0").await;
        }
        running.idle(&here).await;
        assert!(all(&running.runs().await, RunStatus::Done), "{:?}", running.runs().await);
        assert_eq!(here.chat.done().len(), keys.len(), "the second supersedes the first");
        running.stop().await;
    })
    .await;
}
