//! The mark that every action of a bot leaves in what it does: which bot, because of which event. It is the action's
//! idempotency key, it tells readers of a tool's webhooks which events a bot caused itself, and it lets a tool be asked
//! whether an action was done already.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ids::EventId;

/// Longest name of a bot, in bytes: it is part of a URL and of every mark.
pub const BOT_NAME_BYTES_MAX: usize = 60;

/// What a mark begins with where it is hidden in Markdown.
const HIDDEN_START: &str = "<!-- devhose:";

/// Names an action for ever: performing it twice under the same mark does nothing the second time.
///
/// As text: `killed-pods/6f1a…/0.2`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mark {
    /// The bot.
    pub bot: String,
    /// The event that it reacted to.
    pub event: EventId,
    /// 0 when the event came; then 1, 2 … for each time the bot asked to be reminded of it.
    pub round: u32,
    /// Number of the action among those of that round, from 0.
    pub index: u32,
}

/// Why a text is no mark.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not of the form BOT/EVENT-ID/ROUND.INDEX")]
pub struct InvalidMark(String);

impl Mark {
    /// The mark as a comment that Markdown does not show.
    #[must_use]
    pub fn hidden(&self) -> String {
        format!("{HIDDEN_START}{self} -->")
    }

    /// The first mark hidden in a text, if there is one.
    #[must_use]
    pub fn find(text: &str) -> Option<Self> {
        text.split(HIDDEN_START).skip(1).find_map(|rest| rest.split("-->").next()?.trim().parse().ok())
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}.{}", self.bot, self.event, self.round, self.index)
    }
}

impl FromStr for Mark {
    type Err = InvalidMark;

    fn from_str(text: &str) -> Result<Self, InvalidMark> {
        let invalid = || InvalidMark(text.chars().take(120).collect());
        let mut parts = text.split('/');
        let (Some(bot), Some(event), Some(place), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(invalid());
        };
        let (round, index) = place.split_once('.').ok_or_else(invalid)?;
        let is_name = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
        if bot.is_empty() || bot.len() > BOT_NAME_BYTES_MAX || !bot.bytes().all(is_name) {
            return Err(invalid());
        }
        Ok(Self {
            bot: bot.to_owned(),
            event: event.parse().map_err(|_| invalid())?,
            round: round.parse().map_err(|_| invalid())?,
            index: index.parse().map_err(|_| invalid())?,
        })
    }
}

impl TryFrom<String> for Mark {
    type Error = InvalidMark;

    fn try_from(text: String) -> Result<Self, InvalidMark> {
        text.parse()
    }
}

impl From<Mark> for String {
    fn from(mark: Mark) -> Self {
        mark.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark() -> Mark {
        let event = EventId::derive(&"github/acme".parse().unwrap(), &"d-1".parse().unwrap(), 0);
        Mark { bot: "killed-pods".to_owned(), event, round: 1, index: 2 }
    }

    #[test]
    fn a_mark_reads_back_from_its_text_and_from_where_it_is_hidden() {
        assert_eq!(mark().to_string().parse(), Ok(mark()));
        let comment = format!("Coverage is 81 %.\n\n{}\n", mark().hidden());
        assert_eq!(Mark::find(&comment), Some(mark()));
    }

    #[test]
    fn what_is_no_mark_is_none() {
        let id = mark().event;
        for text in ["", "killed-pods", &format!("Bot/{id}/0.0"), &format!("bot/{id}/0"), &format!("bot/{id}/0.0/x")] {
            assert!(text.parse::<Mark>().is_err(), "{text}");
            assert_eq!(Mark::find(&format!("<!-- devhose:{text} -->")), None);
        }
    }
}
