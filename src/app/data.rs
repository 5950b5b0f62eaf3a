//! The data directory: made with rights for its owner alone, and the key that hides people.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use bus::egress::webhook::Webhooks;
use bus::egress::{self, AllowList, Egress};
use bus::storage::Storage;
use bus::streams::Streams;
use bus::subscriptions::Connector;
use ledger::catalog::Catalog;

use crate::config::Config;
use crate::exit::{Exit, Failure};

/// Holds the key of the hash that counts distinct people. Whoever lacks it cannot find out who a hash is.
const PEOPLE_KEY_FILE: &str = "people.key";

/// Makes the directory if it is not there.
pub(super) fn prepare(directory: &Path) -> anyhow::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory).with_context(|| format!("data directory {} cannot be made", directory.display()))
}

/// The catalog of the configuration and of its Backstage files.
pub(crate) fn catalog(config: &Config) -> Result<Catalog, Failure> {
    ledger::catalog::files::load(&config.catalog).map_err(|error| Failure {
        exit: Exit::Usage,
        error: anyhow::Error::new(error),
        remedy: None,
    })
}

/// Sends webhooks to where the operator lets them go.
pub(super) fn connector(config: &Config) -> Result<Connector, Failure> {
    let wrong = |error: &dyn std::fmt::Display| Failure::new(Exit::Usage, format!("[egress]: {error}"));
    let allow = AllowList::parse(&config.egress.allow).map_err(|error| wrong(&error))?;
    let authorities = match &config.egress.ca_file {
        Some(file) => fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?,
        None => String::new(),
    };
    let egress = Egress::new(egress::Settings { allow, authorities }).map_err(|error| wrong(&error))?;
    Ok(Arc::new(Webhooks::new(egress)))
}

/// Name of the setting that says which key people are counted with, without giving it away.
const PEOPLE_KEY_MARK: &str = "people.key";

/// The key that people are counted with: the configured one, else that of the data directory. Processes that share a
/// storage must have the same, or each would count everybody anew.
pub(super) async fn people_key(config: &Config, storage: &Storage, streams: &Streams) -> Result<[u8; 32], Failure> {
    let key = match config.people_key {
        Some(key) => key.0,
        None => own_people_key(&config.data)?,
    };
    match storage {
        Storage::Sqlite(_) => return Ok(key),
        Storage::Postgres(_) | Storage::Kafka(..) => {}
    }
    let mark = blake3::derive_key("devhose 2026 mark of the people key", &key);
    let mark: String = mark.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    match streams.setting(PEOPLE_KEY_MARK).await? {
        Some(known) if known == mark => {}
        None => streams.save_setting(PEOPLE_KEY_MARK, mark).await?,
        Some(_) => {
            let error = "people are counted with another key by the processes that use this storage";
            return Err(Failure::new(Exit::Usage, error).remedy(
                "set people_key (DEVHOSE_PEOPLE_KEY) to the same for all, or copy people.key from their data directory",
            ));
        }
    }
    Ok(key)
}

/// Copies the key of one data directory into another that has none.
pub(crate) fn copy_people_key(from: &Path, to: &Path) -> anyhow::Result<()> {
    prepare(to)?;
    if to.join(PEOPLE_KEY_FILE).exists() || !from.join(PEOPLE_KEY_FILE).exists() {
        return Ok(());
    }
    write_people_key(to, &own_people_key(from)?)
}

/// Reads the key, or makes it the first time.
fn own_people_key(directory: &Path) -> anyhow::Result<[u8; 32]> {
    let path = directory.join(PEOPLE_KEY_FILE);
    match fs::read(&path) {
        Ok(bytes) => match bytes.try_into() {
            Ok(key) => return Ok(key),
            Err(_) => bail!("{} is damaged: restore it from a backup, else people are counted anew", path.display()),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
    }
    // Two version-4 UUIDs hold 244 random bits from the system; hashing spreads them over the key.
    let seed = [uuid::Uuid::new_v4().into_bytes(), uuid::Uuid::new_v4().into_bytes()].concat();
    let key: [u8; 32] = blake3::hash(&seed).into();
    write_people_key(directory, &key)?;
    Ok(key)
}

fn write_people_key(directory: &Path, key: &[u8; 32]) -> anyhow::Result<()> {
    let path = directory.join(PEOPLE_KEY_FILE);
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&path).with_context(|| format!("{} cannot be made", path.display()))?;
    file.write_all(key).and_then(|()| file.sync_all()).with_context(|| format!("{} cannot be written", path.display()))
}
