//! Repositories that cannot give right numbers: each is refused with words that say what to do.

use std::path::Path;

use ingest::backfill::git::Options;

use crate::repository::{Repository, import, now, options, run};

/// What the import of `path` says, the error and its causes, with the folder's name taken out.
fn refusal(path: &Path, options: &Options) -> String {
    let error = import(path, options).unwrap_err();
    error.to_string().replace(&path.display().to_string(), "PATH")
}

fn tagged() -> Repository {
    let repository = Repository::empty();
    for nth in 0..4 {
        repository.write("file", format!("{nth}\n").as_bytes());
        repository.commit(&format!("Change (#{nth})"), 1_700_000_000 + nth, 1_700_000_000 + nth);
    }
    repository.git(&["tag", "v1.0.0"]);
    repository
}

fn clone(of: &Repository, arguments: &[&str]) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::TempDir::new().unwrap();
    let url = format!("file://{}", of.path().display());
    let all = [&["clone", "--quiet"], arguments, &[&url, "clone"]].concat();
    run(crate::repository::command(folder.path(), &all));
    let path = folder.path().join("clone");
    (folder, path)
}

#[test]
fn a_folder_that_is_no_repository_is_refused() {
    let folder = tempfile::TempDir::new().unwrap();
    insta::assert_snapshot!(refusal(folder.path(), &options()), @"PATH is not a git repository: pass the folder of a clone, or a bare repository such as shop.git");
}

#[test]
fn a_repository_without_commits_is_refused() {
    insta::assert_snapshot!(refusal(&Repository::empty().path(), &options()), @"PATH has no commits on branch main: run `git -C PATH fetch origin`, or commit first");
}

#[test]
fn a_shallow_clone_is_refused() {
    let (_folder, path) = clone(&tagged(), &["--depth", "2"]);
    insta::assert_snapshot!(refusal(&path, &options()), @"PATH is a shallow clone, its history is cut off: run `git -C PATH fetch --unshallow --tags`, then import again");
}

#[test]
fn a_clone_without_contents_is_refused() {
    let origin = tagged();
    origin.git(&["config", "uploadpack.allowFilter", "true"]);
    let (_folder, path) = clone(&origin, &["--filter=blob:none"]);
    let object = origin.git(&["rev-parse", "HEAD~3:file"]);
    insta::assert_snapshot!(refusal(&path, &options()).replace(&object, "OBJECT"), @"PATH is a partial clone, object OBJECT was left out: run `git -C PATH fetch --refetch --no-filter origin`, then import again");
}

#[test]
fn a_repository_without_tags_is_refused() {
    let repository = tagged();
    repository.git(&["tag", "--delete", "v1.0.0"]);
    insta::assert_snapshot!(refusal(&repository.path(), &options()), @"PATH has no tags, and deployments are read from tags: run `git -C PATH fetch --tags origin`, then import again");
}

#[test]
fn tags_of_another_form_are_named() {
    let repository = tagged();
    repository.git(&["tag", "--delete", "v1.0.0"]);
    for (nth, name) in ["shop/v1", "shop/v2", "till/v1"].into_iter().enumerate() {
        let at = 1_700_000_100 + i64::try_from(nth).unwrap();
        repository.git_at(at, at, &["tag", "--annotate", "--message", "x", name]);
    }
    insta::assert_snapshot!(refusal(&repository.path(), &options()), @r"none of the 3 tags of PATH matches `^v?\d+\.\d+\.\d+$`: pass --tag-pattern for tags such as till/v1, shop/v2, shop/v1");
}

#[test]
fn a_branch_that_does_not_exist_is_refused() {
    let options = Options { branch: Some("trunk".to_owned()), ..options() };
    insta::assert_snapshot!(refusal(&tagged().path(), &options), @"PATH has no branch trunk: pass --branch with one of main");
}

#[test]
fn a_detached_head_does_not_name_a_branch() {
    let repository = tagged();
    repository.git(&["checkout", "--quiet", "--detach"]);
    insta::assert_snapshot!(refusal(&repository.path(), &options()), @"PATH does not say which branch is the default one: pass --branch, for instance --branch main");
    let options = Options { branch: Some("main".to_owned()), ..options() };
    assert_eq!(import(&repository.path(), &options).unwrap().summary.landed, 4);
}

#[test]
fn an_object_that_is_gone_is_named() {
    let repository = tagged();
    let object = repository.git(&["rev-parse", "HEAD~2:file"]);
    let (folder, file) = object.split_at(2);
    std::fs::remove_file(repository.path().join(".git/objects").join(folder).join(file)).unwrap();
    insta::assert_snapshot!(refusal(&repository.path(), &options()).replace(&object, "OBJECT"), @"PATH lacks object OBJECT: run `git -C PATH fsck`, and clone again if it complains");
}

#[test]
fn a_pattern_or_a_name_that_is_none_is_refused() {
    insta::assert_snapshot!(Options::new("shop", Some("v("), now()).unwrap_err(), @"the tag pattern `v(` is not a regular expression");
    insta::assert_snapshot!(Options::new("a b", None, now()).unwrap_err(), @r#""a b" cannot name a source: pass --name with letters, digits and . _ - only"#);
}
