//! A node that loses many pods at once is one message.

use chrono::TimeDelta;
use serde_json::json;

use super::super::message::ACKNOWLEDGE;
use super::stage::{Kill, Stage, at};
use crate::action::Audience;

/// The same kill of another pod of another workload, a while later.
fn other(kill: &Kill, pod: usize, workload: usize, later: TimeDelta) -> Kill {
    let mut other = kill.clone();
    let killed_at = at("2026-11-20T03:02:11Z") + later;
    let (name, uid, owner) = (format!("shop-{workload}-{pod}"), format!("uid-{pod}"), format!("shop-{workload}"));
    other.told["pod"] = json!(name);
    other.told["uid"] = json!(uid);
    other.told["id"] = json!(format!("eu-1/{uid}/evicted"));
    other.told["workload"] = json!(format!("Deployment/{owner}"));
    other.told["service"] = json!(owner);
    other.told["killedAt"] = json!(killed_at);
    other.pod["metadata"]["name"] = json!(name);
    other.pod["metadata"]["uid"] = json!(uid);
    if let Some(status) = other.pod["status"].get_mut("containerStatuses") {
        status[0]["lastState"]["terminated"]["containerID"] = json!(format!("containerd://{uid}"));
        other.told["id"] = json!(format!("eu-1/{uid}/app/containerd://{uid}"));
    }
    other
}

fn millis(millis: i64) -> TimeDelta {
    TimeDelta::milliseconds(millis)
}

