//! How the virtual partitions of a group are shared out: evenly, and whoever has one keeps it while that is fair.

use std::collections::BTreeMap;

use super::store::queue::PARTITIONS;

/// What changes for one consumer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Share {
    /// Partitions that become its own.
    pub(super) taken: Vec<usize>,
    /// Partitions that it gives up for others.
    pub(super) given: Vec<usize>,
}

/// The share of `me`, who is among the `living`, which are sorted. `owners` says whose a partition is; one whose owner
/// does not live any more is free. Nobody takes what another living consumer has: that one gives it up when it asks.
pub(super) fn share(owners: &BTreeMap<usize, String>, living: &[String], me: &str) -> Share {
    let Some(rank) = living.iter().position(|name| name == me) else { return Share::default() };
    // The first few have one more where it does not come out even.
    let quota = PARTITIONS / living.len() + usize::from(rank < PARTITIONS % living.len());
    let mine: Vec<usize> = owners.iter().filter(|(_, owner)| *owner == me).map(|(partition, _)| *partition).collect();
    let lives = |owner: &String| living.binary_search(owner).is_ok();
    let free = (0..PARTITIONS).filter(|partition| !owners.get(partition).is_some_and(lives));
    Share {
        taken: free.take(quota.saturating_sub(mine.len())).collect(),
        given: mine.into_iter().skip(quota).collect(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ask(owners: &mut BTreeMap<usize, String>, living: &[String], me: &str) {
        let share = share(owners, living, me);
        for partition in share.given {
            assert_eq!(owners.remove(&partition).as_deref(), Some(me), "only what is its own is given up");
        }
        for partition in share.taken {
            let before = owners.insert(partition, me.to_owned());
            assert!(before.is_none_or(|owner| !living.contains(&owner)), "nothing is taken from the living");
        }
    }

    proptest! {
        #[test]
        fn whoever_comes_and_goes_all_partitions_end_up_shared_evenly(
            rounds in prop::collection::vec(prop::collection::btree_set("[a-f]{1,2}", 1..70), 1..5)
        ) {
            let mut owners = BTreeMap::new();
            for living in rounds {
                let living: Vec<String> = living.into_iter().collect();
                // Once to give up, once to take.
                for _ in 0..2 {
                    for me in &living {
                        ask(&mut owners, &living, me);
                    }
                }
                let counts: Vec<usize> =
                    living.iter().map(|me| owners.values().filter(|owner| *owner == me).count()).collect();
                prop_assert_eq!(counts.iter().sum::<usize>(), PARTITIONS);
                prop_assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1);
                let before = owners.clone();
                for me in &living {
                    ask(&mut owners, &living, me);
                }
                prop_assert_eq!(&before, &owners, "nothing moves while nobody comes or goes");
            }
        }
    }
}
