//! Tests of what goes out, by the schemas of the specification, and of what comes in, by its conformance events.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jsonschema::{Retrieve, Uri, Validator};
use proptest::prelude::*;

use super::*;
use crate::cloudevents::Rules;
use crate::kind::Family;

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/cdevents")
}

fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The JSON files of a folder by their names without the ending.
fn folder(name: &str) -> BTreeMap<String, Value> {
    let entries = std::fs::read_dir(testdata().join(name)).unwrap().map(|entry| entry.unwrap().path());
    let json = entries.filter(|path| path.extension().is_some_and(|e| e == "json"));
    json.map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), read_json(&path))).collect()
}

/// Finds the schemas that others refer to in the folder, and nowhere else.
struct Folder;

impl Retrieve for Folder {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        let name = uri.as_str().strip_prefix("https://cdevents.dev/0.5.1/schema/").ok_or("a schema from elsewhere")?;
        Ok(read_json(&testdata().join(format!("v0.5.1/schemas/{name}.json"))))
    }
}

fn validator(kind: &Kind) -> Validator {
    let schema = read_json(&testdata().join(format!("v0.5.1/schemas/{}.json", kind.name().replace('.', ""))));
    jsonschema::options().with_retriever(Folder).should_validate_formats(true).build(&schema).unwrap()
}

fn standard_kinds() -> impl Iterator<Item = &'static Kind> {
    Kind::ALL.iter().filter(|kind| kind.cdevents_version().is_some())
}

/// A conformance event in its envelope, by the binding of the specification.
fn enveloped(cdevent: &Value) -> CloudEvent {
    let member = |name: &str| cdevent["context"][name].as_str().unwrap().to_owned();
    let mut event = CloudEvent::new(member("id"), member("source"), member("type"));
    event.subject = cdevent["subject"]["id"].as_str().map(str::to_owned);
    event.datacontenttype = Some("application/json".to_owned());
    event.payload = Payload::Json(cdevent.clone());
    event
}

fn read_back(event: &CloudEvent) -> (Kind, Data) {
    let bytes = event.to_json().unwrap();
    from_cloudevent(&CloudEvent::from_json(&bytes, Rules::Strict).unwrap()).unwrap()
}

fn received(event_type: &str, data: &Value) -> Result<(Kind, Data), CDEventError> {
    let mut event = CloudEvent::new("1".to_owned(), "https://ci.example/".to_owned(), event_type.to_owned());
    event.time = Some("2026-03-01T12:00:00Z".parse().unwrap());
    event.payload = Payload::Json(data.clone());
    from_cloudevent(&event)
}

fn received_json(event_type: &str, data: &Value) -> String {
    let (kind, data) = received(event_type, data).unwrap();
    format!("{kind} {}", data.to_json().unwrap().unwrap())
}

#[test]
fn the_table_of_members_is_that_of_the_schemas() {
    assert_eq!(print::MEMBERS.len(), 45);
    for (name, required, optional) in print::MEMBERS {
        let schema = read_json(&testdata().join(format!("v0.5.1/schemas/{}.json", name.replace('.', ""))));
        let content = &schema["properties"]["subject"]["properties"]["content"];
        let expected: Vec<&str> =
            content["required"].as_array().into_iter().flatten().map(|v| v.as_str().unwrap()).collect();
        let mut sorted = (required.to_vec(), expected);
        sorted.0.sort_unstable();
        sorted.1.sort_unstable();
        assert_eq!(sorted.0, sorted.1, "{name}");
        for member in optional.iter().chain(*required) {
            assert!(content["properties"].get(member).is_some(), "{name} has no {member}");
        }
    }
}

#[test]
fn every_complete_event_is_valid_by_its_schema() {
    for kind in standard_kinds() {
        let event = to_cloudevent(&samples::recorded(kind.clone(), samples::complete(kind)), None);
        assert_eq!(event.event_type, format!("dev.cdevents.{kind}.{}", kind.cdevents_version().unwrap()));
        event.check().unwrap();
        let data = event.json().unwrap();
        let errors: Vec<String> =
            validator(kind).iter_errors(&data).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{kind}: {errors:?}");
    }
}

