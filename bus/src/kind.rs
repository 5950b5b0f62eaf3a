//! The closed list of kinds: every `subject.predicate` of CDEvents 0.5.1, and ours where CDEvents has none.
//!
//! To add one, add a line to the list below; the compiler then names every reader that must decide about it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The shape of [`crate::data::Data`] that goes with a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// [`crate::data::work::Action`]
    Action,
    /// [`crate::data::ci::Analysis`]
    Analysis,
    /// [`crate::data::ci::Artifact`]
    Artifact,
    /// [`crate::data::forge::Branch`]
    Branch,
    /// [`crate::data::ci::Build`]
    Build,
    /// [`crate::data::forge::Change`]
    Change,
    /// [`crate::data::forge::Comment`]
    Comment,
    /// [`crate::data::ci::Coverage`]
    Coverage,
    /// [`crate::data::runtime::Deployment`]
    Deployment,
    /// [`crate::data::runtime::Environment`]
    Environment,
    /// [`crate::data::runtime::Incident`]
    Incident,
    /// [`crate::data::work::Message`]
    Message,
    /// [`crate::data::runtime::Node`]
    Node,
    /// [`crate::data::ci::PipelineRun`]
    PipelineRun,
    /// [`crate::data::runtime::Pod`]
    Pod,
    /// [`crate::data::forge::Push`]
    Push,
    /// [`crate::data::forge::Release`]
    Release,
    /// [`crate::data::forge::Repository`]
    Repository,
    /// [`crate::data::forge::Review`]
    Review,
    /// [`crate::data::ci::TaskRun`]
    TaskRun,
    /// [`crate::data::ci::Test`]
    Test,
    /// [`crate::data::work::Ticket`]
    Ticket,
    /// [`crate::data::runtime::Vulnerability`]
    Vulnerability,
    /// The sender's own body.
    Other,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $family:ident, $cdevents:expr;)*) => {
        /// What kind of thing happened.
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        pub enum Kind {
            $($(#[$doc])* $variant,)*
            /// A kind that nobody maps, by the type its sender gives it: `com.github.star.created`.
            Other(OtherKind),
        }

        impl Kind {
            /// Every mapped kind, in the order of their names.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name: `change.merged`, or the sender's type.
            #[must_use]
            pub fn name(&self) -> &str {
                match self {
                    $(Self::$variant => $name,)*
                    Self::Other(other) => &other.0,
                }
            }

            /// Which data goes with it.
            #[must_use]
            pub const fn family(&self) -> Family {
                match self {
                    $(Self::$variant => Family::$family,)*
                    Self::Other(_) => Family::Other,
                }
            }

            /// The version of the CDEvents 0.5.1 event of this name, if there is one.
            #[must_use]
            pub const fn cdevents_version(&self) -> Option<&'static str> {
                match self {
                    $(Self::$variant => $cdevents,)*
                    Self::Other(_) => None,
                }
            }
        }

        /// The kind of that name; any other name is a kind that nobody maps.
        impl From<String> for Kind {
            fn from(name: String) -> Self {
                match name.as_str() {
                    $($name => Self::$variant,)*
                    _ => Self::Other(OtherKind(name)),
                }
            }
        }
    };
}

