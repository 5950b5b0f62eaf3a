//! What each change is beside its own fields: which services it touches, where it stands in the graph, who reviewed it.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};

use super::first_commit;
use super::graph::{Graph, Node, sha_of};
use super::places::{self, Places, RepositoryCode, ServiceCode};
use super::{ChangeIx, Changes};
use crate::catalog::Catalog;
use crate::facts::{Change, FactKey, Facts, Moment};

/// What follows for a change.
#[derive(Debug, Clone, Default)]
pub(crate) struct ChangeInfo {
    pub(crate) services: Vec<ServiceCode>,
    pub(crate) repository: Option<RepositoryCode>,
    /// The commit it became, if the graph has it.
    pub(crate) node: Option<Node>,
    /// True for a push that is the merge of another change: it is no change of its own.
    pub(crate) is_merge_of_another: bool,
    /// Its first commit: as told, or as the pushes tell.
    pub(crate) first_commit: Option<Moment>,
    /// The change that it takes back.
    pub(crate) reverts: Option<ChangeIx>,
}

/// Gathers them, in order of keys.
pub(super) fn gather<'f>(facts: &'f Facts, catalog: &Catalog, places: &Places, graph: &Graph<'_>) -> Changes<'f> {
    let merges: BTreeSet<(&str, &str)> = facts
        .changes
        .values()
        .filter(|change| !change.direct)
        .filter_map(|change| Some((change.repository.as_str(), change.merge_sha.as_deref()?)))
        .collect();
    let by_sha: HashMap<(&str, &str), ChangeIx> = (0..)
        .map(ChangeIx)
        .zip(&facts.changes)
        .filter_map(|(ix, (key, change))| Some(((change.repository.as_str(), commit_of(key, change)?), ix)))
        .collect();
    let by_key: HashMap<&FactKey, ChangeIx> = facts.changes.keys().zip((0..).map(ChangeIx)).collect();
    let services = places::of_changes(places, catalog, facts.changes.values());
    let info = facts.changes.iter().zip(services).map(|((key, change), services)| {
        let sha = commit_of(key, change);
        let reverts = change.reverts.as_deref().and_then(|what| {
            if what.starts_with('#') {
                by_key.get(&FactKey::of(format!("{}{what}", change.repository))).copied()
            } else {
                by_sha.get(&(change.repository.as_str(), what)).copied()
            }
        });
        ChangeInfo {
            services,
            repository: places.repository(&change.repository),
            node: sha.and_then(|sha| graph.find(&change.repository, sha)),
            is_merge_of_another: change.direct && sha.is_some_and(|sha| merges.contains(&(&change.repository, sha))),
            first_commit: first_commit::of(change, facts, &merges),
            reverts,
        }
    });
    Changes { info: info.collect(), facts: facts.changes.iter().collect() }
}

/// The commit that a change became: the merge, or for a direct push the commit in its key.
fn commit_of<'f>(key: &'f FactKey, change: &'f Change) -> Option<&'f str> {
    change.merge_sha.as_deref().or_else(|| change.direct.then(|| sha_of(key)))
}

impl Change {
    /// The first review or comment on its code by somebody else than its author.
    pub(crate) fn first_review(&self) -> Option<Moment> {
        let others = self.reviews.iter().filter(|(_, review)| review.person.is_none() || review.person != self.author);
        others.map(|(event, review)| Moment { at: review.at, event: *event }).min()
    }

    /// When it could be reviewed: it left draft, or was opened.
    pub(crate) fn reviewable(&self) -> Option<Moment> {
        self.ready.or(self.opened)
    }

    /// When it was closed without being merged, unless it was opened again after that.
    pub(crate) fn closed_unmerged(&self) -> Option<Moment> {
        let reopened = self.reopened.map(|moment| moment.at);
        self.closed.filter(|closed| self.merged.is_none() && reopened.is_none_or(|at| at <= closed.at))
    }

    /// Pushes after the first review that requested changes, plus one.
    pub(crate) fn review_rounds(&self) -> usize {
        let asked: Option<DateTime<Utc>> =
            self.reviews.values().filter(|review| review.requested_changes).map(|review| review.at).min();
        asked.map_or(0, |asked| self.pushes.iter().filter(|push| push.at > asked).count()) + 1
    }
}