#[test]
fn the_schemas_refuse_what_lacks_a_required_member() {
    let kind = Kind::ServiceDeployed;
    let event = to_cloudevent(&samples::recorded(kind.clone(), samples::complete(&kind)), None);
    let mut data = event.json().unwrap().into_owned();
    data["subject"]["content"].as_object_mut().unwrap().remove("artifactId");
    assert!(!validator(&kind).is_valid(&data), "or the test before proves nothing");
}

#[test]
fn an_incomplete_event_is_a_custom_one() {
    let data = |text: &str| Data::from_json(&Kind::ServiceDeployed, Some(text)).unwrap();
    let event = to_cloudevent(
        &samples::recorded(Kind::ServiceDeployed, data(r#"{"id":"d","service":"shop","environment":"prod"}"#)),
        None,
    );
    event.check().unwrap();
    insta::assert_json_snapshot!(sorted(&serde_json::to_value(event).unwrap()), @r#"
    {
      "data": {
        "context": {
          "id": "951cc1b8-8413-533f-b717-c137693bf70d",
          "source": "https://forge.example/acme/shop",
          "specversion": "0.5.1",
          "timestamp": "2026-03-01T12:00:00Z",
          "type": "dev.cdeventsx.devhose-service.deployed.0.1.0"
        },
        "customData": {
          "devhose": 1,
          "environment": "prod",
          "id": "d",
          "service": "shop"
        },
        "customDataContentType": "application/json",
        "subject": {
          "content": {
            "environment": {
              "id": "prod"
            }
          },
          "id": "12"
        }
      },
      "datacontenttype": "application/json",
      "id": "951cc1b8-8413-533f-b717-c137693bf70d",
      "partitionkey": "forge.example/acme/shop",
      "recordedtime": "2026-03-01T12:00:01.500Z",
      "sequence": "00000000000000000042",
      "source": "https://forge.example/acme/shop",
      "specversion": "1.0",
      "subject": "12",
      "time": "2026-03-01T12:00:00Z",
      "type": "dev.cdeventsx.devhose-service.deployed.0.1.0"
    }
    "#);
    let empty =
        to_cloudevent(&samples::recorded(Kind::ServiceDeployed, data(r#"{"environment":"","artifact":"x"}"#)), None);
    assert_eq!(empty.event_type, "dev.cdeventsx.devhose-service.deployed.0.1.0", "an empty text is not knowledge");
}

/// Members in the order of their names, whatever order the build of `serde_json` keeps.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let members: BTreeMap<&String, Value> = members.iter().map(|(name, value)| (name, sorted(value))).collect();
            members.into_iter().map(|(name, value)| (name.clone(), value)).collect()
        }
        Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

#[test]
fn a_kind_that_nobody_maps_keeps_its_type_and_body() {
    let kind = Kind::from("com.example.star.created");
    let print = |data: Data, body: Option<&[u8]>| {
        let event = to_cloudevent(&samples::recorded(kind.clone(), data), body);
        assert_eq!(event.event_type, "com.example.star.created");
        event.check().unwrap();
        (event.datacontenttype.unwrap_or_default(), event.payload)
    };
    let json = || "application/json".to_owned();
    assert_eq!(print(Data::AsReceived, Some(b"{\"a\":1}")), (json(), Payload::Json(json!({"a": 1}))));
    assert_eq!(print(Data::Other(json!([1])), Some(b"{}")), (json(), Payload::Json(json!([1]))));
    let text = Payload::Text("a=1".to_owned());
    assert_eq!(print(Data::AsReceived, Some(b"a=1")), ("text/plain; charset=utf-8".to_owned(), text));
    let bytes = Payload::Binary(vec![0xFF]);
    assert_eq!(print(Data::AsReceived, Some(b"\xFF")), ("application/octet-stream".to_owned(), bytes));
    assert_eq!(print(Data::AsReceived, None), (String::new(), Payload::None));
}

#[test]
fn every_conformance_event_is_read() {
    let mut lines = Vec::new();
    for (name, cdevent) in folder("v0.5.1/conformance") {
        let (kind, data) = from_cloudevent(&enveloped(&cdevent)).unwrap();
        assert_eq!(kind.name(), name.replace('_', "."));
        lines.push(format!("{kind} {}", data.to_json().unwrap().unwrap()));
    }
    assert_eq!(lines.len(), 45);
    insta::assert_snapshot!(lines.join("\n"), @r#"
    artifact.deleted {"id":"pkg:golang/mygit.com/myorg/myapp@234fd47e07d1004f0aed9c"}
    artifact.downloaded {"id":"pkg:golang/mygit.com/myorg/myapp@234fd47e07d1004f0aed9c"}
    artifact.packaged {"id":"pkg:golang/mygit.com/myorg/myapp@234fd47e07d1004f0aed9c","change":"myChange123"}
    artifact.published {"id":"pkg:golang/mygit.com/myorg/myapp@234fd47e07d1004f0aed9c"}
    artifact.signed {"id":"pkg:golang/mygit.com/myorg/myapp@234fd47e07d1004f0aed9c","signature":"MEYCIQCBT8U5ypDXWCjlNKfzTV4KH516/SK13NZSh8znnSMNkQIhAJ3XiQlc9PM1KyjITcZXHotdMB+J3NGua5T/yshmiPmp"}
    branch.created {"repository":"example.org/TestRepo/TestOrg","branch":"mySubject123"}
    branch.deleted {"repository":"example.org/TestRepo/TestOrg","branch":"mySubject123"}
    build.finished {"id":"/event/source/123/mySubject123","artifact":"pkg:oci/myapp@sha256%3A0b31b1c02ff458ad9b7b81cbdf8f028bd54699fa151f221d1e8de6817db93427"}
    build.queued {"id":"/event/source/123/mySubject123"}
    build.started {"id":"/event/source/123/mySubject123"}
    change.abandoned {"repository":"example.org/TestRepo/TestOrg","closedAt":"2023-03-20T14:27:05.315384Z"}
    change.created {"repository":"example.org/TestRepo/TestOrg","title":"This PR address a bug from a recent PR","openedAt":"2023-03-20T14:27:05.315384Z"}
    change.merged {"repository":"example.org/TestRepo/TestOrg","mergedAt":"2023-03-20T14:27:05.315384Z","closedAt":"2023-03-20T14:27:05.315384Z"}
    change.reviewed {"repository":"example.org/TestRepo/TestOrg","submittedAt":"2023-03-20T14:27:05.315384Z"}
    change.updated {"repository":"example.org/TestRepo/TestOrg"}
    environment.created {"id":"/event/source/123/mySubject123","name":"testEnv","url":"https://example.org/testEnv"}
    environment.deleted {"id":"/event/source/123/mySubject123","name":"testEnv"}
    environment.modified {"id":"/event/source/123/mySubject123","name":"testEnv","url":"https://example.org/testEnv"}
    incident.detected {"id":"/monitoring/prod1/incident-123","service":"myApp","environment":"prod1","description":"Response time above threshold of 100ms","artifact":"pkg:oci/myapp@sha256%3A0b31b1c02ff458ad9b7b81cbdf8f028bd54699fa151f221d1e8de6817db93427","detectedAt":"2022-11-11T13:52:20.079Z"}
    incident.reported {"id":"/monitoring/prod1/incident-123","service":"myApp","environment":"prod1","severity":"medium","description":"Response time above threshold of 100ms","url":"https://my-issues.example/incidents/ticket-345","artifact":"pkg:oci/myapp@sha256%3A0b31b1c02ff458ad9b7b81cbdf8f028bd54699fa151f221d1e8de6817db93427"}
    incident.resolved {"id":"/monitoring/prod1/incident-123","service":"myApp","environment":"prod1","description":"Response time restored below 100ms","artifact":"pkg:oci/myapp@sha256%3A0b31b1c02ff458ad9b7b81cbdf8f028bd54699fa151f221d1e8de6817db93439","resolvedAt":"2022-11-11T13:52:20.079Z"}
    pipelinerun.finished {"id":"/event/source/123/mySubject123","pipeline":"myPipeline","url":"https://www.example.com/mySubject123","attempt":1,"finishedAt":"2023-03-20T14:27:05.315384Z","outcome":"failure"}
    pipelinerun.queued {"id":"/event/source/123/mySubject123","pipeline":"myPipeline","url":"https://www.example.com/mySubject123","attempt":1,"queuedAt":"2023-03-20T14:27:05.315384Z"}
    pipelinerun.started {"id":"/event/source/123/mySubject123","pipeline":"myPipeline","url":"https://www.example.com/mySubject123","attempt":1,"startedAt":"2023-03-20T14:27:05.315384Z"}
    repository.created {"repository":"example.org/TestOrg/TestRepo","name":"TestRepo","owner":"TestOrg","url":"https://example.org/TestOrg/TestRepo","viewUrl":"https://example.org/view/TestOrg/TestRepo"}
    repository.deleted {"repository":"example.org/TestOrg/TestRepo","name":"TestRepo","owner":"TestOrg","url":"https://example.org/TestOrg/TestRepo","viewUrl":"https://example.org/view/TestOrg/TestRepo"}
    repository.modified {"repository":"example.org/TestOrg/TestRepo","name":"TestRepo","owner":"TestOrg","url":"https://example.org/TestOrg/TestRepo","viewUrl":"https://example.org/view/TestOrg/TestRepo"}
    service.deployed {"id":"/event/source/123/271069a8-fc18-44f1-b38f-9d70a1695819","service":"mySubject123","environment":"test123","artifact":"pkg:oci/myapp@sha256%3A0b31b1c02ff458ad9b7b81cbdf8f028bd54699fa151f221d1e8de6817db93427","finishedAt":"2023-03-20T14:27:05.315384Z","outcome":"success"}
    service.published {"id":"/event/source/123/271069a8-fc18-44f1-b38f-9d70a1695819","service":"mySubject123","environment":"test123"}
    service.removed {"id":"/event/source/123/271069a8-fc18-44f1-b38f-9d70a1695819","service":"mySubject123","environment":"test123"}
    service.rolledback {"id":"/event/source/123/271069a8-fc18-44f1-b38f-9d70a1695819","service":"mySubject123","environment":"test123","artifact":"pkg:oci/myapp@sha256%3A0b31b1c02ff458ad9b7b81cbdf8f028bd54699fa151f221d1e8de6817db93427","finishedAt":"2023-03-20T14:27:05.315384Z","outcome":"success","manner":"rollback"}
    service.upgraded {"id":"/event/source/123/271069a8-fc18-44f1-b38f-9d70a1695819","service":"mySubject123","environment":"test123","artifact":"pkg:oci/myapp@sha256%3A0b31b1c02ff458ad9b7b81cbdf8f028bd54699fa151f221d1e8de6817db93427","finishedAt":"2023-03-20T14:27:05.315384Z","outcome":"success"}
    taskrun.finished {"id":"/event/source/123/mySubject123","run":"/event/source/123/mySubject123","task":"myTask","url":"https://www.example.com/mySubject123","attempt":1,"finishedAt":"2023-03-20T14:27:05.315384Z","outcome":"failure"}
    taskrun.started {"id":"/event/source/123/mySubject123","run":"/event/source/123/mySubject123","task":"myTask","url":"https://www.example.com/mySubject123","attempt":1,"startedAt":"2023-03-20T14:27:05.315384Z"}
    testcaserun.finished {"id":"/event/source/123/myTestCaseRun123","name":"Login Test","environment":"dev","outcome":"success"}
    testcaserun.queued {"id":"/event/source/123/myTestCaseRun123","name":"Login Test","environment":"dev"}
    testcaserun.skipped {"id":"/event/source/123/myTestCaseRun123","name":"Login Test","suiteRun":"testkube-dev-123/test-suite-111","environment":"dev","reason":"Not running in this environment"}
    testcaserun.started {"id":"/event/source/123/myTestCaseRun123","name":"Login Test","environment":"dev"}
    testoutput.published {"id":"/event/source/testrunreport-12123/testrunreport-12123","outputType":"video","format":"video/quicktime"}
    testsuiterun.finished {"id":"/event/source/123/myTestSuiteRun123","name":"Auth TestSuite","environment":"dev","outcome":"failure","severity":"critical","reason":"Host 123.34.23.32 not found"}
    testsuiterun.queued {"id":"/event/source/123/myTestSuiteRun123","name":"Auth TestSuite","environment":"dev"}
    testsuiterun.started {"id":"/event/source/123/myTestSuiteRun123","name":"Auth TestSuite","environment":"dev"}
    ticket.closed {"id":"/ticketing/system/ticket-123","summary":"New CVE-123 detected","url":"https://example.issues.com/ticket123","creator":{"handle":"Alice"},"assignees":[{"handle":"Bob"}],"labels":["bug"],"milestone":"123","ticketType":"task","priority":"high","updatedBy":{"handle":"Bob"},"resolution":"completed"}
    ticket.created {"id":"/ticketing/system/ticket-123","summary":"New CVE-123 detected","url":"https://example.issues.com/ticket123","creator":{"handle":"Alice"},"assignees":[{"handle":"Bob"}],"labels":["bug"],"milestone":"123","ticketType":"task","priority":"high"}
    ticket.updated {"id":"/ticketing/system/ticket-123","summary":"New CVE-123 detected","url":"https://example.issues.com/ticket123","creator":{"handle":"Alice"},"assignees":[{"handle":"Bob"}],"labels":["bug"],"milestone":"123","ticketType":"task","priority":"high","updatedBy":{"handle":"Bob"}}
    "#);
}

#[test]
fn older_versions_say_the_same_in_other_words() {
    let today = folder("v0.5.1/conformance");
    for (version, count) in [("v0.4.1", 45), ("v0.3.0", 39)] {
        let events = folder(&format!("{version}/conformance"));
        assert_eq!(events.len(), count);
        for (name, cdevent) in events {
            let mut expected = today[&name].clone();
            if cdevent["subject"]["content"].get("description").is_none() {
                expected["subject"]["content"].as_object_mut().unwrap().remove("description");
            }
            let read = from_cloudevent(&enveloped(&cdevent)).unwrap();
            assert_eq!(read, from_cloudevent(&enveloped(&expected)).unwrap(), "{version} {name}");
        }
    }
}

#[test]
fn a_type_is_read_in_any_version_and_only_if_it_is_mapped() {
    let kind = |event_type: &str| mapped(event_type).map(|kind| kind.name().to_owned()).unwrap_or_default();
    assert_eq!(kind("dev.cdevents.service.deployed.9.9.9-draft"), "service.deployed");
    assert_eq!(kind("dev.cdevents.service.deployed"), "service.deployed");
    assert_eq!(kind("dev.cdeventsx.devhose-pod.killed.0.1.0"), "pod.killed");
    assert_eq!(kind("service.deployed"), "service.deployed");
    let others = [
        "dev.cdevents.artifact.invalid.0.1.0",
        "dev.cdevents.approval.created.0.1.0",
        "dev.cdevents.pod.killed.0.1.0",
        "dev.cdeventsx.mytool-service.deployed.0.1.0",
        "dev.cdevents.service",
        "dev.cdevents.",
        "com.example.service.deployed",
        "",
    ];
    for event_type in others {
        assert_eq!(kind(event_type), "", "{event_type}");
    }
    let custom = read_json(&testdata().join("v0.5.1/custom/conformance.json"));
    let (kind, data) = from_cloudevent(&enveloped(&custom)).unwrap();
    assert_eq!((kind.name(), data), ("dev.cdeventsx.mytool-resource.created.0.1.0", Data::Other(custom)));
}

#[test]
fn what_others_put_into_custom_data_counts_where_it_fits() {
    let cdevent = json!({
        "context": {"id": "7", "source": "/ci", "timestamp": "2026-03-01T11:00:00+01:00"},
        "subject": {"id": "checkout", "content": {"environment": {"id": "prod"}, "artifactId": "pkg:oci/x@1"}},
        "customData": {
            "service": "shop", "repository": "forge.example/acme/shop", "sha": "c0ffee", "version": 5,
            "url": "https://deploy.example/1", "outcome": "partly", "startedAt": "2026-03-01T09:50:00Z",
            "finishedAt": "yesterday", "team": "checkout"
        }
    });
    insta::assert_snapshot!(received_json("dev.cdevents.service.rolledback.0.2.0", &cdevent), @r#"service.rolledback {"id":"/ci/7","repository":"forge.example/acme/shop","service":"shop","environment":"prod","sha":"c0ffee","artifact":"pkg:oci/x@1","url":"https://deploy.example/1","startedAt":"2026-03-01T09:50:00Z","finishedAt":"2026-03-01T10:00:00Z","outcome":"success","manner":"rollback"}"#);
}

#[test]
fn an_attempt_that_failed_is_read_from_our_own_type() {
    let cdevent = json!({"subject": {"id": "shop", "content": {"environment": {"id": "prod"}}}});
    insta::assert_snapshot!(received_json("dev.cdeventsx.devhose-deployment.failed.0.1.0", &cdevent), @r#"deployment.failed {"id":"ci.example/1","service":"shop","environment":"prod","finishedAt":"2026-03-01T12:00:00Z","outcome":"failure"}"#);
}

#[test]
fn the_bare_name_of_a_kind_comes_with_bare_data() {
    let (_, nameless) = received("service.deployed", &json!({"environment": "prod"})).unwrap();
    assert_eq!(nameless.service(), None, "the id of an event is no service");
    let data = json!({"service": "shop", "environment": "prod", "sha": "c0ffee"});
    insta::assert_snapshot!(received_json("service.deployed", &data), @r#"service.deployed {"id":"ci.example/1","service":"shop","environment":"prod","sha":"c0ffee","finishedAt":"2026-03-01T12:00:00Z","outcome":"success"}"#);
}

#[test]
fn an_incident_has_one_id_from_beginning_to_end() {
    let event = |custom: Value| json!({"subject": {"id": "i-1", "content": {}}, "customData": custom});
    insta::assert_snapshot!(received_json("dev.cdevents.incident.detected.0.3.0", &event(json!({"severity": "P1"}))), @r#"incident.detected {"id":"ci.example/i-1","severity":"P1","detectedAt":"2026-03-01T12:00:00Z"}"#);
    insta::assert_snapshot!(received_json("dev.cdevents.incident.resolved.0.1.0", &event(json!([]))), @r#"incident.resolved {"id":"ci.example/i-1","resolvedAt":"2026-03-01T12:00:00Z"}"#);
}

#[test]
fn data_that_does_not_go_with_its_type_is_an_error() {
    let mut errors = Vec::new();
    let deployed = "dev.cdevents.service.deployed.0.3.0";
    errors.push(received(deployed, &json!("text")).unwrap_err().to_string());
    errors.push(received(deployed, &json!({"context": {}})).unwrap_err().to_string());
    errors.push(received(deployed, &json!({"subject": {"content": {}}})).unwrap_err().to_string());
    let ours = json!({"subject": {"id": "s"}, "customData": {"devhose": 1, "repository": {"person": "ada"}}});
    errors.push(received(deployed, &ours).unwrap_err().to_string());
    insta::assert_snapshot!(errors.join("\n"), @r#"
    data of an event of type "dev.cdevents.service.deployed.0.3.0" must be a JSON object
    data of an event of type "dev.cdevents.service.deployed.0.3.0" must be a CDEvent: subject is missing
    data of an event of type "dev.cdevents.service.deployed.0.3.0" must be a CDEvent: subject.id is missing
    customData is marked with "devhose", but is not of the shape that goes with service.deployed
    "#);
}

#[test]
fn data_marked_with_another_version_of_the_shape_is_read_as_anybodys() {
    let data = json!({"subject": {"id": "s"}, "customData": {"devhose": 2, "repository": 5, "sha": "c0ffee"}});
    let (_, data) = received("dev.cdevents.service.removed.0.3.0", &data).unwrap();
    assert_eq!(data.service(), Some("s"), "what stands in the CDEvent counts");
}

#[test]
fn a_sent_pull_request_number_is_found_in_its_id() {
    for (id, expected) in
        [("12", Some(12)), ("acme/shop#12", Some(12)), ("https://h/o/n/pull/12", Some(12)), ("c0ffee", None)]
    {
        let (_, data) = received("dev.cdevents.change.merged.0.3.0", &json!({"subject": {"id": id}})).unwrap();
        let Data::Change(change) = data else { panic!("{data:?}") };
        assert_eq!(change.number, expected, "{id}");
    }
}

/// Data of a kind with any of its fields absent and any of its texts replaced.
fn any_data(kind: &'static Kind) -> impl Strategy<Value = Data> {
    let Ok(Value::Object(full)) = samples::complete(kind).to_value() else { panic!("{kind}") };
    let count = full.len();
    let fields = prop::collection::vec((any::<bool>(), prop::option::of(any::<String>())), count);
    fields.prop_map(move |choices| {
        let mut members = Map::new();
        for ((name, value), (keep, text)) in full.clone().into_iter().zip(choices) {
            let replaced = text.filter(|_| value.is_string()).map_or(value.clone(), Value::String);
            let fits = |value: &Value| Data::from_json(kind, Some(&json!({&name: value}).to_string())).is_ok();
            if keep {
                let value = if fits(&replaced) { replaced } else { value };
                members.insert(name, value);
            }
        }
        Data::from_json(kind, Some(&Value::Object(members).to_string())).unwrap()
    })
}

#[test]
fn every_kind_is_read_back_from_a_complete_event() {
    for kind in Kind::ALL {
        let data = samples::complete(kind);
        let event = to_cloudevent(&samples::recorded(kind.clone(), data.clone()), None);
        assert_eq!(read_back(&event), (kind.clone(), data));
        assert_ne!(kind.family(), Family::Other);
    }
}

proptest! {
    #[test]
    fn whatever_is_printed_is_read_back_and_valid(
        (kind, data) in prop::sample::select(Kind::ALL).prop_flat_map(|kind| {
            let kind: &'static Kind = Kind::ALL.iter().find(|other| **other == kind).unwrap();
            any_data(kind).prop_map(move |data| (kind, data))
        })
    ) {
        let event = to_cloudevent(&samples::recorded(kind.clone(), data.clone()), None);
        if event.event_type.starts_with(STANDARD) {
            let json = event.json().unwrap();
            prop_assert!(validator(kind).is_valid(&json), "{}", json);
        }
        prop_assert_eq!(read_back(&event), (kind.clone(), data));
    }

    #[test]
    fn reading_never_panics(name in "[a-z.]{0,20}", content in any::<String>()) {
        for kind in Kind::ALL {
            let data = json!({"subject": {"id": name, "content": {"repository": {"id": content, "source": content}, "uri": content}}});
            drop(received(&format!("{STANDARD}{kind}.0.1.0"), &data));
        }
        drop(received(&name, &json!({"subject": content})));
    }
}
