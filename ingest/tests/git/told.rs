//! What an import says of a small history, and how it goes on after an interruption.

use std::collections::HashSet;
use std::ops::ControlFlow;

use ingest::backfill::git::payload::{Size, Way};
use ingest::backfill::git::{Options, Progress, read};

use crate::repository::{Import, Repository, command, import, import_unless, now, options, run};

/// A change merged, one squashed, one reverted, a release from a branch of its own, and tags of both sorts.
pub(crate) fn shop() -> Repository {
    let repository = Repository::empty();
    repository.write("till.rs", b"one\ntwo\nthree\nfour\n");
    repository.commit("Begin", 1_000, 1_000);
    repository.git(&["checkout", "--quiet", "-b", "feature"]);
    repository.write("till.rs", b"one\nTWO\nthree\nfour\n");
    repository.commit("Work, begun long ago", 500, 2_000);
    repository.write("docs/guide.md", b"read me");
    repository.commit("More work", 2_100, 2_100);
    repository.git(&["checkout", "--quiet", "main"]);
    repository.git_at(
        3_000,
        3_000,
        &["merge", "--quiet", "--no-ff", "-m", "Merge pull request #1 from a/b\n\nCapitals", "feature"],
    );
    repository.git_at(3_100, 3_100, &["tag", "--annotate", "--message", "x", "v1.0.0"]);
    repository.git(&["mv", "till.rs", "cash.rs"]);
    repository.commit("Rename the till (#2)", 4_500, 4_000);
    repository.git(&["tag", "v1.1.0-rc.1"]);
    repository.write("cash.rs", b"one\nTWO\nthree\nfour\nfive\0");
    repository.commit("Make it binary (#3)", 5_000, 5_000);
    repository.git_at(6_000, 6_000, &["revert", "--no-edit", "HEAD"]);
    repository.commit("Revert \"Rename the till\" (#4)", 7_000, 7_000);
    repository.git(&["tag", "v1.1.0"]);
    repository.git(&["checkout", "--quiet", "-b", "release", "v1.0.0"]);
    repository.commit("Fix on the release branch", 7_500, 7_500);
    repository.git_at(8_000, 8_000, &["tag", "--annotate", "--message", "x", "v1.0.1"]);
    repository.git(&["checkout", "--quiet", "main"]);
    repository
}

