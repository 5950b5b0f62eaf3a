//! Says in words why these reviewers: in a sentence for the run's page, and as a comment for the change.
//!
//! Forges notify whoever stands behind an `@`. Everybody here is either asked, and notified by that, or not to be
//! notified at all; so handles stand as code.

use super::choice::{Candidate, Choice, open_reviews};
use super::code_owners::Skipped;
use super::ownership::{Ownership, Who};

/// So many of those who are not asked are named: enough to see why, short enough to be read.
const PASSED_OVER_MAX: usize = 6;

/// So many lines, or skipped lines, are named.
const LINES_MAX: usize = 3;

/// What is to be explained.
#[derive(Debug, Clone, Copy)]
pub(super) struct Account<'a> {
    /// Where the owners stand: a path of the repository.
    pub(super) file: &'a str,
    /// The branch where it was read.
    pub(super) branch: &'a str,
    /// Its lines that cannot be read.
    pub(super) skipped: &'a [Skipped],
    /// Whom the files belong to.
    pub(super) ownership: &'a Ownership,
    /// Who is asked.
    pub(super) choice: &'a Choice,
    /// How many are wanted.
    pub(super) wanted: usize,
    /// What could not be learned.
    pub(super) unknown: &'a [String],
}

impl Account<'_> {
    /// In one line, as plain text.
    pub(super) fn sentence(self) -> String {
        let plain = str::to_owned;
        let mut parts: Vec<String> = self.chosen(&plain).collect();
        parts.extend(self.passed_over(&plain).map(|passed_over| format!("not asked: {passed_over}")));
        parts.extend(self.remarks());
        parts.join("; ")
    }

    /// As Markdown.
    pub(super) fn comment(self) -> String {
        let chosen: Vec<String> = self.chosen(&code).map(|line| format!("- {line}")).collect();
        let head = format!("Reviewers, by {} at {}:\n\n{}", code(self.file), code(self.branch), chosen.join("\n"));
        let mut paragraphs = vec![head];
        paragraphs.extend(self.passed_over(&code).map(|passed_over| format!("Not asked: {passed_over}.")));
        let remarks: Vec<String> =
            self.remarks().into_iter().map(|remark| format!("{}.", capitalised(&remark))).collect();
        if !remarks.is_empty() {
            paragraphs.push(remarks.join(" "));
        }
        paragraphs.join("\n\n")
    }

    fn chosen(self, written: &impl Fn(&str) -> String) -> impl Iterator<Item = String> {
        self.choice.chosen.iter().map(move |candidate| self.what_speaks_for(candidate, written))
    }

    fn what_speaks_for(self, candidate: &Candidate, written: &impl Fn(&str) -> String) -> String {
        let owned = candidate.owner.files.len();
        let owns = match self.ownership.files {
            1 => "owns the file".to_owned(),
            files if files == owned => format!("owns all {files} files"),
            files => format!("owns {owned} of the {files} files"),
        };
        let lines: Vec<String> = candidate.owner.lines.iter().map(usize::to_string).collect();
        let word = if lines.len() == 1 { "line" } else { "lines" };
        let mut text = match &candidate.owner.who {
            Who::Person(handle) => written(handle),
            Who::Team(name) => format!("the team {}", written(name)),
        };
        text.push_str(&format!(" {owns} (CODEOWNERS {word} {})", listed(&lines, LINES_MAX)));
        if candidate.work > 0 {
            let changes = if candidate.work == 1 { "change" } else { "changes" };
            text.push_str(&format!(", has {} recent {changes} there", candidate.work));
        }
        if let Some(open) = candidate.open {
            text.push_str(&format!(" and has {}", open_reviews(open)));
        }
        text
    }

    fn passed_over(self, written: &impl Fn(&str) -> String) -> Option<String> {
        let passed_over: Vec<String> =
            self.choice.passed_over.iter().map(|(who, why)| format!("{} ({why})", written(who.name()))).collect();
        (!passed_over.is_empty()).then(|| listed(&passed_over, PASSED_OVER_MAX))
    }

    fn remarks(self) -> Vec<String> {
        let mut remarks = Vec::new();
        let Ownership { files, unowned, owned_by_email, .. } = *self.ownership;
        let missing = self.wanted.saturating_sub(self.choice.chosen.len());
        if missing > 0 && !self.choice.chosen.is_empty() {
            remarks.push(format!("{missing} more wanted, but no owner is left"));
        }
        if unowned > 0 {
            let have = if unowned == 1 { "has" } else { "have" };
            remarks.push(format!("{unowned} of the {files} files {have} no owner"));
        }
        if owned_by_email > 0 {
            remarks.push(format!("an e-mail address cannot be asked: it owns {owned_by_email} of the {files} files"));
        }
        if !self.skipped.is_empty() {
            let lines: Vec<String> =
                self.skipped.iter().map(|skipped| format!("{} ({})", skipped.line, skipped.why)).collect();
            let (word, are) = if lines.len() == 1 { ("line", "is") } else { ("lines", "are") };
            remarks.push(format!("CODEOWNERS {word} {} {are} skipped", listed(&lines, LINES_MAX)));
        }
        remarks.extend(self.unknown.iter().cloned());
        remarks
    }
}

/// The first of them, and how many more there are.
fn listed(items: &[String], max: usize) -> String {
    let named = items.get(..max).unwrap_or(items).join(", ");
    match items.len().saturating_sub(max) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

/// Markdown that shows the text in a fixed width and notifies nobody.
fn code(text: &str) -> String {
    format!("`{}`", text.replace('`', "'"))
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}
