//! Keeps text what it is where Slack would read its own markup out of it.
//!
//! Most parts of a message are made of elements in which nothing is read. Only fields and small print with links have no
//! such element; there the markup is used for text that provably holds none.

/// Escapes the three characters that Slack's markup has escapes for.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Whether an escaped text shows as it stands: no emphasis, no code, no quote, no emoji.
pub(super) fn is_inert(text: &str) -> bool {
    let quotes = text.lines().any(|line| line.trim_start().starts_with('>'));
    !text.contains(['*', '~', '`']) && !quotes && !has_emphasis(text) && !has_emoji(text)
}

/// An underscore anywhere but within a word: `_emphasis_`, but not `snake_case`.
fn has_emphasis(text: &str) -> bool {
    let parts: Vec<&str> = text.split('_').collect();
    let ends_in_word = |part: &&str| part.chars().next_back().is_some_and(char::is_alphanumeric);
    let begins_with_word = |part: &&str| part.chars().next().is_some_and(char::is_alphanumeric);
    parts.windows(2).any(|pair| match pair {
        [before, after] => !ends_in_word(before) || !begins_with_word(after),
        _ => false,
    })
}

/// A name between colons: `:fire:`. A time such as `10:30:00` has only digits there.
fn has_emoji(text: &str) -> bool {
    let is_name = |name: &str| {
        !name.is_empty()
            && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '+' | '\''))
            && (!name.chars().all(|c| c.is_ascii_digit()) || matches!(name, "100" | "1234"))
    };
    let parts: Vec<&str> = text.split(':').collect();
    let inner = parts.len().saturating_sub(2);
    parts.iter().skip(1).take(inner).any(|name| is_name(name))
}

/// The text without characters that no chat shows, in one line or several.
pub(super) fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

/// The text in one line.
pub(super) fn one_line(text: &str) -> String {
    shown(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// How much of a limit a text uses up, as the strictest count of characters has it.
pub(super) fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

/// The text, cut at the end so that it fits.
pub(super) fn cut(text: &str, max: usize) -> String {
    if length(text) <= max {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut room = max.saturating_sub(1);
    for c in text.chars() {
        let Some(left) = room.checked_sub(c.len_utf16()) else { break };
        room = left;
        kept.push(c);
    }
    if max > 0 {
        kept.push('…');
    }
    kept
}

/// Whether Slack takes it for an address that a link or a button leads to.
pub(super) fn is_address(url: &str, max: usize) -> bool {
    let known = url.starts_with("https://") || url.starts_with("http://");
    known
        && length(url) <= max
        && !url.chars().any(|c| c.is_control() || c.is_whitespace() || "<>|\"\\^`{}".contains(c))
}

/// Whether it is the id of a person: `U012AB3CD`.
pub(super) fn is_person(id: &str) -> bool {
    id.starts_with(['U', 'W'])
        && (5..=32).contains(&id.len())
        && id.bytes().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_slack_would_read_is_told_from_what_it_shows() {
        for text in
            ["", "512Mi of 512Mi", "snake_case_name", "10:30:00", "a & b", "<!channel>", "it's #payments, @here"]
        {
            assert!(is_inert(text), "{text}");
        }
        for text in
            ["*x*", "~x~", "`x`", "_x_", "a _b_ c", "__init__", "x_", ":fire:", "a:b:c", ":+1:", "> quoted", "a\n > b"]
        {
            assert!(!is_inert(text), "{text}");
        }
    }

    #[test]
    fn a_text_is_cut_by_the_strictest_count() {
        assert_eq!(cut("killed", 6), "killed");
        assert_eq!(cut("killed", 5), "kill…");
        assert_eq!(cut("🦀🦀🦀", 5), "🦀🦀…");
        assert_eq!(cut("killed", 0), "");
    }
}
