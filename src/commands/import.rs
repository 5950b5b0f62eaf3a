//! `devhose import git PATH`: reads a history and stores it as deliveries, through a running server if there is one.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use bus::delivery::NewDelivery;
use bus::ids::DeliveryId;
use ingest::backfill::git::{self, Options, Progress, Summary};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::cli::{Import, ImportGit};
use crate::client::Server;
use crate::context::Context;
use crate::exit::{Ended, Exit, Failure};
use crate::progress::{Meter, per_second};

/// So many deliveries go to the server at once: one commit of the log for all of them.
const BATCH_DELIVERIES: usize = 512;

/// So many bytes at once, whatever their number: well below what the server takes.
const BATCH_BYTES: usize = 4 << 20;

/// Batches between the reader and the server: enough that neither waits, few enough to stay small.
const BATCHES_QUEUED: usize = 4;

pub(super) async fn run(Import::Git(args): Import, context: Context) -> Ended {
    let name = match &args.name {
        Some(name) => name.clone(),
        None => directory_name(&args.path)?,
    };
    let mut options =
        Options::new(&name, args.tag_pattern.as_deref(), crate::app::now()).map_err(|error| usage(&error))?;
    options.branch.clone_from(&args.branch);
    let mut stop = crate::signals::stop_requested();
    let server = Arc::new(Server::find(&context).await?);
    let source = options.source.to_string();
    let (batches, mut queue) = mpsc::channel::<String>(BATCHES_QUEUED);
    let reading = tokio::task::spawn_blocking({
        let (server, context_progress, args, stop) =
            (Arc::clone(&server), context.progress, args.clone(), stop.clone());
        let handle = Handle::current();
        move || {
            let meter = Meter::new(context_progress, "commits and tags", 0);
            let mut sender = Sender {
                batches,
                handle: &handle,
                batch: String::new(),
                count: 0,
                failed: false,
                dry_run: args.dry_run,
            };
            let mut known = |ids: &[DeliveryId]| ask_known(&handle, &server, options.source.as_str(), ids);
            let mut sink = |delivery: NewDelivery| {
                if *stop.borrow() || sender.take(&delivery).is_err() {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            };
            let progress = |progress: Progress| match progress {
                Progress::Finding { commits } => meter.at(commits, commits),
                Progress::Telling { done, total } => meter.at(done, total),
            };
            let summary = git::read(&args.path, &options, &mut known, &mut sink, &progress);
            sender.flush().ok();
            (summary, meter.finish())
        }
    });
    let mut stored = Stored::default();
    while let Some(batch) = queue.recv().await {
        let answer = server.post(&format!("/api/v1/import/{source}"), &[], batch).await?;
        stored.add(&answer);
    }
    let (summary, took) = reading.await?;
    let summary = summary.map_err(|error| Failure::new(Exit::Failed, error_text(&error)))?;
    let interrupted = *stop.borrow_and_update();
    tell(&context, &args, &summary, &stored, took)?;
    if let Some(server) = Arc::into_inner(server) {
        server.finish().await?;
    }
    if interrupted {
        context.output.tell("stopped; the same command goes on where it ended");
        return Ok(Exit::Interrupted);
    }
    Ok(Exit::Ok)
}

/// Collects deliveries into batches of lines and hands them over, waiting while the server is behind.
struct Sender<'a> {
    batches: mpsc::Sender<String>,
    handle: &'a Handle,
    batch: String,
    count: usize,
    failed: bool,
    dry_run: bool,
}

/// One line of a batch.
#[derive(serde::Serialize)]
struct Line<'a> {
    id: &'a DeliveryId,
    received_at: chrono::DateTime<chrono::Utc>,
    body: &'a RawValue,
}

