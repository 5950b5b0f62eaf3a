//! Lines of code or of a log in little room: the first and the last ones, and how many are between.

use super::super::inert::{cut, length};

/// A line longer than this is no line that anybody reads in a chat.
const LINE_MAX: usize = 500;

/// The lines that fit: a third of the room for the first ones, the rest for the last ones, where the reason mostly is.
pub(super) fn within(text: &str, room: usize) -> String {
    let text = text.trim_end();
    if length(text) <= room {
        return text.to_owned();
    }
    let lines: Vec<String> = text.lines().map(|line| cut(line, LINE_MAX.min(room / 2))).collect();
    let note = |count: usize| {
        if count == 1 { "… 1 line left out …".into() } else { format!("… {count} lines left out …") }
    };
    let room = room.saturating_sub(length(&note(lines.len())) + 2);
    let first = fitting(lines.iter(), room / 3);
    let last = fitting(lines.iter().skip(first).rev(), room - room / 3);
    let between = lines.len() - first - last;
    if between == 0 {
        return lines.join("\n");
    }
    let head = lines.iter().take(first).cloned();
    let tail = lines.iter().skip(first + between).cloned();
    head.chain([note(between)]).chain(tail).collect::<Vec<_>>().join("\n")
}

/// How many of the lines fit, each with its line break.
fn fitting<'a>(lines: impl Iterator<Item = &'a String>, room: usize) -> usize {
    lines
        .scan(room, |left, line| {
            *left = left.checked_sub(length(line) + 1)?;
            Some(())
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_left_out() {
        let text: String = (1..=40).map(|n| format!("line {n}\n")).collect();
        assert_eq!(within(&text, 3000).lines().count(), 40);
        insta::assert_snapshot!(within(&text, 80), @r"
        line 1
        line 2
        … 34 lines left out …
        line 37
        line 38
        line 39
        line 40
        ");
        assert_eq!(within(&text, 0), "… 40 lines left out …");
    }
}
