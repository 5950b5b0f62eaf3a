//! What a catalog answers, and what it refuses.

use std::collections::BTreeSet;

use super::files::CatalogFile;
use super::*;
use crate::facts::{Change, Deployment, FactKey, Facts};

fn settings(json: serde_json::Value) -> CatalogSettings {
    serde_json::from_value(json).unwrap()
}

fn build(json: serde_json::Value) -> Result<Catalog, String> {
    Catalog::build(&settings(json), &[]).map_err(|error| error.to_string())
}

/// Commerce owns payments; one repository holds two services with paths and one without.
fn shop() -> Catalog {
    build(serde_json::json!({
        "team": [{"name": "commerce"}, {"name": "payments", "title": "Payments", "parent": "commerce"}],
        "service": [
            {"name": "checkout", "team": "payments", "repository": "git.example/acme/shop", "path": "services/checkout/"},
            {"name": "search", "team": "commerce", "repository": "https://git.example/acme/shop.git", "path": "/search"},
            {"name": "shop", "repository": "git.example/acme/shop"},
        ],
        "environment": [{"name": "EU-1", "tier": "production"}, {"name": "prod-test", "tier": "staging"}],
    }))
    .unwrap()
}

fn paths(paths: &[&str]) -> BTreeSet<String> {
    paths.iter().map(|path| (*path).to_owned()).collect()
}

fn names(services: impl IntoIterator<Item = impl std::ops::Deref<Target = ServiceName>>) -> Vec<String> {
    services.into_iter().map(|name| name.to_string()).collect()
}

#[test]
fn an_entry_that_cannot_stand_is_told_with_its_name_and_remedy() {
    let wrong = [
        serde_json::json!({"team": [{"name": "a", "parent": "b"}, {"name": "b", "parent": "c"}, {"name": "c", "parent": "b"}]}),
        serde_json::json!({"team": [{"name": "payments"}], "service": [{"name": "x", "team": "paymnets"}]}),
        serde_json::json!({"team": [{"name": "a"}, {"name": "a"}]}),
        serde_json::json!({"service": [{"name": "check out"}]}),
        serde_json::json!({"service": [{"name": "x", "path": "y"}]}),
    ];
    let told: Vec<String> = wrong.into_iter().map(|json| build(json).unwrap_err()).collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    [[team]] "a": its parents go in a circle through "b"; remove the parent of one of them
    [[service]] "x": team "paymnets" does not exist; did you mean "payments"? else add a [[team]] of that name
    [[team]] "a": there is one of that name in the settings already; rename or remove one of them
    [[service]] "check out": "check out" cannot be part of a URL; use 1 to 100 letters, digits and . _ -
    [[service]] "x": has a path but no repository; add repository = "host/owner/name"
    "#);
}

