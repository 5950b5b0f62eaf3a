//! Whatever state a pod is in, its message stays within what people read and chat tools take.

use std::path::Path;

use bus::data::runtime::Pod;
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::super::logs::LINES_MAX;
use super::stage::{Kill, Stage};
use crate::message::{Block, Message};

/// A state of a pod out of the cases of the classifier, as a kill.
fn kill(case: &Value) -> Kill {
    let pod = &case["pod"];
    let text = |pointer: &str| pod.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let container = case["container"].as_str().map(str::to_owned).or_else(|| text("/spec/containers/0/name"));
    let told = Pod {
        id: "test/kill".to_owned(),
        cluster: Some("eu-1".to_owned()),
        namespace: text("/metadata/namespace"),
        pod: text("/metadata/name"),
        container,
        node: text("/spec/nodeName"),
        killed_at: case["killedAt"].as_str().and_then(|at| at.parse().ok()),
        ..Pod::default()
    };
    let lists = ["events", "nodeEvents"].iter().filter_map(|list| case[list].as_array()).flatten();
    let single =
        ["pod", "node", "owner", "deployment"].iter().map(|name| &case[name]).filter(|object| !object.is_null());
    let objects: Vec<Value> = lists.chain(single).cloned().collect();
    let kill = json!({"kind": "pod.killed", "told": told, "pod": pod, "objects": objects,
                      "logs": {"app": "x error\n".repeat(500)}});
    serde_json::from_value(kill).unwrap()
}

fn check(name: &str, message: &Message) {
    let characters = message.to_text().chars().count();
    assert!(characters < 11_000, "{name} has {characters} characters");
    assert!(message.blocks.len() <= 20, "{name} has {} blocks", message.blocks.len());
    for block in &message.blocks {
        if let Block::Heading(text) = block {
            assert!(text.chars().count() <= 150 && text.lines().count() == 1, "{name}: {text}");
        }
        if let Block::Fields(fields) = block {
            assert!(fields.len() <= 14 && fields.iter().all(|field| !field.value.is_empty()), "{name}: {fields:?}");
        }
        if let Block::Code(text) = block {
            assert!(text.lines().count() <= LINES_MAX, "{name}: {text}");
        }
    }
}

#[test]
fn every_state_of_a_pod_has_a_message_that_can_be_read_and_sent() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/killed-pods/cases");
    let mut told = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let kill = kill(&serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap());
        let mut stage = Stage::new(&kill);
        stage.kill(&kill);
        stage.pass(TimeDelta::seconds(5));
        assert!(!stage.chat.is_empty() || stage.because.ends_with("nobody is told"), "{name}: {}", stage.because);
        told += usize::from(!stage.chat.is_empty());
        stage.chat.values().for_each(|posted| check(&name, &posted.message));
    }
    assert!(told > 80, "{told}");
}
