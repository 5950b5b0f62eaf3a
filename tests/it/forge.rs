//! A forge for the tests: one change, whose reviewers and comments it keeps, and the API that a bot's client asks.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use serde_json::{Value, json};

/// Who owns everything.
const CODEOWNERS: &str = "*  @ann @bob\n";

#[derive(Debug, Default)]
struct Memory {
    asked: Vec<String>,
    comments: Vec<Value>,
    /// Method and path of every request that wrote.
    writes: Vec<String>,
}

/// The running forge.
#[derive(Clone)]
pub(crate) struct Forge {
    url: String,
    memory: Arc<Mutex<Memory>>,
}

impl Forge {
    /// Starts it at a free port of this machine; it ends with the test.
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let forge = Self { url: format!("http://{}", listener.local_addr().unwrap()), memory: Arc::default() };
        let router = Router::new()
            .route("/user", any(async || answer(&json!({"login": "devhose", "id": 1, "type": "User"}))))
            .route("/repos/{owner}/{name}/{*rest}", any(request))
            .with_state(forge.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        forge
    }

    /// The `[[tool]]` of the configuration.
    pub(crate) fn configuration(&self) -> String {
        format!("[[tool]]\nname = \"github\"\nhost = \"github.com\"\ntoken = \"t\"\nurl = \"{}\"\n", self.url)
    }

    /// Who is asked for a review of the change, each as often as it was.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.memory.lock().unwrap().asked.clone()
    }

    /// Texts of the comments on the change.
    pub(crate) fn comments(&self) -> Vec<String> {
        let memory = self.memory.lock().unwrap();
        memory.comments.iter().map(|comment| comment["body"].as_str().unwrap().to_owned()).collect()
    }

    /// Method and path of every request that wrote.
    pub(crate) fn writes(&self) -> Vec<String> {
        self.memory.lock().unwrap().writes.clone()
    }

    fn change(&self) -> Value {
        let users = self.asked().into_iter().map(|login| json!({"login": login, "type": "User"}));
        json!({
            "number": 1, "state": "open", "draft": false, "html_url": "https://forge.example/1",
            "user": {"login": "somebody", "type": "User"},
            "head": {"ref": "work", "sha": "c0ffee"}, "base": {"ref": "main", "sha": "beef"},
            "requested_reviewers": users.collect::<Vec<_>>(), "requested_teams": [],
        })
    }

    fn read(&self, rest: &str) -> Response {
        let parts: Vec<&str> = rest.split('/').collect();
        match parts.as_slice() {
            ["contents", ".github", "CODEOWNERS"] => CODEOWNERS.into_response(),
            ["pulls"] => answer(&json!([self.change()])),
            ["pulls", _] => answer(&self.change()),
            ["pulls", _, "files"] => answer(&json!([{"filename": "src/lib.rs"}])),
            ["pulls", _, "reviews"] => answer(&json!([])),
            ["issues", _, "comments"] => answer(&Value::from(self.memory.lock().unwrap().comments.clone())),
            ["issues", "comments", id] => {
                let memory = self.memory.lock().unwrap();
                let found = memory.comments.iter().find(|comment| comment["id"].as_u64() == id.parse().ok());
                found.map_or_else(missing, answer)
            }
            _ => missing(),
        }
    }

    fn write(&self, method: &Method, rest: &str, body: &Value) -> Response {
        self.memory.lock().unwrap().writes.push(format!("{method} {rest}"));
        let parts: Vec<&str> = rest.split('/').collect();
        match parts.as_slice() {
            ["pulls", _, "requested_reviewers"] => {
                let handles = body["reviewers"].as_array().unwrap().iter();
                self.memory.lock().unwrap().asked.extend(handles.map(|handle| handle.as_str().unwrap().to_owned()));
                (StatusCode::CREATED, answer(&self.change())).into_response()
            }
            ["issues", _, "comments"] => {
                let mut memory = self.memory.lock().unwrap();
                let comment = json!({
                    "id": memory.comments.len() + 1, "body": body["body"], "user": {"login": "devhose", "type": "User"},
                    "html_url": "https://forge.example/1#1",
                });
                memory.comments.push(comment.clone());
                (StatusCode::CREATED, answer(&comment)).into_response()
            }
            ["issues", "comments", id] => {
                let mut memory = self.memory.lock().unwrap();
                let found = memory.comments.iter_mut().find(|comment| comment["id"].as_u64() == id.parse().ok());
                found.map_or_else(missing, |comment| {
                    comment["body"] = body["body"].clone();
                    answer(comment)
                })
            }
            _ => missing(),
        }
    }
}

fn answer(value: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json; charset=utf-8")], value.to_string()).into_response()
}

fn missing() -> Response {
    (StatusCode::NOT_FOUND, answer(&json!({"message": "Not Found"}))).into_response()
}

async fn request(
    State(forge): State<Forge>,
    Path((_, _, rest)): Path<(String, String, String)>,
    method: Method,
    body: String,
) -> Response {
    if method == Method::GET {
        return forge.read(&rest);
    }
    forge.write(&method, &rest, &serde_json::from_str(&body).unwrap())
}