impl Sender<'_> {
    fn take(&mut self, delivery: &NewDelivery) -> Result<(), Failure> {
        if self.dry_run {
            return Ok(());
        }
        let body: &RawValue = serde_json::from_slice(&delivery.body)?;
        let line = Line { id: &delivery.delivery_id, received_at: delivery.received_at, body };
        self.batch.push_str(&serde_json::to_string(&line)?);
        self.batch.push('\n');
        self.count += 1;
        if self.count >= BATCH_DELIVERIES || self.batch.len() >= BATCH_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Failure> {
        if self.batch.is_empty() {
            return Ok(());
        }
        self.count = 0;
        let batch = std::mem::take(&mut self.batch);
        // The other end is gone only if storing failed: that failure is the one to tell.
        self.failed |= self.handle.block_on(self.batches.send(batch)).is_err();
        if self.failed { Err(Failure::new(Exit::Failed, "the server took no more")) } else { Ok(()) }
    }
}

/// What the server said of all batches.
#[derive(Debug, Default)]
struct Stored {
    stored: u64,
    duplicates: u64,
}

impl Stored {
    fn add(&mut self, answer: &Value) {
        let number = |name: &str| answer.get(name).and_then(Value::as_u64).unwrap_or(0);
        self.stored += number("stored");
        self.duplicates += number("duplicates");
    }
}

/// Which deliveries are in the log. If the server cannot say, none: they are then read again and dropped there.
fn ask_known(handle: &Handle, server: &Server, source: &str, ids: &[DeliveryId]) -> Vec<bool> {
    let body = json!({"ids": ids}).to_string();
    let answer = handle.block_on(server.post(&format!("/api/v1/known/{source}"), &[], body));
    let known = answer.ok().and_then(|answer| serde_json::from_value::<Vec<bool>>(answer.get("known")?.clone()).ok());
    known.filter(|known| known.len() == ids.len()).unwrap_or_else(|| vec![false; ids.len()])
}

fn tell(
    context: &Context,
    args: &ImportGit,
    summary: &Summary,
    stored: &Stored,
    took: std::time::Duration,
) -> Result<(), Failure> {
    let rate = per_second(summary.commits, took.as_secs_f64());
    let columns = ["repository", "commits", "landed", "tags", "deployments", "stored", "known", "commits_per_second"];
    let numbers = [
        summary.commits,
        summary.landed,
        summary.tags,
        summary.deployments,
        stored.stored,
        summary.known + stored.duplicates,
        rate,
    ];
    let mut row = vec![summary.repository.clone()];
    row.extend(numbers.iter().map(u64::to_string));
    let mut document = json!({"repository": summary.repository, "branch": summary.reference, "dry_run": args.dry_run});
    if let Value::Object(fields) = &mut document {
        fields.extend(columns.iter().skip(1).zip(numbers).map(|(name, number)| ((*name).to_owned(), json!(number))));
    }
    context.output.table(&columns, &[row], document)?;
    if summary.deployments == 0 {
        context
            .output
            .tell("no tag matched the pattern of deployments, so delivery metrics stay empty: see --tag-pattern");
    }
    if !args.dry_run {
        context.output.tell("now: `devhose serve` shows it, `devhose metrics get successful-deployments` prints it");
    }
    Ok(())
}

/// The directory's own name, without `.git`.
fn directory_name(path: &Path) -> Result<String, Failure> {
    let full = std::fs::canonicalize(path)
        .map_err(|error| Failure::new(Exit::NotFound, format!("{} cannot be opened: {error}", path.display())))?;
    let name = full.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let name = if name == ".git" {
        full.parent().and_then(Path::file_name).and_then(|n| n.to_str()).unwrap_or_default()
    } else {
        name
    };
    let clean = name
        .trim_end_matches(".git")
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' });
    let clean: String = clean.collect();
    if clean.is_empty() {
        return Err(Failure::new(Exit::Usage, format!("{} has no name", path.display())).remedy("pass --name"));
    }
    Ok(clean)
}

fn usage(error: &git::GitError) -> Failure {
    Failure::new(Exit::Usage, error_text(error))
}

/// The error with its causes, each once.
fn error_text(error: &git::GitError) -> String {
    format!("{:#}", anyhow::anyhow!("{error}"))
}
