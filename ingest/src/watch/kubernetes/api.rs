//! What is asked of a server: pages of a list, a watch, and the replica sets of a deployment. And what its refusals
//! mean: 410 comes as a status of HTTP or as an object in a watch, and is the same either way.

use std::error::Error as _;
use std::time::Duration;

use bus::streams::StreamError;
use futures_util::{Stream, StreamExt as _};
use http::Request;
use kube::Client;
use kube::core::{Status, WatchEvent};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::access::AccessError;
use crate::senders::kubernetes::Resource;

/// Objects of a page: as many as `kubectl` asks for, about 5 MB of pods.
const PAGE_OBJECTS: u32 = 500;

/// A page that is not there after this will not come.
const PAGE_DEADLINE: Duration = Duration::from_secs(60);

/// A watch that says nothing is given up so long after the server should have ended it: the connection is dead.
pub(super) const WATCH_OVERTIME: Duration = Duration::from_secs(30);

/// Why a watch cannot go on as it is.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The server no longer knows what changed since the version that it was asked for.
    Gone,
    /// The server cannot tell what changed since the version, though it should know. So it says of a version that it has
    /// not come to, after it was set back to an older state, and of one whose next change is the oldest that etcd keeps.
    Stuck(String),
    /// Credentials or permission are missing.
    Refused { code: u16, message: String },
    /// The server does not serve this.
    NotServed,
    /// The access says too little.
    Access(AccessError),
    /// It does not answer, or not as it should; it may say when to come again.
    Failed { message: String, wait: Option<Duration> },
    /// What was found cannot be stored.
    Storage(StreamError),
}

impl From<AccessError> for Trouble {
    fn from(error: AccessError) -> Self {
        Self::Access(error)
    }
}

impl From<StreamError> for Trouble {
    fn from(error: StreamError) -> Self {
        Self::Storage(error)
    }
}

impl From<&Status> for Trouble {
    fn from(status: &Status) -> Self {
        let details = status.details.as_ref();
        let ahead = || details.is_some_and(|d| d.causes.iter().any(|cause| cause.reason == "ResourceVersionTooLarge"));
        let wait = details.map(|d| u64::from(d.retry_after_seconds)).filter(|seconds| *seconds > 0);
        match status.code {
            410 => Self::Gone,
            401 | 403 => Self::Refused { code: status.code, message: status.message.clone() },
            404 => Self::NotServed,
            _ if status.reason == "Expired" || status.reason == "Gone" => Self::Gone,
            _ if ahead() => Self::Stuck(format!("the server answers {}: {}", status.code, status.message)),
            500 => Self::Stuck(format!("the server answers 500: {}", status.message)),
            code => Self::Failed {
                message: format!("the server answers {code}: {}", status.message),
                wait: wait.map(Duration::from_secs),
            },
        }
    }
}

impl From<kube::Error> for Trouble {
    fn from(error: kube::Error) -> Self {
        if let kube::Error::Api(status) = &error {
            return Self::from(status.as_ref());
        }
        // What kube calls it says less than what it wraps.
        Self::failed(in_words(error.source().unwrap_or(&error)))
    }
}

impl Trouble {
    pub(super) fn failed(message: String) -> Self {
        Self::Failed { message, wait: None }
    }

    /// What is wrong.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Gone => "the server no longer knows what changed since the last version".to_owned(),
            Self::Refused { code, message } if message.is_empty() => format!("the server refuses ({code})"),
            Self::Refused { code, message } => format!("the server refuses ({code}): {message}"),
            Self::NotServed => "the server does not serve this".to_owned(),
            Self::Access(error) => in_words(error),
            Self::Stuck(message) | Self::Failed { message, .. } => message.clone(),
            Self::Storage(error) => in_words(error),
        }
    }

    /// What a person can do about it.
    pub(super) fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Refused { code: 401, .. } => {
                Some("renew the token or certificate of this cluster in the configuration")
            }
            Self::Refused { .. } => Some("grant the permission: deploy/kubernetes/rbac.yaml has all that is needed"),
            Self::Access(_) => Some("correct the access of this cluster in the configuration"),
            Self::Failed { message, .. } if message.contains("certificate") => {
                Some("set `ca` of this cluster to the certificate of its authority")
            }
            Self::Gone | Self::Stuck(_) | Self::NotServed | Self::Failed { .. } | Self::Storage(_) => None,
        }
    }
}

/// An error with what caused it, each said once.
fn in_words(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !words.contains(&text) {
            words = format!("{words}: {text}");
        }
        cause = error.source();
    }
    words
}

/// Where a resource is read: everywhere, or in one namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) path: String,
    pub(super) namespace: Option<String>,
}

/// Where to read a resource, the best first. Events are the same objects through two interfaces: only one is read.
pub(super) fn routes(resource: Resource, only: Option<&str>, own: &str) -> Vec<Route> {
    let groups: &[&str] = match resource {
        Resource::Pods | Resource::Nodes => &["/api/v1"],
        Resource::Events => &["/api/v1", "/apis/events.k8s.io/v1"],
        Resource::Deployments | Resource::ReplicaSets => &["/apis/apps/v1"],
    };
    let name = resource.name();
    let everywhere = || groups.iter().map(|group| Route { path: format!("{group}/{name}"), namespace: None });
    let within = |namespace: &str| {
        let route = |group: &&str| Route {
            path: format!("{group}/namespaces/{}/{name}", encoded(namespace)),
            namespace: Some(namespace.to_owned()),
        };
        groups.iter().map(route).collect::<Vec<_>>()
    };
    match (resource, only) {
        (Resource::Nodes, Some(_)) => Vec::new(),
        (Resource::Nodes, None) => everywhere().collect(),
        (_, Some(namespace)) => within(namespace),
        (_, None) => everywhere().chain(within(own)).collect(),
    }
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// A page of a list, its objects unread.
#[derive(Deserialize)]
pub(super) struct Page<'t> {
    pub(super) metadata: PageMetadata,
    #[serde(borrow, default)]
    pub(super) items: Option<Vec<&'t RawValue>>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct PageMetadata {
    pub(super) resource_version: String,
    /// Where the next page begins.
    #[serde(rename = "continue")]
    pub(super) next: Option<String>,
}

