//! The client of Slack against a stand-in on this machine: every outcome of a post, an update and a search.

use std::time::Duration;

use bus::ids::EventId;
use serde_json::from_value;

use super::*;
use crate::clients::connect;
use crate::clients::stub::{Asked, Reply, Stub, nobody};
use crate::message::Message;

const TOKEN: &str = "xoxb-123456789012-hidden-token";

fn mark(index: u32) -> Mark {
    let event = EventId::derive(&"kubernetes/eu-1".parse().unwrap(), &"d-1".parse().unwrap(), 0);
    Mark { bot: "killed-pods".to_owned(), event, round: 0, index }
}

fn order(channel: &str) -> Order {
    let message = Message::line("checkout was killed");
    let audience = Audience::Channel(channel.to_owned());
    let action = Action::PostMessage { audience, message, group: None, in_thread_of: None };
    Order { mark: mark(0), action, earlier: None, thread: None }
}

fn posted(ts: &str) -> Receipt {
    Receipt { place: "C012AB3CD".to_owned(), id: ts.to_owned(), url: None, unchanged: false }
}

fn settings(url: &str) -> ToolSettings {
    from_value(json!({
        "name": "slack", "token": TOKEN, "url": url, "workspace": "https://acme.slack.example/",
        "webhooks": {"hooked": format!("{url}/services/T0/B0/hidden-path")},
    }))
    .unwrap()
}

async fn slack(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> (Slack, Stub) {
    let stub = Stub::start(answer).await;
    (Slack::new(&settings(&stub.url)).unwrap(), stub)
}

/// The outcome of posting where Slack always answers so.
async fn outcome(reply: fn() -> Reply) -> Problem {
    let (slack, _stub) = slack(move |_| reply()).await;
    let problem = slack.perform(&order("#payments")).await.unwrap_err();
    assert!(!format!("{problem:?}").contains("hidden"), "{problem:?}");
    problem
}

fn refused(error: &'static str) -> Reply {
    Reply::json(&json!({"ok": false, "error": error}))
}

fn fine(_: &Asked) -> Reply {
    Reply::json(&json!({"ok": true, "channel": "C012AB3CD", "ts": "1700000000.000100"}))
}

#[tokio::test]
async fn a_message_is_posted_with_its_mark() {
    let (slack, stub) = slack(fine).await;
    let receipt = slack.perform(&order("payments")).await.unwrap();
    assert_eq!(receipt.url.as_deref(), Some("https://acme.slack.example/archives/C012AB3CD/p1700000000000100"));
    assert_eq!(Receipt { url: None, ..receipt }, posted("1700000000.000100"));
    let [asked] = &stub.asked()[..] else { panic!("one call") };
    assert_eq!(asked.path, "/chat.postMessage");
    assert_eq!(asked.headers["authorization"], format!("Bearer {TOKEN}"));
    assert_eq!(asked.body["channel"], "#payments");
    assert_eq!(asked.body["text"], "checkout was killed");
    assert_eq!(asked.body["metadata"]["event_payload"]["mark"], mark(0).to_string());
    assert_eq!(asked.body["unfurl_links"], false);
    assert!(asked.body.get("thread_ts").is_none());
}

#[tokio::test]
async fn a_message_in_a_thread_goes_to_the_channel_of_the_thread() {
    let (slack, stub) = slack(fine).await;
    let order = Order { thread: Some(posted("1600000000.000100")), ..order("#payments") };
    slack.perform(&order).await.unwrap();
    let asked = stub.asked();
    assert_eq!(asked[0].body["thread_ts"], "1600000000.000100");
    assert_eq!(asked[0].body["channel"], "C012AB3CD");
}

#[tokio::test]
async fn an_earlier_message_is_updated_in_place() {
    let (slack, stub) = slack(fine).await;
    let order = Order { earlier: Some(posted("1600000000.000100")), ..order("#payments") };
    slack.perform(&order).await.unwrap();
    let asked = stub.asked();
    assert_eq!(asked[0].path, "/chat.update");
    assert_eq!(asked[0].body["ts"], "1600000000.000100");
    assert_eq!(asked[0].body["channel"], "C012AB3CD");
}

#[tokio::test]
async fn a_message_that_can_no_longer_be_updated_is_posted_anew() {
    for error in ["message_not_found", "cant_update_message", "edit_window_closed"] {
        let (slack, stub) =
            slack(move |asked| if asked.path == "/chat.update" { refused(error) } else { fine(asked) }).await;
        let order = Order { earlier: Some(posted("1600000000.000100")), ..order("#payments") };
        assert_eq!(slack.perform(&order).await.unwrap().id, "1700000000.000100");
        assert_eq!(stub.calls(), ["POST /chat.update", "POST /chat.postMessage"]);
    }
}

#[tokio::test]
async fn slack_is_waited_for_as_long_as_it_asks() {
    let later = outcome(|| Reply::text(429, "").with("retry-after", "17")).await;
    assert!(matches!(later, Problem::Later { after: Some(wait), .. } if wait == Duration::from_secs(17)), "{later:?}");
    let later = outcome(|| refused("ratelimited")).await;
    assert!(matches!(later, Problem::Later { after: Some(_), .. }), "{later:?}");
    assert!(matches!(outcome(|| refused("service_unavailable")).await, Problem::Later { after: None, .. }));
}

#[tokio::test]
async fn what_may_have_been_posted_is_in_doubt() {
    assert!(matches!(outcome(|| Reply::text(500, "")).await, Problem::InDoubt { .. }));
    assert!(matches!(outcome(|| Reply::text(200, "<html>")).await, Problem::InDoubt { .. }));
    assert!(matches!(outcome(|| refused("internal_error")).await, Problem::InDoubt { .. }));
    assert!(matches!(outcome(|| Reply::Break).await, Problem::InDoubt { .. }));
}

#[tokio::test]
async fn a_post_that_is_never_answered_is_in_doubt() {
    let (mut slack, stub) = slack(|_| Reply::Hang).await;
    slack.http = Http::within(Duration::from_millis(100), [stub.url.as_str()], Veil::default()).unwrap();
    for channel in ["#payments", "#hooked"] {
        assert!(matches!(slack.perform(&order(channel)).await, Err(Problem::InDoubt { .. })));
    }
}

#[tokio::test]
async fn what_slack_did_not_hear_is_tried_later() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let slack = Slack::new(&settings(&nobody().await)).unwrap();
    for channel in ["#payments", "#hooked"] {
        let problem = slack.perform(&order(channel)).await.unwrap_err();
        assert!(matches!(&problem, Problem::Later { .. }), "{problem:?}");
        assert!(!format!("{problem:?}").contains("hidden"), "{problem:?}");
    }
}

