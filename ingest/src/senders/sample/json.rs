//! JSON written straight into text. A year of deliveries is made while somebody waits for the first page; building a
//! tree of every body first takes ten times as long.

use chrono::{DateTime, SecondsFormat, Utc};

/// A value as JSON text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Json(String);

impl Json {
    /// The text as bytes.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0.into_bytes()
    }
}

/// An object that is being written.
#[derive(Debug)]
pub(super) struct Object(String);

impl Object {
    /// An object without members.
    pub(super) fn new() -> Self {
        // Most objects are users and repositories; whole bodies grow a few times.
        let mut text = String::with_capacity(256);
        text.push('{');
        Self(text)
    }

    /// Writes the next member. The name must need no escape, as all names of senders.
    pub(super) fn member(&mut self, name: &str, value: &impl Print) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push('"');
        self.0.push_str(name);
        self.0.push_str("\":");
        value.print(&mut self.0);
    }

    /// The finished object.
    pub(super) fn end(mut self) -> Json {
        self.0.push('}');
        Json(self.0)
    }
}

/// Writes an object: `object! {"id": 7, "user": user(person)}`.
macro_rules! object {
    ($($name:literal: $value:expr),* $(,)?) => {
        $crate::senders::sample::json::members! {$($name: $value),*}.end()
    };
}

/// As [`object`], to which more members can be added.
macro_rules! members {
    ($($name:literal: $value:expr),* $(,)?) => {{
        let mut object = $crate::senders::sample::json::Object::new();
        $(object.member($name, &$value);)*
        object
    }};
}

pub(super) use {members, object};

/// The value that says there is none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Null;

/// What can be written as JSON.
pub(super) trait Print {
    /// Writes the value at the end of a text.
    fn print(&self, into: &mut String);
}

impl Print for Json {
    fn print(&self, into: &mut String) {
        into.push_str(&self.0);
    }
}

impl Print for Null {
    fn print(&self, into: &mut String) {
        into.push_str("null");
    }
}

impl Print for str {
    fn print(&self, into: &mut String) {
        if self.bytes().any(|byte| byte < 0x20 || matches!(byte, b'"' | b'\\')) {
            into.push_str(&serde_json::Value::from(self).to_string());
            return;
        }
        into.push('"');
        into.push_str(self);
        into.push('"');
    }
}

impl Print for String {
    fn print(&self, into: &mut String) {
        self.as_str().print(into);
    }
}

impl<T: Print + ?Sized> Print for &T {
    fn print(&self, into: &mut String) {
        (**self).print(into);
    }
}

impl<T: Print> Print for Option<T> {
    fn print(&self, into: &mut String) {
        match self {
            Some(value) => value.print(into),
            None => Null.print(into),
        }
    }
}

impl<T: Print> Print for [T] {
    fn print(&self, into: &mut String) {
        into.push('[');
        for (index, value) in self.iter().enumerate() {
            if index > 0 {
                into.push(',');
            }
            value.print(into);
        }
        into.push(']');
    }
}

impl<T: Print> Print for Vec<T> {
    fn print(&self, into: &mut String) {
        self.as_slice().print(into);
    }
}

/// Whole seconds and `Z`.
impl Print for DateTime<Utc> {
    fn print(&self, into: &mut String) {
        into.push('"');
        into.push_str(&self.to_rfc3339_opts(SecondsFormat::Secs, true));
        into.push('"');
    }
}

macro_rules! print_as_displayed {
    ($($number:ty),*) => {
        $(impl Print for $number {
            fn print(&self, into: &mut String) {
                into.push_str(&self.to_string());
            }
        })*
    };
}
print_as_displayed!(bool, u32, u64, usize, i64, f64);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn an_object_reads_back() {
        let at: DateTime<Utc> = "2026-03-03T10:00:00Z".parse().unwrap();
        let inner = object! {"list": vec!["a", "b"], "none": None::<u64>};
        let json = object! {"n": 7_u64, "at": at, "yes": true, "inner": inner, "ratio": 0.5, "null": Null};
        let read: Value = serde_json::from_slice(&json.into_bytes()).unwrap();
        let wanted = json!({
            "n": 7, "at": "2026-03-03T10:00:00Z", "yes": true, "inner": {"list": ["a", "b"], "none": null},
            "ratio": 0.5, "null": null,
        });
        assert_eq!(read, wanted);
        assert_eq!(Object::new().end().into_bytes(), b"{}");
    }

    proptest! {
        #[test]
        fn every_text_reads_back(text in any::<String>()) {
            let json = object! {"text": text};
            let read: Value = serde_json::from_slice(&json.into_bytes()).unwrap();
            prop_assert_eq!(read, json!({"text": text}));
        }
    }
}
