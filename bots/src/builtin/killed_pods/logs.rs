//! Out of a log, the lines that a person looks for: the first error with what led to it, stack traces folded, and how
//! it ended.

/// Lines of a message: more are not read at night, and they would push the rest out of sight.
pub(super) const LINES_MAX: usize = 25;
/// The last lines, where the error is not among them.
const ENDING_LINES: usize = 5;
/// What led to the error.
const LINES_BEFORE: usize = 2;
/// Longer lines are cut: they are data, not sentences.
const LINE_CHARS_MAX: usize = 240;
/// Lines of a stack trace that stay where it broke.
const FRAMES_INNER: usize = 4;
/// Lines of a stack trace that stay where it began.
const FRAMES_OUTER: usize = 2;
/// How a frame of Python begins, whose stack traces end where it broke.
const PYTHON_FRAME: &str = "File \"";

/// What begins the account of an end, in lower case. Any of these is it, wherever it stands.
const STRONG: &[&str] = &[
    "panic",
    "fatal",
    "traceback (most recent call last)",
    "exception",
    "outofmemory",
    "out of memory",
    "heap limit",
    "segmentation fault",
    "stack overflow",
    "assertion",
    "unhandled",
    "uncaught",
    "core dumped",
];

/// What may be an error, or only talk about one, in lower case.
const WEAK: &[&str] = &["error", "failed", "failure", "cannot", "refused", "denied", "not found", "timed out"];

/// The lines of a log to be shown; empty if it says nothing.
pub(super) fn excerpt(log: &str) -> String {
    let lines: Vec<String> = log.lines().map(clean).filter(|line| !line.trim().is_empty()).collect();
    let lines = folded(&lines);
    let Some(error) = first_error(&lines) else { return tail(&lines, LINES_MAX).join("\n") };
    let start = error.saturating_sub(LINES_BEFORE);
    let from_start = lines.get(start..).unwrap_or_default();
    if from_start.len() <= LINES_MAX {
        return from_start.join("\n");
    }
    // One line says what is left out between the error and the ending.
    let block = from_start.get(..LINES_MAX - ENDING_LINES - 1).unwrap_or_default();
    let skipped = from_start.len() - block.len() - ENDING_LINES;
    let mut shown = block.to_vec();
    shown.push(format!("… {skipped} more lines"));
    shown.extend_from_slice(tail(&lines, ENDING_LINES));
    shown.join("\n")
}

fn tail(lines: &[String], count: usize) -> &[String] {
    lines.get(lines.len().saturating_sub(count)..).unwrap_or_default()
}

/// Where the first error begins: one that ends a program, or else one that is called so.
fn first_error(lines: &[String]) -> Option<usize> {
    let first = |words: &[&str]| {
        lines.iter().position(|line| {
            let line = line.to_lowercase();
            words.iter().any(|word| line.contains(word))
        })
    };
    first(STRONG).or_else(|| first(WEAK))
}

/// A line without colours and control characters, cut.
fn clean(line: &str) -> String {
    let mut shown = String::new();
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' => skip_escape(&mut characters),
            '\t' => shown.push_str("    "),
            other if other.is_control() => {}
            other => shown.push(other),
        }
    }
    if shown.chars().count() > LINE_CHARS_MAX {
        shown = shown.chars().take(LINE_CHARS_MAX).collect();
        shown.push('…');
    }
    shown
}

/// Skips what a terminal would take as a command: `[` up to a letter.
fn skip_escape(characters: &mut std::str::Chars<'_>) {
    if characters.next() == Some('[') {
        characters.find(char::is_ascii_alphabetic);
    }
}

/// Runs of frames of a stack trace, shortened.
fn folded(lines: &[String]) -> Vec<String> {
    let mut before = "";
    let marked = lines.iter().map(|line| {
        // Below the frame, Python shows its source.
        let of_frame = is_frame(line) || (before.trim_start().starts_with(PYTHON_FRAME) && line.starts_with("    "));
        before = line;
        (of_frame, line)
    });
    let marked: Vec<(bool, &String)> = marked.collect();
    let mut shown = Vec::new();
    for run in marked.chunk_by(|(one, _), (next, _)| one == next) {
        let is_trace = run.first().is_some_and(|(of_frame, _)| *of_frame);
        let innermost_last = run.first().is_some_and(|(_, line)| line.trim_start().starts_with(PYTHON_FRAME));
        let [first, last] = if innermost_last { [FRAMES_OUTER, FRAMES_INNER] } else { [FRAMES_INNER, FRAMES_OUTER] };
        let skipped = run.len().saturating_sub(first + last);
        let line = |(_, line): &(bool, &String)| (*line).clone();
        // A fold that hides a line or two only costs one.
        if !is_trace || skipped < 3 {
            shown.extend(run.iter().map(line));
            continue;
        }
        shown.extend(run.iter().take(first).map(line));
        shown.push(format!("    … {skipped} more lines of the stack"));
        shown.extend(run.iter().skip(first + skipped).map(line));
    }
    shown
}

/// Whether a line is a frame of a stack trace: of Java, JavaScript, .NET, Python, Go, Ruby or Rust.
fn is_frame(line: &str) -> bool {
    let text = line.trim_start();
    let indented = text.len() < line.len();
    let numbered = text.split_once(": ").is_some_and(|(number, rest)| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) && rest.contains("::")
    });
    let goroutine = text.contains(".go:") && (indented || text.starts_with('/'));
    let call = text.ends_with(')') && text.contains(".(*");
    indented && (text.starts_with("at ") || text.starts_with(PYTHON_FRAME) || text.starts_with("from ") || numbered)
        || indented && text.starts_with("... ") && text.ends_with(" more")
        || goroutine
        || call
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_error_is_shown_with_what_led_to_it_and_its_frames_folded() {
        let frames: String = (0..30).map(|n| format!("\tat shop.Cart.step{n}(Cart.java:{n})\n")).collect();
        let log = format!(
            "starting\nlistening on 8080\n\u{1b}[32mINFO\u{1b}[0m order 17\nException in thread \"main\" \
             java.lang.OutOfMemoryError: Java heap space\n{frames}bye\n"
        );
        insta::assert_snapshot!(excerpt(&log), @r#"
        listening on 8080
        INFO order 17
        Exception in thread "main" java.lang.OutOfMemoryError: Java heap space
            at shop.Cart.step0(Cart.java:0)
            at shop.Cart.step1(Cart.java:1)
            at shop.Cart.step2(Cart.java:2)
            at shop.Cart.step3(Cart.java:3)
            … 24 more lines of the stack
            at shop.Cart.step28(Cart.java:28)
            at shop.Cart.step29(Cart.java:29)
        bye
        "#);
    }

    #[test]
    fn a_long_log_is_cut_between_its_error_and_its_end() {
        let log: String = (0..100).map(|n| format!("line {n}{}\n", if n == 10 { " error" } else { "" })).collect();
        let shown = excerpt(&log);
        assert_eq!(shown.lines().count(), LINES_MAX);
        assert!(shown.starts_with("line 8\n"), "{shown}");
        assert!(shown.contains("… 68 more lines\nline 95"), "{shown}");
        assert!(shown.ends_with("line 99"), "{shown}");
    }

    #[test]
    fn a_log_without_an_error_is_shown_from_its_end() {
        let log: String = (0..100).map(|n| format!("line {n}\n")).collect();
        assert!(excerpt(&log).starts_with("line 75"));
        assert_eq!(excerpt("\n \n"), "");
        assert!(excerpt(&"x".repeat(1000)).chars().count() <= LINE_CHARS_MAX + 1);
    }
}
