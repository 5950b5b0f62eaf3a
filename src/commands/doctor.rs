//! `devhose doctor`: checks what a running program needs; each line ok, warn or fail, with the remedy.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use ::bots::contract::Mode;
use bus::storage::Storage;

use crate::config::Config;
use crate::context::Context;
use crate::exit::{Ended, Exit, Failure};
use crate::output::Output;

/// A disk that syncs faster than this does not sync at all: memory, or a system that lies.
const SYNC_PLAUSIBLE: Duration = Duration::from_micros(50);

/// So many syncs are timed; the median counts.
const SYNC_TRIES: usize = 9;

struct Finding {
    state: &'static str,
    what: &'static str,
    details: String,
}

fn ok(what: &'static str, details: impl Into<String>) -> Finding {
    Finding { state: "ok", what, details: details.into() }
}

fn warn(what: &'static str, details: impl Into<String>) -> Finding {
    Finding { state: "warn", what, details: details.into() }
}

fn fail(what: &'static str, details: impl Into<String>) -> Finding {
    Finding { state: "fail", what, details: details.into() }
}

/// The report when the configuration itself cannot be read.
pub(super) fn without_config(failure: &Failure, output: Output) -> Ended {
    let remedy = failure.remedy.as_ref().map(|remedy| format!("; {remedy}")).unwrap_or_default();
    print(&[fail("configuration", format!("{:#}{remedy}", failure.error))], output)
}

pub(super) async fn run(context: Context) -> Ended {
    let config = &context.config;
    let mut findings = vec![match &config.file {
        Some(file) => ok("configuration", file.display().to_string()),
        None => warn("configuration", "no devhose.toml here: the defaults hold; `devhose init` writes one"),
    }];
    findings.push(match config.sources.iter().count() {
        0 => warn("sources", "none is configured: add a [[source]] to take webhooks"),
        count => ok("sources", format!("{count} configured")),
    });
    findings.extend(config.sources.iter().filter(|source| source.insecure).map(|source| {
        warn("sources", format!("{} takes requests from anybody: give it a secret and remove `insecure`", source.name))
    }));
    findings.extend(bots(config));
    findings.push(match crate::app::catalog(config) {
        Ok(catalog) => {
            ok("catalog", format!("{} teams, {} services", catalog.teams().count(), catalog.services().count()))
        }
        Err(failure) => fail("catalog", format!("{:#}", failure.error)),
    });
    let existing = config.data.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."));
    findings.push(disk(existing));
    findings.push(clock(existing));
    let running = running_at(&context).await;
    findings.push(match (&running, tokio::net::TcpListener::bind(config.listen).await) {
        (Some(url), _) => ok("server", format!("runs at {url}")),
        (None, Ok(_)) => ok("port", format!("{} is free", config.listen)),
        (None, Err(error)) => fail("port", format!("{}: {error}; set `listen` to another", config.listen)),
    });
    let storage = config.storage();
    let readable = match &storage {
        Storage::Sqlite(directory) => running.is_none() && directory.join("devhose.db").exists(),
        Storage::Postgres(_) | Storage::Kafka(..) => true,
    };
    if readable {
        findings.extend(data(&storage).await?);
    }
    print(&findings, context.output)
}

/// What stands in the storage, and what keeps it less well than promised.
async fn data(storage: &Storage) -> Result<Vec<Finding>, Failure> {
    let streams = match bus::streams::Streams::open_on(storage).await {
        Ok(streams) => streams,
        Err(error) => return Ok(vec![fail("data", format!("{:#}", anyhow::Error::from(error)))]),
    };
    let (deliveries, events) = (*streams.delivery_head().borrow(), *streams.event_head().borrow());
    let quarantined = streams.quarantined(1_000).await?.len();
    let weaknesses = streams.weaknesses();
    streams.close().await?;
    let mut findings = vec![if quarantined == 0 {
        ok("data", format!("{deliveries} deliveries, {events} events"))
    } else {
        warn("data", format!("{quarantined} deliveries in quarantine: `devhose sources quarantine`"))
    }];
    findings.extend(weaknesses.iter().map(|weakness| warn("storage", weakness.to_string())));
    Ok(findings)
}

/// Whether bots that are to act have something to act on.
fn bots(config: &Config) -> Vec<Finding> {
    if let Err(error) = ::bots::clients::connect(&config.tools, &config.asked_clusters) {
        return vec![fail("tools", error.to_string())];
    }
    let live: Vec<&str> =
        config.bots.iter().filter(|(_, bot)| bot.mode == Mode::Live).map(|(name, _)| name.as_str()).collect();
    let counts = format!("{} clusters watched, {} tools", config.clusters.len(), config.tools.len());
    if live.is_empty() {
        return vec![ok("bots", format!("{counts}; all bots run dry"))];
    }
    let live = live.join(", ");
    if config.tools.is_empty() {
        return vec![warn("bots", format!("{live} may act, but there is no tool to act on: add a [[tool]]"))];
    }
    vec![ok("bots", format!("{counts}; live: {live}"))]
}

async fn running_at(context: &Context) -> Option<String> {
    let http = reqwest::Client::new();
    for url in context.local_urls() {
        let request = http.get(format!("{url}/healthz")).timeout(Duration::from_millis(500));
        if request.send().await.is_ok_and(|answer| answer.headers().contains_key("devhose-version")) {
            return Some(url);
        }
    }
    None
}

/// Whether the disk keeps what it says it keeps, as far as timing tells.
fn disk(directory: &Path) -> Finding {
    let probe = || -> std::io::Result<Duration> {
        let mut file = tempfile::tempfile_in(directory)?;
        let mut times = Vec::new();
        for _ in 0..SYNC_TRIES {
            std::io::Write::write_all(&mut file, &[7; 4096])?;
            let started = Instant::now();
            file.sync_data()?;
            times.push(started.elapsed());
        }
        times.sort_unstable();
        Ok(times.get(SYNC_TRIES / 2).copied().unwrap_or_default())
    };
    let shown = directory.display();
    match probe() {
        Err(error) => fail("disk", format!("{shown} cannot be written: {error}")),
        Ok(time) if time < SYNC_PLAUSIBLE => warn(
            "disk",
            format!(
                "{shown} syncs in {} µs, which no disk does: what is acknowledged may not survive a power cut",
                time.as_micros()
            ),
        ),
        Ok(time) => ok("disk", format!("{shown} syncs in {:.1} ms", time.as_secs_f64() * 1e3)),
    }
}

/// The file system's clock and ours must agree, or times in the log mean nothing.
fn clock(directory: &Path) -> Finding {
    let file_time = tempfile::tempfile_in(directory).and_then(|file| file.metadata()?.modified());
    match file_time {
        Err(error) => warn("clock", format!("cannot be compared with the disk's: {error}")),
        Ok(time) => {
            let skew = (crate::app::now() - chrono::DateTime::<chrono::Utc>::from(time)).num_seconds().abs();
            if skew > 5 {
                warn("clock", format!("is {skew} s off the disk's: check NTP"))
            } else {
                ok("clock", "agrees with the disk's")
            }
        }
    }
}

fn print(findings: &[Finding], output: Output) -> Ended {
    let rows: Vec<_> =
        findings.iter().map(|f| vec![f.state.to_owned(), f.what.to_owned(), f.details.clone()]).collect();
    let checks = findings.iter().map(|f| json!({"state": f.state, "check": f.what, "details": f.details}));
    output.table(&["state", "check", "details"], &rows, json!({"checks": checks.collect::<Vec<_>>()}))?;
    Ok(if findings.iter().any(|finding| finding.state == "fail") { Exit::Problem } else { Exit::Ok })
}
