//! Every recorded payload of GitHub, signed and sent as GitHub would: all are taken, and all mean something.

use std::collections::BTreeMap;

use crate::program::{Delivery, Home, Program, payload, payload_names};

/// How many events there are of each type, without the version of the type; GitHub's own types are one.
async fn types(program: &Program) -> String {
    let mut counts = BTreeMap::<String, usize>::new();
    for event in program.events("").await {
        let name = event["type"].as_str().unwrap();
        let name = name.trim_end_matches(|c: char| c == '.' || c.is_ascii_digit());
        let name = if name.starts_with("com.github.") { "com.github.*" } else { name };
        *counts.entry(name.to_owned()).or_default() += 1;
    }
    counts.iter().map(|(name, count)| format!("{count:3} {name}\n")).collect()
}

#[tokio::test]
async fn every_recorded_payload_is_taken_and_understood() {
    let home = Home::new();
    let program = home.serve().await;
    let names = payload_names();
    assert!(names.len() > 200, "{} payloads", names.len());
    for (name, event) in &names {
        let receipt = program.deliver(&Delivery::github(event, name, payload(name))).await.receipt();
        assert_eq!(receipt["duplicate"], false, "{name}");
    }
    program.interpreted().await;
    let quarantine = program.json("/api/v1/quarantine").await;
    assert_eq!(quarantine["quarantined"].as_array().unwrap().len(), 0, "{quarantine:#}");
    assert_eq!(program.source("github/acme").await["deliveries"], names.len());
    insta::assert_snapshot!(types(&program).await, @"
    165 com.github.*
      6 dev.cdevents.artifact.published
      5 dev.cdevents.branch.created
      1 dev.cdevents.branch.deleted
      2 dev.cdevents.change.abandoned
      2 dev.cdevents.change.created
      4 dev.cdevents.change.merged
      5 dev.cdevents.change.reviewed
     25 dev.cdevents.change.updated
      3 dev.cdevents.pipelinerun.finished
      4 dev.cdevents.pipelinerun.queued
      2 dev.cdevents.repository.created
      8 dev.cdevents.repository.modified
      4 dev.cdevents.service.deployed
      6 dev.cdevents.taskrun.finished
      2 dev.cdevents.taskrun.started
      2 dev.cdevents.ticket.created
     14 dev.cdevents.ticket.updated
      4 dev.cdeventsx.devhose-change.commented
      8 dev.cdeventsx.devhose-commit.pushed
      2 dev.cdeventsx.devhose-deployment.started
      1 dev.cdeventsx.devhose-pipelinerun.started
      2 dev.cdeventsx.devhose-release.published
      1 dev.cdeventsx.devhose-review.requested
      3 dev.cdeventsx.devhose-vulnerability.detected
      2 dev.cdeventsx.devhose-vulnerability.resolved
    ");
}
