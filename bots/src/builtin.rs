//! The built-in bots, a plain list. A new one is a file here and a line below.

pub mod killed_pods;

use crate::contract::Bot;

/// Every built-in bot.
pub const BOTS: &[&dyn Bot] = &[];
