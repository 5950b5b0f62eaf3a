//! Patterns of CODEOWNERS: those of gitignore without `!` and `[ ]`, matched against the paths of files.
//!
//! | pattern | matches |
//! |---|---|
//! | `name`, `*.js` | that, and all below it, at any depth |
//! | `/name`, `a/name` | that, and all below it, from the root |
//! | `name/` | all below a folder of that name |
//! | `folder/*` | the files of that folder, not of those in it |
//! | `**` | any number of folders; at the end, everything below |

/// No path that a repository holds is longer, so no pattern has to be.
const PATTERN_BYTES_MAX: usize = 4096;

/// A pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Part>);

/// What stands between two slashes of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// `**`: any number of names.
    Names,
    /// One name.
    Name(Vec<Letter>),
}

/// What stands in the place of characters.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Letter {
    /// `*`: any number of characters.
    Any,
    /// `?`: one character.
    One,
    /// That character.
    Is(char),
}

/// A path as its names, each as its characters.
pub(super) fn names(path: &str) -> Vec<Vec<char>> {
    path.split('/').map(|name| name.chars().collect()).collect()
}

impl Pattern {
    /// Reads a pattern; the error says why there is none.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        if text.len() > PATTERN_BYTES_MAX {
            return Err("the pattern is longer than any path");
        }
        if text.starts_with('!') {
            return Err("a pattern cannot be negated with !");
        }
        if text.starts_with("\\#") {
            return Err("a pattern cannot begin with #");
        }
        if text.contains("***") {
            return Err("three asterisks in a row mean nothing");
        }
        let (text, from_root) = stripped(text, text.strip_prefix('/'));
        let (text, below) = stripped(text, text.strip_suffix('/'));
        let mut parts = Vec::new();
        // Only a single name may stand anywhere; a slash before or between names means the root.
        if !from_root && !text.contains('/') {
            parts.push(Part::Names);
        }
        for name in text.split('/') {
            parts.push(if name == "**" { Part::Names } else { Part::Name(letters(name)?) });
        }
        let any_name = Part::Name(vec![Letter::Any]);
        match parts.last() {
            Some(_) if below => parts.extend([any_name, Part::Names]),
            // Something has to be there for `**` at the end.
            Some(Part::Names) => parts.push(any_name),
            // `folder/*` does not reach into the folders there.
            Some(last) if *last == any_name => {}
            // Whatever matches may be a folder, which stands for all that is in it.
            Some(Part::Name(_)) | None => parts.push(Part::Names),
        }
        Ok(Self(parts))
    }

    /// Whether it matches the path of a file, given as its [`names`].
    pub(super) fn matches(&self, path: &[Vec<char>]) -> bool {
        let is_run = |part: &Part| matches!(part, Part::Names);
        runs_match(&self.0, path, is_run, |part, name| match part {
            Part::Names => false,
            Part::Name(letters) => name_matches(letters, name),
        })
    }
}

/// A text without what was at its end, and whether that was there.
fn stripped<'t>(text: &'t str, without: Option<&'t str>) -> (&'t str, bool) {
    (without.unwrap_or(text), without.is_some())
}

fn letters(name: &str) -> Result<Vec<Letter>, &'static str> {
    let mut letters = Vec::new();
    let mut characters = name.chars();
    while let Some(c) = characters.next() {
        letters.push(match c {
            '*' => Letter::Any,
            '?' => Letter::One,
            '\\' => Letter::Is(characters.next().ok_or("a backslash stands before nothing")?),
            '[' | ']' => return Err("ranges of characters in [ ] are not known"),
            other => Letter::Is(other),
        });
    }
    Ok(letters)
}

fn name_matches(letters: &[Letter], name: &[char]) -> bool {
    let is_run = |letter: &Letter| matches!(letter, Letter::Any);
    runs_match(letters, name, is_run, |letter, c| match letter {
        Letter::Any => false,
        Letter::One => true,
        Letter::Is(wanted) => wanted == c,
    })
}

/// Whether items match parts of which some, the runs, stand for any number of items.
///
/// On a mismatch only the last run is made longer: a longer earlier one would match nothing more. So the time is at most
/// parts times items, whatever somebody writes into the file.
fn runs_match<P, I>(parts: &[P], items: &[I], is_run: impl Fn(&P) -> bool, is: impl Fn(&P, &I) -> bool) -> bool {
    let (mut part, mut item) = (0, 0);
    let mut last_run: Option<(usize, usize)> = None;
    while let Some(current) = items.get(item) {
        match parts.get(part) {
            Some(run) if is_run(run) => {
                part += 1;
                last_run = Some((part, item));
            }
            Some(single) if is(single, current) => {
                part += 1;
                item += 1;
            }
            Some(_) | None => {
                let Some((after, taken)) = last_run else { return false };
                last_run = Some((after, taken + 1));
                part = after;
                item = taken + 1;
            }
        }
    }
    parts.get(part..).unwrap_or_default().iter().all(is_run)
}
