//! What a page says when it cannot be shown: what happened, what it means for the numbers, what to do.

use askama::Template;
use http::StatusCode;
use ledger::view::AskError;

use crate::layout::Layout;
use crate::nearest::nearest;
use crate::request::Request;
use crate::state::BadValue;

/// What it means that a team or a service is not known.
const UNHEARD: &str = "It never delivered an event, or goes by another name in the catalog.";

/// Why a page cannot be shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PageError {
    /// The address holds a value that cannot be used.
    #[error("{}={:?} is not {}", .0.key, .0.value, .0.expected)]
    BadValue(BadValue),
    /// There is no such thing.
    #[error("there is no {kind} {name:?}")]
    NotFound {
        /// `page`, `team`, `service`, `metric`, `repository`, `event`, `bot`, `run`,
        /// `subscription`, `attempt`.
        kind: &'static str,
        /// What was asked for.
        name: String,
        /// A name that may have been meant, and its address.
        meant: Option<(String, String)>,
    },
    /// Ledger refused the question for another reason.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// A template failed.
    #[error("the page could not be written")]
    Render(#[from] askama::Error),
    /// The work behind the page was cut off.
    #[error("the page could not be computed")]
    Cut,
}

impl PageError {
    /// Status of the answer.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::BadValue(_) => StatusCode::BAD_REQUEST,
            Self::NotFound { .. } => StatusCode::NOT_FOUND,
            Self::Ask(AskError::NoMetric(_) | AskError::NoScope { .. } | AskError::NoBucket(_)) => {
                StatusCode::NOT_FOUND
            }
            Self::Ask(AskError::Withheld(_)) => StatusCode::FORBIDDEN,
            Self::Ask(AskError::Computation(_)) | Self::Render(_) | Self::Cut => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The page for it.
    pub(crate) fn page(&self, layout: Layout) -> ErrorPage {
        let (means, label, href) = match self {
            Self::BadValue(bad) => (
                "No figures were computed, because another value might have been meant.".to_owned(),
                format!("Show the page without {}={}", bad.key, bad.value),
                bad.fix.clone(),
            ),
            Self::NotFound { kind: "page", meant: None, .. } => (
                "The address is wrong or the page has moved; no data is affected.".to_owned(),
                "Go to the North Star".to_owned(),
                "/".to_owned(),
            ),
            Self::NotFound { meant: Some((name, href)), .. } => {
                ("Only known names have a page.".to_owned(), format!("Did you mean {name}?"), href.clone())
            }
            Self::NotFound { kind, meant: None, .. } => {
                let (list, means) = match *kind {
                    "team" => ("teams", UNHEARD),
                    "bot" => ("bots", "The program has no bot of that name."),
                    "subscription" => ("subscriptions", "Nobody made a subscription of that name, or it was deleted."),
                    "attempt" => ("subscriptions", "It never was, or is so old that it is not kept any more."),
                    "run" => ("bots", "It never was, or is so old that it is not kept any more."),
                    _ => ("services", UNHEARD),
                };
                let means = means.to_owned();
                (means, format!("Look through all {list}"), format!("/{list}"))
            }
            Self::Ask(
                AskError::NoMetric(_) | AskError::NoScope { .. } | AskError::NoBucket(_) | AskError::Withheld(_),
            ) => (
                "The figures do not exist or are withheld.".to_owned(),
                "Go to the North Star".to_owned(),
                "/".to_owned(),
            ),
            Self::Ask(AskError::Computation(_)) | Self::Render(_) | Self::Cut => (
                "The data is safe: pages only read it. The log of the program has the cause.".to_owned(),
                "Try again".to_owned(),
                layout.here.clone(),
            ),
        };
        ErrorPage {
            status: self.status().as_u16(),
            happened: capitalized(&self.to_string()),
            means,
            label,
            href,
            layout,
        }
    }

    /// What Ledger's refusal is on a page, with a name that may have been meant.
    pub(crate) fn asked(error: AskError, request: &Request) -> Self {
        let view = request.view();
        match error {
            AskError::NoMetric(name) => {
                let meant = nearest(&name, view.definitions().iter().map(|d| d.name)).map(str::to_owned);
                let meant = meant.map(|name| (name.clone(), request.asked.to(&format!("/metrics/{name}"))));
                Self::NotFound { kind: "metric", name, meant }
            }
            AskError::NoScope { kind: "team", name } => {
                let teams = view.teams();
                let meant = nearest(&name, teams.iter().map(|team| team.name.as_str())).map(str::to_owned);
                let meant = meant.map(|name| (name.clone(), request.named("team", &name)));
                Self::NotFound { kind: "team", name, meant }
            }
            AskError::NoScope { kind, name } => {
                let services = view.services();
                let meant = nearest(&name, services.iter().map(|service| service.name.as_str())).map(str::to_owned);
                let meant = meant.map(|name| (name.clone(), request.named("service", &name)));
                Self::NotFound { kind, name, meant }
            }
            other @ (AskError::NoBucket(_) | AskError::Withheld(_) | AskError::Computation(_)) => Self::Ask(other),
        }
    }
}

/// A page that says what happened, what it means and what to do.
#[derive(Debug, Template)]
#[template(path = "error.html")]
pub(crate) struct ErrorPage {
    layout: Layout,
    status: u16,
    happened: String,
    means: String,
    label: String,
    href: String,
}

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
