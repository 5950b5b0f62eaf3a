//! The real program, used as a person or a sender uses it: a directory with a configuration, a server over it, the
//! command line beside it.
//!
//! ```text
//! let home = Home::new();
//! let program = home.serve().await;
//! let answer = program.deliver(&Delivery::github("ping", "an-id", "{}")).await;
//! assert_eq!(answer.status, 200);
//! let listed = home.run(&["events", "list"]);
//! ```
//!
//! Nothing here knows the inside of the program. Waiting is done in one place, [`until`]: what is waited for is always
//! something that a user could see.

mod answer;
mod delivery;
mod page;

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

pub(crate) use answer::Answer;
pub(crate) use delivery::{Delivery, payload, payload_names, sign};
pub(crate) use page::{Page, Table};

/// Whatever is waited for is there after this, even on a busy machine; a test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(150);

/// How often one looks.
const GLANCE: Duration = Duration::from_millis(10);

/// What the sources below are signed with.
pub(crate) const SECRET: &str = "a secret of the tests, long enough";

/// What most tests run with.
pub(crate) const CONFIGURATION: &str = r#"
[[source]]
name = "github/acme"
secret = "a secret of the tests, long enough"

[[source]]
name = "cloudevents/ops"
secret = "a secret of the tests, long enough"
"#;

/// Looks again and again until there is an answer.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(started.elapsed() < PATIENCE, "{what}: not seen within {} s", PATIENCE.as_secs());
        tokio::time::sleep(GLANCE).await;
    }
}

/// A directory with a `devhose.toml`, in which the program runs. It is gone afterwards.
pub(crate) struct Home {
    directory: TempDir,
    now: Option<&'static str>,
}

impl Home {
    /// With two sources, `github/acme` and `cloudevents/ops`.
    pub(crate) fn new() -> Self {
        Self::with(CONFIGURATION)
    }

    /// With this configuration.
    pub(crate) fn with(configuration: &str) -> Self {
        let directory = tempfile::Builder::new().prefix("devhose-it-").tempdir().unwrap();
        std::fs::write(directory.path().join("devhose.toml"), configuration).unwrap();
        std::fs::create_dir(directory.path().join("tmp")).unwrap();
        Self { directory, now: None }
    }

    /// With a clock that stands still.
    pub(crate) fn at(self, now: &'static str) -> Self {
        Self { now: Some(now), ..self }
    }

    /// A file in it.
    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Where the program keeps its data.
    pub(crate) fn data(&self) -> PathBuf {
        self.path("devhose-data")
    }

    /// Where the program puts what it needs for a moment.
    pub(crate) fn temporary(&self) -> PathBuf {
        self.path("tmp")
    }

    /// `devhose serve` at any free port.
    pub(crate) async fn serve(&self) -> Program {
        self.serve_with(&[]).await
    }

    /// The same with variables in its environment.
    pub(crate) async fn serve_with(&self, variables: &[(&str, &str)]) -> Program {
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.envs(variables.iter().copied());
        Self::start(command, Says::OnStderr).await
    }

    /// `devhose serve` at that address, such as one that a program had before.
    pub(crate) async fn serve_at(&self, address: &str) -> Program {
        Self::start(self.command(&["serve", "--listen", address]), Says::OnStderr).await
    }

    /// `devhose demo` at any free port.
    pub(crate) async fn demo(&self, scale: &str) -> Program {
        let args = ["demo", "--port", "0", "--no-open", "--quiet", "--scale", scale];
        Self::start(self.command(&args), Says::OnStdout).await
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        Ended::of(self.command(args)).wait()
    }

    /// Runs a command that must end well, and gives what it printed.
    pub(crate) fn print(&self, args: &[&str]) -> String {
        let ran = self.run(args);
        assert_eq!(ran.exit, 0, "devhose {}: {ran:?}", args.join(" "));
        ran.stdout
    }

    /// Runs a command with `--json` that must end well, and gives the document.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let text = self.print(&[args, &["--json"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("devhose {}: {error}: {text}", args.join(" ")))
    }

    /// The command itself, for what the others do not do. Nothing of the environment of the tests reaches it.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_devhose"));
        command.args(args).current_dir(self.directory.path()).env_clear().env("TMPDIR", self.temporary());
        command.envs(self.now.map(|now| ("DEVHOSE_NOW", now)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    async fn start(mut command: Command, says: Says) -> Program {
        let (tell, told) = mpsc::channel();
        let mut child = command.spawn().unwrap();
        let stdout = listen(child.stdout.take().unwrap(), (says == Says::OnStdout).then(|| tell.clone()));
        let stderr = listen(child.stderr.take().unwrap(), (says == Says::OnStderr).then(|| tell.clone()));
        drop(tell);
        let ended = Ended { child, stdout, stderr };
        // A program that ends without saying where it listens closes its outputs, and the channel with them.
        let Ok(url) = told.recv_timeout(PATIENCE) else { panic!("the program does not listen: {:?}", ended.kill()) };
        Program { url, http: client(), ended: Some(ended) }
    }
}

/// On which output the program says where it listens.
#[derive(PartialEq)]
enum Says {
    OnStdout,
    OnStderr,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Exit code; -1 if a signal ended it.
    pub(crate) exit: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// Exit code and what stands on standard error, without what differs from run to run.
    pub(crate) fn refusal(&self, home: &Home) -> String {
        let stderr = self.stderr.replace(&home.directory.path().display().to_string(), "HOME");
        format!("{}\n{}", self.exit, stderr.trim_end())
    }
}

/// A process, with both outputs read so that it never waits for us.
struct Ended {
    child: Child,
    stdout: JoinHandle<String>,
    stderr: JoinHandle<String>,
}

impl Ended {
    fn of(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let stdout = listen(child.stdout.take().unwrap(), None);
        let stderr = listen(child.stderr.take().unwrap(), None);
        Self { child, stdout, stderr }
    }

    fn wait(mut self) -> Ran {
        let started = Instant::now();
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None if started.elapsed() > PATIENCE => panic!("the program does not end: {:?}", self.kill()),
                None => thread::sleep(GLANCE),
            }
        };
        let (stdout, stderr) = (self.stdout.join().unwrap(), self.stderr.join().unwrap());
        Ran { exit: status.code().unwrap_or(-1), stdout, stderr }
    }

    fn kill(mut self) -> Ran {
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        let (stdout, stderr) = (self.stdout.join().unwrap(), self.stderr.join().unwrap());
        Ran { exit: status.code().unwrap_or(-1), stdout, stderr }
    }
}

