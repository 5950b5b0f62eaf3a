//! What happens in the invented organisation, in the field's terms. How its tools tell of it is the senders' affair.

use bus::data::{Manner, Outcome, Verdict};
use chrono::{DateTime, Utc};

use super::organisation::Person;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Happening {
    /// Something was done to a change.
    Change(ChangeAction, Change),
    /// Commits reached the default branch.
    Push(Push),
    /// Something happened to a pipeline run.
    Run(Phase, Run),
    /// A deployment was begun, or has ended if it has an outcome.
    Deployment(Deployment),
    /// A version was released.
    Release(Release),
    /// A ticket was opened, or closed if it has such a time.
    Ticket(Ticket),
    /// An incident was detected, or resolved if it has such a time.
    Incident(Incident),
    /// Coverage was measured.
    Coverage(Coverage),
}

/// What was done to a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ChangeAction {
    /// It was opened.
    Opened,
    /// It left draft.
    Ready,
    /// Commits were added; the head before them.
    Pushed {
        /// The head before.
        before: String,
    },
    /// Somebody was asked for a review.
    ReviewRequested(Person),
    /// Somebody gave a review.
    Reviewed {
        /// Unique among reviews.
        id: u64,
        /// Who.
        by: Person,
        /// What it says.
        verdict: Verdict,
    },
    /// Somebody wrote a comment.
    Commented {
        /// Unique among comments.
        id: u64,
        /// Who.
        by: Person,
    },
    /// It was merged by somebody.
    Merged(Person),
    /// It was closed unmerged.
    Abandoned(Person),
}

/// A change as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    /// `owner/name`.
    pub(crate) repository: &'static str,
    /// Number within the repository.
    pub(crate) number: u64,
    /// One line.
    pub(crate) title: String,
    /// What it reverts, as the forge words it in the body.
    pub(crate) body: Option<String>,
    /// Who opened it.
    pub(crate) author: Person,
    /// The branch it comes from.
    pub(crate) branch: String,
    /// Names of labels.
    pub(crate) labels: Vec<&'static str>,
    /// Not ready for review.
    pub(crate) draft: bool,
    /// Where it branched off.
    pub(crate) base_sha: String,
    /// Latest commit.
    pub(crate) head_sha: String,
    /// The commit it became on the default branch.
    pub(crate) merge_sha: Option<String>,
    /// Lines, files, commits, comments.
    pub(crate) size: Size,
    /// When it was opened.
    pub(crate) opened_at: DateTime<Utc>,
    /// When it was last touched: the time of this happening.
    pub(crate) updated_at: DateTime<Utc>,
    /// When it was merged.
    pub(crate) merged_at: Option<DateTime<Utc>>,
    /// When it was closed, merged or not.
    pub(crate) closed_at: Option<DateTime<Utc>>,
}

/// How large a change is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Size {
    /// Lines added.
    pub(crate) additions: u64,
    /// Lines deleted.
    pub(crate) deletions: u64,
    /// Files.
    pub(crate) files: u64,
    /// Commits.
    pub(crate) commits: u64,
    /// Comments.
    pub(crate) comments: u64,
}

/// A commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Commit {
    /// Full object name.
    pub(crate) sha: String,
    /// First line of its message.
    pub(crate) message: String,
    /// Who wrote it.
    pub(crate) author: Person,
    /// Author time.
    pub(crate) authored_at: DateTime<Utc>,
    /// A file it touches.
    pub(crate) file: String,
}

/// Commits that reached the default branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Push {
    /// `owner/name`.
    pub(crate) repository: &'static str,
    /// What the branch pointed at before.
    pub(crate) before: String,
    /// Who pushed.
    pub(crate) pusher: Person,
    /// The commits, oldest first; the last is what the branch points at now.
    pub(crate) commits: Vec<Commit>,
    /// When.
    pub(crate) at: DateTime<Utc>,
}

/// What happened to a pipeline run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It was asked for.
    Asked,
    /// A machine took it.
    Started,
    /// It ended.
    Ended(Outcome),
}

/// A pipeline run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    /// `owner/name`.
    pub(crate) repository: &'static str,
    /// Unique among runs.
    pub(crate) id: u64,
    /// Number within the repository, the same in every attempt.
    pub(crate) number: u64,
    /// 1 for the first try.
    pub(crate) attempt: u32,
    /// Why it runs.
    pub(crate) cause: Cause,
    /// The commit.
    pub(crate) sha: String,
    /// The branch.
    pub(crate) branch: String,
    /// Who caused it.
    pub(crate) by: Person,
    /// When it was asked for the first time.
    pub(crate) created_at: DateTime<Utc>,
    /// When this attempt was asked for.
    pub(crate) queued_at: DateTime<Utc>,
    /// When this happened.
    pub(crate) updated_at: DateTime<Utc>,
}

/// Why a pipeline runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// For a change, by its number.
    Change(u64),
    /// Commits reached the default branch.
    Push,
    /// The clock.
    Schedule,
}

/// A deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Deployment {
    /// `owner/name`.
    pub(crate) repository: &'static str,
    /// Unique among deployments.
    pub(crate) id: u64,
    /// The service.
    pub(crate) service: &'static str,
    /// `staging` or `production`.
    pub(crate) environment: &'static str,
    /// Whether that is production.
    pub(crate) production: bool,
    /// The commit.
    pub(crate) sha: String,
    /// Rollback or hotfix.
    pub(crate) manner: Option<Manner>,
    /// Id of the deployment that it makes good.
    pub(crate) fixes: Option<u64>,
    /// Who deploys.
    pub(crate) by: Person,
    /// When it began.
    pub(crate) started_at: DateTime<Utc>,
    /// When it ended, and how.
    pub(crate) ended: Option<(DateTime<Utc>, Outcome)>,
}

/// A released version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Release {
    /// `owner/name`.
    pub(crate) repository: &'static str,
    /// Unique among releases.
    pub(crate) id: u64,
    /// Its tag.
    pub(crate) tag: String,
    /// Who released it.
    pub(crate) by: Person,
    /// When.
    pub(crate) at: DateTime<Utc>,
}

/// A ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ticket {
    /// `owner/name`.
    pub(crate) repository: &'static str,
    /// Number within the repository.
    pub(crate) number: u64,
    /// One line.
    pub(crate) title: String,
    /// Who opened it.
    pub(crate) author: Person,
    /// When it was opened.
    pub(crate) opened_at: DateTime<Utc>,
    /// When it was closed.
    pub(crate) closed_at: Option<DateTime<Utc>>,
}

/// An incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Incident {
    /// Unique among incidents.
    pub(crate) id: u64,
    /// The service that suffers.
    pub(crate) service: &'static str,
    /// The repository of the service: `owner/name`.
    pub(crate) repository: &'static str,
    /// What is wrong.
    pub(crate) description: &'static str,
    /// How bad it is.
    pub(crate) severity: &'static str,
    /// The commit that was running, where the monitoring knows it.
    pub(crate) sha: Option<String>,
    /// When it was noticed.
    pub(crate) detected_at: DateTime<Utc>,
    /// When it was over.
    pub(crate) resolved_at: Option<DateTime<Utc>>,
}

/// A measurement of coverage.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Coverage {
    /// The service.
    pub(crate) service: &'static str,
    /// `owner/name`.
    pub(crate) repository: &'static str,
    /// The commit.
    pub(crate) sha: String,
    /// Covered share, 0 to 1.
    pub(crate) ratio: f64,
    /// When.
    pub(crate) at: DateTime<Utc>,
}
