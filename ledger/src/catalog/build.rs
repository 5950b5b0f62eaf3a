//! From entries to a catalog: names are checked, owners and parents must exist, parents must not go in circles.

use std::collections::{BTreeMap, BTreeSet};

use super::backstage::{self, Entity};
use super::files::CatalogFile;
use super::settings::{CatalogSettings, EnvironmentSettings, ServiceSettings, TeamSettings};
use super::{Catalog, CatalogError, ServiceEntry, ServiceName, TeamEntry, UNASSIGNED, names};

/// Where an entry stands, for errors, and because entries of the settings count more than those of files.
#[derive(Debug, Clone)]
enum Place {
    Settings,
    File(String),
}

/// A catalog under construction.
#[derive(Debug, Default)]
struct Draft {
    teams: BTreeMap<String, (TeamEntry, Place)>,
    services: BTreeMap<String, (ServiceEntry, Place)>,
    tiers: BTreeMap<String, String>,
}

impl Catalog {
    /// Builds the catalog of settings and catalog files. Where both have an entry of one name, that of the settings
    /// counts. A team that only a file names, as owner or parent, is made up from its name.
    ///
    /// # Errors
    /// The first entry that cannot stand, with what to do about it.
    pub fn build(settings: &CatalogSettings, files: &[CatalogFile]) -> Result<Self, CatalogError> {
        let mut draft = Draft::default();
        for team in &settings.team {
            draft.add_team(team, Place::Settings)?;
        }
        for service in &settings.service {
            draft.add_service(service, Place::Settings)?;
        }
        for environment in &settings.environment {
            draft.add_environment(environment)?;
        }
        for file in files {
            for entity in backstage::parse(file)? {
                let place = Place::File(file.path.display().to_string());
                match entity {
                    Entity::Team(team) => draft.add_team(&team, place)?,
                    Entity::Service(service) => draft.add_service(&service, place)?,
                }
            }
        }
        draft.settle_references()?;
        draft.check_circles()?;
        Ok(draft.finish())
    }

    pub(super) fn insert_service(&mut self, service: ServiceEntry) {
        if service.team == UNASSIGNED {
            self.teams.entry(UNASSIGNED.to_owned()).or_insert_with(|| team_named(UNASSIGNED));
        }
        self.by_word.insert(service.name.as_str().to_lowercase(), service.name.clone());
        if let Some(repository) = &service.repository {
            self.by_repository.entry(repository.to_lowercase()).or_default().push(service.name.clone());
        }
        self.services.insert(service.name.clone(), service);
    }
}

impl Draft {
    fn add_team(&mut self, team: &TeamSettings, place: Place) -> Result<(), CatalogError> {
        let entry = label("team", &team.name, &place);
        check_name(&entry, &team.name)?;
        if is_new(self.teams.get(&team.name).map(|(_, place)| place), &entry, &place)? {
            let title = team.title.clone().unwrap_or_else(|| team.name.clone());
            let made = TeamEntry {
                name: team.name.clone(),
                title,
                parent: team.parent.clone(),
                channel: team.channel.clone(),
                namespaces: team.namespaces.clone(),
            };
            self.teams.insert(team.name.clone(), (made, place));
        }
        Ok(())
    }

    fn add_service(&mut self, service: &ServiceSettings, place: Place) -> Result<(), CatalogError> {
        let entry = label("service", &service.name, &place);
        check_name(&entry, &service.name)?;
        let path = service.path.as_deref().map(|path| path.trim_matches(['/', '.']).to_owned());
        let path = path.filter(|path| !path.is_empty());
        if path.is_some() && service.repository.is_none() {
            let problem = "has a path but no repository".to_owned();
            let remedy = "add repository = \"host/owner/name\"".to_owned();
            return Err(CatalogError::Invalid { entry, problem, remedy });
        }
        if is_new(self.services.get(&service.name).map(|(_, place)| place), &entry, &place)? {
            let made = ServiceEntry {
                name: ServiceName(service.name.clone()),
                title: service.title.clone().unwrap_or_else(|| service.name.clone()),
                team: service.team.clone().unwrap_or_else(|| UNASSIGNED.to_owned()),
                repository: service.repository.as_deref().map(plain_repository),
                path,
                in_catalog: true,
            };
            self.services.insert(service.name.clone(), (made, place));
        }
        Ok(())
    }

    fn add_environment(&mut self, environment: &EnvironmentSettings) -> Result<(), CatalogError> {
        let entry = label("environment", &environment.name, &Place::Settings);
        let tier = environment.tier.trim().to_lowercase();
        check_name(&entry, &tier)?;
        match self.tiers.insert(environment.name.trim().to_lowercase(), tier) {
            None => Ok(()),
            Some(_) => Err(twice(entry, "the settings")),
        }
    }

