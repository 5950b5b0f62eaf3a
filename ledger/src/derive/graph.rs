//! The commit graph: which commits a commit reaches, numbered so that walks touch only integers.
//!
//! It knows commits of many repositories and nothing of changes or deployments.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::facts::{Commit, FactKey};

/// Shorter names of a commit than this are too ambiguous to look up.
const SHA_PREFIX_MIN: usize = 7;

/// Number of a commit within a [`Graph`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Node(u32);

impl Node {
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The commits of all repositories as far as they are known.
#[derive(Debug, Default)]
pub(crate) struct Graph<'f> {
    nodes: HashMap<&'f str, HashMap<&'f str, Node>>,
    /// The edges of node `i` are `targets[edges[i]..edges[i + 1]]`.
    edges: Vec<u32>,
    targets: Vec<Node>,
    /// False for a commit of which only the name is known.
    known: Vec<bool>,
    /// Longest way down to a commit without parents: an ancestor's is always lower than its descendant's.
    heights: Vec<u32>,
    commits: Option<&'f BTreeMap<FactKey, Commit>>,
}

/// A set of commits.
#[derive(Debug, Clone)]
pub(crate) struct Seen(Vec<u64>);

impl Seen {
    /// Adds a commit; false if it was there already.
    pub(crate) fn insert(&mut self, node: Node) -> bool {
        let Some(word) = self.0.get_mut(node.index() / 64) else { return false };
        let bit = 1 << (node.index() % 64);
        let new = *word & bit == 0;
        *word |= bit;
        new
    }
}

/// How a walk ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Walked {
    /// It came to a commit that an earlier walk had seen.
    pub(crate) met_seen: bool,
    /// It came to a commit whose parents are not known.
    pub(crate) met_unknown: bool,
}

impl<'f> Graph<'f> {
    pub(crate) fn new(commits: &'f BTreeMap<FactKey, Commit>) -> Self {
        let mut graph = Self { commits: Some(commits), ..Self::default() };
        let mut reaches: Vec<Vec<Node>> = Vec::with_capacity(commits.len());
        for (key, commit) in commits {
            let Some(from) = graph.intern(&commit.repository, sha_of(key), &mut reaches) else { continue };
            let Some(parents) = &commit.reaches else { continue };
            let targets =
                parents.iter().filter_map(|sha| graph.intern(&commit.repository, sha, &mut reaches)).collect();
            if let Some(slot) = reaches.get_mut(from.index()) {
                *slot = targets;
            }
            if let Some(known) = graph.known.get_mut(from.index()) {
                *known = true;
            }
        }
        graph.edges.push(0);
        for targets in reaches {
            graph.targets.extend(targets);
            graph.edges.push(u32::try_from(graph.targets.len()).unwrap_or(u32::MAX));
        }
        graph.measure_heights();
        graph
    }

    /// The commit of that name, which may be shortened if only one begins so.
    pub(crate) fn find(&self, repository: &str, sha: &str) -> Option<Node> {
        let nodes = self.nodes.get(repository)?;
        if let Some(node) = nodes.get(sha) {
            return Some(*node);
        }
        if sha.len() < SHA_PREFIX_MIN || sha.len() >= 40 {
            return None;
        }
        let prefix = format!("{repository}@{sha}");
        let mut matches =
            self.commits?.range(FactKey(prefix.clone())..).take_while(|(key, _)| key.0.starts_with(&prefix));
        let (only, _) = matches.next()?;
        if matches.next().is_some() {
            return None;
        }
        nodes.get(sha_of(only)).copied()
    }

    /// True if the parents of that commit are known.
    pub(crate) fn is_known(&self, node: Node) -> bool {
        self.known.get(node.index()).copied().unwrap_or(false)
    }

    /// An empty set of commits of this graph.
    pub(crate) fn nothing_seen(&self) -> Seen {
        Seen(vec![0; self.known.len().div_ceil(64)])
    }

    /// Calls `visit` with every commit reachable from `from` that was not seen yet, each once, and marks it seen.
    pub(crate) fn walk(&self, from: Node, seen: &mut Seen, mut visit: impl FnMut(Node)) -> Walked {
        let mut walked = Walked::default();
        let mut stack = vec![from];
        while let Some(node) = stack.pop() {
            if !seen.insert(node) {
                walked.met_seen = true;
                continue;
            }
            visit(node);
            walked.met_unknown |= !self.is_known(node);
            stack.extend_from_slice(self.parents(node));
        }
        walked
    }

    /// True if `ancestor` can be reached from `from`, and is not `from` itself.
    pub(crate) fn is_ancestor(&self, ancestor: Node, from: Node) -> bool {
        let floor = self.height(ancestor);
        let mut seen = HashSet::new();
        let mut stack = vec![from];
        while let Some(node) = stack.pop() {
            for &parent in self.parents(node) {
                if parent == ancestor {
                    return ancestor != from;
                }
                // Nothing at the ancestor's height or below can have it below itself.
                if self.height(parent) > floor && seen.insert(parent) {
                    stack.push(parent);
                }
            }
        }
        false
    }

    fn parents(&self, node: Node) -> &[Node] {
        let bounds = (self.edges.get(node.index()), self.edges.get(node.index() + 1));
        let (Some(&start), Some(&end)) = bounds else { return &[] };
        self.targets.get(start as usize..end as usize).unwrap_or_default()
    }

    fn height(&self, node: Node) -> u32 {
        self.heights.get(node.index()).copied().unwrap_or(0)
    }

