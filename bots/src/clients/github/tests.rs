//! The client of GitHub against a stand-in on this machine.

use std::time::Duration;

use bus::ids::EventId;
use bus::mark::Mark;
use serde_json::{Value, from_value, json};

use super::*;
use crate::clients::connect;
use crate::clients::stub::{Asked, Reply, Stub, nobody};

mod acting;
mod asking;

const TOKEN: &str = "github_pat_11ABCDEFG0hidden_mNoPqRsTuVwXyZ";
const PULL: &str = include_str!("../../../testdata/github/pull.json");
const REVIEWS: &str = include_str!("../../../testdata/github/reviews.json");
const KEY: &str = include_str!("../../../testdata/github/app.pem");

fn settings(url: &str) -> ToolSettings {
    from_value(json!({"name": "github", "host": "github.com", "token": TOKEN, "url": url})).unwrap()
}

async fn github(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> (GitHub, Stub) {
    let stub = Stub::start(answer).await;
    (GitHub::new(&settings(&stub.url)).unwrap(), stub)
}

fn mark(index: u32) -> Mark {
    let event = EventId::derive(&"github/acme".parse().unwrap(), &"d-1".parse().unwrap(), 0);
    Mark { bot: "reviewer-assignment".to_owned(), event, round: 0, index }
}

fn order(action: Action) -> Order {
    Order { mark: mark(0), action, earlier: None, thread: None }
}

fn request_reviewers() -> Order {
    let (reviewers, teams) = (vec!["ann".to_owned(), "Bob".to_owned()], vec!["core".to_owned()]);
    order(Action::RequestReviewers { repository: "github.com/acme/shop".to_owned(), number: 7, reviewers, teams })
}

fn comment(text: &str) -> Order {
    let (repository, topic) = ("github.com/acme/shop".to_owned(), "reviewers".to_owned());
    order(Action::Comment { repository, number: 7, text: text.to_owned(), topic })
}

fn add_labels() -> Order {
    let labels = vec!["risky".to_owned(), "Backend".to_owned()];
    order(Action::AddLabels { repository: "github.com/acme/shop".to_owned(), number: 7, labels })
}

fn missing() -> Reply {
    Reply::status(404, &json!({"message": "Not Found"}))
}

#[test]
fn content_of_one_owner_shares_a_pace() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let github = GitHub::new(&settings("http://127.0.0.1:1")).unwrap();
    let destination = github.destination(&comment("x").action).unwrap();
    assert_eq!(destination, Destination { name: "github/acme".to_owned(), pace_millis: 1000 });
    let elsewhere = Action::AddLabels { repository: "git.acme.example/a/b".to_owned(), number: 1, labels: vec![] };
    assert_eq!(github.destination(&elsewhere), None, "another forge is not ours");
    assert!(github.answer(&Question::OpenReviews { repository: "gitlab.com/acme/shop".to_owned() }).is_none());
}

#[test]
fn an_enterprise_server_has_its_own_address() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let of = |settings: Value| {
        let github = GitHub::new(&from_value(settings).unwrap()).unwrap();
        (github.host, github.base)
    };
    let pair = |host: &str, base: &str| (host.to_owned(), base.to_owned());
    assert_eq!(of(json!({"token": "x"})), pair("github.com", "https://api.github.com"));
    assert_eq!(of(json!({"token": "x", "host": "Git.Acme"})), pair("git.acme", "https://git.acme/api/v3"));
    assert_eq!(
        of(json!({"token": "x", "url": "https://git.acme/api/v3/"})),
        pair("git.acme", "https://git.acme/api/v3")
    );
}

#[test]
fn wrong_settings_say_what_to_do() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let wrong = |settings: Value| connect(&[from_value(settings).unwrap()], &[]).err().unwrap().to_string();
    insta::assert_snapshot!(wrong(json!({"name": "github"})), @r#"tool "github": set `app_id` and `private_key` of a GitHub App, or `token` to a fine-grained token (contents: read, pull requests: write, issues: write)"#);
    insta::assert_snapshot!(wrong(json!({"name": "github", "token": "x", "app_id": 1})), @r#"tool "github": set either `token`, or `app_id` with `private_key`, not both"#);
    insta::assert_snapshot!(wrong(json!({"name": "github", "app_id": 1})), @r#"tool "github": `app_id` needs `private_key`: the .pem file that GitHub made for the App"#);
    insta::assert_snapshot!(wrong(json!({"name": "github", "app_id": 1, "private_key": "/nowhere/app.pem"})), @r#"tool "github": `private_key` is neither a PEM nor a file that can be read (entity not found)"#);
    insta::assert_snapshot!(wrong(json!({"name": "github", "app_id": 1, "private_key": "-----BEGIN hidden"})), @r#"tool "github": `private_key` is no RSA key in PEM: take the .pem file that GitHub made for the App"#);
    insta::assert_snapshot!(wrong(json!({"name": "github", "token": "x", "url": "git.acme"})), @r#"tool "github": `url` is no address that begins with https://"#);
}

#[tokio::test]
async fn an_app_asks_through_its_installation_for_the_owner() {
    let stub = Stub::start(|asked| match asked.path.as_str() {
        "/repos/acme/shop/installation" => Reply::json(&json!({"id": 42})),
        "/app/installations/42/access_tokens" => Reply::status(
            201,
            &json!({"token": "ghs_installed", "expires_at": "2999-01-01T00:00:00Z",
                "permissions": {}, "repositories": []}),
        ),
        "/repos/acme/shop/pulls/7" => Reply::text(200, PULL),
        _ => Reply::text(200, "[]"),
    })
    .await;
    let settings = json!({"name": "github", "host": "github.com", "app_id": 1, "private_key": KEY, "url": stub.url});
    let github = GitHub::new(&from_value(settings).unwrap()).unwrap();
    let question = Question::Change { repository: "github.com/acme/shop".to_owned(), number: 7 };
    assert!(github.answer(&question).unwrap().await.answer.is_ok());
    let asked = stub.asked();
    let of =
        |path: &str| asked.iter().find(|asked| asked.path == path).unwrap().headers["authorization"].to_str().unwrap();
    assert!(of("/repos/acme/shop/installation").starts_with("Bearer eyJ"), "signed by the App's key");
    assert_eq!(of("/repos/acme/shop/pulls/7"), "Bearer ghs_installed");
    assert!(github.answer(&question).unwrap().await.answer.is_ok());
    assert_eq!(stub.asked().len(), 2, "the installation and its token are known by now");
}

#[tokio::test]
async fn an_app_that_is_not_installed_says_so() {
    let stub = Stub::start(|_| missing()).await;
    let settings = json!({"name": "github", "host": "github.com", "app_id": 1, "private_key": KEY, "url": stub.url});
    let github = GitHub::new(&from_value(settings).unwrap()).unwrap();
    let problem = github.perform(&comment("x")).await.unwrap_err();
    assert!(matches!(&problem, Problem::Never { reason } if reason.contains("not installed")), "{problem:?}");
}
