//! A real Kubernetes API server with etcd, from `tests/cluster`, and what a test does with it. There are no controllers
//! and no nodes: a pod is what a test says it is.
//!
//! ```text
//! let server = ApiServer::shared();
//! let home = Home::with(&server.configuration("test"));
//! let api = server.api();
//! let pod = api.pod("shop", "checkout-1", json!({})).await;
//! api.set_status(&pod, terminated("app", 137, "OOMKilled", "containerd://1")).await;
//! ```

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Says where the program is that `scripts/test` built.
const PROGRAM: &str = "DEVHOSE_TEST_CLUSTER";

/// A running API server. It ends with the process of the tests, or when it is dropped.
pub(crate) struct ApiServer {
    directory: TempDir,
    flags: Vec<String>,
    running: Option<Running>,
    url: String,
    token: String,
    ca: String,
}

struct Running {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Running {
    fn answer(&mut self) -> Value {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("the API server does not answer: {line:?}"))
    }
}

impl ApiServer {
    /// The one that tests share; each works in a namespace of its own.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<ApiServer> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&[]))
    }

    /// One of its own, for a test that stops it or compacts its history. Flags are those of `kube-apiserver`.
    pub(crate) fn start(flags: &[&str]) -> Self {
        let directory = tempfile::Builder::new().prefix("devhose-cluster-").tempdir().unwrap();
        let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let (url, token, ca) = Default::default();
        let mut server = Self { directory, flags, running: None, url, token, ca };
        server.go_on();
        server
    }

    /// Starts it where it stopped: same address, same objects.
    pub(crate) fn go_on(&mut self) {
        let Some(program) = std::env::var_os(PROGRAM) else {
            panic!("{PROGRAM} is not set: scripts/test builds the API server that this test needs, and sets it");
        };
        let log = std::fs::File::options().create(true).append(true).open(self.directory.path().join("log")).unwrap();
        let mut command = Command::new(&program);
        command.arg(self.directory.path()).args(&self.flags);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{PROGRAM}={}: {error}", program.display()));
        let (orders, answers) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut running = Running { child, orders, answers };
        let ready = running.answer();
        let text = |name: &str| ready[name].as_str().unwrap().to_owned();
        (self.url, self.token, self.ca) = (text("url"), text("token"), text("ca"));
        std::fs::write(self.ca_file(), &self.ca).unwrap();
        self.running = Some(running);
    }

    /// Stops it, as a failing machine would.
    pub(crate) fn stop(&mut self) {
        if let Some(mut running) = self.running.take() {
            drop(running.orders);
            running.child.wait().unwrap();
        }
    }

    /// Drops the history of its etcd: what changed until now cannot be asked for any more.
    pub(crate) fn compact(&mut self) {
        let running = self.running.as_mut().unwrap();
        running.orders.write_all(b"compact\n").unwrap();
        assert!(running.answer()["compacted"].is_number());
    }

    /// The `[[cluster]]` of the configuration of the program.
    pub(crate) fn configuration(&self, name: &str) -> String {
        self.configuration_of(name, &self.url, &self.token)
    }

    /// The same through another address or with another token.
    pub(crate) fn configuration_of(&self, name: &str, url: &str, token: &str) -> String {
        let ca = self.ca_file().display().to_string();
        format!(
            "[[cluster]]\nname = {name:?}\nenvironment = \"production\"\nurl = {url:?}\ntoken = {token:?}\nca = {ca:?}\n"
        )
    }

    /// `https://127.0.0.1:PORT`
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// `127.0.0.1:PORT`
    pub(crate) fn address(&self) -> String {
        self.url.trim_start_matches("https://").to_owned()
    }

    /// Asks it as somebody who may do everything. Not to be shared between tests: each has its own connections.
    pub(crate) fn api(&self) -> Api {
        self.api_of(&self.token)
    }

    /// Asks it with another token.
    pub(crate) fn api_of(&self, token: &str) -> Api {
        // The provider can be installed once; a second time means it is there.
        drop(rustls::crypto::ring::default_provider().install_default());
        let ca = reqwest::Certificate::from_pem_bundle(self.ca.as_bytes()).unwrap();
        let http = reqwest::Client::builder().tls_certs_only(ca).build().unwrap();
        Api { http, url: self.url.clone(), token: token.to_owned() }
    }

    fn ca_file(&self) -> std::path::PathBuf {
        self.directory.path().join("ca.pem")
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Requests to an API server.
pub(crate) struct Api {
    http: reqwest::Client,
    url: String,
    token: String,
}

impl Api {
    /// What it asks with.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// A request, and whatever is answered.
    pub(crate) async fn ask(&self, method: &str, path: &str, media: &str, body: String) -> Value {
        let request = self.http.request(method.parse().unwrap(), format!("{}{path}", self.url));
        let request = request.bearer_auth(&self.token).header("content-type", media).body(body);
        request.send().await.unwrap().json().await.unwrap()
    }

    async fn done(&self, method: &str, path: &str, media: &str, body: String) -> Value {
        let answer = self.ask(method, path, media, body).await;
        assert_ne!(answer["status"], "Failure", "{method} {path}: {answer:#}");
        answer
    }

    /// An object, which must be there.
    pub(crate) async fn get(&self, path: &str) -> Value {
        self.done("GET", path, "application/json", String::new()).await
    }

    /// Creates an object in a collection such as `/api/v1/namespaces/shop/pods`. Returns it as the server keeps it.
    pub(crate) async fn create(&self, collection: &str, object: &Value) -> Value {
        self.done("POST", collection, "application/json", object.to_string()).await
    }

    /// Creates an object that is written in YAML.
    pub(crate) async fn create_yaml(&self, collection: &str, text: &str) -> Value {
        self.done("POST", collection, "application/yaml", text.to_owned()).await
    }

    /// Changes an object: what is null goes, what is not named stays, lists are replaced.
    pub(crate) async fn patch(&self, path: &str, change: &Value) -> Value {
        self.done("PATCH", path, "application/merge-patch+json", change.to_string()).await
    }

    /// Deletes an object at once.
    pub(crate) async fn delete(&self, path: &str) {
        let now = json!({"gracePeriodSeconds": 0}).to_string();
        self.done("DELETE", path, "application/json", now).await;
    }

    /// Creates a namespace.
    pub(crate) async fn namespace(&self, name: &str) {
        self.create("/api/v1/namespaces", &json!({"metadata": {"name": name}})).await;
    }

    /// Creates a pod with one container `app`, changed as `more` says. Returns its path.
    pub(crate) async fn pod(&self, namespace: &str, name: &str, more: &Value) -> String {
        let mut pod = json!({
            "metadata": {"name": name, "labels": {"app": "checkout"}},
            "spec": {"containers": [{"name": "app", "image": "registry.example/shop/checkout:1.2.3"}]},
        });
        merge(&mut pod, more);
        let collection = format!("/api/v1/namespaces/{namespace}/pods");
        self.create(&collection, &pod).await;
        format!("{collection}/{name}")
    }

    /// Sets parts of the status of an object.
    pub(crate) async fn set_status(&self, path: &str, status: Value) -> Value {
        self.patch(&format!("{path}/status"), &json!({"status": status})).await
    }
}

/// Puts what the second says into the first: objects by key, anything else as a whole.
pub(crate) fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            from.iter().for_each(|(key, value)| merge(into.entry(key).or_insert(Value::Null), value));
        }
        (into, from) => *into = from.clone(),
    }
}

/// The status of a pod whose container `app` has just ended.
pub(crate) fn terminated(code: i32, reason: &str, container_id: &str) -> Value {
    status(0, &json!({"terminated": ended(code, reason, container_id)}), &json!({}))
}

/// The status of the same pod once the container runs again.
pub(crate) fn restarted(code: i32, reason: &str, container_id: &str) -> Value {
    let running = json!({"running": {"startedAt": "2026-01-02T03:05:00Z"}});
    status(1, &running, &json!({"terminated": ended(code, reason, container_id)}))
}

fn ended(code: i32, reason: &str, container_id: &str) -> Value {
    let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let now = Utc::now();
    json!({"exitCode": code, "reason": reason, "containerID": container_id,
        "startedAt": time(now - TimeDelta::seconds(245)), "finishedAt": time(now)})
}

/// The status of a running pod whose container `app` is in this state.
pub(crate) fn status(restarts: u32, state: &Value, last_state: &Value) -> Value {
    let image = "registry.example/shop/checkout:1.2.3";
    json!({"phase": "Running", "containerStatuses": [{"name": "app", "image": image, "imageID": "", "ready": false,
        "restartCount": restarts, "state": state, "lastState": last_state}]})
}
