//! `devhose`: the command line and the wiring of the crates, nothing else.

use std::process::ExitCode;

use clap::Parser;

use crate::cli::Cli;

mod app;
mod cli;
mod client;
mod commands;
mod config;
mod context;
mod exit;
mod follow;
mod forward;
mod output;
mod progress;
mod signals;
mod telemetry;

/// Rows are allocated by the threads of the database and freed by those of the program; the system's allocator makes them
/// wait for each other.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    commands::run(cli).into()
}
