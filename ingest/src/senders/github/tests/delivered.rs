//! Deployments, releases, packages, vulnerabilities, and what nobody maps.

use bus::data::{Data, Manner};
use serde_json::{Value, json};

use super::{changed, read, show};
use crate::senders::fixtures;

const STATUS: &str = "deployment_status-gh-pages-octokit";

#[test]
fn a_deployment_begins_and_ends() {
    insta::assert_snapshot!(show("deployment_status-deployment_status-hub4j"), @r#"
    service.deployed github.com/baxterthehacker/public-repo at 2015-05-05T23:40:39Z
    source https://api.github.com/repos/baxterthehacker/public-repo, key github.com/baxterthehacker/public-repo/production
    {
      "artifact": "pkg:github/baxterthehacker/public-repo@9049f1265b7d61be4a8904a9a27120d2064dab3b",
      "environment": "production",
      "finishedAt": "2015-05-05T23:40:39Z",
      "gitRef": "main",
      "id": "github.com/baxterthehacker/public-repo/deployments/710692",
      "outcome": "success",
      "repository": "github.com/baxterthehacker/public-repo",
      "sha": "9049f1265b7d61be4a8904a9a27120d2064dab3b"
    }
    "#);
    let state = |state: &str| {
        let drafts = changed(STATUS, &[("/deployment_status/state", json!(state))]);
        let Data::Deployment(deployment) = &drafts[0].data else { return drafts[0].kind.to_string() };
        let times = (deployment.started_at.is_some(), deployment.finished_at.is_some());
        format!("{} {:?} {times:?}", drafts[0].kind, deployment.outcome)
    };
    let states = ["queued", "pending", "in_progress", "success", "failure", "error", "inactive", "waiting"].map(state);
    insta::assert_snapshot!(states.join("\n"), @r"
    deployment.started None (false, false)
    deployment.started None (false, false)
    deployment.started None (true, false)
    service.deployed Some(Success) (false, true)
    deployment.failed Some(Failure) (false, true)
    deployment.failed Some(Error) (false, true)
    com.github.deployment_status.inactive
    com.github.deployment_status.waiting
    ");
}

#[test]
fn a_deployment_says_whether_it_is_a_rollback_or_a_hotfix() {
    let manner = |field: &str, value: Value| {
        let drafts = changed(STATUS, &[(&format!("/deployment/{field}"), value)]);
        let Data::Deployment(deployment) = drafts[0].data.clone() else { panic!("{drafts:?}") };
        (deployment.manner, deployment.fixes)
    };
    let rollback = (Some(Manner::Rollback), None);
    assert_eq!(manner("task", json!("rollback")), rollback);
    assert_eq!(manner("task", json!("deploy:rollback")), rollback);
    assert_eq!(manner("description", json!("Roll back to v1.2.2")), rollback);
    assert_eq!(manner("payload", json!({"rollback": true})), rollback);
    assert_eq!(manner("payload", json!("{\"rollback\": true}")), rollback);
    let fixes = Some("github.com/Codertocat/Hello-World/deployments/17".to_owned());
    assert_eq!(manner("payload", json!({"hotfix": true, "fixes": 17})), (Some(Manner::Hotfix), fixes));
    assert_eq!(manner("description", json!("Add a rollback button")), (None, None));
    assert_eq!(manner("payload", json!("no object")), (None, None));
}

#[test]
fn a_ref_that_looks_like_a_tag_is_the_version() {
    let version = |git_ref: &str| {
        let drafts = changed(STATUS, &[("/deployment/ref", json!(git_ref))]);
        let Data::Deployment(deployment) = drafts[0].data.clone() else { panic!("{drafts:?}") };
        deployment.version
    };
    for tag in ["v1.2.3", "1.2.3", "2024.5.13-rc.1", "v1.2.3+build.5"] {
        assert_eq!(version(tag).as_deref(), Some(tag));
    }
    assert_eq!(version("refs/tags/v1.2.3").as_deref(), Some("v1.2.3"));
    for branch in ["main", "1.2", "release/1.2.3", "v1.2.x", "..", ""] {
        assert_eq!(version(branch), None, "{branch}");
    }
}

#[test]
fn a_release_is_an_artifact_too() {
    insta::assert_snapshot!(show("release-published-octokit"), @r#"
    release.published 0.0.1 at 2019-05-15T15:20:53Z
    source https://api.github.com/repos/Codertocat/Hello-World, key github.com/Codertocat/Hello-World
    {
      "releasedAt": "2019-05-15T15:20:53Z",
      "repository": "github.com/Codertocat/Hello-World",
      "tag": "0.0.1",
      "url": "https://github.com/Codertocat/Hello-World/releases/tag/0.0.1"
    }
    artifact.published pkg:github/codertocat/hello-world@0.0.1 at 2019-05-15T15:20:53Z
    source https://api.github.com/repos/Codertocat/Hello-World, key github.com/Codertocat/Hello-World
    {
      "id": "pkg:github/codertocat/hello-world@0.0.1",
      "repository": "github.com/Codertocat/Hello-World",
      "url": "https://github.com/Codertocat/Hello-World/releases/tag/0.0.1",
      "version": "0.0.1"
    }
    "#);
}

#[test]
fn a_package_has_a_package_url() {
    let names = fixtures::all("github").into_iter().filter(|(name, _)| name.contains("package-published"));
    let ids = names.map(|(name, delivery)| format!("{name}: {}", read(&delivery)[0].subject));
    let npm = [("/package/package_type", json!("npm")), ("/package/ecosystem", json!("npm"))];
    let npm = changed("package-published.npm-octokit", &npm);
    assert_eq!(npm[0].subject, "pkg:npm/%40codertocat/hello-world-npm@1.0.0");
    insta::assert_snapshot!(ids.collect::<Vec<_>>().join("\n"), @r"
    package-published.npm-octokit: pkg:oci/hello-world-npm?repository_url=ghcr.io/codertocat/hello-world-npm&tag=1.0.0
    package-published.npm-octokitnet: pkg:oci/hello-world-npm?repository_url=ghcr.io/codertocat/hello-world-npm&tag=1.0.0
    registry_package-published.docker-octokit: pkg:oci/hello-world-npm@sha256%3A3da1996a8115d7616457760d9920b815241d0a03b34cf5f04e9a0e9d8de37498?repository_url=ghcr.io/codertocat/hello-world-npm
    registry_package-published.docker-octokitnet: pkg:oci/hello-world-npm@sha256%3A3da1996a8115d7616457760d9920b815241d0a03b34cf5f04e9a0e9d8de37498?repository_url=ghcr.io/codertocat/hello-world-npm
    ");
}

#[test]
fn a_vulnerability_is_found_and_mended() {
    insta::assert_snapshot!(show("dependabot_alert-fixed-octokit"), @r#"
    vulnerability.resolved github.com/octocat/hello-world/dependabot/1 at 2022-06-15T13:55:40Z
    source https://api.github.com/repos/octocat/hello-world, key github.com/octocat/hello-world
    {
      "detectedAt": "2022-06-14T15:21:52Z",
      "id": "github.com/octocat/hello-world/dependabot/1",
      "repository": "github.com/octocat/hello-world",
      "resolvedAt": "2022-06-15T13:55:40Z",
      "severity": "medium",
      "summary": "Insertion of Sensitive Information into Log File in ansible",
      "url": "https://github.com/octocat/hello-world/security/dependabot/1"
    }
    "#);
    let found = |level: Value| {
        let name = "code_scanning_alert-closed-by-user-octokitnet";
        changed(name, &[("/alert/rule/security_severity_level", level)])[0].kind.to_string()
    };
    assert_eq!(found(json!("high")), "vulnerability.resolved");
    assert_eq!(found(Value::Null), "com.github.code_scanning_alert.closed_by_user", "a finding about quality");
}

#[test]
fn an_unmapped_event_follows_the_adapter() {
    insta::assert_snapshot!(show("star-created-starred-hub4j"), @r"
    com.github.star.created github.com/gsmet/quarkus-bot-java-playground at 2022-05-31T17:24:36Z
    source https://api.github.com/repos/gsmet/quarkus-bot-java-playground, key github.com/gsmet/quarkus-bot-java-playground
    null
    ");
    insta::assert_snapshot!(show("member-added-member_added-hub4j"), @r"
    com.github.member.added 412878 at 2026-01-02T03:04:05Z
    source https://api.github.com/repos/gsmet-bot-playground/github-automation-with-quarkus-demo-playground, key github.com/gsmet-bot-playground/github-automation-with-quarkus-demo-playground
    null
    ");
    insta::assert_snapshot!(show("github_app_authorization-revoked-octokit"), @r"
    com.github.github_app_authorization github/acme at 2026-01-02T03:04:05Z
    source github/acme, key github/acme
    null
    ");
}
