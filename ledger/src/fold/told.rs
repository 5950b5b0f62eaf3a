//! Which statement of a tool each field of a fact was taken from, so that events may come in any order, any number of
//! times.
//!
//! The law of every merge here: the result depends on the set of events alone.

use bus::ids::EventId;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::facts::{Latest, Moment};

/// A field whose value a later event may replace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Field {
    Author,
    BaseBranch,
    Blamed,
    Change,
    Environment,
    Fixes,
    GitRef,
    Manner,
    MergeSha,
    OnDefaultBranch,
    Pipeline,
    Production,
    Repository,
    Reverts,
    Service,
    Severity,
    Sha,
    Version,
}

/// An instant that the event of one kind tells first-hand and other events only repeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Instant {
    Acknowledged,
    Detected,
    Merged,
    Opened,
    Queued,
    Ready,
    Resolved,
    Started,
}

/// Per field, the event that it was taken from; per instant, whether it is known first-hand.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Told {
    /// In order of time and event; no field stands in two of them, and none is without a field.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    claims: Vec<Claim>,
    #[serde(skip_serializing_if = "is_zero")]
    firsthand: u32,
}

/// The fields that one event gave last: µs since 1970, event, one bit a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Claim(i64, EventId, u32);

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
const fn is_zero(bits: &u32) -> bool {
    *bits == 0
}

impl Told {
    /// Takes a field's value over, unless a later event gave one.
    pub(super) fn set<T: Clone + PartialEq>(
        &mut self,
        field: Field,
        said: Moment,
        slot: &mut Option<T>,
        value: Option<&T>,
    ) {
        let Some(value) = value else { return };
        if self.claim(said, 1 << (field as u8)) && slot.as_ref() != Some(value) {
            *slot = Some(value.clone());
        }
    }

    /// Takes over the earliest telling of an instant; one told first-hand counts more than any repetition, because its
    /// event is the better evidence.
    pub(super) fn earliest(&mut self, instant: Instant, slot: &mut Option<Moment>, said: Moment, firsthand: bool) {
        if self.counts(instant, firsthand, slot.is_none_or(|old| said < old)) {
            *slot = Some(said);
        }
    }

    /// The same for an instant whose latest telling counts.
    pub(super) fn latest(&mut self, instant: Instant, slot: &mut Option<Moment>, said: Moment, firsthand: bool) {
        if self.counts(instant, firsthand, slot.is_none_or(|old| said > old)) {
            *slot = Some(said);
        }
    }

    /// Whether a telling replaces what is known, which it is `better` than among tellings of the same sort.
    fn counts(&mut self, instant: Instant, firsthand: bool, better: bool) -> bool {
        let bit = 1 << (instant as u8);
        let known_firsthand = self.firsthand & bit != 0;
        if firsthand {
            self.firsthand |= bit;
        }
        match (firsthand, known_firsthand) {
            (true, false) => true,
            (false, true) => false,
            (true, true) | (false, false) => better,
        }
    }

    /// Whether the event may give the field; from then on the field is its own.
    fn claim(&mut self, said: Moment, bit: u32) -> bool {
        let key = (said.at.timestamp_micros(), said.event);
        if let Some(owner) = self.claims.iter().position(|claim| claim.2 & bit != 0) {
            let Some(claim) = self.claims.get_mut(owner) else { return false };
            if (claim.0, claim.1) >= key {
                return (claim.0, claim.1) == key;
            }
            claim.2 &= !bit;
            if claim.2 == 0 {
                self.claims.remove(owner);
            }
        }
        match self.claims.binary_search_by_key(&key, |claim| (claim.0, claim.1)) {
            Ok(own) => self.claims.iter_mut().skip(own).take(1).for_each(|claim| claim.2 |= bit),
            Err(place) => self.claims.insert(place, Claim(key.0, key.1, bit)),
        }
        true
    }
}

/// Keeps the value with the greatest (time, event).
pub(super) fn keep_latest<T>(slot: &mut Option<Latest<T>>, at: DateTime<Utc>, event: EventId, value: T) {
    if slot.as_ref().is_none_or(|old| (old.at, old.event) <= (at, event)) {
        *slot = Some(Latest { at, event, value });
    }
}
