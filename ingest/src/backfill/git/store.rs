//! The opened repository: objects by their name, and errors that say what to run.

use std::path::{Path, PathBuf};

use gix::bstr::ByteSlice;
use gix::objs::{Find, Kind};
use gix::{ObjectId, Repository, ThreadSafeRepository};

use super::blobs::TEXT_BYTES_MAX;
use super::commit::{self, Raw};
use super::error::GitError;

/// Memory that each thread may keep the bases of deltas in. Without it long chains are resolved again and again, which
/// takes three times as long; more than this gained nothing on a history of 50,000 commits.
const DELTA_CACHE_BYTES: usize = 48 << 20;

/// A repository as one thread uses it.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) repository: Repository,
    pub(super) path: PathBuf,
}

/// A repository to be handed to other threads.
#[derive(Debug)]
pub(super) struct SharedStore {
    repository: ThreadSafeRepository,
    path: PathBuf,
}

impl SharedStore {
    /// Opens the repository at exactly that path: a working copy or a bare repository.
    ///
    /// Reads no configuration but the repository's own, so that the same clone gives the same numbers to everyone.
    pub(super) fn open(path: &Path) -> Result<Self, GitError> {
        let options = gix::open::Options::isolated().with(gix::sec::Trust::Full).config_overrides([
            format!("core.deltaBaseCacheLimit={DELTA_CACHE_BYTES}"),
            format!("gitoxide.objects.allocLimit={TEXT_BYTES_MAX}"),
        ]);
        let repository = options
            .open(path)
            .map_err(|source| GitError::NotARepository { path: path.to_owned(), source: Box::new(source) })?;
        Ok(Self { repository, path: path.to_owned() })
    }

    /// Where the repository is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The repository for the calling thread.
    pub(super) fn local(&self) -> Store {
        Store { repository: self.repository.to_thread_local(), path: self.path.clone() }
    }
}

impl Store {
    /// Refuses a clone whose history was cut off.
    pub(super) fn refuse_shallow(&self) -> Result<(), GitError> {
        let shallow =
            self.repository.is_shallow().map_err(|e| self.damaged("the list of cut-off commits".to_owned(), e))?;
        if shallow { Err(GitError::Shallow { path: self.path.clone() }) } else { Ok(()) }
    }

    /// Reads a commit.
    pub(super) fn commit<'a>(&self, id: &ObjectId, buffer: &'a mut Vec<u8>) -> Result<Raw<'a>, GitError> {
        let data = self.object(id, Kind::Commit, buffer)?;
        commit::parse(data).ok_or_else(|| self.damaged(format!("commit {id}"), gix::error::message("no header").into()))
    }

    /// Reads an object that must be of that kind.
    pub(super) fn object<'a>(&self, id: &ObjectId, kind: Kind, buffer: &'a mut Vec<u8>) -> Result<&'a [u8], GitError> {
        let found =
            self.repository.objects.try_find(id, buffer).map_err(|e| self.damaged(format!("{kind} {id}"), e))?;
        match found {
            Some(object) if object.kind == kind => Ok(object.data),
            Some(object) => {
                let other = gix::error::message!("it is a {}", object.kind).into();
                Err(self.damaged(format!("{kind} {id}"), other))
            }
            None => Err(self.missing(id)),
        }
    }

    /// The error for an object that is not there.
    pub(super) fn missing(&self, id: &gix::oid) -> GitError {
        let (path, object) = (self.path.clone(), id.to_string());
        if self.is_partial() { GitError::Partial { path, object } } else { GitError::Missing { path, object } }
    }

    /// The error for something that cannot be read.
    pub(super) fn damaged(&self, what: String, source: gix::Error) -> GitError {
        GitError::Damaged { path: self.path.clone(), what, source: Box::new(source) }
    }

    /// The error for a tree that cannot be walked, most often because a folder below it is not there.
    pub(super) fn broken_tree(&self, id: &gix::oid, source: gix::Error) -> GitError {
        if self.is_partial() { self.missing(id) } else { self.damaged(format!("a folder of tree {id}"), source) }
    }

    /// A count as an index of 32 bits.
    pub(super) fn fits(&self, count: usize) -> Result<u32, GitError> {
        u32::try_from(count).map_err(|_| GitError::TooLarge { path: self.path.clone() })
    }

    /// True if the clone was told to leave objects out until they are needed.
    fn is_partial(&self) -> bool {
        let config = self.repository.config_snapshot();
        config.string("extensions.partialClone").is_some()
            || config.plumbing().sections_by_name("remote").is_some_and(|mut remotes| {
                remotes.any(|remote| {
                    remote.value("promisor").is_some_and(|value| value.as_bstr() == "true")
                        || remote.value("partialclonefilter").is_some()
                })
            })
    }
}
