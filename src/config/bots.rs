//! `[bot.NAME]`: whether a bot's actions are performed, and the settings that it reads itself.

use std::collections::BTreeMap;

use bots::contract::Mode;
use bots::runtime::BotSettings;
use serde::Deserialize;

/// One `[bot.NAME]` as written.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct BotEntry {
    #[serde(default)]
    mode: Mode,
    /// Whatever else stands there is the bot's own; it says itself what it reads.
    #[serde(flatten)]
    values: serde_json::Map<String, serde_json::Value>,
}

/// By the bot's name; a bot that nobody knows is an error, because it is a slip of the pen.
pub(super) fn build(entries: BTreeMap<String, BotEntry>) -> Result<BTreeMap<String, BotSettings>, String> {
    let known: Vec<&str> = bots::builtin::BOTS.iter().map(|bot| bot.manifest().name).collect();
    entries
        .into_iter()
        .map(|(name, entry)| {
            if known.contains(&name.as_str()) {
                Ok((name, BotSettings { mode: entry.mode, values: entry.values }))
            } else {
                Err(format!("[bot.{name}]: there is no bot of that name, only {}", known.join(", ")))
            }
        })
        .collect()
}