#[test]
fn a_history_becomes_changes_and_tags() {
    let import = import(&shop().path(), &options()).unwrap();
    let lines = import.landed().into_iter().map(|landed| {
        format!(
            "{:?} {:?} {} first {:?} size {:?} in {:?} reverts {}",
            landed.way,
            landed.title.unwrap_or_default(),
            landed.commit.committed_at.unwrap().timestamp(),
            landed.first_commit_at.map(|at| at.timestamp()),
            landed.size.map(|Size { additions, deletions, files }| (additions, deletions, files)),
            landed.paths,
            landed.reverts.is_some(),
        )
    });
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @r#"
    Direct "Begin" 1000 first Some(1000) size None in [] reverts false
    Merge { number: 1 } "Capitals" 3000 first Some(500) size Some((2, 1, 2)) in ["docs", "till.rs"] reverts false
    Squash { number: 2 } "Rename the till" 4000 first Some(4500) size Some((0, 0, 1)) in ["cash.rs", "till.rs"] reverts false
    Squash { number: 3 } "Make it binary" 5000 first Some(5000) size Some((0, 0, 1)) in ["cash.rs"] reverts false
    Direct "Revert \"Make it binary (#3)\"" 6000 first Some(6000) size None in [] reverts true
    Squash { number: 4 } "Revert \"Rename the till\"" 7000 first Some(7000) size Some((0, 0, 0)) in [] reverts true
    "#);
    let lines = import.tags().into_iter().map(|tag| {
        let at = tag.tagged_at.unwrap().timestamp();
        format!("{} {at} annotated {} deploys {} commits {}", tag.name, tag.annotated, tag.deploys, tag.commits.len())
    });
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @r#"
    v1.0.0 3100 annotated true deploys true commits 0
    v1.1.0-rc.1 4000 annotated false deploys false commits 0
    v1.1.0 7000 annotated false deploys true commits 0
    v1.0.1 8000 annotated true deploys true commits 1
    "#);
    insta::assert_debug_snapshot!((import.summary.landed, import.summary.deployments), @r#"
    (
        6,
        3,
    )
    "#);
}

#[test]
fn a_revert_names_the_commit_it_takes_back() {
    let import = import(&shop().path(), &options()).unwrap();
    let landed = import.landed();
    let reverted = |nth: usize| landed.iter().position(|other| Some(&other.commit.sha) == landed[nth].reverts.as_ref());
    assert_eq!(reverted(4), Some(3), "by the commit that the message names");
    assert_eq!(reverted(5), Some(2), "by the subject without its number");
}

#[test]
fn a_second_run_hands_out_only_what_is_new_and_the_same_ids_otherwise() {
    let repository = shop();
    let first = import(&repository.path(), &options()).unwrap();
    let again = import(&repository.path(), &options()).unwrap();
    assert_eq!(first.deliveries, again.deliveries, "the same bytes, so the log calls them duplicates");

    let known: HashSet<String> = first.ids().into_iter().collect();
    assert_eq!(known.len(), first.deliveries.len(), "no two deliveries share an id");
    repository.commit("Revert \"Make it binary (#3)\" (#5)", 9_000, 9_000);
    let second = import_unless(&repository.path(), &options(), |id| known.contains(id)).unwrap();
    assert_eq!(second.deliveries.len(), 1);
    assert_eq!(second.summary.known, known.len() as u64);
    let landed = second.landed();
    assert_eq!(landed[0].way, Way::Squash { number: 5 });
    assert_eq!(landed[0].reverts, Some(first.landed()[3].commit.sha.clone()), "what is known can still be reverted");
}

#[test]
fn a_moved_tag_is_told_again() {
    let repository = shop();
    let known: HashSet<String> = import(&repository.path(), &options()).unwrap().ids().into_iter().collect();
    repository.git(&["tag", "--force", "v1.1.0", "main~1"]);
    let second = import_unless(&repository.path(), &options(), |id| known.contains(id)).unwrap();
    assert_eq!(second.tags().iter().map(|tag| tag.name.as_str()).collect::<Vec<_>>(), ["v1.1.0"]);
}

#[test]
fn a_sink_that_breaks_gets_no_more_and_another_run_goes_on() {
    let repository = shop();
    let whole = import(&repository.path(), &options()).unwrap();
    for wanted in 1..whole.deliveries.len() {
        let mut taken = Import::default();
        let sink = &mut |delivery| {
            taken.deliveries.push(delivery);
            if taken.deliveries.len() == wanted { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let none_known = &mut |ids: &[_]| vec![false; ids.len()];
        let summary = read(&repository.path(), &options(), none_known, sink, &|_| {}).unwrap();
        assert!(summary.stopped);
        assert_eq!(taken.deliveries.len(), wanted);
        let known: HashSet<String> = taken.ids().into_iter().collect();
        let rest = import_unless(&repository.path(), &options(), |id| known.contains(id)).unwrap();
        assert_eq!([taken.deliveries, rest.deliveries].concat(), whole.deliveries);
    }
}

#[test]
fn progress_ends_at_its_total() {
    let told = std::cell::RefCell::new(Vec::new());
    let (known, sink) = (&mut |ids: &[_]| vec![false; ids.len()], &mut |_| ControlFlow::Continue(()));
    read(&shop().path(), &options(), known, sink, &|progress| told.borrow_mut().push(progress)).unwrap();
    let told = told.into_inner();
    assert_eq!(told[0], Progress::Finding { commits: 9 });
    let expected: Vec<_> = (1..=10).map(|done| Progress::Telling { done, total: 10 }).collect();
    assert_eq!(told[1..], expected);
}

#[test]
fn a_clone_is_named_after_where_it_comes_from_and_reads_what_the_remote_holds() {
    let origin = shop();
    let folder = tempfile::TempDir::new().unwrap();
    let url = origin.path().display().to_string();
    run(command(folder.path(), &["clone", "--quiet", &url, "clone"]));
    let path = folder.path().join("clone");
    run(command(&path, &["checkout", "--quiet", "-b", "mine", "HEAD~1"]));
    assert_eq!(import(&path, &options()).unwrap().summary.repository, "shop", "a folder names no forge");
    run(command(&path, &["remote", "set-url", "origin", "https://me:token@github.com/acme/shop.git"]));
    let import = import(&path, &options()).unwrap();
    assert_eq!(import.summary.repository, "github.com/acme/shop");
    assert_eq!(import.summary.reference, "refs/remotes/origin/main");
    assert_eq!(import.summary.landed, 6);
    assert!(import.deliveries.iter().all(|delivery| !String::from_utf8_lossy(&delivery.body).contains("token")));
}

#[test]
fn a_group_of_the_pattern_picks_the_service() {
    let repository = shop();
    repository.git(&["tag", "till/v2.0.0"]);
    let pattern = r"^(?:(?<service>[^/]+)/)?v\d+\.\d+\.\d+$";
    let options = Options::new("shop", Some(pattern), now()).unwrap();
    let tags = import(&repository.path(), &options).unwrap().tags();
    let services: Vec<_> = tags.iter().filter(|tag| tag.deploys).map(|tag| tag.service.as_deref()).collect();
    assert_eq!(services.iter().filter(|service| **service == Some("till")).count(), 1);
    assert_eq!(services.iter().filter(|service| service.is_none()).count(), 3);
}

#[test]
fn tags_that_lead_to_no_commit_are_passed_over() {
    let repository = shop();
    let tree = repository.git(&["rev-parse", "HEAD^{tree}"]);
    repository.git(&["tag", "v3.0.0", &tree]);
    repository.git(&["tag", "--annotate", "--message", "x", "v3.0.1", "v1.0.0"]);
    let tags = import(&repository.path(), &options()).unwrap().tags();
    assert!(!tags.iter().any(|tag| tag.name == "v3.0.0"));
    let of_tag = tags.iter().find(|tag| tag.name == "v3.0.1").unwrap();
    assert_eq!(of_tag.sha, repository.git(&["rev-parse", "v1.0.0^{commit}"]), "a tag of a tag leads to its commit");
}

#[test]
fn a_file_that_ends_within_a_line_counts_that_line() {
    let repository = Repository::empty();
    repository.write("file", b"one\ntwo");
    repository.commit("Begin", 1, 1);
    for (content, expected) in
        [(&b"one\ntwo\n"[..], (1, 1)), (b"one\r\ntwo\r\n", (2, 2)), (b"", (0, 2)), (b"x", (1, 0))]
    {
        repository.write("file", content);
        repository.commit("Edit (#1)", 2, 2);
        repository.git(&["tag", "--force", "v1.0.0"]);
        let size = import(&repository.path(), &options()).unwrap().landed().pop().unwrap().size.unwrap();
        assert_eq!((size.additions, size.deletions), expected, "{content:?}");
    }
}
