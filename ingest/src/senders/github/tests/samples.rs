//! The printed payloads are read like recorded ones, and are as large.

use bus::data::{Outcome, Verdict};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use crate::senders::fixtures;
use crate::senders::github::GITHUB;
use crate::senders::github::sample::{
    Commit, Deployment, DeploymentState, DeploymentStatus, Issue, IssueAction, Payload, PullRequest, PullRequestAction,
    PullRequestReview, Push, Release, Repository, RunState, WorkflowRun, deployment, deployment_status, issues,
    pull_request, pull_request_review, push, release, workflow_run,
};

const SHA: &str = "0d1a26e67d8f5eaf1f6ba5c57fc3c7d91ac0fd1c";

fn at(minutes: i64) -> DateTime<Utc> {
    "2026-01-05T09:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(minutes)
}

fn repository() -> Repository {
    Repository { owner: "acme".into(), name: "shop".into(), default_branch: "main".into() }
}

fn a_push() -> Push {
    let commit = Commit {
        sha: SHA.into(),
        message: "Mend the cart".into(),
        author: "dev-ada-17".into(),
        at: at(0),
        paths: vec!["cart/src/lib.rs".into(), "README.md".into()],
    };
    Push {
        repository: repository(),
        branch: "main".into(),
        before: Some("6113728f27ae82c7b1a177c8d03f9e96e0adf246".into()),
        after: Some(SHA.into()),
        commits: vec![commit],
        pusher: "dev-ada-17".into(),
        forced: false,
        at: at(1),
    }
}

fn a_pull_request(action: PullRequestAction) -> PullRequest {
    PullRequest {
        repository: repository(),
        number: 12,
        action,
        title: "Mend the cart".into(),
        body: Some("It lost items.".into()),
        author: "dev-ada-17".into(),
        draft: false,
        base_branch: "main".into(),
        base_sha: "6113728f27ae82c7b1a177c8d03f9e96e0adf246".into(),
        head_branch: "cart".into(),
        head_sha: SHA.into(),
        labels: vec!["bug".into()],
        commits: 2,
        additions: 40,
        deletions: 8,
        changed_files: 3,
        opened_at: at(0),
        at: at(30),
        sender: "dev-lin-04".into(),
    }
}

fn a_run(state: RunState) -> WorkflowRun {
    WorkflowRun {
        repository: repository(),
        id: 1001,
        check_suite_id: 2002,
        workflow: "Build and test".into(),
        run_number: 7,
        attempt: 1,
        head_branch: "cart".into(),
        head_sha: SHA.into(),
        pull_request: Some(12),
        actor: "dev-ada-17".into(),
        state,
        created_at: at(0),
        started_at: at(0),
        at: at(4),
    }
}

fn a_deployment() -> Deployment {
    Deployment {
        repository: repository(),
        id: 77,
        sha: SHA.into(),
        git_ref: "v1.2.3".into(),
        environment: "production".into(),
        production: true,
        task: "deploy".into(),
        payload: serde_json::json!({}),
        description: None,
        creator: "deployer[bot]".into(),
        created_at: at(0),
    }
}

fn a_status(state: DeploymentState) -> Payload {
    deployment_status(&DeploymentStatus { deployment: a_deployment(), id: 78, state, at: at(3) })
}

fn an_issue(action: IssueAction) -> Payload {
    issues(&Issue {
        repository: repository(),
        number: 5,
        action,
        title: "The cart loses items".into(),
        body: None,
        labels: vec!["bug".into()],
        author: "dev-ada-17".into(),
        assignees: vec!["dev-lin-04".into()],
        opened_at: at(0),
        at: at(9),
        sender: "dev-lin-04".into(),
    })
}

fn all() -> Vec<Payload> {
    let merged = PullRequestAction::Merged { sha: SHA.into() };
    let pushed = PullRequestAction::Synchronize { before: SHA.into() };
    let changes = [PullRequestAction::Opened, pushed, PullRequestAction::ReadyForReview, PullRequestAction::Reopened];
    let changes = changes.into_iter().chain([merged, PullRequestAction::Closed]);
    let verdicts = [Verdict::Approved, Verdict::ChangesRequested, Verdict::Commented, Verdict::Dismissed];
    let runs = [RunState::Requested, RunState::InProgress, RunState::Completed(Outcome::Success)];
    let states = [DeploymentState::Queued, DeploymentState::InProgress, DeploymentState::Success];
    let ends = [DeploymentState::Failure, DeploymentState::Error, DeploymentState::Inactive];
    let issue_actions = [IssueAction::Opened, IssueAction::Edited, IssueAction::Closed, IssueAction::Reopened];
    let reviews = verdicts.map(|verdict| {
        let pull_request = a_pull_request(PullRequestAction::Opened);
        let (id, reviewer, body) = (3, "dev-lin-04".into(), None);
        pull_request_review(&PullRequestReview { pull_request, id, reviewer, verdict, body, at: at(10) })
    });
    let a_release = Release {
        repository: repository(),
        id: 9,
        tag: "v1.2.3".into(),
        target: "main".into(),
        prerelease: false,
        body: None,
        author: "dev-ada-17".into(),
        at: at(50),
    };
    let mut payloads =
        vec![push(&a_push()), push(&Push { before: None, ..a_push() }), push(&Push { after: None, ..a_push() })];
    payloads.extend(changes.map(|action| pull_request(&a_pull_request(action))));
    payloads.extend(reviews);
    payloads.extend(runs.map(|state| workflow_run(&a_run(state))));
    payloads.push(deployment(&a_deployment()));
    payloads.extend(states.into_iter().chain(ends).map(a_status));
    payloads.push(release(&a_release));
    payloads.extend(issue_actions.map(an_issue));
    payloads
}

