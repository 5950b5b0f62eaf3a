//! Who and what there is in the invented organisation: teams, services, repositories, people.
//!
//! Nobody in it exists. The names of people are put together from two lists.

use crate::senders::sample::{DATA_OWNER, FORGE_HOST};

/// A team of the demo's catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DemoTeam {
    /// Name in URLs.
    pub name: &'static str,
    /// Name on a page.
    pub title: &'static str,
    /// The team it is part of.
    pub parent: Option<&'static str>,
    /// How many people are in it.
    people: usize,
}

/// A service of the demo's catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DemoService {
    /// Name in URLs.
    pub name: &'static str,
    /// Name on a page.
    pub title: &'static str,
    /// Name of the owning team.
    pub team: &'static str,
    /// The repository it lives in: `owner/name`.
    pub(crate) repository: &'static str,
    /// The path within it, for a repository of many services.
    pub path: Option<&'static str>,
}

impl DemoService {
    /// The repository it lives in, as events name it: `host/owner/name`.
    #[must_use]
    pub fn repository(&self) -> String {
        format!("{FORGE_HOST}/{}", self.repository)
    }
}

/// The environments, in the order of delivery: name, and whether it is production.
pub const ENVIRONMENTS: &[(&str, bool)] = &[("staging", false), ("production", true)];

/// The teams. `tooling` is too small for figures that could point at somebody.
pub const TEAMS: &[DemoTeam] = &[
    team("checkout", "Checkout", None, 15),
    team("data", "Data", None, 11),
    team("logistics", "Logistics", None, 15),
    team("payments", "Payments", Some("checkout"), 13),
    team("platform", "Platform", None, 13),
    team("storefront", "Storefront", None, 20),
    team("tooling", "Developer tooling", None, SMALL_TEAM_PEOPLE),
];

/// Fewer than the smallest number of people that statistics are shown for.
const SMALL_TEAM_PEOPLE: usize = 3;

/// The services. Three share a repository; see the constants below for those with something special.
pub const SERVICES: &[DemoService] = &[
    service("cart", "Cart", "checkout", "acme/cart"),
    service("checkout", "Checkout", "checkout", "acme/checkout"),
    service(WITHOUT_DEPLOYMENTS, "Design system", "storefront", "acme/design-system"),
    service("edge-gateway", "Edge gateway", "platform", "acme/edge-gateway"),
    service("event-pipeline", "Event pipeline", "data", EVENT_PIPELINE),
    service(YOUNG, "Fraud screening", "payments", "acme/fraud-screening"),
    service("identity", "Identity", "platform", "acme/identity"),
    service("invoicing", "Invoicing", "payments", "acme/invoicing"),
    service("mobile-gateway", "Mobile gateway", "storefront", "acme/mobile-gateway"),
    service("notifications", "Notifications", "platform", "acme/notifications"),
    service("payments", "Payments", "payments", "acme/payments"),
    service("pricing", "Pricing", "checkout", "acme/pricing"),
    service("recommendations", "Recommendations", "storefront", "acme/recommendations"),
    service("release-tools", "Release tools", "tooling", "acme/release-tools"),
    service("reporting", "Reporting", "data", "acme-data/reporting"),
    service(WITH_BROKEN_BUILD, "Search", "storefront", "acme/search"),
    part("shipping", "Shipping", "services/shipping"),
    part("tracking", "Parcel tracking", "services/tracking"),
    part("warehouse", "Warehouse", "services/warehouse"),
    service("web-shop", "Web shop", "storefront", "acme/web-shop"),
];

/// A library: it is built and released, and never deployed.
pub(super) const WITHOUT_DEPLOYMENTS: &str = "design-system";
/// The service that began ten weeks ago.
pub(super) const YOUNG: &str = "fraud-screening";
/// The service whose default branch does not build now.
pub(super) const WITH_BROKEN_BUILD: &str = "search";
/// The service with an incident that is open now.
pub(super) const WITH_OPEN_INCIDENT: &str = "checkout";
/// The repository in which a run starts every hour.
pub(super) const EVENT_PIPELINE: &str = "acme-data/event-pipeline";