#[tokio::test]
async fn a_refusal_says_what_to_do() {
    let mut reasons = Vec::new();
    for error in ["channel_not_found", "not_in_channel", "invalid_auth", "is_archived", "invalid_blocks", "new_error"] {
        let (slack, _stub) = slack(move |_| refused(error)).await;
        match slack.perform(&order("#payments")).await.unwrap_err() {
            Problem::Never { reason } => reasons.push(reason),
            other @ (Problem::Later { .. } | Problem::InDoubt { .. }) => panic!("{other:?}"),
        }
    }
    let missing = || Reply::json(&json!({"ok": false, "error": "missing_scope", "needed": "chat:write"}));
    reasons.push(format!("{:?}", outcome(missing).await));
    insta::assert_snapshot!(reasons.join("\n"), @r#"
    there is no channel #payments, or it is private: create it, or /invite the app there (channel_not_found)
    the app is not in #payments: /invite it there, or give it the scope chat:write.public (not_in_channel)
    Slack does not accept the token: set `token` of the [[tool]] to the app's bot token (xoxb-…) (invalid_auth)
    #payments is archived: unarchive it, or configure another channel (is_archived)
    Slack does not take the form of the message (invalid_blocks)
    Slack refuses (new_error)
    Never { reason: "the token may not do this: give the app the scope and install it again (missing_scope; needs the scope chat:write)" }
    "#);
}

#[tokio::test]
async fn a_webhook_takes_a_message_and_no_update() {
    let (slack, stub) = slack(|_| Reply::text(200, "ok")).await;
    let receipt = slack.perform(&order("hooked")).await.unwrap();
    assert_eq!(receipt, Receipt { place: "#hooked".to_owned(), ..Receipt::default() });
    let asked = stub.asked();
    assert_eq!(asked[0].path, "/services/T0/B0/hidden-path");
    assert!(asked[0].headers.get("authorization").is_none(), "the token stays here");
    let update = Order { earlier: Some(receipt), ..order("#hooked") };
    assert!(slack.perform(&update).await.unwrap().unchanged);
    assert_eq!(slack.find(&update).await, Ok(Sought::Unknowable));
    assert!(stub.asked().is_empty());
}

#[tokio::test]
async fn what_a_webhook_answers_is_an_outcome() {
    let answered = |status: u16, body: &'static str| async move {
        let (slack, _stub) = slack(move |_| Reply::text(status, body).with("retry-after", "3")).await;
        slack.perform(&order("#hooked")).await.unwrap_err()
    };
    assert!(matches!(answered(429, "").await, Problem::Later { after: Some(_), .. }));
    assert!(matches!(answered(500, "rollup_error").await, Problem::InDoubt { .. }));
    let never = answered(404, "no_service").await;
    assert!(matches!(&never, Problem::Never { reason } if reason.contains("no_service")), "{never:?}");
}

