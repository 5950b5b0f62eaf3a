//! The organisation as groups that consist of groups, and which of them must be withheld.

use std::collections::BTreeMap;

use super::{Crowd, Mark};
use crate::catalog::Catalog;
use crate::derive::Derived;
use crate::report::Scope;

/// Groups, and of which groups each consists.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) nodes: Vec<Node>,
    /// A whole and parts that make it up, none overlapping: what all parts but one show, the last one shows too.
    partitions: Vec<(usize, Vec<usize>)>,
    services: BTreeMap<u32, usize>,
    repositories: BTreeMap<u32, usize>,
}

/// One group.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// None for what is in no group that can be asked for, and so is never shown.
    pub(super) scope: Option<Scope>,
    pub(super) withheld: bool,
    crowd: Crowd,
    parents: Vec<usize>,
}

const COMPANY: usize = 0;
const NO_SERVICE: usize = 1;
const NO_REPOSITORY: usize = 2;

impl Tree {
    pub(super) fn new(catalog: &Catalog, derived: &Derived) -> Self {
        let mut tree = Self::default();
        tree.add(Some(Scope::Company));
        tree.add(None);
        tree.add(None);
        let teams: BTreeMap<&str, usize> =
            catalog.teams().map(|team| (team.name.as_str(), tree.add(Some(Scope::Team(team.name.clone()))))).collect();
        let mut parts: BTreeMap<usize, Vec<usize>> = BTreeMap::from([(COMPANY, vec![NO_SERVICE])]);
        for team in catalog.teams() {
            let parent = team.parent.as_deref().and_then(|parent| teams.get(parent)).copied().unwrap_or(COMPANY);
            parts.entry(parent).or_default().extend(teams.get(team.name.as_str()));
        }
        let mut in_repository: BTreeMap<usize, Vec<usize>> = BTreeMap::from([(COMPANY, vec![NO_REPOSITORY])]);
        for service in catalog.services() {
            let node = tree.add(Some(Scope::Service(service.name.as_str().to_owned())));
            if let Some(code) = derived.places.service(service.name.as_str()) {
                tree.services.insert(code.0, node);
            }
            let team = teams.get(service.team.as_str()).copied().unwrap_or(COMPANY);
            parts.entry(team).or_default().push(node);
            if let Some(repository) = service.repository.as_deref() {
                let repository = tree.repository(derived, repository);
                in_repository.entry(repository.unwrap_or(COMPANY)).or_default().extend(repository.map(|_| node));
            }
        }
        in_repository.entry(COMPANY).or_default().extend(tree.repositories.values());
        tree.partitions = parts.into_iter().chain(in_repository).collect();
        for (whole, parts) in &tree.partitions {
            for part in parts {
                if let Some(node) = tree.nodes.get_mut(*part) {
                    node.parents.push(*whole);
                }
            }
        }
        tree
    }

    /// Puts everybody where they were active.
    pub(super) fn crowd(&mut self, marks: &[Mark]) {
        for mark in marks {
            let service = mark.service.map(|code| self.services.get(&code.0).copied());
            let repository = mark.repository.map(|code| self.repositories.get(&code.0).copied());
            let leaves = [service.flatten().unwrap_or(NO_SERVICE), repository.flatten().unwrap_or(NO_REPOSITORY)];
            for leaf in leaves {
                if let Some(node) = self.nodes.get_mut(leaf) {
                    node.crowd.add(mark.person);
                }
            }
        }
        // As many rounds as the tree is deep carry every crowd to the top.
        for _ in 0..=self.nodes.len() {
            if !self.join_upwards() {
                break;
            }
        }
    }

    /// Withholds groups until every one that can be seen or computed is large enough, or empty.
    pub(super) fn withhold(&mut self, people_min: u64) {
        for node in &mut self.nodes {
            node.withheld = node.scope.is_none() || node.crowd.too_small(people_min);
        }
        // Each round withholds at least one more, so this ends.
        while self.withhold_below() || self.withhold_beside(people_min) {}
    }

    fn add(&mut self, scope: Option<Scope>) -> usize {
        self.nodes.push(Node { scope, ..Node::default() });
        self.nodes.len() - 1
    }

    fn repository(&mut self, derived: &Derived, name: &str) -> Option<usize> {
        let code = derived.places.repository(name)?;
        if let Some(node) = self.repositories.get(&code.0) {
            return Some(*node);
        }
        let node = self.add(Some(Scope::Repository(name.to_lowercase())));
        self.repositories.insert(code.0, node);
        Some(node)
    }

    fn join_upwards(&mut self) -> bool {
        let mut changed = false;
        for (whole, parts) in &self.partitions {
            let mut sum = self.nodes.get(*whole).map(|node| node.crowd.clone()).unwrap_or_default();
            let before = (sum.count(), sum.active);
            for part in parts.iter().filter_map(|part| self.nodes.get(*part)) {
                sum.join(&part.crowd);
            }
            if before != (sum.count(), sum.active)
                && let Some(node) = self.nodes.get_mut(*whole)
            {
                node.crowd = sum;
                changed = true;
            }
        }
        changed
    }

    /// What a withheld group consists of is withheld too: its parts would add up to it.
    fn withhold_below(&mut self) -> bool {
        let hidden: Vec<bool> = self.nodes.iter().map(|node| node.withheld).collect();
        let is_hidden = |parent: &usize| hidden.get(*parent).copied().unwrap_or(false);
        let mut changed = false;
        for node in self.nodes.iter_mut().filter(|node| !node.withheld && node.parents.iter().any(is_hidden)) {
            node.withheld = true;
            changed = true;
        }
        changed
    }

    /// Of a whole that is shown, the withheld parts can be computed together. So they must be several, and together
    /// large enough; else the next smallest part is withheld, or the whole if no part is left.
    fn withhold_beside(&mut self, people_min: u64) -> bool {
        let mut more = Vec::new();
        for (whole, parts) in &self.partitions {
            let shown = |part: &usize| self.nodes.get(*part).is_some_and(|node| !node.withheld);
            if !shown(whole) {
                continue;
            }
            let active = || parts.iter().filter(|part| self.nodes.get(**part).is_some_and(|node| node.crowd.active));
            let mut together = Crowd::default();
            let withheld: Vec<&Node> =
                active().filter(|part| !shown(part)).filter_map(|part| self.nodes.get(*part)).collect();
            withheld.iter().for_each(|node| together.join(&node.crowd));
            // One alone is computed exactly, which is no harm only if nothing else rests on its being hidden.
            let alone = withheld.len() == 1 && withheld.iter().any(|node| node.scope.is_some());
            if together.too_small(people_min) || alone {
                let size = |part: &&usize| self.nodes.get(**part).map(|node| (node.crowd.count(), **part));
                more.push(active().filter(|part| shown(part)).min_by_key(size).copied().unwrap_or(*whole));
            }
        }
        more.iter().for_each(|number| {
            if let Some(node) = self.nodes.get_mut(*number) {
                node.withheld = true;
            }
        });
        !more.is_empty()
    }
}
