//! Power cuts: what the disk was not waited for is gone. This alone shows whether a commit reaches it.

use judge::check::Verdict;
use judge::disk::Disk;
use judge::storage::Engine;

use crate::stage::Stage;

/// Cuts of an honest program.
const CUTS: usize = 6;

/// Cuts of the spool before the brokers.
const CUTS_OF_A_SPOOL: usize = 1;

/// A program that does not wait for its disk is found out within so many cuts.
const CUTS_OF_A_LIE_MAX: usize = 10;

#[tokio::test(flavor = "multi_thread")]
async fn whatever_was_acknowledged_survives_every_power_cut() {
    let Some(mut stage) = Stage::on_a_disk(10, 256) else { return };
    let disk = stage.disk.take().unwrap();
    // Large enough that a checkpoint is cut short now and then.
    (stage.cycles.load.body_bytes, stage.cycles.acks_before_max) = (9_000, 800);
    let mut acks = 0;
    for _ in 0..CUTS {
        acks += stage.cycles.cut(&disk).await.unwrap().acks;
        stage.acquit().await;
    }
    assert!(acks > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_does_not_wait_for_the_disk_is_found_out() {
    let Some(mut stage) = Stage::on_a_disk(11, 256) else { return };
    let disk = stage.disk.take().unwrap();
    stage.cycles.sabotage = Some("sabotage=synchronous-normal".to_owned());
    for _ in 0..CUTS_OF_A_LIE_MAX {
        stage.cycles.cut(&disk).await.unwrap();
        if stage.verdict().await.lost() > 0 {
            return;
        }
    }
    panic!("{CUTS_OF_A_LIE_MAX} power cuts took nothing from a program that does not wait for its disk");
}

/// Cuts the power under a spool while the brokers are away, and judges what reached them.
async fn cut_under_a_spool(stage: &mut Stage, disk: &Disk) -> Verdict {
    stage.cycles.home.stand_on(stage.ground.storage.clone().without_brokers()).unwrap();
    assert!(stage.cycles.cut(disk).await.unwrap().acks > 0);
    stage.cycles.home.stand_on(stage.ground.storage.clone()).unwrap();
    stage.verdict().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_the_spool_has_survives_every_power_cut() {
    let Some(mut stage) = Stage::on_a_disk_and(27, 256, Engine::Kafka) else { return };
    let disk = stage.disk.take().unwrap();
    for _ in 0..CUTS_OF_A_SPOOL {
        let verdict = cut_under_a_spool(&mut stage, &disk).await;
        assert!(verdict.broken().is_empty(), "{verdict}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spool_that_does_not_wait_for_the_disk_is_found_out() {
    let Some(mut stage) = Stage::on_a_disk_and(28, 256, Engine::Kafka) else { return };
    let disk = stage.disk.take().unwrap();
    stage.cycles.sabotage = Some("sabotage=synchronous-normal".to_owned());
    for _ in 0..CUTS_OF_A_LIE_MAX {
        if cut_under_a_spool(&mut stage, &disk).await.lost() > 0 {
            return;
        }
    }
    panic!("{CUTS_OF_A_LIE_MAX} power cuts took nothing from a spool that does not wait for its disk");
}
