//! `/services`: all services by name, searchable.

use askama::Template;
use ledger::view::Service;

use crate::error::PageError;
use crate::format;
use crate::layout::{Layout, Tab};
use crate::pages::team::ROWS_MAX;
use crate::request::{Format, Reply, Request};
use crate::state::segment;
use crate::table::{Cell, Column, Shown, Table, Value};

#[derive(Debug, Template)]
#[template(path = "pages/services.html")]
struct Services {
    layout: Layout,
    query: String,
    found: String,
    table: Table,
    previous: Option<String>,
    next: Option<String>,
}

impl Services {
    fn shown(&self) -> Shown<'_> {
        Shown { table: &self.table, caption: "Services" }
    }
}

pub(crate) fn page(request: &Request) -> Result<Reply, PageError> {
    let asked = &request.asked;
    let query = asked.get("q").unwrap_or_default().to_owned();
    let all = request.view().services();
    let found: Vec<&Service> = all.iter().filter(|service| matches(service, &query)).collect();
    let number: usize = asked.get("page").and_then(|page| page.parse().ok()).unwrap_or(1).max(1);
    let pages = found.len().div_ceil(ROWS_MAX).max(1);
    let number = number.min(pages);
    let part = match request.format {
        Format::Html => found.chunks(ROWS_MAX).nth(number - 1).unwrap_or_default(),
        // An export has no pages.
        Format::Csv | Format::Json | Format::Svg => found.as_slice(),
    };
    let address = |number: usize| asked.with(&[("page", &number.to_string())]);
    let page = Services {
        layout: request.layout("Services", Tab::Services),
        found: words(found.len(), all.len(), &query, (number, pages)),
        query,
        table: table(request, part),
        previous: (number > 1).then(|| address(number - 1)),
        next: (number < pages).then(|| address(number + 1)),
    };
    request.reply(&page, &[&page.table])
}

/// True if every word of the query is in its names or its team's.
fn matches(service: &Service, query: &str) -> bool {
    let repository = service.repository.as_deref().unwrap_or_default();
    let text = format!("{} {} {} {repository}", service.name, service.title, service.team).to_lowercase();
    query.to_lowercase().split_whitespace().all(|word| text.contains(word))
}

fn words(found: usize, all: usize, query: &str, (number, pages): (usize, usize)) -> String {
    let mut words = if query.is_empty() {
        format!("{} by name", format::plural(all as u64, "service", "services"))
    } else {
        format!(
            "{} of {} match “{query}”",
            format::count(found as u64),
            format::plural(all as u64, "service", "services")
        )
    };
    if pages > 1 {
        words.push_str(&format!(" · page {number} of {pages}"));
    }
    words
}

fn table(request: &Request, services: &[&Service]) -> Table {
    let link = |path: String| request.asked.to_scope(&path);
    let row = |service: &&Service| {
        let name = Value::Named { name: service.name.clone(), words: service.title.clone() };
        let catalog = if service.in_catalog { "catalog" } else { "from its repository" };
        vec![
            Cell::linked(name, link(format!("/services/{}", segment(&service.name)))),
            Cell::linked(Value::Text(service.team.clone()), link(format!("/teams/{}", segment(&service.team)))),
            Cell::new(service.repository.clone().map_or(Value::Missing("–"), Value::Text)),
            Cell::new(service.first_event_at.map_or(Value::Missing("no event yet"), Value::Instant)),
            Cell::new(Value::Text(catalog.to_owned())),
        ]
    };
    Table {
        name: "services".to_owned(),
        definition_version: None,
        columns: vec![
            Column::new("service", "Service"),
            Column::new("team", "Team"),
            Column::new("repository", "Repository"),
            Column::new("first_event_at", "First event (UTC)"),
            Column::new("known_from", "Known from"),
        ],
        rows: services.iter().map(row).collect(),
    }
}
