//! `/services/{service}`: how one service stands, what happened to it lately, and its delivery metrics.

use askama::Template;
use ledger::report::Scope;
use ledger::view::{RecentDeployment, ServiceStatus, Signal};

use crate::error::PageError;
use crate::figure::Figure;
use crate::format;
use crate::layout::{Layout, Tab};
use crate::pages::delivery;
use crate::pages::filters::Filters;
use crate::pages::signals::{self, Signals, StatusRow};
use crate::request::{Reply, Request};
use crate::state::segment;
use crate::table::{Cell, Column, Shown, Table, Value};

mod kills;
mod slots;
#[cfg(test)]
mod tests;
mod timeline;

/// How many of the latest deployments are listed.
const DEPLOYMENTS: usize = 5;

#[derive(Debug, Template)]
#[template(path = "pages/service.html")]
struct ServicePage {
    layout: Layout,
    title: String,
    team: String,
    team_href: String,
    lives_in: String,
    subtitle: String,
    rows: Vec<StatusRow>,
    timeline: timeline::Timeline,
    kills: kills::Kills,
    deployments: Table,
    filters: Filters,
    figures: Vec<Figure>,
}

impl ServicePage {
    fn signals(&self) -> Signals<'_> {
        Signals { rows: &self.rows }
    }

    fn shown(&self) -> Shown<'_> {
        Shown { table: &self.deployments, caption: "Latest deployments" }
    }
}

pub(crate) fn page(request: &Request) -> Result<Reply, PageError> {
    let name = request.parameter();
    let asked = request.asked_within(Scope::Service(name.to_owned()));
    let refused = |error| PageError::asked(error, request);
    let status = request.view().status(&asked.ask.scope, request.now).map_err(refused)?;
    let latest = request.view().recent_deployments(&asked.ask.scope, DEPLOYMENTS).map_err(refused)?;
    let service = request.view().services().into_iter().find(|service| service.name == name);
    let team = service.as_ref().map(|service| service.team.clone()).unwrap_or_default();
    let lives_in = service.as_ref().and_then(|service| {
        let repository = service.repository.clone()?;
        Some(service.path.as_ref().map_or(repository.clone(), |path| format!("{repository}, {path}")))
    });
    let title = service.map_or_else(|| name.to_owned(), |service| service.title);
    let timeline = timeline::of(request, name, told(&status))?;
    let page = ServicePage {
        layout: request.layout(title.clone(), Tab::Services),
        title,
        team_href: asked.to_scope(&format!("/teams/{}", segment(&team))),
        team,
        lives_in: lives_in.unwrap_or_default(),
        subtitle: request.subtitle(&asked),
        rows: status.iter().map(|status| signals::row(status, &asked, request.now)).collect(),
        kills: kills::of(request, &timeline),
        timeline,
        deployments: deployments(request, &latest),
        filters: Filters::of_time(&asked),
        figures: delivery::figures(request, &asked)?,
    };
    let first = [&page.timeline.table, &page.kills.reasons, &page.kills.listed, &page.deployments];
    let tables: Vec<&Table> = first.into_iter().chain(page.figures.iter().map(|figure| &figure.table)).collect();
    request.reply(&page, &tables)
}

/// Which lanes of the timeline somebody would have told about.
fn told(status: &[ServiceStatus]) -> timeline::Told {
    let configured = |signal: fn(&ServiceStatus) -> &Signal| {
        status.iter().any(|status| !matches!(signal(status), Signal::NotConfigured))
    };
    timeline::Told {
        deployments: configured(|status| &status.deployment),
        incidents: configured(|status| &status.runtime),
    }
}

fn deployments(request: &Request, latest: &[RecentDeployment]) -> Table {
    let zone = request.asked.ask.window.calendar.zone;
    let text = |value: &Option<String>| value.clone().map_or(Value::Missing("–"), Value::Text);
    let row = |deployment: &RecentDeployment| {
        let finished = Value::Named {
            name: Value::Instant(deployment.finished_at).raw(),
            words: format!(
                "{}, {}",
                format::minute(deployment.finished_at, zone),
                format::ago(deployment.finished_at, request.now)
            ),
        };
        let sha = deployment.sha.as_ref().map(|sha| sha.chars().take(10).collect::<String>());
        vec![
            Cell::linked(finished, format!("/events/{}", deployment.event)),
            Cell::new(Value::Text(deployment.outcome.to_owned())),
            Cell::new(Value::Text(deployment.kind.to_owned())),
            Cell::new(Value::Text(deployment.environment.clone())),
            Cell::new(text(&deployment.version)),
            Cell::new(text(&sha)),
            Cell::new(deployment.changes.map_or(Value::Missing("unknown"), Value::Count)),
        ]
    };
    Table {
        name: "latest-deployments".to_owned(),
        definition_version: None,
        columns: vec![
            Column::new("finished_at", "Finished"),
            Column::new("outcome", "Outcome"),
            Column::new("kind", "Kind"),
            Column::new("environment", "Environment"),
            Column::new("version", "Version"),
            Column::new("commit", "Commit"),
            Column::new("changes", "Changes"),
        ],
        rows: latest.iter().map(row).collect(),
    }
}
