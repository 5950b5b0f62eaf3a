//! Contents of files as the counting of lines wants them.

use gix::ObjectId;
use gix::bstr::{BString, ByteSlice};
use gix::objs::tree::{EntryKind, EntryMode};

use super::error::GitError;
use super::store::Store;

/// Files larger than this are taken for binary and are not read: git's own default (`core.bigFileThreshold`), and the
/// limit of memory that one file can cost.
pub(super) const TEXT_BYTES_MAX: u64 = 512 << 20;

/// A zero byte among this many first bytes makes a file binary: git's own rule.
const BINARY_LOOK_BYTES: usize = 8_000;

/// A file of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct File {
    pub(super) path: BString,
    pub(super) id: ObjectId,
    pub(super) mode: EntryMode,
}

impl File {
    /// True for files that hold text or bytes; false for symbolic links and submodules.
    pub(super) fn is_regular(&self) -> bool {
        matches!(self.mode.kind(), EntryKind::Blob | EntryKind::BlobExecutable)
    }

    /// The last part of its path.
    pub(super) fn name(&self) -> &[u8] {
        self.path.rsplit(|&byte| byte == b'/').next().unwrap_or_default()
    }
}

/// What a file holds.
#[derive(Debug, Default)]
pub(super) struct Content {
    pub(super) bytes: Vec<u8>,
    pub(super) binary: bool,
}

impl Content {
    /// Becomes the content of a file that is not there.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.binary = false;
    }
}

impl Store {
    /// Reads a file into `content`, whose memory is used again.
    pub(super) fn read_file(&self, file: &File, content: &mut Content) -> Result<(), GitError> {
        content.clear();
        if file.mode.is_commit() {
            // What git compares in place of a submodule.
            content.bytes.extend_from_slice(format!("Subproject commit {}\n", file.id).as_bytes());
            return Ok(());
        }
        match self.object(&file.id, gix::objs::Kind::Blob, &mut content.bytes) {
            Ok(bytes) => {
                let look = bytes.get(..BINARY_LOOK_BYTES).unwrap_or(bytes);
                content.binary = look.find_byte(0).is_some();
            }
            // The size is only looked at after a failure: to find it takes as long as to read most files.
            Err(error) if self.file_bytes(file).is_ok_and(|bytes| bytes <= TEXT_BYTES_MAX) => return Err(error),
            Err(error @ (GitError::Missing { .. } | GitError::Partial { .. })) => return Err(error),
            Err(_) => content.binary = true,
        }
        Ok(())
    }

    /// Size of a file in bytes, found without reading it.
    pub(super) fn file_bytes(&self, file: &File) -> Result<u64, GitError> {
        let header = self.repository.try_find_header(file.id);
        let header = header.map_err(|source| self.damaged(format!("blob {}", file.id), source))?;
        header.map(|header| header.size()).ok_or_else(|| self.missing(&file.id))
    }
}
