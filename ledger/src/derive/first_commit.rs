//! When the first commit of a change was written, where its forge does not say: as the pushes tell.
//!
//! A forge's word on a change holds its opening and its merge, not its commits. The pushes hold them: those to the
//! change's own branch, followed back from its heads, and the one that brought the merge to the default branch. What a
//! squash leaves on the default branch is written when it is merged; it is not the first commit and is not taken for it.

use std::collections::{BTreeSet, HashSet};

use crate::facts::{Change, Commit, FactKey, Facts, Moment};

/// Pushes to one branch that are followed back: more than any change has.
const PUSHES_MAX: usize = 1_000;

/// The first commit of a change: as told, else as the pushes tell; none if neither does.
pub(super) fn of(change: &Change, facts: &Facts, merges: &BTreeSet<(&str, &str)>) -> Option<Moment> {
    if change.first_commit.is_some() || change.direct {
        return change.first_commit;
    }
    let commit = |sha: &str| facts.commits.get(&FactKey::of(format!("{}@{sha}", change.repository)));
    let own = change.heads.iter().filter_map(|head| along_its_branch(head, &commit)).min();
    let merged = change.merge_sha.as_deref().and_then(|sha| in_its_merge(change, sha, commit(sha)?, merges));
    let first = own.into_iter().chain(merged).min()?;
    // A commit after the opening is one of a later push whose earlier ones are not known, or the squash.
    change.opened.is_none_or(|opened| first.at <= opened.at).then_some(first)
}

/// The earliest commit of the pushes to a branch, from one of its heads back.
fn along_its_branch<'f>(head: &'f str, commit: &impl Fn(&str) -> Option<&'f Commit>) -> Option<Moment> {
    let mut earliest = None;
    let mut seen = HashSet::new();
    let mut open = vec![head];
    while let Some(sha) = open.pop() {
        if seen.len() >= PUSHES_MAX || !seen.insert(sha) {
            continue;
        }
        let pushes = commit(sha).map(|commit| &commit.pushes).into_iter().flatten();
        for push in pushes.filter(|push| !push.to_default_branch) {
            earliest = earliest.into_iter().chain([push.first_commit]).min();
            open.extend(push.before.as_deref());
        }
    }
    earliest
}

/// The earliest commit that came to the default branch with the merge, if nothing else was merged by the same push.
fn in_its_merge(change: &Change, merge: &str, commit: &Commit, merges: &BTreeSet<(&str, &str)>) -> Option<Moment> {
    let push = commit.pushes.iter().find(|push| push.to_default_branch)?;
    let others = commit.reaches.iter().flatten().filter(|sha| Some(*sha) != push.before.as_ref() && *sha != merge);
    let alone = !others.clone().any(|sha| merges.contains(&(change.repository.as_str(), sha.as_str())));
    alone.then_some(push.first_commit)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bus::ids::EventId;
    use chrono::{DateTime, Utc};

    use super::*;
    use crate::facts::Pushed;

    const SHOP: &str = "forge.example/acme/shop";

    fn at(hour: u32) -> DateTime<Utc> {
        format!("2026-11-20T{hour:02}:00:00Z").parse().unwrap()
    }

    fn moment(hour: u32) -> Moment {
        Moment { at: at(hour), event: EventId::from_bytes([u8::try_from(hour).unwrap(); 16]) }
    }

    fn push(head: &str, before: Option<&str>, hour: u32, to_default_branch: bool) -> (FactKey, Commit) {
        let pushed = Pushed { first_commit: moment(hour), before: before.map(str::to_owned), to_default_branch };
        let commit = Commit { repository: SHOP.to_owned(), pushes: BTreeSet::from([pushed]), ..Commit::default() };
        (FactKey(format!("{SHOP}@{head}")), commit)
    }

    fn check(change: Change, commits: Vec<(FactKey, Commit)>) -> Option<u32> {
        let facts = Facts { commits: BTreeMap::from_iter(commits), ..Facts::default() };
        let change = Change { repository: SHOP.to_owned(), opened: Some(moment(12)), ..change };
        let first = of(&change, &facts, &BTreeSet::from([(SHOP, "merge"), (SHOP, "other")]))?;
        Some(chrono::Timelike::hour(&first.at))
    }

    fn change() -> Change {
        Change { heads: BTreeSet::from(["head".to_owned()]), merge_sha: Some("merge".to_owned()), ..Change::default() }
    }

    #[test]
    fn pushes_to_its_branch_are_followed_back() {
        assert_eq!(
            check(change(), vec![push("head", Some("first"), 11, false), push("first", None, 9, false)]),
            Some(9)
        );
    }

    #[test]
    fn a_merge_brings_the_commits_with_it_and_a_squash_does_not() {
        assert_eq!(check(change(), vec![push("merge", Some("base"), 8, true)]), Some(8));
        assert_eq!(check(change(), vec![push("merge", Some("base"), 15, true)]), None);
    }

    #[test]
    fn a_push_of_several_merges_tells_of_none() {
        let (key, mut commit) = push("merge", Some("base"), 8, true);
        commit.reaches = Some(BTreeSet::from(["base".to_owned(), "other".to_owned()]));
        assert_eq!(check(change(), vec![(key, commit)]), None);
    }

    #[test]
    fn a_branch_that_is_pushed_in_a_circle_ends() {
        assert_eq!(
            check(change(), vec![push("head", Some("back"), 11, false), push("back", Some("head"), 10, false)]),
            Some(10)
        );
    }
}
