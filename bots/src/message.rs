//! A message for people, in parts that every chat tool can show: what it says, not how a tool writes it down.
//!
//! Text in a message is only ever text: a client shows it as it stands, whatever it looks like in the tool's own markup.

use serde::{Deserialize, Serialize};

/// A message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The whole message in one line: what a notification shows and a screen reader reads first.
    pub summary: String,
    /// Its parts, from the top.
    pub blocks: Vec<Block>,
}

/// A part of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Block {
    /// A heading, in one line.
    Heading(String),
    /// A paragraph.
    Text(Vec<Span>),
    /// A list.
    List(Vec<Vec<Span>>),
    /// Short facts side by side.
    Fields(Vec<Field>),
    /// Lines as they are, in a fixed width.
    Code(String),
    /// An aside in small print.
    Context(Vec<Span>),
    /// Buttons, side by side.
    Buttons(Vec<Button>),
    /// A line across.
    Divider,
}

/// A piece of running text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Span {
    /// As it stands.
    Plain(String),
    /// Stands out.
    Bold(String),
    /// A name, a command, a value: in a fixed width.
    Code(String),
    /// Leads somewhere.
    Link {
        /// What is shown.
        text: String,
        /// Where it leads: `http` or `https`.
        url: String,
    },
    /// Somebody, by the chat tool's id.
    Person(String),
}

/// A short fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// What it is.
    pub label: String,
    /// Its value.
    pub value: String,
}

/// A button.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Button {
    /// What stands on it.
    pub label: String,
    /// What it does.
    pub does: Press,
}

/// What a button does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Press {
    /// Opens an address.
    Open(String),
    /// Becomes an event `message.answered`, for the bot that subscribes to it.
    Answer {
        /// Which button: `killed-pods/acknowledge`.
        button: String,
        /// What it stands for.
        value: String,
    },
}

impl Span {
    /// As it stands.
    pub fn plain(text: impl Into<String>) -> Self {
        Self::Plain(text.into())
    }

    /// Stands out.
    pub fn bold(text: impl Into<String>) -> Self {
        Self::Bold(text.into())
    }

    /// In a fixed width.
    pub fn code(text: impl Into<String>) -> Self {
        Self::Code(text.into())
    }

    /// Leads somewhere.
    pub fn link(text: impl Into<String>, url: impl Into<String>) -> Self {
        Self::Link { text: text.into(), url: url.into() }
    }

    fn text(&self) -> String {
        match self {
            Self::Plain(text) | Self::Bold(text) => text.clone(),
            Self::Code(text) => format!("`{text}`"),
            Self::Link { text, url } => format!("{text} <{url}>"),
            Self::Person(id) => format!("@{id}"),
        }
    }
}

impl Field {
    /// A short fact.
    pub fn new(label: impl Into<String>, value: impl Into<String>) -> Self {
        Self { label: label.into(), value: value.into() }
    }
}

impl Message {
    /// A message of one paragraph.
    pub fn line(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { blocks: vec![Block::Text(vec![Span::Plain(text.clone())])], summary: text }
    }

    /// The message as plain text, for a terminal, a log of a run, and tools without parts.
    #[must_use]
    pub fn to_text(&self) -> String {
        let parts: Vec<String> = self.blocks.iter().map(Block::to_text).collect();
        parts.join("\n\n")
    }
}

impl Block {
    fn to_text(&self) -> String {
        let line = |spans: &[Span]| spans.iter().map(Span::text).collect::<String>();
        match self {
            Self::Heading(text) => format!("{text}\n{}", "=".repeat(text.chars().count())),
            Self::Text(spans) | Self::Context(spans) => line(spans),
            Self::List(items) => items.iter().map(|item| format!("- {}", line(item))).collect::<Vec<_>>().join("\n"),
            Self::Fields(fields) => {
                let width = fields.iter().map(|field| field.label.chars().count()).max().unwrap_or_default();
                let row = |field: &Field| format!("{:width$}  {}", field.label, field.value);
                fields.iter().map(row).collect::<Vec<_>>().join("\n")
            }
            Self::Code(text) => text.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n"),
            Self::Buttons(buttons) => {
                buttons.iter().map(|button| format!("[{}]", button.label)).collect::<Vec<_>>().join(" ")
            }
            Self::Divider => "---".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_reads_as_plain_text() {
        let message = Message {
            summary: "checkout was killed".to_owned(),
            blocks: vec![
                Block::Heading("checkout was killed".to_owned()),
                Block::Text(vec![Span::bold("Why: "), Span::plain("out of memory at "), Span::code("512Mi")]),
                Block::Fields(vec![Field::new("Node", "n1"), Field::new("Restarts", "3")]),
                Block::Code("one\ntwo".to_owned()),
                Block::List(vec![vec![Span::link("the deployment", "https://d.example/1")]]),
            ],
        };
        insta::assert_snapshot!(message.to_text(), @r"
        checkout was killed
        ===================

        Why: out of memory at `512Mi`

        Node      n1
        Restarts  3

            one
            two

        - the deployment <https://d.example/1>
        ");
    }
}
