//! Actions on GitHub: done once, read back, refused in words.

use super::*;

/// Answers reads as if there were nothing, and writes with this.
async fn outcome(order: &Order, reply: fn() -> Reply) -> Problem {
    let (github, _stub) = github(move |asked| match (asked.method.as_str(), asked.path.as_str()) {
        ("GET", "/repos/acme/shop/pulls/7") => Reply::text(200, PULL),
        ("GET", _) => Reply::text(200, "[]"),
        _ => reply(),
    })
    .await;
    let problem = github.perform(order).await.unwrap_err();
    assert!(!format!("{problem:?}").contains("hidden"), "{problem:?}");
    problem
}

/// A change that waits for reviews of these, and has one of this person.
fn pull(asked: &Asked, requested: &[&str], teams: &[&str], reviewed: &[&str]) -> Reply {
    let users = |names: &[&str]| names.iter().map(|name| json!({"login": name, "type": "User"})).collect::<Vec<_>>();
    if asked.path.contains("/reviews") {
        let reviews: Vec<Value> =
            reviewed.iter().map(|name| json!({"user": {"login": name}, "state": "APPROVED"})).collect();
        return Reply::json(&json!(reviews));
    }
    let mut pull: Value = serde_json::from_str(PULL).unwrap();
    pull["requested_reviewers"] = json!(users(requested));
    pull["requested_teams"] = json!(teams.iter().map(|slug| json!({"slug": slug})).collect::<Vec<_>>());
    Reply::status(if asked.method == "GET" { 200 } else { 201 }, &pull)
}

#[tokio::test]
async fn only_those_are_asked_who_were_not_and_have_not_reviewed() {
    let (github, stub) = github(|asked| pull(asked, &["BOB"], &["core"], &["carol"])).await;
    let receipt = github.perform(&request_reviewers()).await.unwrap();
    assert_eq!((receipt.place.as_str(), receipt.unchanged), ("github.com/acme/shop#7", false));
    let asked = stub.asked();
    let last = asked.last().unwrap();
    assert_eq!((last.method.as_str(), last.path.as_str()), ("POST", "/repos/acme/shop/pulls/7/requested_reviewers"));
    assert_eq!(last.body, json!({"reviewers": ["ann"], "team_reviewers": []}));
    assert_eq!(last.headers["authorization"], format!("Bearer {TOKEN}"));
}

#[tokio::test]
async fn nobody_is_asked_twice() {
    let (github, stub) = github(|asked| pull(asked, &["bob"], &["core"], &["ann"])).await;
    assert!(github.perform(&request_reviewers()).await.unwrap().unchanged);
    assert!(stub.asked().iter().all(|asked| asked.method == "GET"));
    assert!(matches!(github.find(&request_reviewers()).await, Ok(Sought::Done(_))));
}

#[tokio::test]
async fn a_request_that_was_lost_is_not_done() {
    let (github, _stub) = github(|asked| pull(asked, &["bob"], &["core"], &[])).await;
    assert_eq!(github.find(&request_reviewers()).await, Ok(Sought::NotDone));
}

