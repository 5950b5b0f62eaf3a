//! No token appears in a log, on a page or in what is stored.

use serde_json::json;

use super::{Stage, by_token, limited};
use crate::chat::{Fault, TOKEN};
use crate::cluster::server::terminated;

/// What a program might print into its last words.
const LEAKED: &str = "ghp_16C7e42F292c6912E7710c838347Ae178B4a";

#[tokio::test]
async fn no_token_is_ever_shown_or_stored_where_it_can_be_read() {
    let stage = Stage::set("secrets", by_token).await;
    stage.chat.fails(&[Fault::NotOk("internal_error"), Fault::Broken]);
    let program = stage.serve(&[("DEVHOSE_LOG", "debug")]).await;
    let path = stage.api.pod("secrets", "checkout-1", &limited()).await;
    let mut status = terminated(1, "Error", "containerd://1");
    status["containerStatuses"][0]["state"]["terminated"]["message"] = json!(format!("401 for token {LEAKED}"));
    stage.api.set_status(&path, status).await;
    stage.hears(1).await;
    stage.settles(&program).await;

    assert!(!stage.chat.messages()[0].body.to_string().contains(LEAKED));
    let runs = program.json("/api/v1/bots/killed-pods/runs").await;
    let run = runs["runs"][0]["id"].to_string();
    let pages = ["/bots", "/bots/killed-pods", "/sources", &format!("/bots/killed-pods/runs/{run}")];
    let api = ["/api/v1/bots", "/api/v1/bots/killed-pods", &format!("/api/v1/bots/killed-pods/runs/{run}")];
    for shown in pages.into_iter().chain(api) {
        let body = program.page(shown).await;
        for secret in [TOKEN, LEAKED, stage.api.token()] {
            assert!(!body.contains(secret), "{shown} shows {secret}");
        }
    }
    let ended = program.stop();
    for entry in std::fs::read_dir(stage.home.data()).unwrap() {
        let file = entry.unwrap().path();
        let bytes = std::fs::read(&file).unwrap();
        for secret in [TOKEN, stage.api.token()] {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{} holds {secret}", file.display());
        }
        // Deliveries are kept as they came, compressed; what bots make of them is not to hold what a log gave away.
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let found = bytes.windows(LEAKED.len()).any(|window| window == LEAKED.as_bytes());
        assert!(!(name.starts_with("bots") && found), "{name} holds {LEAKED}");
    }
    for secret in [TOKEN, LEAKED, stage.api.token()] {
        assert!(!ended.stderr.contains(secret), "the log shows {secret}");
    }
}
