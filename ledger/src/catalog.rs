//! The catalog: teams, services and environments, and which of them a repository, path or word belongs to.
//!
//! Built from settings, from Backstage catalog files, and completed by what the facts name ([`Catalog::completed`]), so
//! that nothing that happens is without a service. Everything here is pure but [`files::read`].

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub mod backstage;
mod build;
mod discovered;
pub mod files;
mod names;
mod settings;
#[cfg(test)]
mod tests;

use crate::report::Scope;
pub use settings::{CatalogSettings, EnvironmentSettings, ServiceSettings, TeamSettings};

/// The team of services that nobody has claimed.
pub const UNASSIGNED: &str = "unassigned";

/// The tier that delivery metrics are about unless asked otherwise.
pub const PRODUCTION: &str = "production";

/// The tier of a deployment whose sender names no environment.
pub const UNKNOWN_TIER: &str = "unknown";

/// Why there is no catalog.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// An entry contradicts itself or another.
    #[error("{entry}: {problem}; {remedy}")]
    Invalid {
        /// Which entry: `[[service]] "checkout"`, or file and entity.
        entry: String,
        /// What is wrong.
        problem: String,
        /// What to do.
        remedy: String,
    },
    /// A catalog file could not be read.
    #[error("catalog file {path} cannot be read; check the path in catalog.files")]
    File {
        /// Which.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// A catalog file is not YAML of the documented shape.
    #[error("catalog file {path}, document {document} is not a catalog entity")]
    Yaml {
        /// Which.
        path: String,
        /// Number of the document in the file, from 1.
        document: usize,
        /// Why.
        source: serde_norway::Error,
    },
}

/// A name that the catalog does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no {kind} {name:?}{}", .near.as_ref().map(|near| format!("; did you mean {near:?}?")).unwrap_or_default())]
pub struct Unknown {
    /// `team`, `service` or `repository`.
    pub kind: &'static str,
    /// What was asked for.
    pub name: String,
    /// The most similar name there is, if one is similar.
    pub near: Option<String>,
}

/// Name of a service: letters, digits, `.`, `_`, `-`; part of a URL.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ServiceName(String);

impl ServiceName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for ServiceName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A team: a Backstage `Group`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TeamEntry {
    /// Name in URLs.
    pub name: String,
    /// Name on a page.
    pub title: String,
    /// The team it is part of.
    pub parent: Option<String>,
    /// Where the team is talked to.
    pub channel: Option<String>,
    /// Namespaces of clusters whose workloads are the team's.
    pub namespaces: Vec<String>,
}

/// A service: a Backstage `Component`, or what follows from a repository without an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceEntry {
    /// Name in URLs.
    pub name: ServiceName,
    /// Name on a page.
    pub title: String,
    /// Owning team, or [`UNASSIGNED`].
    pub team: String,
    /// `host/owner/name`, where known.
    pub repository: Option<String>,
    /// The path within it, without slashes at its ends, for a repository of many services.
    pub path: Option<String>,
    /// False if it follows from facts alone.
    pub in_catalog: bool,
}

impl ServiceEntry {
    fn is_repository_itself(&self) -> bool {
        let last_segment = self.repository.as_deref().and_then(|repository| repository.rsplit('/').next());
        !self.in_catalog && last_segment == Some(self.title.as_str())
    }
}

/// Teams, services and environments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalog {
    teams: BTreeMap<String, TeamEntry>,
    services: BTreeMap<ServiceName, ServiceEntry>,
    /// Tier by the environment's word in lower case.
    tiers: BTreeMap<String, String>,
    /// Services by repository in lower case: forges do not tell `Acme/Shop` from `acme/shop`.
    by_repository: BTreeMap<String, Vec<ServiceName>>,
    /// Services by the name that a sender gives, in lower case.
    by_word: BTreeMap<String, ServiceName>,
}

impl Catalog {
    /// Teams by name.
    pub fn teams(&self) -> impl Iterator<Item = &TeamEntry> {
        self.teams.values()
    }

    /// Services by name.
    pub fn services(&self) -> impl Iterator<Item = &ServiceEntry> {
        self.services.values()
    }

    /// One service.
    #[must_use]
    pub fn service(&self, name: &str) -> Option<&ServiceEntry> {
        self.services.get(&ServiceName(name.to_owned()))
    }

    /// The service that something happened to: the one that the sender names, else the one that lives in the repository
    /// (and there at the paths); of several that fit, the one without a path. None if that leaves not exactly one.
    #[must_use]
    pub fn service_of(
        &self,
        repository: Option<&str>,
        service: Option<&str>,
        paths: &BTreeSet<String>,
    ) -> Option<&ServiceName> {
        if let Some(named) = service.and_then(|word| self.by_word.get(&word.to_lowercase())) {
            return Some(named);
        }
        match self.services_touched(repository?, paths).as_slice() {
            [] => None,
            [only] => Some(only),
            several => self.home_among(several),
        }
    }

