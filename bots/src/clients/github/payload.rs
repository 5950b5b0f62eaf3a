//! What GitHub answers, as far as it is read here. <https://docs.github.com/en/rest/pulls/pulls>

use serde::Deserialize;

#[derive(Debug, Clone, Deserialize)]
pub(super) struct User {
    pub(super) login: String,
    #[serde(default, rename = "type")]
    pub(super) kind: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Team {
    pub(super) slug: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Installation {
    pub(super) id: u64,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Branch {
    #[serde(rename = "ref")]
    pub(super) name: String,
    pub(super) sha: String,
}

/// A pull request. A user is null where the account is gone.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Pull {
    pub(super) html_url: Option<String>,
    pub(super) state: String,
    pub(super) draft: bool,
    pub(super) user: Option<User>,
    pub(super) head: Branch,
    pub(super) base: Branch,
    pub(super) requested_reviewers: Vec<Option<User>>,
    pub(super) requested_teams: Vec<Team>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Review {
    pub(super) user: Option<User>,
    pub(super) state: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct ChangedFile {
    pub(super) filename: String,
    #[serde(default)]
    pub(super) previous_filename: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Label {
    pub(super) name: String,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct App {
    pub(super) id: u64,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Comment {
    pub(super) id: u64,
    pub(super) body: Option<String>,
    pub(super) html_url: Option<String>,
    pub(super) user: Option<User>,
    pub(super) performed_via_github_app: Option<App>,
}

impl Pull {
    /// Handles of those who are asked for a review.
    pub(super) fn asked(&self) -> impl Iterator<Item = &str> {
        self.requested_reviewers.iter().flatten().map(|user| user.login.as_str())
    }
}

impl Review {
    /// Who has reviewed; none for a review that is still being written.
    pub(super) fn by(&self) -> Option<&str> {
        self.user.as_ref().filter(|_| self.state != "PENDING").map(|user| user.login.as_str())
    }
}
