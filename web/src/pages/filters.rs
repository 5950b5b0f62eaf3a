//! The row of filters over a page of metrics: links for time, a form for the team. All of it is in the address.

use askama::Template;
use ledger::window::Grain;

use crate::request::Request;
use crate::state::Asked;

/// Ranges that are one click away; any other can be written into the address.
const RANGES: [(&str, &str); 4] = [("13w", "13 weeks"), ("26w", "26 weeks"), ("52w", "52 weeks"), ("104w", "2 years")];

const GRAINS: [(&str, &str, Grain); 3] =
    [("day", "Day", Grain::Day), ("week", "Week", Grain::Week), ("month", "Month", Grain::Month)];

/// The filters of a page.
#[derive(Debug, Template)]
#[template(path = "filters.html")]
pub(crate) struct Filters {
    ranges: Vec<Choice>,
    grains: Vec<Choice>,
    frozen: Option<String>,
    /// Where the form of the team goes, if the page has one.
    path: String,
    teams: Vec<(String, bool)>,
    /// Keys that the form keeps.
    kept: Vec<(String, String)>,
}

#[derive(Debug)]
struct Choice {
    name: &'static str,
    href: String,
    current: bool,
}

impl Filters {
    /// Time alone: for pages whose path names the scope.
    pub(crate) fn of_time(asked: &Asked) -> Self {
        let range = asked.range.words_in_address();
        let ranges = RANGES.iter().map(|(value, name)| Choice {
            name,
            href: asked.with(&[("range", value), ("from", ""), ("to", "")]),
            current: range == *value,
        });
        let grains = GRAINS.iter().map(|(value, name, grain)| Choice {
            name,
            href: asked.with(&[("grain", value)]),
            current: asked.ask.window.grain == *grain,
        });
        Self {
            ranges: ranges.collect(),
            grains: grains.collect(),
            frozen: asked.frozen(),
            path: asked.path.clone(),
            teams: Vec::new(),
            kept: Vec::new(),
        }
    }

    /// Time and team.
    pub(crate) fn of_time_and_team(request: &Request, asked: &Asked) -> Self {
        let chosen = asked.get("team");
        let teams = request.view().teams().into_iter().map(|team| {
            let is_chosen = chosen == Some(team.name.as_str());
            (team.name, is_chosen)
        });
        let kept = asked.pairs.iter().filter(|(key, _)| !["team", "service", "repo"].contains(&key.as_str()));
        Self { teams: teams.collect(), kept: kept.cloned().collect(), ..Self::of_time(asked) }
    }
}
