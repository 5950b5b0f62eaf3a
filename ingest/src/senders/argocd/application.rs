//! An application, as the templates describe it: where it runs, what it is made of, and what its operation did.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use crate::senders::image::Image;
use crate::senders::reading::{filled, instant_of, is_sha, repository_at};

/// Labels that name the service, the best first.
const SERVICE_LABELS: &[&str] = &["app.kubernetes.io/name", "backstage.io/kubernetes-id"];

/// Labels that name the environment, the best first.
const ENVIRONMENT_LABELS: &[&str] = &["environment", "env", "app.kubernetes.io/environment"];

/// What Argo CD calls the cluster that it runs in itself.
const OWN_CLUSTER: &str = "in-cluster";

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Application {
    application: Option<Named>,
    destination: Option<Destination>,
    sources: Option<Vec<Source>>,
    images: Option<Vec<String>>,
    pub(super) health: Option<Health>,
    pub(super) operation: Option<Operation>,
    history: Option<Vec<Deployed>>,
    /// What Argo CD has notified of, as it notes it on the application.
    pub(super) notified: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Named {
    name: Option<String>,
    labels: Option<BTreeMap<String, Value>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Destination {
    name: Option<String>,
    namespace: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Source {
    #[serde(rename = "repoURL")]
    repo_url: Option<String>,
    chart: Option<String>,
    target_revision: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Health {
    status: Option<String>,
    pub(super) message: Option<String>,
    last_transition_time: Option<String>,
}

/// A sync, done or under way.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Operation {
    pub(super) phase: Option<String>,
    pub(super) message: Option<String>,
    pub(super) started_at: Option<String>,
    pub(super) finished_at: Option<String>,
    dry_run: bool,
    /// Only some resources were chosen.
    partial: bool,
    #[serde(flatten)]
    content: Content,
}

/// What was deployed once.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Deployed {
    id: Option<i64>,
    #[serde(flatten)]
    content: Content,
}

/// What an operation deploys: two of the same content are the same.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Content {
    revision: Option<String>,
    /// One for each source, where there are several.
    revisions: Option<Vec<String>>,
    /// The hash of the sources with all their parameters.
    source: Option<String>,
}

/// Where a deployment leads, by the history of the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing new is deployed.
    Nothing,
    /// Nothing was deployed before.
    First,
    /// To what was not deployed lately.
    Forward,
    /// To what was deployed before the previous.
    Back,
}

/// The revision that was deployed, in the words that go with its source.
#[derive(Debug, Default)]
pub(super) struct Revision {
    pub(super) sha: Option<String>,
    /// Branch or tag.
    pub(super) git_ref: Option<String>,
    /// Version of a chart.
    pub(super) chart: Option<String>,
}

impl Application {
    pub(super) fn name(&self) -> Option<String> {
        self.application.as_ref()?.name.clone()
    }

    fn label(&self, names: &[&str]) -> Option<String> {
        let labels = self.application.as_ref()?.labels.as_ref()?;
        names.iter().find_map(|name| filled(labels.get(*name)?.as_str().map(str::to_owned)))
    }

    /// The service that is deployed, by its label or else the application's name.
    pub(super) fn service(&self) -> Option<String> {
        self.label(SERVICE_LABELS).or_else(|| filled(self.name()))
    }

    /// Where it is deployed, by its label or else the cluster or the namespace.
    pub(super) fn environment(&self) -> Option<String> {
        let destination = || {
            let destination = self.destination.as_ref()?;
            let cluster = filled(destination.name.clone()).filter(|name| name != OWN_CLUSTER);
            cluster.or_else(|| filled(destination.namespace.clone()))
        };
        self.label(ENVIRONMENT_LABELS).or_else(destination)
    }

    /// Sources with the revision of each, the first that is a repository of git before charts.
    fn revisions(&self) -> impl Iterator<Item = (&Source, Option<&String>)> {
        let content = self.operation.as_ref().map(|operation| &operation.content);
        let several = content.and_then(|content| content.revisions.as_ref()).filter(|revisions| !revisions.is_empty());
        let one = content.and_then(|content| content.revision.as_ref()).filter(|revision| !revision.is_empty());
        let sources = self.sources.iter().flatten().enumerate();
        sources.map(move |(index, source)| match several {
            Some(revisions) => (source, revisions.get(index)),
            None => (source, one.filter(|_| index == 0)),
        })
    }

    fn is_git((source, _): &(&Source, Option<&String>)) -> bool {
        source.chart.as_ref().is_none_or(String::is_empty)
    }

    /// `host/owner/name` of the repository that the application is made from; often one of configuration only.
    pub(super) fn repository(&self) -> Option<String> {
        self.revisions().filter(Self::is_git).find_map(|(source, _)| repository_at(source.repo_url.as_deref()?))
    }

    pub(super) fn revision(&self) -> Revision {
        let git = self.revisions().find(Self::is_git);
        let sha = git.and_then(|(_, revision)| revision).filter(|revision| is_sha(revision)).cloned();
        let git_ref = git.and_then(|(source, _)| filled(source.target_revision.clone()));
        let chart = self.revisions().find(|source| !Self::is_git(source));
        Revision {
            sha,
            git_ref: git_ref.filter(|git_ref| git_ref != "HEAD" && !is_sha(git_ref)),
            chart: chart.and_then(|(_, revision)| filled(revision.cloned())),
        }
    }

    /// The image of the service: the only one, or else the one that is called like the service.
    pub(super) fn image(&self) -> Option<Image<'_>> {
        let images: Vec<Image<'_>> = self.images.iter().flatten().filter_map(|image| Image::parse(image)).collect();
        if let [only] = images.as_slice() {
            return Some(*only);
        }
        let service = self.service()?;
        let mut own = images.into_iter().filter(|image| image.name().eq_ignore_ascii_case(&service));
        // Two while one replaces the other: which is which cannot be told.
        own.next().filter(|_| own.next().is_none())
    }

    /// Where the operation leads.
    pub(super) fn step(&self) -> Step {
        let Some(operation) = &self.operation else { return Step::Nothing };
        if operation.dry_run || operation.partial {
            return Step::Nothing;
        }
        let mut history: Vec<&Deployed> = self.history.iter().flatten().collect();
        history.sort_by_key(|deployed| deployed.id);
        // A sync that succeeded stands in the history already, as its last.
        if operation.phase.as_deref() == Some("Succeeded")
            && history.last().is_some_and(|last| last.content == operation.content)
        {
            history.pop();
        }
        match history.split_last() {
            None => Step::First,
            Some((previous, _)) if previous.content == operation.content => Step::Nothing,
            Some((_, earlier)) if earlier.iter().any(|deployed| deployed.content == operation.content) => Step::Back,
            Some(_) => Step::Forward,
        }
    }

    /// When its health last changed; Argo CD before 2.14 does not tell, so that its operation serves.
    pub(super) fn changed_at(&self) -> Option<String> {
        let health = self.health.as_ref().and_then(|health| filled(health.last_transition_time.clone()));
        health.or_else(|| filled(self.operation.as_ref()?.started_at.clone()))
    }

    /// Since when it is healthy, if Argo CD tells.
    pub(super) fn healthy_since(&self) -> Option<DateTime<Utc>> {
        let health = self.health.as_ref().filter(|health| health.status.as_deref() == Some("Healthy"))?;
        instant_of(health.last_transition_time.as_ref())
    }
}
