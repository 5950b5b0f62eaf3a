//! Small groups: which scopes must not show statistics of changes and reviews, because too few people are behind them.
//!
//! A figure can be computed from others: the company less all other teams is the team that is left. So withholding one
//! may make it necessary to withhold another, until whatever can be computed is of enough people again.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};

use crate::catalog::Catalog;
use crate::derive::Derived;
use crate::derive::places::{RepositoryCode, ServiceCode};
use crate::facts::{Facts, PersonHash};
use crate::report::Scope;

#[cfg(test)]
mod tests;
mod tree;

use tree::Tree;

/// Who did something about changes, when and where: numbers only, and they never leave this file.
#[derive(Debug, Default)]
pub(crate) struct People {
    /// In order of time.
    marks: Vec<Mark>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Mark {
    at: DateTime<Utc>,
    service: Option<ServiceCode>,
    repository: Option<RepositoryCode>,
    /// None where somebody did it, and the sender does not say who.
    person: Option<usize>,
}

/// A set of people, and whether anybody was there at all.
#[derive(Debug, Clone, Default)]
struct Crowd {
    people: Vec<u64>,
    active: bool,
}

impl Crowd {
    fn add(&mut self, person: Option<usize>) {
        self.active = true;
        let Some(person) = person else { return };
        if self.people.len() <= person / 64 {
            self.people.resize(person / 64 + 1, 0);
        }
        if let Some(word) = self.people.get_mut(person / 64) {
            *word |= 1 << (person % 64);
        }
    }

    fn join(&mut self, other: &Self) {
        self.active |= other.active;
        if self.people.len() < other.people.len() {
            self.people.resize(other.people.len(), 0);
        }
        for (word, more) in self.people.iter_mut().zip(&other.people) {
            *word |= more;
        }
    }

    fn count(&self) -> u64 {
        self.people.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    fn too_small(&self, people_min: u64) -> bool {
        self.active && self.count() < people_min
    }
}

impl People {
    /// Everybody who opened, merged, closed or reviewed a change that went through a request, bots excluded.
    pub(crate) fn new(facts: &Facts, derived: &Derived) -> Self {
        let mut numbers: HashMap<PersonHash, usize> = HashMap::new();
        let mut number = |person: Option<PersonHash>| {
            let next = numbers.len();
            person.map(|person| *numbers.entry(person).or_insert(next))
        };
        let mut marks = Vec::new();
        for (change, info) in facts.changes.values().zip(&derived.changes).filter(|(change, _)| !change.direct) {
            let moments = [change.opened, change.merged, change.closed].into_iter().flatten().map(|moment| moment.at);
            let reviewed = change.reviews.values().map(|review| review.at);
            let author = number(change.author);
            let mut acts: Vec<(DateTime<Utc>, Option<usize>)> = Vec::new();
            if !change.author_is_bot {
                acts.extend(moments.chain(reviewed).map(|at| (at, author)));
            }
            acts.extend(change.reviews.values().map(|review| (review.at, number(review.person))));
            let services = info.services.iter().copied().map(Some).chain(info.services.is_empty().then_some(None));
            for service in services {
                marks.extend(acts.iter().map(|&(at, person)| Mark {
                    at,
                    service,
                    repository: info.repository,
                    person,
                }));
            }
        }
        marks.sort_unstable();
        Self { marks }
    }

    /// The scopes that are withheld for `[from, to)`.
    pub(crate) fn withheld(
        &self,
        catalog: &Catalog,
        derived: &Derived,
        people_min: u64,
        (from, to): (DateTime<Utc>, DateTime<Utc>),
    ) -> HashSet<Scope> {
        let start = self.marks.partition_point(|mark| mark.at < from);
        let end = self.marks.partition_point(|mark| mark.at < to);
        let marks = self.marks.get(start..end).unwrap_or_default();
        let mut tree = Tree::new(catalog, derived);
        tree.crowd(marks);
        tree.withhold(people_min);
        tree.nodes.into_iter().filter(|node| node.withheld).filter_map(|node| node.scope).collect()
    }
}