/// Collects an output, and passes on the address that a line of it holds.
fn listen(output: impl Read + Send + 'static, mut tell: Option<mpsc::Sender<String>>) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if let Some((_, address)) = line.split_once("http://")
                && let Some(tell) = tell.take()
            {
                tell.send(format!("http://{address}")).unwrap_or_default();
            }
            text.push_str(&line);
            text.push('\n');
        }
        text
    })
}

fn client() -> reqwest::Client {
    // The provider can be installed once; a second time means it is there.
    drop(rustls::crypto::ring::default_provider().install_default());
    let builder = reqwest::Client::builder().timeout(PATIENCE).redirect(reqwest::redirect::Policy::none());
    builder.build().unwrap()
}

/// A running program. When it is dropped it is killed.
pub(crate) struct Program {
    url: String,
    http: reqwest::Client,
    ended: Option<Ended>,
}

impl Program {
    /// Where it listens: `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// `127.0.0.1:PORT`
    pub(crate) fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// A request of any kind.
    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method.parse().unwrap(), format!("{}{path}", self.url))
    }

    /// `GET`, whatever the answer.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request("GET", path)).await
    }

    /// A page that must be there.
    pub(crate) async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.body
    }

    /// A document that must be there.
    pub(crate) async fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.page(path).await).unwrap()
    }

    /// `POST` with these headers and this body.
    pub(crate) async fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> Answer {
        Answer::of(self.request("POST", path).body(body)).await
    }

    /// Posts a delivery as its sender would.
    pub(crate) async fn deliver(&self, delivery: &Delivery) -> Answer {
        Answer::of(delivery.request(self)).await
    }

    /// The events of a query, newest first.
    pub(crate) async fn events(&self, query: &str) -> Vec<Value> {
        let request = self.request("GET", "/api/v1/events").query(&[("q", query), ("limit", "1000")]);
        Answer::of(request).await.json()["events"].as_array().unwrap().clone()
    }

    /// The one event of a query, once it is there.
    pub(crate) async fn event(&self, query: &str) -> Value {
        let mut events =
            until(query, async || Some(self.events(query).await).filter(|events| !events.is_empty())).await;
        assert_eq!(events.len(), 1, "{query}: {events:#?}");
        events.remove(0)
    }

    /// How a source stands.
    pub(crate) async fn source(&self, name: &str) -> Value {
        let sources = self.sources().await;
        let found = sources.iter().find(|source| source["source"] == name);
        found.unwrap_or_else(|| panic!("no source {name}: {sources:?}")).clone()
    }

    /// Figures of every source.
    pub(crate) async fn sources(&self) -> Vec<Value> {
        self.json("/api/v1/sources").await["sources"].as_array().unwrap().clone()
    }

    /// Waits until every stored delivery is interpreted.
    pub(crate) async fn interpreted(&self) {
        let ready = async || (self.page("/readyz").await == "ready, 0 deliveries to interpret\n").then_some(());
        until("every delivery is interpreted", ready).await;
    }

    /// What a metric answers, without the moment of the answer.
    pub(crate) async fn metric(&self, name_and_query: &str) -> Value {
        let mut report = self.json(&format!("/api/v1/metrics/{name_and_query}")).await;
        report.as_object_mut().unwrap().remove("generated_at");
        report
    }

    /// Names of the metrics.
    pub(crate) async fn metrics(&self) -> Vec<String> {
        let document = self.json("/api/v1/metrics").await;
        let names = document["metrics"].as_array().unwrap().iter().map(|metric| metric["name"].as_str().unwrap());
        names.map(str::to_owned).collect()
    }

    /// Asks it to stop, as a system does, and waits for it.
    pub(crate) fn stop(mut self) -> Ran {
        let ended = self.ended.take().unwrap();
        let asked = Command::new("kill").args(["-TERM", &ended.child.id().to_string()]).status().unwrap();
        assert!(asked.success());
        ended.wait()
    }

    /// Waits until it ends by itself.
    pub(crate) fn ends(mut self) -> Ran {
        self.ended.take().unwrap().wait()
    }

    /// Ends it without a word: `kill -9`.
    pub(crate) fn kill(mut self) -> Ran {
        self.ended.take().unwrap().kill()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Some(ended) = self.ended.take() {
            ended.kill();
        }
    }
}
