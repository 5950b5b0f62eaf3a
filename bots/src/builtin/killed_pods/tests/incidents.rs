//! One failure is one message, however often it repeats.

use chrono::TimeDelta;
use serde_json::json;

use super::super::message::{ACKNOWLEDGE, SNOOZE};
use super::stage::{Kill, Stage, at};
use crate::action::Audience;
use crate::message::{Block, Message, Span};

/// The group of the first incident of the world `oom`.
const GROUP: &str = "workload/eu-1/payments/Deployment/checkout/app#1";

fn minutes(minutes: i64) -> TimeDelta {
    TimeDelta::minutes(minutes)
}

/// The line that says since when.
fn since(message: &Message) -> String {
    message.to_text().split("\n\n").nth(2).unwrap().to_owned()
}

#[test]
fn a_failure_that_repeats_is_counted_in_its_message_and_told_in_the_thread_ever_more_rarely() {
    let kill = Kill::read("oom");
    let mut stage = Stage::new(&kill);
    stage.kill(&kill);
    for run in 2..=10 {
        stage.kill(&kill.again(run, minutes(i64::from(run))));
        assert!(stage.calls <= 1, "a kill that repeats needs no questions but for its log: {}", stage.calls);
    }
    let posted = stage.only();
    assert_eq!((posted.versions, &posted.to), (10, &Audience::Channel("#payments".to_owned())));
    insta::assert_snapshot!(since(&posted.message), @r"Since 2026-11-20 03:02 UTC: 10 kills, last 03:12 UTC.");
    insta::assert_snapshot!(posted.message.summary, @r"checkout killed: out of memory (512Mi limit) (10 kills, last 03:12 UTC)");
    assert!(posted.message.to_text().contains("Restarts  10"));
    let thread = stage.thread();
    assert_eq!(thread.len(), 3, "details, the third, the tenth");
    assert!(thread[1].starts_with("3 kills since 2026-11-20 03:02 UTC"), "{}", thread[1]);
    assert!(thread[2].contains("OutOfMemoryError"), "{}", thread[2]);
}

#[test]
fn a_kill_that_the_pod_alone_does_not_explain_is_looked_into_each_time() {
    let mut kill = Kill::read("oom");
    kill.told["reason"] = json!("Error");
    kill.pod["status"]["containerStatuses"][0]["lastState"]["terminated"]["reason"] = json!("Error");
    let mut stage = Stage::new(&kill);
    stage.kill(&kill);
    stage.pass(TimeDelta::seconds(5));
    stage.scene.answers.objects.push(json!({"apiVersion": "v1", "kind": "Event", "reason": "Killing",
        "metadata": {"namespace": "payments"}, "lastTimestamp": "2026-11-20T03:04:10Z",
        "message": "Container app failed liveness probe, will be restarted",
        "involvedObject": {"kind": "Pod", "name": "checkout-7d9c5b8f6d-x2x4q", "uid": kill.told["uid"],
                           "fieldPath": "spec.containers{app}"}}));
    stage.kill(&kill.again(2, minutes(2)));
    let headings: Vec<_> = stage.chat.values().filter(|posted| posted.thread.is_none()).collect();
    let headings: Vec<_> = headings.iter().map(|posted| posted.message.summary.as_str()).collect();
    assert_eq!(headings, ["checkout killed: SIGKILL from an unknown sender", "checkout killed: liveness probe failed"]);
}

#[test]
fn a_kill_that_is_told_again_as_a_crash_loop_is_counted_once() {
    let kill = Kill::read("oom");
    let mut stage = Stage::new(&kill);
    stage.kill(&kill);
    stage.kill(&kill);
    assert_eq!((stage.because.as_str(), stage.only().versions), ("this kill is counted already", 1));
    let mut looping = kill.clone();
    looping.kind = "pod.crashlooping".to_owned();
    looping.told["id"] = json!("eu-1/5b0c7e8a/app/crashlooping/1");
    looping.told["reason"] = json!("CrashLoopBackOff");
    looping.pod["status"]["containerStatuses"][0]["state"] = json!({"waiting": {"reason": "CrashLoopBackOff"}});
    stage.kill(&looping);
    insta::assert_snapshot!(since(&stage.only().message), @r"Since 2026-11-20 03:02 UTC: 1 kill. The cluster waits ever longer before it starts it again.");
}

