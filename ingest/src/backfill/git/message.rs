//! What a commit message says of the change: its number, and what it reverts.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::LazyLock;

use gix::bstr::{BStr, ByteSlice};
use regex::{Captures, Regex};

use super::commit;
use super::payload::Way;

/// `LazyLock` of a pattern that is written in this file; a mistake in it is found by the first test that runs.
macro_rules! pattern {
    ($name:ident, $text:literal) => {
        static $name: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new($text).ok());
    };
}
pattern!(MERGE_SUBJECT, r"^Merge pull request #(\d+) from ");
pattern!(MERGE_TRAILER, r"See merge request \S*!(\d+)");
pattern!(SQUASH_SUBJECT, r"\(#(\d+)\)$");
pattern!(REVERTED_COMMIT, r"This reverts commit ([0-9a-fA-F]{7,40})\b");
pattern!(REVERT_SUBJECT, r#"^Revert "(.*)"(?: \(#\d+\))?$"#);
pattern!(NUMBER_AT_END, r" *\(#\d+\)$");

/// What the message of a landed commit says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) way: Way,
    pub(super) subject: String,
    pub(super) title: Option<String>,
    pub(super) reverts: Option<Reverted>,
}

/// What a message says it reverts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reverted {
    /// A commit, perhaps abbreviated.
    Commit(String),
    /// The change that has this subject.
    Subject(String),
}

/// Reads the message of a landed commit with that many parents.
pub(super) fn read(message: &BStr, parents: usize) -> Said {
    let subject = commit::subject(message);
    let text = message.to_str_lossy();
    let way = way(&subject, &text, parents);
    let title = title(&subject, message, way);
    // A message that quotes reverts of reverts names the last one last.
    let reverts = match captured(&REVERTED_COMMIT, &text) {
        Some(sha) => Some(Reverted::Commit(sha.to_ascii_lowercase())),
        None => captured(&REVERT_SUBJECT, &subject).map(|subject| Reverted::Subject(subject.to_owned())),
    };
    Said { way, subject, title, reverts }
}

fn way(subject: &str, text: &str, parents: usize) -> Way {
    match parents {
        0 => Way::Direct,
        1 => number(&SQUASH_SUBJECT, subject).map_or(Way::Direct, |number| Way::Squash { number }),
        2.. => {
            let number = number(&MERGE_SUBJECT, subject).or_else(|| last_number(&MERGE_TRAILER, text));
            number.map_or(Way::OtherMerge, |number| Way::Merge { number })
        }
    }
}

fn title(subject: &str, message: &BStr, way: Way) -> Option<String> {
    match way {
        Way::Merge { .. } => {
            let line = commit::first_body_line(message)?;
            (!line.starts_with("See merge request")).then_some(line)
        }
        Way::Squash { .. } => Some(without_number(subject).to_owned()),
        Way::OtherMerge | Way::Direct => Some(subject.to_owned()),
    }
    .filter(|title| !title.is_empty())
}

fn without_number(subject: &str) -> &str {
    let number = NUMBER_AT_END.as_ref().and_then(|pattern| pattern.find(subject));
    number.and_then(|number| subject.get(..number.start())).unwrap_or(subject)
}

fn captured<'t>(pattern: &LazyLock<Option<Regex>>, text: &'t str) -> Option<&'t str> {
    pattern.as_ref()?.captures(text).and_then(|found| found.get(1)).map(|group| group.as_str())
}

fn number(pattern: &LazyLock<Option<Regex>>, text: &str) -> Option<u64> {
    captured(pattern, text)?.parse().ok()
}

/// The last one: the forge writes it below whatever the author wrote.
fn last_number(pattern: &LazyLock<Option<Regex>>, text: &str) -> Option<u64> {
    let last: Captures<'_> = pattern.as_ref()?.captures_iter(text).last()?;
    last.get(1)?.as_str().parse().ok()
}

/// Subjects of the commits that landed so far, to find what a revert names by its subject.
///
/// Holds hashes instead of texts: 16 bytes a subject, so that a million of them stay small.
#[derive(Debug, Default)]
pub(super) struct Subjects {
    landed: HashMap<u64, u32, BuildHasherDefault<DefaultHasher>>,
    hasher: BuildHasherDefault<DefaultHasher>,
}

