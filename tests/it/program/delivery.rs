//! Deliveries as senders make them: headers, body, signature.

use std::fs;
use std::path::{Path, PathBuf};

use bus::delivery::NewDelivery;
use ingest::source::Secret;

use super::{Program, SECRET};

/// A request to `/hooks/…`.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    path: String,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Delivery {
    /// A delivery of GitHub to `github/acme`, signed.
    pub(crate) fn github(event: &str, id: &str, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        let signature = sign(SECRET, &body);
        Self::to("github/acme", body)
            .with("content-type", "application/json")
            .with("x-github-event", event)
            .with("x-github-delivery", id)
            .with("x-hub-signature-256", &signature)
    }

    /// A CloudEvents request to `cloudevents/ops`, with its token.
    pub(crate) fn cloudevents(content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::to("cloudevents/ops", body)
            .with("content-type", content_type)
            .with("authorization", &format!("Bearer {SECRET}"))
    }

    /// What the log holds, as it was sent: with its headers, and signed anew.
    pub(crate) fn again(stored: &NewDelivery) -> Self {
        let delivery = Self::to(stored.source.as_str(), stored.body.clone());
        let delivery = stored.headers.iter().fold(delivery, |delivery, (name, value)| delivery.and(name, value));
        let delivery = stored.content_type.iter().fold(delivery, |delivery, kind| delivery.with("content-type", kind));
        delivery
            .with("x-hub-signature-256", &sign(SECRET, &stored.body))
            .with("authorization", &format!("Bearer {SECRET}"))
    }

    /// A request without any header.
    pub(crate) fn to(source: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { path: format!("/hooks/{source}"), headers: Vec::new(), body: body.into() }
    }

    /// With this header, in the place of an earlier one.
    pub(crate) fn with(self, name: &str, value: &str) -> Self {
        self.without(name).and(name, value)
    }

    /// With this header, beside an earlier one.
    pub(crate) fn and(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Without a header.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self
    }

    /// To another source.
    pub(crate) fn at(mut self, source: &str) -> Self {
        self.path = format!("/hooks/{source}");
        self
    }

    /// With a query string.
    pub(crate) fn asking(mut self, query: &str) -> Self {
        self.path = format!("{}?{query}", self.path);
        self
    }

    /// The request that makes it.
    pub(crate) fn request(&self, program: &Program) -> reqwest::RequestBuilder {
        let request = program.request("POST", &self.path);
        let request = self.headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        request.body(self.body.clone())
    }
}

/// The value of `x-hub-signature-256`.
pub(crate) fn sign(secret: &str, body: &[u8]) -> String {
    ingest::verify::sign_hex(&Secret::new(secret.to_owned()), "sha256=", body)
}

fn recorded() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("ingest/testdata/github")
}

/// A recorded payload of GitHub, by the name of its file without the ending.
pub(crate) fn payload(name: &str) -> Vec<u8> {
    fs::read(recorded().join(format!("{name}.json"))).unwrap()
}

/// Names of the recorded payloads, with their events, in order.
pub(crate) fn payload_names() -> Vec<(String, String)> {
    let files = fs::read_dir(recorded()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let named = |file: String| {
        let name = file.strip_suffix(".headers")?.to_owned();
        let headers = fs::read_to_string(recorded().join(&file)).unwrap();
        let lines = headers.lines().filter_map(|line| line.split_once(':'));
        let mut events = lines.filter(|(header, _)| header.eq_ignore_ascii_case("x-github-event"));
        Some((name, events.next()?.1.trim().to_owned()))
    };
    let mut names: Vec<_> = files.filter_map(named).collect();
    names.sort();
    names
}
