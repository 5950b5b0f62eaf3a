//! What a delivery of a watch says besides the object: cluster, environment, and how the change was found.

use std::collections::BTreeMap;

use bus::data::Data;
use bus::delivery::Delivery;
use bus::ids::OrderKey;
use bus::kind::Kind;
use chrono::{DateTime, Utc};

use super::payload::Metadata;
use super::{CLUSTER, ENVIRONMENT, RESOURCE, Resource, SYNTHETIC};
use crate::sender::{Draft, Unreadable};

/// Labels that name an environment, where the configuration of the cluster names none.
const ENVIRONMENT_LABELS: &[&str] = &["app.kubernetes.io/environment", "environment", "env"];

/// A delivery, read as far as its headers go.
pub(super) struct Told<'d> {
    pub(super) resource: Resource,
    pub(super) cluster: &'d str,
    /// It was found by comparing what is there with what was.
    pub(super) synthetic: bool,
    environment: Option<&'d str>,
    delivery: &'d Delivery,
}

impl<'d> Told<'d> {
    pub(super) fn read(delivery: &'d Delivery) -> Result<Self, Unreadable> {
        let resource = delivery.header(RESOURCE).unwrap_or_default();
        let resource =
            Resource::parse(resource).ok_or_else(|| Unreadable(format!("header {RESOURCE} is {resource:?}")))?;
        let by_source = || delivery.content.source.as_str().split_once('/').map(|(_, name)| name);
        let cluster = delivery.header(CLUSTER).or_else(by_source).unwrap_or_default();
        let synthetic = delivery.header(SYNTHETIC).is_some();
        Ok(Self { resource, cluster, synthetic, environment: delivery.header(ENVIRONMENT), delivery })
    }

    /// The environment: of the cluster, or else as a label says.
    pub(super) fn environment(&self, labels: &BTreeMap<String, String>) -> Option<String> {
        let label = || ENVIRONMENT_LABELS.iter().find_map(|label| labels.get(*label)).map(String::as_str);
        self.environment.or_else(label).map(str::to_owned)
    }

    /// An event of the cluster. What has no time of its own is told when it was seen.
    pub(super) fn draft(&self, kind: Kind, subject: String, time: Option<DateTime<Utc>>, data: Data) -> Draft {
        let key = data.order_key().unwrap_or_else(|| format!("{}/{subject}", self.cluster));
        Draft {
            kind,
            source: format!("kubernetes/{}", self.cluster),
            subject,
            time: time.unwrap_or(self.delivery.content.received_at),
            key: OrderKey(key),
            data,
            alone: None,
        }
    }

    /// A change that has no kind of its own: the object as it is.
    pub(super) fn other(&self, metadata: &Metadata, kind: &str, word: &str, workload: Option<&str>) -> Draft {
        let subject = subject(kind, metadata.namespace.as_deref(), &metadata.name);
        let draft = self.draft(self.kind(word), subject, None, Data::AsReceived);
        let key = workload.map(|w| [self.cluster, metadata.namespace.as_deref().unwrap_or_default(), w].join("/"));
        Draft { key: key.map_or(draft.key, OrderKey), ..draft }
    }

    /// `io.kubernetes.events.BackOff`
    pub(super) fn kind(&self, word: &str) -> Kind {
        let word: String = word.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect();
        let word = if word.is_empty() { "unknown" } else { &word };
        Kind::from(format!("io.kubernetes.{}.{word}", self.resource.name()))
    }
}

/// `Pod/shop/checkout-1`, or `Node/worker-1` of what is in no namespace.
pub(super) fn subject(kind: &str, namespace: Option<&str>, name: &str) -> String {
    let parts = [Some(kind), namespace, Some(name)];
    let parts: Vec<&str> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
    parts.join("/").replace(char::is_control, "")
}

/// Gives a draft the identity by which it is the same in every delivery.
pub(super) trait KnownAs {
    /// The draft, known by this text within its source. A text that cannot be an identity leaves it to the delivery.
    fn known_as(self, identity: &str) -> Self;
}

impl KnownAs for Draft {
    fn known_as(self, identity: &str) -> Self {
        Self { alone: identity.parse().ok(), ..self }
    }
}