impl Subjects {
    /// Remembers a commit by its subject, and by its subject without the number: a forge that reverts a change quotes
    /// the title, which the squashed commit carries with the number behind it.
    pub(super) fn add(&mut self, subject: &str, nth: u32) {
        self.landed.insert(self.hasher.hash_one(subject), nth);
        let bare = without_number(subject);
        if bare != subject {
            self.landed.insert(self.hasher.hash_one(bare), nth);
        }
    }

    /// The latest commit so far with that subject.
    pub(super) fn find(&self, subject: &str) -> Option<u32> {
        self.landed.get(&self.hasher.hash_one(subject)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(message: &str, parents: usize) -> Said {
        read(message.into(), parents)
    }

    #[test]
    fn every_pattern_is_a_pattern() {
        for pattern in
            [&MERGE_SUBJECT, &MERGE_TRAILER, &SQUASH_SUBJECT, &REVERTED_COMMIT, &REVERT_SUBJECT, &NUMBER_AT_END]
        {
            assert!(pattern.is_some());
        }
    }

    #[test]
    fn a_merge_names_its_change_in_the_subject_or_below() {
        let merge = said("Merge pull request #12 from acme/fix\n\nFix the till (#3)\n", 2);
        assert_eq!((merge.way, merge.title.as_deref()), (Way::Merge { number: 12 }, Some("Fix the till (#3)")));
        let merge = said("Merge branch 'fix' into 'main'\n\nFix the till\n\nSee merge request acme/shop!34\n", 2);
        assert_eq!((merge.way, merge.title.as_deref()), (Way::Merge { number: 34 }, Some("Fix the till")));
        let quoting = said("Merge branch 'x'\n\nSee merge request a/b!1\n\nSee merge request acme/shop!2", 2);
        assert_eq!(quoting.way, Way::Merge { number: 2 });
        assert_eq!(said("Merge branch 'main' of github.com:acme/shop", 2).way, Way::OtherMerge);
        assert_eq!(said("Merge things (#7)", 2).way, Way::OtherMerge, "that is how squashed commits end, not merges");
    }

    #[test]
    fn a_commit_with_one_parent_is_a_change_if_its_subject_ends_in_a_number() {
        let squash = said("Fix the till (#12) (#13)\n\n* one\n* two (#14)", 1);
        assert_eq!((squash.way, squash.title.as_deref()), (Way::Squash { number: 13 }, Some("Fix the till (#12)")));
        for direct in ["Fix #12", "Fix (#12) now", "Merge pull request #12 from a/b", "(#x)", ""] {
            assert_eq!(said(direct, 1).way, Way::Direct, "{direct}");
        }
        assert_eq!(said("Begin (#1)", 0).way, Way::Direct, "a first commit has no parent to be different from");
    }

    #[test]
    fn a_revert_names_a_commit_or_a_subject() {
        let sha = "0123456789abcdef0123456789abcdef01234567";
        let by_sha = said(&format!("Revert \"Fix (#1)\" (#2)\n\nThis reverts commit {sha}, see #1.\n"), 1);
        assert_eq!(by_sha.reverts, Some(Reverted::Commit(sha.to_owned())));
        let by_subject = |message| said(message, 1).reverts;
        let subject = |text: &str| Some(Reverted::Subject(text.to_owned()));
        assert_eq!(by_subject("Revert \"Fix (#1)\""), subject("Fix (#1)"));
        assert_eq!(by_subject("Revert \"Fix\" (#2)"), subject("Fix"));
        assert_eq!(by_subject("Revert \"Revert \"Fix\"\""), subject("Revert \"Fix\""));
        assert_eq!(by_subject("Revert the fix"), None);
    }

    #[test]
    fn a_subject_is_found_with_and_without_its_number_and_the_latest_counts() {
        let mut subjects = Subjects::default();
        subjects.add("Fix (#1)", 0);
        subjects.add("Other", 1);
        assert_eq!((subjects.find("Fix (#1)"), subjects.find("Fix"), subjects.find("fix")), (Some(0), Some(0), None));
        subjects.add("Fix (#2)", 2);
        assert_eq!((subjects.find("Fix (#1)"), subjects.find("Fix")), (Some(0), Some(2)));
    }
}
