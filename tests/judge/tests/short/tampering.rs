//! What nobody but the book can know is found out, too: a storage that lost its end, a row or a record that somebody
//! altered, a delivery that never came.

use std::io::Write as _;
use std::process::{Command, Stdio};

use judge::book::{Ack, Book, Line};
use judge::check::Verdict;
use judge::storage::{Engine, Storage};
use sqlx::{Connection, PgConnection};

use crate::stage::{Stage, interpreted};

/// Deliveries that are sent before something is done to what was made of them.
const SENT: u64 = 60;

/// A stage on which deliveries were sent, interpreted and found to be whole.
async fn sent(seed: u64, engine: Engine, body_bytes: u64) -> Stage {
    let mut stage = Stage::on(seed, engine, None);
    (stage.cycles.load.count, stage.cycles.load.body_bytes) = (Some(SENT), body_bytes);
    let program = stage.cycles.home.serve(None).unwrap();
    assert_eq!(stage.cycles.send(&program).await.unwrap().acks, SENT);
    let verdict = stage.cycles.check_running(&program).await.unwrap();
    assert!(verdict.broken().is_empty(), "{verdict}");
    interpreted(&program).await;
    assert_eq!(program.stop().unwrap().exit, Some(0));
    stage
}

fn check(verdict: &Verdict, laws: &[&str]) {
    assert_eq!(verdict.broken(), laws, "{verdict}");
}

/// Runs statements in the database of a stage, each of which must touch a row.
async fn alter(stage: &Stage, statements: &[&'static str]) {
    let (Storage::Postgres { url } | Storage::Kafka { url, .. }) = &stage.ground.storage else { panic!("no database") };
    let mut connection = PgConnection::connect(url).await.unwrap();
    for statement in statements {
        let done = sqlx::query(*statement).execute(&mut connection).await.unwrap();
        assert!(done.rows_affected() > 0, "{statement}");
    }
}

/// An acknowledgement that the program never gave.
fn acknowledge(stage: &Stage, id: &str) {
    let book = Book::open(&stage.cycles.book).unwrap();
    let (sha256, run) = ("0".repeat(64), book.run);
    let ack = Ack { id: id.to_owned(), sha256, run, sent_us: 0, acked_us: 1, offset: None, duplicate: false };
    book.note(Line::Ack(ack)).unwrap();
    book.close().unwrap();
}

/// Puts a record into the topic, as a stranger might.
fn produce(stage: &Stage, id: &str, body: &str) {
    let Storage::Kafka { broker, prefix, .. } = &stage.ground.storage else { panic!("no topic") };
    let hash = blake3::hash(body.as_bytes()).to_hex();
    let mut kcat = Command::new("kcat");
    kcat.args(["-P", "-b", broker, "-t", &format!("{prefix}.deliveries"), "-k", "github/acme"]);
    for header in [
        "ce_specversion=1.0",
        "ce_source=github/acme",
        "ce_type=dev.devhose.delivery.received.v1",
        "ce_time=2026-03-02T10:00:00Z",
        "devhose_headers=[]",
        "devhose_verification=signature",
        &format!("ce_id={id}"),
        &format!("devhose_bodyhash={hash}"),
    ] {
        kcat.args(["-H", header]);
    }
    let mut kcat = kcat.stdin(Stdio::piped()).spawn().unwrap();
    kcat.stdin.take().unwrap().write_all(body.as_bytes()).unwrap();
    assert!(kcat.wait().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_somebody_altered_is_found_out() {
    let stage = sent(40, Engine::Postgres, 2_000).await;
    alter(&stage, &["update devhose.deliveries set received_at = received_at + 1 where position = 7"]).await;
    check(&stage.verdict().await, &["L6"]);
    alter(&stage, &["update devhose.deliveries set received_at = received_at - 1 where position = 7"]).await;
    check(&stage.verdict().await, &[]);

    // As if the server had lost the end of what it committed: everything that is left agrees with everything else.
    let lost = [
        "delete from devhose.deliveries where position > 50",
        "delete from devhose.delivery_bodies where position > 50",
        "update devhose.log_heads set position = 50,
             chain_hash = (select chain_hash from devhose.deliveries where position = 50) where log = 'deliveries'",
    ];
    alter(&stage, &lost).await;
    let verdict = stage.verdict().await;
    check(&verdict, &["L1"]);
    assert_eq!(verdict.lost(), 10, "{verdict}");

    alter(&stage, &["delete from devhose.deliveries where position = 7"]).await;
    check(&stage.verdict().await, &["L1", "L4", "L6"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_has_more_or_less_than_was_sent_is_found_out() {
    let stage = sent(41, Engine::Kafka, 2_000).await;
    produce(&stage, "a-strangers", "{}");
    check(&stage.verdict().await, &["L3", "L12"]);
    acknowledge(&stage, "never-sent");
    check(&stage.verdict().await, &["L1", "L3", "L11", "L12"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_body_that_is_altered_or_missing_is_found_out() {
    // About as large as a message may be: some travel whole, some by reference.
    let stage = sent(42, Engine::Kafka, 60_000).await;
    alter(&stage, &["update devhose_kafka.bodies set body = (select body from devhose_kafka.bodies limit 1)"]).await;
    let verdict = stage.verdict().await;
    check(&verdict, &["L11", "L12"]);
    let altered = verdict.laws.iter().find(|law| law.name == "L11").unwrap().broken as u64;
    assert!((5..SENT - 5).contains(&altered), "{verdict}");
    alter(&stage, &["delete from devhose_kafka.bodies"]).await;
    check(&stage.verdict().await, &["L11", "L12", "L13"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_the_spool_has_survives_a_kill_and_is_missed_without_the_spool() {
    let mut stage = Stage::on(43, Engine::Kafka, None);
    stage.cycles.load.count = Some(SENT);
    for spool_is_lost in [false, true] {
        stage.cycles.home.stand_on(stage.ground.storage.clone().without_brokers()).unwrap();
        let program = stage.cycles.home.serve(None).unwrap();
        assert_eq!(stage.cycles.send(&program).await.unwrap().acks, SENT);
        program.kill().unwrap();
        if spool_is_lost {
            std::fs::remove_dir_all(stage.cycles.home.data().join("spool")).unwrap();
        }
        stage.cycles.home.stand_on(stage.ground.storage.clone()).unwrap();
        let verdict = stage.verdict().await;
        let (laws, lost) = if spool_is_lost { (["L1", "L11"].as_slice(), SENT) } else { ([].as_slice(), 0) };
        check(&verdict, laws);
        assert_eq!(verdict.lost() as u64, lost, "{verdict}");
    }
}
