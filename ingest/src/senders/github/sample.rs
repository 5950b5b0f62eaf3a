//! Prints payloads as GitHub sends them, from small typed inputs: for `devhose demo`, `devhose send --sample` and
//! load tests. They have the fields, the shapes and the size of recorded deliveries.
//!
//! Everything is handed in: no clock, no randomness. Handles are the caller's; take ones that nobody can have, such as
//! `dev-ada-17`, since these payloads may end up on a real organisation's dashboard.

mod deliveries;
mod forge;
mod objects;

use bus::data::{Outcome, Verdict};
use chrono::{DateTime, Utc};
use serde_json::Value;

pub use deliveries::{deployment, deployment_status, release, workflow_run};
pub use forge::{issues, pull_request, pull_request_review, push};

/// What to send: the body, and the name for the header `x-github-event`.
#[derive(Debug, Clone, PartialEq)]
pub struct Payload {
    /// Value of `x-github-event`.
    pub event: &'static str,
    /// The body.
    pub body: Value,
}

/// A repository of an organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// The organisation.
    pub owner: String,
    /// Its short name.
    pub name: String,
    /// Its default branch.
    pub default_branch: String,
}

/// Commits that reach a branch, or a branch that comes or goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// Where.
    pub repository: Repository,
    /// The branch, without `refs/heads/`.
    pub branch: String,
    /// What it pointed at; none for a new branch.
    pub before: Option<String>,
    /// What it points at now; none for a deleted branch.
    pub after: Option<String>,
    /// The commits, oldest first.
    pub commits: Vec<Commit>,
    /// Handle of who pushed.
    pub pusher: String,
    /// History was rewritten.
    pub forced: bool,
    /// When.
    pub at: DateTime<Utc>,
}

/// One commit of a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Full object name.
    pub sha: String,
    /// Subject and body.
    pub message: String,
    /// Handle of its author.
    pub author: String,
    /// When it was committed.
    pub at: DateTime<Utc>,
    /// Paths it modifies.
    pub paths: Vec<String>,
}

/// A pull request at one moment of its life, and what happened to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequest {
    /// Where.
    pub repository: Repository,
    /// Its number.
    pub number: u64,
    /// What happened.
    pub action: PullRequestAction,
    /// Its title.
    pub title: String,
    /// Its description.
    pub body: Option<String>,
    /// Handle of who opened it; one that ends in `[bot]` is an app's.
    pub author: String,
    /// Not ready for review.
    pub draft: bool,
    /// The branch it goes to.
    pub base_branch: String,
    /// Where that branch stood.
    pub base_sha: String,
    /// The branch it comes from.
    pub head_branch: String,
    /// Its latest commit.
    pub head_sha: String,
    /// Names of its labels.
    pub labels: Vec<String>,
    /// Number of commits.
    pub commits: u64,
    /// Lines added.
    pub additions: u64,
    /// Lines deleted.
    pub deletions: u64,
    /// Number of changed files.
    pub changed_files: u64,
    /// When it was opened.
    pub opened_at: DateTime<Utc>,
    /// When this happened.
    pub at: DateTime<Utc>,
    /// Handle of who did this.
    pub sender: String,
}

/// What happened to a pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PullRequestAction {
    /// It was opened.
    Opened,
    /// Commits were pushed to it.
    Synchronize {
        /// What its branch pointed at before.
        before: String,
    },
    /// It left draft.
    ReadyForReview,
    /// It was reopened.
    Reopened,
    /// It was closed without being merged.
    Closed,
    /// It was merged, by the sender.
    Merged {
        /// The commit that it became on the base branch.
        sha: String,
    },
}

/// A review of a pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequestReview {
    /// The pull request as it stands; its action and sender do not matter.
    pub pull_request: PullRequest,
    /// Its id.
    pub id: u64,
    /// Handle of who gave it.
    pub reviewer: String,
    /// What it says.
    pub verdict: Verdict,
    /// Its text.
    pub body: Option<String>,
    /// When it was given.
    pub at: DateTime<Utc>,
}

/// A run of a workflow at one moment of its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkflowRun {
    /// Where.
    pub repository: Repository,
    /// Its id.
    pub id: u64,
    /// Id of its check suite.
    pub check_suite_id: u64,
    /// Name of the workflow.
    pub workflow: String,
    /// Number of the run within the workflow.
    pub run_number: u64,
    /// 1 for the first try.
    pub attempt: u32,
    /// The branch it runs on.
    pub head_branch: String,
    /// The commit it runs on.
    pub head_sha: String,
    /// The pull request it runs for; none for a run on a push.
    pub pull_request: Option<u64>,
    /// Handle of who caused it.
    pub actor: String,
    /// What happened.
    pub state: RunState,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When it, or this attempt of it, began.
    pub started_at: DateTime<Utc>,
    /// When this happened.
    pub at: DateTime<Utc>,
}

/// What happened to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// It was asked for.
    Requested,
    /// It began.
    InProgress,
    /// It ended.
    Completed(Outcome),
}

/// A request to deploy.
#[derive(Debug, Clone, PartialEq)]
pub struct Deployment {
    /// Where.
    pub repository: Repository,
    /// Its id.
    pub id: u64,
    /// The commit.
    pub sha: String,
    /// Branch or tag.
    pub git_ref: String,
    /// The environment.
    pub environment: String,
    /// Whether that is production.
    pub production: bool,
    /// `deploy`, or `rollback`.
    pub task: String,
    /// What the caller of the API wants to remember.
    pub payload: Value,
    /// Its description.
    pub description: Option<String>,
    /// Handle of who asked for it.
    pub creator: String,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
}

/// What became of a deployment.
#[derive(Debug, Clone, PartialEq)]
pub struct DeploymentStatus {
    /// Of which.
    pub deployment: Deployment,
    /// Id of the status.
    pub id: u64,
    /// What it says.
    pub state: DeploymentState,
    /// When.
    pub at: DateTime<Utc>,
}

/// The states of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeploymentState {
    /// It waits.
    Queued,
    /// It runs.
    InProgress,
    /// It is done.
    Success,
    /// It did not work.
    Failure,
    /// It could not be tried.
    Error,
    /// A later one took its place.
    Inactive,
}

/// A published release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Where.
    pub repository: Repository,
    /// Its id.
    pub id: u64,
    /// Its tag.
    pub tag: String,
    /// Branch or commit that was tagged.
    pub target: String,
    /// Not meant for everyone.
    pub prerelease: bool,
    /// Its notes.
    pub body: Option<String>,
    /// Handle of who published it.
    pub author: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// An issue at one moment of its life, and what happened to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// Where.
    pub repository: Repository,
    /// Its number.
    pub number: u64,
    /// What happened.
    pub action: IssueAction,
    /// Its title.
    pub title: String,
    /// Its description.
    pub body: Option<String>,
    /// Names of its labels.
    pub labels: Vec<String>,
    /// Handle of who opened it.
    pub author: String,
    /// Handles of who is to do it.
    pub assignees: Vec<String>,
    /// When it was opened.
    pub opened_at: DateTime<Utc>,
    /// When this happened.
    pub at: DateTime<Utc>,
    /// Handle of who did this.
    pub sender: String,
}

/// What happened to an issue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IssueAction {
    /// It was opened.
    Opened,
    /// Its text was changed.
    Edited,
    /// It was closed as completed.
    Closed,
    /// It was reopened.
    Reopened,
}
