//! `/`: the North Star, successful deployments per week; or the first steps while there is no data.

use std::sync::Arc;

use askama::Template;

use crate::error::PageError;
use crate::figure::{Figure, compose};
use crate::layout::{Layout, Tab};
use crate::pages::filters::Filters;
use crate::request::{Format, Reply, Request};
use crate::site::FirstSteps;

/// The metric of this page.
pub(crate) const METRIC: &str = "successful-deployments";

#[derive(Debug, Template)]
#[template(path = "pages/home.html")]
struct Home {
    layout: Layout,
    subtitle: String,
    filters: Filters,
    figure: Figure,
}

#[derive(Debug, Template)]
#[template(path = "pages/first_run.html")]
struct FirstRun {
    layout: Layout,
    steps: Arc<FirstSteps>,
}

pub(crate) fn page(request: &Request) -> Result<Reply, PageError> {
    if request.view().data_through().is_none() && request.format == Format::Html {
        let steps = Arc::clone(&request.first_steps);
        return request.reply(&FirstRun { layout: request.layout("First steps", Tab::NorthStar), steps }, &[]);
    }
    let asked = &request.asked;
    let report = request.view().report(METRIC, &asked.ask).map_err(|error| PageError::asked(error, request))?;
    let figure = compose::over_time(request, asked, "north-star", &report);
    if request.format == Format::Svg {
        return super::metric::chart(request, &figure);
    }
    let page = Home {
        layout: request.layout("Successful deployments", Tab::NorthStar),
        subtitle: request.subtitle(asked),
        filters: Filters::of_time_and_team(request, asked),
        figure,
    };
    request.reply(&page, &[&page.figure.table])
}
