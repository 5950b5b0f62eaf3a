//! Branch and tags: where the history begins to be read, and what it is called.

use gix::ObjectId;
use gix::bstr::ByteSlice;
use gix::objs::Kind;
use gix::refs::TargetRef;
use regex::Regex;

use super::commit;
use super::error::GitError;
use super::graph::instant;
use super::store::Store;

/// So many names are given as examples in an error.
const EXAMPLES_MAX: usize = 5;

/// The default branch and the commit it stands at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Branch {
    pub(super) name: String,
    /// The full name of the reference that was read.
    pub(super) reference: String,
    pub(super) tip: ObjectId,
}

/// A tag that leads to a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tag {
    pub(super) name: String,
    pub(super) target: ObjectId,
    /// Set for an annotated tag: the seconds since 1970 of its tagger, if it names one.
    pub(super) annotated: Option<Option<i64>>,
}

impl Store {
    /// Finds the default branch: as asked for, else what `origin/HEAD` names, else what `HEAD` names.
    ///
    /// What the remote was last known to hold is read rather than the local branch, which may hold commits that landed
    /// nowhere yet, or lag behind.
    pub(super) fn branch(&self, asked: Option<&str>) -> Result<Branch, GitError> {
        let name = match asked {
            Some(name) => name.to_owned(),
            None => match self.remote_head()? {
                Some(name) => name,
                None => self.head()?,
            },
        };
        for reference in [format!("refs/remotes/origin/{name}"), format!("refs/heads/{name}")] {
            let found = self.repository.try_find_reference(reference.as_str());
            // A name that is no valid reference names no branch either.
            let Ok(Some(mut found)) = found else { continue };
            let tip = found.peel_to_id().map_err(|source| self.damaged(reference.clone(), source))?.detach();
            return Ok(Branch { name, reference, tip });
        }
        let path = self.path.clone();
        if asked.is_none() {
            return Err(GitError::NoCommits { path, branch: name });
        }
        Err(GitError::UnknownBranch { path, branch: name, known: self.some_branches()? })
    }

    fn remote_head(&self) -> Result<Option<String>, GitError> {
        let found = self.repository.try_find_reference("refs/remotes/origin/HEAD");
        let found = found.map_err(|source| self.damaged("origin/HEAD".to_owned(), source))?;
        Ok(found.and_then(|head| match head.target() {
            TargetRef::Symbolic(name) => {
                let name = name.as_bstr().strip_prefix(b"refs/remotes/origin/")?;
                Some(name.to_str_lossy().into_owned())
            }
            TargetRef::Object(_) => None,
        }))
    }

    fn head(&self) -> Result<String, GitError> {
        let head = self.repository.head_name().map_err(|source| self.damaged("HEAD".to_owned(), source))?;
        let name = head.ok_or_else(|| GitError::NoDefaultBranch { path: self.path.clone() })?;
        Ok(name.shorten().to_str_lossy().into_owned())
    }

    fn some_branches(&self) -> Result<Vec<String>, GitError> {
        let failed = |source| self.damaged("the list of branches".to_owned(), source);
        let references = self.repository.references().map_err(failed)?;
        let mut names = Vec::new();
        for prefix in ["refs/remotes/origin/", "refs/heads/"] {
            let branches =
                if prefix == "refs/heads/" { references.local_branches() } else { references.remote_branches() };
            for branch in branches.map_err(failed)?.flatten() {
                let name = branch.name().as_bstr().to_str_lossy();
                if let Some(name) = name.strip_prefix(prefix)
                    && name != "HEAD"
                    && !names.iter().any(|known| known == name)
                {
                    names.push(name.to_owned());
                }
            }
        }
        names.truncate(EXAMPLES_MAX);
        Ok(names)
    }

    /// Every tag that leads to a commit. Tags of trees and files mark no state of the history.
    pub(super) fn tags(&self) -> Result<Vec<Tag>, GitError> {
        let failed = |source| self.damaged("the list of tags".to_owned(), source);
        let references = self.repository.references().map_err(failed)?;
        let mut tags = Vec::new();
        for reference in references.tags().map_err(failed)? {
            let reference = reference.map_err(failed)?;
            let name = reference.name().shorten().to_str_lossy().into_owned();
            // A symbolic tag points at another one, which is in the list itself.
            if let Some(id) = reference.try_id() {
                tags.extend(self.tag(name, id.detach())?);
            }
        }
        Ok(tags)
    }

    fn tag(&self, name: String, mut target: ObjectId) -> Result<Option<Tag>, GitError> {
        let mut annotated = None;
        loop {
            let found = self.repository.try_find_object(target);
            let object = found.map_err(|source| self.damaged(format!("tag {name}"), source))?;
            let object = object.ok_or_else(|| self.missing(&target))?;
            match object.kind {
                Kind::Commit => return Ok(Some(Tag { name, target, annotated })),
                Kind::Tree | Kind::Blob => return Ok(None),
                Kind::Tag => {}
            }
            let (header, _) = object.data.split_once_str(b"\n\n").unwrap_or((&object.data, b""));
            let line = |key: &[u8]| header.lines().find_map(|line| line.strip_prefix(key));
            // Of a tag of a tag the outer one was made by whoever released.
            annotated = annotated.or_else(|| Some(line(b"tagger ").and_then(|line| commit::signature(line).at)));
            let next = line(b"object ").and_then(|hex| ObjectId::from_hex(hex).ok());
            target = next
                .ok_or_else(|| self.damaged(format!("tag {name}"), gix::error::message("it names no object").into()))?;
        }
    }

    /// Refuses a repository whose tags cannot tell a deployment.
    pub(super) fn check_tags(&self, tags: &[Tag], pattern: &Regex) -> Result<(), GitError> {
        if tags.is_empty() {
            return Err(GitError::NoTags { path: self.path.clone() });
        }
        if tags.iter().any(|tag| pattern.is_match(&tag.name)) {
            return Ok(());
        }
        let mut examples: Vec<&Tag> = tags.iter().collect();
        examples.sort_by_key(|tag| std::cmp::Reverse(tag.annotated.flatten().and_then(instant)));
        Err(GitError::NoMatchingTag {
            path: self.path.clone(),
            count: tags.len(),
            pattern: pattern.as_str().to_owned(),
            examples: examples.into_iter().take(EXAMPLES_MAX).map(|tag| tag.name.clone()).collect(),
        })
    }
}
