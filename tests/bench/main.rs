//! Figures, one line each: `cargo bench --bench figures [NAME…]`. Times differ from machine to machine, so each that
//! can be is set beside a limit of the same run. Nothing here fails on a slow machine.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a benchmark stops at the first surprise, and prints its figures"
)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

mod bots;
mod ingest_load;
mod load;
mod pages;
mod program;
mod replay;
mod slow_clients;
mod sse;
mod start;
mod watch;

/// What a figure's function prints.
type Figures = Vec<(String, String)>;

/// Rows are allocated by the threads of the database and freed by those of the program; the system's allocator makes them
/// wait for each other.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let (options, wanted): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|argument| argument.starts_with("--"));
    let arguments = Arguments(options.iter().filter_map(|option| option.strip_prefix("--")?.split_once('=')).fold(
        BTreeMap::new(),
        |mut all, (name, value)| {
            all.insert(name.to_owned(), value.to_owned());
            all
        },
    ));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let all: BTreeMap<&str, fn(&tokio::runtime::Runtime, &Arguments) -> Figures> = BTreeMap::from([
        ("bots", bots::run as _),
        ("ingest", ingest_load::run as _),
        ("pages", pages::run as _),
        ("replay", replay::run as _),
        ("slow-clients", slow_clients::run as _),
        ("sse", sse::run as _),
        ("start", start::run as _),
        ("watch", watch::run as _),
    ]);
    for (name, measure) in all {
        if wanted.is_empty() || wanted.iter().any(|word| word == name) {
            for (what, figure) in measure(&runtime, &arguments) {
                println!("{what}: {figure}");
            }
        }
    }
}

/// What is asked for with `--name=value`.
struct Arguments(BTreeMap<String, String>);

impl Arguments {
    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn number(&self, name: &str) -> Option<usize> {
        self.text(name).map(|value| value.parse().unwrap())
    }
}

/// The value below which that share of the times lies.
fn quantile(times: &mut [Duration], share: f64) -> Duration {
    times.sort_unstable();
    let last = times.len().saturating_sub(1);
    times[((last as f64) * share).round() as usize]
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

fn rate(count: usize, since: Instant) -> f64 {
    count as f64 / since.elapsed().as_secs_f64()
}
