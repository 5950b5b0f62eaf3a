//! Changes, reviews, pushes, repositories, issues.

use bus::data::{Data, Verdict};
use bus::kind::Kind;
use serde_json::{Value, json};

use super::{changed, show};

#[test]
fn a_pull_request_that_is_opened_as_a_draft_is_not_ready() {
    insta::assert_snapshot!(show("pull_request-opened-pull-request-draft-opened-bors"), @r#"
    change.created 5 at 2025-03-18T09:16:55Z
    source https://api.github.com/repos/geetanshjuneja/test-bors, key github.com/geetanshjuneja/test-bors
    {
      "additions": 1,
      "author": {
        "handle": "geetanshjuneja"
      },
      "baseBranch": "main",
      "commits": 1,
      "defaultBranch": "main",
      "deletions": 1,
      "draft": true,
      "files": 1,
      "headBranch": "test",
      "headSha": "4964158cdea899629716b4f0c0e2f5ab72e3cb4a",
      "number": 5,
      "openedAt": "2025-03-18T09:16:55Z",
      "repository": "github.com/geetanshjuneja/test-bors",
      "title": "test",
      "url": "https://github.com/geetanshjuneja/test-bors/pull/5"
    }
    "#);
}

#[test]
fn a_pull_request_that_leaves_draft_is_ready_at_that_moment() {
    let drafts = changed("pull_request-ready_for_review-pull-request-ready-for-review-bors", &[]);
    let Data::Change(change) = &drafts[0].data else { panic!("{drafts:?}") };
    assert_eq!(drafts[0].kind, Kind::ChangeUpdated);
    assert_eq!(change.ready_at, Some(drafts[0].time));
    assert!(!change.draft);
}

#[test]
fn commits_that_are_pushed_to_a_pull_request_have_a_time() {
    let drafts = changed("pull_request-synchronize-captured-cogni", &[]);
    let Data::Change(change) = &drafts[0].data else { panic!("{drafts:?}") };
    assert_eq!(change.pushed_at, Some(drafts[0].time));
}

#[test]
fn a_merged_pull_request_has_the_commit_that_it_became() {
    let name = "pull_request-closed-pull-request-closed-bors";
    let abandoned = changed(name, &[]);
    let Data::Change(change) = &abandoned[0].data else { panic!("{abandoned:?}") };
    assert_eq!((&abandoned[0].kind, &change.merge_sha), (&Kind::ChangeAbandoned, &None), "a trial merge is no merge");
    let at = json!("2025-03-16T08:22:40Z");
    let merged = changed(name, &[("/pull_request/merged", true.into()), ("/pull_request/merged_at", at)]);
    let Data::Change(change) = &merged[0].data else { panic!("{merged:?}") };
    assert_eq!(merged[0].kind, Kind::ChangeMerged);
    assert_eq!(change.merge_sha.as_deref(), Some("ac60d994acf027e57f775248c710d0d1bfdc2cba"));
    assert_eq!(change.merged_at, "2025-03-16T08:22:40Z".parse().ok());
    assert_eq!(Some(merged[0].time), change.merged_at);
    let at = json!("2025-03-16T08:22:40Z");
    let listed = changed(name, &[("/pull_request/merged", Value::Null), ("/pull_request/merged_at", at)]);
    assert_eq!(listed, merged);
}

#[test]
fn a_revert_names_what_it_reverts() {
    let reverts = |title: &str, text: &str| {
        let changes = [("/pull_request/title", json!(title)), ("/pull_request/body", json!(text))];
        let drafts = changed("pull_request-opened-pull_request-hub4j", &changes);
        let Data::Change(change) = &drafts[0].data else { panic!("{drafts:?}") };
        change.reverts.clone()
    };
    assert_eq!(reverts("Revert \"x\"", "Reverts baxterthehacker/public-repo#17").as_deref(), Some("#17"));
    assert_eq!(reverts("Revert \"x\"", "Reverts #17, it broke").as_deref(), Some("#17"));
    assert_eq!(
        reverts("Take it back", "This reverts commit 0d1a26e67d8f5eaf1f6ba5c57fc3c7d91ac0fd1c.").as_deref(),
        Some("0d1a26e67d8f5eaf1f6ba5c57fc3c7d91ac0fd1c")
    );
    assert_eq!(reverts("Revert \"x\"", "Reverts other/repository#17"), None);
    assert_eq!(reverts("Revert to plan B", "Reverts #17"), None);
    assert_eq!(reverts("Revert \"x\"", ""), None);
}

#[test]
fn an_app_is_a_bot() {
    let bot = |login: &str, kind: &str| {
        let drafts = changed(
            "pull_request-opened-pull_request-hub4j",
            &[("/pull_request/user", json!({"login": login, "type": kind}))],
        );
        let Data::Change(change) = &drafts[0].data else { panic!("{drafts:?}") };
        change.author.as_ref().unwrap().bot
    };
    assert!(bot("renovate[bot]", "Bot") && bot("renovate[bot]", "User") && bot("ci", "Bot"));
    assert!(!bot("dev-ada-17", "User"));
}

#[test]
fn a_review_is_asked_for_and_given() {
    insta::assert_snapshot!(show("pull_request-review_requested-pull_request__review_requested_singular_key-zulip"), @r#"
    review.requested 6 at 2018-10-23T17:29:43Z
    source https://api.github.com/repos/eeshangarg/Scheduler, key github.com/eeshangarg/Scheduler
    {
      "author": {
        "handle": "eeshangarg"
      },
      "headSha": "58b742b099302648691924c59be0cc884de42fd4",
      "number": 6,
      "repository": "github.com/eeshangarg/Scheduler",
      "reviewer": {
        "handle": "rishig"
      },
      "url": "https://github.com/eeshangarg/Scheduler/pull/6"
    }
    "#);
    insta::assert_snapshot!(show("pull_request_review-submitted-pull_request_review-hub4j"), @r#"
    change.reviewed 8 at 2016-10-03T23:39:09Z
    source https://api.github.com/repos/baxterthehacker/public-repo, key github.com/baxterthehacker/public-repo
    {
      "author": {
        "handle": "skalnik"
      },
      "headSha": "b7a1f9c27caa4e03c14a88feb56e2d4f7500aa63",
      "number": 8,
      "repository": "github.com/baxterthehacker/public-repo",
      "reviewer": {
        "handle": "baxterthehacker"
      },
      "submittedAt": "2016-10-03T23:39:09Z",
      "url": "https://github.com/baxterthehacker/public-repo/pull/8#pullrequestreview-2626884",
      "verdict": "approved"
    }
    "#);
    let verdict = |state: &str| {
        let drafts =
            changed("pull_request_review-submitted-pull_request_review-hub4j", &[("/review/state", json!(state))]);
        let Data::Review(review) = &drafts[0].data else { panic!("{drafts:?}") };
        review.verdict
    };
    assert_eq!(verdict("approved"), Some(Verdict::Approved));
    assert_eq!(verdict("CHANGES_REQUESTED"), Some(Verdict::ChangesRequested));
    assert_eq!(verdict("commented"), Some(Verdict::Commented));
    assert_eq!(verdict("invented"), None);
}

#[test]
fn a_comment_on_code_has_its_file() {
    insta::assert_snapshot!(show("pull_request_review_comment-created-pull-request-review-comment-bors"), @r#"
    change.commented 6 at 2023-06-13T09:30:51Z
    source https://api.github.com/repos/Kobzol/bors-kindergarten, key github.com/Kobzol/bors-kindergarten
    {
      "author": {
        "handle": "Kobzol"
      },
      "changeAuthor": {
        "handle": "Kobzol"
      },
      "createdAt": "2023-06-13T09:30:51Z",
      "number": 6,
      "path": ".github/workflows/test2.yml",
      "repository": "github.com/Kobzol/bors-kindergarten",
      "text": "Foo",
      "url": "https://github.com/Kobzol/bors-kindergarten/pull/6#discussion_r1227824551"
    }
    "#);
}

#[test]
fn a_comment_of_a_bot_carries_the_mark_of_its_action() {
    let mark = "killed-pods/d5c9dd48-306d-5a84-aba5-f61bdba4312f/0.0";
    let origin = |text: String| {
        let commented = changed("issue_comment-created-issue-comment-bors", &[("/comment/body", text.into())]);
        let Data::Comment(comment) = commented[0].data.clone() else { panic!("{commented:?}") };
        comment.origin.map(|mark| mark.to_string())
    };
    assert_eq!(origin(format!("Coverage is 81 %.\n\n<!-- devhose:{mark} -->")).as_deref(), Some(mark));
    assert_eq!(origin(format!("I read `{mark}` somewhere")), None);
}

#[test]
fn a_comment_below_an_issue_is_no_comment_on_a_change() {
    let name = "issue_comment-created-issue-comment-bors";
    assert_eq!(changed(name, &[])[0].kind, Kind::ChangeCommented);
    let below = changed(name, &[("/issue/pull_request", Value::Null)]);
    assert_eq!(below[0].kind.name(), "com.github.issue_comment.created");
    assert_eq!(below[0].data, Data::AsReceived);
}

#[test]
fn a_direct_push_to_the_default_branch_is_a_merged_change() {
    insta::assert_snapshot!(show("push-push-goscm"), @r#"
    commit.pushed refs/heads/master at 2018-05-30T20:18:48Z
    source https://github.com/Codertocat/Hello-World, key github.com/Codertocat/Hello-World
    {
      "after": "199eddf46df50de8d02e99bf1c5fdb4101338224",
      "before": "a10867b14bb761a232cd80139fbd4c0d33264240",
      "branch": "master",
      "commits": [
        {
          "authoredAt": "2018-06-15T20:01:51Z",
          "committedAt": "2018-06-15T20:01:51Z",
          "distinct": true,
          "sha": "199eddf46df50de8d02e99bf1c5fdb4101338224"
        }
      ],
      "defaultBranch": "master",
      "pusher": {
        "handle": "Codertocat"
      },
      "repository": "github.com/Codertocat/Hello-World"
    }
    change.merged 199eddf46df50de8d02e99bf1c5fdb4101338224 at 2018-06-15T20:01:51Z
    source https://github.com/Codertocat/Hello-World, key github.com/Codertocat/Hello-World
    {
      "author": {
        "handle": "Codertocat"
      },
      "baseBranch": "master",
      "closedAt": "2018-06-15T20:01:51Z",
      "commits": 1,
      "defaultBranch": "master",
      "direct": true,
      "firstCommitAt": "2018-06-15T20:01:51Z",
      "headSha": "199eddf46df50de8d02e99bf1c5fdb4101338224",
      "mergeSha": "199eddf46df50de8d02e99bf1c5fdb4101338224",
      "mergedAt": "2018-06-15T20:01:51Z",
      "paths": [
        "README.md"
      ],
      "repository": "github.com/Codertocat/Hello-World",
      "title": "Update README",
      "url": "https://github.com/Codertocat/Hello-World/compare/199eddf46df50de8d02e99bf1c5fdb4101338224"
    }
    "#);
}

#[test]
fn a_push_that_merges_a_pull_request_is_no_change_of_its_own() {
    let kinds = |message: &str, reference: &str| {
        let changes = [("/head_commit/message", json!(message)), ("/ref", json!(reference))];
        let drafts = changed("push-push-goscm", &changes);
        drafts.iter().map(|draft| draft.kind.name().to_owned()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(kinds("Merge pull request #12 from acme/x\n\nTitle", "refs/heads/master"), "commit.pushed");
    assert_eq!(kinds("Mend the cart (#12)\n\n* more", "refs/heads/master"), "commit.pushed");
    assert_eq!(kinds("Mend the cart (#x)", "refs/heads/master"), "commit.pushed change.merged");
    assert_eq!(kinds("Merge branch 'x' (closes #12)", "refs/heads/master"), "commit.pushed change.merged");
    assert_eq!(kinds("Mend the cart", "refs/heads/cart"), "commit.pushed");
    assert_eq!(kinds("Mend the cart", "refs/tags/v1.0.0"), "com.github.push");
}

#[test]
fn a_branch_comes_and_goes() {
    let drafts = changed("push-push_branch_create-goscm", &[]);
    let kinds: Vec<&Kind> = drafts.iter().map(|draft| &draft.kind).collect();
    assert_eq!(kinds, [&Kind::CommitPushed, &Kind::BranchCreated]);
    insta::assert_snapshot!(show("push-push__delete_branch-zulip"), @r#"
    branch.deleted feature at 2017-05-16T01:24:28Z
    source https://github.com/eeshangarg/public-repo, key github.com/eeshangarg/public-repo
    {
      "branch": "feature",
      "repository": "github.com/eeshangarg/public-repo",
      "sha": "2e8cf535fb38a3dab2476cdf856efda904ad4c94"
    }
    "#);
}

#[test]
fn an_issue_is_a_ticket() {
    insta::assert_snapshot!(show("issues-milestoned-octokit"), @r#"
    ticket.updated 2 at 2019-05-15T15:20:35Z
    source https://api.github.com/repos/Codertocat/Hello-World, key github.com/Codertocat/Hello-World
    {
      "action": "milestoned",
      "assignees": [
        {
          "handle": "Codertocat"
        }
      ],
      "creator": {
        "handle": "Codertocat"
      },
      "id": "github.com/Codertocat/Hello-World#2",
      "labels": [
        "bug"
      ],
      "milestone": "v1.0",
      "repository": "github.com/Codertocat/Hello-World",
      "summary": "Update the README with new information.",
      "updatedBy": {
        "handle": "Codertocat"
      },
      "url": "https://github.com/Codertocat/Hello-World/pull/2"
    }
    "#);
}

#[test]
fn a_repository_is_renamed() {
    insta::assert_snapshot!(show("repository-renamed-octokit"), @r#"
    repository.modified github.com/Octocoders/Hello-World at 2019-05-15T15:20:41Z
    source https://api.github.com/repos/Octocoders/Hello-World, key github.com/Octocoders/Hello-World
    {
      "action": "renamed",
      "defaultBranch": "master",
      "name": "Hello-World",
      "owner": "Octocoders",
      "repository": "github.com/Octocoders/Hello-World",
      "url": "https://github.com/Octocoders/Hello-World.git",
      "viewUrl": "https://github.com/Octocoders/Hello-World"
    }
    "#);
}

#[test]
fn a_repository_of_an_enterprise_server_is_named_by_its_host() {
    let page = json!("https://git.acme.example/shop/cart");
    let drafts = changed("pull_request-opened-pull_request-hub4j", &[("/repository/html_url", page)]);
    assert_eq!(drafts[0].key.0, "git.acme.example/shop/cart");
    let api = json!("https://api.github.com/repos/baxterthehacker/public-repo");
    let without = changed(
        "pull_request-opened-pull_request-hub4j",
        &[("/repository/html_url", Value::Null), ("/repository/url", api)],
    );
    assert_eq!(without[0].key.0, "github.com/baxterthehacker/public-repo");
}
