//! Memory and time of a watched cluster with 5,000 pods. Needs the API server that `scripts/test` builds.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};

use super::{Arguments, Figures, milliseconds, quantile};

const PODS: usize = 5_000;

/// Kills whose reports are measured.
const REPORTS: usize = 40;

/// Requests under way at once while the pods are made.
const AT_ONCE: usize = 32;

pub(super) fn run(runtime: &tokio::runtime::Runtime, _: &Arguments) -> Figures {
    let Some(cluster) = std::env::var_os("DEVHOSE_TEST_CLUSTER") else {
        return vec![(
            "watch".to_owned(),
            "not measured: DEVHOSE_TEST_CLUSTER is not set, see scripts/test".to_owned(),
        )];
    };
    let directory = tempfile::Builder::new().prefix("bench-").tempdir_in(".").unwrap();
    let mut server = Command::new(cluster);
    let mut server = server.arg(directory.path().join("cluster"));
    server = server.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut server = server.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let server_says: Value = serde_json::from_str(&line).unwrap();
    let figures = runtime.block_on(measure(directory.path(), &server_says));
    drop(server.stdin.take());
    server.wait().unwrap();
    figures
}

async fn measure(directory: &std::path::Path, server: &Value) -> Figures {
    let text = |name: &str| server[name].as_str().unwrap();
    let (url, token) = (text("url"), text("token"));
    drop(rustls::crypto::ring::default_provider().install_default());
    let ca = reqwest::Certificate::from_pem_bundle(text("ca").as_bytes()).unwrap();
    let http = reqwest::Client::builder().tls_certs_only(ca).build().unwrap();
    let ca = directory.join("ca.pem");
    std::fs::write(&ca, text("ca")).unwrap();
    let cluster = format!(
        "[[cluster]]\nname = \"bench\"\nurl = {url:?}\ntoken = {token:?}\nca = {:?}\n",
        ca.canonicalize().unwrap()
    );
    std::fs::write(directory.join("devhose.toml"), cluster).unwrap();

    let (program, address) = start(directory);
    let http_plain = reqwest::Client::new();
    watched(&http_plain, &address, 0).await;
    let idle = resident(&program);
    stop(program);

    stream::iter(0..PODS).for_each_concurrent(AT_ONCE, |number| make(&http, url, token, number)).await;
    let started = Instant::now();
    let (program, address) = start(directory);
    watched(&http_plain, &address, PODS).await;
    let listed = started.elapsed();
    let full = resident(&program);
    stop(program);
    let started = Instant::now();
    let (program, address) = start(directory);
    watched(&http_plain, &address, PODS).await;
    let resumed = started.elapsed();
    let again = resident(&program);
    for number in 0..REPORTS {
        kill(&http, url, token, number).await;
    }
    let (calls, mut times) = reports(&http_plain, &address).await;
    stop(program);
    let mb = |kilobytes: u64| format!("{:.1} MB", kilobytes as f64 / 1024.0);
    let [p50, p99] = [0.5, 0.99].map(|share| milliseconds(quantile(&mut times, share)));
    vec![
        (format!("watch: {REPORTS} kill reports of a real API server, calls at most"), calls.to_string()),
        ("watch: time of a kill report, answers and all, p50 / p99".to_owned(), format!("{p50} / {p99}")),
        ("watch: memory without pods".to_owned(), mb(idle)),
        (format!("watch: memory after the first list of {PODS} pods"), mb(full)),
        (format!("watch: memory after going on with {PODS} pods"), mb(again)),
        (format!("watch: start to watching {PODS} pods, listed"), format!("{:.1} s", listed.as_secs_f64())),
        (format!("watch: start to watching {PODS} pods, gone on"), format!("{:.1} s", resumed.as_secs_f64())),
    ]
}

fn start(directory: &std::path::Path) -> (Child, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_devhose"));
    command.args(["serve", "--listen", "127.0.0.1:0"]).env_clear();
    command.current_dir(directory).stderr(Stdio::piped());
    let mut program = command.spawn().unwrap();
    let mut lines = BufReader::new(program.stderr.take().unwrap()).lines();
    let address = lines.find_map(|line| line.unwrap().split_once("http://").map(|(_, rest)| rest.to_owned())).unwrap();
    std::thread::spawn(move || lines.for_each(drop));
    (program, address)
}

fn stop(mut program: Child) {
    let asked = Command::new("kill").args(["-TERM", &program.id().to_string()]).status().unwrap();
    assert!(asked.success());
    program.wait().unwrap();
}

