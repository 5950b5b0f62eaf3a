//! Questions about repositories: what is told, and why there is no answer.

use super::*;
use crate::lookups::ChangeNow;

const SHOP: &str = "github.com/acme/shop";

async fn ask(github: &GitHub, question: Question) -> Told {
    github.answer(&question).unwrap().await
}

fn file(path: &str, at: Option<&str>) -> Question {
    Question::File { repository: SHOP.to_owned(), path: path.to_owned(), at: at.map(str::to_owned) }
}

#[tokio::test]
async fn a_file_is_read_as_it_is() {
    let (github, stub) = github(|asked| match asked.path.as_str() {
        "/repos/acme/shop/contents/.github/CODE%20OWNERS?ref=release%2F1" => {
            Reply::Of(200, vec![("content-type", "application/vnd.github.raw+json".to_owned())], "* @ann\n".to_owned())
        }
        "/repos/acme/shop/contents/docs" => Reply::json(&json!([{"name": "a.md"}])),
        _ => missing(),
    })
    .await;
    let told = ask(&github, file(".github/CODE OWNERS", Some("release/1"))).await;
    assert_eq!((told.answer, told.calls), (Ok(json!("* @ann\n")), 1));
    assert_eq!(stub.asked()[0].headers["accept"], "application/vnd.github.raw+json");
    assert_eq!(ask(&github, file("CODEOWNERS", None)).await.answer, Ok(Value::Null));
    assert_eq!(ask(&github, file("docs", None)).await.answer, Ok(Value::Null), "a folder is no file");
    assert!(!ask(&github, file("../../user", None)).await.answer.unwrap_err().transient);
}

#[tokio::test]
async fn every_page_of_the_changed_files_is_read() {
    let (github, _stub) = github(|asked| {
        let page: u32 = asked.path.split("&page=").nth(1).unwrap().parse().unwrap();
        let reply = Reply::json(&json!([{"filename": format!("src/{page}.rs"), "previous_filename": "old.rs"}]));
        if page < 3 { reply.with("link", "<https://api.github.com/x?page=9>; rel=\"next\"") } else { reply }
    })
    .await;
    let told = ask(&github, Question::ChangedFiles { repository: SHOP.to_owned(), number: 7 }).await;
    assert_eq!(told.answer, Ok(json!(["src/1.rs", "old.rs", "src/2.rs", "old.rs", "src/3.rs", "old.rs"])));
    assert_eq!(told.calls, 3);
}

#[tokio::test]
async fn a_change_is_told_as_it_is_now() {
    let (github, _stub) = github(|asked| match asked.path.as_str() {
        "/repos/acme/shop/pulls/7" => Reply::text(200, PULL),
        path if path.contains("/reviews") => Reply::text(200, REVIEWS),
        _ => missing(),
    })
    .await;
    let told = ask(&github, Question::Change { repository: SHOP.to_owned(), number: 7 }).await;
    let now: ChangeNow = from_value(told.answer.unwrap()).unwrap();
    insta::assert_debug_snapshot!(now, @r#"
    ChangeNow {
        author: "gsmet",
        draft: false,
        open: true,
        base_branch: "main",
        head_sha: "07374fe73aff1c2024a8d4114b32406c7a8e89b7",
        requested_reviewers: [],
        requested_teams: [],
        reviewers: [],
    }
    "#);
    let told = ask(&github, Question::Change { repository: SHOP.to_owned(), number: 8 }).await;
    assert_eq!(told.answer, Ok(Value::Null));
}

#[tokio::test]
async fn open_reviews_are_counted_by_reviewer() {
    let (github, _stub) = github(|_| {
        let waits = |names: &[&str]| json!({"requested_reviewers": names.iter().map(|n| json!({"login": n})).collect::<Vec<_>>()});
        Reply::json(&json!([waits(&["ann", "bob"]), waits(&["ann"]), waits(&[])]))
    })
    .await;
    let told = ask(&github, Question::OpenReviews { repository: SHOP.to_owned() }).await;
    assert_eq!(told.answer, Ok(json!({"ann": 2, "bob": 1})));
}

#[tokio::test]
async fn why_there_is_no_answer_says_whether_to_ask_again() {
    let question = || Question::OpenReviews { repository: SHOP.to_owned() };
    let mut reasons = Vec::new();
    for (status, transient) in [(500, true), (429, true), (404, false), (403, false), (401, false), (301, false)] {
        let (github, _stub) = github(move |_| Reply::status(status, &json!({"message": "because"}))).await;
        let unavailable = ask(&github, question()).await.answer.unwrap_err();
        assert_eq!(unavailable.transient, transient, "{status}");
        reasons.push(unavailable.reason);
    }
    drop(rustls::crypto::ring::default_provider().install_default());
    let away = GitHub::new(&settings(&nobody().await)).unwrap();
    assert!(ask(&away, question()).await.answer.unwrap_err().transient);
    insta::assert_snapshot!(reasons.join("\n"), @"
    GitHub answered 500 Internal Server Error: because
    GitHub limits requests for 60 s
    github.com/acme/shop: there is none, or the App or token may not see it: install the App or give access (because)
    github.com/acme/shop: the App or token may not do this, give it the permission (because)
    github.com/acme/shop: GitHub does not accept the token or the App's key: set a valid one in the [[tool]] (because)
    github.com/acme/shop: the repository has moved (301 Moved Permanently): its new name is not known here yet
    ");
}
