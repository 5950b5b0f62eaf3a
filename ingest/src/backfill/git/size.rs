//! Size of a change: lines added and deleted, files touched, as `git diff -M50% --numstat PARENT COMMIT` counts them.
//!
//! Whether a file is binary is decided by its content alone. Git also heeds `.gitattributes` of whatever happens to be
//! checked out; a number that depends on that would change with it.

use std::collections::BTreeSet;

use gix::ObjectId;
use gix::bstr::ByteSlice;
use gix::diff::blob::sources::byte_lines;
use gix::diff::blob::{Algorithm, Diff, InternedInput};
use gix::diff::tree::Recorder;
use gix::diff::tree::recorder::Change;
use gix::objs::{Kind, TreeRefIter};

use super::blobs::{Content, File};
use super::error::GitError;
use super::payload::Size;
use super::renames;
use super::store::Store;

/// Measures differences between trees; keeps its buffers from one to the next.
#[derive(Default)]
pub(super) struct Sizer {
    state: gix::diff::tree::State,
    trees: (Vec<u8>, Vec<u8>),
    contents: (Content, Content),
}

/// What a change touches.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) size: Size,
    /// Top-level names.
    pub(super) paths: BTreeSet<String>,
}

/// Files that differ between two trees, each list ordered by path.
#[derive(Debug, Default)]
struct Differing {
    deleted: Vec<File>,
    added: Vec<File>,
    changed: Vec<(File, File)>,
}

impl Sizer {
    /// Measures what leads from one tree to the other.
    pub(super) fn measure(&mut self, store: &Store, old: &ObjectId, new: &ObjectId) -> Result<Extent, GitError> {
        if old == new {
            return Ok(Extent::default());
        }
        let Differing { deleted, added, mut changed } = self.differing(store, old, new)?;
        let mut extent = Extent::default();
        for file in deleted.iter().chain(&added).chain(changed.iter().map(|(_, new)| new)) {
            let top = file.path.split(|&byte| byte == b'/').next().unwrap_or_default();
            extent.paths.insert(top.to_str_lossy().into_owned());
        }
        let renamed = if deleted.is_empty() || added.is_empty() {
            vec![None; added.len()]
        } else {
            renames::find(store, &deleted, &added)?
        };
        let mut gone: Vec<Option<File>> = deleted.into_iter().map(Some).collect();
        let mut pairs: Vec<(Option<File>, Option<File>)> = Vec::new();
        for (file, source) in added.into_iter().zip(renamed) {
            let source = source.and_then(|place| gone.get_mut(place)).and_then(Option::take);
            pairs.push((source, Some(file)));
        }
        pairs.extend(gone.into_iter().flatten().map(|file| (Some(file), None)));
        pairs.extend(changed.drain(..).map(|(old, new)| (Some(old), Some(new))));
        for (old, new) in &pairs {
            let (added, deleted) = self.lines(store, old.as_ref(), new.as_ref())?;
            extent.size.additions += added;
            extent.size.deletions += deleted;
            extent.size.files += 1;
        }
        Ok(extent)
    }

    fn differing(&mut self, store: &Store, old: &ObjectId, new: &ObjectId) -> Result<Differing, GitError> {
        let old_tree = store.object(old, Kind::Tree, &mut self.trees.0)?;
        let new_tree = store.object(new, Kind::Tree, &mut self.trees.1)?;
        let mut recorder = Recorder::default();
        gix::diff::tree(
            TreeRefIter::from_bytes(old_tree, old.kind()),
            TreeRefIter::from_bytes(new_tree, new.kind()),
            &mut self.state,
            &store.repository.objects,
            &mut recorder,
        )
        .map_err(|source| store.broken_tree(new, gix::Error::from_error(source)))?;
        let mut differing = Differing::default();
        for change in recorder.records {
            differing.take(change);
        }
        differing.deleted.sort_by(|a, b| a.path.cmp(&b.path));
        differing.added.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(differing)
    }

    /// Lines added and deleted between two states of a file.
    fn lines(&mut self, store: &Store, old: Option<&File>, new: Option<&File>) -> Result<(u64, u64), GitError> {
        if old.zip(new).is_some_and(|(old, new)| old.id == new.id && old.mode.is_commit() == new.mode.is_commit()) {
            return Ok((0, 0));
        }
        let (before, after) = (&mut self.contents.0, &mut self.contents.1);
        for (file, content) in [(old, &mut *before), (new, &mut *after)] {
            match file {
                Some(file) => store.read_file(file, content)?,
                None => content.clear(),
            }
        }
        Ok(changed_lines(before, after))
    }
}

fn changed_lines(before: &Content, after: &Content) -> (u64, u64) {
    if before.binary || after.binary {
        return (0, 0);
    }
    if before.bytes.is_empty() || after.bytes.is_empty() {
        return (count_lines(&after.bytes), count_lines(&before.bytes));
    }
    let input = InternedInput::new(byte_lines(&before.bytes), byte_lines(&after.bytes));
    let diff = Diff::compute(Algorithm::Myers, &input);
    (u64::from(diff.count_additions()), u64::from(diff.count_removals()))
}

fn count_lines(bytes: &[u8]) -> u64 {
    byte_lines(bytes).count() as u64
}

impl Differing {
    fn take(&mut self, change: Change) {
        match change {
            Change::Addition { entry_mode: mode, oid: id, path, relation: _ } if !mode.is_tree() => {
                self.added.push(File { path, id, mode });
            }
            Change::Deletion { entry_mode: mode, oid: id, path, relation: _ } if !mode.is_tree() => {
                self.deleted.push(File { path, id, mode });
            }
            Change::Modification { previous_entry_mode, previous_oid, entry_mode, oid, path }
                if !entry_mode.is_tree() =>
            {
                let old = File { path: path.clone(), id: previous_oid, mode: previous_entry_mode };
                self.changed.push((old, File { path, id: oid, mode: entry_mode }));
            }
            // A folder: its files are told one by one.
            Change::Addition { .. } | Change::Deletion { .. } | Change::Modification { .. } => {}
        }
    }
}
