//! What a file answers, and what it does not.

use crate::lookups::{Lookups, ObjectFilter, ObjectName, OwnedThing};

use super::*;

fn scene(answers: Value) -> Scene {
    Scene { delivery: None, answers: serde_json::from_value(answers).unwrap(), now: at("2026-11-20T03:00:00Z") }
}

fn at(time: &str) -> DateTime<Utc> {
    time.parse().unwrap()
}

fn cluster() -> Scene {
    let event = |uid: &str, reason: &str| {
        json!({"apiVersion": "v1", "kind": "Event", "metadata": {"namespace": "shop"}, "reason": reason,
               "involvedObject": {"kind": "Pod", "uid": uid}})
    };
    scene(json!({"objects": [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "shop", "name": "a", "labels": {"app": "checkout", "tier": "web"}}},
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": "shop", "name": "b", "labels": {"app": "cart"}}},
        {"apiVersion": "metrics.k8s.io/v1beta1", "kind": "PodMetrics", "metadata": {"namespace": "shop", "name": "a"}, "containers": []},
        {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}},
        event("1", "Killing"),
        event("2", "Pulled"),
    ], "logs": {"a/main": "one\ntwo\nthree"}}))
}

fn filter(resource: &str, labels: Option<&str>, fields: Option<&str>) -> ObjectFilter {
    ObjectFilter {
        cluster: "c".to_owned(),
        api: "v1".to_owned(),
        resource: resource.to_owned(),
        namespace: Some("shop".to_owned()),
        labels: labels.map(str::to_owned),
        fields: fields.map(str::to_owned),
        limit: 10,
    }
}

#[test]
fn objects_are_found_by_name_and_by_selectors() {
    let scene = cluster();
    let lookups = Lookups::new(&scene, scene.now, None);
    let found = |labels: Option<&str>, fields: Option<&str>| {
        let found = lookups.objects(filter("pods", labels, fields)).unwrap();
        found.iter().map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(found(None, None), ["a", "b"]);
    assert_eq!(found(Some("app=checkout"), None), ["a"]);
    assert_eq!(found(Some("app in (checkout, cart),tier"), None), ["a"]);
    assert_eq!(found(Some("app!=checkout"), None), ["b"]);
    assert_eq!(found(Some("!tier"), Some("metadata.name!=z")), ["b"]);
    assert_eq!(found(Some("app notin (cart)"), None), ["a"]);
    assert_eq!(found(None, Some("metadata.name=b")), ["b"]);
    let events = lookups.objects(filter("events", None, Some("involvedObject.uid=1"))).unwrap();
    assert_eq!((events.len(), &events[0]["reason"]), (1, &json!("Killing")));

    let name = |api: &str, resource: &str, name: &str| ObjectName {
        cluster: "c".to_owned(),
        api: api.to_owned(),
        resource: resource.to_owned(),
        namespace: None,
        name: name.to_owned(),
    };
    assert!(lookups.object(name("v1", "nodes", "n1")).unwrap().is_some());
    let usage = lookups.object(name("metrics.k8s.io/v1beta1", "pods", "a")).unwrap().unwrap();
    assert_eq!(usage["kind"], "PodMetrics");
}

#[test]
fn what_the_file_does_not_hold_cannot_be_had() {
    let scene = cluster();
    let lookups = Lookups::new(&scene, scene.now, None);
    assert_eq!(lookups.objects(filter("replicasets", None, None)).unwrap_err().reason, ABSENT);
    assert_eq!(lookups.objects(filter("pods", Some("app=none"), None)).unwrap(), Vec::<Value>::new());
    assert_eq!(lookups.delivery().unwrap_err().reason, ABSENT);
    assert_eq!(lookups.file("h/o/n", "CODEOWNERS", None).unwrap_err().reason, ABSENT);
    assert_eq!(lookups.events("type:service.*", [scene.now, scene.now], 5).unwrap_err().reason, ABSENT);
    assert_eq!(lookups.owner(OwnedThing::default()), Owner::default());
    assert_eq!((lookups.state("anything"), lookups.setting::<u32>("anything")), (None, None));
}

#[test]
fn files_logs_and_events_are_told_as_a_client_tells_them() {
    let scene = scene(json!({
        "files": {"CODEOWNERS": "* @acme/shop"},
        "logs": {"main": "one\ntwo\nthree"},
        "events": [
            {"id": "00000000-0000-5000-8000-000000000001", "kind": "service.deployed", "time": "2026-11-20T01:00:00Z",
             "subject": "checkout", "data": {"id": "d1", "service": "checkout", "version": "4.2.0"}},
            {"id": "00000000-0000-5000-8000-000000000002", "kind": "service.deployed", "time": "2026-11-20T02:00:00Z",
             "subject": "checkout", "data": {"id": "d2", "service": "checkout", "version": "4.2.1"}},
            {"id": "00000000-0000-5000-8000-000000000003", "kind": "service.deployed", "time": "2026-11-20T02:30:00Z",
             "subject": "cart", "data": {"id": "d3", "service": "cart"}},
        ],
    }));
    let lookups = Lookups::new(&scene, scene.now, None);
    assert_eq!(lookups.file("h/o/n", "CODEOWNERS", None).unwrap().as_deref(), Some("* @acme/shop"));
    assert_eq!(lookups.file("h/o/n", "docs/CODEOWNERS", None).unwrap(), None);
    let log = |lines_max, bytes_max| {
        let name = LogName {
            cluster: "c".to_owned(),
            namespace: "shop".to_owned(),
            pod: "a".to_owned(),
            container: "main".to_owned(),
            previous: true,
            lines_max,
            bytes_max,
        };
        lookups.logs(name).unwrap().unwrap()
    };
    assert_eq!(log(2, 100), "two\nthree");
    assert_eq!(log(9, 4), "hree");
    let deployed =
        lookups.events("type:service.* service:checkout", [at("2026-11-19T00:00:00Z"), scene.now], 9).unwrap();
    let versions: Vec<_> = deployed.iter().map(|event| event.data["version"].as_str().unwrap()).collect();
    assert_eq!(versions, ["4.2.1", "4.2.0"], "newest first");
}

#[test]
fn the_next_run_finds_what_the_last_one_saved() {
    let mut scene = Scene::default();
    let save = |value: Option<&str>| Action::SaveState { key: "k".to_owned(), value: value.map(str::to_owned) };
    scene.keep_state(&[save(Some("v"))]);
    assert_eq!(Lookups::new(&scene, scene.now, None).state("k").as_deref(), Some("v"));
    scene.keep_state(&[save(None)]);
    assert_eq!(Lookups::new(&scene, scene.now, None).state("k"), None);
}

#[test]
fn a_key_that_no_answer_has_is_refused() {
    let error = serde_json::from_value::<Answers>(json!({"log": {}})).unwrap_err().to_string();
    assert!(error.contains("unknown field `log`, expected one of `logs`"), "{error}");
}
