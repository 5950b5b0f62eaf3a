//! A trial as JSON, for commands and the API.

use serde_json::{Value, json};

use super::{AnsweredBy, Trial};
use crate::contract::Decision;

impl Trial {
    /// The trial as one document: `bot`, `event`, `decision`, `because`, `actions`, `asked` with the answers, and where
    /// they came from.
    #[must_use]
    pub fn document(&self) -> Value {
        let none = || json!([]);
        let (decision, because, actions, after) = match &self.decision {
            Ok(Decision::Act { actions, because }) => ("act", because, json!(actions), None),
            Ok(Decision::Retry { after, reason }) => ("retry", reason, none(), after.map(|after| after.as_secs())),
            Ok(Decision::Reject { reason }) => ("reject", reason, none(), None),
            Err(panic) => ("failed", panic, none(), None),
        };
        let event = &self.event.event;
        let total = self.asked.iter().fold((0_u32, 0_u32), |(calls, millis), asked| {
            (calls.saturating_add(asked.told.calls), millis.saturating_add(asked.told.millis))
        });
        json!({
            "bot": self.bot,
            "version": self.version,
            "event": {"id": event.id, "kind": event.kind, "time": event.time, "subject": event.subject},
            "reminder": self.reminder,
            "now": self.now,
            "decision": decision,
            "because": because,
            "retry_after_seconds": after,
            "actions": actions,
            "asked": self.asked,
            "cost": {"calls": total.0, "millis": total.1},
            "answered_by": match self.answered_by {
                AnsweredBy::Live => json!({"by": "live"}),
                AnsweredBy::Given => json!({"by": "given"}),
                AnsweredBy::Record { run, unrecorded } => json!({"by": "record", "run": run, "unrecorded": unrecorded}),
            },
        })
    }
}
