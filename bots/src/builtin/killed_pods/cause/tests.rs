//! The cases of `testdata/killed-pods`: each is a state of a pod, and the cause that its authors would give it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Case, Cause, Class, Confidence, Usage, Verdict, classify};

/// A file of `cases/`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct State {
    container: Option<String>,
    killed_at: DateTime<Utc>,
    usage: Option<Measured>,
    pod: Value,
    #[serde(default)]
    events: Vec<Value>,
    #[serde(default)]
    node_events: Vec<Value>,
    node: Option<Value>,
    owner: Option<Value>,
    deployment: Option<Value>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Measured {
    working_set_bytes: u64,
}

impl State {
    fn read(name: &str) -> Self {
        let file = folder().join("cases").join(format!("{name}.json"));
        let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    }

    fn case(&self) -> Case<'_> {
        Case {
            pod: &self.pod,
            container: self.container.as_deref(),
            killed_at: self.killed_at,
            pod_events: &self.events,
            node: self.node.as_ref(),
            node_events: &self.node_events,
            owner: self.owner.as_ref(),
            deployment: self.deployment.as_ref(),
            usage: self.usage.map(|usage| Usage { working_set_bytes: usage.working_set_bytes }),
        }
    }
}

/// An entry of `cases.toml`.
#[derive(Debug, Default, Deserialize)]
struct Expected {
    name: String,
    cause: String,
    confidence: String,
    origin: String,
}

#[derive(Debug, Deserialize)]
struct Index {
    case: Vec<Expected>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/killed-pods")
}

fn index() -> Vec<Expected> {
    let text = fs::read_to_string(folder().join("cases.toml")).unwrap();
    toml::from_str::<Index>(&text).unwrap().case
}

fn verdict(name: &str) -> Verdict {
    classify(&State::read(name).case())
}

#[test]
fn every_case_has_the_cause_that_its_authors_would_give_it() {
    let mut confusion: BTreeMap<(String, &str), usize> = BTreeMap::new();
    let mut misses = String::new();
    for expected in index() {
        let found = verdict(&expected.name);
        *confusion.entry((expected.cause.clone(), found.cause.name())).or_default() += 1;
        if (found.cause.name(), found.confidence.name()) != (&expected.cause, &expected.confidence) {
            let Expected { name, cause, confidence, .. } = expected;
            writeln!(misses, "{name}: expected {cause} ({confidence}), got {found:#?}").unwrap();
        }
    }
    print(&confusion);
    assert!(misses.is_empty(), "{misses}");
}

/// Shown with `cargo test -- --nocapture`, and when a case is missed.
#[expect(clippy::print_stdout, reason = "the table is what the test is read for")]
fn print(confusion: &BTreeMap<(String, &str), usize>) {
    let right = |(expected, got): &(String, &str)| expected == got;
    let hits: usize = confusion.iter().filter(|(pair, _)| right(pair)).map(|(_, count)| count).sum();
    println!("{hits} of {} cases right", confusion.values().sum::<usize>());
    for (pair, count) in confusion {
        println!("{:24} {:24} {count:3}{}", pair.0, pair.1, if right(pair) { "" } else { "  MISS" });
    }
}

#[test]
fn every_cause_has_two_cases_and_every_file_is_a_case() {
    let cases = index();
    for cause in Cause::ALL {
        let count = cases.iter().filter(|case| case.cause == cause.name()).count();
        assert!(count >= 2, "{} has {count} cases", cause.name());
    }
    let mut files: Vec<_> = fs::read_dir(folder().join("cases")).unwrap().map(|file| file.unwrap().path()).collect();
    let mut named: Vec<_> = cases.iter().map(|case| folder().join(format!("cases/{}.json", case.name))).collect();
    files.sort();
    named.sort();
    assert_eq!(files, named);
    assert!(cases.iter().all(|case| !case.origin.is_empty()));
}

#[test]
fn every_verdict_can_be_read_and_acted_on() {
    for expected in index() {
        let verdict = verdict(&expected.name);
        let words = format!("{}: {verdict:#?}", expected.name);
        assert!(verdict.sentence.ends_with(['.', '…']) && !verdict.sentence.contains('\n'), "{words}");
        assert!(!verdict.sentence.contains("..") && !verdict.sentence.contains("  "), "{words}");
        assert!(verdict.sentence.chars().next().is_some_and(char::is_uppercase), "{words}");
        assert!(verdict.sentence.chars().count() < 500 && !verdict.todo.is_empty(), "{words}");
        assert!(verdict.cause == Cause::Unknown || !verdict.evidence.is_empty(), "{words}");
        assert_eq!(verdict.cause == Cause::SigkillUnknown, verdict.hypotheses.len() > 2, "{words}");
    }
}