    fn intern(&mut self, repository: &'f str, sha: &'f str, reaches: &mut Vec<Vec<Node>>) -> Option<Node> {
        let nodes = self.nodes.entry(repository).or_default();
        if let Some(node) = nodes.get(sha) {
            return Some(*node);
        }
        let node = Node(u32::try_from(self.known.len()).ok()?);
        nodes.insert(sha, node);
        self.known.push(false);
        reaches.push(Vec::new());
        Some(node)
    }

    fn measure_heights(&mut self) {
        let mut heights: Vec<Option<u32>> = vec![None; self.known.len()];
        let mut entered = self.nothing_seen();
        for start in (0..self.known.len()).filter_map(|index| u32::try_from(index).ok()).map(Node) {
            // Parents first: a commit is measured when it comes up the second time, after all of its parents.
            let mut stack = vec![start];
            while let Some(&node) = stack.last() {
                if entered.insert(node) {
                    stack.extend(self.parents(node).iter().filter(|parent| height_in(&heights, **parent).is_none()));
                    continue;
                }
                stack.pop();
                if height_in(&heights, node).is_none() {
                    let below = self.parents(node).iter().filter_map(|parent| height_in(&heights, *parent)).max();
                    if let Some(slot) = heights.get_mut(node.index()) {
                        *slot = Some(below.map_or(0, |height| height.saturating_add(1)));
                    }
                }
            }
        }
        self.heights = heights.into_iter().map(Option::unwrap_or_default).collect();
    }
}

fn height_in(heights: &[Option<u32>], node: Node) -> Option<u32> {
    heights.get(node.index()).copied().flatten()
}

/// The commit's name at the end of a key `repository@sha`.
pub(crate) fn sha_of(key: &FactKey) -> &str {
    key.0.rsplit_once('@').map_or(key.0.as_str(), |(_, sha)| sha)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPOSITORY: &str = "git.example/acme/shop";

    fn commits(edges: &[(&str, Option<&[&str]>)]) -> BTreeMap<FactKey, Commit> {
        let commit = |parents: &Option<&[&str]>| Commit {
            repository: REPOSITORY.to_owned(),
            reaches: parents.map(|parents| parents.iter().map(|sha| (*sha).to_owned()).collect()),
            ..Commit::default()
        };
        edges.iter().map(|(sha, parents)| (FactKey(format!("{REPOSITORY}@{sha}")), commit(parents))).collect()
    }

    fn walk(graph: &Graph<'_>, from: &str, seen: &mut Seen) -> (usize, Walked) {
        let mut count = 0;
        let walked = graph.walk(graph.find(REPOSITORY, from).unwrap(), seen, |_| count += 1);
        (count, walked)
    }

    #[test]
    fn each_commit_is_visited_once_over_all_walks() {
        let commits = commits(&[
            ("a", Some(&[])),
            ("b", Some(&["a"])),
            ("c", Some(&["a"])),
            ("d", Some(&["b", "c"])),
            ("e", Some(&["d"])),
        ]);
        let graph = Graph::new(&commits);
        let mut seen = graph.nothing_seen();
        assert_eq!(walk(&graph, "b", &mut seen), (2, Walked { met_seen: false, met_unknown: false }));
        assert_eq!(walk(&graph, "e", &mut seen), (3, Walked { met_seen: true, met_unknown: false }));
        assert_eq!(walk(&graph, "c", &mut seen), (0, Walked { met_seen: true, met_unknown: false }));
    }

    #[test]
    fn an_ancestor_is_found_across_merges_and_a_commit_is_not_its_own() {
        let commits = commits(&[("a", Some(&[])), ("b", Some(&["a"])), ("c", Some(&["a"])), ("d", Some(&["b", "c"]))]);
        let graph = Graph::new(&commits);
        let is = |ancestor: &str, from: &str| {
            graph.is_ancestor(graph.find(REPOSITORY, ancestor).unwrap(), graph.find(REPOSITORY, from).unwrap())
        };
        assert!(is("a", "d") && is("c", "d") && is("a", "b"));
        assert!(!is("d", "a") && !is("b", "c") && !is("d", "d"));
    }

    #[test]
    fn a_cycle_in_what_senders_say_ends_every_walk() {
        let commits = commits(&[("a", Some(&["b"])), ("b", Some(&["a"])), ("c", Some(&["b"]))]);
        let graph = Graph::new(&commits);
        assert_eq!(walk(&graph, "c", &mut graph.nothing_seen()).0, 3);
        let [a, c] = ["a", "c"].map(|sha| graph.find(REPOSITORY, sha).unwrap());
        assert!(!graph.is_ancestor(c, a));
    }

    #[test]
    fn a_commit_with_unknown_parents_is_told() {
        let commits = commits(&[("b", Some(&["a"])), ("c", None)]);
        let graph = Graph::new(&commits);
        assert_eq!(walk(&graph, "b", &mut graph.nothing_seen()), (2, Walked { met_seen: false, met_unknown: true }));
        assert!(!graph.is_known(graph.find(REPOSITORY, "c").unwrap()));
    }

    #[test]
    fn a_shortened_name_is_found_if_only_one_commit_begins_so() {
        let commits = commits(&[("0123456aa", None), ("0123457bb", None), ("0123457bc", None)]);
        let graph = Graph::new(&commits);
        assert!(graph.find(REPOSITORY, "0123456").is_some());
        assert!(graph.find(REPOSITORY, "0123457").is_none());
        assert!(graph.find(REPOSITORY, "012345").is_none());
    }
}
