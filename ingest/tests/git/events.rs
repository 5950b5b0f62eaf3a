//! What the deliveries of an import mean on the bus.

use std::collections::HashSet;

use bus::data::Data;
use bus::data::forge::Change;
use bus::data::runtime::Deployment;
use bus::delivery::{Delivery, NewDelivery};
use bus::event::Event;
use bus::ids::DeliveryOffset;
use bus::kind::Kind;
use ingest::backfill::git::Options;
use ingest::sender::{Unreadable, stamp};
use ingest::senders::git::GIT;

use crate::repository::{import, options};
use crate::told::shop;

fn normalize(content: NewDelivery) -> Result<Vec<Event>, Unreadable> {
    let delivery = Delivery { offset: DeliveryOffset(1), content, body_hash: [0; 32], chain_hash: [0; 32] };
    (GIT.normalize)(&delivery).map(|drafts| stamp(&delivery, drafts))
}

/// The events of the small history, as a clone of a repository on a forge would tell them.
fn events() -> Vec<Event> {
    let options = Options { repository: Some("github.com/Acme/Shop".to_owned()), ..options() };
    let import = import(&shop().path(), &options).unwrap();
    import.deliveries.into_iter().flat_map(|delivery| normalize(delivery).unwrap()).collect()
}

fn changes(events: &[Event]) -> Vec<Change> {
    let change = |event: &Event| if let Data::Change(change) = &event.data { Some((**change).clone()) } else { None };
    events.iter().filter_map(change).collect()
}

fn deployments(events: &[Event]) -> Vec<Deployment> {
    let deployment =
        |event: &Event| if let Data::Deployment(data) = &event.data { Some((**data).clone()) } else { None };
    events.iter().filter_map(deployment).collect()
}

#[test]
fn a_landed_commit_is_a_push_and_a_change_and_a_tag_is_a_release_and_a_deployment() {
    let events = events();
    let lines = events.iter().map(|event| {
        let sha = event.subject.len() == 40;
        let subject = if sha { "SHA" } else { &event.subject };
        format!("{} {} {subject} {} {}", event.kind, event.time.timestamp(), event.source, event.key)
    });
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @r#"
    commit.pushed 1000 SHA github.com/Acme/Shop github.com/Acme/Shop
    change.merged 1000 SHA github.com/Acme/Shop github.com/Acme/Shop
    commit.pushed 3000 SHA github.com/Acme/Shop github.com/Acme/Shop
    change.merged 3000 1 github.com/Acme/Shop github.com/Acme/Shop
    commit.pushed 4000 SHA github.com/Acme/Shop github.com/Acme/Shop
    change.merged 4000 2 github.com/Acme/Shop github.com/Acme/Shop
    commit.pushed 5000 SHA github.com/Acme/Shop github.com/Acme/Shop
    change.merged 5000 3 github.com/Acme/Shop github.com/Acme/Shop
    commit.pushed 6000 SHA github.com/Acme/Shop github.com/Acme/Shop
    change.merged 6000 SHA github.com/Acme/Shop github.com/Acme/Shop
    commit.pushed 7000 SHA github.com/Acme/Shop github.com/Acme/Shop
    change.merged 7000 4 github.com/Acme/Shop github.com/Acme/Shop
    release.published 3100 v1.0.0 github.com/Acme/Shop github.com/Acme/Shop
    service.deployed 3100 github.com/Acme/Shop/tags/v1.0.0 github.com/Acme/Shop github.com/Acme/Shop/production
    release.published 4000 v1.1.0-rc.1 github.com/Acme/Shop github.com/Acme/Shop
    release.published 7000 v1.1.0 github.com/Acme/Shop github.com/Acme/Shop
    service.deployed 7000 github.com/Acme/Shop/tags/v1.1.0 github.com/Acme/Shop github.com/Acme/Shop/production
    commit.pushed 8000 SHA github.com/Acme/Shop github.com/Acme/Shop
    release.published 8000 v1.0.1 github.com/Acme/Shop github.com/Acme/Shop
    service.deployed 8000 github.com/Acme/Shop/tags/v1.0.1 github.com/Acme/Shop github.com/Acme/Shop/production
    "#);
    assert_eq!(events.iter().map(|event| event.id).collect::<HashSet<_>>().len(), events.len());
}

#[test]
fn a_merged_change_carries_what_the_history_knows_and_nothing_else() {
    let changes = changes(&events());
    let merged = changes.iter().find(|change| change.number == Some(1)).unwrap();
    assert_eq!(merged.author.as_ref().unwrap().handle, "ada@example.org");
    assert_eq!(
        (merged.additions, merged.deletions, merged.files, merged.commits),
        (Some(2), Some(1), Some(2), Some(2))
    );
    assert_eq!(merged.first_commit_at.unwrap().timestamp(), 500);
    assert_eq!(merged.merged_at.unwrap().timestamp(), 3_000);
    assert!(!merged.direct);
    assert_eq!((merged.opened_at, merged.ready_at, &merged.url), (None, None, &None), "only a forge knows");
    let squashed = changes.iter().find(|change| change.number == Some(2)).unwrap();
    assert_eq!(squashed.commits, None, "how many were squashed is not in the history");
    assert!(squashed.first_commit_at > squashed.merged_at, "a clock that ran ahead is told as it ran");
}

#[test]
fn a_direct_push_is_kept_apart_and_has_no_size() {
    let changes = changes(&events());
    let direct: Vec<_> = changes.iter().filter(|change| change.direct).collect();
    assert_eq!(direct.len(), 2);
    assert!(
        direct.iter().all(|change| change.number.is_none() && change.additions.is_none() && change.files.is_none())
    );
}

#[test]
fn only_a_tag_that_matches_deploys() {
    let events = events();
    let deployments = deployments(&events);
    assert_eq!(deployments.len(), 3);
    let first = &deployments[0];
    assert_eq!(first.id, "github.com/Acme/Shop/tags/v1.0.0");
    assert_eq!(first.artifact, Some(format!("pkg:github/acme/shop@{}", first.sha.as_ref().unwrap())));
    assert_eq!((first.production, first.environment.as_deref()), (Some(true), Some("production")));
    let prereleases = events.iter().filter(|event| matches!(&event.data, Data::Release(release) if release.prerelease));
    assert_eq!(prereleases.map(|event| event.subject.as_str()).collect::<Vec<_>>(), ["v1.1.0-rc.1"]);
}

#[test]
fn commits_that_only_a_tag_reaches_are_a_push_to_no_branch() {
    let events = events();
    let pushes = events.iter().filter(|event| event.kind == Kind::CommitPushed);
    let branchless: Vec<_> = pushes
        .filter_map(|event| if let Data::Push(push) = &event.data { Some(push) } else { None })
        .filter(|push| push.branch.is_none())
        .collect();
    assert_eq!(branchless.len(), 1);
    assert_eq!(branchless[0].commits.len(), 1);
    assert!(branchless[0].commits[0].parents.as_ref().is_some_and(|parents| parents.len() == 1));
}

#[test]
fn a_body_of_another_form_is_refused_by_name() {
    let mut delivery = import(&shop().path(), &options()).unwrap().deliveries.remove(0);
    assert_eq!((GIT.delivery_id)(&http::HeaderMap::new(), &delivery.body), Some(delivery.delivery_id.clone()));
    let body = String::from_utf8(delivery.body).unwrap().replace("devhose.git/v1", "devhose.git/v9");
    delivery.body = body.into_bytes();
    insta::assert_snapshot!(normalize(delivery).unwrap_err(), @r#"the body is of the form "devhose.git/v9", not devhose.git/v1"#);
}
