//! What receivers make of a delivery with libraries that others wrote: `tests/clients`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::*;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The two verifiers. One that is not installed is a failure with what installs it.
fn verifiers() -> [(&'static str, Command); 2] {
    let clients = root().join("tests/clients");
    assert!(
        clients.join("node_modules/standardwebhooks").is_dir(),
        "the npm packages of tests/clients are missing: run `npm ci --prefix tests/clients`"
    );
    let python = root().join("target/clients-venv/bin/python");
    assert!(
        python.exists(),
        "the Python packages of tests/clients are missing: run `python3 -m venv target/clients-venv && \
         target/clients-venv/bin/pip install -r tests/clients/requirements.txt`"
    );
    let (mut node, mut venv) = (Command::new("node"), Command::new(python));
    node.arg(clients.join("verify.mjs"));
    venv.arg(clients.join("verify.py"));
    [("node", node), ("python", venv)]
}

/// What a verifier says of these deliveries: the ids of their events, or why not.
fn verified(mut verifier: Command, deliveries: &[Value]) -> Result<Vec<String>, String> {
    let mut running = verifier.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let lines: String = deliveries.iter().map(|delivery| format!("{delivery}\n")).collect();
    running.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let done = running.wait_with_output().unwrap();
    if done.status.success() {
        Ok(String::from_utf8(done.stdout).unwrap().lines().map(str::to_owned).collect())
    } else {
        Err(String::from_utf8_lossy(&done.stderr).into_owned())
    }
}

/// A delivery as it was received, without anything to verify it with.
async fn received(keys: &[SigningKey]) -> Value {
    let receiver = Receiver::start(|_| Reply::with(204, &[], "")).await;
    let attempted = webhooks().deliver(outgoing(&receiver.url, keys)).await;
    assert_eq!(attempted.response.unwrap().status, 204);
    let heard = receiver.heard().pop().unwrap();
    let headers: serde_json::Map<_, _> = heard.headers.into_iter().map(|(name, value)| (name, value.into())).collect();
    json!({ "headers": headers, "body": heard.body })
}

fn with(delivery: &Value, members: &Value) -> Value {
    let mut delivery = delivery.clone();
    delivery.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    delivery
}

#[tokio::test]
async fn libraries_that_others_wrote_accept_what_is_sent() {
    let keys @ [new, old, pair] = &keys();
    let (new, old) = (new.reveal().unwrap(), old.reveal().unwrap());
    let public = pair.verifying().unwrap().public_text().unwrap();
    let all = received(keys).await;
    let deliveries = [
        with(&received(&keys[..1]).await, &json!({ "secret": new })),
        with(&received(&keys[2..]).await, &json!({ "publicKey": public })),
        // While a secret is changed, receivers know the one or the other.
        with(&all, &json!({ "secret": new, "publicKey": public })),
        with(&all, &json!({ "secret": old })),
    ];
    for (name, verifier) in verifiers() {
        let ids = verified(verifier, &deliveries).unwrap_or_else(|words| panic!("{name}: {words}"));
        assert_eq!(ids, ["8c1f"; 4], "{name}");
    }
}

#[tokio::test]
async fn libraries_that_others_wrote_refuse_what_somebody_changed() {
    let keys @ [new, _, pair] = &keys();
    let secret = json!({ "secret": new.reveal().unwrap() });
    let public = json!({ "publicKey": pair.verifying().unwrap().public_text().unwrap() });
    let all = received(keys).await;
    let stranger = json!({ "secret": SigningKey::fresh_symmetric().unwrap().reveal().unwrap() });
    let changed = json!({ "body": BODY.replace("8c1f", "8c1e") });
    for wrong in [with(&all, &stranger), with(&with(&all, &secret), &changed), with(&with(&all, &public), &changed)] {
        for (name, verifier) in verifiers() {
            let words = verified(verifier, std::slice::from_ref(&wrong)).expect_err(name);
            assert!(words.starts_with("line 1: "), "{name}: {words}");
        }
    }
}
