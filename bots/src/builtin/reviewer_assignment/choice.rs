//! Who of the owners is asked: a pure function of what is known, so that the same change has the same reviewers.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::ownership::{Owner, Who};

/// What is known of a change and of those who could be asked. Handles that are keys are in lower case.
#[derive(Debug, Clone, Default)]
pub(super) struct Circumstances {
    /// Names the change: `host/owner/name#number`.
    pub(super) change: String,
    /// The organisation, or the person, whose repository it is.
    pub(super) organisation: String,
    /// Handle of the author.
    pub(super) author: String,
    /// Handles of those who have reviewed it.
    pub(super) reviewed: Vec<String>,
    /// Handles of those who are asked.
    pub(super) asked: Vec<String>,
    /// Teams that are asked, without the organisation.
    pub(super) asked_teams: Vec<String>,
    /// Handles of those who are not to be asked at all, by the configuration.
    pub(super) never: Vec<String>,
    /// Whether teams are asked.
    pub(super) teams: bool,
    /// Open reviews by handle; none if nobody knows.
    pub(super) open: Option<BTreeMap<String, u32>>,
    /// Recent changes to the same places by handle.
    pub(super) work: BTreeMap<String, u32>,
}

/// Somebody who can be asked, and what speaks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    /// Who, and what they own.
    pub(super) owner: Owner,
    /// How many open changes wait for them; none if nobody knows.
    pub(super) open: Option<u32>,
    /// How many recent changes to the same places are theirs.
    pub(super) work: u32,
    /// Decides where nothing else does.
    lot: u64,
}

/// The reviewers, and those who are none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Choice {
    /// To be asked.
    pub(super) chosen: Vec<Candidate>,
    /// Not to be asked, with the reason.
    pub(super) passed_over: Vec<(Who, String)>,
}

/// What is better is smaller: owns files that nobody else reviews; is a person; has few open reviews; has worked there
/// recently; owns many of the files; the lot.
type Rank = (bool, bool, u32, Reverse<u32>, Reverse<usize>, u64);

/// Chooses up to `wanted` of the owners.
pub(super) fn choose(owners: &[Owner], circumstances: &Circumstances, wanted: usize) -> Choice {
    let mut choice = Choice::default();
    let mut covered = BTreeSet::new();
    let mut left = Vec::new();
    for owner in owners {
        match circumstances.refusal(&owner.who) {
            Some(refusal) => {
                if refusal.reviews {
                    covered.extend(&owner.files);
                }
                choice.passed_over.push((owner.who.clone(), refusal.reason.to_owned()));
            }
            None => left.push(circumstances.candidate(owner)),
        }
    }
    while choice.chosen.len() < wanted && !left.is_empty() {
        left.sort_by_cached_key(|candidate| (candidate.rank(&covered), candidate.owner.who.clone()));
        choice.chosen.push(left.remove(0));
        if let Some(last) = choice.chosen.last().filter(|_| choice.chosen.len() == wanted) {
            let busiest = choice.chosen.iter().filter_map(|candidate| candidate.open).max();
            let lost = |other: &Candidate| match other.open.filter(|open| busiest.is_some_and(|most| *open > most)) {
                Some(open) => open_reviews(open),
                None => other.why_after(last, &covered),
            };
            choice.passed_over.extend(left.iter().map(|other| (other.owner.who.clone(), lost(other))));
        }
        covered.extend(choice.chosen.iter().flat_map(|candidate| &candidate.owner.files));
    }
    choice
}

/// Why somebody cannot be asked.
struct Refusal {
    reason: &'static str,
    /// They review the change nonetheless.
    reviews: bool,
}

impl Circumstances {
    /// People who are asked or have reviewed already, and teams: so many fewer are wanted. What the author or a program
    /// remarks is no review.
    pub(super) fn reviews_asked(&self) -> usize {
        let people: BTreeSet<String> = self.asked.iter().chain(&self.reviewed).map(|one| one.to_lowercase()).collect();
        let counts = |handle: &String| *handle != self.author.to_lowercase() && !is_bot(handle);
        people.into_iter().filter(counts).count() + self.asked_teams.len()
    }

