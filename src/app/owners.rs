//! Who owns what, as bots ask it: answered from the catalog.

use std::collections::BTreeSet;

use bots::lookups::{OwnedThing, Owner};
use bots::runtime::Owners;
use ledger::catalog::{Catalog, UNASSIGNED};

/// Answers from a catalog.
#[derive(Debug)]
pub(super) struct CatalogOwners(pub(super) Catalog);

impl Owners for CatalogOwners {
    fn owner(&self, thing: &OwnedThing) -> Owner {
        let Self(catalog) = self;
        let (repository, service) = (thing.repository.as_deref(), thing.service.as_deref());
        let service = catalog.service_of(repository, service, &BTreeSet::new());
        let entry = service.and_then(|name| catalog.service(name.as_str()));
        let named = thing.team.as_deref().filter(|team| catalog.teams().any(|known| known.name == *team));
        let by_service = entry.map(|entry| entry.team.as_str()).filter(|team| *team != UNASSIGNED);
        let by_namespace = || catalog.team_of_namespace(thing.namespace.as_deref()?);
        let team = named.or(by_service).or_else(by_namespace);
        Owner {
            channel: team.and_then(|team| catalog.channel_of(team)).map(str::to_owned),
            team: team.map(str::to_owned),
            service: entry.map(|entry| entry.name.to_string()),
            repository: entry.and_then(|entry| entry.repository.clone()).or_else(|| thing.repository.clone()),
        }
    }

    fn channel(&self, team: &str) -> Option<String> {
        self.0.channel_of(team).map(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use ledger::catalog::{CatalogSettings, ServiceSettings, TeamSettings};

    use super::*;

    fn owners() -> CatalogOwners {
        let team = |name: &str, channel: Option<&str>, namespaces: &[&str]| TeamSettings {
            name: name.to_owned(),
            channel: channel.map(str::to_owned),
            namespaces: namespaces.iter().map(|name| (*name).to_owned()).collect(),
            ..TeamSettings::default()
        };
        let settings = CatalogSettings {
            team: vec![team("payments", Some("#payments"), &["billing"]), team("platform", None, &[])],
            service: vec![ServiceSettings {
                name: "checkout".to_owned(),
                team: Some("payments".to_owned()),
                repository: Some("git.example/acme/shop".to_owned()),
                ..ServiceSettings::default()
            }],
            ..CatalogSettings::default()
        };
        CatalogOwners(ledger::catalog::Catalog::build(&settings, &[]).unwrap())
    }

    fn team(thing: &OwnedThing) -> Option<String> {
        owners().owner(thing).team
    }

    #[test]
    fn what_says_its_team_is_believed_then_the_service_then_the_namespace() {
        let named = |team: &str| OwnedThing { team: Some(team.to_owned()), ..OwnedThing::default() };
        assert_eq!(team(&named("platform")).as_deref(), Some("platform"));
        assert_eq!(team(&named("nobody")), None);
        let service = OwnedThing { service: Some("checkout".to_owned()), ..named("nobody") };
        assert_eq!(team(&service).as_deref(), Some("payments"));
        let namespace = OwnedThing { namespace: Some("billing".to_owned()), ..OwnedThing::default() };
        assert_eq!(team(&namespace).as_deref(), Some("payments"));
        let owner = owners().owner(&service);
        assert_eq!(owner.channel.as_deref(), Some("#payments"));
        assert_eq!(owner.repository.as_deref(), Some("git.example/acme/shop"));
    }
}
