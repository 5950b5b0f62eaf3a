//! A message as it reads in a chat, without people. Its text is only ever text; its buttons do nothing here.

use askama::Template;
use bots::message::{Block, Message, Press, Span};

use super::line::leads_out;
use crate::redact::{MARK, People};

/// A message as part of a page.
#[derive(Debug, Template)]
#[template(path = "bots/message.html")]
pub(super) struct Preview {
    message: Message,
    /// The same as plain text.
    text: String,
}

impl Preview {
    /// The preview of a message; none if it cannot be shown without people.
    pub(super) fn of(message: &Message, people: &People) -> Option<Self> {
        let document = serde_json::to_value(message).ok()?;
        let message: Message = serde_json::from_value(people.json(&document)).ok()?;
        Some(Self { text: people.text(&message.to_text()), message })
    }
}

/// What a button does, in words.
fn does(press: &Press) -> String {
    match press {
        Press::Open(url) => format!("opens {url}"),
        Press::Answer { button, .. } => format!("answers {button}"),
    }
}