    /// The one of several services that stands for their whole repository: the only entry of the catalog without a path,
    /// or else the service that was made up for the repository itself.
    fn home_among<'a>(&self, several: &[&'a ServiceName]) -> Option<&'a ServiceName> {
        let whole = |in_catalog| {
            let fits = move |service: &ServiceEntry| service.path.is_none() && service.in_catalog == in_catalog;
            several.iter().filter(move |name| self.services.get(**name).is_some_and(fits))
        };
        let made_up = || {
            whole(false).find(|name| self.services.get(**name).is_some_and(|service| service.is_repository_itself()))
        };
        let mut entries = whole(true);
        match (entries.next(), entries.next()) {
            (Some(only), None) => Some(only),
            (Some(_), Some(_)) => None,
            (None, _) => made_up().copied(),
        }
    }

    /// The services that a change to these paths of a repository touches; all that live there if no path is known.
    #[must_use]
    pub fn services_touched(&self, repository: &str, paths: &BTreeSet<String>) -> Vec<&ServiceName> {
        let here = self.by_repository.get(&repository.to_lowercase()).map_or(&[][..], Vec::as_slice);
        if paths.is_empty() || here.len() == 1 {
            return here.iter().collect();
        }
        let path_of = |name: &ServiceName| self.services.get(name).and_then(|service| service.path.as_deref());
        let touched: Vec<_> = here
            .iter()
            .filter(|name| path_of(name).is_some_and(|own| paths.iter().any(|path| names::overlap(own, path))))
            .collect();
        if touched.is_empty() { here.iter().filter(|name| path_of(name).is_none()).collect() } else { touched }
    }

    /// The team of a service, or [`UNASSIGNED`].
    #[must_use]
    pub fn team_of(&self, service: &ServiceName) -> &str {
        self.services.get(service).map_or(UNASSIGNED, |entry| &entry.team)
    }

    /// The team that owns what runs in a namespace of a cluster; the first by name if several say so.
    #[must_use]
    pub fn team_of_namespace(&self, namespace: &str) -> Option<&str> {
        let owner = self.teams.values().find(|team| team.namespaces.iter().any(|own| own == namespace))?;
        Some(&owner.name)
    }

    /// Where a team is talked to: its own channel, or that of the nearest team above it that has one.
    #[must_use]
    pub fn channel_of(&self, team: &str) -> Option<&str> {
        let mut entry = self.teams.get(team)?;
        // Parents form a forest, so this ends.
        loop {
            if let Some(channel) = &entry.channel {
                return Some(channel);
            }
            entry = self.teams.get(entry.parent.as_deref()?)?;
        }
    }

    /// A team and everything below it.
    ///
    /// # Errors
    /// If there is no such team.
    pub fn team_and_below(&self, name: &str) -> Result<BTreeSet<&str>, Unknown> {
        let (own, _) = self
            .teams
            .get_key_value(name)
            .ok_or_else(|| names::unknown("team", name, self.teams.keys().map(String::as_str)))?;
        let mut below = BTreeSet::from([own.as_str()]);
        // Parents form a forest, so as many rounds as the tree is deep find everything.
        loop {
            let found = below.len();
            let children = |team: &&TeamEntry| team.parent.as_deref().is_some_and(|parent| below.contains(parent));
            let more: Vec<&str> = self.teams.values().filter(children).map(|team| team.name.as_str()).collect();
            below.extend(more);
            if below.len() == found {
                return Ok(below);
            }
        }
    }

    /// The services of a scope, by name. A team's are those of its sub-teams too.
    ///
    /// # Errors
    /// If there is no such team, service or repository.
    pub fn services_of(&self, scope: &Scope) -> Result<BTreeSet<&ServiceName>, Unknown> {
        match scope {
            Scope::Company => Ok(self.services.keys().collect()),
            Scope::Team(name) => {
                let teams = self.team_and_below(name)?;
                let ours = self.services.values().filter(|service| teams.contains(service.team.as_str()));
                Ok(ours.map(|service| &service.name).collect())
            }
            Scope::Service(name) => self
                .services
                .get_key_value(&ServiceName(name.clone()))
                .map(|(own, _)| BTreeSet::from([own]))
                .ok_or_else(|| names::unknown("service", name, self.services.keys().map(ServiceName::as_str))),
            Scope::Repository(name) => self
                .by_repository
                .get(&name.to_lowercase())
                .map(|services| services.iter().collect())
                .ok_or_else(|| names::unknown("repository", name, self.by_repository.keys().map(String::as_str))),
        }
    }

    /// The tier of an environment by the sender's word: as set, else `production` where the sender or the word says so,
    /// else the word itself in lower case.
    #[must_use]
    pub fn tier(&self, environment: Option<&str>, production: Option<bool>) -> String {
        let word = environment.map(|word| word.trim().to_lowercase()).filter(|word| !word.is_empty());
        if let Some(tier) = word.as_ref().and_then(|word| self.tiers.get(word)) {
            return tier.clone();
        }
        // A sender's `false` is not trusted: some say it of everything that is not called exactly "production".
        if production == Some(true) || word.as_deref().is_some_and(names::is_production_like) {
            return PRODUCTION.to_owned();
        }
        word.unwrap_or_else(|| UNKNOWN_TIER.to_owned())
    }
}