#[tokio::test]
async fn a_refused_request_says_who_cannot_review() {
    let mut reasons = Vec::new();
    for problem in [
        outcome(&request_reviewers(), || {
            Reply::status(
                422,
                &json!({"message": "Reviews may only be requested from \
            collaborators. One or more of the users or teams you specified is not a collaborator of the acme/shop \
            repository."}),
            )
        })
        .await,
        outcome(&request_reviewers(), || {
            Reply::status(
                422,
                &json!({"message": "Validation Failed",
            "errors": ["Review cannot be requested from pull request author."]}),
            )
        })
        .await,
        outcome(&request_reviewers(), || {
            Reply::status(403, &json!({"message": "Resource not accessible by integration"}))
                .with("x-accepted-github-permissions", "pull_requests=write")
        })
        .await,
        outcome(&request_reviewers(), || Reply::status(401, &json!({"message": "Bad credentials"}))).await,
    ] {
        match problem {
            Problem::Never { reason } => reasons.push(reason),
            other @ (Problem::Later { .. } | Problem::InDoubt { .. }) => panic!("{other:?}"),
        }
    }
    insta::assert_snapshot!(reasons.join("\n"), @"
    github.com/acme/shop: somebody who is to review has no access to the repository: give them access, or leave them out (Reviews may only be requested from collaborators. One or more of the users or teams you specified is not a collaborator of the acme/shop repository.)
    github.com/acme/shop: the author of a change cannot review it (Validation Failed: Review cannot be requested from pull request author.)
    github.com/acme/shop: the App or token may not do this, give it pull_requests=write (Resource not accessible by integration)
    github.com/acme/shop: GitHub does not accept the token or the App's key: set a valid one in the [[tool]] (Bad credentials)
    ");
}

#[tokio::test]
async fn github_is_waited_for_as_long_as_it_asks() {
    let wait = |problem: Problem| match problem {
        Problem::Later { after, .. } => after.unwrap(),
        other @ (Problem::Never { .. } | Problem::InDoubt { .. }) => panic!("{other:?}"),
    };
    let limited = || Reply::status(403, &json!({"message": "You have exceeded a secondary rate limit."}));
    assert_eq!(wait(outcome(&comment("x"), limited).await), Duration::from_secs(60));
    let asked = || Reply::status(429, &json!({"message": "slow down"})).with("retry-after", "17");
    assert_eq!(wait(outcome(&comment("x"), asked).await), Duration::from_secs(17));
    let used_up = || {
        let reset = (Utc::now().timestamp() + 600).to_string();
        Reply::status(403, &json!({"message": "API rate limit exceeded"}))
            .with("x-ratelimit-remaining", "0")
            .with("x-ratelimit-reset", &reset)
    };
    let seconds = wait(outcome(&comment("x"), used_up).await).as_secs();
    assert!((590..=602).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn what_may_have_been_written_is_in_doubt() {
    for order in [comment("x"), add_labels(), request_reviewers()] {
        assert!(matches!(outcome(&order, || Reply::text(502, "<html>")).await, Problem::InDoubt { .. }));
        assert!(matches!(outcome(&order, || Reply::Break).await, Problem::InDoubt { .. }));
        assert!(matches!(outcome(&order, || Reply::text(201, "<html>")).await, Problem::InDoubt { .. }));
    }
}

#[tokio::test]
async fn a_write_that_is_never_answered_is_in_doubt_and_a_read_is_not() {
    for (hangs, in_doubt) in [("POST", true), ("GET", false)] {
        let reply = move |asked: &Asked| if asked.method == hangs { Reply::Hang } else { Reply::text(200, "[]") };
        let (mut github, stub) = github(reply).await;
        github.http = Http::within(Duration::from_millis(100), [stub.url.as_str()], Veil::default()).unwrap();
        let problem = github.perform(&comment("x")).await.unwrap_err();
        assert_eq!(matches!(problem, Problem::InDoubt { .. }), in_doubt, "{problem:?}");
    }
}

#[tokio::test]
async fn what_github_did_not_hear_or_only_read_is_tried_later() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let away = GitHub::new(&settings(&nobody().await)).unwrap();
    assert!(matches!(away.perform(&comment("x")).await, Err(Problem::Later { .. })));
    let (ailing, stub) = github(|_| Reply::text(500, "")).await;
    assert!(matches!(ailing.perform(&comment("x")).await, Err(Problem::Later { .. })));
    assert!(matches!(ailing.find(&comment("x")).await, Err(Problem::Later { .. })));
    assert!(stub.asked().iter().all(|asked| asked.method == "GET"));
}

/// A change with these comments, in a forge that knows us as `devhose-bot`.
fn comments(all: Value) -> impl Fn(&Asked) -> Reply + Send + Sync + 'static {
    move |asked| match (asked.method.as_str(), asked.path.as_str()) {
        (_, "/user") => Reply::json(&json!({"login": "devhose-bot", "type": "User"})),
        ("GET", path) if path.contains("/issues/7/comments") => Reply::json(&all),
        ("GET", path) if path.contains("/issues/comments/") => missing(),
        _ => Reply::status(201, &json!({"id": 99, "html_url": "https://github.com/acme/shop/pull/7#issuecomment-99"})),
    }
}

fn written(id: u64, login: &str, text: &str) -> Value {
    let body = comment::body(&mark(0), "reviewers", text);
    json!({"id": id, "user": {"login": login, "type": "User"}, "body": body, "html_url": null})
}

#[tokio::test]
async fn a_comment_carries_its_mark_and_its_topic() {
    let (github, stub) = github(comments(json!([]))).await;
    let receipt = github.perform(&comment("Asked @ann.\n<!-- devhose:forged -->")).await.unwrap();
    assert_eq!(receipt.id, "99");
    let asked = stub.asked();
    let body = asked.last().unwrap().body["body"].as_str().unwrap();
    insta::assert_snapshot!(body.replace(&mark(0).event.to_string(), "EVENT"), @"
    Asked @ann.
    &lt;!-- devhose:forged -->

    <!-- devhose-topic:reviewer-assignment/reviewers -->
    <!-- devhose:reviewer-assignment/EVENT/0.0 -->
    ");
    assert_eq!(Mark::find(body), Some(mark(0)));
}

#[tokio::test]
async fn the_own_comment_of_the_topic_is_updated_and_nobody_elses() {
    let (github, stub) = github(comments(json!([written(1, "mallory", "x"), written(2, "Devhose-Bot", "old")]))).await;
    github.perform(&comment("new")).await.unwrap();
    assert_eq!(stub.calls().last().unwrap(), "PATCH /repos/acme/shop/issues/comments/2");
    let same = Order { mark: mark(5), ..comment("old") };
    assert!(github.perform(&same).await.unwrap().unchanged);
    assert!(stub.calls().iter().all(|call| call.starts_with("GET")));
}

#[tokio::test]
async fn a_comment_of_somebody_else_with_our_lines_is_left_alone() {
    let (github, stub) = github(comments(json!([written(1, "mallory", "x")]))).await;
    github.perform(&comment("new")).await.unwrap();
    assert_eq!(stub.calls().last().unwrap(), "POST /repos/acme/shop/issues/7/comments");
    assert_eq!(github.find(&comment("new")).await, Ok(Sought::NotDone));
}

#[tokio::test]
async fn a_comment_is_found_again_by_its_mark() {
    let (github, _stub) = github(comments(json!([written(2, "devhose-bot", "x")]))).await;
    assert!(matches!(github.find(&comment("x")).await, Ok(Sought::Done(receipt)) if receipt.id == "2"));
    let other = Order { mark: mark(3), ..comment("x") };
    assert_eq!(github.find(&other).await, Ok(Sought::NotDone));
}

#[tokio::test]
async fn a_comment_that_was_deleted_is_written_anew() {
    let (github, stub) = github(comments(json!([]))).await;
    let earlier = Receipt { id: "55".to_owned(), ..Receipt::default() };
    let receipt = github.perform(&Order { earlier: Some(earlier), ..comment("x") }).await.unwrap();
    assert_eq!(receipt.id, "99");
    assert!(stub.calls()[0].ends_with("/issues/comments/55"));
}

#[tokio::test]
async fn a_label_that_is_there_stays() {
    let there = |asked: &Asked| {
        assert!(asked.method == "GET" || asked.body == json!({"labels": ["risky"]}));
        Reply::json(&json!([{"name": "backend"}]))
    };
    let (github, stub) = github(there).await;
    assert!(!github.perform(&add_labels()).await.unwrap().unchanged);
    assert_eq!(stub.calls().last().unwrap(), "POST /repos/acme/shop/issues/7/labels");
    assert_eq!(github.find(&add_labels()).await, Ok(Sought::NotDone));
    let (github, _stub) = super::github(|_| Reply::json(&json!([{"name": "Risky"}, {"name": "backend"}]))).await;
    assert!(github.perform(&add_labels()).await.unwrap().unchanged);
    assert!(matches!(github.find(&add_labels()).await, Ok(Sought::Done(_))));
}
