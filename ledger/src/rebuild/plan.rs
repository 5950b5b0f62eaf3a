//! What a rebuild would change, counted without writing anything.

use std::collections::BTreeMap;

use serde::Serialize;

use super::reread::{Pages, is_same};
use super::{OnProgress, Progress, Rereading};
use crate::error::LedgerError;
use crate::ledger::Ledger;

/// What would change, by kind of event and calendar month.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// Deliveries read.
    pub deliveries: u64,
    /// Deliveries that cannot be interpreted; what they were read as before would still count.
    pub deliveries_unreadable: u64,
    /// Events that would stay as they are.
    pub unchanged: u64,
    /// What would change, in order of kind and month.
    pub lines: Vec<PlanLine>,
}

/// What would change of one kind in one month.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PlanLine {
    /// Kind, as it would read now; for withdrawn events, as it was.
    pub kind: String,
    /// Month on the organisation's calendar: `2026-11`.
    pub month: String,
    /// Events that would read otherwise.
    pub changed: u64,
    /// Events that there were not before.
    pub added: u64,
    /// Events that would be no more.
    pub withdrawn: u64,
}

impl Ledger {
    /// Counts what [`Ledger::rebuild`] would change, without writing.
    ///
    /// # Errors
    /// If the streams cannot be read.
    pub async fn plan(&self, rereading: &Rereading, progress: OnProgress<'_>) -> Result<Plan, LedgerError> {
        let mut plan = Plan::default();
        let mut lines: BTreeMap<(String, String), PlanLine> = BTreeMap::new();
        let mut events = 0;
        let mut pages = Pages::open(&self.streams, rereading).await?;
        while let Some(page) = pages.next().await? {
            plan.deliveries += page.readings.len() as u64;
            plan.deliveries_unreadable += page.unreadable;
            for reading in &page.readings {
                events += reading.events.len() as u64;
                for (event, recorded) in reading.compared() {
                    if is_same(event, recorded) {
                        plan.unchanged += 1;
                        continue;
                    }
                    let line = self.line(&mut lines, event.kind.name(), event.time);
                    match recorded {
                        Some(_) => line.changed += 1,
                        None => line.added += 1,
                    }
                }
                for event in &reading.withdrawn {
                    self.line(&mut lines, event.kind.name(), event.time).withdrawn += 1;
                }
            }
            let deliveries_total = pages.deliveries_total();
            progress(Progress { deliveries: plan.deliveries, deliveries_total, events });
        }
        plan.lines = lines.into_values().collect();
        Ok(plan)
    }

    fn line<'l>(
        &self,
        lines: &'l mut BTreeMap<(String, String), PlanLine>,
        kind: &str,
        at: chrono::DateTime<chrono::Utc>,
    ) -> &'l mut PlanLine {
        let month = self.kit.calendar.day_of(at).format("%Y-%m").to_string();
        let key = (kind.to_owned(), month);
        lines.entry(key).or_insert_with_key(|(kind, month)| PlanLine {
            kind: kind.clone(),
            month: month.clone(),
            ..PlanLine::default()
        })
    }
}
