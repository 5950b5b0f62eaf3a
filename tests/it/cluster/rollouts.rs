//! Rollouts, as the controller of deployments would report them.

use serde_json::{Value, json};

use super::server::{Api, ApiServer};
use super::watching;
use crate::program::{Home, until};

const REVISION: &str = "deployment.kubernetes.io/revision";
const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/rollouts/deployments/checkout";

fn template(image: &str, restarted_at: Option<&str>) -> Value {
    let annotations = restarted_at.map_or(json!({}), |at| json!({"kubectl.kubernetes.io/restartedAt": at}));
    json!({"metadata": {"labels": {"app": "checkout"}, "annotations": annotations},
        "spec": {"containers": [{"name": "app", "image": image}]}})
}

/// Makes, or finds, the replica set of that name and says that it is this revision.
async fn replica_set(api: &Api, uid: &Value, name: &str, annotations: &Value, template: &Value) {
    let collection = "/apis/apps/v1/namespaces/rollouts/replicasets";
    let mut template = template.clone();
    template["metadata"]["labels"]["pod-template-hash"] = name.into();
    let owner =
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "checkout", "uid": uid, "controller": true});
    let set = json!({
        "metadata": {"name": name, "labels": {"app": "checkout"}, "annotations": annotations, "ownerReferences": [owner]},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"pod-template-hash": name}}, "template": template},
    });
    api.create(collection, &set).await;
}

/// Says that the rollout of this revision is complete.
async fn finish(api: &Api, revision: &str, template: &Value, at: &str) {
    api.patch(DEPLOYMENT, &json!({"metadata": {"annotations": {REVISION: revision}}, "spec": {"template": template}}))
        .await;
    let generation = api.get(DEPLOYMENT).await["metadata"]["generation"].clone();
    let progressing = json!({"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable",
        "lastUpdateTime": at, "lastTransitionTime": at});
    let status = json!({"observedGeneration": generation, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1,
        "availableReplicas": 1, "conditions": [progressing]});
    api.set_status(DEPLOYMENT, status).await;
}

#[tokio::test]
async fn finished_rollouts_are_deployments_and_a_restart_is_none() {
    let server = ApiServer::shared();
    let home = Home::with(&server.configuration("test"));
    let program = home.serve().await;
    watching(&program).await;
    let api = server.api();
    api.namespace("rollouts").await;
    let first = template("registry.example/shop/checkout:1.0.0", None);
    let deployment = json!({"metadata": {"name": "checkout", "labels": {"app.kubernetes.io/name": "shop-checkout"}},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "checkout"}}, "template": first}});
    let uid = api.create("/apis/apps/v1/namespaces/rollouts/deployments", &deployment).await["metadata"]["uid"].clone();

    replica_set(&api, &uid, "one", &json!({REVISION: "1"}), &first).await;
    finish(&api, "1", &first, "2026-01-02T03:00:00Z").await;
    let told = program.event("type:service.deployed service:shop-checkout").await;
    assert!(told.to_string().contains("pkg:oci/checkout?repository_url=registry.example/shop/checkout"), "{told:#}");

    let second = template("registry.example/shop/checkout:1.1.0", None);
    replica_set(&api, &uid, "two", &json!({REVISION: "2"}), &second).await;
    finish(&api, "2", &second, "2026-01-02T04:00:00Z").await;
    program.event("type:service.upgraded service:shop-checkout").await;

    let third = template("registry.example/shop/checkout:1.1.0", Some("2026-01-02T05:00:00Z"));
    replica_set(&api, &uid, "three", &json!({REVISION: "3"}), &third).await;
    finish(&api, "3", &third, "2026-01-02T05:00:00Z").await;
    program.event("type:io.kubernetes.deployments.restarted subject:Deployment/rollouts/checkout").await;

    let reused =
        json!({"metadata": {"annotations": {REVISION: "4", "deployment.kubernetes.io/revision-history": "1"}}});
    api.patch("/apis/apps/v1/namespaces/rollouts/replicasets/one", &reused).await;
    finish(&api, "4", &first, "2026-01-02T06:00:00Z").await;
    program.event("type:service.rolledback service:shop-checkout").await;

    // They reach the metrics as well.
    let query = "successful-deployments?from=2026-01-01&to=2026-02-01&services=shop-checkout";
    let counted = async || (program.metric(query).await["total"]["n"] == 3).then_some(());
    until("three deployments are counted", counted).await;

    api.delete(DEPLOYMENT).await;
    program.event("type:service.removed service:shop-checkout").await;
}
