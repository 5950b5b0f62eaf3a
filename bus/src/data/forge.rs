//! What happens in a forge: changes, reviews, pushes, releases.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::mark::Mark;

use super::{Verdict, is_false};

/// Somebody, by the handle a tool knows them by. The bus carries handles because bots need them; Ledger never stores one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Person {
    /// Login, or for a git history the e-mail address.
    pub handle: String,
    /// True for an app or a service account.
    #[serde(skip_serializing_if = "is_false")]
    pub bot: bool,
}

/// A pull request, merge request, or a direct push to the default branch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Change {
    /// `host/owner/name`.
    pub repository: String,
    /// The forge's number; none for a direct push.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// As written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Where to read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Who opened it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<Person>,
    /// Not ready for review.
    #[serde(skip_serializing_if = "is_false")]
    pub draft: bool,
    /// The branch it goes to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_branch: Option<String>,
    /// The branch it comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head_branch: Option<String>,
    /// The repository's default branch, where the sender names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_branch: Option<String>,
    /// Latest commit of the change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head_sha: Option<String>,
    /// The commit that it became on the base branch; absent until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merge_sha: Option<String>,
    /// Names of its labels.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Number of commits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commits: Option<u64>,
    /// Number of changed files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<u64>,
    /// Lines added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub additions: Option<u64>,
    /// Lines deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletions: Option<u64>,
    /// Author time of its earliest commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_commit_at: Option<DateTime<Utc>>,
    /// When it was opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opened_at: Option<DateTime<Utc>>,
    /// When it left draft, or was opened as no draft.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_at: Option<DateTime<Utc>>,
    /// When it was merged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merged_at: Option<DateTime<Utc>>,
    /// When it was closed, merged or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<DateTime<Utc>>,
    /// When commits were added to it: only where this event is such a push.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pushed_at: Option<DateTime<Utc>>,
    /// What it reverts: a commit, or `#number`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reverts: Option<String>,
    /// True for a push to the default branch outside a pull request.
    #[serde(skip_serializing_if = "is_false")]
    pub direct: bool,
    /// Top-level paths it touches, where the sender lists files.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
}

/// A review of a change, given or asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Review {
    /// `host/owner/name`.
    pub repository: String,
    /// The change's number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// Where to read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Who gave it, or was asked; none for a team.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reviewer: Option<Person>,
    /// The team that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// Who opened the change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<Person>,
    /// What it says; none where a review was only asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// The commit that was reviewed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head_sha: Option<String>,
    /// When it was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub submitted_at: Option<DateTime<Utc>>,
}

/// A comment on a change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Comment {
    /// `host/owner/name`.
    pub repository: String,
    /// The change's number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// Where to read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Who wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<Person>,
    /// Who opened the change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change_author: Option<Person>,
    /// As written; bots read commands from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The action of a bot that wrote it, by the mark it carries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Mark>,
    /// The file it stands at: a comment on code is part of a review.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// When it was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<DateTime<Utc>>,
}

/// Commits that reached a branch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Push {
    /// `host/owner/name`.
    pub repository: String,
    /// The branch, without `refs/heads/`; none for commits that only a tag reaches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The repository's default branch, where the sender names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_branch: Option<String>,
    /// What the branch pointed at before; none for a new branch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// What it points at now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// History was rewritten.
    #[serde(skip_serializing_if = "is_false")]
    pub forced: bool,
    /// Who pushed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pusher: Option<Person>,
    /// The commits, oldest first; a sender may leave some out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub commits: Vec<Commit>,
}

/// One commit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Commit {
    /// Full object name.
    pub sha: String,
    /// Its parents, first parent first; none where the sender does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parents: Option<Vec<String>>,
    /// Author time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authored_at: Option<DateTime<Utc>>,
    /// False for a commit that another branch had already; none where the sender does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distinct: Option<bool>,
    /// Committer time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub committed_at: Option<DateTime<Utc>>,
}

/// A branch that appeared or went.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Branch {
    /// `host/owner/name`.
    pub repository: String,
    /// Its name.
    pub branch: String,
    /// What it points, or pointed, at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha: Option<String>,
}

/// A repository.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Repository {
    /// `host/owner/name`.
    pub repository: String,
    /// Short name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Organisation or user that holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Where to clone it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Where to read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub view_url: Option<String>,
    /// Its default branch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_branch: Option<String>,
    /// What was done to it, in the sender's word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
}

/// A version that was released.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Release {
    /// `host/owner/name`.
    pub repository: String,
    /// Its tag.
    pub tag: String,
    /// The commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha: Option<String>,
    /// Where to read it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Not meant for everyone.
    #[serde(skip_serializing_if = "is_false")]
    pub prerelease: bool,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub released_at: Option<DateTime<Utc>>,
}
