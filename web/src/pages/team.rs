//! `/teams/{team}`: how the services of a team stand now.

use askama::Template;
use ledger::report::Scope;

use crate::error::PageError;
use crate::layout::{Layout, Tab};
use crate::pages::signals::{self, Signals, StatusRow};
use crate::request::{Reply, Request};
use crate::state::segment;
use crate::table::Table;

/// Rows of one page: more are slow to lay out.
pub(crate) const ROWS_MAX: usize = 200;

/// What stands over every page of a team.
#[derive(Debug)]
pub(crate) struct TeamHead {
    /// Name on the page.
    pub(crate) title: String,
    /// Its pages: name, address, whether it is this one.
    pub(crate) pages: Vec<(&'static str, String, bool)>,
}

#[derive(Debug, Template)]
#[template(path = "pages/team.html")]
struct TeamPage {
    layout: Layout,
    head: TeamHead,
    sentence: String,
    subtitle: String,
    rows: Vec<StatusRow>,
    hidden: usize,
    only_attention: bool,
    all: String,
    attention: String,
    table: Table,
}

impl TeamPage {
    fn signals(&self) -> Signals<'_> {
        Signals { rows: &self.rows }
    }
}

pub(crate) fn page(request: &Request) -> Result<Reply, PageError> {
    let team = request.parameter();
    let asked = request.asked_within(Scope::Team(team.to_owned()));
    let status =
        request.view().status(&asked.ask.scope, request.now).map_err(|error| PageError::asked(error, request))?;
    let only_attention = asked.get("only") == Some("attention");
    let shown = status.iter().filter(|status| !only_attention || signals::needs_attention(status));
    let rows: Vec<StatusRow> = shown.map(|status| signals::row(status, &asked, request.now)).collect();
    let head = head(request, "Now");
    let page = TeamPage {
        layout: request.layout(head.title.clone(), Tab::Teams),
        head,
        sentence: signals::sentence(&status, request.now),
        subtitle: request.data_through(),
        hidden: rows.len().saturating_sub(ROWS_MAX),
        rows: rows.into_iter().take(ROWS_MAX).collect(),
        only_attention,
        all: asked.with(&[("only", "")]),
        attention: asked.with(&[("only", "attention")]),
        table: signals::table(&status),
    };
    request.reply(&page, &[&page.table])
}

/// Title and pages of the team that the path names.
pub(crate) fn head(request: &Request, current: &str) -> TeamHead {
    let name = request.parameter();
    let title = request.view().teams().into_iter().find(|team| team.name == name).map(|team| team.title);
    let base = format!("/teams/{}", segment(name));
    let pages = [("Now", ""), ("Delivery", "/delivery"), ("Code", "/code")]
        .into_iter()
        .map(|(label, path)| (label, request.asked.to_scope(&format!("{base}{path}")), label == current));
    TeamHead { title: title.unwrap_or_else(|| name.to_owned()), pages: pages.collect() }
}
