//! Where an installation keeps what it knows: one SQLite directory, a PostgreSQL database, or Kafka with PostgreSQL.
//!
//! The streams are opened on a [`Storage`]. What is derived from them (facts, what bots decided, subscriptions) is kept
//! in [`Tables`], which every storage has.

use std::fmt;
use std::path::PathBuf;

/// The storage of an installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// Files in a directory on a local disk, for one process.
    Sqlite(PathBuf),
    /// A PostgreSQL database, for any number of processes.
    Postgres(PostgresSettings),
    /// Kafka topics take deliveries and carry events; PostgreSQL holds the searchable index and everything derived.
    Kafka(Box<KafkaSettings>, PostgresSettings),
}

/// Where tables that are not streams are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tables {
    /// Files in a directory on a local disk, for one process.
    Sqlite(PathBuf),
    /// A PostgreSQL database, for any number of processes.
    Postgres(PostgresSettings),
}

impl Storage {
    /// Where tables are kept beside the streams.
    #[must_use]
    pub fn tables(&self) -> Tables {
        match self {
            Self::Sqlite(directory) => Tables::Sqlite(directory.clone()),
            Self::Postgres(postgres) | Self::Kafka(_, postgres) => Tables::Postgres(postgres.clone()),
        }
    }
}

/// Whether an engine's error says that its disk is full: nothing was written, later perhaps. Read from the codes of
/// SQLite, <https://www.sqlite.org/rescode.html>, and of PostgreSQL, appendix A of its manual.
#[must_use]
pub fn is_full(error: &sqlx::Error) -> bool {
    const FULL: i32 = 13;
    // The index of the write-ahead log, which is a file too, could not grow.
    const IOERR_SHMSIZE: i32 = 4874;
    const POSTGRES_DISK_FULL: &str = "53100";
    let Some(code) = error.as_database_error().and_then(|error| error.code()) else { return false };
    code == POSTGRES_DISK_FULL || code.parse().is_ok_and(|code: i32| code & 0xff == FULL || code == IOERR_SHMSIZE)
}

/// A PostgreSQL database. Everything stands in schemas whose names begin with `devhose`.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresSettings {
    /// `postgres://user:password@host:port/database`, with `?sslmode=verify-full` and the like.
    pub url: String,
    /// Connections that one part of the program (streams, facts, bots, subscriptions) opens for reading, at most.
    pub connections_max: u32,
}

impl PostgresSettings {
    /// The default of [`Self::connections_max`]: a server has 100 of them for all processes together.
    pub const CONNECTIONS_MAX: u32 = 4;

    /// The database at that address.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), connections_max: Self::CONNECTIONS_MAX }
    }
}

// The address holds a password.
impl fmt::Debug for PostgresSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresSettings").field("connections_max", &self.connections_max).finish_non_exhaustive()
    }
}

/// Kafka brokers and what is expected of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaSettings {
    /// `host:port` of some brokers.
    pub brokers: Vec<String>,
    /// How to reach them, and as whom.
    pub security: Security,
    /// Before the names of the topics, such as `devhose` in `devhose.deliveries`; also of consumer groups.
    pub prefix: String,
    /// Partitions of topics that are created.
    pub partitions: u16,
    /// Replicas of topics that are created; fewer at a topic that is there are a warning.
    pub replication: u16,
    /// In-sync replicas that a write must reach; fewer at a topic that is there are a warning.
    pub min_insync_replicas: u16,
    /// How long deliveries and events stay in topics that are created, in hours; none for ever.
    pub retention_hours: Option<u32>,
    /// Largest message, in bytes; larger bodies are kept by reference.
    pub message_bytes_max: usize,
    /// What this process is called among those that take deliveries into the log (`group.instance.id`), if it keeps its
    /// name over a restart: its part of the work then waits for it. No two processes may have the same.
    pub instance: Option<String>,
    /// The local durable spool before the brokers; none if a delivery is acknowledged by the brokers themselves.
    pub spool: Option<SpoolSettings>,
}

/// The local durable spool: takes deliveries while the brokers are away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpoolSettings {
    /// A directory on a local disk, of this process alone.
    pub directory: PathBuf,
    /// It holds at most so many bytes of deliveries; beyond it senders are told to come again.
    pub bytes_max: u64,
}

/// Something that keeps what it is given less well than promised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weakness {
    /// Where.
    pub place: String,
    /// What is weak there, and what may come of it.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.place, self.what, self.remedy)
    }
}

/// How brokers are reached.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Security {
    /// With TLS.
    pub tls: Option<Tls>,
    /// As whom.
    pub sasl: Option<Sasl>,
}

/// TLS to brokers. Names of certificates are always checked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// Certificates that are trusted, as PEM; none for those of the system.
    pub ca_file: Option<PathBuf>,
    /// The program's own certificate, as PEM.
    pub certificate_file: Option<PathBuf>,
    /// Its key, as PEM.
    pub key_file: Option<PathBuf>,
}

/// Who the program says it is.
#[derive(Clone, PartialEq, Eq)]
pub enum Sasl {
    /// SASL PLAIN.
    Plain {
        /// Name.
        user: String,
        /// Password.
        password: String,
    },
    /// SASL SCRAM-SHA-256.
    ScramSha256 {
        /// Name.
        user: String,
        /// Password.
        password: String,
    },
    /// SASL SCRAM-SHA-512.
    ScramSha512 {
        /// Name.
        user: String,
        /// Password.
        password: String,
    },
    /// SASL OAUTHBEARER with the client credentials grant of `OpenID` Connect.
    OauthBearer {
        /// Where tokens are had.
        token_endpoint: String,
        /// Client id.
        client_id: String,
        /// Client secret.
        client_secret: String,
        /// Scope, if one is asked for.
        scope: Option<String>,
    },
}

// Passwords are not for logs.
impl fmt::Debug for Sasl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain { .. } => "Plain",
            Self::ScramSha256 { .. } => "ScramSha256",
            Self::ScramSha512 { .. } => "ScramSha512",
            Self::OauthBearer { .. } => "OauthBearer",
        })
    }
}