/// A channel in whose history the messages of these marks stand, one on a page.
fn history(marks: Vec<u32>) -> impl Fn(&Asked) -> Reply + Send + Sync + 'static {
    move |asked| {
        if asked.path.starts_with("/conversations.list") {
            return Reply::json(&json!({"ok": true, "channels": [{"id": "C012AB3CD", "name": "payments"}]}));
        }
        let page: usize = asked.path.split("cursor=").nth(1).map_or(0, |rest| rest.parse().unwrap());
        let message = marks.get(page).map(|index| {
            json!({
                "ts": format!("1700000000.00000{page}"), "text": "x",
                "metadata": {"event_type": "devhose_action", "event_payload": {"mark": mark(*index)}},
            })
        });
        let next = if page + 1 < marks.len() { (page + 1).to_string() } else { String::new() };
        Reply::json(&json!({"ok": true, "messages": message.into_iter().collect::<Vec<_>>(),
            "response_metadata": {"next_cursor": next}}))
    }
}

#[tokio::test]
async fn a_message_is_found_again_by_its_mark() {
    let (slack, stub) = slack(history(vec![7, 0])).await;
    let Sought::Done(receipt) = slack.find(&order("#payments")).await.unwrap() else { panic!("it is there") };
    assert_eq!(Receipt { url: None, ..receipt }, posted("1700000000.000001"));
    let calls = stub.calls();
    assert!(calls[0].starts_with("GET /conversations.list?"), "{calls:?}");
    assert!(
        calls[1].starts_with("GET /conversations.history?channel=C012AB3CD&include_all_metadata=true"),
        "{calls:?}"
    );
    assert_eq!(slack.find(&Order { mark: mark(3), ..order("#payments") }).await, Ok(Sought::NotDone));
    assert!(stub.calls()[0].starts_with("GET /conversations.history"), "the id of the channel is known by now");
}

#[tokio::test]
async fn a_reply_is_looked_for_in_its_thread() {
    let (slack, stub) = slack(history(vec![0])).await;
    let order = Order { thread: Some(posted("1600000000.000100")), ..order("#payments") };
    assert!(matches!(slack.find(&order).await, Ok(Sought::Done(_))));
    let calls = stub.calls();
    assert!(
        calls[0].starts_with("GET /conversations.replies") && calls[0].contains("ts=1600000000.000100"),
        "{calls:?}"
    );
}

#[tokio::test]
async fn an_update_is_looked_for_in_the_message_itself() {
    let (slack, stub) = slack(history(vec![0])).await;
    let order = Order { earlier: Some(posted("1700000000.000000")), ..order("#payments") };
    assert!(matches!(slack.find(&order).await, Ok(Sought::Done(_))));
    assert!(stub.calls()[0].contains("latest=1700000000.000000"));
    let other = Order { mark: mark(3), ..order };
    assert_eq!(slack.find(&other).await, Ok(Sought::NotDone));
}

#[tokio::test]
async fn what_cannot_be_looked_through_is_not_known() {
    let (busy, stub) = slack(history((1..100).collect())).await;
    assert_eq!(busy.find(&order("C012AB3CD")).await, Ok(Sought::Unknowable));
    assert_eq!(stub.asked().len(), 5);
    let (closed, _stub) = slack(|_| refused("missing_scope")).await;
    assert_eq!(closed.find(&order("C012AB3CD")).await, Ok(Sought::Unknowable));
    let (away, _stub) = slack(|_| Reply::text(500, "")).await;
    assert!(matches!(away.find(&order("C012AB3CD")).await, Err(Problem::Later { .. })));
}

#[test]
fn actions_to_one_channel_share_a_pace() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let slack = Slack::new(&settings("http://127.0.0.1:1")).unwrap();
    let name = |channel: &str| slack.destination(&order(channel).action).unwrap().name;
    assert_eq!(name("payments"), "slack/#payments");
    assert_eq!(name("#payments"), "slack/#payments");
    assert_eq!(name("C012AB3CD"), "slack/C012AB3CD");
}

#[test]
fn wrong_settings_say_what_to_do() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let wrong = |settings: Value| connect(&[from_value(settings).unwrap()], &[]).err().unwrap().to_string();
    insta::assert_snapshot!(wrong(json!({"name": "slak"})), @r#"tool "slak" is not known: `name` of a [[tool]] is "slack" or "github""#);
    insta::assert_snapshot!(wrong(json!({"name": "slack"})), @r#"tool "slack": set `token` to the app's bot token (xoxb-…, scopes chat:write, channels:history and channels:read), or `webhooks` to incoming webhooks by channel"#);
    insta::assert_snapshot!(wrong(json!({"name": "slack", "webhooks": {"#ops": "T0/B0/hidden"}})), @r#"tool "slack": webhook of #ops: not an address that begins with https://"#);
    insta::assert_snapshot!(wrong(json!({"name": "slack", "token": "x", "app_id": 1})), @r#"tool "slack": `app_id`, `private_key` and `installation` are for a forge: take them out"#);
}
