//! `/teams`: all teams by name, with how many of their services need attention. No metric can be compared here.

use askama::Template;
use ledger::report::Scope;

use crate::error::PageError;
use crate::format;
use crate::layout::{Layout, Tab};
use crate::pages::signals;
use crate::request::{Reply, Request};
use crate::state::segment;
use crate::table::{Cell, Column, Shown, Table, Value};

#[derive(Debug, Template)]
#[template(path = "pages/teams.html")]
struct Teams {
    layout: Layout,
    through: String,
    table: Table,
}

impl Teams {
    fn shown(&self) -> Shown<'_> {
        Shown { table: &self.table, caption: "Teams" }
    }
}

pub(crate) fn page(request: &Request) -> Result<Reply, PageError> {
    let mut teams = request.view().teams();
    teams.sort_by_key(|team| team.title.to_lowercase());
    let mut rows = Vec::with_capacity(teams.len());
    for team in teams {
        let path = format!("/teams/{}", segment(&team.name));
        let status = request
            .view()
            .status(&Scope::Team(team.name.clone()), request.now)
            .map_err(|error| PageError::asked(error, request))?;
        let attention = status.iter().filter(|status| signals::needs_attention(status)).count() as u64;
        rows.push(vec![
            Cell::linked(Value::Named { name: team.name, words: team.title }, request.asked.to_scope(&path)),
            Cell::new(team.parent.map_or(Value::Missing("–"), Value::Text)),
            Cell::linked(Value::Count(team.services.len() as u64), request.asked.to_scope(&path)),
            Cell::linked(Value::Count(attention), format!("{path}?only=attention")),
        ]);
    }
    let table = Table {
        name: "teams".to_owned(),
        definition_version: None,
        columns: vec![
            Column::new("team", "Team"),
            Column::new("part_of", "Part of"),
            Column::new("services", "Services"),
            Column::new("failing_or_silent", "Failing or silent"),
        ],
        rows,
    };
    let count = format::plural(table.rows.len() as u64, "team", "teams");
    let through = request.data_through();
    let page =
        Teams { layout: request.layout("Teams", Tab::Teams), through: format!("{count} by name · {through}"), table };
    request.reply(&page, &[&page.table])
}
