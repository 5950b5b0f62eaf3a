//! Two processes of every role on one storage, of which now one and now the other dies, make the same of what senders
//! send as a single process on an embedded file.

use std::process::Command;

use bus::delivery::NewDelivery;
use ingest::demo::{self, Options};
use serde_json::Value;

use crate::program::{Answer, Delivery, Home, Program, SECRET, until};

/// When everything has happened.
const NOW: &str = "2026-11-18T15:20:00Z";

/// Deliveries that senders send while processes come and go.
const DELIVERIES: usize = 600;

/// How often a process is killed.
const CRASHES: usize = 6;

/// Requests that a process takes before the other dies, at least: so that it meets some half-way.
const PART: usize = DELIVERIES / CRASHES;

/// The newest deliveries of an invented organisation that come over HTTP.
fn deliveries() -> Vec<NewDelivery> {
    let options = Options { seed: 5, now: NOW.parse().unwrap(), scale: 0.2 };
    let mut sent: Vec<_> =
        demo::deliveries(options).filter(|delivery| delivery.source.as_str().starts_with("github/")).collect();
    // Sent once each: what comes twice is another test's.
    let mut known = std::collections::HashSet::new();
    sent.retain(|delivery| known.insert((delivery.source.clone(), delivery.delivery_id.clone())));
    sent.split_off(sent.len() - DELIVERIES)
}

