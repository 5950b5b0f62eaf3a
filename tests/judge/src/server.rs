//! A server beneath the program: started in a directory of its own, so that it can be killed, by the scripts that the
//! other tests use, too.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::ensure;
use tempfile::TempDir;

use crate::command::run;

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// A PostgreSQL server.
    Postgres,
    /// A Kafka broker.
    Kafka,
}

impl Service {
    /// What names one that is there already.
    #[must_use]
    pub const fn variable(self) -> &'static str {
        match self {
            Self::Postgres => "DEVHOSE_TEST_POSTGRES",
            Self::Kafka => "DEVHOSE_TEST_KAFKA",
        }
    }

    fn script(self) -> PathBuf {
        let name = match self {
            Self::Postgres => "postgres",
            Self::Kafka => "kafka",
        };
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../services").join(name)
    }

    /// How its script calls an end without a word.
    const fn abruptly(self) -> &'static str {
        match self {
            Self::Postgres => "immediate",
            Self::Kafka => "kill",
        }
    }
}

/// A server of our own. When it is dropped it is killed.
#[derive(Debug)]
pub struct Server {
    service: Service,
    /// Where it listens, as its clients want it.
    pub address: String,
    directory: TempDir,
}

impl Server {
    /// Starts a new one.
    ///
    /// # Errors
    /// If it does not start.
    pub fn start(service: Service) -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("devhose-judge-").tempdir()?;
        let mut server = Self { service, address: String::new(), directory };
        server.address = server.script("start", None)?;
        Ok(server)
    }

    /// Ends it without a word.
    ///
    /// # Errors
    /// If it does not end.
    pub fn kill(&self) -> anyhow::Result<()> {
        self.script("stop", Some(self.service.abruptly())).map(drop)
    }

    /// Starts it again, with what it had.
    ///
    /// # Errors
    /// If it does not start, or listens elsewhere.
    pub fn start_again(&self) -> anyhow::Result<()> {
        let address = self.script("start", None)?;
        ensure!(address == self.address, "{:?} listened at {}, and now at {address}", self.service, self.address);
        Ok(())
    }

    fn script(&self, verb: &str, how: Option<&str>) -> anyhow::Result<String> {
        run(Command::new(self.service.script()).arg(verb).arg(self.directory.path()).args(how))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be dead already.
        drop(self.kill());
    }
}
