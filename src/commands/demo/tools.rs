//! The invented organisation's own tools, as bots meet them: a cluster that answers, a forge that answers, and a chat
//! that takes messages and shows them to nobody.

use std::sync::atomic::{AtomicU64, Ordering};

use bots::action::{Action, Audience};
use bots::clients::{Client, Destination, Order, Problem, Receipt, Sought};
use bots::lookups::{LogName, ObjectFilter, ObjectName, Question, Told};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

/// All of them.
#[derive(Debug, Default)]
pub(super) struct InventedTools {
    posted: AtomicU64,
}

impl Client for InventedTools {
    fn name(&self) -> &'static str {
        "invented"
    }

    fn destination(&self, action: &Action) -> Option<Destination> {
        let Action::PostMessage { audience: Audience::Channel(channel), .. } = action else { return None };
        Some(Destination { name: format!("chat/{channel}"), pace_millis: 0 })
    }

    fn perform<'a>(&'a self, order: &'a Order) -> BoxFuture<'a, Result<Receipt, Problem>> {
        let Some(destination) = self.destination(&order.action) else {
            let reason = format!("the demo has no tool for {}", order.action.name());
            return std::future::ready(Err(Problem::Never { reason })).boxed();
        };
        let id = match &order.earlier {
            Some(earlier) => earlier.id.clone(),
            None => format!("{}", self.posted.fetch_add(1, Ordering::Relaxed) + 1),
        };
        std::future::ready(Ok(Receipt { place: destination.name, id, ..Receipt::default() })).boxed()
    }

    fn find<'a>(&'a self, _order: &'a Order) -> BoxFuture<'a, Result<Sought, Problem>> {
        // What it was told is gone with the process that was told.
        std::future::ready(Ok(Sought::NotDone)).boxed()
    }

    fn answer<'a>(&'a self, question: &'a Question) -> Option<BoxFuture<'a, Told>> {
        let answer = match question {
            Question::Object(name) => object(name),
            Question::Objects(filter) => Value::from(objects(filter)),
            Question::Logs(name) => Value::from(log(name)),
            Question::File { path, .. } => file(path),
            Question::ChangedFiles { number, .. } => json!(["src/lib.rs", format!("src/part_{}.rs", number % 5)]),
            Question::Change { .. } => json!({"author": "", "open": true, "base_branch": "main"}),
            Question::OpenReviews { .. } => json!({"ada-berg": 1, "jon-costa": 4, "mei-duarte": 2}),
            Question::Delivery
            | Question::State { .. }
            | Question::Setting { .. }
            | Question::Owner(_)
            | Question::Events { .. } => return None,
        };
        Some(std::future::ready(Told { answer: Ok(answer), calls: 1, millis: 12 }).boxed())
    }
}

fn file(path: &str) -> Value {
    if path == ".github/CODEOWNERS" {
        return json!("*            @ada-berg @jon-costa\n/src/part_*  @mei-duarte\n");
    }
    Value::Null
}

fn object(name: &ObjectName) -> Value {
    match name.resource.as_str() {
        "nodes" => json!({
            "kind": "Node",
            "metadata": {"name": name.name, "labels": {"node.kubernetes.io/instance-type": "n2-standard-8"}},
            "status": {
                "allocatable": {"memory": "29Gi", "cpu": "7910m", "pods": "110"},
                "conditions": [
                    {"type": "MemoryPressure", "status": "False", "reason": "KubeletHasSufficientMemory"},
                    {"type": "Ready", "status": "True", "reason": "KubeletReady"},
                ],
                "nodeInfo": {"kubeletVersion": "v1.34.2", "kernelVersion": "6.6.97"},
            },
        }),
        "replicasets" => {
            let deployment = name.name.rsplit_once('-').map_or(name.name.as_str(), |(deployment, _)| deployment);
            json!({
                "kind": "ReplicaSet",
                "metadata": {
                    "name": name.name, "namespace": name.namespace,
                    "annotations": {"deployment.kubernetes.io/revision": "41"},
                    "ownerReferences": [{"kind": "Deployment", "name": deployment, "controller": true}],
                },
                "spec": {"replicas": 3},
                "status": {"replicas": 3, "readyReplicas": 2},
            })
        }
        "deployments" => json!({
            "kind": "Deployment",
            "metadata": {"name": name.name, "namespace": name.namespace},
            "spec": {"replicas": 3},
            "status": {"replicas": 3, "readyReplicas": 2, "availableReplicas": 2, "unavailableReplicas": 1},
        }),
        _ => Value::Null,
    }
}

/// There is nothing else of a kind that bots ask lists of.
fn objects(_filter: &ObjectFilter) -> Vec<Value> {
    Vec::new()
}

fn log(name: &LogName) -> String {
    format!(
        "INFO  {container}: listening on :8080\n\
         INFO  {container}: cache warmed, 48213 entries\n\
         WARN  {container}: heap 451 MiB of 512 MiB after full collection\n\
         ERROR {container}: request failed: upstream closed the connection\n\
         \tat acme.{container}.OrderClient.fetch(OrderClient.java:118)\n\
         \tat acme.{container}.Checkout.price(Checkout.java:77)\n\
         \tat acme.{container}.Checkout.handle(Checkout.java:31)\n\
         WARN  {container}: heap 498 MiB of 512 MiB after full collection\n",
        container = name.container.replace('-', "")
    )
}
