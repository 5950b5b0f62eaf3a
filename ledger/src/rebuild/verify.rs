//! Whether the live facts are, bit for bit, what the deliveries give.

use std::collections::BTreeMap;
use std::fmt;

use bus::event::Event;
use bus::ids::EventOffset;
use serde::Serialize;

use super::reread::{Pages, Reread};
use super::{OnProgress, Progress, Rereading};
use crate::error::LedgerError;
use crate::facts::Facts;
use crate::fold::{Touched, fold};
use crate::ledger::Ledger;
use crate::store::{Batch, PAGE_ROWS, Position, Row, Snapshot, Table};

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Deliveries read.
    pub deliveries: u64,
    /// Events folded.
    pub events: u64,
    /// The tables of facts that were compared.
    pub tables: Vec<TableHash>,
    /// The first row that is not as it must be; none if everything is.
    pub difference: Option<Difference>,
}

/// BLAKE3 over the keys and states of a table, in order of keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableHash {
    /// Name of the table.
    pub table: &'static str,
    /// Its rows.
    pub rows: u64,
    /// Of the live facts, in hex.
    pub live: String,
    /// Of the facts folded from the deliveries, in hex.
    pub folded: String,
}

/// A row that is not as it must be. What it says is not told: it may hold hashes of people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Name of the table.
    pub table: &'static str,
    /// Key of the fact.
    pub key: String,
    /// `missing`, `surplus`, or the field that differs.
    pub what: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}: {}", self.table, self.key, self.what)
    }
}

impl Ledger {
    /// Folds every delivery anew in memory and compares with the live facts. Nothing is written but a copy of the live
    /// facts, which is removed again; folding and dashboards go on meanwhile.
    ///
    /// # Errors
    /// If streams or facts cannot be read. A difference is not an error: it is the answer.
    pub async fn verify(&self, rereading: &Rereading, progress: OnProgress<'_>) -> Result<Verified, LedgerError> {
        let mut copy = self.generations.copy(self.generations.live(&self.streams).await?).await?;
        let verified = self.compare_with(&mut copy, rereading, progress).await;
        copy.close().await?;
        verified
    }

    async fn compare_with(
        &self,
        copy: &mut Snapshot,
        rereading: &Rereading,
        progress: OnProgress<'_>,
    ) -> Result<Verified, LedgerError> {
        let position = copy.position().await?;
        let (mut facts, mut touched) = (Facts::default(), Touched::default());
        let (mut deliveries, mut events) = (0, 0);
        let mut pages = Pages::open(&self.streams, rereading).await?;
        while let Some(page) = pages.next().await? {
            for reading in page.readings {
                deliveries += 1;
                for event in included(reading, position.checkpoint) {
                    events += 1;
                    fold(&mut facts, &mut touched, &event, &self.kit.people);
                }
            }
            progress(Progress { deliveries, deliveries_total: pages.deliveries_total(), events });
            // Folding is the processor's work: others get their turn between pages.
            tokio::task::yield_now().await;
        }
        let folded = Batch::of(&facts, &touched, Position::default())?.into_rows()?;
        let mut verified = Verified { deliveries, events, tables: Vec::new(), difference: None };
        for table in Table::ALL {
            let expected = folded.get(&table).cloned().unwrap_or_default();
            let (hash, difference) = compare_table(copy, table, expected).await?;
            verified.tables.push(hash);
            verified.difference = verified.difference.or(difference);
        }
        Ok(verified)
    }
}

/// The events of a delivery that the live facts include: those recorded up to their checkpoint, as they read now.
fn included(reading: Reread, checkpoint: EventOffset) -> impl Iterator<Item = Event> {
    let Reread { events, recorded, .. } = reading;
    events.into_iter().zip(recorded).filter_map(move |(event, recorded)| {
        let recorded = recorded?;
        // A corrected reading stands further on than the first, which was folded.
        (recorded.offset <= checkpoint || recorded.revision > 0).then_some(event)
    })
}

async fn compare_table(
    copy: &mut Snapshot,
    table: Table,
    mut expected: BTreeMap<String, String>,
) -> Result<(TableHash, Option<Difference>), LedgerError> {
    let (mut live, mut folded) = (blake3::Hasher::new(), blake3::Hasher::new());
    for (key, state) in &expected {
        add_row(&mut folded, key, state);
    }
    let mut difference: Option<Difference> = None;
    let mut note = |key: &str, what: String| {
        if difference.as_ref().is_none_or(|first| key < first.key.as_str()) {
            difference = Some(Difference { table: table.name(), key: key.to_owned(), what });
        }
    };
    let (mut rows_total, mut after) = (0, String::new());
    loop {
        let rows = copy.rows(table, &after, PAGE_ROWS).await?;
        let Some(last) = rows.last() else { break };
        after.clone_from(&last.key);
        for Row { key, state } in rows {
            rows_total += 1;
            add_row(&mut live, &key, &state);
            match expected.remove(&key) {
                None => note(&key, "surplus".to_owned()),
                Some(folded) if folded != state => note(&key, differing_field(&state, &folded)),
                Some(_) => {}
            }
        }
    }
    if let Some(key) = expected.keys().next() {
        note(key, "missing".to_owned());
    }
    let hex = |hasher: &blake3::Hasher| hasher.finalize().to_hex().to_string();
    let hash = TableHash { table: table.name(), rows: rows_total, live: hex(&live), folded: hex(&folded) };
    Ok((hash, difference))
}

/// Lengths stand before the texts, so that two different tables never give the same bytes.
fn add_row(hasher: &mut blake3::Hasher, key: &str, state: &str) {
    for text in [key, state] {
        hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
    }
}

/// The first field that differs between two states.
fn differing_field(live: &str, folded: &str) -> String {
    let fields = |state: &str| serde_json::from_str::<BTreeMap<String, serde_json::Value>>(state).unwrap_or_default();
    let (live, folded) = (fields(live), fields(folded));
    let name = live.keys().chain(folded.keys()).find(|name| live.get(*name) != folded.get(*name));
    name.map_or_else(|| "not as it was written".to_owned(), |name| format!("{name} differs"))
}
