//! Reads fields of objects that may have any shape: what is missing or of another type is not there.

use chrono::{DateTime, Utc};
use serde_json::Value;

/// The longest text of a payload that is quoted; a terminated container's message may have 4 kB.
const QUOTED_CHARS_MAX: usize = 240;

/// Stands for what is not there.
pub(super) const NOTHING: &Value = &Value::Null;

/// The text at that JSON pointer; none if it is empty.
pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer)?.as_str().filter(|text| !text.is_empty())
}

/// The whole number at that JSON pointer.
pub(super) fn number(value: &Value, pointer: &str) -> Option<i64> {
    value.pointer(pointer)?.as_i64()
}

/// The time at that JSON pointer.
pub(super) fn time(value: &Value, pointer: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text(value, pointer)?).ok().map(|time| time.to_utc())
}

/// The elements of the list at that JSON pointer.
pub(super) fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The condition of that type, if an object has it.
pub(super) fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    list(object, "/status/conditions").iter().find(|condition| text(condition, "/type") == Some(kind))
}

/// The condition of that type, if an object has it and it is true.
pub(super) fn true_condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    condition(object, kind).filter(|condition| text(condition, "/status") == Some("True"))
}

/// A text as it is quoted: on one line and not too long.
pub(super) fn quote(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(QUOTED_CHARS_MAX) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line,
    }
}