#[test]
fn two_hundred_kills_on_one_node_are_exactly_one_message() {
    let kill = Kill::read("eviction");
    let mut stage = Stage::new(&kill);
    let mut calls = 0;
    for pod in 0..200 {
        stage.kill(&other(&kill, pod, pod % 41, millis(i64::try_from(pod).unwrap() * 150)));
        calls += stage.calls;
        stage.pass(millis(10));
    }
    stage.pass(TimeDelta::seconds(40));
    let posted = stage.only();
    assert_eq!(posted.to, Audience::Channel("#platform".to_owned()));
    assert!(posted.versions <= 3, "{} versions", posted.versions);
    assert!(calls <= 2 * 12, "only the first two kills are asked about, {calls} calls");
    insta::assert_snapshot!(posted.message.to_text(), @r"
    Node eu-1-pool-a-4kx2: 200 pods of 41 workloads evicted
    =======================================================

    For example: Node eu-1-pool-a-4kx2 ran low on memory: 80Mi were left, 100Mi have to be, and the kubelet evicted pod shop-2-2. Container app was using 400Mi and had asked for 128Mi.

    Since 2026-11-20 03:02 UTC, last 03:02 UTC.

    What to do: look at the node before the workloads. Set the memory request to what the container really uses, so that the scheduler leaves room for it; then see who else on the node uses more than it asked for. See `kubectl describe node eu-1-pool-a-4kx2`

    Node   eu-1-pool-a-4kx2: MemoryPressure, kubelet v1.34.2
    Kills  200 pods of 41 workloads

    - search/Deployment/shop-0: 5 pods, team search
    - search/Deployment/shop-1: 5 pods, team search
    - search/Deployment/shop-10: 5 pods, team search
    - search/Deployment/shop-11: 5 pods, team search
    - search/Deployment/shop-12: 5 pods, team search
    - search/Deployment/shop-13: 5 pods, team search
    - search/Deployment/shop-14: 5 pods, team search
    - search/Deployment/shop-15: 5 pods, team search
    - search/Deployment/shop-16: 5 pods, team search
    - search/Deployment/shop-17: 5 pods, team search
    - and 31 other workloads

    eu-1 / eu-1-pool-a-4kx2 · 1 API call, 20 ms

    [Full report] [Acknowledge] [Snooze 1 h]
    ");
    stage.pass(TimeDelta::minutes(15));
    let over = stage.only().message.to_text();
    assert!(over.starts_with("✅ Node eu-1-pool-a-4kx2: 200 pods of 41 workloads evicted"), "{over}");
    assert!(stage.scene.answers.state.is_empty(), "{:?}", stage.scene.answers.state.keys());
}

#[test]
fn two_hundred_kills_that_are_heard_of_at_once_are_one_message() {
    let kill = Kill::read("oom");
    let mut stage = Stage::new(&kill);
    let kills: Vec<Kill> =
        (0..200).map(|pod| other(&kill, pod, pod % 41, millis(i64::try_from(pod).unwrap() * 20))).collect();
    for kill in &kills {
        stage.put_on_the_bus(kill);
    }
    for kill in &kills {
        stage.kill(kill);
    }
    stage.pass(TimeDelta::seconds(40));
    assert!(stage.only().message.summary.starts_with("Node eu-1-pool-a-4kx2:"), "{}", stage.only().message.summary);
}

#[test]
fn two_owners_are_no_storm_and_are_told_each() {
    let kill = Kill::read("eviction");
    let mut stage = Stage::new(&kill);
    stage.kill(&other(&kill, 1, 1, millis(0)));
    stage.kill(&other(&kill, 2, 2, millis(500)));
    assert!(stage.chat.is_empty(), "it may still become one");
    stage.pass(TimeDelta::seconds(5));
    let told: Vec<_> =
        stage.chat.values().filter(|posted| posted.thread.is_none()).map(|posted| &posted.message.summary).collect();
    assert_eq!(told, ["shop-1 evicted: its node ran low on memory", "shop-2 evicted: its node ran low on memory"]);
    let thread = stage.thread().join("\n");
    assert!(thread.contains("search/Deployment/shop-1: 1 pod"), "{thread}");
}

#[test]
fn what_was_told_before_it_was_clear_becomes_a_line_that_leads_to_the_node() {
    let kill = Kill::read("oom");
    let mut stage = Stage::new(&kill);
    for pod in 0..6 {
        stage.kill(&other(&kill, pod, pod, millis(i64::try_from(pod).unwrap() * 3000)));
        stage.pass(TimeDelta::seconds(1));
    }
    stage.pass(TimeDelta::seconds(60));
    let of_node: Vec<_> = stage.chat.values().filter(|posted| posted.message.summary.starts_with("Node ")).collect();
    assert_eq!(of_node.len(), 1);
    let lines: Vec<_> = stage
        .chat
        .values()
        .filter(|posted| posted.thread.is_none() && !posted.message.summary.starts_with("Node "))
        .map(|posted| posted.message.to_text())
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    shop-0 killed: out of memory (512Mi limit). It is part of the incident of node eu-1-pool-a-4kx2, see its report <https://devhose.example/events/db6782ae-09a6-584b-a0aa-afb597287ede>.
    shop-1 killed: out of memory (512Mi limit). It is part of the incident of node eu-1-pool-a-4kx2, see its report <https://devhose.example/events/db6782ae-09a6-584b-a0aa-afb597287ede>.
    shop-2 killed: out of memory (512Mi limit). It is part of the incident of node eu-1-pool-a-4kx2, see its report <https://devhose.example/events/db6782ae-09a6-584b-a0aa-afb597287ede>.
    ");
}

#[test]
fn a_failure_that_goes_on_after_its_node_is_well_again_is_told_by_itself() {
    let kill = Kill::read("oom");
    let mut stage = Stage::new(&kill);
    for pod in 0..6 {
        stage.kill(&other(&kill, pod, pod, millis(i64::try_from(pod).unwrap() * 3000)));
        stage.pass(TimeDelta::seconds(1));
    }
    stage.pass(TimeDelta::minutes(5));
    let text = |stage: &Stage| {
        let first = stage.chat.iter().find(|(group, _)| group.contains("shop-0/")).unwrap();
        first.1.message.to_text()
    };
    assert!(text(&stage).contains("part of the incident of node"));
    let mut again = other(&kill, 0, 0, TimeDelta::minutes(8));
    again.told["id"] = json!("eu-1/uid-0/app/containerd://next");
    again.pod["status"]["containerStatuses"][0]["lastState"]["terminated"]["containerID"] = json!("containerd://next");
    stage.kill(&again);
    assert!(text(&stage).contains(": 2 kills, last 03:10 UTC."), "{}", text(&stage));
}

#[test]
fn a_node_in_trouble_for_long_is_counted_ever_more_rarely() {
    let kill = Kill::read("eviction");
    let mut stage = Stage::new(&kill);
    for pod in 0..240 {
        stage.kill(&other(&kill, pod, pod % 9, TimeDelta::seconds(i64::try_from(pod).unwrap() * 15)));
        stage.pass(millis(10));
    }
    stage.pass(TimeDelta::minutes(30));
    let posted = stage.chat.values().find(|posted| posted.message.summary.contains("Node ")).unwrap();
    let summary = &posted.message.summary;
    assert!(summary.starts_with("✅ Node eu-1-pool-a-4kx2: 240 pods of 9 workloads"), "{summary}");
    assert_eq!(stage.chat.len(), 3, "the first was alone for too long, and leads to the node's");
    assert!(posted.versions < 60, "{} versions in an hour", posted.versions);
}

#[test]
fn a_node_can_be_taken_on() {
    let kill = Kill::read("eviction");
    let mut stage = Stage::new(&kill);
    for pod in 0..5 {
        stage.kill(&other(&kill, pod, pod, millis(0)));
    }
    stage.pass(TimeDelta::seconds(10));
    let group = stage.chat.keys().next().unwrap().clone();
    stage.press(ACKNOWLEDGE, &group);
    let text = stage.only().message.to_text();
    assert!(text.contains("Acknowledged by @U024BE7LH at 03:02 UTC."), "{text}");
    assert!(!text.contains("[Acknowledge]"), "{text}");
}
