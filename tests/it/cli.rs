//! The command line: what it prints, what it refuses and how, and how it ends.

use std::io::{BufRead, BufReader};

use serde_json::{Value, json};

use crate::program::{CONFIGURATION, Delivery, Home, payload, until};

const DEPLOYED: &str = "deployment_status-deployment_status-jxscm";

/// The name of an event that nobody recorded.
const NO_EVENT: &str = "00000000-0000-5000-8000-000000000000";

/// How a command is refused: its exit code and what it says.
fn refused(home: &Home, args: &[&str]) -> String {
    let ran = home.run(args);
    assert_eq!(ran.stdout, "", "devhose {}: a refusal is no data", args.join(" "));
    ran.refusal(home)
}

fn write(home: &Home, name: &str, bytes: impl AsRef<[u8]>) -> String {
    std::fs::write(home.path(name), bytes).unwrap();
    name.to_owned()
}

#[test]
fn wrong_usage_ends_with_2_and_says_what_is_right() {
    let home = Home::new();
    insta::assert_snapshot!(refused(&home, &["fly"]), @"
    2
    error: unrecognized subcommand 'fly'

    Usage: devhose [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(refused(&home, &["serve", "--listen", "0.0.0.0:0"]), @"
    2
    error: 0.0.0.0:0 can be reached from other machines, and pages have no sign-in
    try: listen at 127.0.0.1 behind a proxy with sign-in; webhooks alone can be served with listen_hooks
    ");
    insta::assert_snapshot!(refused(&home, &["demo", "--scale", "100"]), @"
    2
    error: --scale 100 is not between 0.1 and 20
    ");
    insta::assert_snapshot!(refused(&home, &["events", "list", "kind:merged"]), @"
    2
    error: kind:merged cannot be read: there is no key kind; did you mean type:?
    ");
    insta::assert_snapshot!(refused(&home, &["metrics", "get", "lead-time", "--grain", "hour"]), @r#"
    2
    error: grain="hour" cannot be used
    try: day, week or month
    "#);
    insta::assert_snapshot!(refused(&home, &["send", "-", "--as", "fax:page"]), @r#"
    2
    error: no sender "fax"
    try: one of: alertmanager, argocd, cloudevents, github, pagerduty, slack
    "#);
    insta::assert_snapshot!(refused(&home, &["serve", "--config", "missing.toml"]), @"
    2
    error: configuration missing.toml cannot be read: No such file or directory (os error 2)
    try: devhose init writes one
    ");
}

#[test]
fn a_wrong_configuration_ends_with_2_and_names_file_line_and_remedy() {
    let with = |configuration: &str| refused(&Home::with(configuration), &["sources", "list"]);
    insta::assert_snapshot!(with("listen = '127.0.0.1:0'\n\n[rules]\npeople = 3\n"), @"
    2
    error: devhose.toml, line 4: unknown field `people`, expected one of `people_min`, `remediation_window_hours`, `incident_window_hours`, `duplicate_window_minutes`, `first_deployment_has_lead_times`, `remediations_in_denominator`, `size_edges`, `bots`
    try: devhose init --print shows every key with its meaning
    ");
    insta::assert_snapshot!(with("[rules]\npeople_min = 2\n"), @"
    2
    error: devhose.toml: rules.people_min: 2 people would let a reader tell who is meant; write 3 or more
    ");
    insta::assert_snapshot!(with("[[source]]\nname = 'github/acme'\n"), @r#"
    2
    error: devhose.toml: source "github/acme" has no secret: set `secret`, or `insecure = true` to take requests from anybody
    "#);
    insta::assert_snapshot!(with("[[source]]\nname = 'fax/acme'\nsecret = 'x'\n"), @r#"
    2
    error: devhose.toml: source "fax/acme": no sender "fax"; the first part of the name must be one of alertmanager, argocd, cloudevents, github, pagerduty, slack
    "#);
    insta::assert_snapshot!(with("[catalog]\nfiles = ['missing']\n"), @"
    2
    error: catalog file missing cannot be read; check the path in catalog.files: No such file or directory (os error 2)
    ");
}

#[test]
fn doctor_ends_with_9_where_the_configuration_is_broken_and_with_0_where_nothing_is() {
    let broken = Home::with("listen = 7070\n").run(&["doctor"]);
    assert_eq!(broken.exit, 9, "{broken:?}");
    assert!(broken.stdout.starts_with("fail\tconfiguration\tdevhose.toml, line 1: "), "{broken:?}");
    let home = Home::with(&format!("listen = '127.0.0.1:0'\n{CONFIGURATION}"));
    let report = home.json(&["doctor"]);
    let checks = report["checks"].as_array().unwrap();
    assert!(checks.iter().all(|check| check["state"] != "fail"), "{report}");
    assert!(checks.iter().any(|check| check == &json!({"state": "ok", "check": "sources", "details": "2 configured"})));
}

#[tokio::test]
async fn what_does_not_exist_ends_with_3() {
    let home = Home::new();
    let program = home.serve().await;
    insta::assert_snapshot!(refused(&home, &["events", "get", NO_EVENT]), @r#"
    3
    error: no event "00000000-0000-5000-8000-000000000000"
    "#);
    insta::assert_snapshot!(refused(&home, &["metrics", "get", "happiness"]), @r#"
    3
    error: no metric "happiness"
    try: devhose metrics list
    "#);
    insta::assert_snapshot!(refused(&home, &["metrics", "get", "lead-time", "--team", "nobody"]), @r#"
    3
    error: no team "nobody"
    try: GET /api/v1/teams lists them
    "#);
    insta::assert_snapshot!(refused(&home, &["help", "flying"]), @r#"
    3
    error: no command or topic "flying"
    try: devhose help
    "#);
    insta::assert_snapshot!(refused(&home, &["import", "git", "missing"]), @"
    3
    error: missing cannot be opened: No such file or directory (os error 2)
    ");
    assert_eq!(program.stop().exit, 0);
}

#[test]
fn a_server_that_is_not_there_ends_with_5() {
    let home = Home::new();
    insta::assert_snapshot!(refused(&home, &["events", "list", "--server", "http://127.0.0.1:1"]), @"
    5
    error: no devhose server answers at http://127.0.0.1:1
    try: check --server or DEVHOSE_URL; `devhose serve` starts one here
    ");
    let ran = home.run(&["events", "list", "--server", "http://127.0.0.1:1", "--json"]);
    let error: Value = serde_json::from_str(&ran.stderr).unwrap();
    assert_eq!((&error["schema"], &error["error"]["code"]), (&json!("devhose.cli/v1"), &json!("unreachable")));
}

#[tokio::test]
async fn a_wrong_secret_ends_with_4() {
    let home = Home::new();
    let program = home.serve().await;
    let file = write(&home, "ping.json", "{}");
    let ran = home.run(&["send", &file, "--as", "github:ping", "--secret", "wrong"]);
    assert_eq!(ran.exit, 4, "{ran:?}");
    assert!(ran.stderr.contains("/sources shows the reason"), "{ran:?}");
    assert_eq!(program.stop().exit, 0);
}

#[test]
fn a_program_that_is_not_built_to_fail_cannot_be_told_to() {
    let home = Home::new();
    let told = home.command(&["serve"]).env("DEVHOSE_FAULT", "kill@after-commit").output().unwrap();
    let said = String::from_utf8(told.stderr).unwrap();
    assert_eq!(told.status.code(), Some(2), "{said}");
    assert!(said.contains("environment variable DEVHOSE_FAULT: unknown field `fault`"), "{said}");
}

#[tokio::test]
async fn a_second_process_on_the_same_data_ends_with_6() {
    let home = Home::new();
    let program = home.serve().await;
    insta::assert_snapshot!(refused(&home, &["serve", "--listen", "127.0.0.1:0", "--quiet"]), @"
    6
    error: devhose-data is in use by another process: stop that one, or choose another data directory
    ");
    insta::assert_snapshot!(refused(&home, &["verify"]), @"
    6
    error: devhose-data is in use by another process: stop that one, or choose another data directory
    ");
    assert_eq!(program.stop().exit, 0);
    assert_eq!(home.print(&["verify"]), "0 records, every hash as it was written\n");
}

#[tokio::test]
async fn an_address_that_is_taken_ends_with_6() {
    let home = Home::new();
    let program = home.serve().await;
    let other = Home::new();
    let ran = other.run(&["serve", "--listen", program.address()]);
    assert_eq!(ran.exit, 6, "{ran:?}");
    assert!(ran.stderr.contains("try: another port"), "{ran:?}");
}

#[tokio::test]
async fn events_are_followed_until_there_are_enough_or_time_is_over() {
    let home = Home::new();
    let program = home.serve().await;
    assert_eq!(home.run(&["events", "tail", "--count", "1", "--timeout", "1"]).exit, 7);
    let mut tail = home.command(&["events", "tail", "type:com.github.ping", "--count", "2"]).spawn().unwrap();
    let mut sent = 0;
    until("the tail ends", async || {
        sent += 1;
        let ping = Delivery::github("ping", &format!("d-{sent}"), payload("ping-ping-hub4j"));
        program.deliver(&ping).await.receipt();
        tail.try_wait().unwrap()
    })
    .await;
    let output = tail.wait_with_output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.lines().all(|line| line.split('\t').nth(1) == Some("com.github.ping")), "{text}");
    // What is in the log already is told first.
    let all = home.print(&["events", "tail", "--since", "earliest", "--count", "2", "--json"]);
    let ids = all.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].to_string());
    assert_eq!(ids.collect::<std::collections::BTreeSet<_>>().len(), 2);
}

#[test]
fn init_writes_a_configuration_that_is_read_and_never_over_another() {
    let home = Home::new();
    insta::assert_snapshot!(refused(&home, &["init"]), @"
    6
    error: devhose.toml is there already
    try: devhose init --print, and take from it what devhose.toml lacks
    ");
    assert_eq!(std::fs::read_to_string(home.path("devhose.toml")).unwrap(), CONFIGURATION);
    let template = home.print(&["init", "--print"]);
    home.print(&["init", "fresh.toml"]);
    assert_eq!(std::fs::read_to_string(home.path("fresh.toml")).unwrap().trim_end(), template.trim_end());
    // As it is, and with everything that it shows commented out taken in.
    home.print(&["sources", "list", "--config", "fresh.toml"]);
    let keys = template.lines().map(|line| line.strip_prefix("# ").filter(|rest| is_setting(rest)).unwrap_or(line));
    write(&home, "full.toml", keys.collect::<Vec<_>>().join("\n").replace("../catalog", "."));
    home.print(&["sources", "list", "--config", "full.toml"]);
}

/// A line of the template that would be a setting without its `# `.
fn is_setting(line: &str) -> bool {
    let key = line.split(" = ").next().unwrap();
    line.starts_with("[") || (line.contains(" = ") && key.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
}

#[test]
fn completions_and_help_need_nothing() {
    let home = Home::with("this is no configuration");
    for shell in ["bash", "zsh", "fish"] {
        assert!(home.print(&["completions", shell]).contains("devhose"), "{shell}");
    }
    assert!(home.print(&["help"]).contains("devhose demo"));
    assert!(home.print(&["help", "import", "git"]).contains("--tag-pattern"));
    assert!(home.print(&["--version"]).starts_with("devhose "));
    insta::assert_snapshot!(home.print(&["help", "exit-codes"]), @"
    0	ok
    1	failed
    2	wrong usage or configuration
    3	not found
    4	not allowed, or a token is missing
    5	the server cannot be reached
    6	in conflict with something else, such as another process on the same data
    7	timed out
    8	partly done; details are in the output
    9	a check found a problem
    75	the storage failed in a way that only a restart mends
    130	interrupted
    ");
}

#[tokio::test]
async fn output_is_for_machines_where_a_machine_reads_it() {
    let home = Home::new();
    let program = home.serve().await;
    program.deliver(&Delivery::github("deployment_status", "d-1", payload(DEPLOYED))).await.receipt();
    let event = program.event("type:service.*").await;
    let id = event["id"].as_str().unwrap();

    // Tables go through a pipe without a head, cells apart by tabs.
    let expected = format!(
        "2019-05-15T15:20:55Z\tservice.deployed\t{}\t{}\t{id}\n",
        text(&event["subject"]),
        text(&event["source"])
    );
    assert_eq!(home.print(&["events", "list", "type:service.*"]), expected);
    let sources = home.print(&["sources", "list"]);
    assert!(sources.lines().all(|line| line.split('\t').count() == 5), "{sources}");
    // The same as a document.
    for command in [
        &["events", "list"][..],
        &["events", "get", id],
        &["metrics", "list"],
        &["metrics", "get", "lead-time"],
        &["metrics", "explain", "lead-time"],
        &["sources", "list"],
        &["sources", "quarantine"],
        &["help", "exit-codes"],
        &["doctor"],
    ] {
        assert_eq!(home.json(command)["schema"], "devhose.cli/v1", "{command:?}");
    }
    // A command asks the running server, and without one the data directory: the answer is the same.
    let live = home.print(&["metrics", "get", "successful-deployments", "--from", "2019-05-01", "--to", "2019-06-01"]);
    assert!(live.contains("2019-W20\tyes\t1\t1\t"), "{live}");
    assert_eq!(program.stop().exit, 0);
    let still = home.print(&["metrics", "get", "successful-deployments", "--from", "2019-05-01", "--to", "2019-06-01"]);
    assert_eq!(live, still);
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[tokio::test]
async fn a_reader_that_leaves_early_is_no_failure() {
    let home = Home::new();
    let program = home.serve().await;
    for number in 0..50 {
        program.deliver(&Delivery::github("ping", &number.to_string(), payload("ping-ping-hub4j"))).await.receipt();
    }
    program.interpreted().await;
    for args in
        [&["events", "list", "--quiet"][..], &["events", "tail", "--since", "earliest"], &["completions", "bash"]]
    {
        let mut child = home.command(args).spawn().unwrap();
        let mut first = String::new();
        BufReader::with_capacity(16, child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        assert!(!first.is_empty(), "{args:?}");
        // A tail only notices when it writes again.
        let mut number = 1_000;
        let status = until("it ends", async || {
            number += 1;
            program.deliver(&Delivery::github("ping", &number.to_string(), "{}")).await.receipt();
            child.try_wait().unwrap()
        });
        assert_eq!(status.await.code(), Some(0), "{args:?}");
        assert_eq!(std::io::read_to_string(child.stderr.take().unwrap()).unwrap(), "", "{args:?}");
    }
}

#[tokio::test]
async fn a_file_is_sent_as_its_sender_would() {
    let home = Home::new();
    let file = write(&home, "deployed.json", payload(DEPLOYED));
    let args = ["send", &file, "--as", "github:deployment_status", "--id", "d-1"];
    let shown: Value = serde_json::from_str(&home.print(&[&args[..], &["--dry-run"]].concat())).unwrap();
    insta::assert_snapshot!(format!("{shown:#}"), @r#"
    {
      "body_bytes": 10055,
      "headers": [
        [
          "content-type",
          "application/json"
        ],
        [
          "user-agent",
          "GitHub-Hookshot/devhose"
        ],
        [
          "x-github-event",
          "deployment_status"
        ],
        [
          "x-github-delivery",
          "d-1"
        ],
        [
          "x-hub-signature-256",
          "sha256=5b46be447c18e8534bb084cd73681a595a5e6399a6ad17d372d9934ffb97b753"
        ]
      ],
      "path": "/hooks/github/acme",
      "schema": "devhose.cli/v1"
    }
    "#);
    assert!(!home.data().exists(), "a dry run stores nothing");

    let program = home.serve().await;
    assert_eq!(home.print(&args), "d-1\t1\tfalse\n");
    assert_eq!(home.print(&args), "d-1\t1\ttrue\n");
    assert_eq!(program.event("type:service.*").await["time"], "2019-05-15T15:20:55Z");
    let event = write(&home, "event.json", r#"{"specversion":"1.0","id":"1","source":"/x","type":"com.example.a"}"#);
    home.print(&["send", &event, "--as", "cloudevents:structured"]);
    program.event("type:com.example.a").await;
    assert_eq!(program.stop().exit, 0);
}

#[tokio::test]
async fn the_server_says_where_it_is_and_leaves_in_order() {
    let home = Home::new();
    let program = home.serve().await;
    let note = home.data().join("devhose.url");
    assert_eq!(std::fs::read_to_string(&note).unwrap(), program.url());
    let mut tail = program.request("GET", "/api/v1/events/stream").send().await.unwrap();
    let ran = program.stop();
    assert_eq!(ran.exit, 0, "{ran:?}");
    assert!(ran.stderr.contains("devhose listens at http://127.0.0.1:"), "{ran:?}");
    assert!(ran.stderr.ends_with("stopping: what is in flight is finished first\n"), "{ran:?}");
    assert!(!note.exists(), "a note about a server that is gone");
    // An open stream is ended, not cut.
    while let Some(chunk) = tail.chunk().await.unwrap() {
        assert!(!chunk.is_empty());
    }
}
