//! Reads Backstage catalog files: YAML of one or more entities, of which `Component` and `Group` matter here.
//!
//! Format: <https://backstage.io/docs/features/software-catalog/descriptor-format>. Users are read over: an owner
//! that is a person leaves the service unassigned, because no person may be held here.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::CatalogError;
use super::build::plain_repository;
use super::files::CatalogFile;
use super::settings::{ServiceSettings, TeamSettings};

/// Annotation that says where the source of an entity is: `url:https://host/owner/name/tree/main/path/`.
const SOURCE_LOCATION: &str = "backstage.io/source-location";

/// End of the forges' annotations that name a repository: `HOST/project-slug: owner/name`.
const PROJECT_SLUG: &str = "/project-slug";

/// Annotation of a group: where the team is talked to.
const CHANNEL: &str = "devhose.dev/channel";

/// Annotation of a group: namespaces of clusters whose workloads are the team's, separated by commas.
const NAMESPACES: &str = "devhose.dev/namespaces";

/// What a catalog file says that matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entity {
    /// A `Group`.
    Team(TeamSettings),
    /// A `Component`.
    Service(ServiceSettings),
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Document {
    kind: String,
    metadata: Metadata,
    spec: Spec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Metadata {
    name: String,
    title: Option<String>,
    annotations: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Spec {
    owner: Option<String>,
    parent: Option<String>,
    profile: Profile,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Profile {
    display_name: Option<String>,
}

/// The kind of a document, read first: the other fields of kinds that do not matter may have any shape.
#[derive(Debug, Deserialize)]
struct Kind {
    #[serde(default)]
    kind: String,
}

/// The teams and services of a catalog file, in order.
///
/// # Errors
/// If a document is not YAML, or not of the documented shape.
pub fn parse(file: &CatalogFile) -> Result<Vec<Entity>, CatalogError> {
    let mut entities = Vec::new();
    for (index, document) in serde_norway::Deserializer::from_str(&file.text).enumerate() {
        let malformed =
            |source| CatalogError::Yaml { path: file.path.display().to_string(), document: index + 1, source };
        let value = serde_norway::Value::deserialize(document).map_err(malformed)?;
        if value.is_null() {
            continue;
        }
        let Kind { kind } = serde_norway::from_value(value.clone()).map_err(malformed)?;
        if kind != "Component" && kind != "Group" {
            continue;
        }
        let document = serde_norway::from_value(value).map_err(malformed)?;
        entities.push(entity(document));
    }
    Ok(entities)
}

fn entity(document: Document) -> Entity {
    let Document { kind, metadata, spec } = document;
    if kind == "Group" {
        let title = spec.profile.display_name.or(metadata.title);
        let parent = spec.parent.as_deref().and_then(group_name);
        let annotation = |key: &str| metadata.annotations.get(key).map(String::as_str);
        let channel = annotation(CHANNEL).map(str::to_owned);
        let namespaces = annotation(NAMESPACES).unwrap_or_default().split([',', ' ']).filter(|name| !name.is_empty());
        let namespaces = namespaces.map(str::to_owned).collect();
        return Entity::Team(TeamSettings { name: metadata.name, title, parent, channel, namespaces });
    }
    let location = metadata.annotations.get(SOURCE_LOCATION).and_then(|location| source_location(location));
    let slug = metadata.annotations.iter().find_map(|(key, slug)| {
        let host = key.strip_suffix(PROJECT_SLUG)?;
        Some(plain_repository(&format!("{host}/{slug}")))
    });
    let (repository, path) = match (slug, location) {
        (Some(slug), Some((_, path))) => (Some(slug), path),
        (Some(slug), None) => (Some(slug), None),
        (None, Some((repository, path))) => (Some(repository), path),
        (None, None) => (None, None),
    };
    let team = spec.owner.as_deref().and_then(group_name);
    Entity::Service(ServiceSettings { name: metadata.name, title: metadata.title, team, repository, path })
}

/// The name in an entity reference `[kind:][namespace/]name`, if it is a group: the default kind of owners and parents.
fn group_name(reference: &str) -> Option<String> {
    let (kind, rest) = reference.split_once(':').unwrap_or(("group", reference));
    let name = rest.rsplit('/').next().unwrap_or(rest).trim();
    (kind.eq_ignore_ascii_case("group") && !name.is_empty()).then(|| name.to_owned())
}

/// Repository and path of a source location. A branch with a slash in its name cannot be told from a path.
fn source_location(location: &str) -> Option<(String, Option<String>)> {
    let url = location.strip_prefix("url:")?;
    let (_, rest) = url.split_once("://")?;
    let rest = rest.split(['?', '#']).next()?;
    let (repository, below) = match rest.split_once("/-/") {
        Some((repository, below)) => (repository.to_owned(), below.to_owned()),
        None => {
            let mut segments = rest.split('/').filter(|segment| !segment.is_empty());
            let repository: Vec<&str> = segments.by_ref().take(3).collect();
            (repository.join("/"), segments.collect::<Vec<_>>().join("/"))
        }
    };
    let mut below = below.split('/').filter(|segment| !segment.is_empty());
    let view = below.next();
    let _branch = below.next();
    let mut path: Vec<&str> = below.collect();
    if view == Some("blob") {
        path.pop();
    }
    let path = Some(path.join("/")).filter(|path| !path.is_empty());
    (repository.matches('/').count() >= 2).then(|| (plain_repository(&repository), path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Vec<Entity> {
        parse(&CatalogFile { path: "catalog-info.yaml".into(), text: text.to_owned() }).unwrap()
    }

    fn service(text: &str) -> ServiceSettings {
        match check(text).remove(0) {
            Entity::Service(service) => service,
            Entity::Team(team) => panic!("{team:?}"),
        }
    }

    #[test]
    fn components_and_groups_are_read_and_other_kinds_are_read_over() {
        let entities = check(
            r"
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: checkout
  title: Checkout
  annotations:
    github.com/project-slug: acme/shop
    backstage.io/source-location: url:https://github.com/acme/shop/tree/main/services/checkout/
  tags: [rust]
spec:
  type: service
  lifecycle: production
  owner: group:default/payments
  system: shop
---
apiVersion: backstage.io/v1alpha1
kind: System
metadata: {name: shop}
spec: {owner: payments, profile: [not, ours]}
---
apiVersion: backstage.io/v1alpha1
kind: Group
metadata:
  name: payments
  annotations: {devhose.dev/channel: '#payments', devhose.dev/namespaces: 'payments, billing'}
spec:
  type: team
  profile: {displayName: Payments, email: payments@example.com}
  parent: group:commerce
  children: []
---
",
        );
        let checkout = ServiceSettings {
            name: "checkout".into(),
            title: Some("Checkout".into()),
            team: Some("payments".into()),
            repository: Some("github.com/acme/shop".into()),
            path: Some("services/checkout".into()),
        };
        let payments = TeamSettings {
            name: "payments".into(),
            title: Some("Payments".into()),
            parent: Some("commerce".into()),
            channel: Some("#payments".into()),
            namespaces: vec!["payments".into(), "billing".into()],
        };
        assert_eq!(entities, [Entity::Service(checkout), Entity::Team(payments)]);
    }

    #[test]
    fn an_owner_that_is_a_person_is_not_held() {
        let text = "kind: Component\nmetadata: {name: a}\nspec: {owner: 'user:default/jane'}";
        assert_eq!(service(text).team, None);
        assert_eq!(service(&text.replace("user:default/jane", "guild/jane")).team.as_deref(), Some("jane"));
    }

    #[test]
    fn a_source_location_gives_repository_and_path() {
        let check = |location: &str| source_location(location).unwrap();
        let path = |path: &str| Some(path.to_owned());
        assert_eq!(check("url:https://h.io/acme/shop"), ("h.io/acme/shop".into(), None));
        assert_eq!(check("url:https://h.io/acme/shop/tree/main/"), ("h.io/acme/shop".into(), None));
        assert_eq!(check("url:https://h.io/a/shop/blob/main/x/catalog-info.yaml"), ("h.io/a/shop".into(), path("x")));
        assert_eq!(check("url:https://h.io/a/b/shop/-/tree/main/x/y/"), ("h.io/a/b/shop".into(), path("x/y")));
        assert_eq!(source_location("dir:./here"), None);
    }

    #[test]
    fn a_document_that_is_no_entity_is_named_by_its_number() {
        let file = CatalogFile { path: "catalog-info.yaml".into(), text: "kind: Group\n---\n- a\n".to_owned() };
        let error = parse(&file).unwrap_err();
        insta::assert_snapshot!(error, @"catalog file catalog-info.yaml, document 2 is not a catalog entity");
    }
}
