//! `[storage]`: where streams and tables are kept.

use std::path::{Path, PathBuf};

use bus::storage::{KafkaSettings, PostgresSettings, Sasl, Security, SpoolSettings, Storage, Tls};
use serde::Deserialize;

/// Below the data directory: deliveries that the brokers do not have yet.
const SPOOL_DIRECTORY: &str = "spool";

/// A message may be so large unless the configuration says otherwise: what brokers take by default.
const MESSAGE_BYTES_MAX: usize = 1_000_000;

/// Less has no room for a delivery's headers.
const MESSAGE_BYTES_MIN: usize = 64 << 10;

/// `[storage]` as written.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct StorageEntry {
    engine: Option<Engine>,
    url: Option<String>,
    connections_max: Option<u32>,
    kafka: Option<KafkaEntry>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Engine {
    Sqlite,
    Postgres,
    Kafka,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct KafkaEntry {
    brokers: Vec<String>,
    #[serde(default = "prefix")]
    prefix: String,
    #[serde(default = "partitions")]
    partitions: u16,
    #[serde(default = "replication")]
    replication: u16,
    #[serde(default = "min_insync_replicas")]
    min_insync_replicas: u16,
    /// 0 for ever.
    #[serde(default)]
    retention_hours: u32,
    #[serde(default = "message_bytes_max")]
    message_bytes_max: usize,
    #[serde(default = "yes")]
    spool: bool,
    #[serde(default = "spool_mib")]
    spool_mib: u64,
    instance: Option<String>,
    tls: Option<TlsEntry>,
    sasl: Option<SaslEntry>,
}

fn prefix() -> String {
    "devhose".to_owned()
}

const fn partitions() -> u16 {
    12
}

const fn replication() -> u16 {
    3
}

const fn min_insync_replicas() -> u16 {
    2
}

const fn message_bytes_max() -> usize {
    MESSAGE_BYTES_MAX
}

const fn yes() -> bool {
    true
}

const fn spool_mib() -> u64 {
    4096
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TlsEntry {
    ca_file: Option<PathBuf>,
    certificate_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(tag = "mechanism", deny_unknown_fields)]
enum SaslEntry {
    #[serde(rename = "PLAIN")]
    Plain { user: String, password: String },
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256 { user: String, password: String },
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512 { user: String, password: String },
    #[serde(rename = "OAUTHBEARER")]
    OauthBearer { token_endpoint: String, client_id: String, client_secret: String, scope: Option<String> },
}

// Passwords are not for messages.
impl std::fmt::Debug for SaslEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SaslEntry")
    }
}

/// What was written, put together later: the data directory may still be named on the command line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Chosen {
    /// Files in the data directory.
    #[default]
    Sqlite,
    /// A PostgreSQL database.
    Postgres(PostgresSettings),
    /// Kafka with PostgreSQL; the spool stands below the data directory.
    Kafka(Box<KafkaSettings>, PostgresSettings),
}

impl Chosen {
    /// The storage of an installation whose own files stand in that directory.
    pub(crate) fn storage(&self, data: &Path) -> Storage {
        match self {
            Self::Sqlite => Storage::Sqlite(data.to_owned()),
            Self::Postgres(postgres) => Storage::Postgres(postgres.clone()),
            Self::Kafka(kafka, postgres) => {
                let mut kafka = kafka.clone();
                if let Some(spool) = &mut kafka.spool {
                    spool.directory = data.join(SPOOL_DIRECTORY);
                }
                Storage::Kafka(kafka, postgres.clone())
            }
        }
    }
}

/// The key of the hash that counts distinct people.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct PeopleKey(pub(crate) [u8; 32]);

impl std::fmt::Debug for PeopleKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PeopleKey(…)")
    }
}

/// Spreads what was configured over a key. Whoever could guess it could find out who a hash is.
pub(super) fn people_key(text: Option<String>) -> Result<Option<PeopleKey>, String> {
    const CHARACTERS_MIN: usize = 24;
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    if text.chars().count() < CHARACTERS_MIN {
        return Err(format!("people_key is shorter than {CHARACTERS_MIN} characters: take random ones"));
    }
    Ok(Some(PeopleKey(blake3::hash(text.as_bytes()).into())))
}

impl StorageEntry {
    /// Checks what was written; files are named relative to the configuration.
    pub(super) fn build(self, beside: &Path) -> Result<Chosen, String> {
        let engine = self.engine.unwrap_or(Engine::Sqlite);
        if engine == Engine::Sqlite {
            let misplaced = [("url", self.url.is_some()), ("kafka", self.kafka.is_some())];
            return match misplaced.into_iter().find(|(_, there)| *there) {
                Some((key, _)) => Err(format!("storage.{key} is not for engine = \"sqlite\": set engine to another")),
                None => Ok(Chosen::Sqlite),
            };
        }
        let url = self.url.ok_or("storage.url is missing: postgres://user:password@host/database")?;
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err("storage.url does not begin with postgres://".to_owned());
        }
        let connections_max = self.connections_max.unwrap_or(PostgresSettings::CONNECTIONS_MAX).max(1);
        let postgres = PostgresSettings { url, connections_max };
        match (engine, self.kafka) {
            (Engine::Kafka, Some(kafka)) => Ok(Chosen::Kafka(Box::new(kafka.build(beside)?), postgres)),
            (Engine::Kafka, None) => {
                Err("[storage.kafka] is missing: brokers = [\"host:9092\"] is the least it needs".to_owned())
            }
            (Engine::Sqlite | Engine::Postgres, Some(_)) => {
                Err("[storage.kafka] is for engine = \"kafka\" only".to_owned())
            }
            (Engine::Sqlite | Engine::Postgres, None) => Ok(Chosen::Postgres(postgres)),
        }
    }
}

