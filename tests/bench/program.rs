//! The real program as a process of its own, for what has to be seen from outside.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ingest::source::Secret;

use super::load::cpu;

pub(super) const SECRET: &str = "a secret of at least 24 bytes";

/// A running program. It is killed when it is dropped.
pub(super) struct Program {
    child: Child,
    pub(super) address: SocketAddr,
    /// When it was started.
    pub(super) started: Instant,
}

impl Program {
    /// `devhose serve` in a directory, at any free port, with one source, and with what a file of configuration adds.
    pub(super) fn serve(directory: &Path, added: Option<&str>) -> Self {
        let added = added.map(|file| std::fs::read_to_string(file).unwrap()).unwrap_or_default();
        let source = format!("[[source]]\nname = \"github/bench\"\nsecret = \"{SECRET}\"\n");
        std::fs::write(directory.join("devhose.toml"), format!("{added}\n{source}")).unwrap();
        let started = Instant::now();
        let mut child = Command::new(env!("CARGO_BIN_EXE_devhose"))
            .args(["serve", "--listen", "127.0.0.1:0"])
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let said = lines.by_ref().map(Result::unwrap).find_map(|line| Some(line.split_once("http://")?.1.to_owned()));
        // Whatever else it says must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let address = said.unwrap().split(|c: char| c.is_whitespace() || c == '/').next().unwrap().parse().unwrap();
        Self { child, address, started }
    }

    /// Memory that is the program's own now, in bytes.
    pub(super) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let kib = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        kib.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
    }

    /// What it took of its processors until now.
    pub(super) fn cpu(&self) -> Duration {
        cpu(&format!("/proc/{}/stat", self.child.id()))
    }

    /// Ends it as a power cut would.
    pub(super) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended before.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The header that proves a body.
pub(super) fn signature(body: &[u8]) -> String {
    ingest::verify::sign_hex(&Secret::new(SECRET.to_owned()), "sha256=", body)
}