#[test]
fn an_incident_is_over_when_it_is_quiet_and_ready_and_is_forgotten_later() {
    let kill = Kill::read("oom");
    let mut stage = Stage::new(&kill);
    stage.kill(&kill);
    stage.pass(minutes(25));
    assert_eq!(stage.because, "5 of 6 replicas ready", "it is quiet, but not ready");
    let deployment = stage.scene.answers.objects.iter_mut().find(|object| object["kind"] == "Deployment").unwrap();
    deployment["status"]["readyReplicas"] = json!(6);
    stage.pass(minutes(10));
    let posted = stage.only();
    insta::assert_snapshot!(since(&posted.message), @r"Since 2026-11-20 03:02 UTC: 1 kill. Resolved at 03:32 UTC, after 30 min: no kill for 30 min, 6 of 6 replicas ready.");
    insta::assert_snapshot!(posted.message.summary, @r"✅ checkout killed: out of memory (512Mi limit)");
    assert_eq!(posted.message.blocks.last().map(has_button), Some(vec!["Full report".to_owned()]));
    // Back again within a week, it says so.
    stage.kill(&kill.again(2, minutes(60)));
    let again = &stage.chat[&GROUP.replace("#1", "#2")].message;
    insta::assert_snapshot!(again.to_text().split("\n\n").nth(1).unwrap(), @r"Container app used more memory than its limit of 512Mi and was killed by the kernel. It is back: the same failure began 2026-11-20 03:02 UTC and was over at 2026-11-20 03:32 UTC.");
    stage.pass(TimeDelta::days(8));
    let kept: Vec<_> = stage.scene.answers.state.keys().collect();
    assert_eq!(kept, ["hour/payments"], "what is over is forgotten");
}

fn has_button(block: &Block) -> Vec<String> {
    let Block::Buttons(buttons) = block else { return Vec::new() };
    buttons.iter().map(|button| button.label.clone()).collect()
}

#[test]
fn another_image_is_another_incident_that_names_the_first() {
    let kill = Kill::read("oom");
    let mut stage = Stage::new(&kill);
    stage.kill(&kill);
    let mut next = kill.again(2, minutes(5));
    next.pod["status"]["containerStatuses"][0]["imageID"] = json!("registry.example/checkout@sha256:000111222333444");
    stage.kill(&next);
    let text = stage.chat[&GROUP.replace("#1", "#2")].message.to_text();
    assert!(text.contains("The same failure as since 2026-11-20 03:02 UTC, now with another image."), "{text}");
}

#[test]
fn whoever_acknowledges_is_named_and_the_thread_is_quiet_then() {
    let kill = Kill::read("oom");
    let mut stage = Stage::new(&kill);
    stage.kill(&kill);
    stage.press(ACKNOWLEDGE, GROUP);
    let message = &stage.only().message;
    let somebody = Span::Person("U024BE7LH".to_owned());
    let names = |block: &Block| matches!(block, Block::Text(spans) if spans.contains(&somebody));
    assert!(message.blocks.iter().any(names));
    insta::assert_snapshot!(since(message), @r"Since 2026-11-20 03:02 UTC: 1 kill. Acknowledged by @U024BE7LH at 03:02 UTC.");
    assert_eq!(message.blocks.last().map(has_button), Some(vec!["Full report".to_owned(), "Snooze 1 h".to_owned()]));
    for run in 2..=4 {
        stage.kill(&kill.again(run, minutes(i64::from(run))));
    }
    assert_eq!((stage.thread().len(), stage.only().versions), (1, 5), "counted, and not said in the thread");
}

#[test]
fn nothing_is_heard_of_what_somebody_snoozed_until_the_hour_is_over() {
    let kill = Kill::read("oom");
    let mut stage = Stage::new(&kill);
    stage.kill(&kill);
    stage.press(SNOOZE, GROUP);
    insta::assert_snapshot!(since(&stage.only().message), @r"Since 2026-11-20 03:02 UTC: 1 kill. Snoozed by @U024BE7LH until 04:02 UTC.");
    for run in 2..=4 {
        stage.kill(&kill.again(run, minutes(i64::from(run) * 10)));
    }
    assert_eq!((stage.only().versions, stage.thread().len()), (2, 1));
    stage.pass(minutes(30));
    assert!(since(&stage.only().message).contains("4 kills"), "{}", since(&stage.only().message));
    assert!(!since(&stage.only().message).contains("Snoozed"));
}

