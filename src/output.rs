//! What a command prints: data on standard output, everything else on standard error.
//!
//! A table for a person at a terminal, the same columns tab-separated for a pipe, one JSON document with `--json`.

use std::io::{self, IsTerminal, Write};

use serde_json::{Value, json};

use crate::exit::{Exit, Failure};

/// Schema name of every JSON document this program prints.
const SCHEMA: &str = "devhose.cli/v1";

/// How to print.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    pub(crate) json: bool,
    pub(crate) quiet: bool,
    pub(crate) terminal: bool,
    pub(crate) color: bool,
}

impl Output {
    /// Output as the flags and the terminal want it.
    pub(crate) fn new(json: bool, quiet: bool, color: bool) -> Self {
        Self { json, quiet, terminal: io::stdout().is_terminal(), color }
    }

    /// Prints rows under their titles; `document` is the same for `--json`.
    pub(crate) fn table(self, titles: &[&str], rows: &[Vec<String>], document: Value) -> Result<(), Failure> {
        if self.json {
            return self.document(document);
        }
        let mut text = String::new();
        if self.terminal {
            let widths: Vec<usize> = (0..titles.len())
                .map(|column| {
                    let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
                    cells.chain(titles.get(column).map(|title| title.len())).max().unwrap_or(0)
                })
                .collect();
            let head: Vec<String> = titles.iter().map(|title| title.to_uppercase()).collect();
            for row in std::iter::once(&head).chain(rows) {
                let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}", width = *width));
                text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
                text.push('\n');
            }
        } else {
            for row in rows {
                text.push_str(&row.join("\t"));
                text.push('\n');
            }
        }
        write_out(&text)
    }

    /// Prints one JSON document.
    pub(crate) fn document(self, mut document: Value) -> Result<(), Failure> {
        if let Value::Object(fields) = &mut document {
            fields.insert("schema".to_owned(), json!(SCHEMA));
        }
        write_out(&format!("{document:#}\n"))
    }

    /// Prints a line of data.
    pub(crate) fn line(self, text: &str) -> Result<(), Failure> {
        write_out(&format!("{text}\n"))
    }

    /// Tells something that is not data; silent with `--quiet`.
    pub(crate) fn tell(self, text: &str) {
        if !self.quiet {
            // Nobody can be told that standard error is gone.
            drop(writeln!(io::stderr().lock(), "{text}"));
        }
    }

    /// Prints why the program ends.
    pub(crate) fn failure(self, failure: &Failure) {
        let mut stderr = io::stderr().lock();
        let text = format!("{:#}", failure.error);
        if self.json {
            let error = json!({"schema": SCHEMA, "error": {"code": failure.exit.code(), "message": text, "try": failure.remedy}});
            drop(writeln!(stderr, "{error}"));
            return;
        }
        let (on, off) = if self.color { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
        drop(writeln!(stderr, "{on}error:{off} {text}"));
        if let Some(remedy) = &failure.remedy {
            drop(writeln!(stderr, "try: {remedy}"));
        }
    }
}

fn write_out(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        // The reader has seen enough (`| head`): that is no failure, and nobody wants more.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::new(Exit::Ok, "")),
        other => Ok(other?),
    }
}
