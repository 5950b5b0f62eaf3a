//! The body of a delivery that was read from a git history: written here, read by the sender `git`.
//!
//! Stored for ever, so it says what it is ([`SCHEMA`]). Within a version fields are only added, and every reader
//! fills in what an older writer did not know.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// What the bodies call their format. A reader refuses any other.
pub const SCHEMA: &str = "devhose.git/v1";

/// The body of one delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    /// [`SCHEMA`].
    pub schema: String,
    /// `host/owner/name`, or the name the source was given if the history comes from nowhere.
    pub repository: String,
    /// The default branch, whose first-parent line the landed commits form.
    pub default_branch: String,
    /// What it tells.
    pub content: Content,
}

/// What a delivery tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// A commit landed on the default branch.
    Landed(Box<Landed>),
    /// A tag was made.
    Tag(Box<Tagged>),
}

/// A commit of the first-parent line of the default branch, and what came with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Landed {
    /// How it came there.
    pub way: Way,
    /// The commit itself.
    pub commit: Commit,
    /// The other commits that the branch first reached by it, parents before children.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commits: Vec<Commit>,
    /// Its subject line.
    pub subject: String,
    /// What the change is called: of a merge the first line below the subject, else the subject without its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Who wrote it: of a merge the author of its second parent, for the merger is somebody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<Author>,
    /// Of a merge the oldest author time among the commits reachable from the second parent and not from the first,
    /// else the author time of the commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_commit_at: Option<DateTime<Utc>>,
    /// Its size; only of changes that have a number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<Size>,
    /// Top-level names of the tree that it touches; only of changes that have a number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// The commit that it reverts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reverts: Option<String>,
}

/// How a commit came to the default branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// A merge commit that names the change it merges.
    Merge {
        /// The forge's number of the change.
        number: u64,
    },
    /// A commit with one parent whose subject ends in the number of a change: squashed or rebased.
    Squash {
        /// The forge's number of the change.
        number: u64,
    },
    /// A merge commit that names no change.
    OtherMerge,
    /// Any other commit: somebody pushed it.
    Direct,
}

impl Way {
    /// The forge's number of the change, if it has one.
    #[must_use]
    pub const fn number(self) -> Option<u64> {
        match self {
            Self::Merge { number } | Self::Squash { number } => Some(number),
            Self::OtherMerge | Self::Direct => None,
        }
    }
}

/// One commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// Full object name.
    pub sha: String,
    /// Full object names of its parents, first parent first.
    pub parents: Vec<String>,
    /// Author time; absent if the commit does not hold a readable one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authored_at: Option<DateTime<Utc>>,
    /// Committer time; absent if the commit does not hold a readable one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub committed_at: Option<DateTime<Utc>>,
}

/// Who wrote a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// E-mail address in lower case.
    pub email: String,
    /// The name or the address says that it is an app.
    #[serde(default)]
    pub bot: bool,
}

/// Size of the difference between the first parent and a commit; renames found at 50 %, binary files 0 lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Lines added.
    pub additions: u64,
    /// Lines deleted.
    pub deletions: u64,
    /// Files added, deleted, changed or renamed.
    pub files: u64,
}

/// A tag and the commit it stands at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tagged {
    /// Its name, without `refs/tags/`.
    pub name: String,
    /// Full object name of the commit.
    pub sha: String,
    /// True for an annotated tag: its time is the tagger's, else it is the commit's.
    pub annotated: bool,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tagged_at: Option<DateTime<Utc>>,
    /// True if its name matched the pattern when it was read: it is then a deployment.
    pub deploys: bool,
    /// The service, where the pattern has a group for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Commits it reaches that neither the default branch nor an earlier tag reaches, parents before children.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commits: Vec<Commit>,
}