#[test]
fn an_unknown_key_is_an_error_that_names_it() {
    let error = serde_json::from_str::<CatalogSettings>(r#"{"team": [{"name": "a", "lead": "x"}]}"#).unwrap_err();
    assert!(error.to_string().contains("lead"), "{error}");
}

#[test]
fn settings_count_more_than_files_and_files_may_name_teams_that_nobody_describes() {
    let text = "kind: Component\nmetadata: {name: shop}\nspec: {owner: growth}\n---\n\
                kind: Component\nmetadata: {name: blog}\nspec: {owner: growth}";
    let file = CatalogFile { path: "catalog-info.yaml".into(), text: text.to_owned() };
    let own = settings(serde_json::json!({"team": [{"name": "web"}], "service": [{"name": "shop", "team": "web"}]}));
    let catalog = Catalog::build(&own, std::slice::from_ref(&file)).unwrap();
    let team = |service: &str| catalog.service(service).unwrap().team.clone();
    assert_eq!((team("shop").as_str(), team("blog").as_str()), ("web", "growth"));
    assert!(catalog.teams().any(|team| team.name == "growth"));

    let twice = Catalog::build(&CatalogSettings::default(), &[file.clone(), file]).unwrap_err();
    insta::assert_snapshot!(twice, @r#"catalog-info.yaml: service "shop": there is one of that name in catalog-info.yaml already; rename or remove one of them"#);
}

#[test]
fn a_change_touches_the_services_whose_paths_it_touches() {
    let catalog = shop();
    let touched = |of: &[&str]| names(catalog.services_touched("git.example/Acme/Shop", &paths(of)));
    assert_eq!(touched(&["services/checkout/src"]), ["checkout"]);
    assert_eq!(touched(&["services", "search"]), ["checkout", "search"]);
    assert_eq!(touched(&["README.md"]), ["shop"], "what belongs to none belongs to the whole");
    assert_eq!(touched(&[]), ["checkout", "search", "shop"], "unknown paths may be any");
}

#[test]
fn a_service_is_found_by_name_then_by_repository() {
    let catalog = shop();
    let of = |repository, service| catalog.service_of(repository, service, &BTreeSet::new()).map(ToString::to_string);
    assert_eq!(of(Some("git.example/acme/shop"), Some("Checkout")).as_deref(), Some("checkout"));
    assert_eq!(of(Some("git.example/acme/shop"), None).as_deref(), Some("shop"));
    assert_eq!(of(Some("git.example/acme/blog"), None), None);
}

#[test]
fn a_team_has_the_services_of_its_sub_teams() {
    let catalog = shop();
    let of = |team: &str| catalog.services_of(&Scope::Team(team.to_owned())).map(names);
    assert_eq!(of("commerce").unwrap(), ["checkout", "search"]);
    assert_eq!(of("payments").unwrap(), ["checkout"]);
    assert_eq!(of(UNASSIGNED).unwrap(), ["shop"]);
    insta::assert_snapshot!(of("comerce").unwrap_err(), @r#"no team "comerce"; did you mean "commerce"?"#);
}

#[test]
fn the_tier_follows_settings_then_the_sender_then_the_word() {
    let catalog = shop();
    assert_eq!(catalog.tier(Some("eu-1"), None), PRODUCTION);
    assert_eq!(catalog.tier(Some("prod-test"), Some(true)), "staging", "settings count most");
    assert_eq!(catalog.tier(Some("canary"), Some(true)), PRODUCTION);
    assert_eq!(catalog.tier(Some("Live"), Some(false)), PRODUCTION);
    assert_eq!(catalog.tier(Some("QA"), None), "qa");
    assert_eq!(catalog.tier(None, None), UNKNOWN_TIER);
}

#[test]
fn every_repository_has_a_service_and_a_new_one_never_renames_an_old() {
    let changed = |repository: &str| {
        let change = Change { repository: repository.to_owned(), ..Change::default() };
        (FactKey(format!("{repository}#1")), change)
    };
    let seen = |repository: &str, at: &str| (repository.to_owned(), at.parse().unwrap());
    let mut facts = Facts {
        changes: [changed("git.example/b/blog"), changed("git.example/acme/shop")].into(),
        first_seen: [seen("git.example/b/blog", "2026-02-01T00:00:00Z")].into(),
        ..Facts::default()
    };
    let names_of = |facts: &Facts| {
        let catalog = shop().completed(facts);
        let discovered = catalog.services().filter(|service| !service.in_catalog);
        discovered.map(|service| (service.name.to_string(), service.repository.clone().unwrap())).collect::<Vec<_>>()
    };
    let blog = ("blog".to_owned(), "git.example/b/blog".to_owned());
    assert_eq!(names_of(&facts), std::slice::from_ref(&blog));

    facts.changes.extend([changed("git.example/a/blog")]);
    facts.first_seen.extend([seen("git.example/a/blog", "2026-03-01T00:00:00Z")]);
    assert_eq!(names_of(&facts), [("a-blog".to_owned(), "git.example/a/blog".to_owned()), blog]);
}

#[test]
fn a_service_that_only_a_sender_names_lives_where_it_is_deployed_from() {
    let deployment = |service: &str| Deployment {
        repository: Some("git.example/acme/blog".to_owned()),
        service: Some(service.to_owned()),
        ..Deployment::default()
    };
    let mut facts = Facts::default();
    facts.deployments.insert(FactKey("1".into()), deployment("team/blog api"));
    let catalog = shop().completed(&facts);
    let found = |catalog: &Catalog, service| {
        catalog.service_of(Some("git.example/acme/blog"), service, &BTreeSet::new()).map(ToString::to_string)
    };
    assert_eq!(found(&catalog, Some("team/blog api")).as_deref(), Some("blog-api"));
    assert_eq!(found(&catalog, None).as_deref(), Some("blog-api"), "the only one there");

    facts.deployments.insert(FactKey("2".into()), deployment("feed"));
    let catalog = shop().completed(&facts);
    assert_eq!(found(&catalog, None).as_deref(), Some("blog"), "of several, none stands for the repository");
}

#[test]
fn a_team_is_talked_to_in_its_own_channel_or_in_that_of_the_team_above() {
    let catalog = build(serde_json::json!({"team": [
        {"name": "commerce", "channel": "#commerce", "namespaces": ["shop"]},
        {"name": "payments", "parent": "commerce"},
        {"name": "billing", "parent": "payments", "channel": "#billing"},
        {"name": "alone"},
    ]}))
    .unwrap();
    let channels = ["commerce", "payments", "billing", "alone", "nobody"].map(|team| catalog.channel_of(team));
    assert_eq!(channels, [Some("#commerce"), Some("#commerce"), Some("#billing"), None, None]);
    assert_eq!(catalog.team_of_namespace("shop"), Some("commerce"));
    assert_eq!(catalog.team_of_namespace("other"), None);
}
