//! The servers beneath the program die and come back while it takes deliveries: it goes on, and loses nothing.

use judge::server::{Server, Service};
use judge::storage::Engine;

use crate::stage::Stage;

/// Times that the database dies.
const DEATHS_OF_A_DATABASE: u64 = 4;

/// Times that the broker dies: it takes ten seconds to come back.
const DEATHS_OF_A_BROKER: u64 = 2;

/// Deliveries per second while a broker starts, so that they do not become very many.
const RATE: u32 = 300;

/// A stage whose server dies, and that server.
fn on(seed: u64, engine: Engine, harmed: Service) -> (Stage, Server) {
    let mut stage = Stage::on(seed, engine, Some(harmed));
    stage.cycles.acks_before_max = 150;
    let server = match harmed {
        Service::Postgres => stage.ground.postgres.take(),
        Service::Kafka => stage.ground.kafka.take(),
    };
    (stage, server.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_was_acknowledged_survives_a_database_that_dies() {
    let (mut stage, server) = on(24, Engine::Postgres, Service::Postgres);
    let program = stage.cycles.home.serve(None).unwrap();
    stage.cycles.restart_database(&program, &server, DEATHS_OF_A_DATABASE).await.unwrap();
    // The one that was there all the time has everything, and so has the next.
    let verdict = stage.cycles.check_running(&program).await.unwrap();
    assert!(verdict.broken().is_empty(), "{verdict}");
    assert_eq!(program.stop().unwrap().exit, Some(0));
    stage.acquit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_was_acknowledged_survives_a_broker_that_dies() {
    let (mut stage, server) = on(25, Engine::Kafka, Service::Kafka);
    stage.cycles.load.rate = Some(RATE);
    let program = stage.cycles.home.serve(None).unwrap();
    let tally = stage.cycles.restart_broker(&program, &server, DEATHS_OF_A_BROKER).await.unwrap();
    // It takes deliveries whether the broker is there or not.
    assert_eq!((tally.nacks, tally.unknown), (0, 0), "{tally:?}");
    let verdict = stage.cycles.check_running(&program).await.unwrap();
    assert!(verdict.broken().is_empty(), "{verdict}");
    assert_eq!(program.stop().unwrap().exit, Some(0));
    stage.acquit().await;
}