impl KafkaEntry {
    fn build(self, beside: &Path) -> Result<KafkaSettings, String> {
        if self.brokers.is_empty() {
            return Err("storage.kafka.brokers is empty: name at least one as host:port".to_owned());
        }
        if self.partitions == 0 || self.replication == 0 || self.min_insync_replicas == 0 {
            return Err("storage.kafka: partitions, replication and min_insync_replicas are at least 1".to_owned());
        }
        if self.min_insync_replicas > self.replication {
            return Err(format!(
                "storage.kafka.min_insync_replicas = {} is more than replication = {}: nothing could be written",
                self.min_insync_replicas, self.replication
            ));
        }
        if self.message_bytes_max < MESSAGE_BYTES_MIN {
            return Err(format!("storage.kafka.message_bytes_max is less than {MESSAGE_BYTES_MIN}"));
        }
        let spool = SpoolSettings { directory: PathBuf::new(), bytes_max: self.spool_mib.max(1) << 20 };
        Ok(KafkaSettings {
            brokers: self.brokers,
            security: Security { tls: self.tls.map(|tls| tls.build(beside)), sasl: self.sasl.map(Sasl::from) },
            prefix: self.prefix,
            partitions: self.partitions,
            replication: self.replication,
            min_insync_replicas: self.min_insync_replicas,
            retention_hours: Some(self.retention_hours).filter(|hours| *hours > 0),
            message_bytes_max: self.message_bytes_max,
            spool: self.spool.then_some(spool),
            instance: self.instance,
        })
    }
}

impl TlsEntry {
    fn build(self, beside: &Path) -> Tls {
        let file = |file: Option<PathBuf>| file.map(|file| beside.join(file));
        Tls {
            ca_file: file(self.ca_file),
            certificate_file: file(self.certificate_file),
            key_file: file(self.key_file),
        }
    }
}

impl From<SaslEntry> for Sasl {
    fn from(entry: SaslEntry) -> Self {
        match entry {
            SaslEntry::Plain { user, password } => Self::Plain { user, password },
            SaslEntry::ScramSha256 { user, password } => Self::ScramSha256 { user, password },
            SaslEntry::ScramSha512 { user, password } => Self::ScramSha512 { user, password },
            SaslEntry::OauthBearer { token_endpoint, client_id, client_secret, scope } => {
                Self::OauthBearer { token_endpoint, client_id, client_secret, scope }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> String {
        let entry: Result<StorageEntry, _> = toml::from_str(text);
        match entry.map_err(|error| error.message().to_owned()).and_then(|entry| entry.build(Path::new("etc"))) {
            Ok(chosen) => format!("{:?}", chosen.storage(Path::new("data"))),
            Err(wrong) => format!("wrong: {wrong}"),
        }
    }

    #[test]
    fn every_engine_and_what_is_wrong() {
        let kafka = "engine = 'kafka'\nurl = 'postgres://h/d'\n";
        let cases = [
            "",
            "url = 'postgres://h/d'",
            "engine = 'postgres'",
            "engine = 'postgres'\nurl = 'mysql://h'",
            "engine = 'postgres'\nurl = 'postgres://user:secret@h/d'",
            kafka,
            &format!("{kafka}[kafka]\nbrokers = []"),
            &format!("{kafka}[kafka]\nbrokers = ['b:9092']\nreplication = 1"),
            &format!("{kafka}[kafka]\nbrokers = ['b:9092']\nspool = false\n[kafka.sasl]\nmechanism = 'KERBEROS'"),
        ];
        let told: Vec<String> = cases.iter().map(|case| check(case)).collect();
        insta::assert_snapshot!(told.join("\n"), @r#"
        Sqlite("data")
        wrong: storage.url is not for engine = "sqlite": set engine to another
        wrong: storage.url is missing: postgres://user:password@host/database
        wrong: storage.url does not begin with postgres://
        Postgres(PostgresSettings { connections_max: 4, .. })
        wrong: [storage.kafka] is missing: brokers = ["host:9092"] is the least it needs
        wrong: storage.kafka.brokers is empty: name at least one as host:port
        wrong: storage.kafka.min_insync_replicas = 2 is more than replication = 1: nothing could be written
        wrong: unknown variant `KERBEROS`, expected one of `PLAIN`, `SCRAM-SHA-256`, `SCRAM-SHA-512`, `OAUTHBEARER`
        "#);
        let whole = check(&format!(
            "{kafka}[kafka]\nbrokers = ['b:9092']\n[kafka.tls]\nca_file = 'ca.pem'\n[kafka.sasl]\nmechanism = 'PLAIN'\nuser = 'u'\npassword = 'secret'"
        ));
        assert!(whole.contains("etc/ca.pem") && whole.contains("data/spool") && !whole.contains("secret"), "{whole}");
    }
}
