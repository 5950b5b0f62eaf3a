//! Duplicates and disorder change nothing, and neither does computing everything anew.

use std::collections::BTreeSet;

use bus::delivery::NewDelivery;
use futures_util::{StreamExt, stream};
use ingest::demo::{self, Options};
use serde_json::Value;

use crate::program::{Answer, CONFIGURATION, Delivery, Home, Program, payload, until};

/// When everything has happened.
const NOW: &str = "2026-11-18T15:20:00Z";

/// So many deliveries of the demo's organisation: some weeks of it.
const DELIVERIES: usize = 500;

/// Requests in flight at once.
const IN_FLIGHT: usize = 8;

/// Beside the sources of the others, the third one of the demo, and one service with a name and a team.
const ORGANISATION: &str = r#"
[[source]]
name = "github/acme-data"
secret = "a secret of the tests, long enough"

[[team]]
name = "checkout"

[[service]]
name = "checkout"
team = "checkout"
repository = "github.com/acme/checkout"
"#;

fn home() -> Home {
    Home::with(&[CONFIGURATION, ORGANISATION].concat()).at(NOW)
}

/// The last deliveries of an invented organisation. The very last one is a successful deployment to production, which
/// shows when all before it are counted.
fn history() -> Vec<NewDelivery> {
    let options = Options { seed: 7, now: NOW.parse().unwrap(), scale: 0.1 };
    // What is watched cannot be sent.
    let sent = |delivery: &NewDelivery| delivery.source.as_str() != demo::CLUSTER_SOURCE;
    let mut all: Vec<_> = demo::deliveries(options).filter(sent).collect();
    let deployed = |delivery: &NewDelivery| {
        let body = String::from_utf8_lossy(&delivery.body);
        delivery.headers.contains(&("x-github-event".to_owned(), "deployment_status".to_owned()))
            && body.contains(r#""state":"success""#)
            && body.contains(r#""environment":"production""#)
    };
    all.truncate(all.iter().rposition(deployed).unwrap() + 1);
    all.split_off(all.len() - DELIVERIES)
}

/// A number after another, the same for the same seed (xorshift64*).
fn numbers(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    move |below| {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        usize::try_from(state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33).unwrap() % below
    }
}

/// In another order, and every third one twice.
fn stirred(mut deliveries: Vec<NewDelivery>, seed: u64) -> Vec<NewDelivery> {
    let mut below = numbers(seed);
    let twice: Vec<_> = deliveries.iter().filter(|_| below(3) == 0).cloned().collect();
    deliveries.extend(twice);
    for last in (1..deliveries.len()).rev() {
        deliveries.swap(last, below(last + 1));
    }
    deliveries
}

async fn send(program: &Program, deliveries: &[NewDelivery], in_flight: usize) {
    let answers =
        stream::iter(deliveries).map(async |stored| program.deliver(&Delivery::again(stored)).await.receipt());
    assert_eq!(answers.buffer_unordered(in_flight).count().await, deliveries.len());
}

/// Sends the one that shows that all before it are counted, and waits until it is.
async fn settle(program: &Program, last: &NewDelivery) {
    program.deliver(&Delivery::again(last)).await.receipt();
    program.interpreted().await;
    let events = program.events("type:service.* env:production").await;
    let page = format!("/events/{}", events[0]["id"].as_str().unwrap());
    until("the last deployment is counted", async || {
        program.page(&page).await.contains("/metrics/successful-deployments").then_some(())
    })
    .await;
}

/// What all metrics answer over the company and over one service.
async fn answers(program: &Program) -> Vec<Value> {
    let mut answers = Vec::new();
    for name in program.metrics().await {
        for query in ["range=26w", "range=26w&service=checkout", "range=30d&grain=day&repo=github.com/acme/payments"] {
            answers.push(program.metric(&format!("{name}?{query}")).await);
        }
    }
    answers
}

fn assert_same(before: &[Value], after: &[Value], what: &str) {
    assert_eq!(before.len(), after.len());
    for (before, after) in before.iter().zip(after) {
        assert_eq!(before, after, "{what}: {} of {}", before["definition"]["name"], before["scope"]);
    }
}

#[tokio::test]
async fn a_storm_of_duplicates_is_stored_once_and_everybody_hears_the_same() {
    let home = Home::new();
    let program = home.serve().await;
    let body = payload("ping-ping-hub4j");
    let ids: Vec<_> = (0..200).map(|number| format!("d-{}", number % 10)).collect();
    let deliver = async |id: &String| program.deliver(&Delivery::github("ping", id, body.clone())).await.receipt();
    let receipts: Vec<Value> = stream::iter(&ids).map(deliver).buffered(32).collect().await;
    let first = receipts.iter().filter(|receipt| receipt["duplicate"] == false);
    assert_eq!(first.count(), 10);
    let places = receipts.iter().map(|receipt| format!("{} {}", receipt["id"], receipt["offset"]));
    assert_eq!(places.collect::<BTreeSet<_>>().len(), 10, "one id has one place");
    assert_eq!(program.source("github/acme").await["deliveries"], 10);
    program.interpreted().await;
    assert_eq!(program.events("type:com.github.ping").await.len(), 10);
}

#[tokio::test]
async fn neither_order_nor_repetition_nor_a_rebuild_changes_an_answer() {
    let history = history();
    let (last, before) = history.split_last().unwrap();
    let home_in_order = home();
    let in_order = home_in_order.serve().await;
    send(&in_order, before, 1).await;
    settle(&in_order, last).await;
    let expected = answers(&in_order).await;
    let measured = expected.iter().filter(|report| report["total"]["n"].as_u64() > Some(0)).count();
    assert!(measured > expected.len() / 3, "only {measured} of {} answers rest on anything", expected.len());

    for seed in 1..=3 {
        let home = home();
        let program = home.serve().await;
        send(&program, &stirred(before.to_vec(), seed), IN_FLIGHT).await;
        settle(&program, last).await;
        assert_same(&expected, &answers(&program).await, &format!("order {seed}"));
        home.print(&["rebuild", "--verify"]);
        assert_eq!(program.stop().exit, 0);
    }

    home_in_order.print(&["rebuild", "--verify"]);
    home_in_order.print(&["rebuild", "--plan"]);
    home_in_order.print(&["rebuild"]);
    assert_same(&expected, &answers(&in_order).await, "rebuilt");
    home_in_order.print(&["rebuild", "--verify"]);
    assert_eq!(in_order.stop().exit, 0);
    // The same without a server, and after a start.
    home_in_order.print(&["rebuild", "--verify"]);
    let again = home_in_order.serve().await;
    let started = answers(&again).await;
    assert_same(&expected, &started, "started again");
}

#[tokio::test]
async fn a_quarantined_delivery_is_reported_by_a_rebuild_and_stays() {
    let home = Home::new();
    let program = home.serve().await;
    program.deliver(&Delivery::github("push", "d-1", "{")).await.receipt();
    program.deliver(&Delivery::github("ping", "d-2", payload("ping-ping-hub4j"))).await.receipt();
    program.interpreted().await;
    let rebuilt = home.json(&["rebuild"]);
    assert_eq!((&rebuilt["deliveries"], &rebuilt["deliveries_unreadable"]), (&2.into(), &1.into()), "{rebuilt}");
    assert_eq!(Answer::of(program.request("GET", "/api/v1/quarantine")).await.json()["quarantined"][0]["delivery"], 1);
    assert_eq!(home.print(&["sources", "quarantine"]).lines().count(), 1);
}
