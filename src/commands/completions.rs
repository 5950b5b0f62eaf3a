//! `devhose completions SHELL`

use clap::CommandFactory;

use crate::cli::Cli;
use crate::exit::{Ended, Exit};
use crate::output::Output;

pub(super) fn run(shell: clap_complete::Shell, output: Output) -> Ended {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "devhose", &mut script);
    output.line(String::from_utf8_lossy(&script).trim_end())?;
    Ok(Exit::Ok)
}
