//! What the tools of an invented organisation would send: turns what happened there into deliveries.
//!
//! The organisation itself ([`crate::demo`]) knows no tool; here is decided which one tells of what.

use serde_json::{Value, json};

use crate::demo::happening::Happening;
use crate::demo::organisation::is_data;

mod forge;
mod operations;

/// The host in the names of repositories.
pub(crate) const FORGE_HOST: &str = "github.com";
/// Owner of the repositories whose deliveries come through [`DATA_SOURCE`].
pub(crate) const DATA_OWNER: &str = "acme-data";
/// The source of most repositories.
pub(crate) const FORGE_SOURCE: &str = "github/acme";
/// The source of the data team's repositories.
pub(crate) const DATA_SOURCE: &str = "github/acme-data";
/// The source of incidents and measurements.
pub(crate) const OPERATIONS_SOURCE: &str = "cloudevents/ops";

/// A request that a tool would make.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Request {
    /// The endpoint that it would go to.
    pub(crate) source: &'static str,
    /// Headers that are stored, names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// Media type.
    pub(crate) content_type: &'static str,
    /// What identifies it.
    pub(crate) delivery_id: String,
    /// The body.
    pub(crate) body: Vec<u8>,
}

/// The request that tells of a happening. `uuid` is the next id that nobody has yet.
pub(crate) fn request(happening: &Happening, uuid: String) -> Request {
    if let Some((event, body)) = forge::payload(happening) {
        let source = if repository(happening).is_some_and(is_data) { DATA_SOURCE } else { FORGE_SOURCE };
        return forge_request(source, event, uuid, to_bytes(&body));
    }
    let body = operations::event(happening, &uuid);
    Request {
        source: OPERATIONS_SOURCE,
        headers: Vec::new(),
        content_type: "application/cloudevents+json",
        delivery_id: uuid,
        body: to_bytes(&body),
    }
}

/// A request whose body was cut off on the way.
pub(crate) fn broken_request(uuid: String) -> Request {
    let body = to_bytes(&json!({"action": "opened", "number": 4711, "pull_request": {"title": "Cache tax codes"}}));
    let cut = body.len() - 12;
    forge_request(FORGE_SOURCE, "pull_request", uuid, body.into_iter().take(cut).collect())
}

fn forge_request(source: &'static str, event: &'static str, uuid: String, body: Vec<u8>) -> Request {
    let headers = vec![
        ("x-github-event".to_owned(), event.to_owned()),
        ("x-github-delivery".to_owned(), uuid.clone()),
        ("x-github-hook-id".to_owned(), "412093377".to_owned()),
    ];
    Request { source, headers, content_type: "application/json", delivery_id: uuid, body }
}

fn repository(happening: &Happening) -> Option<&'static str> {
    Some(match happening {
        Happening::Change(_, told) => told.repository,
        Happening::Push(told) => told.repository,
        Happening::Run(_, told) => told.repository,
        Happening::Deployment(told) => told.repository,
        Happening::Release(told) => told.repository,
        Happening::Ticket(told) => told.repository,
        Happening::Incident(_) | Happening::Coverage(_) => return None,
    })
}

fn to_bytes(body: &Value) -> Vec<u8> {
    body.to_string().into_bytes()
}
