//! Why a git history cannot be read, with what to do about it.

use std::path::PathBuf;

/// Why a git history cannot be read. A wrong number is never given instead.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// The name is no part of a source name.
    #[error("{name:?} cannot name a source: pass --name with letters, digits and . _ - only")]
    Name {
        /// As given.
        name: String,
        /// Why not.
        source: bus::ids::InvalidId,
    },
    /// There is no repository.
    #[error("{path} is not a git repository: pass the folder of a clone, or a bare repository such as shop.git")]
    NotARepository {
        /// Where it was looked for.
        path: PathBuf,
        /// What git's own rules say.
        source: Box<gix::Error>,
    },
    /// History was cut off.
    #[error(
        "{path} is a shallow clone, its history is cut off: run `git -C {path} fetch --unshallow --tags`, then import again"
    )]
    Shallow {
        /// Which repository.
        path: PathBuf,
    },
    /// Nothing was ever committed.
    #[error("{path} has no commits on branch {branch}: run `git -C {path} fetch origin`, or commit first")]
    NoCommits {
        /// Which repository.
        path: PathBuf,
        /// The branch that HEAD names.
        branch: String,
    },
    /// HEAD names no branch and there is no `origin/HEAD`.
    #[error("{path} does not say which branch is the default one: pass --branch, for instance --branch main")]
    NoDefaultBranch {
        /// Which repository.
        path: PathBuf,
    },
    /// The branch does not exist.
    #[error("{path} has no branch {branch}: pass --branch with one of {}", listed(.known))]
    UnknownBranch {
        /// Which repository.
        path: PathBuf,
        /// The branch that was asked for.
        branch: String,
        /// Some that exist.
        known: Vec<String>,
    },
    /// The pattern of the tags is no regular expression.
    #[error("the tag pattern `{pattern}` is not a regular expression")]
    Pattern {
        /// As given.
        pattern: String,
        /// Why not.
        source: Box<regex::Error>,
    },
    /// There are no tags, so there are no deployments.
    #[error(
        "{path} has no tags, and deployments are read from tags: run `git -C {path} fetch --tags origin`, then import again"
    )]
    NoTags {
        /// Which repository.
        path: PathBuf,
    },
    /// There are tags, but none is a deployment.
    #[error(
        "none of the {count} tags of {path} matches `{pattern}`: pass --tag-pattern for tags such as {}",
        listed(.examples)
    )]
    NoMatchingTag {
        /// Which repository.
        path: PathBuf,
        /// How many tags there are.
        count: usize,
        /// The pattern.
        pattern: String,
        /// Some of the tags, newest first.
        examples: Vec<String>,
    },
    /// An object that the history needs is not there, because the clone left it out.
    #[error(
        "{path} is a partial clone, object {object} was left out: run `git -C {path} fetch --refetch --no-filter origin`, then import again"
    )]
    Partial {
        /// Which repository.
        path: PathBuf,
        /// Which object.
        object: String,
    },
    /// An object that the history needs is not there.
    #[error("{path} lacks object {object}: run `git -C {path} fsck`, and clone again if it complains")]
    Missing {
        /// Which repository.
        path: PathBuf,
        /// Which object.
        object: String,
    },
    /// Git's own files are not as they should be.
    #[error("{path}: {what} cannot be read: run `git -C {path} fsck`")]
    Damaged {
        /// Which repository.
        path: PathBuf,
        /// What was read.
        what: String,
        /// Why it failed.
        source: Box<gix::Error>,
    },
    /// More commits or tags than an index of 32 bits can tell apart.
    #[error("{path} has more than {} commits, which is more than can be read", u32::MAX)]
    TooLarge {
        /// Which repository.
        path: PathBuf,
    },
    /// The body of a delivery could not be written.
    #[error("commit or tag {what} cannot be written as JSON")]
    Json {
        /// Of what.
        what: String,
        /// Why.
        source: serde_json::Error,
    },
    /// A delivery id was refused.
    #[error("commit or tag {what} has no usable id")]
    Id {
        /// Of what.
        what: String,
        /// Why.
        source: bus::ids::InvalidId,
    },
    /// A thread that reads commits ended early.
    #[error("a thread that reads commits of {path} ended early")]
    Worker {
        /// Which repository.
        path: PathBuf,
    },
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
