//! The commit graph: which commits there are, their parents and times, and which landing first reached each.
//!
//! About 150 bytes a commit, so that a million commits fit in 150 MB. It holds no message, no person
//! and no file.
//!
//! **Why one walk suffices.** "Reachable from the second parent and not from the first" sounds like a search for every
//! merge. But the first parent of a landed commit is the commit that landed before it, so what the first parent reaches
//! is exactly what has been reached by the commits landed so far. Going along the line from the oldest commit and
//! marking everything on first sight, the commits found from the second parent that bear no mark yet are the answer,
//! and every commit and every parent link is looked at once.

use chrono::{DateTime, Utc};
use gix::ObjectId;
use gix::hashtable::HashMap;
use gix::hashtable::hash_map::Entry;

use super::error::GitError;
use super::payload;
use super::store::Store;

/// Marks a time that the commit does not hold in a readable way. No clock shows it.
const NO_TIME: i64 = i64::MIN;

/// Progress is told after this many commits: often enough to look alive, too seldom to cost anything.
const TOLD_EVERY: usize = 4_096;

/// A commit's place in the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Place(u32);

#[derive(Debug, Clone, Copy)]
struct Node {
    id: ObjectId,
    /// Where its parents stand in [`Graph::links`].
    parents: (u32, u32),
    authored_at: i64,
    committed_at: i64,
}

/// All commits that the branch and the tags reach.
#[derive(Debug, Default)]
pub(super) struct Graph {
    nodes: Vec<Node>,
    links: Vec<Place>,
    places: HashMap<ObjectId, Place>,
    seen: Vec<bool>,
}

/// Commits that were first reached together, parents before children.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Reached {
    pub(super) commits: Vec<Place>,
    /// How many of them, from the front, are reached through the second parent.
    pub(super) through_second: usize,
}

impl Graph {
    /// Reads every commit that the tips reach, each once.
    pub(super) fn read(store: &Store, tips: &[ObjectId], told: &dyn Fn(u64)) -> Result<Self, GitError> {
        let mut graph = Self::default();
        let mut buffer = Vec::new();
        let mut open = Vec::new();
        for tip in tips {
            open.extend(graph.enter(store, *tip)?.1);
            while let Some(place) = open.pop() {
                let Some(id) = graph.nodes.get(place.index()).map(|node| node.id) else { continue };
                let raw = store.commit(&id, &mut buffer)?;
                let start = store.fits(graph.links.len())?;
                for parent in &raw.parents {
                    let (parent, new) = graph.enter(store, *parent)?;
                    graph.links.push(parent);
                    open.extend(new);
                }
                let end = store.fits(graph.links.len())?;
                if let Some(node) = graph.nodes.get_mut(place.index()) {
                    node.parents = (start, end);
                    node.authored_at = raw.author.at.unwrap_or(NO_TIME);
                    node.committed_at = raw.committed_at.unwrap_or(NO_TIME);
                }
                if graph.nodes.len().is_multiple_of(TOLD_EVERY) {
                    told(graph.nodes.len() as u64);
                }
            }
        }
        told(graph.nodes.len() as u64);
        graph.seen = vec![false; graph.nodes.len()];
        Ok(graph)
    }

    /// The place of a commit, and the same again if it is new.
    fn enter(&mut self, store: &Store, id: ObjectId) -> Result<(Place, Option<Place>), GitError> {
        let next = Place(store.fits(self.nodes.len())?);
        match self.places.entry(id) {
            Entry::Occupied(known) => Ok((*known.get(), None)),
            Entry::Vacant(free) => {
                free.insert(next);
                self.nodes.push(Node { id, parents: (0, 0), authored_at: NO_TIME, committed_at: NO_TIME });
                Ok((next, Some(next)))
            }
        }
    }

    /// How many commits there are.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The place of a commit that was read.
    pub(super) fn place(&self, id: &ObjectId) -> Option<Place> {
        self.places.get(id).copied()
    }

