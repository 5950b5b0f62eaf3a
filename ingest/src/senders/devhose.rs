//! Devhose itself: how the program puts on the bus what its bots did. Nothing comes over HTTP.
//!
//! A delivery is one action, as `application/json`, by whoever performed it:
//!
//! ```json
//! {
//!   "kind": "action.performed",
//!   "time": "2026-01-05T10:25:00Z",
//!   "data": {"id": "killed-pods/d5c9dd48-306d-5a84-aba5-f61bdba4312f/0.0", "bot": "killed-pods", "action": "post-message"}
//! }
//! ```
//!
//! `data` is an [`Action`] whose `id` is its mark. The mark is also the delivery's id, so that an action which is told
//! twice, because the program ended between performing it and noting that, is one event. The source is called
//! `devhose/bots`. This is our own form: whatever else stands in it is an error, not an event of an unknown type.
//!
//! Attributes: `source` is `/bots/NAME`, `subject` the mark; `time` is when the action was performed.

use bus::data::Data;
use bus::data::work::Action;
use bus::delivery::Delivery;
use bus::ids::DeliveryId;
use bus::kind::Kind;
use bus::mark::Mark;
use chrono::{DateTime, Utc};
use http::HeaderMap;
use serde::Deserialize;

use super::reading::event;
use crate::sender::{Draft, Scheme, Sender, Unreadable, receipt};

/// An action is told in some hundred bytes; its texts stay where they were posted.
const BODY_BYTES_MAX: usize = 1 << 20;

/// Devhose as a sender.
pub const DEVHOSE: Sender = Sender {
    name: "devhose",
    title: "Devhose",
    body_bytes_max: BODY_BYTES_MAX,
    scheme: Scheme::Local,
    headers: &[],
    media_types: &["application/json"],
    delivery_id,
    normalize,
    reply: receipt,
    headers_for,
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    kind: Kind,
    time: DateTime<Utc>,
    data: Action,
}

fn delivery_id(_headers: &HeaderMap, body: &[u8]) -> Option<DeliveryId> {
    serde_json::from_slice::<Told>(body).ok()?.data.id.parse().ok()
}

fn normalize(delivery: &Delivery) -> Result<Vec<Draft>, Unreadable> {
    let told: Told = serde_json::from_slice(&delivery.content.body)
        .map_err(|error| Unreadable(format!("the body does not tell of an action: {error}")))?;
    if told.kind != Kind::ActionPerformed {
        return Err(Unreadable(format!("the kind is {}, not {}", told.kind, Kind::ActionPerformed)));
    }
    let mark: Mark =
        told.data.id.parse().map_err(|error| Unreadable(format!("the action has no mark as its id: {error}")))?;
    let source = format!("/bots/{}", mark.bot);
    Ok(vec![event(told.kind, &source, mark.to_string(), told.time, Data::Action(told.data))])
}

fn headers_for(_event: &str, _delivery_id: &str) -> Vec<(&'static str, String)> {
    vec![("content-type", "application/json".to_owned())]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::senders::fixtures;

    fn refused(body: &str) -> String {
        let headers = [("content-type".to_owned(), "application/json".to_owned())];
        normalize(&fixtures::delivery("devhose", &headers, body.as_bytes().to_vec())).unwrap_err().to_string()
    }

    #[test]
    fn what_a_bot_did_is_an_event_under_its_mark() {
        let delivery = fixtures::load("devhose", "action.performed");
        insta::assert_snapshot!(fixtures::print(&normalize(&delivery).unwrap()), @r##"
        action.performed killed-pods/d5c9dd48-306d-5a84-aba5-f61bdba4312f/0.0 at 2026-01-05T10:25:00.250Z
        source /bots/killed-pods, key checkout
        {
          "action": "post-message",
          "bot": "killed-pods",
          "cause": "d5c9dd48-306d-5a84-aba5-f61bdba4312f",
          "id": "killed-pods/d5c9dd48-306d-5a84-aba5-f61bdba4312f/0.0",
          "outcome": "success",
          "service": "checkout",
          "target": "#payments",
          "toilMinutes": 12,
          "url": "https://acme.slack.com/archives/C0PAYMENTS/p1767608700000100"
        }
        "##);
        let id = delivery_id(&HeaderMap::new(), &delivery.content.body).unwrap();
        assert_eq!(id.as_str(), "killed-pods/d5c9dd48-306d-5a84-aba5-f61bdba4312f/0.0");
    }

    #[test]
    fn our_own_form_is_read_strictly() {
        let time = r#""time": "2026-01-05T10:25:00Z""#;
        let refusals = [
            refused(&format!(r#"{{"kind": "pod.killed", {time}, "data": {{}}}}"#)),
            refused(&format!(r#"{{"kind": "action.performed", {time}, "data": {{"id": "no mark"}}}}"#)),
            refused(&format!(r#"{{"kind": "action.performed", {time}, "data": {{}}, "more": 1}}"#)),
            refused(r#"{"kind": "action.performed", "data": {}}"#),
        ];
        insta::assert_snapshot!(refusals.join("\n"), @r#"
        the kind is pod.killed, not action.performed
        the action has no mark as its id: "no mark" is not of the form BOT/EVENT-ID/ROUND.INDEX
        the body does not tell of an action: unknown field `more`, expected one of `kind`, `time`, `data` at line 1 column 79
        the body does not tell of an action: missing field `time` at line 1 column 40
        "#);
    }
}
