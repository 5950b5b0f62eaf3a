//! `devhose send FILE --as SENDER:EVENT`: posts a file as a sender would, with its headers and its signature.

use std::io::Read;

use anyhow::Context as _;
use ingest::sender::{Scheme, Sender};
use ingest::senders::SENDERS;
use ingest::source::{Secret, Source};
use serde_json::{Value, json};

use crate::cli::Send;
use crate::client::Server;
use crate::context::Context;
use crate::exit::{Ended, Exit, Failure};

pub(super) async fn run(args: Send, context: Context) -> Ended {
    let (sender, event) = sender_and_event(&args.sent_as)?;
    let body = read(&args)?;
    let configured = configured_source(&args, sender, &context)?;
    let source = args.source.clone().or_else(|| configured.map(|source| source.name.to_string()));
    let source = source.ok_or_else(|| {
        Failure::new(Exit::Usage, format!("no source of sender {} is configured", sender.name))
            .remedy("name one with --source, and its secret with --secret")
    })?;
    let id = args.id.clone().unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
    let mut headers = (sender.headers_for)(event, &id);
    let given = args.secret.clone().map(Secret::new);
    if let Some(secret) = given.or_else(|| configured.and_then(|source| source.secrets().first().cloned())) {
        headers.extend(ingest::verify::prove(sender.scheme, &secret, (crate::app::clock()?)(), &body));
    }
    if args.dry_run {
        let shown: Vec<_> = headers.iter().filter(|(name, _)| *name != "authorization").collect();
        context
            .output
            .document(json!({"path": format!("/hooks/{source}"), "headers": shown, "body_bytes": body.len()}))?;
        return Ok(Exit::Ok);
    }
    let server = Server::find(&context).await?;
    let mut request = server.request(reqwest::Method::POST, &format!("/hooks/{source}"));
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        headers.push(("content-type", "application/json".to_owned()));
    }
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let ended = match server.text(request.body(body)).await {
        Ok(answer) => told(&context, &answer),
        Err(failure) if failure.exit == Exit::NotAllowed => Err(failure.remedy(format!(
            "check that source {source} is configured and the secret is the server's; {}/sources shows the reason",
            server.base()
        ))),
        Err(failure) => Err(failure),
    };
    server.close().await?;
    ended
}

/// Shows the receipt. A sender whose tool shows answers to people gets another, or none.
fn told(context: &Context, answer: &str) -> Ended {
    let Ok(receipt @ Value::Object(_)) = serde_json::from_str::<Value>(answer) else {
        context.output.table(&["answer"], &[vec![answer.to_owned()]], json!({"answer": answer}))?;
        return Ok(Exit::Ok);
    };
    let id = receipt.get("id").and_then(Value::as_str).unwrap_or_default();
    let told = |name: &str| receipt.get(name).map(ToString::to_string).unwrap_or_default();
    let row = vec![id.to_owned(), told("offset"), told("duplicate")];
    context.output.table(&["id", "offset", "duplicate"], &[row], receipt.clone())?;
    Ok(Exit::Ok)
}

fn sender_and_event(sent_as: &str) -> Result<(&'static Sender, &str), Failure> {
    let (name, event) = sent_as.split_once(':').unwrap_or((sent_as, ""));
    let sender = SENDERS.iter().copied().find(|sender| sender.name == name && sender.scheme != Scheme::Local);
    let known = || {
        let names = SENDERS.iter().filter(|sender| sender.scheme != Scheme::Local).map(|sender| sender.name);
        names.collect::<Vec<_>>().join(", ")
    };
    sender
        .map(|sender| (sender, event))
        .ok_or_else(|| Failure::new(Exit::Usage, format!("no sender {name:?}")).remedy(format!("one of: {}", known())))
}

fn read(args: &Send) -> Result<Vec<u8>, Failure> {
    if args.file.as_os_str() == "-" {
        let mut body = Vec::new();
        std::io::stdin().lock().read_to_end(&mut body).context("standard input cannot be read")?;
        return Ok(body);
    }
    std::fs::read(&args.file).with_context(|| format!("{} cannot be read", args.file.display())).map_err(Failure::from)
}

fn configured_source<'a>(args: &Send, sender: &Sender, context: &'a Context) -> Result<Option<&'a Source>, Failure> {
    if let Some(name) = &args.source {
        return Ok(context.config.sources.get(name));
    }
    let of_sender: Vec<_> = context.config.sources.iter().filter(|source| source.sender.name == sender.name).collect();
    match of_sender.as_slice() {
        [] => Ok(None),
        [only] => Ok(Some(*only)),
        several => {
            let names: Vec<_> = several.iter().map(|source| source.name.as_str()).collect();
            Err(Failure::new(Exit::Usage, format!("sender {} has several sources", sender.name))
                .remedy(format!("--source with one of: {}", names.join(", "))))
        }
    }
}