#[test]
fn buttons_of_others_and_of_what_is_over_do_nothing() {
    let kill = Kill::read("oom");
    let mut stage = Stage::new(&kill);
    stage.press("other-bot/approve", "x");
    assert_eq!(stage.because, "the button is not one of this bot");
    for value in ["", "#", "nowhere#1", "storm/eu-1/n1@1", "workload/#x"] {
        stage.press(ACKNOWLEDGE, value);
        assert_eq!(stage.because, format!("{value} is over"));
    }
    assert!(stage.chat.is_empty() && stage.scene.answers.state.is_empty());
}

#[test]
fn what_the_role_does_not_permit_is_named_and_the_rest_is_told() {
    let kill = Kill::read("oom");
    let mut stage = Stage::new(&kill);
    stage.forbidden = vec!["pods/log", "nodes", "events", "pods", "deployments"];
    stage.kill(&kill);
    let text = stage.only().message.to_text();
    assert!(text.starts_with("checkout killed: out of memory (512Mi limit)"), "{text}");
    assert!(text.contains("Memory    limit 512Mi; use at death not known"), "{text}");
    assert!(text.contains("Log: could not be read, pods/log forbidden."), "{text}");
    let thread = stage.thread().remove(0);
    insta::assert_snapshot!(thread.split_once("Not known\n\n").unwrap().1, @r"
    - the log: pods/log forbidden
    - events of the pod: events forbidden
    - Deployment checkout: deployments forbidden
    - the node: nodes forbidden
    - events of the node: events forbidden
    - memory in use: pods forbidden
    - memory over time, CPU throttling and pressure: no history of measurements is connected
    ");
}

#[test]
fn an_end_that_somebody_wanted_is_counted_and_told_to_nobody() {
    let mut kill = Kill::read("oom");
    kill.pod["metadata"]["deletionTimestamp"] = json!("2026-11-20T03:02:30Z");
    kill.pod["metadata"]["deletionGracePeriodSeconds"] = json!(30);
    let status = &mut kill.pod["status"]["containerStatuses"][0];
    status["state"] = json!({"terminated": {"containerID": "containerd://run-1", "exitCode": 143, "reason": "Error",
        "startedAt": "2026-11-20T02:53:12Z", "finishedAt": "2026-11-20T03:02:11Z"}});
    status["lastState"] = json!({});
    kill.told["reason"] = json!("Error");
    kill.told["exitCode"] = json!(143);
    let mut stage = Stage::new(&kill);
    stage.kill(&kill);
    assert!(stage.chat.is_empty(), "{}", stage.because);
    let counted = stage.scene.answers.state["suppressed"].clone();
    assert!(counted.ends_with(":1}"), "{counted}");
    assert!(stage.because.ends_with("nobody is told"), "{}", stage.because);
}

#[test]
fn a_team_with_too_many_incidents_in_an_hour_gets_one_digest_of_the_rest() {
    let kill = Kill::read("oom");
    let mut stage = Stage::new(&kill);
    stage.scene.answers.settings.insert("team_messages_per_hour".to_owned(), json!(2));
    for (number, service) in ["checkout", "cart", "mailer", "search", "ledger"].into_iter().enumerate() {
        let mut other = kill.again(1, minutes(i64::try_from(number).unwrap() * 3));
        other.told["service"] = json!(service);
        other.told["workload"] = json!(format!("Deployment/{service}"));
        stage.kill(&other);
    }
    let digest = &stage.chat.values().find(|posted| posted.message.summary.contains("in this hour")).unwrap();
    assert_eq!(digest.versions, 3);
    insta::assert_snapshot!(digest.message.to_text(), @r"
    3 more incidents in this hour
    =============================

    Since 03:00 UTC there were 2 incidents with a message each; these came on top.

    - mailer killed: out of memory (512Mi limit)
    - search killed: out of memory (512Mi limit)
    - ledger killed: out of memory (512Mi limit)
    ");
    assert_eq!(stage.chat.values().filter(|posted| posted.thread.is_none()).count(), 3);
}

#[test]
fn a_kill_of_which_only_the_event_is_known_is_told() {
    let mut kill = Kill::read("oom");
    kill.pod = json!(null);
    let mut stage = Stage::new(&kill);
    stage.scene.answers.objects.clear();
    stage.scene.answers.events = Some(Vec::new());
    stage.scene.answers.owner = None;
    stage.kill(&kill);
    stage.pass(TimeDelta::seconds(5));
    assert_eq!(stage.only().to, Audience::Channel("#ops".to_owned()));
    insta::assert_snapshot!(stage.only().message.to_text(), @r"
    checkout killed: the node ran out of memory
    ===========================================

    Container app was killed for lack of memory and has no limit, so it was node eu-1-pool-a-4kx2 that ran out, although it does not say so.

    Since 2026-11-20 03:02 UTC: 1 kill.

    What changed

    - No deployment of checkout is known in the 14 days before.

    What to do: See who uses the memory of the node and give requests that are true to every pod there: kubectl describe node eu-1-pool-a-4kx2

    Cause     oom.node (medium confidence)
    Exit      exit code 137 (SIGKILL)
    Memory    no limit; use at death not known
    Restarts  1
    Version   checkout:4.2.1
    Node      eu-1-pool-a-4kx2
    Team      nobody is known to own it
    Pod       payments/checkout-7d9c5b8f6d-x2x4q

        2026-11-20T03:01:39Z INFO order 39 placed
        2026-11-20T03:02:10Z WARN cart cache holds 1204311 carts <!channel> `rm -rf`
        java.lang.OutOfMemoryError: Java heap space
            at shop.checkout.CartCache.grow(CartCache.java:40)
            at shop.checkout.CartCache.grow(CartCache.java:41)
            at shop.checkout.CartCache.grow(CartCache.java:42)
            at shop.checkout.CartCache.grow(CartCache.java:43)
            … 6 more lines of the stack
            at shop.checkout.CartCache.grow(CartCache.java:50)
            at shop.checkout.CartCache.grow(CartCache.java:51)
        Terminating due to java.lang.OutOfMemoryError: Java heap space

    eu-1 / payments / Deployment/checkout · 8 API calls, 160 ms · 6 answers missing, see the thread

    [Full report] [Acknowledge] [Snooze 1 h]
    ");
}

#[test]
fn what_is_remembered_of_a_workload_has_a_limit() {
    let mut kill = Kill::read("oom");
    let mut stage = Stage::new(&kill);
    let line = format!("{} error \"\\\"\n", "x".repeat(230));
    stage.scene.answers.logs.insert("app".to_owned(), line.repeat(100));
    for build in 0..12 {
        kill.pod["status"]["containerStatuses"][0]["imageID"] = json!(format!("app@sha256:{build:012}"));
        stage.kill(&kill.again(build + 1, minutes(i64::from(build) * 5)));
        let kept = &stage.scene.answers.state["workload/eu-1/payments/Deployment/checkout/app"];
        assert!(kept.len() < 64 << 10, "{} bytes", kept.len());
    }
}

#[test]
fn a_failure_without_end_asks_for_few_reminders() {
    let kill = Kill::read("oom");
    let mut stage = Stage::new(&kill);
    stage.kill(&kill);
    for run in 1..=600 {
        stage.kill(&kill.again(run, minutes(i64::from(run) * 7)));
        stage.pass(minutes(6));
    }
    assert!(stage.rounds_max < 100, "{} reminders in three days", stage.rounds_max);
    assert!(stage.only().message.summary.contains("601 kills"), "{}", stage.only().message.summary);
}

#[test]
fn texts_of_payloads_are_only_ever_text() {
    let mut kill = Kill::read("oom");
    kill.told["service"] = json!("<!channel> `*_~");
    kill.told["reason"] = json!("<@U1> & <https://evil.example|ok>");
    let mut stage = Stage::new(&kill);
    stage.kill(&kill);
    let json = serde_json::to_value(&stage.only().message).unwrap();
    let text = stage.only().message.to_text();
    assert!(text.starts_with("<!channel> `*_~ killed"), "{text}");
    assert!(text.contains("cart cache holds 1204311 carts <!channel> `rm -rf`"), "{text}");
    assert!(!json.to_string().contains("\"person\""), "nobody is called");
    assert!(!json.to_string().contains("\"url\":\"https://evil.example"), "no link is made of a text");
}

#[test]
fn a_kill_of_yesterday_that_a_first_list_finds_is_told_to_nobody() {
    let mut kill = Kill::read("oom");
    let mut stage = Stage::new(&kill);
    stage.scene.now = at(kill.told["killedAt"].as_str().unwrap()) + minutes(119);
    kill.told["synthetic"] = json!(true);
    let mut missed = Stage::new(&kill);
    missed.scene.now = stage.scene.now;
    missed.kill(&kill);
    assert_eq!(missed.chat.len(), 2, "missed, and found in time: a message and its thread");
    stage.scene.now += minutes(2);
    stage.kill(&kill);
    assert!(stage.chat.is_empty(), "{}", stage.because);
    assert!(stage.because.contains("too long after it happened"), "{}", stage.because);
}
