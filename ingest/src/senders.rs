//! The senders, a plain list. A new one is a file here, real payloads under `ingest/testdata/`, and a line below.

pub mod alertmanager;
pub mod argocd;
pub mod cloudevents;
pub mod devhose;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod git;
pub mod github;
mod image;
pub mod kubernetes;
pub mod pagerduty;
mod reading;
pub(crate) mod sample;
pub mod slack;

use crate::sender::Sender;

/// Every sender this program understands.
pub const SENDERS: &[&Sender] = &[
    &alertmanager::ALERTMANAGER,
    &argocd::ARGOCD,
    &cloudevents::CLOUDEVENTS,
    &devhose::DEVHOSE,
    &git::GIT,
    &github::GITHUB,
    &kubernetes::KUBERNETES,
    &pagerduty::PAGERDUTY,
    &slack::SLACK,
];
