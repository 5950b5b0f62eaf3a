//! A pod is killed in a real cluster, and the channel of the team that owns it hears of it: once, whatever fails on the
//! way.

use serde_json::{Value, json};

use crate::chat::{Chat, Fault, TOKEN};
use crate::cluster::server::{Api, ApiServer, terminated};
use crate::program::{Home, Program, until};

mod crash;
mod message;
mod reviewers;
mod secrets;

/// A namespace of its own in the shared cluster, a chat, and the program between them.
struct Stage {
    api: Api,
    chat: Chat,
    home: Home,
    namespace: &'static str,
}

/// What the program needs to talk to the chat as a bot user.
fn by_token(chat: &Chat) -> String {
    format!("[[tool]]\nname = \"slack\"\ntoken = \"{TOKEN}\"\nurl = \"{}\"\n", chat.api())
}

impl Stage {
    async fn set(namespace: &'static str, tool: impl FnOnce(&Chat) -> String) -> Self {
        let server = ApiServer::shared();
        let (api, chat) = (server.api(), Chat::start().await);
        api.namespace(namespace).await;
        let configuration = format!(
            r##"
            [[team]]
            name = "payments"
            channel = "#payments"
            namespaces = [{namespace:?}]
            {}
            [bot.killed-pods]
            mode = "live"
            default_channel = "#ops"
            platform_channel = "#platform"
            {}
            namespace = {namespace:?}
            "##,
            tool(&chat),
            server.configuration("test"),
        );
        Self { api, chat, home: Home::with(&configuration), namespace }
    }

    /// The program, once it watches.
    async fn serve(&self, variables: &[(&str, &str)]) -> Program {
        let program = self.home.serve_with(variables).await;
        let watching = async || {
            let document = program.json("/api/v1/sources").await;
            let watches = document["watches"].as_array()?;
            let of_pods = watches.iter().find(|watch| watch["resource"].as_str().unwrap().starts_with("pods"))?;
            (of_pods["state"] == "watching").then_some(())
        };
        until("pods are watched", watching).await;
        program
    }

    /// A pod that runs out of memory.
    async fn kill(&self, pod: &str) {
        let path = self.api.pod(self.namespace, pod, &limited()).await;
        self.api.set_status(&path, terminated(137, "OOMKilled", &format!("containerd://{pod}"))).await;
    }

    /// Waits until as many messages stand in the chat.
    async fn hears(&self, count: usize) {
        until("the chat hears of it", async || (self.chat.messages().len() == count).then_some(())).await;
    }

    /// Waits until every action is performed and told.
    async fn settles(&self, program: &Program) {
        let settled = async || {
            let bot = program.json("/api/v1/bots/killed-pods").await;
            (bot["open_actions"] == 0 && bot["lag"]["events"] == 0 && bot["lag"]["at_least"] == false).then_some(())
        };
        until("every action is performed", settled).await;
    }
}

/// With a limit, so that the cause is sure.
fn limited() -> Value {
    json!({"spec": {"containers": [{
        "name": "app", "image": "registry.example/shop/checkout:1.2.3",
        "resources": {"limits": {"memory": "512Mi"}},
    }]}})
}

#[tokio::test]
async fn every_way_in_which_the_chat_fails_ends_in_one_message() {
    let faults = [
        ("busy", Fault::Busy(1)),
        ("broken", Fault::Broken),
        ("broken-after", Fault::BrokenAfterwards),
        ("not-ok", Fault::NotOk("internal_error")),
        ("hangs", Fault::Hangs),
    ];
    for (name, fault) in faults {
        let stage = Stage::set(namespace_of(name), by_token).await;
        stage.chat.fails(&[fault]);
        let program = stage.serve(&[]).await;
        stage.kill("checkout-1").await;
        let told = async || program.events("type:action.performed").await.pop();
        let performed = until("an action is performed", told).await;
        assert_eq!(stage.chat.messages().len(), 1, "{name}: {:?}", stage.chat.calls());
        assert_eq!(performed["data"]["customData"]["outcome"], "success", "{performed:#}");
        stage.settles(&program).await;
        assert_eq!(stage.chat.messages().len(), 1, "{name}: {:?}", stage.chat.calls());
    }
}

/// Namespaces are constants, because the stage keeps one for its whole life.
fn namespace_of(fault: &str) -> &'static str {
    match fault {
        "busy" => "chat-busy",
        "broken" => "chat-broken",
        "broken-after" => "chat-broken-after",
        "not-ok" => "chat-not-ok",
        _ => "chat-hangs",
    }
}

#[tokio::test]
async fn a_bot_that_runs_dry_says_what_it_would_do_and_does_nothing() {
    let server = ApiServer::shared();
    let (api, chat) = (server.api(), Chat::start().await);
    api.namespace("dry").await;
    let home = Home::with(&format!("{}\n{}namespace = \"dry\"\n", by_token(&chat), server.configuration("test")));
    let program = home.serve().await;
    let path = api.pod("dry", "checkout-1", &limited()).await;
    api.set_status(&path, terminated(137, "OOMKilled", "containerd://1")).await;
    let ran = async || {
        let runs = program.json("/api/v1/bots/killed-pods/runs").await;
        runs["runs"].as_array().filter(|runs| !runs.is_empty()).map(|runs| runs[0].clone())
    };
    let run = until("the bot ran", ran).await;
    assert_eq!(run["mode"], "dry-run");
    assert_eq!(chat.calls(), [""; 0]);
    assert_eq!(program.json("/api/v1/bots/killed-pods").await["toil"]["all_minutes"], 0);
}
