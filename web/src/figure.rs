//! One figure of a page: title, headline, chart in two sizes, the same data as a table, and where the numbers come from.

use askama::Template;

use crate::charts::{Drawing, Inline};
use crate::table::{Shown, Table};

pub(crate) mod compose;
pub(crate) mod headline;
pub(crate) mod so_far;
pub(crate) mod tables;

/// A figure.
#[derive(Debug, Template)]
#[template(path = "figure.html")]
pub(crate) struct Figure {
    /// Unique within the page; ids of patterns and labels begin with it.
    pub(crate) id: String,
    /// Title, with the unit.
    pub(crate) title: String,
    /// The metric's own page.
    pub(crate) href: Option<String>,
    /// The numbers that are read first.
    pub(crate) headline: Vec<Kpi>,
    /// What is drawn, or why nothing is.
    pub(crate) body: Body,
    /// One sentence that describes the drawing.
    pub(crate) summary: String,
    /// Further sentences below the chart.
    pub(crate) notes: Vec<String>,
    /// The same data.
    pub(crate) table: Table,
    /// Where the numbers come from.
    pub(crate) provenance: Provenance,
}

/// What is drawn.
#[derive(Debug)]
pub(crate) enum Body {
    /// A chart for wide and for narrow screens.
    Chart {
        /// From 720 px on.
        wide: Drawing,
        /// Below.
        narrow: Drawing,
    },
    /// Nothing, and why.
    Nothing(String),
}

/// One number that is read first.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Kpi {
    /// What it is: `last complete week`.
    pub(crate) name: String,
    /// The number in words: `61`.
    pub(crate) value: String,
    /// The number in exports, if it has one.
    pub(crate) raw: String,
    /// What it is measured against, or how many it rests on.
    pub(crate) beside: String,
    /// Its evidence.
    pub(crate) href: Option<String>,
}

/// Where numbers come from.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Provenance {
    /// The definition in words.
    pub(crate) text: String,
    /// Its version.
    pub(crate) version: u32,
    /// What was counted and what was left out, in sentences.
    pub(crate) counted: Vec<String>,
    /// `data through …`
    pub(crate) data_through: String,
    /// The definition's own page.
    pub(crate) docs: String,
    /// The same numbers in other forms: name and address.
    pub(crate) forms: Vec<(&'static str, String)>,
    /// The command that prints the same numbers.
    pub(crate) command: String,
}

impl Figure {
    fn has_chart(&self) -> bool {
        matches!(self.body, Body::Chart { .. })
    }

    fn inline<'a>(&'a self, drawing: &'a Drawing) -> Inline<'a> {
        Inline { figure: &self.id, drawing }
    }

    fn shown(&self) -> Shown<'_> {
        Shown { table: &self.table, caption: &self.title }
    }
}