    fn refusal(&self, who: &Who) -> Option<Refusal> {
        let within = |names: &[String], name: &str| names.iter().any(|other| other.eq_ignore_ascii_case(name));
        let refused = |reason| Some(Refusal { reason, reviews: false });
        let reviews = |reason| Some(Refusal { reason, reviews: true });
        match who {
            Who::Person(handle) if handle.eq_ignore_ascii_case(&self.author) => refused("author"),
            Who::Person(handle) if is_bot(handle) => refused("a bot"),
            Who::Person(handle) if within(&self.reviewed, handle) => reviews("has reviewed it already"),
            Who::Person(handle) if within(&self.asked, handle) => reviews("is asked already"),
            Who::Person(handle) if within(&self.never, handle) => refused("never to be asked, by the configuration"),
            Who::Person(_) => None,
            Who::Team(name) => match name.split_once('/') {
                Some((_, team)) if within(&self.asked_teams, team) => reviews("is asked already"),
                Some(_) if !self.teams => refused("teams are not asked, by the configuration"),
                Some(_) if within(&self.never, name) => refused("never to be asked, by the configuration"),
                Some((organisation, _)) if organisation.eq_ignore_ascii_case(&self.organisation) => None,
                Some(_) | None => refused("a team of another organisation"),
            },
        }
    }

    fn candidate(&self, owner: &Owner) -> Candidate {
        let key = owner.who.name().to_lowercase();
        Candidate {
            owner: owner.clone(),
            open: match &owner.who {
                Who::Person(_) => self.open.as_ref().map(|open| open.get(&key).copied().unwrap_or_default()),
                Who::Team(_) => None,
            },
            work: self.work.get(&key).copied().unwrap_or_default(),
            lot: lot(&self.change, &key),
        }
    }
}

impl Candidate {
    fn rank(&self, covered: &BTreeSet<usize>) -> Rank {
        (
            self.owner.files.is_subset(covered),
            matches!(self.owner.who, Who::Team(_)),
            self.open.unwrap_or_default(),
            Reverse(self.work),
            Reverse(self.owner.files.len()),
            self.lot,
        )
    }

    /// What the last of the chosen has before this one.
    fn why_after(&self, chosen: &Self, covered: &BTreeSet<usize>) -> String {
        let (ours, theirs) = (self.rank(covered), chosen.rank(covered));
        if ours.0 != theirs.0 {
            "what they own has a reviewer".to_owned()
        } else if ours.1 != theirs.1 {
            "people are asked first".to_owned()
        } else if ours.2 != theirs.2 {
            open_reviews(ours.2)
        } else if ours.3 != theirs.3 {
            "less recent work there".to_owned()
        } else if ours.4 != theirs.4 {
            "owns fewer of the files".to_owned()
        } else {
            "by lot".to_owned()
        }
    }
}

/// `no open review`, `1 open review`, `9 open reviews`.
pub(super) fn open_reviews(count: u32) -> String {
    match count {
        0 => "no open review".to_owned(),
        1 => "1 open review".to_owned(),
        more => format!("{more} open reviews"),
    }
}

/// Whether a handle is a program's: apps end in `[bot]`, and accounts of programs by custom in `-bot`.
pub(super) fn is_bot(handle: &str) -> bool {
    let handle = handle.to_lowercase();
    handle.ends_with("[bot]") || handle.ends_with("-bot")
}

/// A number for a change and a handle, the same for ever, and as if drawn, so that nobody is always first. It is FNV-1a,
/// mixed by the last step of `MurmurHash3`: FNV-1a alone gives like numbers for like names.
fn lot(change: &str, handle: &str) -> u64 {
    const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const FNV_PRIME: u64 = 0x0100_0000_01b3;
    let bytes = change.bytes().chain([0]).chain(handle.bytes());
    let hash = bytes.fold(FNV_OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME));
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}
