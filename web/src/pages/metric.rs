//! `/metrics/{metric}`: one metric at full width, over any scope.

use askama::Template;

use crate::error::PageError;
use crate::figure::{Body, Figure, compose};
use crate::layout::{Layout, Tab};
use crate::pages::filters::Filters;
use crate::request::{Format, Reply, Request};

#[derive(Debug, Template)]
#[template(path = "pages/metric.html")]
struct Metric {
    layout: Layout,
    title: &'static str,
    text: &'static str,
    subtitle: String,
    filters: Filters,
    figures: Vec<Figure>,
    /// The other metrics, over the same scope and time.
    others: Vec<(&'static str, String)>,
}

pub(crate) fn page(request: &Request) -> Result<Reply, PageError> {
    let asked = &request.asked;
    let name = request.parameter();
    let report = request.view().report(name, &asked.ask).map_err(|error| PageError::asked(error, request))?;
    let mut figures = vec![compose::over_time(request, asked, "time", &report)];
    if !report.groups.is_empty() {
        figures.push(compose::by_group(request, asked, "groups", &report, compose::categories_of(name)));
    }
    if request.format == Format::Svg {
        let figure = figures.first().ok_or(PageError::Cut)?;
        return chart(request, figure);
    }
    let definitions = request.view().definitions();
    let others = definitions.iter().filter(|definition| definition.name != report.definition.name);
    let page = Metric {
        layout: request.layout(report.definition.title, Tab::None),
        title: report.definition.title,
        text: report.definition.text,
        subtitle: request.subtitle(asked),
        filters: Filters::of_time_and_team(request, asked),
        others: others.map(|other| (other.title, asked.to(&format!("/metrics/{}", other.name)))).collect(),
        figures,
    };
    let tables: Vec<_> = page.figures.iter().map(|figure| &figure.table).collect();
    request.reply(&page, &tables)
}

/// A figure as a file of its own.
pub(crate) fn chart(request: &Request, figure: &Figure) -> Result<Reply, PageError> {
    match &figure.body {
        Body::Chart { wide, .. } => request.chart(&figure.title, &figure.summary, wide),
        Body::Nothing(_) => Err(PageError::NotFound { kind: "chart", name: figure.title.clone(), meant: None }),
    }
}
