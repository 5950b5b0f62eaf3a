//! What people and bots say in Slack, what is answered, and what is left out.

use std::collections::BTreeSet;

use super::*;
use crate::senders::fixtures;

fn show(name: &str) -> String {
    fixtures::print(&normalize(&fixtures::load("slack", name)).unwrap())
}

fn id_of(name: &str) -> Option<String> {
    Some(delivery_id(&HeaderMap::new(), &fixtures::load("slack", name).content.body)?.to_string())
}

#[test]
fn a_message_is_posted_in_a_channel_or_a_thread() {
    insta::assert_snapshot!(show("event_callback-message-ours"), @r#"
    message.posted C0PAYMENTS/1767609000.000200 at 2026-01-05T10:30:00.000200Z
    source https://app.slack.com/client/T061EG9R6, key C0PAYMENTS
    {
      "author": {
        "handle": "U2147483697"
      },
      "channel": "C0PAYMENTS",
      "id": "1767609000.000200",
      "text": "<@U0BOTUSER1> why was checkout killed?",
      "thread": "1767608700.000100"
    }
    "#);
}

#[test]
fn what_a_bot_posted_carries_the_mark_of_its_action() {
    insta::assert_snapshot!(show("event_callback-message-of-a-bot-ours"), @r#"
    message.posted C0PAYMENTS/1767608700.000100 at 2026-01-05T10:25:00.000100Z
    source https://app.slack.com/client/T061EG9R6, key C0PAYMENTS
    {
      "author": {
        "bot": true,
        "handle": "U0BOTUSER1"
      },
      "channel": "C0PAYMENTS",
      "id": "1767608700.000100",
      "origin": "killed-pods/d5c9dd48-306d-5a84-aba5-f61bdba4312f/0.0",
      "text": "checkout was killed: out of memory"
    }
    "#);
    let origin = |event_type: &str, mark: &str| {
        let payload = serde_json::json!({"mark": mark});
        Metadata { event_type: Some(event_type.to_owned()), event_payload: Some(payload) }.origin()
    };
    let mark = "killed-pods/d5c9dd48-306d-5a84-aba5-f61bdba4312f/0.0";
    assert!(origin(ACTION, mark).is_some());
    assert_eq!((origin("another_app", mark), origin(ACTION, "no mark")), (None, None));
}

#[test]
fn a_button_and_a_menu_answer_their_message() {
    insta::assert_snapshot!(show("block_actions-button-ours"), @r#"
    message.answered C0PAYMENTS/1767608700.000100 at 2026-01-05T10:32:00.123456Z
    source https://app.slack.com/client/T061EG9R6, key C0PAYMENTS
    {
      "author": {
        "handle": "U2147483697"
      },
      "button": "quiet",
      "channel": "C0PAYMENTS",
      "id": "1767608700.000100",
      "origin": "killed-pods/d5c9dd48-306d-5a84-aba5-f61bdba4312f/0.0",
      "value": "checkout"
    }
    "#);
    insta::assert_snapshot!(show("block_actions-select-ours"), @r#"
    message.answered C0PAYMENTS/1767608700.000100 at 2026-01-05T10:33:00.654321Z
    source https://app.slack.com/client/T061EG9R6, key C0PAYMENTS
    {
      "author": {
        "handle": "U2147483697"
      },
      "button": "level",
      "channel": "C0PAYMENTS",
      "id": "1767608700.000100",
      "origin": "killed-pods/d5c9dd48-306d-5a84-aba5-f61bdba4312f/0.0",
      "thread": "1767608000.000100",
      "value": "working-hours"
    }
    "#);
}

#[test]
fn a_command_is_invoked() {
    insta::assert_snapshot!(show("command-ours"), @r#"
    command.invoked /deploys at 2026-01-02T03:04:05Z
    source https://app.slack.com/client/T061EG9R6, key C0PAYMENTS
    {
      "author": {
        "handle": "U2147483697"
      },
      "channel": "C0PAYMENTS",
      "command": "/deploys",
      "text": "checkout production"
    }
    "#);
}

#[test]
fn an_older_outgoing_webhook_stays_slacks_own_with_its_person_in_the_usual_shape() {
    insta::assert_snapshot!(show("message_info-zulip"), @r#"
    com.slack.outgoing_webhook C3W8CTZFZ at 2017-02-01T11:07:43.000010Z
    source https://app.slack.com/client/T3W8CTX0F, key https://app.slack.com/client/T3W8CTX0F
    {
      "channel_id": "C3W8CTZFZ",
      "channel_name": "general",
      "service_id": "133126759712",
      "team_domain": "gsoc2017",
      "team_id": "T3W8CTX0F",
      "text": "test",
      "timestamp": "1485947263.000010",
      "user": {
        "id": "U3W8CTX2T",
        "name": "slack_user"
      }
    }
    "#);
}

#[test]
fn what_is_edited_or_submitted_stays_slacks_own_without_what_lets_one_act() {
    insta::assert_snapshot!(show("event_callback-message_changed-ours"), @r#"
    com.slack.message.message_changed C0PAYMENTS at 2026-01-05T10:31:00.000300Z
    source https://app.slack.com/client/T061EG9R6, key https://app.slack.com/client/T061EG9R6
    {
      "channel": "C0PAYMENTS",
      "channel_type": "channel",
      "event_ts": "1767609060.000300",
      "message": {
        "edited": {
          "ts": "1767609060.000000",
          "user": "U2147483697"
        },
        "text": "why was checkout killed twice?",
        "ts": "1767609000.000200",
        "type": "message",
        "user": "U2147483697"
      },
      "subtype": "message_changed",
      "ts": "1767609060.000300",
      "type": "message"
    }
    "#);
    insta::assert_snapshot!(show("view_submission-ours"), @r#"
    com.slack.view_submission https://app.slack.com/client/T061EG9R6 at 2026-01-02T03:04:05Z
    source https://app.slack.com/client/T061EG9R6, key https://app.slack.com/client/T061EG9R6
    {
      "api_app_id": "A0PNCHHK2",
      "team": {
        "domain": "acme",
        "id": "T061EG9R6"
      },
      "type": "view_submission",
      "user": {
        "id": "U2147483697",
        "name": "dev-ada",
        "team_id": "T061EG9R6",
        "username": "dev-ada"
      },
      "view": {
        "callback_id": "quiet-rule",
        "hash": "1767609200.abc",
        "id": "VNHU13V36",
        "private_metadata": "",
        "state": {
          "values": {}
        },
        "team_id": "T061EG9R6",
        "type": "modal"
      }
    }
    "#);
    for (name, delivery) in fixtures::all("slack") {
        for draft in normalize(&delivery).unwrap() {
            let told = draft.data.to_value().unwrap().to_string();
            for secret in ["token\":", "response_url", "trigger_id", "hooks.slack.com"] {
                assert!(!told.contains(secret), "{name}: {told}");
            }
        }
    }
}

#[test]
fn only_the_question_whether_the_endpoint_is_meant_gets_an_answer_that_says_something() {
    let reply = |name: &str| reply(&HeaderMap::new(), &fixtures::load("slack", name).content.body);
    let challenge = "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P";
    assert_eq!(reply("url_verification-ours"), Reply::Challenge(challenge.to_owned()));
    assert_eq!(reply("event_callback-message-ours"), Reply::Receipt);
    assert_eq!((reply("command-ours"), reply("block_actions-button-ours")), (Reply::Empty, Reply::Empty));
    assert_eq!(normalize(&fixtures::load("slack", "url_verification-ours")).unwrap(), []);
}

#[test]
fn deliveries_are_named_by_what_stays_the_same() {
    let names = ["event_callback-message-ours", "block_actions-button-ours", "command-ours", "url_verification-ours"];
    let ids = names.map(|name| id_of(name).unwrap_or_else(|| "-".to_owned()));
    insta::assert_snapshot!(ids.join("\n"), @"
    Ev08MFMKH7
    interaction/12466734323.1395872398.69bfd3b8
    command/13345224609.738474920.8088930838d88f008e0
    -
    ");
}

#[test]
fn the_whole_map() {
    let mut kinds: BTreeSet<String> = BTreeSet::new();
    for (_, delivery) in fixtures::all("slack") {
        kinds.extend(normalize(&delivery).unwrap().iter().map(|draft| draft.kind.to_string()));
    }
    let kinds: Vec<_> = kinds.iter().map(|kind| kind.trim_start_matches("com.slack")).collect();
    insta::assert_snapshot!(kinds.chunks(5).map(|kinds| kinds.join(" ")).collect::<Vec<_>>().join("\n"), @"
    .app_home_opened .app_mention .app_rate_limited .app_requested .app_uninstalled
    .call_rejected .channel_archive .channel_created .channel_deleted .channel_history_changed
    .channel_id_changed .channel_left .channel_rename .channel_unarchive .channel_unshared
    .dnd_updated .dnd_updated_user .email_domain_changed .file_created .file_public
    .file_shared .file_unshared .goodbye .grid_migration_started .group_archive
    .group_close .group_deleted .group_open .group_rename .group_unarchive
    .im_close .im_created .im_history_changed .im_open .link_shared
    .message .message.channel_leave .message.channel_name .message.channel_purpose .message.channel_topic
    .message.channel_unarchive .message.group_topic .message.me_message .message.message_changed .outgoing_webhook
    .pin_added .reaction_added .reaction_removed .resources_added .resources_removed
    .scope_denied .scope_granted .star_added .subteam_created .subteam_members_changed
    .subteam_self_added .subteam_updated .team_access_granted .team_access_revoked .team_domain_change
    .team_join .team_rename .user_huddle_changed .user_profile_changed .user_resource_granted
    .user_resource_removed .user_status_changed .view_submission .workflow_deleted .workflow_published
    .workflow_step_deleted .workflow_step_execute .workflow_unpublished command.invoked message.answered
    message.posted
    ");
}

#[test]
fn whatever_comes_is_kept() {
    let kind = |body: &str| {
        let headers = [("content-type".to_owned(), "application/json".to_owned())];
        let drafts = normalize(&fixtures::delivery("slack", &headers, body.as_bytes().to_vec()));
        drafts.map(|drafts| drafts[0].kind.name().to_owned()).unwrap_or_else(|error| error.to_string())
    };
    let strange = [
        "{}",
        r#"{"type": 7}"#,
        r#"{"type": "event_callback", "event": "text"}"#,
        r#"{"type": "event_callback", "event": {"type": "message", "channel": ["C"]}}"#,
        "payload=%7B%22type%22%3A%22block_actions%22%2C%22actions%22%3A5%7D",
        "payload=%5B%5D",
        "payload=",
        "",
        "{",
    ];
    insta::assert_snapshot!(strange.map(kind).join("\n"), @"
    com.slack.event
    com.slack.event
    com.slack.event
    com.slack.message
    com.slack.block_actions
    com.slack.interaction
    the body is not JSON: EOF while parsing a value at line 1 column 0
    com.slack.outgoing_webhook
    the body is not JSON: EOF while parsing an object at line 1 column 1
    ");
}
