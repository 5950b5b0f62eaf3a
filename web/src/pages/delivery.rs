//! `/teams/{team}/delivery`: the delivery metrics of a team, under each other on one time axis.

use askama::Template;
use ledger::report::Scope;

use crate::error::PageError;
use crate::figure::{Figure, compose};
use crate::format;
use crate::layout::{Layout, Tab};
use crate::pages::filters::Filters;
use crate::pages::team::{self, TeamHead};
use crate::request::{Reply, Request};
use crate::state::Asked;

/// The metrics of this page, in its order.
pub(crate) const METRICS: [&str; 4] = ["successful-deployments", "lead-time", "change-failure-rate", "time-to-restore"];

#[derive(Debug, Template)]
#[template(path = "pages/figures.html")]
struct Delivery {
    layout: Layout,
    head: TeamHead,
    subtitle: String,
    filters: Filters,
    introduction: &'static str,
    figures: Vec<Figure>,
}

pub(crate) fn page(request: &Request) -> Result<Reply, PageError> {
    let asked = request.asked_within(Scope::Team(request.parameter().to_owned()));
    let head = team::head(request, "Delivery");
    let page = Delivery {
        layout: request.layout(format!("{}: delivery", head.title), Tab::Teams),
        head,
        subtitle: request.subtitle(&asked),
        filters: Filters::of_time(&asked),
        introduction: "Rules for what counts as a deployment, as production and as a failure are the organisation's own; \
                       each figure states the rule it follows under “Where this comes from”.",
        figures: figures(request, &asked)?,
    };
    let tables: Vec<_> = page.figures.iter().map(|figure| &figure.table).collect();
    request.reply(&page, &tables)
}

/// The figures of a scope.
pub(crate) fn figures(request: &Request, asked: &Asked) -> Result<Vec<Figure>, PageError> {
    let mut figures = Vec::new();
    for metric in METRICS {
        let Some(report) = compose::report(request, asked, metric)? else { continue };
        let mut figure = compose::over_time(request, asked, metric, &report);
        figure.notes.extend(waiting(&report.notes));
        figures.push(figure);
    }
    Ok(figures)
}

/// Changes that wait for a deployment and incidents that are open: a median does not show them.
fn waiting(notes: &[(&'static str, f64)]) -> Option<String> {
    let value = |name: &str| notes.iter().find(|(note, _)| *note == name).map(|(_, value)| *value);
    let count = |name: &str| value(name).filter(|count| *count > 0.0).map(format::decimal);
    if let Some(waiting) = count("waiting now") {
        let oldest =
            value("oldest waiting seconds").map(|seconds| format!(", the oldest for {}", format::duration(seconds)));
        return Some(format!("Merged and not yet deployed: {waiting}{}.", oldest.unwrap_or_default()));
    }
    let open = count("open")?;
    let longest = value("longest open seconds, at least");
    let longest = longest.map(|seconds| format!(", the longest for at least {}", format::duration(seconds)));
    Some(format!("Open now: {open}{}.", longest.unwrap_or_default()))
}
