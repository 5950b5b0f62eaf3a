//! Recorded deliveries for the tests of senders, and the laws that every sender keeps over its own.
//!
//! `testdata/{sender}/NAME.headers` goes with the body `NAME.*`: one header a line, `#` begins a comment, and a value
//! in angle brackets stands for one that was not recorded.

use std::fs;
use std::path::{Path, PathBuf};

use bus::delivery::{Delivery, NewDelivery, Verification};
use bus::ids::DeliveryOffset;

use crate::sender::Draft;

/// A recorded delivery of a sender, by the name of its file without the ending.
pub(crate) fn load(sender: &str, name: &str) -> Delivery {
    let file = |ending: &str| folder(sender).join(format!("{name}.{ending}"));
    let headers = read_headers(&fs::read_to_string(file("headers")).unwrap_or_else(|e| panic!("{name}: {e}")));
    let body = ["json", "form", "txt", "xml"].into_iter().find_map(|ending| fs::read(file(ending)).ok());
    delivery(sender, &headers, body.unwrap_or_else(|| panic!("{name}: no body")))
}

/// All recorded deliveries of a sender, by name.
pub(crate) fn all(sender: &str) -> Vec<(String, Delivery)> {
    let Ok(entries) = fs::read_dir(folder(sender)) else { return Vec::new() };
    let names = entries.filter_map(|entry| {
        let name = entry.unwrap().file_name().into_string().unwrap();
        name.strip_suffix(".headers").map(str::to_owned)
    });
    let mut names: Vec<String> = names.collect();
    names.sort();
    names.into_iter().map(|name| (name.clone(), load(sender, &name))).collect()
}

/// A delivery of these headers and this body, as it would be stored.
pub(crate) fn delivery(sender: &str, headers: &[(String, String)], body: Vec<u8>) -> Delivery {
    let content_type = headers.iter().find(|(name, _)| name == "content-type").map(|(_, value)| value.clone());
    Delivery {
        offset: DeliveryOffset(1),
        content: NewDelivery {
            source: format!("{sender}/acme").parse().unwrap(),
            delivery_id: "72d3162e-cc78-11e3-81ab-4c9367dc0958".parse().unwrap(),
            received_at: "2026-01-02T03:04:05Z".parse().unwrap(),
            headers: headers.to_vec(),
            content_type,
            body,
            verification: Verification::Signature,
        },
        body_hash: [0; 32],
        chain_hash: [0; 32],
    }
}

/// Events as text, for snapshots.
pub(crate) fn print(drafts: &[Draft]) -> String {
    let lines = drafts.iter().map(|draft| {
        let Draft { kind, source, subject, time, key, data, alone } = draft;
        let data = serde_json::to_string_pretty(&data.to_value().unwrap()).unwrap();
        let alone = alone.as_ref().map(|alone| format!(", known as {alone}")).unwrap_or_default();
        format!("{kind} {subject} at {time:?}\nsource {source}, key {key}{alone}\n{data}")
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn folder(sender: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(sender)
}

fn read_headers(text: &str) -> Vec<(String, String)> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()));
    headers.filter(|(_, value)| !value.contains('<')).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use bus::data::Data;
    use bus::kind::Family;
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::*;
    use crate::sender::{Reply, stamp};
    use crate::senders::SENDERS;

    #[test]
    fn every_recorded_delivery_becomes_events_that_can_be_stored_and_sent() {
        for sender in SENDERS {
            for (name, delivery) in all(sender.name) {
                let drafts = (sender.normalize)(&delivery).unwrap_or_else(|e| panic!("{}/{name}: {e}", sender.name));
                // A request that only asks whether somebody is there means nothing else.
                let reply = (sender.reply)(&HeaderMap::new(), &delivery.content.body);
                assert_eq!(drafts.is_empty(), matches!(reply, Reply::Challenge(_)), "{name}");
                for draft in &drafts {
                    let attributes = [&draft.source, &draft.subject, &draft.key.0];
                    let good = attributes.iter().all(|a| !a.is_empty() && !a.contains(char::is_control));
                    assert!(good, "{name}: {attributes:?}");
                    assert!(!draft.source.contains(' '), "{name}: {:?}", draft.source);
                    let json = draft.data.to_json().unwrap();
                    assert_eq!(Data::from_json(&draft.kind, json.as_deref()).unwrap(), draft.data, "{name}");
                    let as_received = matches!(draft.data, Data::AsReceived | Data::Other(_));
                    assert_eq!(as_received, draft.kind.family() == Family::Other, "{name}: {}", draft.kind);
                }
                let events = stamp(&delivery, drafts);
                let ids: HashSet<_> = events.iter().map(|event| event.id).collect();
                assert_eq!(ids.len(), events.len(), "{name}");
                assert_eq!(stamp(&delivery, (sender.normalize)(&delivery).unwrap()), events, "{name}");
            }
        }
    }

    #[test]
    fn every_recorded_delivery_is_one_that_its_sender_may_send() {
        for sender in SENDERS {
            for (name, delivery) in all(sender.name) {
                let content = &delivery.content;
                assert!(content.body.len() <= sender.body_bytes_max, "{name}");
                let media = content.content_type.as_deref().unwrap_or_default().split(';').next().unwrap().trim();
                let allowed = |entry: &&str| match entry.strip_suffix('*') {
                    Some(beginning) => media.starts_with(beginning),
                    None => media.eq_ignore_ascii_case(entry),
                };
                assert!(media.is_empty() || sender.media_types.iter().any(allowed), "{name}: {media}");
            }
        }
    }

    #[test]
    fn what_a_sender_would_send_carries_its_delivery_id_and_headers_that_are_stored() {
        for sender in SENDERS {
            let headers: HeaderMap = (sender.headers_for)("push", "0e6e0d2a-55a4-4d8b-9d35-0b6b6f0f6f0a")
                .into_iter()
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(&value).unwrap()))
                .collect();
            for name in headers.keys() {
                let stored = |entry: &&str| match entry.strip_suffix('*') {
                    Some(beginning) => name.as_str().starts_with(beginning),
                    None => name.as_str() == *entry,
                };
                let known = sender.headers.iter().any(stored) || name == "content-type";
                assert!(known, "{}: {name} is sent and not stored", sender.name);
            }
        }
    }

    #[test]
    fn no_sender_stores_a_header_that_carries_a_secret() {
        for sender in SENDERS {
            for header in sender.headers {
                let secret = ["authorization", "signature", "token", "cookie"].iter().any(|word| header.contains(word));
                assert!(!secret, "{}: {header}", sender.name);
                assert_eq!(*header, header.to_ascii_lowercase());
            }
        }
    }
}
