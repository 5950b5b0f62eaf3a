//! Random histories: every number of the import equals the one that git gives.

use std::collections::{BTreeMap, BTreeSet};

use ingest::backfill::git::payload::{Landed, Size, Way};
use proptest::prelude::*;

use crate::repository::{Repository, import, options};
use crate::story::Story;

proptest! {
    // Each case is a repository of a few hundred commits and as many calls of git as it has merges.
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 20, ..ProptestConfig::default() })]

    #[test]
    fn the_import_says_of_any_history_what_git_says(seed: u64, landings in 1_usize..120) {
        let repository = Repository::import(&Story::tell(seed, landings));
        let import = import(&repository.path(), &options()).unwrap();
        let landed = import.landed();

        let line = repository.git(&["log", "--first-parent", "--reverse", "--format=%H %ct", "main"]);
        let told: Vec<String> = landed.iter().map(|landed| {
            format!("{} {}", landed.commit.sha, landed.commit.committed_at.unwrap().timestamp())
        }).collect();
        prop_assert_eq!(told.join("\n"), line);

        let sizes = sizes(&repository);
        let mut by_git = BTreeMap::new();
        let mut by_us = BTreeMap::new();
        for landed in landed.iter().filter(|landed| landed.way.number().is_some()) {
            by_us.insert(&landed.commit.sha, landed.size.unwrap());
            by_git.insert(&landed.commit.sha, sizes[&landed.commit.sha]);
        }
        prop_assert_eq!(by_us, by_git);

        for landed in &landed {
            prop_assert_eq!(first_commit_at(&repository, landed), landed.first_commit_at.map(|at| at.timestamp()));
            prop_assert_eq!(reached(&repository, landed), shas(landed));
        }

        let mut before: Vec<String> = vec!["main".to_owned()];
        for tag in import.tags() {
            let mut arguments = vec!["rev-list", &tag.name, "--not"];
            arguments.extend(before.iter().map(String::as_str));
            let expected: BTreeSet<String> = repository.git(&arguments).lines().map(str::to_owned).collect();
            prop_assert_eq!(expected, tag.commits.iter().map(|commit| commit.sha.clone()).collect());
            before.push(tag.name);
        }
    }
}

/// Additions, deletions and files of every landed commit.
fn sizes(repository: &Repository) -> BTreeMap<String, Size> {
    let log = [
        "-c",
        "core.attributesFile=/dev/null",
        "log",
        "--first-parent",
        "--diff-merges=first-parent",
        "--root",
        "-M50%",
        "--numstat",
        "--format=commit %H",
        "main",
    ];
    let mut sizes: BTreeMap<String, Size> = BTreeMap::new();
    let mut current = String::new();
    for line in repository.git(&log).lines().filter(|line| !line.is_empty()) {
        if let Some(sha) = line.strip_prefix("commit ") {
            sha.clone_into(&mut current);
        }
        let size = sizes.entry(current.clone()).or_default();
        if let [added, deleted, _path] = line.splitn(3, '\t').collect::<Vec<_>>()[..] {
            // Git writes a dash for a binary file.
            size.additions += added.parse().unwrap_or(0);
            size.deletions += deleted.parse().unwrap_or(0);
            size.files += 1;
        }
    }
    sizes
}

fn first_commit_at(repository: &Repository, landed: &Landed) -> Option<i64> {
    let sha = &landed.commit.sha;
    let log = match landed.way {
        Way::Merge { .. } | Way::OtherMerge => {
            repository.git(&["log", "--format=%at", &format!("{sha}^2"), "--not", &format!("{sha}^1")])
        }
        Way::Squash { .. } | Way::Direct => repository.git(&["log", "-1", "--format=%at", sha]),
    };
    log.lines().map(|seconds| seconds.parse::<i64>().unwrap()).min()
}

fn reached(repository: &Repository, landed: &Landed) -> BTreeSet<String> {
    let sha = &landed.commit.sha;
    let mut arguments = vec!["log", "--format=%H %P", sha];
    arguments.extend(landed.commit.parents.first().map_or(vec![], |parent| vec!["--not", parent]));
    repository.git(&arguments).lines().map(|line| line.trim_end().to_owned()).collect()
}

fn shas(landed: &Landed) -> BTreeSet<String> {
    let commits = landed.commits.iter().chain([&landed.commit]);
    commits.map(|commit| format!("{} {}", commit.sha, commit.parents.join(" ")).trim_end().to_owned()).collect()
}