/// Every source that the deliveries come through, and the storage.
fn configuration(deliveries: &[NewDelivery], storage: &str) -> String {
    let mut names: Vec<&str> = deliveries.iter().map(|delivery| delivery.source.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let sources: Vec<String> =
        names.iter().map(|name| format!("[[source]]\nname = \"{name}\"\nsecret = \"{SECRET}\"\n")).collect();
    format!("people_key = \"the same for every process here\"\n{storage}\n{}", sources.join("\n"))
}

/// A service that `scripts/test` starts.
fn service(variable: &str, how: &str) -> String {
    let value = std::env::var_os(variable).and_then(|value| value.into_string().ok());
    value.unwrap_or_else(|| panic!("{variable} is not set: {how}"))
}

/// An empty database of its own, by its address.
fn database() -> String {
    let server = service("DEVHOSE_TEST_POSTGRES", "tests/services/postgres start DIRECTORY prints what it is to be");
    let name = format!("fleet_{}", uuid::Uuid::new_v4().simple());
    let made = Command::new("psql").args([&server, "-qc", &format!("create database {name}")]).status().unwrap();
    assert!(made.success(), "psql makes a database");
    let (base, _) = server.rsplit_once('/').unwrap();
    format!("{base}/{name}")
}

/// Sends it until somebody takes it, as a sender does that tries again.
async fn send(delivery: &NewDelivery, programs: [&Option<Program>; 2], turn: usize) {
    let again = Delivery::again(delivery);
    let mut tries = turn;
    until("a process takes the delivery", async || {
        tries += 1;
        let program = programs[tries % 2].as_ref()?;
        let answer = Answer::try_of(again.request(program)).await.ok()?;
        assert!(answer.status == 200 || answer.status == 503, "{}", answer.status);
        (answer.status == 200).then_some(())
    })
    .await;
}

/// What a process makes of the log, once everything is interpreted and counted.
async fn outcome(homes: &[Home], program: &Program) -> Vec<Value> {
    until("everything is in the log", async || {
        let github = |source: &&Value| source["source"].as_str().unwrap().starts_with("github/");
        let sources = program.sources().await;
        let stored: u64 = sources.iter().filter(github).map(|source| source["deliveries"].as_u64().unwrap()).sum();
        (stored == DELIVERIES as u64).then_some(())
    })
    .await;
    program.interpreted().await;
    // The facts are those of a rebuild, bit for bit. The process that saves them says so; the others name it.
    until("the facts equal a rebuild", async || {
        let verified =
            homes.iter().map(|home| home.run(&["rebuild", "--verify"])).find(|ran| ran.exit == 0 || ran.exit == 9);
        let verified = verified?;
        assert_eq!(verified.exit, 0, "{verified:?}");
        Some(())
    })
    .await;
    let mut metrics = Vec::new();
    for name in program.metrics().await {
        metrics.push(program.metric(&name).await);
    }
    metrics
}

/// What a single process on an embedded file makes of the deliveries.
async fn alone(deliveries: &[NewDelivery]) -> Vec<Value> {
    let home = Home::with(&configuration(deliveries, "")).at(NOW);
    let program = Some(home.serve().await);
    for delivery in deliveries {
        send(delivery, [&program, &program], 0).await;
    }
    outcome(&[home], program.as_ref().unwrap()).await
}

/// What two processes make of the same, of which one is killed again and again.
async fn fleet(deliveries: &[NewDelivery], storage: impl Fn(usize) -> String) -> Vec<Value> {
    let homes = [0, 1].map(|process| Home::with(&configuration(deliveries, &storage(process))).at(NOW));
    let mut programs = [Some(homes[0].serve().await), Some(homes[1].serve().await)];
    for (part, chunk) in deliveries.chunks(PART).enumerate() {
        let dies = part % 2;
        let (whole, half_way) = chunk.split_at(PART / 2);
        for (turn, delivery) in whole.iter().enumerate() {
            send(delivery, [&programs[0], &programs[1]], turn).await;
        }
        programs[dies].take().unwrap().kill();
        for delivery in half_way {
            send(delivery, [&programs[0], &programs[1]], 0).await;
        }
        programs[dies] = Some(homes[dies].serve().await);
    }
    let made = outcome(&homes, programs[0].as_ref().unwrap()).await;
    for program in programs.into_iter().flatten() {
        assert_eq!(program.stop().exit, 0);
    }
    assert_eq!(homes[1].run(&["verify"]).exit, 0);
    made
}

#[tokio::test]
async fn a_process_that_is_alone_keeps_what_one_may_do_at_a_time() {
    let deliveries = deliveries();
    let storage = format!("[storage]\nengine = \"postgres\"\nurl = \"{}\"\n", database());
    let program = Home::with(&configuration(&deliveries, &storage)).at(NOW).serve().await;
    for delivery in deliveries.iter().take(5) {
        assert_eq!(program.deliver(&Delivery::again(delivery)).await.status, 200);
        program.interpreted().await;
    }
    let ran = program.stop();
    assert_eq!(ran.exit, 0, "{ran:?}");
    assert!(!ran.stderr.contains("lost"), "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_on_postgresql_that_die_in_turn_make_the_same_of_it_as_one() {
    let deliveries = deliveries();
    let storage = format!("[storage]\nengine = \"postgres\"\nurl = \"{}\"\n", database());
    assert_eq!(fleet(&deliveries, |_| storage.clone()).await, alone(&deliveries).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_on_kafka_that_die_in_turn_make_the_same_of_it_as_one() {
    let deliveries = deliveries();
    let broker = service("DEVHOSE_TEST_KAFKA", "tests/services/kafka start DIRECTORY prints what it is to be");
    let (database, prefix) = (database(), format!("fleet-{}", uuid::Uuid::new_v4().simple()));
    // A process that keeps its name has its partitions back at once after it died.
    let storage = |process| {
        format!(
            "[storage]\nengine = \"kafka\"\nurl = \"{database}\"\n[storage.kafka]\nbrokers = [\"{broker}\"]\n\
             prefix = \"{prefix}\"\ninstance = \"{prefix}-{process}\"\npartitions = 2\nreplication = 1\n\
             min_insync_replicas = 1\n"
        )
    };
    assert_eq!(fleet(&deliveries, storage).await, alone(&deliveries).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_installation_moves_to_postgresql_and_back_with_its_offsets_and_hashes() {
    let deliveries = deliveries();
    let home = Home::with(&configuration(&deliveries, "")).at(NOW);
    let program = home.serve().await;
    for delivery in &deliveries {
        assert_eq!(program.deliver(&Delivery::again(delivery)).await.status, 200);
    }
    let homes = [home];
    let home = &homes[0];
    let before = outcome(&homes, &program).await;
    let listed = program.json("/api/v1/deliveries?limit=1000").await;
    assert_eq!(program.stop().exit, 0);

    let storage = format!("[storage]\nengine = \"postgres\"\nurl = \"{}\"\n", database());
    let server = format!("data = \"server\"\n{}", configuration(&deliveries, &storage));
    std::fs::write(home.path("server.toml"), server).unwrap();
    let back = format!("data = \"back\"\n{}", configuration(&deliveries, ""));
    std::fs::write(home.path("back.toml"), back).unwrap();
    home.print(&["migrate", "--to", "server.toml"]);
    // What is there already is not written over.
    assert_eq!(home.run(&["migrate", "--to", "server.toml"]).exit, 6);
    home.print(&["migrate", "--config", "server.toml", "--to", "back.toml"]);
    std::fs::copy(home.path("back.toml"), home.path("devhose.toml")).unwrap();
    let program = home.serve().await;
    assert_eq!(program.json("/api/v1/deliveries?limit=1000").await, listed);
    assert_eq!(outcome(&homes, &program).await, before);
}