    /// Owners and parents must exist; those that files name and nobody describes are made up.
    fn settle_references(&mut self) -> Result<(), CatalogError> {
        let owners = self.services.values().map(|(service, place)| {
            (label("service", service.name.as_str(), place), "team", Some(service.team.clone()), place.clone())
        });
        let parents = self
            .teams
            .values()
            .map(|(team, place)| (label("team", &team.name, place), "parent", team.parent.clone(), place.clone()));
        let references: Vec<_> = owners.chain(parents).collect();
        for (entry, key, team, place) in references {
            let Some(team) = team.filter(|team| team != UNASSIGNED && !self.teams.contains_key(team)) else { continue };
            match place {
                Place::Settings => return Err(self.no_team(entry, key, &team)),
                Place::File(_) => self.teams.insert(team.clone(), (team_named(&team), place)),
            };
        }
        Ok(())
    }

    fn no_team(&self, entry: String, key: &str, team: &str) -> CatalogError {
        let near = names::nearest(team, self.teams.keys().map(String::as_str));
        let remedy = match near {
            Some(near) => format!("did you mean {near:?}? else add a [[team]] of that name"),
            None => "add a [[team]] of that name".to_owned(),
        };
        CatalogError::Invalid { entry, problem: format!("{key} {team:?} does not exist"), remedy }
    }

    fn check_circles(&self) -> Result<(), CatalogError> {
        for (name, (team, place)) in &self.teams {
            let mut seen = BTreeSet::from([name.as_str()]);
            let mut above = team.parent.as_deref();
            while let Some(parent) = above {
                if !seen.insert(parent) {
                    let problem = format!("its parents go in a circle through {parent:?}");
                    let remedy = "remove the parent of one of them".to_owned();
                    return Err(CatalogError::Invalid { entry: label("team", name, place), problem, remedy });
                }
                above = self.teams.get(parent).and_then(|(team, _)| team.parent.as_deref());
            }
        }
        Ok(())
    }

    fn finish(self) -> Catalog {
        let teams = self.teams.into_iter().map(|(name, (team, _))| (name, team)).collect();
        let mut catalog = Catalog { teams, tiers: self.tiers, ..Catalog::default() };
        for (service, _) in self.services.into_values() {
            catalog.insert_service(service);
        }
        catalog
    }
}

/// `host/owner/name` of a repository, however it was written: with a scheme, a user, `.git` or slashes at the end.
pub(super) fn plain_repository(text: &str) -> String {
    let text = text.trim();
    let text = text.split_once("://").map_or(text, |(_, rest)| rest);
    let text = text.split_once('@').map_or(text, |(_, rest)| rest);
    let text = text.trim_matches('/');
    text.strip_suffix(".git").unwrap_or(text).to_owned()
}

fn team_named(name: &str) -> TeamEntry {
    TeamEntry { name: name.to_owned(), title: name.to_owned(), parent: None, channel: None, namespaces: Vec::new() }
}

fn label(what: &str, name: &str, place: &Place) -> String {
    match place {
        Place::Settings => format!("[[{what}]] {name:?}"),
        Place::File(path) => format!("{path}: {what} {name:?}"),
    }
}

fn check_name(entry: &str, name: &str) -> Result<(), CatalogError> {
    if names::is_valid(name) {
        return Ok(());
    }
    Err(CatalogError::Invalid {
        entry: entry.to_owned(),
        problem: format!("{name:?} cannot be part of a URL"),
        remedy: format!("use 1 to {} letters, digits and . _ -", names::NAME_CHARS_MAX),
    })
}

/// Whether an entry is to be taken: not if the settings have one of that name already and this one is a file's.
fn is_new(earlier: Option<&Place>, entry: &str, place: &Place) -> Result<bool, CatalogError> {
    match (earlier, place) {
        (None, Place::Settings | Place::File(_)) => Ok(true),
        (Some(Place::Settings), Place::File(_)) => Ok(false),
        (Some(Place::Settings), Place::Settings) => Err(twice(entry.to_owned(), "the settings")),
        (Some(Place::File(other)), Place::Settings | Place::File(_)) => Err(twice(entry.to_owned(), other)),
    }
}

fn twice(entry: String, other: &str) -> CatalogError {
    let remedy = "rename or remove one of them".to_owned();
    CatalogError::Invalid { entry, problem: format!("there is one of that name in {other} already"), remedy }
}
