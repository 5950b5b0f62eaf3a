//! Configuration: one commented `devhose.toml`, every key of which an environment variable may override.
//!
//! This file alone reads the environment.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ::bots::clients::settings::{ClusterSettings, ToolSettings};
use ::bots::runtime::{BotSettings, CrashPoint};
use anyhow::Context as _;
use bus::faults::Fault;
use bus::ids::SourceName;
use chrono::Weekday;
use chrono_tz::Tz;
use ingest::source::{Secret, Source, Sources};
use ingest::watch::kubernetes::Cluster;
use ledger::catalog::{CatalogSettings, EnvironmentSettings, ServiceSettings, TeamSettings};
use ledger::rules::Rules;
use ledger::window::Calendar;
use serde::Deserialize;

use crate::exit::{Exit, Failure};

mod bots;
mod clusters;
mod environment;
pub(crate) mod storage;

/// What `devhose init` writes.
pub(crate) const TEMPLATE: &str = include_str!("config/devhose.toml");

/// The file that is read if none is named and it is there.
pub(crate) const DEFAULT_FILE: &str = "devhose.toml";

/// Less would refuse the largest body a sender may send for ever.
const BODIES_IN_FLIGHT_MIB_MIN: u16 = 32;

/// A complete configuration.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// The file it was read from, if any.
    pub(crate) file: Option<PathBuf>,
    /// Where pages, API and webhooks are served.
    pub(crate) listen: SocketAddr,
    /// Where webhooks alone are served, for senders on other machines.
    pub(crate) listen_hooks: Option<SocketAddr>,
    /// What webhook bodies that are being received may hold in memory together, in MiB.
    pub(crate) bodies_in_flight_mib: Option<u16>,
    /// Directory of the data, or of what this process alone keeps where others share a database.
    pub(crate) data: PathBuf,
    /// Where streams and tables are kept.
    pub(crate) chosen_storage: storage::Chosen,
    /// The key that people are counted with, where processes on several machines must count them alike.
    pub(crate) people_key: Option<storage::PeopleKey>,
    /// Where signed webhooks may go beyond the public internet.
    pub(crate) egress: Egress,
    /// Endpoints of senders.
    pub(crate) sources: Sources,
    /// Teams, services, environments.
    pub(crate) catalog: CatalogSettings,
    /// Clusters that are watched.
    pub(crate) clusters: Vec<Cluster>,
    /// The same clusters, as bots ask them.
    pub(crate) asked_clusters: Vec<ClusterSettings>,
    /// Tools that bots act on.
    pub(crate) tools: Vec<ToolSettings>,
    /// Settings of bots, by name.
    pub(crate) bots: BTreeMap<String, BotSettings>,
    /// Rules of the metrics.
    pub(crate) rules: Rules,
    /// The organisation's calendar.
    pub(crate) calendar: Calendar,
}

