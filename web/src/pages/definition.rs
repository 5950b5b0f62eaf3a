//! `/docs/metrics/{metric}`: what a metric counts, in words, and how its figures are to be read.

use askama::Template;
use ledger::report::{Definition, Unit};
use ledger::view::AskError;

use crate::error::PageError;
use crate::layout::{Layout, Tab};
use crate::request::{Reply, Request};

#[derive(Debug, Template)]
#[template(path = "pages/definition.html")]
struct DefinitionPage {
    layout: Layout,
    definition: Definition,
    reading: &'static [&'static str],
    others: Vec<Definition>,
}

pub(crate) fn page(request: &Request) -> Result<Reply, PageError> {
    let name = request.parameter();
    let (found, others): (Vec<_>, Vec<_>) = request.view().definitions().into_iter().partition(|one| one.name == name);
    let Some(definition) = found.into_iter().next() else {
        return Err(PageError::asked(AskError::NoMetric(name.to_owned()), request));
    };
    let page = DefinitionPage {
        layout: request.layout(definition.title, Tab::None),
        reading: reading(definition.unit),
        definition,
        others,
    };
    request.reply(&page, &[])
}

fn reading(unit: Unit) -> &'static [&'static str] {
    match unit {
        Unit::Count => &[
            "A true zero is written as 0; a period without any data is an empty slot and says so.",
            "The routine range is the mean ± 2.66 × the mean moving range of complete periods, from twelve periods on. A \
             run of eight on one side of the mean begins a new range.",
            "The period that holds now is hatched and is in no median, range or comparison.",
        ],
        Unit::Seconds | Unit::Lines => &[
            "Percentiles are interpolated between order statistics (type 7). Means are never shown.",
            "From ten on: median, 75 % and 90 %. From five to nine: the median alone. Below five: each one as a dot.",
            "The axis is logarithmic and no outlier is dropped: a median needs no trimming.",
            "A negative duration is left out and counted as such, never set to zero.",
        ],
        Unit::Ratio => &[
            "Always k of n, with the 95 % Wilson interval.",
            "Fewer than ten are too few to compare; they are drawn as open dots.",
        ],
    }
}
