//! Services, repositories and tiers as small numbers, and where each fact belongs.
//!
//! It asks the catalog once per distinct place, so that tens of thousands of facts cost as many map look-ups, no more.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::catalog::{Catalog, PRODUCTION, ServiceName};
use crate::facts::{Change, Deployment, Facts, Incident, PipelineRun};

macro_rules! code {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub(crate) struct $name(pub(crate) u32);
    };
}
code!(
    /// Number of a service, in order of names.
    ServiceCode
);
code!(
    /// Number of a repository.
    RepositoryCode
);
code!(
    /// Number of a tier of environments.
    TierCode
);

/// Which numbers stand for which names.
#[derive(Debug, Default)]
pub(crate) struct Places {
    services: Vec<ServiceName>,
    service_codes: BTreeMap<String, ServiceCode>,
    /// By the name in lower case: forges do not tell `Acme/Shop` from `acme/shop`.
    repositories: BTreeMap<String, RepositoryCode>,
    tiers: BTreeMap<String, TierCode>,
}

impl Places {
    /// Every place that the catalog and the facts name.
    pub(crate) fn new(facts: &Facts, catalog: &Catalog) -> Self {
        let services: Vec<ServiceName> = catalog.services().map(|service| service.name.clone()).collect();
        let service_codes =
            (0..).map(ServiceCode).zip(&services).map(|(code, name)| (name.as_str().to_owned(), code)).collect();
        let mut repositories: BTreeSet<&str> =
            facts.changes.values().map(|change| change.repository.as_str()).collect();
        repositories.extend(facts.deployments.values().filter_map(|deployment| deployment.repository.as_deref()));
        repositories.extend(facts.pipeline_runs.values().filter_map(|run| run.repository.as_deref()));
        repositories.extend(facts.incidents.values().filter_map(|incident| incident.repository.as_deref()));
        repositories.extend(catalog.services().filter_map(|service| service.repository.as_deref()));
        let repositories: BTreeSet<String> = repositories.into_iter().map(str::to_lowercase).collect();
        let mut tiers: BTreeSet<String> = BTreeSet::from([PRODUCTION.to_owned()]);
        tiers.extend(facts.deployments.values().map(|deployment| tier_of_deployment(catalog, deployment)));
        tiers.extend(facts.incidents.values().map(|incident| tier_of_incident(catalog, incident)));
        Self {
            services,
            service_codes,
            repositories: repositories.into_iter().zip((0..).map(RepositoryCode)).collect(),
            tiers: tiers.into_iter().zip((0..).map(TierCode)).collect(),
        }
    }

    pub(crate) fn service_name(&self, code: ServiceCode) -> Option<&ServiceName> {
        self.services.get(code.0 as usize)
    }

    pub(crate) fn service(&self, name: &str) -> Option<ServiceCode> {
        self.service_codes.get(name).copied()
    }

    pub(crate) fn service_count(&self) -> usize {
        self.services.len()
    }

    pub(crate) fn repository(&self, name: &str) -> Option<RepositoryCode> {
        self.repositories.get(name).copied().or_else(|| self.repositories.get(&name.to_lowercase()).copied())
    }

    pub(crate) fn tier(&self, name: &str) -> Option<TierCode> {
        self.tiers.get(name).copied()
    }
}

/// Where something happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Place {
    /// None if the sender names none and several fit.
    pub(crate) service: Option<ServiceCode>,
    /// None if unknown.
    pub(crate) repository: Option<RepositoryCode>,
    /// None for what happens in no environment, such as a change.
    pub(crate) tier: Option<TierCode>,
}

/// The place of a deployment.
pub(crate) fn of_deployment(places: &Places, catalog: &Catalog, deployment: &Deployment) -> Place {
    let mut place = located(places, catalog, deployment.repository.as_deref(), deployment.service.as_deref());
    place.tier = places.tier(&tier_of_deployment(catalog, deployment));
    place
}

/// The place of an incident.
pub(crate) fn of_incident(places: &Places, catalog: &Catalog, incident: &Incident) -> Place {
    let mut place = located(places, catalog, incident.repository.as_deref(), incident.service.as_deref());
    place.tier = places.tier(&tier_of_incident(catalog, incident));
    place
}

/// The place of a pipeline run: its repository, and the service if only one lives there.
pub(crate) fn of_run(places: &Places, catalog: &Catalog, run: &PipelineRun) -> Place {
    located(places, catalog, run.repository.as_deref(), None)
}

/// The services that each change touches, by the changes' order of keys.
pub(crate) fn of_changes<'f>(
    places: &Places,
    catalog: &Catalog,
    changes: impl Iterator<Item = &'f Change>,
) -> Vec<Vec<ServiceCode>> {
    let mut known: HashMap<(&str, &BTreeSet<String>), Vec<ServiceCode>> = HashMap::new();
    let mut touched = |change: &'f Change| {
        let look_up = || {
            let names = catalog.services_touched(&change.repository, &change.paths);
            names.into_iter().filter_map(|name| places.service(name.as_str())).collect()
        };
        known.entry((&change.repository, &change.paths)).or_insert_with(look_up).clone()
    };
    changes.map(&mut touched).collect()
}

fn located(places: &Places, catalog: &Catalog, repository: Option<&str>, service: Option<&str>) -> Place {
    let name = catalog.service_of(repository, service, &BTreeSet::new());
    // A deployment that names only its service happened in the repository that the service lives in.
    let home = || name.and_then(|name| catalog.service(name.as_str())).and_then(|entry| entry.repository.as_deref());
    Place {
        service: name.and_then(|name| places.service(name.as_str())),
        repository: repository.or_else(home).and_then(|repository| places.repository(repository)),
        tier: None,
    }
}

fn tier_of_deployment(catalog: &Catalog, deployment: &Deployment) -> String {
    catalog.tier(deployment.environment.as_deref(), deployment.production)
}

/// On-call tools seldom name an environment: what wakes somebody up is production.
fn tier_of_incident(catalog: &Catalog, incident: &Incident) -> String {
    if incident.environment.is_none() {
        PRODUCTION.to_owned()
    } else {
        catalog.tier(incident.environment.as_deref(), None)
    }
}
