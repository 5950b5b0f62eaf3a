//! Names as keys of tables: what an engine can find rows by, however a sender makes its names up.

use std::borrow::Cow;

/// A longer name is cut, in bytes: no tool has any, but an index of PostgreSQL takes 2,704 bytes at most.
const KEY_BYTES_MAX: usize = 1_000;

/// A name as a key: of one that is too long, its beginning and its hash. The character U+0000, which not every engine
/// keeps in a key, is replaced by U+FFFD.
#[must_use]
pub fn bounded(name: &str) -> Cow<'_, str> {
    let name = if name.contains('\0') { Cow::Owned(name.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(name) };
    if name.len() <= KEY_BYTES_MAX {
        return name;
    }
    let hash = blake3::hash(name.as_bytes()).to_hex();
    let mut short = name.into_owned();
    short.truncate(short.floor_char_boundary(KEY_BYTES_MAX - hash.len() - 1));
    Cow::Owned(format!("{short}~{hash}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_no_tool_has_are_changed() {
        assert_eq!(bounded("git.example/acme/shop#12"), "git.example/acme/shop#12");
        assert_eq!(bounded("a\0b"), "a\u{fffd}b");
        let [one, other] = ["é", "x"].map(|end| bounded(&("é".repeat(5_000) + end)).into_owned());
        assert_ne!(one, other);
        assert!(one.len() <= KEY_BYTES_MAX && one.starts_with("éé"));
        assert_eq!(bounded(&one), one);
    }
}