    /// The full name of the only commit whose name begins so.
    pub(super) fn complete(&self, prefix: &str) -> Option<ObjectId> {
        if let Ok(id) = ObjectId::from_hex(prefix.as_bytes()) {
            return Some(id);
        }
        let prefix = gix::hash::Prefix::from_hex(prefix).ok()?;
        let mut found = self.nodes.iter().filter(|node| prefix.cmp_oid(&node.id).is_eq()).map(|node| node.id);
        let first = found.next()?;
        found.next().is_none().then_some(first)
    }

    /// The object name of a commit.
    pub(super) fn id(&self, place: Place) -> ObjectId {
        self.nodes.get(place.index()).map_or_else(|| ObjectId::null(gix::hash::Kind::Sha1), |node| node.id)
    }

    /// The first-parent line that ends in `tip`, oldest first.
    pub(super) fn line(&self, tip: Place) -> Vec<Place> {
        let mut line: Vec<Place> =
            std::iter::successors(Some(tip), |&place| self.parents(place).first().copied()).collect();
        line.reverse();
        line
    }

    /// Its parents, first parent first.
    pub(super) fn parents(&self, place: Place) -> &[Place] {
        let (start, end) = self.nodes.get(place.index()).map_or((0, 0), |node| node.parents);
        self.links.get(start as usize..end as usize).unwrap_or_default()
    }

    /// Marks everything that `place` reaches and nothing before did. To be called along the line, oldest first, and
    /// then for the tags. `place` itself comes last.
    pub(super) fn reach(&mut self, place: Place) -> Reached {
        let mut reached = Reached::default();
        // The second parent goes first, so that what only a third one reaches is not taken for the second's.
        for nth in 1..self.parents(place).len() {
            if let Some(parent) = self.parents(place).get(nth).copied() {
                self.descend(parent, &mut reached.commits);
            }
            if nth == 1 {
                reached.through_second = reached.commits.len();
            }
        }
        self.descend(place, &mut reached.commits);
        reached
    }

    /// Depth first without recursion, for histories are deeper than stacks; appends children after their parents.
    fn descend(&mut self, from: Place, reached: &mut Vec<Place>) {
        let mut path = Vec::new();
        if self.mark(from) {
            path.push((from, 0));
        }
        while let Some((place, nth)) = path.last_mut() {
            let (place, parent) = (*place, self.parents(*place).get(*nth).copied());
            *nth += 1;
            match parent {
                None => {
                    path.pop();
                    reached.push(place);
                }
                Some(parent) if self.mark(parent) => path.push((parent, 0)),
                Some(_) => {}
            }
        }
    }

    /// True if it bore no mark before.
    fn mark(&mut self, place: Place) -> bool {
        self.seen.get_mut(place.index()).is_some_and(|seen| !std::mem::replace(seen, true))
    }

    /// The oldest author time among them.
    pub(super) fn oldest(&self, places: &[Place]) -> Option<DateTime<Utc>> {
        let times = places.iter().filter_map(|place| self.nodes.get(place.index())).map(|node| node.authored_at);
        times.filter(|&at| at != NO_TIME).min().and_then(instant)
    }

    /// When it was committed.
    pub(super) fn committed_at(&self, place: Place) -> Option<DateTime<Utc>> {
        self.nodes.get(place.index()).and_then(|node| instant(node.committed_at))
    }

    /// A commit as a delivery tells it.
    pub(super) fn tell(&self, place: Place) -> payload::Commit {
        let authored_at = self.nodes.get(place.index()).and_then(|node| instant(node.authored_at));
        payload::Commit {
            sha: self.id(place).to_string(),
            parents: self.parents(place).iter().map(|&parent| self.id(parent).to_string()).collect(),
            authored_at,
            committed_at: self.committed_at(place),
        }
    }
}

impl Place {
    const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The instant that many seconds after 1970; none for a time that no calendar shows.
pub(super) fn instant(seconds: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(seconds, 0)
}