/// Memory of a process that is its own, in kilobytes.
fn resident(program: &Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", program.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Waits until all resources are watched and so many pods are known.
async fn watched(http: &reqwest::Client, address: &str, pods: usize) {
    loop {
        let document: Value =
            http.get(format!("http://{address}/api/v1/sources")).send().await.unwrap().json().await.unwrap();
        let watches = document["watches"].as_array().unwrap();
        let all = watches.iter().all(|watch| watch["state"] == "watching");
        let known = watches.iter().any(|watch| watch["resource"] == "pods" && watch["objects"] == pods);
        if all && known {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A pod of a service of its own that runs out of memory.
async fn kill(http: &reqwest::Client, url: &str, token: &str, number: usize) {
    let name = format!("service-{number}-0");
    let owner = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "name": format!("service-{number}"), "uid": format!("u-{number}"), "controller": true});
    let container = json!({"name": "app", "image": "registry.example/shop/service:1.2.3", "resources": {"limits": {"memory": "256Mi"}}});
    let pod = json!({
        "metadata": {"name": name, "labels": {"app": format!("service-{number}")}, "ownerReferences": [owner]},
        "spec": {"nodeName": format!("worker-{number}"), "containers": [container]},
    });
    let now = chrono::Utc::now();
    let ended = json!({"exitCode": 137, "reason": "OOMKilled", "startedAt": now - chrono::TimeDelta::minutes(5), "finishedAt": now, "containerID": format!("containerd://{number}")});
    let status = json!({"status": {"phase": "Running", "containerStatuses": [{"name": "app", "ready": false, "restartCount": 1,
        "image": "registry.example/shop/service:1.2.3", "imageID": "registry.example/shop/service@sha256:0b31",
        "state": {"terminated": ended}, "lastState": {}}]}});
    put(http, url, token, &pod, &status).await;
}

/// Requests of the dearest report, and how long each took from the event to the decision.
async fn reports(http: &reqwest::Client, address: &str) -> (u64, Vec<Duration>) {
    let get = async |path: String| -> Value {
        http.get(format!("http://{address}/api/v1/bots/killed-pods/runs{path}"))
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    };
    loop {
        let listed = get("?limit=100".to_owned()).await;
        let runs = listed["runs"].as_array().unwrap();
        let told: Vec<_> = runs.iter().filter(|run| run["actions"][0]["name"] == "post-message").collect();
        if told.len() < REPORTS {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        }
        let (mut most, mut times) = (0, Vec::new());
        for run in told {
            let record = get(format!("/{}", run["id"])).await;
            let asked = record["asked"].as_array().unwrap();
            most = most.max(asked.iter().map(|asked| asked["asked"]["told"]["calls"].as_u64().unwrap()).sum::<u64>());
            times.push(Duration::from_millis(run["millis"].as_u64().unwrap()));
        }
        return (most, times);
    }
}

/// A pod as a cluster has it: about 5 kB.
async fn make(http: &reqwest::Client, url: &str, token: &str, number: usize) {
    let name = format!("checkout-7d9f8b6c5d-{number:05}");
    let env: Vec<Value> =
        (0..20).map(|n| json!({"name": format!("SETTING_{n}"), "value": format!("value {n}")})).collect();
    let owner = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "checkout-7d9f8b6c5d", "uid": "r", "controller": true});
    let pod = json!({
        "metadata": {"name": name, "labels": {"app": "checkout", "pod-template-hash": "7d9f8b6c5d"}, "ownerReferences": [owner]},
        "spec": {"nodeName": "worker-1", "containers": [{"name": "app", "image": "registry.example/shop/checkout:1.2.3", "env": env,
            "resources": {"limits": {"memory": "256Mi"}, "requests": {"cpu": "100m"}}}]},
    });
    let status = json!({"status": {"phase": "Running", "containerStatuses": [{"name": "app", "ready": true, "restartCount": 0,
        "image": "registry.example/shop/checkout:1.2.3", "imageID": "registry.example/shop/checkout@sha256:0b31",
        "state": {"running": {"startedAt": "2026-01-02T03:04:05Z"}}, "lastState": {}}]}});
    put(http, url, token, &pod, &status).await;
}

/// Creates a pod and sets its status.
async fn put(http: &reqwest::Client, url: &str, token: &str, pod: &Value, status: &Value) {
    let name = pod["metadata"]["name"].as_str().unwrap();
    let pods = format!("{url}/api/v1/namespaces/default/pods");
    let request = http.post(&pods).bearer_auth(token).json(pod);
    request.send().await.unwrap().error_for_status().unwrap();
    let request = http.patch(format!("{pods}/{name}/status")).bearer_auth(token);
    let request = request.header("content-type", "application/merge-patch+json").body(status.to_string());
    request.send().await.unwrap().error_for_status().unwrap();
}
