//! What is asked, in which order, and what is made of it.

use chrono::TimeDelta;
use serde_json::json;

use super::stage::{Kill, Stage};

#[test]
fn the_log_is_asked_for_first_because_the_cluster_keeps_only_the_last() {
    let kill = Kill::read("oom");
    let mut stage = Stage::new(&kill);
    stage.kill(&kill);
    insta::assert_snapshot!(stage.asked.join("\n"), @r"
    previous log
    events involvedObject.kind=Pod,involvedObject.name=checkout-7d9c5b8f6d-x2x4q
    replicasets checkout-7d9c5b8f6d
    deployments checkout
    nodes eu-1-pool-a-4kx2
    events involvedObject.kind=Node,involvedObject.name=eu-1-pool-a-4kx2
    pods checkout-7d9c5b8f6d-x2x4q
    replicasets app=checkout
    horizontalpodautoscalers 
    poddisruptionbudgets
    ");
}

#[test]
fn of_a_container_that_just_ended_it_is_looked_first_whether_it_runs_again() {
    let mut kill = Kill::read("oom");
    let status = &mut kill.pod["status"]["containerStatuses"][0];
    status["restartCount"] = json!(0);
    status["state"] = status["lastState"].take();
    let mut stage = Stage::new(&kill);
    stage.kill(&kill);
    assert_eq!(stage.asked[..2], ["pods checkout-7d9c5b8f6d-x2x4q", "previous log"]);
    // By now it is not started again: its newest log is that of the run that died.
    let mut stage = Stage::new(&kill);
    let now = stage.scene.answers.objects.iter_mut().find(|object| object["kind"] == "Pod").unwrap();
    now["status"]["containerStatuses"][0]["restartCount"] = json!(0);
    stage.kill(&kill);
    assert_eq!(stage.asked[..2], ["pods checkout-7d9c5b8f6d-x2x4q", "log"]);
}

#[test]
fn a_rollout_whose_pods_die_is_known_from_the_cluster_before_any_tool_calls_it_finished() {
    let mut kill = Kill::read("oom");
    kill.forget_events("service.upgraded", 1);
    let mut stage = Stage::new(&kill);
    stage.kill(&kill);
    let text = stage.only().message.to_text();
    assert!(text.contains("12 min after Revision 7 (checkout:4.2.1) began to roll out."), "{text}");
    assert!(text.contains("2 changes merged since 4.2.0:"), "{text}");
}

#[test]
fn a_deployment_that_two_tools_tell_of_is_one() {
    let kill = Kill::read("oom");
    let mut stage = Stage::new(&kill);
    let events = stage.scene.answers.events.as_mut().unwrap();
    let mut other = events.iter().find(|event| event.data["version"] == "4.2.1").unwrap().clone();
    other.time += TimeDelta::minutes(3);
    other.data = json!({"id": "eu-1/payments/checkout/7", "service": "checkout", "version": "4.2.1"});
    events.push(other);
    stage.kill(&kill);
    let text = stage.only().message.to_text();
    assert!(
        text.contains("4.2.1 <https://cd.example/checkout/7> (9fceb02) was deployed at 2026-11-20 02:53 UTC"),
        "{text}"
    );
    assert!(text.contains("2 changes merged since 4.2.0:"), "{text}");
}

#[test]
fn a_kill_that_is_not_new_with_the_deployment_is_told_so() {
    let kill = Kill::read("oom");
    let mut stage = Stage::new(&kill);
    for days in 2..5 {
        stage.put_on_the_bus(&kill.again(1, -TimeDelta::days(days)));
    }
    stage.kill(&kill);
    let text = stage.only().message.to_text();
    assert!(text.contains("Not new: OOMKilled 3 times in the 7 days before this deployment."), "{text}");
}

#[test]
fn nothing_more_is_asked_when_the_time_for_a_report_is_over() {
    let kill = Kill::read("oom");
    let mut stage = Stage::new(&kill);
    stage.millis_per_call = 900;
    stage.kill(&kill);
    assert_eq!(stage.calls, 3, "two answers took less than two seconds, the third more");
    let thread = stage.thread().remove(0);
    assert!(thread.contains("the node: not asked, the 2 s of a report were over"), "{thread}");
}
