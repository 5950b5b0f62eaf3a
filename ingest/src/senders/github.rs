//! GitHub: webhooks of repositories, organisations and apps, on github.com and on GitHub Enterprise Server.
//!
//! An event that means something in the field's terms is read by one function of the list below. Everything else,
//! and everything whose shape is a surprise, stays an event of GitHub's own type: `com.github.<event>[.<action>]`.
//!
//! Attributes: `source` is the repository's `url`, `subject` is the entity that the kind names (a change's number, a
//! branch, the id of a run, the package URL of an artifact); unmapped events follow the CloudEvents adapter to the
//! letter, see `adapter.rs`. `time` is the object's own time, or the time of receipt where it has none.

mod adapter;
mod alerts;
mod artifacts;
mod changes;
mod checks;
mod deployments;
mod payload;
mod pushes;
mod repositories;
mod request;
mod reviews;
mod runs;
pub mod sample;
#[cfg(test)]
mod tests;
mod tickets;

use bus::delivery::Delivery;
use bus::ids::DeliveryId;
use http::HeaderMap;

use crate::sender::{Draft, Scheme, Sender, Signed, Unreadable, receipt};
use request::Request;

/// GitHub sends no body above 25 MB, by whichever count of a megabyte; the form encoding makes a body larger.
const BODY_BYTES_MAX: usize = 26 * 1024 * 1024;

/// The header that names the event.
const EVENT: &str = "x-github-event";

/// The header that names the delivery: a GUID, the same on redelivery.
const DELIVERY: &str = "x-github-delivery";

/// GitHub as a sender.
pub const GITHUB: Sender = Sender {
    name: "github",
    title: "GitHub",
    body_bytes_max: BODY_BYTES_MAX,
    scheme: Scheme::HmacSha256Hex {
        header: "x-hub-signature-256",
        prefix: "sha256=",
        signed: Signed::Body,
        several: false,
    },
    headers: &[
        EVENT,
        DELIVERY,
        "x-github-hook-id",
        "x-github-hook-installation-target-type",
        "x-github-hook-installation-target-id",
        "user-agent",
    ],
    media_types: &["application/json", "application/x-www-form-urlencoded"],
    delivery_id,
    normalize,
    reply: receipt,
    headers_for,
};

/// Reads one event; none if it has no meaning of its own, or lacks what that meaning needs.
type Reader = fn(&Request<'_>) -> Option<Vec<Draft>>;

/// The events that have a meaning of their own.
const READERS: &[(&str, Reader)] = &[
    ("check_run", checks::check_run),
    ("check_suite", checks::check_suite),
    ("code_scanning_alert", alerts::code_scanning_alert),
    ("create", pushes::create),
    ("delete", pushes::delete),
    ("dependabot_alert", alerts::dependabot_alert),
    ("deployment_status", deployments::deployment_status),
    ("issue_comment", reviews::issue_comment),
    ("issues", tickets::issues),
    ("package", artifacts::package),
    ("pull_request", changes::pull_request),
    ("pull_request_review", reviews::pull_request_review),
    ("pull_request_review_comment", reviews::pull_request_review_comment),
    ("push", pushes::push),
    ("registry_package", artifacts::package),
    ("release", artifacts::release),
    ("repository", repositories::repository),
    ("secret_scanning_alert", alerts::secret_scanning_alert),
    ("status", checks::status),
    ("workflow_job", runs::workflow_job),
    ("workflow_run", runs::workflow_run),
];

fn normalize(delivery: &Delivery) -> Result<Vec<Draft>, Unreadable> {
    let request = Request::of(delivery)?;
    let reader = READERS.iter().find(|(event, _)| *event == request.event);
    match reader.and_then(|(_, read)| read(&request)) {
        Some(drafts) => Ok(drafts),
        None => adapter::unmapped(&request),
    }
}

fn delivery_id(headers: &HeaderMap, _body: &[u8]) -> Option<DeliveryId> {
    headers.get(DELIVERY)?.to_str().ok()?.parse().ok()
}

fn headers_for(event: &str, delivery_id: &str) -> Vec<(&'static str, String)> {
    vec![
        ("content-type", "application/json".into()),
        ("user-agent", "GitHub-Hookshot/devhose".into()),
        (EVENT, event.into()),
        (DELIVERY, delivery_id.into()),
    ]
}
