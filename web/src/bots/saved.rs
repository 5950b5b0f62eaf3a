//! Toil saved by a bot for each team and week, counted from the events of what it performed.

use std::collections::{BTreeMap, HashMap};

use bus::data::Data;
use bus::event::Recorded;
use bus::query::Query;
use bus::streams::Search;
use chrono::{DateTime, Datelike, Days, NaiveDate, Utc};

use super::list::minutes;
use crate::api::ApiError;
use crate::explorer::row;
use crate::format;
use crate::site::App;
use crate::table::{Cell, Column, Table, Value};

/// Weeks that are shown: the current one and those before.
const WEEKS: u64 = 4;

/// What stands for a team where the catalog knows none.
const NOBODY: &str = "no team known";

/// Performed actions that are counted; a bot with more in four weeks is told so.
const ACTIONS_MAX: usize = 1_000;

/// What a bot saved, by week and team.
#[derive(Debug)]
pub(super) struct Saved {
    pub(super) table: Table,
    /// Set if there were more actions than are counted.
    pub(super) cut: bool,
}

/// Reads what a bot performed lately.
pub(super) async fn of(app: &App, bot: &str) -> Result<Saved, ApiError> {
    let now = (app.site.clock)();
    let text = format!("type:action.performed text:\"{bot}\" since:{}d", WEEKS * 7);
    let query = Query::parse(&text, now)?;
    let page = app.streams.search(Search { query, before: None, limit: ACTIONS_MAX }).await?;
    let view = (app.site.ledger)();
    let teams: HashMap<String, String> =
        view.services().into_iter().map(|service| (service.name, service.team)).collect();
    let zone = view.calendar().zone;
    let week = |at: DateTime<Utc>| monday(at.with_timezone(&zone).date_naive());
    Ok(Saved { table: table(bot, &page.events, &teams, week), cut: page.next.is_some() })
}

fn monday(day: NaiveDate) -> NaiveDate {
    day.checked_sub_days(Days::new(day.weekday().num_days_from_monday().into())).unwrap_or(day)
}

fn table(
    bot: &str,
    events: &[Recorded],
    teams: &HashMap<String, String>,
    week: impl Fn(DateTime<Utc>) -> NaiveDate,
) -> Table {
    let mut saved: BTreeMap<(std::cmp::Reverse<NaiveDate>, String), (u64, u64)> = BTreeMap::new();
    for recorded in events {
        let Data::Action(action) = &recorded.event.data else { continue };
        let Some(toil) = action.toil_minutes.filter(|minutes| *minutes > 0) else { continue };
        if action.bot.as_deref() != Some(bot) {
            continue;
        }
        let team = action.service.as_ref().and_then(|service| teams.get(service)).map_or(NOBODY, String::as_str);
        let entry = saved.entry((std::cmp::Reverse(week(recorded.event.time)), team.to_owned())).or_default();
        *entry = (entry.0 + u64::from(toil), entry.1 + 1);
    }
    let row =
        |((std::cmp::Reverse(monday), team), (toil, actions)): ((std::cmp::Reverse<NaiveDate>, String), (u64, u64))| {
            let next = monday.checked_add_days(Days::new(7)).unwrap_or(monday);
            let evidence = row::address(&format!("type:action.performed text:\"{bot}\" since:{monday} before:{next}"));
            let named = |name: String, words: String| Value::Named { name, words };
            vec![
                Cell::new(named(monday.to_string(), format!("from {}", format::day(monday)))),
                Cell::new(Value::Text(team)),
                Cell::new(named(toil.to_string(), minutes(toil))),
                Cell::linked(Value::Count(actions), evidence),
            ]
        };
    Table {
        name: "toil-saved".to_owned(),
        definition_version: None,
        columns: vec![
            Column::new("week", "Week"),
            Column::new("team", "Team"),
            Column::new("minutes", "Saved"),
            Column::new("actions", "Actions"),
        ],
        rows: saved.into_iter().map(row).collect(),
    }
}
