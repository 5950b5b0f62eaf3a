//! What the judged program keeps its log in: an engine, as a configuration names it, and the servers beneath it.

use std::ffi::OsString;
use std::hash::BuildHasher;
use std::process::Command;

use anyhow::Context as _;
use clap::ValueEnum;

use crate::command::run;
use crate::server::{Server, Service};

/// The steps at which a program over files can kill itself, in order.
const STEPS: [&str; 6] =
    ["before-body", "after-verify", "after-enqueue", "inside-transaction", "after-commit", "after-reply"];

/// The same over a database, whose transactions are the server's own.
const STEPS_BEFORE_A_DATABASE: [&str; 4] = ["before-body", "after-verify", "after-enqueue", "after-reply"];

/// The same before a spool.
const STEPS_BEFORE_A_SPOOL: [&str; 3] = ["before-body", "after-verify", "after-reply"];

/// The smallest limit that the program takes: larger bodies go by reference.
const MESSAGE_BYTES_MAX: u32 = 65_536;

/// Which engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Engine {
    /// Files.
    Sqlite,
    /// A database.
    Postgres,
    /// Topics, and a database.
    Kafka,
}

/// A storage, as a configuration names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// Files in the data directory.
    Sqlite,
    /// A database.
    Postgres {
        /// Its address.
        url: String,
    },
    /// Topics that take deliveries, behind a spool in the data directory, and a database for everything else.
    Kafka {
        /// The address of the database.
        url: String,
        /// A broker.
        broker: String,
        /// What the names of the topics begin with.
        prefix: String,
    },
}

impl Storage {
    /// The section of the configuration.
    #[must_use]
    pub fn configuration(&self) -> String {
        match self {
            Self::Sqlite => String::new(),
            Self::Postgres { url } => format!("[storage]\nengine = \"postgres\"\nurl = {url:?}\n"),
            // A process that keeps its name need not wait until the brokers have given up the one that was killed.
            Self::Kafka { url, broker, prefix } => format!(
                "[storage]\nengine = \"kafka\"\nurl = {url:?}\n\n[storage.kafka]\nbrokers = [{broker:?}]\n\
                 prefix = {prefix:?}\ninstance = \"judged\"\npartitions = 2\nreplication = 1\n\
                 min_insync_replicas = 1\nmessage_bytes_max = {MESSAGE_BYTES_MAX}\n"
            ),
        }
    }

    /// Steps of a delivery at which the program can kill itself, in order.
    #[must_use]
    pub const fn steps(&self) -> &'static [&'static str] {
        match self {
            Self::Sqlite => &STEPS,
            Self::Postgres { .. } => &STEPS_BEFORE_A_DATABASE,
            Self::Kafka { .. } => &STEPS_BEFORE_A_SPOOL,
        }
    }

    /// The same while the brokers are away: nobody listens where they should be.
    #[must_use]
    pub fn without_brokers(self) -> Self {
        match self {
            Self::Sqlite | Self::Postgres { .. } => self,
            Self::Kafka { url, prefix, .. } => Self::Kafka { url, broker: "127.0.0.1:1".to_owned(), prefix },
        }
    }

    /// Whether deliveries get their places in the log only after they were acknowledged.
    #[must_use]
    pub const fn places_later(&self) -> bool {
        match self {
            Self::Sqlite | Self::Postgres { .. } => false,
            Self::Kafka { .. } => true,
        }
    }
}

/// A storage with what stands beneath it. When it is dropped, what was made for it is taken away; topics of a broker
/// that is not ours stay.
#[derive(Debug)]
pub struct Ground {
    /// As the configuration names it.
    pub storage: Storage,
    // Before its server.
    _database: Option<Database>,
    /// A PostgreSQL server of our own.
    pub postgres: Option<Server>,
    /// A broker of our own.
    pub kafka: Option<Server>,
}

impl Ground {
    /// An empty storage of that engine. Services are those that the environment names, or are started; what is to be
    /// harmed is always started.
    ///
    /// # Errors
    /// If something cannot be started.
    pub fn prepare(engine: Engine, harmed: Option<Service>) -> anyhow::Result<Self> {
        if engine == Engine::Sqlite {
            return Ok(Self { storage: Storage::Sqlite, _database: None, postgres: None, kafka: None });
        }
        let (postgres, server) = found(Service::Postgres, harmed)?;
        let name = format!("judge_{:016x}", std::hash::RandomState::new().hash_one(std::process::id()));
        let database = Database::make(&server, &name)?;
        let url = database.url.clone();
        let (kafka, storage) = if engine == Engine::Kafka {
            let (kafka, broker) = found(Service::Kafka, harmed)?;
            (kafka, Storage::Kafka { url, broker, prefix: name })
        } else {
            (None, Storage::Postgres { url })
        };
        Ok(Self { storage, _database: Some(database), postgres, kafka })
    }
}

/// A service: the one that the environment names, or one of our own.
fn found(service: Service, harmed: Option<Service>) -> anyhow::Result<(Option<Server>, String)> {
    let named = std::env::var_os(service.variable()).filter(|_| harmed != Some(service));
    if let Some(address) = named.map(OsString::into_string) {
        let address = address.ok().with_context(|| format!("{} is no text", service.variable()))?;
        return Ok((None, address));
    }
    let server = Server::start(service)?;
    let address = server.address.clone();
    Ok((Some(server), address))
}

/// A database of our own in a server that may be another's.
#[derive(Debug)]
struct Database {
    server: String,
    name: String,
    url: String,
}

impl Database {
    fn make(server: &str, name: &str) -> anyhow::Result<Self> {
        let (base, _) = server.rsplit_once('/').with_context(|| format!("{server} names no database"))?;
        run(Command::new("psql").args([server, "-qc", &format!("create database {name}")]))?;
        Ok(Self { server: server.to_owned(), name: name.to_owned(), url: format!("{base}/{name}") })
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let drop_it = format!("drop database {} with (force)", self.name);
        drop(run(Command::new("psql").args([&self.server, "-qc", &drop_it])));
    }
}
