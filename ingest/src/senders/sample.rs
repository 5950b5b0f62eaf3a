//! What the tools of an invented organisation would send: turns what happened there into deliveries.
//!
//! The organisation itself ([`crate::demo`]) knows no tool; here is decided which one tells of what.

use crate::demo::happening::Happening;
use crate::demo::organisation::is_data;

mod cluster;
mod forge;
mod json;
mod operations;

pub use cluster::CLUSTER_SOURCE;
pub(crate) use cluster::kill_request;
use json::{Json, object};

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
    let (repository, (event, body)) = match happening {
        Happening::Incident(told) => {
            return operations_request(operations::MONITORING, operations::incident(told, &uuid), &uuid);
        }
        Happening::Coverage(told) => {
            return operations_request(operations::COVERAGE, operations::coverage(told, &uuid), &uuid);
        }
        Happening::Change(action, told) => (told.repository, forge::change(action, told)),
        Happening::Push(told) => (told.repository, ("push", forge::push(told))),
        Happening::Run(phase, told) => (told.repository, ("workflow_run", forge::run(*phase, told))),
        Happening::Deployment(told) => (told.repository, ("deployment_status", forge::deployment_status(told))),
        Happening::Release(told) => (told.repository, ("release", forge::release(told))),
        Happening::Ticket(told) => (told.repository, ("issues", forge::ticket(told))),
    };
    let source = if is_data(repository) { DATA_SOURCE } else { FORGE_SOURCE };
    forge_request(source, event, uuid, body.into_bytes())
}

/// A request whose body was cut off on the way.
pub(crate) fn broken_request(uuid: String) -> Request {
    let change = object! {"title": "Cache tax codes"};
    let body = object! {"action": "opened", "number": 4711_u64, "pull_request": change}.into_bytes();
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

/// An event is identified by its source and its id.
fn operations_request(event_source: &str, body: Json, uuid: &str) -> Request {
    Request {
        source: OPERATIONS_SOURCE,
        headers: Vec::new(),
        content_type: "application/cloudevents+json",
        delivery_id: format!("{event_source} {uuid}"),
        body: body.into_bytes(),
    }
}
