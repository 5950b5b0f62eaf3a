//! Texts for a database that can store every character but U+0000, as PostgreSQL.
//!
//! U+0000 is stored as U+0001 U+FDD0, and U+0001 as U+0001 U+FDD1. Both order and prefixes stay what they were, so
//! texts are compared as stored; and what stands in a text stands in the stored text, as U+FDD0 and U+FDD1 are no
//! characters by themselves. Hash chains are computed over texts as they were.

use std::borrow::Cow;

/// A text as it is stored.
pub(crate) fn stored(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| byte > 1) {
        return Cow::Borrowed(text);
    }
    let mut stored = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '\0' => stored.push_str("\u{1}\u{fdd0}"),
            '\u{1}' => stored.push_str("\u{1}\u{fdd1}"),
            other => stored.push(other),
        }
    }
    Cow::Owned(stored)
}

/// A text as it was.
pub(crate) fn restored(stored: String) -> String {
    if !stored.contains('\u{1}') {
        return stored;
    }
    // In this order: what the second puts in is never read again.
    stored.replace("\u{1}\u{fdd0}", "\0").replace("\u{1}\u{fdd1}", "\u{1}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Texts of the characters that could be confused.
    fn any_text() -> impl Strategy<Value = String> {
        let characters = vec!['\0', '\u{1}', '\u{2}', 'a', '\u{fdd0}', '\u{fdd1}', '\u{10ffff}'];
        prop::collection::vec(prop::sample::select(characters), 0..6).prop_map(String::from_iter)
    }

    proptest! {
        #[test]
        fn a_stored_text_is_restored_and_keeps_its_place(one in any_text(), other in any_text()) {
            let (stored_one, stored_other) = (stored(&one).into_owned(), stored(&other).into_owned());
            prop_assert!(!stored_one.contains('\0'));
            prop_assert_eq!(stored_one.cmp(&stored_other), one.cmp(&other));
            prop_assert_eq!(stored_one.starts_with(&stored_other), one.starts_with(&other));
            prop_assert_eq!(restored(stored_one), one);
        }
    }
}