kinds! {
    /// The runtime performed an action of a bot.
    ActionPerformed = "action.performed", Action, None;
    /// A static analysis reported its findings.
    AnalysisReported = "analysis.reported", Analysis, None;
    /// An artifact was deleted.
    ArtifactDeleted = "artifact.deleted", Artifact, Some("0.2.0");
    /// An artifact was downloaded.
    ArtifactDownloaded = "artifact.downloaded", Artifact, Some("0.2.0");
    /// An artifact was packaged.
    ArtifactPackaged = "artifact.packaged", Artifact, Some("0.3.0");
    /// An artifact was published.
    ArtifactPublished = "artifact.published", Artifact, Some("0.3.0");
    /// An artifact was signed.
    ArtifactSigned = "artifact.signed", Artifact, Some("0.3.0");
    /// A branch was created.
    BranchCreated = "branch.created", Branch, Some("0.3.0");
    /// A branch was deleted.
    BranchDeleted = "branch.deleted", Branch, Some("0.3.0");
    /// A build was finished.
    BuildFinished = "build.finished", Build, Some("0.3.0");
    /// A build was queued.
    BuildQueued = "build.queued", Build, Some("0.3.0");
    /// A build was started.
    BuildStarted = "build.started", Build, Some("0.3.0");
    /// A change was abandoned.
    ChangeAbandoned = "change.abandoned", Change, Some("0.3.0");
    /// Somebody commented on a change.
    ChangeCommented = "change.commented", Comment, None;
    /// A change was created.
    ChangeCreated = "change.created", Change, Some("0.4.0");
    /// A change was merged.
    ChangeMerged = "change.merged", Change, Some("0.3.0");
    /// A change was reviewed.
    ChangeReviewed = "change.reviewed", Review, Some("0.3.0");
    /// A change was updated.
    ChangeUpdated = "change.updated", Change, Some("0.3.0");
    /// Commits reached a branch.
    CommitPushed = "commit.pushed", Push, None;
    /// A tool measured test coverage.
    CoverageMeasured = "coverage.measured", Coverage, None;
    /// An attempt to deploy ended without success.
    DeploymentFailed = "deployment.failed", Deployment, None;
    /// An attempt to deploy began.
    DeploymentStarted = "deployment.started", Deployment, None;
    /// An environment was created.
    EnvironmentCreated = "environment.created", Environment, Some("0.3.0");
    /// An environment was deleted.
    EnvironmentDeleted = "environment.deleted", Environment, Some("0.3.0");
    /// An environment was modified.
    EnvironmentModified = "environment.modified", Environment, Some("0.3.0");
    /// Somebody took an incident on.
    IncidentAcknowledged = "incident.acknowledged", Incident, None;
    /// An incident was detected.
    IncidentDetected = "incident.detected", Incident, Some("0.3.0");
    /// An incident was reported.
    IncidentReported = "incident.reported", Incident, Some("0.3.0");
    /// An incident was resolved.
    IncidentResolved = "incident.resolved", Incident, Some("0.3.0");
    /// Somebody gave a command in chat: `/deploys checkout`.
    CommandInvoked = "command.invoked", Message, None;
    /// Somebody pressed a button of a message, or chose from one.
    MessageAnswered = "message.answered", Message, None;
    /// A message was posted in chat.
    MessagePosted = "message.posted", Message, None;
    /// A node ran short of memory, disk or process ids.
    NodePressured = "node.pressured", Node, None;
    /// A pipeline run was finished.
    PipelineRunFinished = "pipelinerun.finished", PipelineRun, Some("0.3.0");
    /// A pipeline run was queued.
    PipelineRunQueued = "pipelinerun.queued", PipelineRun, Some("0.3.0");
    /// A pipeline run was started.
    PipelineRunStarted = "pipelinerun.started", PipelineRun, Some("0.3.0");
    /// A container of a pod keeps failing and is restarted ever more slowly.
    PodCrashLooping = "pod.crashlooping", Pod, None;
    /// A pod was removed from its node.
    PodEvicted = "pod.evicted", Pod, None;
    /// A container of a pod was killed.
    PodKilled = "pod.killed", Pod, None;
    /// No node has room for a pod.
    PodUnschedulable = "pod.unschedulable", Pod, None;
    /// A version was released.
    ReleasePublished = "release.published", Release, None;
    /// A repository was created.
    RepositoryCreated = "repository.created", Repository, Some("0.3.0");
    /// A repository was deleted.
    RepositoryDeleted = "repository.deleted", Repository, Some("0.3.0");
    /// A repository was modified.
    RepositoryModified = "repository.modified", Repository, Some("0.3.0");
    /// Somebody was asked to review a change.
    ReviewRequested = "review.requested", Review, None;
    /// A review was given, by a tool whose reviews stand apart from changes.
    ReviewSubmitted = "review.submitted", Review, None;
    /// A service was deployed.
    ServiceDeployed = "service.deployed", Deployment, Some("0.3.0");
    /// A service was published.
    ServicePublished = "service.published", Deployment, Some("0.3.0");
    /// A service was removed.
    ServiceRemoved = "service.removed", Deployment, Some("0.3.0");
    /// A service was rolled back.
    ServiceRolledBack = "service.rolledback", Deployment, Some("0.3.0");
    /// A service was upgraded.
    ServiceUpgraded = "service.upgraded", Deployment, Some("0.3.0");
    /// A task run was finished.
    TaskRunFinished = "taskrun.finished", TaskRun, Some("0.3.0");
    /// A task run was started.
    TaskRunStarted = "taskrun.started", TaskRun, Some("0.3.0");
    /// A test case run was finished.
    TestCaseRunFinished = "testcaserun.finished", Test, Some("0.3.0");
    /// A test case run was queued.
    TestCaseRunQueued = "testcaserun.queued", Test, Some("0.3.0");
    /// A test case run was skipped.
    TestCaseRunSkipped = "testcaserun.skipped", Test, Some("0.2.0");
    /// A test case run was started.
    TestCaseRunStarted = "testcaserun.started", Test, Some("0.3.0");
    /// An output of a test was published.
    TestOutputPublished = "testoutput.published", Test, Some("0.3.0");
    /// A test suite run was finished.
    TestSuiteRunFinished = "testsuiterun.finished", Test, Some("0.3.0");
    /// A test suite run was queued.
    TestSuiteRunQueued = "testsuiterun.queued", Test, Some("0.3.0");
    /// A test suite run was started.
    TestSuiteRunStarted = "testsuiterun.started", Test, Some("0.3.0");
    /// A ticket was closed.
    TicketClosed = "ticket.closed", Ticket, Some("0.2.0");
    /// A ticket was created.
    TicketCreated = "ticket.created", Ticket, Some("0.2.0");
    /// A ticket was updated.
    TicketUpdated = "ticket.updated", Ticket, Some("0.2.0");
    /// A known vulnerability was found.
    VulnerabilityDetected = "vulnerability.detected", Vulnerability, None;
    /// A known vulnerability is gone.
    VulnerabilityResolved = "vulnerability.resolved", Vulnerability, None;
}

/// The type of a kind that nobody maps; made by [`Kind::from`], so that it is never the name of a mapped one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OtherKind(String);

impl From<&str> for Kind {
    fn from(name: &str) -> Self {
        Self::from(name.to_owned())
    }
}

impl From<Kind> for String {
    fn from(kind: Kind) -> Self {
        kind.name().to_owned()
    }
}

impl FromStr for Kind {
    type Err = std::convert::Infallible;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Ok(Self::from(name))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_reads_back_from_its_name() {
        for kind in Kind::ALL {
            assert_eq!(&Kind::from(kind.name()), kind);
            assert_ne!(kind.family(), Family::Other, "{kind}");
        }
        assert_eq!(Kind::ALL.iter().filter(|k| k.cdevents_version().is_some()).count(), 45, "CDEvents 0.5.1 has 45");
        assert_eq!(Kind::from("com.github.star.created").family(), Family::Other);
    }
}
