//! Runs, jobs, checks and statuses.

use bus::data::{Data, Outcome};
use bus::kind::Kind;
use serde_json::{Value, json};

use super::{body, changed, show};
use crate::senders::fixtures;

#[test]
fn a_run_and_its_check_suite_are_one_run() {
    insta::assert_snapshot!(show("workflow_run-completed-workflow_run-hub4j"), @r#"
    pipelinerun.finished github.com/gsmet/quarkus-bot-java-playground/checks/2327154397 at 2021-03-23T18:35:43Z
    source https://api.github.com/repos/gsmet/quarkus-bot-java-playground, key github.com/gsmet/quarkus-bot-java-playground
    {
      "attempt": 1,
      "branch": "main",
      "defaultBranch": "main",
      "finishedAt": "2021-03-23T18:35:43Z",
      "id": "github.com/gsmet/quarkus-bot-java-playground/checks/2327154397",
      "outcome": "success",
      "pipeline": "CI",
      "queuedAt": "2021-03-23T18:35:26Z",
      "repository": "github.com/gsmet/quarkus-bot-java-playground",
      "sha": "dbea8d8b6ed2cf764dfd84a215f3f9040b3d4423",
      "url": "https://github.com/gsmet/quarkus-bot-java-playground/actions/runs/680604745"
    }
    "#);
    insta::assert_snapshot!(show("check_suite-completed-captured-cogni"), @r#"
    pipelinerun.finished github.com/derekg1729/test-repo/checks/47422842078 at 2025-10-12T00:05:03Z
    source https://api.github.com/repos/derekg1729/test-repo, key github.com/derekg1729/test-repo
    {
      "attempt": 1,
      "branch": "e2e-test-1760227487027",
      "change": 166,
      "defaultBranch": "main",
      "finishedAt": "2025-10-12T00:05:03Z",
      "id": "github.com/derekg1729/test-repo/checks/47422842078",
      "outcome": "success",
      "queuedAt": "2025-10-12T00:04:54Z",
      "repository": "github.com/derekg1729/test-repo",
      "sha": "a69811586879ea72cb7657e555fcdb45cf96c6d6"
    }
    "#);
    let id = "github.com/derekg1729/test-repo/checks/47422842078";
    let name = "workflow_run-completed-workflow_run-hub4j";
    let repository = body(&fixtures::load("github", "check_suite-completed-captured-cogni"))["repository"].clone();
    let changes = [("/workflow_run/check_suite_id", json!(47_422_842_078_u64)), ("/repository", repository)];
    assert_eq!(changed(name, &changes)[0].subject, id);
}

#[test]
fn every_conclusion_of_a_run_has_its_outcome() {
    let outcome = |conclusion: &str| {
        let changes = [("/workflow_run/conclusion", json!(conclusion))];
        changed("workflow_run-completed-octokit", &changes)[0].data.outcome()
    };
    assert_eq!(outcome("success"), Some(Outcome::Success));
    for failed in ["failure", "timed_out", "startup_failure"] {
        assert_eq!(outcome(failed), Some(Outcome::Failure), "{failed}");
    }
    assert_eq!(outcome("cancelled"), Some(Outcome::Cancelled));
    assert_eq!((outcome("action_required"), outcome("stale")), (Some(Outcome::Error), Some(Outcome::Error)));
    for neither in ["neutral", "skipped", "invented"] {
        assert_eq!(outcome(neither), None, "{neither}");
    }
}

#[test]
fn the_branch_of_a_fork_is_not_a_branch_of_the_repository() {
    let fork = ("/workflow_run/head_repository/full_name", json!("dev-ada-17/Hello-World"));
    let drafts = changed("workflow_run-completed-octokit", &[fork]);
    let Data::PipelineRun(run) = &drafts[0].data else { panic!("{drafts:?}") };
    assert_eq!(run.branch, None);
}

#[test]
fn a_later_attempt_was_queued_when_it_was_asked_for() {
    let changes = [
        ("/workflow_run/run_attempt", json!(2)),
        ("/workflow_run/run_started_at", json!("2020-10-06T00:00:00Z")),
        ("/workflow_run/check_suite_id", Value::Null),
    ];
    let drafts = changed("workflow_run-completed-octokit", &changes);
    let Data::PipelineRun(run) = &drafts[0].data else { panic!("{drafts:?}") };
    assert_eq!((run.attempt, run.queued_at), (2, "2020-10-06T00:00:00Z".parse().ok()));
    assert_eq!(run.id, "github.com/octo-org/octo-repo/runs/289782451");
}

#[test]
fn a_job_and_its_check_are_one_task() {
    insta::assert_snapshot!(show("workflow_job-completed-workflow_job-hub4j"), @r#"
    taskrun.finished github.com/gsmet/quarkus-bot-java-playground/jobs/6653410527 at 2022-05-30T10:55:57Z
    source https://api.github.com/repos/gsmet/quarkus-bot-java-playground, key github.com/gsmet/quarkus-bot-java-playground
    {
      "attempt": 1,
      "finishedAt": "2022-05-30T10:55:57Z",
      "id": "github.com/gsmet/quarkus-bot-java-playground/jobs/6653410527",
      "outcome": "failure",
      "repository": "github.com/gsmet/quarkus-bot-java-playground",
      "run": "github.com/gsmet/quarkus-bot-java-playground/runs/2408553341",
      "sha": "5dd2dadfbdc2a722c08a8ad42ae4e26e3e731042",
      "startedAt": "2022-05-30T10:55:25Z",
      "task": "JVM Tests - JDK JDK16",
      "url": "https://github.com/gsmet/quarkus-bot-java-playground/runs/6653410527?check_suite_focus=true"
    }
    "#);
    let mut check = body(&fixtures::load("github", "check_run-created-captured-cogni"))["check_run"].clone();
    check["app"]["slug"] = json!("github-actions");
    check["status"] = json!("in_progress");
    let drafts = changed("check_run-created-captured-cogni", &[("/check_run", check)]);
    assert_eq!(drafts[0].kind, Kind::TaskRunStarted);
    assert_eq!(drafts[0].subject, "github.com/derekg1729/test-repo/jobs/52530382611");
}

#[test]
fn a_status_of_a_ci_is_a_run_or_a_task_and_any_other_is_not() {
    let kind = |context: &str, state: &str| {
        let drafts = changed(
            "status-with-author-committer-null-octokit",
            &[("/context", json!(context)), ("/state", json!(state))],
        );
        drafts[0].kind.name().to_owned()
    };
    assert_eq!(kind("continuous-integration/jenkins/branch", "pending"), "pipelinerun.started");
    assert_eq!(kind("continuous-integration/travis-ci/push", "error"), "pipelinerun.finished");
    assert_eq!(kind("ci/circleci: build", "failure"), "taskrun.finished");
    assert_eq!(kind("license/cla", "success"), "com.github.status.success");
    assert_eq!(kind("ci/circleci: build", "invented"), "com.github.status.invented");
    let pending = changed(
        "status-with-author-committer-null-octokit",
        &[("/context", json!("ci/circleci: build")), ("/state", json!("pending"))],
    );
    let success = changed(
        "status-with-author-committer-null-octokit",
        &[("/context", json!("ci/circleci: build")), ("/id", json!(9))],
    );
    assert_eq!(pending[0].subject, success[0].subject, "two statuses of one task");
}
