//! `devhose help`: on the program, a command, or one of the topics that are no command.

use clap::CommandFactory;

use crate::cli::Cli;
use crate::exit::{Ended, Exit, Failure};
use crate::output::Output;

pub(super) fn run(topic: &[String], output: Output) -> Ended {
    if let [topic] = topic {
        match topic.as_str() {
            "exit-codes" => return exit_codes(output),
            "configuration" => {
                output.line(crate::config::TEMPLATE.trim_end())?;
                return Ok(Exit::Ok);
            }
            _ => {}
        }
    }
    let mut command = Cli::command();
    let mut found = &mut command;
    for name in topic {
        found = found.find_subcommand_mut(name).ok_or_else(|| {
            Failure::new(Exit::NotFound, format!("no command or topic {name:?}")).remedy("devhose help")
        })?;
    }
    output.line(found.render_long_help().to_string().trim_end())?;
    Ok(Exit::Ok)
}

fn exit_codes(output: Output) -> Ended {
    let rows: Vec<Vec<String>> =
        Exit::ALL.iter().map(|(exit, text)| vec![(*exit as u8).to_string(), (*text).to_owned()]).collect();
    let document = Exit::ALL.iter().map(|(exit, text)| serde_json::json!({"exit": *exit as u8, "meaning": text}));
    output.table(&["exit", "meaning"], &rows, serde_json::json!({"exit_codes": document.collect::<Vec<_>>()}))?;
    Ok(Exit::Ok)
}
