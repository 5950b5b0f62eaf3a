//! The laws that the log must keep towards the book.

use std::collections::{HashMap, HashSet};
use std::fmt;

use crate::book::{Ack, Pages};
use crate::stored::{Log, Stored};

mod topic;

/// An acknowledgement that comes later than this is none: the sender has given up.
const ACK_US_MAX: u64 = 10_000_000;

/// What broke a law is named, up to so many.
const NAMED_MAX: usize = 5;

/// One law, and how it was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Law {
    /// Its short name: L1.
    pub name: &'static str,
    /// What it says.
    pub says: &'static str,
    /// How many things were looked at.
    pub checked: usize,
    /// How many broke it.
    pub broken: usize,
    /// The first of them, in words.
    pub first: Vec<String>,
}

impl Law {
    const fn new(name: &'static str, says: &'static str) -> Self {
        Self { name, says, checked: 0, broken: 0, first: Vec::new() }
    }

    fn look(&mut self, kept: bool, otherwise: impl FnOnce() -> String) {
        self.checked += 1;
        if !kept {
            self.broken += 1;
            if self.first.len() < NAMED_MAX {
                self.first.push(otherwise());
            }
        }
    }
}

impl fmt::Display for Law {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.broken == 0 { "kept".to_owned() } else { format!("BROKEN {} times", self.broken) };
        write!(f, "{} {}: {} checked, {verdict}", self.name, self.says, self.checked)?;
        self.first.iter().try_for_each(|words| write!(f, "\n    {words}"))
    }
}

/// What was found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Every law, in order.
    pub laws: Vec<Law>,
}

impl Verdict {
    /// Names of the laws that were broken.
    #[must_use]
    pub fn broken(&self) -> Vec<&'static str> {
        self.laws.iter().filter(|law| law.broken > 0).map(|law| law.name).collect()
    }

    /// Acknowledged deliveries that are lost.
    #[must_use]
    pub fn lost(&self) -> usize {
        self.laws.iter().filter(|law| law.name == "L1").map(|law| law.broken).sum()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.laws.iter().try_for_each(|law| writeln!(f, "{law}"))
    }
}

/// Checks both readings of the log against the book of one source; and the topic, if deliveries came through one. Then
/// they got their places after they were acknowledged, and no receipt can tell them.
#[must_use]
pub fn check(book: &Pages, source: &str, api: &[Stored], raw: &Log) -> Verdict {
    let here = |stored: &&Stored| stored.source == source;
    let by_id: HashMap<&str, &Stored> =
        raw.deliveries.iter().filter(here).map(|stored| (stored.id.as_str(), stored)).collect();
    let mut laws = vec![
        acknowledged_is_stored(book, &by_id),
        stored_once(book, raw, source),
        nothing_invented(book, raw, source),
        places(book, raw, &by_id),
        order(&if raw.topic.is_some() { placed_later(book, &by_id) } else { placed(book) }),
        chain(raw),
        two_ways(api, raw),
        refusals(book),
        in_time(book),
    ];
    if let Some(topic) = &raw.topic {
        laws.extend(topic::laws(book, source, topic, &raw.deliveries));
    }
    laws.iter_mut().for_each(|law| law.first.sort());
    Verdict { laws }
}

fn acknowledged_is_stored(book: &Pages, by_id: &HashMap<&str, &Stored>) -> Law {
    let mut law = Law::new("L1", "everything acknowledged is stored as it was sent");
    for ack in &book.acks {
        match by_id.get(ack.id.as_str()) {
            None => law.look(false, || format!("{} was acknowledged at {:?} and is not there", ack.id, ack.offset)),
            Some(stored) => law.look(stored.sha256.as_ref() == Some(&ack.sha256), || {
                format!("{} at {} has another body than was sent", ack.id, stored.offset)
            }),
        }
    }
    law
}

fn stored_once(book: &Pages, raw: &Log, source: &str) -> Law {
    let mut law = Law::new("L2", "nothing is stored twice, nor told to be new twice");
    let mut seen = HashMap::new();
    for stored in raw.deliveries.iter().filter(|stored| stored.source == source) {
        let before = seen.insert(stored.id.as_str(), stored.offset);
        law.look(before.is_none(), || format!("{} stands at {before:?} and at {}", stored.id, stored.offset));
    }
    if raw.topic.is_some() {
        // Whether it was there already is not known yet when it is acknowledged.
        return law;
    }
    let mut new = HashSet::new();
    for ack in book.acks.iter().filter(|ack| !ack.duplicate) {
        law.look(new.insert(ack.id.as_str()), || format!("{} was told to be new twice", ack.id));
    }
    for (id, offset, duplicate) in &book.others {
        let at = seen.get(id.as_str()).copied();
        law.look(*duplicate && (offset.is_none() || *offset == at), || {
            format!("another body of {id} was told to be new, or at {offset:?} instead of {at:?}")
        });
    }
    law
}

