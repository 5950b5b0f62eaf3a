//! What the facts name and no entry describes becomes a service too, so that nothing that happens is without one.

use std::collections::{BTreeMap, BTreeSet};

use super::{Catalog, ServiceEntry, ServiceName, UNASSIGNED, names};
use crate::facts::Facts;

impl Catalog {
    /// This catalog with a service for every repository and every service name of the facts that it does not hold.
    ///
    /// A repository becomes a service named like its last segment. Where that name is taken, more segments are put
    /// before it; the repository seen first keeps the short name, so that a new one never renames an old.
    #[must_use]
    pub fn completed(&self, facts: &Facts) -> Self {
        let mut complete = self.clone();
        let seen = Seen::of(facts);
        for (word, repository) in &seen.services {
            complete.discover_service(word, repository.as_deref());
        }
        let first_seen = |repository: &&String| facts.first_seen.get(repository.as_str()).copied();
        let mut repositories: Vec<&String> = seen.repositories.iter().collect();
        // None sorts first in Rust, but a repository without a known time must come last.
        repositories.sort_by_key(|repository| (first_seen(repository).is_none(), first_seen(repository), *repository));
        for repository in repositories {
            complete.discover_repository(repository);
        }
        complete
    }

    fn discover_service(&mut self, word: &str, repository: Option<&str>) {
        if self.by_word.contains_key(&word.to_lowercase()) {
            return;
        }
        let name = self.free_name(word);
        let owner =
            repository.and_then(|repository| self.owner_of(repository)).unwrap_or_else(|| UNASSIGNED.to_owned());
        self.insert_service(ServiceEntry {
            name: name.clone(),
            title: word.to_owned(),
            team: owner,
            repository: repository.map(str::to_owned),
            path: None,
            in_catalog: false,
        });
        self.by_word.insert(word.to_lowercase(), name);
    }

    /// A repository with one service needs no other; with several that senders named, it needs one for what belongs to
    /// none of them.
    fn discover_repository(&mut self, repository: &str) {
        let here = self.by_repository.get(&repository.to_lowercase()).map_or(&[][..], Vec::as_slice);
        let from_catalog = |name: &ServiceName| self.services.get(name).is_some_and(|service| service.in_catalog);
        if repository.is_empty() || here.len() == 1 || here.iter().any(from_catalog) {
            return;
        }
        let name = self.free_name(repository);
        self.insert_service(ServiceEntry {
            name,
            title: repository.rsplit('/').next().unwrap_or(repository).to_owned(),
            team: UNASSIGNED.to_owned(),
            repository: Some(repository.to_owned()),
            path: None,
            in_catalog: false,
        });
    }

    /// The team that owns everything else in the repository, if one does.
    fn owner_of(&self, repository: &str) -> Option<String> {
        let services = self.by_repository.get(&repository.to_lowercase())?;
        let teams: BTreeSet<&str> = services.iter().map(|service| self.team_of(service)).collect();
        (teams.len() == 1).then(|| teams.first().map(|team| (*team).to_owned())).flatten()
    }

    /// The last segments of a name, as few as make it unique; then numbers.
    fn free_name(&self, full: &str) -> ServiceName {
        let segments: Vec<&str> = full.split('/').filter(|segment| !segment.is_empty()).collect();
        let tails = (0..segments.len()).rev().filter_map(|from| segments.get(from..)).map(|tail| tail.join("-"));
        let whole = names::slug(&segments.join("-"));
        let numbered = (2..).map(|number: u32| names::numbered(&whole, number));
        let taken = |name: &String| self.by_word.contains_key(&name.to_lowercase());
        let free = tails.chain(numbered).map(|name| names::slug(&name)).find(|name| !taken(name));
        ServiceName(free.unwrap_or_else(|| names::slug(full)))
    }
}

/// What the facts name.
#[derive(Debug, Default)]
struct Seen {
    repositories: BTreeSet<String>,
    /// With one repository that it was seen with.
    services: BTreeMap<String, Option<String>>,
}

impl Seen {
    fn of(facts: &Facts) -> Self {
        let mut seen = Self::default();
        let mut last = "";
        // Keys begin with the repository, so the same one comes many times in a row.
        let with_repository = facts.changes.values().map(|change| change.repository.as_str());
        for repository in with_repository.chain(facts.commits.values().map(|commit| commit.repository.as_str())) {
            if repository != last {
                seen.add(Some(repository), None);
                last = repository;
            }
        }
        for run in facts.pipeline_runs.values() {
            seen.add(run.repository.as_deref(), None);
        }
        for deployment in facts.deployments.values() {
            seen.add(deployment.repository.as_deref(), deployment.service.as_deref());
        }
        for incident in facts.incidents.values() {
            seen.add(incident.repository.as_deref(), incident.service.as_deref());
        }
        for measurement in facts.measurements.values() {
            seen.add(measurement.repository.as_deref(), measurement.service.as_deref());
        }
        for vulnerability in facts.vulnerabilities.values() {
            seen.add(vulnerability.repository.as_deref(), None);
        }
        seen
    }

    fn add(&mut self, repository: Option<&str>, service: Option<&str>) {
        match (repository.filter(|text| !text.is_empty()), service.filter(|text| !text.is_empty())) {
            (repository, Some(service)) => {
                let with = self.services.entry(service.to_owned()).or_default();
                let repository = repository.map(str::to_owned);
                *with = with.take().into_iter().chain(repository.clone()).min();
                self.repositories.extend(repository);
            }
            (Some(repository), None) => {
                if !self.repositories.contains(repository) {
                    self.repositories.insert(repository.to_owned());
                }
            }
            (None, None) => {}
        }
    }
}