#[test]
fn events_and_node_only_make_a_verdict_surer_never_break_it() {
    for expected in index() {
        let state = State::read(&expected.name);
        let bare = State { events: vec![], node_events: vec![], node: None, owner: None, deployment: None, ..state };
        let verdict = classify(&bare.case());
        assert!(!verdict.sentence.is_empty(), "{}", expected.name);
    }
}

#[test]
fn causes_of_the_node_collapse_a_storm_and_wanted_ones_are_not_reported() {
    let of = |class: Class| Cause::ALL.into_iter().filter(move |cause| cause.class() == class).map(Cause::name);
    insta::assert_snapshot!(of(Class::Node).collect::<Vec<_>>().join(" "),
        @"oom.node evicted.node_pressure preempted.scheduler preempted.kubelet node.shutdown node.lost");
    insta::assert_snapshot!(of(Class::Normal).collect::<Vec<_>>().join(" "), @"rollout scale-down user-delete completed");
    assert!(Cause::ALL.into_iter().all(|cause| Cause::named(cause.name()) == Some(cause)));
    assert!(Cause::ALL.into_iter().all(|cause| cause.is_suppressed() == (cause.class() == Class::Normal)));
}

#[test]
fn evidence_quotes_the_fields_and_their_values() {
    insta::assert_snapshot!(tell("oom-limit-usage-at-limit"), @r#"
    Container app used more memory than its limit of 512Mi and was killed by the kernel.
    ! Look whether its memory grew slowly (a leak) or at once (load): kubectl -n shop logs checkout-6d4cf56db6-x7k2p -c app --previous. Raise the limit only if it needs more when it is well.
    - lastState.terminated.reason = OOMKilled, exitCode = 137
    - limit memory = 512Mi
    - last working set = 500Mi, 97 % of the limit
    "#);
    insta::assert_snapshot!(tell("evicted-memory"), @r#"
    Node node-7 ran low on memory: 80Mi were left, 100Mi have to be, and the kubelet evicted pod checkout-6d4cf56db6-x7k2p. Container app was using 400Mi and had asked for 128Mi.
    ! Set the memory request to what the container really uses, so that the scheduler leaves room for it; then see who else on the node uses more than it asked for.
    - state.terminated.reason = Error, exitCode = 137
    - status.reason = Evicted, status.message = The node was low on resource: memory. Threshold quantity: 100Mi, available: 80Mi. Container app was using 400Mi, request is 128Mi, has larger consumption of memory.
    - DisruptionTarget.reason = TerminationByKubelet: as in the status
    - annotation starved_resource = memory
    - annotation offending_containers = app
    - annotation offending_containers_usage = 400Mi
    "#);
    insta::assert_snapshot!(tell("liveness-killed-after-grace"), @r#"
    Container app stopped answering its liveness probe (HTTP probe failed with statuscode: 503), so the kubelet killed it.
    ! See what it hung on before the kill; a probe must not wait for databases or other services, and must give enough time under load: kubectl -n shop logs checkout-6d4cf56db6-x7k2p -c app --previous
    - lastState.terminated.reason = Error, exitCode = 137
    - event Unhealthy (×3): Liveness probe failed: HTTP probe failed with statuscode: 503
    - livenessProbe: failureThreshold = 3, periodSeconds = 10, timeoutSeconds = 1, path /healthz
    - event Killing: Container app failed liveness probe, will be restarted
    "#);
    insta::assert_snapshot!(tell("grace-exceeded-in-a-rollout"), @r#"
    Container app was told to stop, did not within its 30 s, and was killed.
    ! Let the program end on SIGTERM (a shell as process 1 does not pass it on), or give it more terminationGracePeriodSeconds.
    - state.terminated.reason = Error, exitCode = 137
    - deletion asked for at 11:59:29, ended 31 s later, grace period = 30 s
    "#);
    insta::assert_snapshot!(tell("start-no-such-command"), @r#"
    Container app could not be started: exec: "wge": executable file not found in $PATH.
    ! Correct the command of the container, or put it into the image; a script needs its interpreter and Unix line ends.
    - lastState.terminated.reason = StartError, exitCode = 128
    - terminated.message = failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "wge": executable file not found in $PATH: unknown
    "#);
    insta::assert_snapshot!(tell("windows-access-violation"), @r#"
    Container app exited with code -1073741819 (STATUS_ACCESS_VIOLATION) after 60 min.
    ! Read its last lines, and see whether this began with the last deployment: kubectl -n shop logs checkout-6d4cf56db6-x7k2p -c app --previous
    - lastState.terminated.reason = Error, exitCode = -1073741819
    - exit code of Windows 0xC0000005
    - restartCount = 6
    "#);
}

#[test]
fn hypotheses_of_an_unknown_sigkill_are_ranked_by_what_points_to_them() {
    insta::assert_snapshot!(tell("sigkill-nothing-known"), @r#"
    Container app was ended by SIGKILL, and nothing tells who sent it.
    ! Look first whether this is so: It ran out of memory and the runtime missed it. kubectl -n shop logs checkout-6d4cf56db6-x7k2p -c app --previous
    - lastState.terminated.reason = Error, exitCode = 137
    - no OOMKilled, no eviction, no deletion, no failed probe and no trouble of the node is told
    - limit memory = 512Mi
    ? It ran out of memory and the runtime missed it. (kubectl -n shop logs checkout-6d4cf56db6-x7k2p -c app --previous)
    ? A process inside the container, or somebody on the node, sent SIGKILL; a shell also passes on 137 of a child. (kubectl -n shop logs checkout-6d4cf56db6-x7k2p -c app --previous)
    ? The container runtime or the node was restarted. (kubectl describe node node-7)
    "#);
    insta::assert_snapshot!(verdict("sigkill-near-its-limit").hypotheses[0].text, @r#"
    It ran out of memory and the runtime missed it: it was near its limit.
    "#);
    let with_probe = State::read("liveness-of-an-earlier-pod-of-that-name");
    assert!(classify(&with_probe.case()).hypotheses.len() >= 3);
}

fn tell(name: &str) -> String {
    let verdict = verdict(name);
    let mut told = format!("{}\n! {}\n", verdict.sentence, verdict.todo);
    for line in &verdict.evidence {
        writeln!(told, "- {line}").unwrap();
    }
    for hypothesis in &verdict.hypotheses {
        writeln!(told, "? {} ({})", hypothesis.text, hypothesis.check).unwrap();
    }
    told
}

#[test]
fn a_pod_of_which_nothing_is_told_is_no_kill() {
    let pod =
        json!({"metadata": {"deletionTimestamp": "9999-12-31T23:59:59Z", "deletionGracePeriodSeconds": i64::MAX}});
    let state = State::read("oom-limit-usage-at-limit");
    let verdict = classify(&Case { pod: &pod, ..state.case() });
    assert_eq!((verdict.cause, verdict.confidence), (Cause::Unknown, Confidence::Low));
}

/// Something that may stand where it does not belong.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,30}".prop_map(Value::from),
        prop::sample::select(vec![
            "OOMKilled",
            "Evicted",
            "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:59Z",
            "-262143-01-01T00:00:00Z",
            "1e40",
            "",
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,8}", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Replaces the value that is found by going down, at each level, to the child of that number.
fn replace(value: &mut Value, way: &[usize], by: Value) {
    let children: Vec<&mut Value> = match value {
        Value::Object(map) => map.values_mut().collect(),
        Value::Array(list) => list.iter_mut().collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    };
    let count = children.len();
    match way.split_first() {
        Some((step, rest)) if count > 0 => {
            if let Some(child) = children.into_iter().nth(step % count) {
                replace(child, rest, by);
            }
        }
        Some(_) | None => *value = by,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_object_is_too_strange(
        which in any::<prop::sample::Index>(),
        mutations in prop::collection::vec((prop::collection::vec(0..12_usize, 1..8), anything(), 0..6_usize), 1..12),
    ) {
        let index = index();
        let mut state = State::read(&index[which.index(index.len())].name);
        for (way, by, target) in mutations {
            match target {
                0 => state.events.iter_mut().for_each(|event| replace(event, &way, by.clone())),
                1 => state.node_events.iter_mut().for_each(|event| replace(event, &way, by.clone())),
                2 => state.node.iter_mut().for_each(|node| replace(node, &way, by.clone())),
                3 => state.owner.iter_mut().for_each(|owner| replace(owner, &way, by.clone())),
                _ => replace(&mut state.pod, &way, by),
            }
        }
        let verdict = classify(&state.case());
        prop_assert!(!verdict.sentence.is_empty() && !verdict.todo.is_empty());
        prop_assert_eq!(&verdict, &classify(&state.case()));
    }

    #[test]
    fn no_json_is_too_strange(pod in anything(), events in prop::collection::vec(anything(), 0..3), node in anything()) {
        let state = State { pod, events: events.clone(), node_events: events, node: Some(node),
            ..State::read("oom-limit-usage-at-limit") };
        prop_assert!(!classify(&state.case()).sentence.is_empty());
    }
}
