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
mod pages;
mod replay;
mod watch;

/// What a figure's function prints.
type Figures = Vec<(String, String)>;

/// Rows are allocated by the threads of the database and freed by those of the program; the system's allocator makes them
/// wait for each other.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let all: BTreeMap<&str, fn(&tokio::runtime::Runtime) -> Figures> = BTreeMap::from([
        ("bots", bots::run as _),
        ("ingest", ingest_load::run as _),
        ("pages", pages::run as _),
        ("replay", replay::run as _),
        ("watch", watch::run as _),
    ]);
    for (name, measure) in all {
        if wanted.is_empty() || wanted.iter().any(|word| word == name) {
            for (what, figure) in measure(&runtime) {
                println!("{what}: {figure}");
            }
        }
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