#[test]
fn every_printed_payload_means_what_it_says() {
    let lines = all().into_iter().map(|payload| {
        let headers = (GITHUB.headers_for)(payload.event, "0e6e0d2a-55a4-4d8b-9d35-0b6b6f0f6f0a");
        let headers: Vec<(String, String)> =
            headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let bytes = payload.body.to_string().into_bytes();
        assert!((5_000..32_000).contains(&bytes.len()), "{} has {} bytes", payload.event, bytes.len());
        let drafts = (GITHUB.normalize)(&fixtures::delivery("github", &headers, bytes)).unwrap();
        let events = drafts.iter().map(|d| format!("{} {} {}", d.kind, d.subject, d.time.format("%H:%M")));
        let action = payload.body["action"].as_str().unwrap_or("-").to_owned();
        format!("{} {action}: {}", payload.event, events.collect::<Vec<_>>().join(", "))
    });
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @r"
    push -: commit.pushed refs/heads/main 09:01, change.merged 0d1a26e67d8f5eaf1f6ba5c57fc3c7d91ac0fd1c 09:00
    push -: commit.pushed refs/heads/main 09:01, branch.created main 09:01
    push -: branch.deleted main 09:01
    pull_request opened: change.created 12 09:00
    pull_request synchronize: change.updated 12 09:30
    pull_request ready_for_review: change.updated 12 09:30
    pull_request reopened: change.updated 12 09:30
    pull_request closed: change.merged 12 09:30
    pull_request closed: change.abandoned 12 09:30
    pull_request_review submitted: change.reviewed 12 09:10
    pull_request_review submitted: change.reviewed 12 09:10
    pull_request_review submitted: change.reviewed 12 09:10
    pull_request_review dismissed: com.github.pull_request_review.dismissed 3 09:10
    workflow_run requested: pipelinerun.queued github.com/acme/shop/checks/2002 09:00
    workflow_run in_progress: pipelinerun.started github.com/acme/shop/checks/2002 09:04
    workflow_run completed: pipelinerun.finished github.com/acme/shop/checks/2002 09:04
    deployment created: com.github.deployment 77 09:00
    deployment_status created: deployment.started github.com/acme/shop/deployments/77 09:03
    deployment_status created: deployment.started github.com/acme/shop/deployments/77 09:03
    deployment_status created: service.deployed github.com/acme/shop 09:03
    deployment_status created: deployment.failed github.com/acme/shop/deployments/77 09:03
    deployment_status created: deployment.failed github.com/acme/shop/deployments/77 09:03
    deployment_status created: com.github.deployment_status.inactive https://api.github.com/repos/acme/shop/deployments/77/statuses/78 09:03
    release published: release.published v1.2.3 09:50, artifact.published pkg:github/acme/shop@v1.2.3 09:50
    issues opened: ticket.created 5 09:00
    issues edited: ticket.updated 5 09:09
    issues closed: ticket.closed 5 09:09
    issues reopened: ticket.updated 5 09:09
    ");
}

/// Names of the members at a place of a payload.
fn members<'a>(body: &'a Value, pointer: &str) -> Vec<&'a str> {
    body.pointer(pointer).unwrap().as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn printed_payloads_have_the_members_of_recorded_ones() {
    let recorded = |name: &str| super::body(&fixtures::load("github", name));
    let check = |printed: &Payload, name: &str, pointers: &[&str]| {
        let recorded = recorded(name);
        for pointer in pointers {
            let printed = members(&printed.body, pointer);
            let missing: Vec<_> = members(&recorded, pointer).into_iter().filter(|m| !printed.contains(m)).collect();
            assert!(missing.is_empty(), "{name} {pointer} also has {missing:?}");
        }
    };
    let opened = pull_request(&a_pull_request(PullRequestAction::Opened));
    let places =
        ["/repository", "/repository/owner", "/sender", "/pull_request", "/pull_request/head", "/pull_request/user"];
    check(&opened, "pull_request-opened-pull_request-hub4j", &places);
    check(&push(&a_push()), "push-push-goscm", &["", "/repository", "/head_commit", "/commits/0", "/pusher"]);
    check(
        &workflow_run(&a_run(RunState::Requested)),
        "workflow_run-requested-octokit",
        &["/workflow_run", "/workflow"],
    );
    check(&a_status(DeploymentState::Success), STATUS, &["/deployment", "/deployment_status"]);
}

const STATUS: &str = "deployment_status-gh-pages-octokit";
