//! GitHub: comments, review requests and labels on changes, and what a bot asks about repositories, through octocrab,
//! as an App or with a token.
//!
//! Everything it does can be read back: a comment carries the action's mark, a reviewer or a label is there or is not.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use octocrab::{EncodingKey, Octocrab};
use tokio::sync::OnceCell;

use super::http::Http;
use super::secrets::Veil;
use super::settings::{ClientError, SecretText, ToolSettings};
use super::{Client, Destination, Order, Problem, Receipt, Sought};
use crate::action::Action;
use crate::lookups::{Question, Told};

mod access;
mod answers;
mod ask;
mod comment;
mod labels;
mod payload;
mod repository;
mod reviewers;
mod trouble;

use access::Identity;
use ask::Ask;
use repository::Repository;
use trouble::Trouble;

/// The name in the configuration.
pub(super) const NAME: &str = "github";

/// The vendor's own host.
const HOST: &str = "github.com";

/// "Make requests that create content one at a time, at least one second apart":
/// <https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api>.
const PACE_MILLIS: u64 = 1000;

/// GitHub, or a GitHub Enterprise server, as it is configured.
pub(super) struct GitHub {
    http: Http,
    host: String,
    base: String,
    access: Access,
    /// What asks, by owner of the repository: each installation of an App has a token of its own. Shared, not cloned: a
    /// clone of octocrab forgets the token.
    askers: Mutex<HashMap<String, Arc<Octocrab>>>,
    identity: OnceCell<Identity>,
    now: fn() -> DateTime<Utc>,
}

/// As whom it asks.
enum Access {
    Token(SecretText),
    App { id: u64, key: EncodingKey, installation: Option<u64> },
}

impl GitHub {
    /// GitHub by its settings.
    ///
    /// # Errors
    /// If there is neither a token nor an App, or the App's key is none.
    pub(super) fn new(settings: &ToolSettings) -> Result<Self, ClientError> {
        if !settings.webhooks.is_empty() || settings.workspace.is_some() {
            return Err(settings.wrong("`webhooks` and `workspace` are for a chat: take them out"));
        }
        let url = settings.url.as_ref().map(|url| url.trim_end_matches('/').to_owned());
        let host_of_url = url.as_deref().map(repository::host_of);
        let host = match (&settings.host, host_of_url) {
            (Some(host), _) => host.to_lowercase(),
            (None, None) => HOST.to_owned(),
            (None, Some(Some(host))) => host,
            (None, Some(None)) => return Err(settings.wrong("`url` is no address that begins with https://")),
        };
        let base = url.unwrap_or_else(|| {
            if host == HOST { "https://api.github.com".to_owned() } else { format!("https://{host}/api/v3") }
        });
        Ok(Self {
            http: Http::new([base.as_str()], Veil::new(settings.secrets()))?,
            host,
            base,
            access: access::of(settings)?,
            askers: Mutex::new(HashMap::new()),
            identity: OnceCell::new(),
            now: Utc::now,
        })
    }

    /// A repository of this forge.
    fn repository(&self, name: &str) -> Option<Repository> {
        Repository::parse(name).filter(|repository| repository.host == self.host)
    }

    async fn do_it(&self, order: &Order) -> Result<Receipt, Problem> {
        let ask = self.ask_for(&order.action).await?;
        match &order.action {
            Action::Comment { number, text, topic, .. } => comment::write(&ask, order, *number, topic, text).await,
            Action::RequestReviewers { number, reviewers, teams, .. } => {
                reviewers::request(&ask, *number, reviewers, teams).await
            }
            Action::AddLabels { number, labels, .. } => labels::add(&ask, *number, labels).await,
            Action::PostMessage { .. } | Action::SaveState { .. } | Action::Remind { .. } => {
                Err(not_ours(&order.action))
            }
        }
    }

    async fn seek(&self, order: &Order) -> Result<Sought, Problem> {
        let ask = self.ask_for(&order.action).await?;
        let sought = match &order.action {
            Action::Comment { number, topic, .. } => comment::find(&ask, order, *number, topic).await,
            Action::RequestReviewers { number, reviewers, teams, .. } => {
                reviewers::find(&ask, *number, reviewers, teams).await
            }
            Action::AddLabels { number, labels, .. } => labels::find(&ask, *number, labels).await,
            Action::PostMessage { .. } | Action::SaveState { .. } | Action::Remind { .. } => {
                return Err(not_ours(&order.action));
            }
        };
        sought.map_err(|trouble| ask.unread(&trouble))
    }

    async fn ask_for(&self, action: &Action) -> Result<Ask<'_>, Problem> {
        let Some(repository) = action.repository().and_then(|name| self.repository(name)) else {
            return Err(not_ours(action));
        };
        let asked = self.asker(&repository).await;
        asked.map_err(|trouble| trouble.of_read(&repository.to_string()).without_secrets(&self.http))
    }
}

impl Client for GitHub {
    fn name(&self) -> &'static str {
        NAME
    }

    fn destination(&self, action: &Action) -> Option<Destination> {
        let Repository { host, owner, .. } = self.repository(action.repository()?)?;
        let name = if host == HOST { format!("{NAME}/{owner}") } else { format!("{NAME}/{host}/{owner}") };
        Some(Destination { name: name.to_lowercase(), pace_millis: PACE_MILLIS })
    }

    fn perform<'a>(&'a self, order: &'a Order) -> BoxFuture<'a, Result<Receipt, Problem>> {
        Box::pin(self.do_it(order))
    }

    fn find<'a>(&'a self, order: &'a Order) -> BoxFuture<'a, Result<Sought, Problem>> {
        Box::pin(self.seek(order))
    }

    fn answer<'a>(&'a self, question: &'a Question) -> Option<BoxFuture<'a, Told>> {
        let repository = self.repository(answers::repository_of(question)?)?;
        Some(Box::pin(answers::answer(self, repository, question)))
    }
}

fn not_ours(action: &Action) -> Problem {
    Problem::Never { reason: format!("GitHub does not {} there", action.name()) }
}

#[cfg(test)]
mod tests;