/// The file as written.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct File {
    listen: Option<SocketAddr>,
    listen_hooks: Option<SocketAddr>,
    bodies_in_flight_mib: Option<u16>,
    data: Option<PathBuf>,
    people_key: Option<String>,
    storage: storage::StorageEntry,
    egress: Egress,
    organisation: Organisation,
    source: Vec<SourceSettings>,
    team: Vec<TeamSettings>,
    service: Vec<ServiceSettings>,
    environment: Vec<EnvironmentSettings>,
    catalog: CatalogFiles,
    cluster: Vec<clusters::ClusterEntry>,
    tool: Vec<ToolSettings>,
    bot: BTreeMap<String, bots::BotEntry>,
    rules: Rules,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Organisation {
    timezone: Option<Tz>,
    week_start: Option<WeekStart>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum WeekStart {
    Monday,
    Saturday,
    Sunday,
}

/// Where signed webhooks may go beyond the public internet.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Egress {
    /// Addresses, networks and host names, each with or without a port.
    pub(crate) allow: Vec<String>,
    /// Certificates, as PEM, of authorities that are trusted beside the system's.
    pub(crate) ca_file: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct CatalogFiles {
    files: Vec<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SourceSettings {
    name: SourceName,
    #[serde(default)]
    secret: Option<String>,
    #[serde(default)]
    secrets: Vec<String>,
    #[serde(default)]
    insecure: bool,
    #[serde(default)]
    lenient: bool,
}

impl Config {
    /// Reads the named file, or `devhose.toml` if it is there, or takes the defaults; then the environment.
    pub(crate) fn load(named: Option<&Path>) -> Result<Self, Failure> {
        let path = match named {
            Some(path) => Some(path.to_owned()),
            None => Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.exists()),
        };
        let text = match &path {
            Some(path) => std::fs::read_to_string(path)
                .with_context(|| format!("configuration {} cannot be read", path.display()))
                .map_err(usage)
                .map_err(|failure| failure.remedy("devhose init writes one"))?,
            None => String::new(),
        };
        let file = environment::overlay(&text, path.as_deref(), environment::variables())?;
        Self::build(file, path)
    }

    fn build(file: File, path: Option<PathBuf>) -> Result<Self, Failure> {
        let place = path.as_ref().map_or_else(|| "the environment".to_owned(), |path| path.display().to_string());
        let wrong = |error: &dyn std::fmt::Display| Failure::new(Exit::Usage, format!("{place}: {error}"));
        let mut sources = Vec::new();
        for settings in file.source {
            let secrets =
                settings.secret.into_iter().chain(settings.secrets).filter(|s| !s.is_empty()).map(Secret::new);
            let mut source =
                Source::new(settings.name, secrets.collect(), settings.insecure).map_err(|error| wrong(&error))?;
            source.lenient = settings.lenient;
            sources.push(source);
        }
        if let Some(mebibytes) = file.bodies_in_flight_mib
            && mebibytes < BODIES_IN_FLIGHT_MIB_MIN
        {
            let least = format!(
                "bodies_in_flight_mib = {mebibytes} is less than {BODIES_IN_FLIGHT_MIB_MIN}, room for the largest body"
            );
            return Err(wrong(&least));
        }
        file.rules.validate().map_err(|error| wrong(&error))?;
        let defaults = Self::default();
        let week_start = match file.organisation.week_start {
            None | Some(WeekStart::Monday) => Weekday::Mon,
            Some(WeekStart::Saturday) => Weekday::Sat,
            Some(WeekStart::Sunday) => Weekday::Sun,
        };
        let beside = path.as_deref().and_then(Path::parent).unwrap_or(Path::new("")).to_owned();
        let clusters: Result<Vec<_>, _> = file.cluster.into_iter().map(|entry| entry.build(&beside)).collect();
        let (clusters, asked_clusters) = clusters.map_err(|error| wrong(&error))?.into_iter().unzip();
        Ok(Self {
            listen: file.listen.unwrap_or(defaults.listen),
            listen_hooks: file.listen_hooks,
            bodies_in_flight_mib: file.bodies_in_flight_mib,
            data: file.data.map_or(defaults.data, |data| beside.join(data)),
            chosen_storage: file.storage.build(&beside).map_err(|error| wrong(&error))?,
            people_key: storage::people_key(file.people_key).map_err(|error| wrong(&error))?,
            egress: Egress { ca_file: file.egress.ca_file.map(|file| beside.join(file)), ..file.egress },
            sources: Sources::new(sources),
            catalog: CatalogSettings {
                team: file.team,
                service: file.service,
                environment: file.environment,
                files: file.catalog.files.into_iter().map(|file| beside.join(file)).collect(),
            },
            clusters,
            asked_clusters,
            tools: file.tool,
            bots: bots::build(file.bot).map_err(|error| wrong(&error))?,
            rules: file.rules,
            calendar: Calendar { zone: file.organisation.timezone.unwrap_or(Tz::UTC), week_start },
            file: path,
        })
    }
}

impl Config {
    /// Where streams and tables are kept.
    pub(crate) fn storage(&self) -> bus::storage::Storage {
        self.chosen_storage.storage(&self.data)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            file: None,
            listen: SocketAddr::from(([127, 0, 0, 1], 7070)),
            listen_hooks: None,
            bodies_in_flight_mib: None,
            data: PathBuf::from("devhose-data"),
            chosen_storage: storage::Chosen::default(),
            people_key: None,
            egress: Egress::default(),
            sources: Sources::default(),
            catalog: CatalogSettings::default(),
            clusters: Vec::new(),
            asked_clusters: Vec::new(),
            tools: Vec::new(),
            bots: BTreeMap::new(),
            rules: Rules::default(),
            calendar: Calendar::default(),
        }
    }
}

fn usage(error: anyhow::Error) -> Failure {
    Failure { exit: Exit::Usage, error, remedy: None }
}

/// A variable that only tests set: the instant that counts as now, so that pages are the same every time.
pub(crate) fn pinned_now() -> Result<Option<chrono::DateTime<chrono::Utc>>, Failure> {
    environment::variable("DEVHOSE_NOW")
        .map(|text| {
            text.parse().with_context(|| format!("DEVHOSE_NOW={text} is not an instant in RFC 3339")).map_err(usage)
        })
        .transpose()
}

/// A variable that only tests set: the step between an event and its performed action at which the program is to end as
/// if it had been killed.
pub(crate) fn crash_at() -> Result<Option<CrashPoint>, Failure> {
    let Some(name) = environment::variable("DEVHOSE_CRASH_AT") else { return Ok(None) };
    let known = CrashPoint::ALL.map(CrashPoint::name).join(", ");
    let point = CrashPoint::parse(&name);
    point.map(Some).ok_or_else(|| Failure::new(Exit::Usage, format!("DEVHOSE_CRASH_AT={name} is none of {known}")))
}

/// A variable that only tests set, of a program that is built to fail on purpose: how. Any other program refuses it as
/// a key that it does not know.
pub(crate) fn fault() -> Result<Option<Fault>, Failure> {
    if !cfg!(feature = "faults") {
        return Ok(None);
    }
    let Some(text) = environment::variable("DEVHOSE_FAULT") else { return Ok(None) };
    let fault = text.parse().map_err(|why: String| Failure::new(Exit::Usage, format!("DEVHOSE_FAULT={why}")));
    fault.map(Some)
}

/// Whether colour is unwanted (`NO_COLOR`).
pub(crate) fn no_color() -> bool {
    environment::variable("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// What is logged (`DEVHOSE_LOG`, such as `info,bus=debug`).
pub(crate) fn log_filter() -> Option<String> {
    environment::variable("DEVHOSE_LOG")
}

/// Whether a desktop is there to open a browser on.
pub(crate) fn has_display() -> bool {
    cfg!(any(target_os = "macos", target_os = "windows"))
        || environment::variable("DISPLAY").is_some()
        || environment::variable("WAYLAND_DISPLAY").is_some()
}
