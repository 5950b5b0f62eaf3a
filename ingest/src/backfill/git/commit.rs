//! Reads the few lines of a commit object that the import needs.
//!
//! Histories of twenty years hold commits that strict readers refuse: dates of broken clocks, e-mail addresses with
//! angle brackets in them. As git itself does, the date is looked for behind the last `>` of the line, and a commit
//! without a readable one still counts as a commit.

use gix::ObjectId;
use gix::bstr::{BStr, ByteSlice};

/// What a commit object says; borrowed from its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Raw<'a> {
    pub(super) tree: ObjectId,
    pub(super) parents: Vec<ObjectId>,
    pub(super) author: Signature<'a>,
    /// Seconds since 1970.
    pub(super) committed_at: Option<i64>,
    pub(super) message: &'a BStr,
}

/// The author line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Signature<'a> {
    pub(super) name: &'a [u8],
    pub(super) email: &'a [u8],
    /// Seconds since 1970.
    pub(super) at: Option<i64>,
}

/// Reads a commit object; none if it names no tree, which makes it no commit.
pub(super) fn parse(data: &[u8]) -> Option<Raw<'_>> {
    let (header, message) = match data.find(b"\n\n") {
        Some(end) => (data.get(..end)?, data.get(end + 2..)?),
        None => (data, &[] as &[u8]),
    };
    let mut tree = None;
    let mut parents = Vec::new();
    let mut author = Signature::default();
    let mut committed_at = None;
    for line in header.split(|&byte| byte == b'\n') {
        // A header of several lines, such as a signature, continues with a space: such lines start with none of these.
        if let Some(hex) = line.strip_prefix(b"parent ") {
            parents.push(ObjectId::from_hex(hex).ok()?);
        } else if let Some(hex) = line.strip_prefix(b"tree ") {
            tree = Some(ObjectId::from_hex(hex).ok()?);
        } else if let Some(rest) = line.strip_prefix(b"author ") {
            author = signature(rest);
        } else if let Some(rest) = line.strip_prefix(b"committer ") {
            committed_at = signature(rest).at;
        }
    }
    Some(Raw { tree: tree?, parents, author, committed_at, message: message.as_bstr() })
}

/// Reads `Name <e-mail> seconds zone`, also the tagger line of a tag.
pub(super) fn signature(line: &[u8]) -> Signature<'_> {
    let Some((person, date)) = line.rsplit_once_str(b">") else { return Signature::default() };
    let (name, email) = person.split_once_str(b"<").unwrap_or((person, b""));
    let at = date.fields().next().and_then(|seconds| seconds.to_str().ok()?.parse().ok());
    Signature { name: name.trim(), email: email.trim(), at }
}

/// The subject: the lines before the first empty one, joined by spaces, as `git log --format=%s` prints it.
pub(super) fn subject(message: &BStr) -> String {
    let mut subject = String::new();
    for line in message.lines().map(ByteSlice::trim).skip_while(|line| line.is_empty()).take_while(|l| !l.is_empty()) {
        if !subject.is_empty() {
            subject.push(' ');
        }
        subject.push_str(&line.to_str_lossy());
    }
    subject
}

/// The first line of the message below the subject that is not empty.
pub(super) fn first_body_line(message: &BStr) -> Option<String> {
    let below = message.lines().map(ByteSlice::trim).skip_while(|line| line.is_empty()).skip_while(|l| !l.is_empty());
    below.map(ByteSlice::trim).find(|line| !line.is_empty()).map(|line| line.to_str_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

    #[test]
    fn a_commit_with_odd_lines_is_still_read() {
        let text = format!(
            "tree {TREE}\nparent {TREE}\nauthor A <B> <a@x> > 12 +0100\ncommitter C <c@x> nonsense\ngpgsig -----\n \
             parent {TREE}\n -----\n\n\n one\n two \n\nbody\n"
        );
        let raw = parse(text.as_bytes()).unwrap();
        assert_eq!(raw.parents.len(), 1, "a continued line is no parent");
        assert_eq!((raw.author.at, raw.committed_at), (Some(12), None));
        assert_eq!(subject(raw.message), "one two");
        assert_eq!(first_body_line(raw.message).unwrap(), "body");
        assert_eq!(parse(b"not a commit"), None);
    }

    #[test]
    fn a_date_before_1970_or_without_a_zone_is_a_date() {
        assert_eq!(signature(b"A <a@x> -5 +0000").at, Some(-5));
        assert_eq!(signature(b"A <a@x> 1700000000").at, Some(1_700_000_000));
        assert_eq!(signature(b"A <a@x>").at, None);
        assert_eq!(signature(b"nobody"), Signature::default());
        assert_eq!(signature(b" <A@X> 1 +0000").email, b"A@X");
    }
}
