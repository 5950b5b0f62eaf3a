//! Stands where webhooks are sent from, until they are.

use bus::subscriptions::{Attempted, Deliver, Outgoing, Timings};
use futures_util::future::BoxFuture;

/// Sends nothing.
pub(super) struct Refuses;

impl Deliver for Refuses {
    fn deliver(&self, request: Outgoing) -> BoxFuture<'_, Attempted> {
        Box::pin(async move {
            Attempted {
                at: request.at,
                request_headers: Vec::new(),
                response: None,
                error: Some("this program sends no webhooks".to_owned()),
                timings: Timings::default(),
            }
        })
    }

    fn check(&self, _url: &str) -> Result<(), String> {
        Err("this program sends no webhooks".to_owned())
    }
}
