//! The built-in bots, a plain list. A new one is a file here and a line below.

pub mod killed_pods;
pub mod reviewer_assignment;

use crate::contract::Bot;
use killed_pods::KilledPods;
use reviewer_assignment::ReviewerAssignment;

/// Every built-in bot.
pub const BOTS: &[&dyn Bot] = &[&KilledPods, &ReviewerAssignment];