/// True for a repository whose deliveries come through the source that has gone silent.
pub(crate) fn is_data(repository: &str) -> bool {
    repository.split('/').next() == Some(DATA_OWNER)
}

/// Somebody, or a machine's account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Person {
    /// Number from 0; bots have numbers of their own.
    pub(crate) number: usize,
    /// True for a machine's account.
    pub(crate) bot: bool,
}

/// The account that keeps dependencies up to date.
pub(super) const DEPENDENCY_BOT: Person = Person { number: 0, bot: true };
/// The account that deploys.
pub(super) const DEPLOYER: Person = Person { number: 1, bot: true };

impl Person {
    /// Login.
    pub(crate) fn handle(self) -> String {
        if self.bot {
            return if self.number == 0 { "dependency-updates[bot]" } else { "acme-deployer[bot]" }.to_owned();
        }
        // The lengths of the lists have no common divisor, so no pair comes twice within their product.
        let first = FIRST_NAMES.get(self.number % FIRST_NAMES.len()).copied().unwrap_or_default();
        let last = LAST_NAMES.get(self.number * 7 % LAST_NAMES.len()).copied().unwrap_or_default();
        format!("{first}-{last}")
    }
}

/// The people of a team.
pub(super) fn people(team: &str) -> Vec<Person> {
    let mut first = 0;
    for candidate in TEAMS {
        if candidate.name == team {
            return (first..first + candidate.people).map(|number| Person { number, bot: false }).collect();
        }
        first += candidate.people;
    }
    Vec::new()
}

/// The repositories, by name, each once.
pub(super) fn repositories() -> Vec<&'static str> {
    let mut names: Vec<_> = SERVICES.iter().map(|s| s.repository).collect();
    names.sort_unstable();
    names.dedup();
    names
}

const fn team(name: &'static str, title: &'static str, parent: Option<&'static str>, people: usize) -> DemoTeam {
    DemoTeam { name, title, parent, people }
}

const fn service(name: &'static str, title: &'static str, team: &'static str, repository: &'static str) -> DemoService {
    DemoService { name, title, team, repository, path: None }
}

const fn part(name: &'static str, title: &'static str, path: &'static str) -> DemoService {
    DemoService { name, title, team: "logistics", repository: "acme/logistics", path: Some(path) }
}

const FIRST_NAMES: &[&str] = &[
    "amara", "anouk", "bao", "bela", "calla", "dario", "edda", "emre", "farah", "goran", "hana", "ilja", "imani",
    "jonna", "kaito", "lior", "mara", "nadia", "noor", "oskar", "petra", "quim", "ravi", "selma", "tariq", "ulla",
    "vesna", "wanda", "xenia", "yusuf", "zadie", "zoran",
];

const LAST_NAMES: &[&str] = &[
    "abara",
    "almqvist",
    "bergholt",
    "castane",
    "dervish",
    "eskola",
    "falk",
    "garnier",
    "hollis",
    "ibarra",
    "jansky",
    "kowal",
    "lindrup",
    "marchetti",
    "nakata",
    "okoro",
    "pellerin",
    "quist",
    "rosner",
    "sandoval",
    "tamm",
    "ulvang",
    "varga",
    "westby",
    "yilmaz",
    "zeller",
    "moreau",
    "hadley",
    "brandt",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn it_is_as_large_as_announced() {
        assert_eq!((TEAMS.len(), SERVICES.len(), repositories().len()), (7, 20, 18));
        let handles: BTreeSet<_> = TEAMS.iter().flat_map(|t| people(t.name)).map(Person::handle).collect();
        assert_eq!(handles.len(), 90);
    }

    #[test]
    fn every_service_has_a_team_and_every_parent_exists() {
        let names: BTreeSet<_> = TEAMS.iter().map(|t| t.name).collect();
        assert!(SERVICES.iter().all(|s| names.contains(s.team)));
        assert!(TEAMS.iter().filter_map(|t| t.parent).all(|p| names.contains(p)));
        assert!(SERVICES.is_sorted_by_key(|s| s.name) && TEAMS.is_sorted_by_key(|t| t.name));
    }
}
