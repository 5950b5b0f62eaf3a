//! Repositories that come, change and go.

use bus::data::Data;
use bus::data::forge;
use bus::kind::Kind;
use serde::Deserialize;

use super::payload::Repository;
use super::request::Request;
use crate::sender::Draft;

/// Actions after which a repository is the same one, changed. Actions that are not listed stay GitHub's own.
const MODIFICATIONS: &[&str] =
    &["archived", "edited", "privatized", "publicized", "renamed", "transferred", "unarchived"];

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Event {
    action: Option<String>,
    repository: Option<Repository>,
}

pub(super) fn repository(request: &Request<'_>) -> Option<Vec<Draft>> {
    let event: Event = request.parse()?;
    let place = request.place(event.repository)?;
    let repository = &place.repository;
    let (kind, time) = match event.action.as_deref()? {
        "created" => (Kind::RepositoryCreated, repository.created_at.0),
        "deleted" => (Kind::RepositoryDeleted, repository.updated_at.0),
        action if MODIFICATIONS.contains(&action) => (Kind::RepositoryModified, repository.updated_at.0),
        _ => return None,
    };
    let data = forge::Repository {
        repository: place.name.clone(),
        name: repository.name.clone(),
        owner: repository.owner.as_ref().and_then(|owner| owner.login.clone()),
        url: repository.clone_url.clone(),
        view_url: repository.html_url.clone(),
        default_branch: repository.default_branch.clone(),
        action: event.action,
    };
    Some(vec![place.draft(kind, place.name.clone(), time, Data::Repository(data))])
}
