//! The numbers of a page as tables: one table is what the page shows, what `.csv` holds and what `.json` holds.

use askama::Template;
use chrono::{DateTime, Utc};

use crate::format;

/// A table.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Table {
    /// Name in exports: `successful-deployments`.
    pub(crate) name: String,
    /// Version of the definition behind it, where there is one.
    pub(crate) definition_version: Option<u32>,
    /// Its columns.
    pub(crate) columns: Vec<Column>,
    /// Its rows; each has as many cells as there are columns.
    pub(crate) rows: Vec<Vec<Cell>>,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    /// Name in exports: `p50_seconds`.
    pub(crate) key: String,
    /// Name on the page.
    pub(crate) title: String,
    /// True if only exports have it.
    pub(crate) export_only: bool,
}

/// A cell.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cell {
    /// What it holds.
    pub(crate) value: Value,
    /// Where its evidence is.
    pub(crate) href: Option<String>,
}

/// What a cell holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// Words.
    Text(String),
    /// A name in exports, and in words.
    Named {
        /// In exports.
        name: String,
        /// On the page.
        words: String,
    },
    /// How many.
    Count(u64),
    /// How long.
    Seconds(f64),
    /// Which part, 0 to 1.
    Share(f64),
    /// Any other number.
    Number(f64),
    /// When.
    Instant(DateTime<Utc>),
    /// Nothing, and why, in words.
    Missing(&'static str),
}

impl Column {
    /// A column of page and exports.
    pub(crate) fn new(key: impl Into<String>, title: impl Into<String>) -> Self {
        Self { key: key.into(), title: title.into(), export_only: false }
    }

    /// A column of exports alone.
    pub(crate) fn export_only(key: &str) -> Self {
        Self { key: key.to_owned(), title: String::new(), export_only: true }
    }
}

impl Cell {
    /// A cell without a link.
    pub(crate) fn new(value: Value) -> Self {
        Self { value, href: None }
    }

    /// A cell with a link.
    pub(crate) fn linked(value: Value, href: String) -> Self {
        Self { value, href: Some(href) }
    }
}

impl Value {
    /// As it reads on a page.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Text(text) | Self::Named { words: text, .. } => text.clone(),
            Self::Count(count) => format::count(*count),
            Self::Seconds(seconds) => format::duration(*seconds),
            Self::Share(share) => format::percent(*share),
            Self::Number(number) => format::decimal(*number),
            Self::Instant(at) => at.format("%-d %b %Y %H:%M").to_string(),
            Self::Missing(why) => (*why).to_owned(),
        }
    }

    /// As it stands in exports; empty if it is missing.
    pub(crate) fn raw(&self) -> String {
        match self {
            Self::Text(text) | Self::Named { name: text, .. } => text.clone(),
            Self::Count(count) => count.to_string(),
            Self::Seconds(number) | Self::Share(number) | Self::Number(number) => number.to_string(),
            Self::Instant(at) => at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            Self::Missing(_) => String::new(),
        }
    }

    /// True if it is a number.
    pub(crate) fn is_number(&self) -> bool {
        match self {
            Self::Count(_) | Self::Seconds(_) | Self::Share(_) | Self::Number(_) | Self::Missing(_) => true,
            Self::Text(_) | Self::Named { .. } | Self::Instant(_) => false,
        }
    }
}

/// A table as part of a page.
#[derive(Debug, Template)]
#[template(path = "table.html")]
pub(crate) struct Shown<'a> {
    /// Which.
    pub(crate) table: &'a Table,
    /// What it shows.
    pub(crate) caption: &'a str,
}

impl Shown<'_> {
    fn is_shown(&self, index: &usize) -> bool {
        self.table.columns.get(*index).is_some_and(|column| !column.export_only)
    }

    fn is_numeric(&self, index: &usize) -> bool {
        let mut cells = self.table.rows.iter().filter_map(|row| row.get(*index));
        cells.clone().next().is_some() && cells.all(|cell| cell.value.is_number())
    }
}