fn nothing_invented(book: &Pages, raw: &Log, source: &str) -> Law {
    let mut law = Law::new("L3", "nothing is stored that was not sent");
    for stored in raw.deliveries.iter().filter(|stored| stored.source == source) {
        let sent = book.intents.get(&stored.id);
        law.look(sent.is_some_and(|intent| stored.sha256.as_ref() == Some(&intent.sha256)), || {
            format!("{} at {} was not sent like this", stored.id, stored.offset)
        });
    }
    law
}

fn places(book: &Pages, raw: &Log, by_id: &HashMap<&str, &Stored>) -> Law {
    let mut law = Law::new("L4", "offsets have no gap, and each delivery stands where its receipt says");
    for (expected, stored) in (1..).zip(&raw.deliveries) {
        law.look(stored.offset == expected, || format!("{} stands where {expected} should", stored.offset));
    }
    for ack in &book.acks {
        match (ack.offset, by_id.get(ack.id.as_str())) {
            (None, _) => law.look(raw.topic.is_some(), || format!("{} was told no place", ack.id)),
            // That is another law's.
            (Some(_), None) => {}
            (Some(told), Some(stored)) => law
                .look(told == stored.offset, || format!("{} was told {told} and stands at {}", ack.id, stored.offset)),
        }
    }
    law
}

/// What was acknowledged as new, with the place that was told.
fn placed(book: &Pages) -> Vec<Ack> {
    book.acks.iter().filter(|ack| !ack.duplicate && ack.offset.is_some()).cloned().collect()
}

/// What was acknowledged, with the place that it got later: from when it was first sent to when it was first
/// acknowledged. What was once sent without being acknowledged may have its place from then.
fn placed_later(book: &Pages, by_id: &HashMap<&str, &Stored>) -> Vec<Ack> {
    let mut doubtful: HashSet<&str> = book.nacks.iter().map(|(id, ..)| id.as_str()).collect();
    doubtful.extend(book.unknown.iter().map(|(id, _)| id.as_str()));
    let mut first: HashMap<&str, Ack> = HashMap::new();
    for ack in book.acks.iter().filter(|ack| !doubtful.contains(ack.id.as_str())) {
        let Some(stored) = by_id.get(ack.id.as_str()) else { continue };
        let known = first.entry(&ack.id).or_insert_with(|| Ack { offset: Some(stored.offset), ..ack.clone() });
        // Later runs send what earlier ones sent, too.
        if ack.run == known.run {
            known.sent_us = known.sent_us.min(ack.sent_us);
            known.acked_us = known.acked_us.min(ack.acked_us);
        }
    }
    first.into_values().collect()
}

/// What was acknowledged before another was sent stands before it.
fn order(placed: &[Ack]) -> Law {
    let mut law = Law::new("L4b", "what was acknowledged first stands first");
    let mut by_sent: Vec<_> = placed.iter().collect();
    let mut by_acked = by_sent.clone();
    by_sent.sort_by_key(|ack| (ack.run, ack.sent_us));
    by_acked.sort_by_key(|ack| (ack.run, ack.acked_us));
    let mut acked = by_acked.into_iter().peekable();
    let mut highest = None;
    for ack in by_sent {
        while let Some(before) = acked.next_if(|before| (before.run, before.acked_us) < (ack.run, ack.sent_us)) {
            highest = highest.max(before.offset);
        }
        law.look(ack.offset > highest, || {
            format!("{} was sent after {highest:?} was acknowledged and got {:?}", ack.id, ack.offset)
        });
    }
    law
}

fn chain(raw: &Log) -> Law {
    let mut law = Law::new("L6", "the hash chain and every body are whole");
    law.checked = raw.deliveries.len();
    if let Some(broken) = &raw.broken {
        law.broken = 1;
        law.first.push(broken.clone());
    }
    law
}

fn two_ways(api: &[Stored], raw: &Log) -> Law {
    let mut law = Law::new("L10", "the API and the tables say the same");
    law.look(api.len() == raw.deliveries.len(), || {
        format!("the API has {} deliveries, the tables {}", api.len(), raw.deliveries.len())
    });
    for (one, other) in api.iter().zip(&raw.deliveries) {
        let same = Stored { sha256: None, ..other.clone() } == *one;
        law.look(same, || {
            format!("the API has {} at {}, the tables {} at {}", one.id, one.offset, other.id, other.offset)
        });
    }
    law
}

fn refusals(book: &Pages) -> Law {
    let mut law = Law::new("L8", "whoever is refused is asked to come again");
    for (id, status, retry_after) in &book.nacks {
        let asked = matches!(status, 429 | 503) && retry_after.is_some();
        law.look(asked, || format!("{id} was refused with {status}, retry-after {retry_after:?}"));
    }
    law
}

fn in_time(book: &Pages) -> Law {
    let mut law = Law::new("L9", "no acknowledgement comes after its sender has given up");
    for ack in &book.acks {
        let took = ack.acked_us.saturating_sub(ack.sent_us);
        law.look(took <= ACK_US_MAX, || format!("{} was acknowledged after {} ms", ack.id, took / 1_000));
    }
    law
}

#[cfg(test)]
mod tests;