impl<'t> Page<'t> {
    pub(super) fn read(text: &'t str) -> Result<Self, Trouble> {
        serde_json::from_str(text)
            .map_err(|error| Trouble::failed(format!("the server's list cannot be read: {error}")))
    }
}

/// The text of a page.
pub(super) async fn page(client: &Client, route: &Route, next: Option<&str>) -> Result<String, Trouble> {
    let next = next.map(|token| format!("&continue={}", encoded(token))).unwrap_or_default();
    get(client, &format!("{}?limit={PAGE_OBJECTS}{next}", route.path)).await
}

/// The replica sets that a deployment selects.
pub(super) async fn replica_sets(client: &Client, deployment: &Value) -> Result<Vec<Value>, Trouble> {
    #[derive(Deserialize)]
    struct List {
        items: Option<Vec<Value>>,
    }
    let text = |pointer: &str| deployment.pointer(pointer).and_then(Value::as_str);
    let labels = deployment.pointer("/spec/selector/matchLabels").and_then(Value::as_object);
    let pairs = labels.into_iter().flatten().filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?)));
    let selector = encoded(&pairs.collect::<Vec<_>>().join(","));
    let namespace = encoded(text("/metadata/namespace").unwrap_or_default());
    let path =
        format!("/apis/apps/v1/namespaces/{namespace}/replicasets?labelSelector={selector}&limit={PAGE_OBJECTS}");
    let list: List = serde_json::from_str(&get(client, &path).await?)
        .map_err(|error| Trouble::failed(format!("the server's list cannot be read: {error}")))?;
    Ok(list.items.unwrap_or_default())
}

async fn get(client: &Client, path: &str) -> Result<String, Trouble> {
    match tokio::time::timeout(PAGE_DEADLINE, client.request_text(request(path)?)).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Trouble::failed(format!("no answer within {} s", PAGE_DEADLINE.as_secs()))),
    }
}

/// Changes after a version, until the server ends the watch.
pub(super) async fn watch(
    client: &Client,
    route: &Route,
    version: &str,
    seconds: u64,
) -> Result<impl Stream<Item = Result<WatchEvent<Value>, Trouble>> + use<>, Trouble> {
    let version = encoded(version);
    let parameters = format!("watch=1&allowWatchBookmarks=true&resourceVersion={version}&timeoutSeconds={seconds}");
    let events = client.request_events::<Value>(request(&format!("{}?{parameters}", route.path))?).await?;
    Ok(events.map(|event| event.map_err(Trouble::from)))
}

fn request(path: &str) -> Result<Request<Vec<u8>>, Trouble> {
    Request::get(path).body(Vec::new()).map_err(|error| Trouble::failed(format!("{path}: {error}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn trouble(status: Value) -> Trouble {
        Trouble::from(&serde_json::from_value::<Status>(status).unwrap())
    }

    #[test]
    fn gone_is_gone_however_it_is_said() {
        assert!(matches!(trouble(json!({"code": 410, "reason": "Gone"})), Trouble::Gone));
        assert!(matches!(trouble(json!({"code": 410, "reason": "Expired"})), Trouble::Gone));
        assert!(matches!(trouble(json!({"reason": "Expired"})), Trouble::Gone));
        let causes = json!({"causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large"}]});
        assert!(matches!(trouble(json!({"code": 504, "reason": "Timeout", "details": causes})), Trouble::Stuck(_)));
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        let refused = trouble(json!({"code": 403, "message": "pods is forbidden"}));
        assert_eq!(refused.reason(), "the server refuses (403): pods is forbidden");
        assert!(refused.remedy().unwrap().contains("rbac.yaml"));
        assert!(trouble(json!({"code": 401})).remedy().unwrap().contains("token"));
        let busy = trouble(json!({"code": 429, "message": "too many", "details": {"retryAfterSeconds": 3}}));
        assert!(matches!(busy, Trouble::Failed { wait: Some(wait), .. } if wait == Duration::from_secs(3)));
    }

    #[test]
    fn a_resource_is_read_everywhere_or_else_where_it_is_permitted() {
        let paths = |resource, only| {
            routes(resource, only, "own").into_iter().map(|route| route.path).collect::<Vec<_>>().join(" ")
        };
        insta::assert_snapshot!(paths(Resource::Pods, None), @"/api/v1/pods /api/v1/namespaces/own/pods");
        insta::assert_snapshot!(paths(Resource::Events, None), @"/api/v1/events /apis/events.k8s.io/v1/events /api/v1/namespaces/own/events /apis/events.k8s.io/v1/namespaces/own/events");
        insta::assert_snapshot!(paths(Resource::ReplicaSets, Some("shop")), @"/apis/apps/v1/namespaces/shop/replicasets");
        insta::assert_snapshot!(paths(Resource::Nodes, None), @"/api/v1/nodes");
        insta::assert_snapshot!(paths(Resource::Nodes, Some("shop")), @"");
    }
}
