//! Order per key, retries and dead letters.

use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;

use super::*;
use crate::runtime::record::{RedrivePlan, RunId};

/// Cannot handle subjects that begin with `bad` while the switch is on; posts the others.
fn moody() -> (&'static dyn Bot, Arc<AtomicBool>) {
    let broken = Arc::new(AtomicBool::new(true));
    let switch = Arc::clone(&broken);
    let bot = fake(move |event, _| {
        if event.event.subject.starts_with("bad") && switch.load(Ordering::Relaxed) {
            return Decision::Retry { after: None, reason: "not yet".to_owned() };
        }
        Decision::act(vec![post(&event.event.key.0, &event.event.subject)], "it came")
    });
    (bot, broken)
}

#[tokio::test]
async fn a_run_that_is_retried_parks_its_key_and_no_other() {
    over_every_engine(async |engine| {
        let (bot, broken) = moody();
        let here = Installation::new(engine, Chat::willing()).await;
        let running = here.start(&[bot]).await;
        for (key, subject) in [("#a", "bad"), ("#a", "a2"), ("#b", "b1"), ("#a", "a3"), ("#b", "b2")] {
            here.put(key, subject).await;
        }
        running.until("five runs", |runs| runs.len() == 5).await;
        here.chat.called(2).await;
        assert_eq!(here.chat.posted(), ["#b: b1", "#b: b2"]);
        let waiting = ["bad: retrying", "a2: waiting", "b1: done", "a3: waiting", "b2: done"];
        assert_eq!(statuses(&running.runs().await), waiting);
        broken.store(false, Ordering::Relaxed);
        running.pass(&here, TimeDelta::seconds(2)).await;
        running.until("all done", |runs| all(runs, RunStatus::Done)).await;
        running.idle(&here).await;
        assert_eq!(here.chat.posted()[2..], ["#a: bad", "#a: a2", "#a: a3"]);
        running.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_parked_key_stays_parked_over_a_restart() {
    over_every_engine(async |engine| {
        let (bot, broken) = moody();
        let here = Installation::new(engine, Chat::willing()).await;
        let running = here.start(&[bot]).await;
        here.put("#a", "bad").await;
        running.until("the first run", |runs| runs.len() == 1).await;
        running.kill().await;
        here.put("#a", "a2").await;
        let running = here.start(&[bot]).await;
        running.until("the second run", |runs| runs.len() == 2).await;
        assert_eq!(statuses(&running.runs().await), ["bad: retrying", "a2: waiting"]);
        broken.store(false, Ordering::Relaxed);
        running.pass(&here, TimeDelta::seconds(2)).await;
        running.until("all done", |runs| all(runs, RunStatus::Done)).await;
        running.idle(&here).await;
        assert_eq!(here.chat.posted(), ["#a: bad", "#a: a2"]);
        running.stop().await;
    })
    .await;
}

#[tokio::test]
async fn what_is_tried_in_vain_goes_to_the_dead_letters_and_can_be_redriven() {
    over_every_engine(async |engine| {
        let (bot, broken) = moody();
        let here = Installation::new(engine, Chat::willing()).await;
        let running = here.start(&[bot]).await;
        here.put("#a", "bad").await;
        here.put("#a", "a2").await;
        running.until("two runs", |runs| runs.len() == 2).await;
        running.pass(&here, TimeDelta::seconds(2)).await;
        running.until("the dead letter", |runs| statuses(runs) == ["bad: dead", "a2: done"]).await;
        let [letter] = running.bots.dead_letters(Some("fake"), 10).await.unwrap().try_into().unwrap();
        assert_eq!((letter.reason.as_str(), letter.tries), ("given up after 2 attempts: not yet", 2));
        let plan = running.bots.redrive_plan("fake", None).await.unwrap();
        assert_eq!(plan, RedrivePlan { runs: 1, actions: 0, about_seconds: 1 });
        broken.store(false, Ordering::Relaxed);
        assert_eq!(running.bots.redrive("fake", Some(&[RunId(letter.run.0 + 1_000)])).await.unwrap(), 0);
        assert_eq!(running.bots.redrive("fake", Some(&[letter.run])).await.unwrap(), 1);
        running.until("all done", |runs| all(runs, RunStatus::Done)).await;
        running.idle(&here).await;
        assert_eq!(here.chat.posted(), ["#a: a2", "#a: bad"]);
        assert_eq!(running.bots.dead_letters(None, 10).await.unwrap(), []);
        running.stop().await;
    })
    .await;
}

#[tokio::test]
async fn what_a_bot_rejects_is_a_dead_letter_at_once() {
    over_every_engine(async |engine| {
        let bot = fake(|_, _| Decision::Reject { reason: "it names no service".to_owned() });
        let here = Installation::new(engine, Chat::willing()).await;
        let running = here.start(&[bot]).await;
        here.put("#a", "one").await;
        running.idle(&here).await;
        let runs = running.runs().await;
        assert_eq!((runs[0].status, runs[0].because.as_str()), (RunStatus::Dead, "it names no service"));
        running.stop().await;
    })
    .await;
}

#[tokio::test]
async fn old_runs_are_forgotten_but_not_what_is_still_to_be_done() {
    over_every_engine(async |engine| {
        let chat = Chat::new(|order, _| match text_of(&order.action).as_str() {
            "refused" => Err(Problem::Never { reason: "no".to_owned() }),
            _ => Ok(receipt(order)),
        });
        let here = Installation::new(engine, chat).await;
        let running = here.start(&[moody().0]).await;
        for subject in ["bad", "waits", "refused"] {
            here.put(if subject == "refused" { "#b" } else { "#a" }, subject).await;
        }
        for n in 0..5 {
            here.put("#b", &n.to_string()).await;
        }
        running.until("all runs", |runs| runs.len() == 8).await;
        here.chat.called(6).await;
        running.until("all told", |runs| !action_statuses(runs).contains(&ActionStatus::Attempting)).await;
        let mut steps = running.bots.core.steps.subscribe();
        while running.bots.core.store.unannounced().await.unwrap() > 0 {
            steps.changed().await.unwrap();
        }
        running.bots.core.store.keep_runs("fake", 4).await.unwrap();
        let kept = ["bad: retrying", "waits: waiting", "refused: done", "1: done", "2: done", "3: done", "4: done"];
        assert_eq!(statuses(&running.runs().await), kept);
        running.bots.core.store.keep_runs("fake", 1).await.unwrap();
        assert_eq!(statuses(&running.runs().await), ["bad: retrying", "waits: waiting", "4: done"]);
        running.stop().await;
    })
    .await;
}

/// Whatever fails how often, each key's events are handled to the end in the order of the log.
async fn check_order(engine: &Engine, failures: &[(u8, u8)]) {
    let plan: Vec<u8> = failures.iter().map(|(_, fails)| *fails).collect();
    let tried = Mutex::new(BTreeMap::<usize, u8>::new());
    let manifest = Manifest { attempts_max: 9, ..Manifest::new("fake", "For tests.", "type:change.merged") };
    let bot = of(manifest, move |event, _| {
        let number: usize = event.event.subject.parse().unwrap();
        let mut tried = tried.lock().unwrap();
        let tries = tried.entry(number).or_default();
        *tries += 1;
        if *tries <= plan[number] {
            return Decision::Retry { after: None, reason: "not yet".to_owned() };
        }
        Decision::act(vec![post(&event.event.key.0, &event.event.subject)], "it came")
    });
    let here = Installation::new(engine, Chat::willing()).await;
    let running = here.start(&[bot]).await;
    for (number, (key, _)) in failures.iter().enumerate() {
        here.put(&format!("#{key}"), &number.to_string()).await;
    }
    running.until("all runs", |runs| runs.len() == failures.len()).await;
    let mut steps = running.bots.core.steps.subscribe();
    loop {
        steps.borrow_and_update();
        if all(&running.runs().await, RunStatus::Done) {
            break;
        }
        running.pass(&here, TimeDelta::minutes(10)).await;
        steps.changed().await.unwrap();
    }
    running.idle(&here).await;
    for key in 0..3 {
        let wanted: Vec<String> = (failures.iter().enumerate())
            .filter(|(_, (on, _))| *on == key)
            .map(|(number, _)| format!("#{key}: {number}"))
            .collect();
        let posted: Vec<String> =
            here.chat.posted().into_iter().filter(|line| line.starts_with(&format!("#{key}:"))).collect();
        assert_eq!(posted, wanted, "{failures:?}");
    }
    running.stop().await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn whatever_fails_order_per_key_is_kept(failures in proptest::collection::vec((0_u8..3, 0_u8..3), 1..12)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(over_every_engine(async |engine| check_order(engine, &failures).await));
    }
}
