//! One request for a page, parsed: who answers, what is asked, in which format; and the reply to it.

use std::sync::Arc;

use askama::Template;
use chrono::{DateTime, Utc};
use http::{HeaderMap, Uri};
use ledger::report::Scope;

use crate::answers::Answers;
use crate::charts::{self, Drawing};
use crate::error::PageError;
use crate::export;
use crate::format;
use crate::happenings::Happenings;
use crate::layout::{Layout, Tab, Theme};
use crate::site::{FirstSteps, Served};
use crate::state::{Asked, segment};
use crate::table::Table;

/// In which form the numbers are wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Format {
    /// A page.
    #[default]
    Html,
    /// `.csv`
    Csv,
    /// `.json`
    Json,
    /// `.svg`
    Svg,
}

/// Suffixes of addresses.
pub(crate) const SUFFIXES: [(&str, Format); 3] =
    [(".csv", Format::Csv), (".json", Format::Json), (".svg", Format::Svg)];

/// A request for a page.
pub(crate) struct Request {
    view: Arc<dyn Answers>,
    happenings: Arc<dyn Happenings>,
    /// The moment that counts as now.
    pub(crate) now: DateTime<Utc>,
    /// What the address asks for.
    pub(crate) asked: Asked,
    /// In which form.
    pub(crate) format: Format,
    theme: Theme,
    here: String,
    parameter: Option<String>,
    /// Lines for the first page.
    pub(crate) first_steps: Arc<FirstSteps>,
}

/// What a page answers.
#[derive(Debug)]
pub(crate) struct Reply {
    /// Body.
    pub(crate) body: String,
    /// Its media type.
    pub(crate) content_type: &'static str,
}

impl Request {
    /// Reads a request. `parameter` is what the path names, with its suffix.
    ///
    /// # Errors
    /// If a value of the address cannot be used.
    pub(crate) fn new(
        served: &Served,
        uri: &Uri,
        headers: &HeaderMap,
        parameter: Option<String>,
    ) -> Result<Self, PageError> {
        let site = &served.site;
        let view = (site.ledger)();
        let now = (site.clock)();
        let (path, format) = split_suffix(uri.path());
        let path = if path == "/north-star" { "/" } else { path };
        let asked = Asked::parse(path, uri.query(), view.calendar(), now).map_err(PageError::BadValue)?;
        let parameter =
            parameter.map(|text| if path.ends_with(&*segment(&text)) { text } else { without_suffix(&text) });
        Ok(Self {
            view,
            happenings: Arc::clone(&served.happenings),
            now,
            asked,
            format,
            theme: Theme::of(headers),
            here: uri.path_and_query().map_or("/", |here| here.as_str()).to_owned(),
            parameter,
            first_steps: Arc::clone(&site.first_steps),
        })
    }

    /// Who answers.
    pub(crate) fn view(&self) -> &dyn Answers {
        self.view.as_ref()
    }

    /// What happened.
    pub(crate) fn happenings(&self) -> &dyn Happenings {
        self.happenings.as_ref()
    }

    /// What the path names, such as the team of `/teams/{team}`.
    pub(crate) fn parameter(&self) -> &str {
        self.parameter.as_deref().unwrap_or_default()
    }

    /// The same request within a scope.
    pub(crate) fn asked_within(&self, scope: Scope) -> Asked {
        self.asked.clone().within(scope)
    }

    /// This address with another name in the place of the team or service it names.
    pub(crate) fn named(&self, key: &'static str, name: &str) -> String {
        match &self.parameter {
            Some(parameter) => {
                let path = self.asked.path.replacen(&segment(parameter), &segment(name), 1);
                self.asked.with(&[]).replacen(&self.asked.path, &path, 1)
            }
            None => self.asked.with(&[(key, name)]),
        }
    }

    /// What stands around the page.
    pub(crate) fn layout(&self, title: impl Into<String>, tab: Tab) -> Layout {
        let carried = self.asked.to_scope("/");
        Layout {
            title: title.into(),
            tab,
            theme: self.theme,
            here: self.here.clone(),
            carried: carried.strip_prefix('/').unwrap_or_default().to_owned(),
            data_through: self.through().map(|through| format!("data through {through}")),
        }
    }

    /// How far the data goes, on the clock of the page: `data through 25 Nov 2026 09:16`.
    pub(crate) fn data_through(&self) -> String {
        match self.through() {
            Some(through) => format!("data through {through}"),
            None => "no data yet".to_owned(),
        }
    }

    fn through(&self) -> Option<String> {
        Some(format::minute(self.view.data_through()?, self.asked.ask.window.calendar.zone))
    }

    /// The line under the title of a page over a scope.
    pub(crate) fn subtitle(&self, asked: &Asked) -> String {
        format!("{} · {}", asked.subtitle(), self.data_through())
    }

    /// Answers with a page, or with its tables in the form that was asked for.
    ///
    /// # Errors
    /// If the template fails, or there is no such form of the page.
    pub(crate) fn reply(&self, page: &impl Template, tables: &[&Table]) -> Result<Reply, PageError> {
        let head = export::Head { address: &self.here, generated_at: self.now, data_through: self.view.data_through() };
        match self.format {
            Format::Html => Ok(Reply { body: page.render()?, content_type: "text/html; charset=utf-8" }),
            Format::Csv if !tables.is_empty() => {
                Ok(Reply { body: export::csv(&head, tables), content_type: "text/csv; charset=utf-8" })
            }
            Format::Json if !tables.is_empty() => {
                Ok(Reply { body: export::json(&head, tables), content_type: "application/json" })
            }
            Format::Csv | Format::Json | Format::Svg => {
                Err(PageError::NotFound { kind: "page", name: self.here.clone(), meant: None })
            }
        }
    }

    /// Answers with a chart as a file.
    ///
    /// # Errors
    /// If the template fails.
    pub(crate) fn chart(&self, title: &str, summary: &str, drawing: &Drawing) -> Result<Reply, PageError> {
        let body = charts::File { title, summary, drawing }.render()?;
        Ok(Reply { body, content_type: "image/svg+xml" })
    }
}

/// A path without the suffix that names a format, and the format.
fn split_suffix(path: &str) -> (&str, Format) {
    SUFFIXES
        .iter()
        .find_map(|(suffix, format)| path.strip_suffix(suffix).map(|path| (path, *format)))
        .unwrap_or((path, Format::Html))
}

fn without_suffix(text: &str) -> String {
    split_suffix(text).0.to_owned()
}
