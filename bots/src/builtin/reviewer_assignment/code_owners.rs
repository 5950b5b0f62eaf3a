//! CODEOWNERS: who owns which file. The last line that matches a path decides about it, also if it names nobody.
//!
//! What cannot be read is skipped and told, never guessed at: the forge skips the same lines. It knows no change.

mod pattern;

use pattern::Pattern;

/// A CODEOWNERS file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct CodeOwners {
    /// Its lines that say something, in order.
    rules: Vec<Rule>,
    /// The lines that say nothing.
    pub(super) skipped: Vec<Skipped>,
}

/// A line that says who owns what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    /// Its number, from 1.
    pub(super) line: usize,
    pattern: Pattern,
    /// Nobody, if it takes what it matches from its owners.
    pub(super) owners: Vec<CodeOwner>,
}

/// A line that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Skipped {
    /// Its number, from 1.
    pub(super) line: usize,
    /// What is wrong with it.
    pub(super) why: &'static str,
}

/// Somebody whom a line names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum CodeOwner {
    /// `@handle`.
    Person(String),
    /// `@organisation/team`, as written but for the `@`.
    Team(String),
    /// Somebody by an e-mail address, which is nobody's handle.
    Email,
}

impl CodeOwners {
    /// Reads the text of such a file.
    pub(super) fn parse(text: &str) -> Self {
        let mut read = Self::default();
        // A byte order mark is no part of the first pattern.
        for (line, text) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
            let words = words(text);
            let Some((pattern, owners)) = words.split_first() else { continue };
            match rule(pattern, owners) {
                Ok((pattern, owners)) => read.rules.push(Rule { line, pattern, owners }),
                Err(why) => read.skipped.push(Skipped { line, why }),
            }
        }
        read
    }

    /// The line that decides about a path; none if nothing is said of it.
    pub(super) fn rule_of(&self, path: &str) -> Option<&Rule> {
        let path = pattern::names(path);
        self.rules.iter().rev().find(|rule| rule.pattern.matches(&path))
    }
}

/// The words of a line up to a comment. A backslash keeps the character after it, such as a space, in the word.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut escaped = false;
    for c in line.chars() {
        if escaped {
            escaped = false;
            word.push(c);
        } else if c.is_whitespace() {
            words.push(std::mem::take(&mut word));
        } else if c == '#' && word.is_empty() {
            break;
        } else {
            escaped = c == '\\';
            word.push(c);
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

fn rule(pattern: &str, owners: &[String]) -> Result<(Pattern, Vec<CodeOwner>), &'static str> {
    let pattern = Pattern::parse(pattern)?;
    let owners: Option<Vec<_>> = owners.iter().map(|owner| code_owner(owner)).collect();
    Ok((pattern, owners.ok_or("an owner is @handle, @organisation/team or an e-mail address")?))
}

fn code_owner(word: &str) -> Option<CodeOwner> {
    let is_handle = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let is_team = |text: &str| !text.is_empty() && text.split('.').all(is_handle);
    match word.strip_prefix('@') {
        Some(name) => match name.split_once('/') {
            Some((organisation, team)) if is_handle(organisation) && is_team(team) => {
                Some(CodeOwner::Team(name.to_owned()))
            }
            None if is_handle(name) => Some(CodeOwner::Person(name.to_owned())),
            Some(_) | None => None,
        },
        None => {
            let (local, host) = word.split_once('@')?;
            let is_email = !local.is_empty() && host.contains('.') && !host.contains(['@', '/']);
            is_email.then_some(CodeOwner::Email)
        }
    }
}

#[cfg(test)]
mod tests;
