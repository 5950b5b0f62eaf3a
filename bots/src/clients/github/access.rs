//! As whom GitHub is asked: with a token, or as an App through its installation for the owner of a repository.

use std::sync::Arc;

use octocrab::auth::AppAuth;
use octocrab::models::{AppId, InstallationId};
use octocrab::{AuthState, EncodingKey, Octocrab};

use super::payload::{Installation, User};
use super::{Access, Ask, GitHub, Repository, Trouble, ask};
use crate::clients::settings::{ClientError, SecretText, ToolSettings};

/// Who we are to GitHub: by this our own comments are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Identity {
    App(u64),
    Login(String),
    /// The token does not let us ask.
    Unknown,
}

/// The access that the settings give.
///
/// # Errors
/// If it is not complete; the error says what to do.
pub(super) fn of(settings: &ToolSettings) -> Result<Access, ClientError> {
    let token = settings.token.clone().filter(|token| !token.reveal().trim().is_empty());
    match (token, settings.app_id, &settings.private_key) {
        (Some(token), None, None) => Ok(Access::Token(token)),
        (None, Some(id), Some(key)) => {
            let key = private_key(settings, key)?;
            Ok(Access::App { id, key, installation: settings.installation })
        }
        (Some(_), _, _) => Err(settings.wrong("set either `token`, or `app_id` with `private_key`, not both")),
        (None, Some(_), None) => {
            Err(settings.wrong("`app_id` needs `private_key`: the .pem file that GitHub made for the App"))
        }
        (None, None, Some(_)) => Err(settings.wrong("`private_key` needs `app_id`: the number of the App")),
        (None, None, None) => Err(settings.wrong(
            "set `app_id` and `private_key` of a GitHub App, or `token` to a fine-grained token (contents: read, pull \
             requests: write, issues: write)",
        )),
    }
}

fn private_key(settings: &ToolSettings, key: &SecretText) -> Result<EncodingKey, ClientError> {
    let text = key.reveal();
    let pem = if text.contains("-----BEGIN") {
        text.replace("\\n", "\n")
    } else {
        std::fs::read_to_string(text.trim()).map_err(|error| {
            settings.wrong(format!("`private_key` is neither a PEM nor a file that can be read ({})", error.kind()))
        })?
    };
    EncodingKey::from_rsa_pem(pem.as_bytes()).map_err(|_| {
        settings.wrong("`private_key` is no RSA key in PEM: take the .pem file that GitHub made for the App")
    })
}

impl GitHub {
    /// What asks about a repository.
    pub(super) async fn asker(&self, repository: &Repository) -> Result<Ask<'_>, Trouble> {
        let (crab, calls) = match &self.access {
            Access::Token(token) => (self.known("", || self.crab(with_token(token))), 0),
            Access::App { id, key, installation } => {
                let owner = repository.owner.to_lowercase();
                let known = self.askers.lock().ok().and_then(|askers| askers.get(&owner).cloned());
                match known {
                    Some(crab) => (crab, 0),
                    None => (self.install(*id, key, *installation, repository).await?, 2),
                }
            }
        };
        Ok(Ask::new(self, crab, repository.clone(), calls))
    }

    /// Finds the App's installation for the owner of a repository.
    async fn install(
        &self,
        app: u64,
        key: &EncodingKey,
        installation: Option<u64>,
        repository: &Repository,
    ) -> Result<Arc<Octocrab>, Trouble> {
        let auth = AppAuth { app_id: AppId(app), key: key.clone() };
        let as_app = self.known("/app", || self.crab(AuthState::App(auth)));
        let id = match installation {
            Some(id) => id,
            None => {
                let ask = Ask::new(self, Arc::clone(&as_app), repository.clone(), 0);
                match ask.get::<Installation>(&format!("{}/installation", repository.path())).await? {
                    Some(found) => found.id,
                    None => {
                        return Err(Trouble::Refused(format!("the App is not installed for {repository}: install it")));
                    }
                }
            }
        };
        let crab = as_app.installation(InstallationId(id)).map_err(|error| ask::trouble(&error))?;
        Ok(self.known(&repository.owner.to_lowercase(), || crab))
    }

    /// Forgets what asks for an owner, so that its installation is looked up again.
    pub(super) fn forget(&self, repository: &Repository) {
        if let Ok(mut askers) = self.askers.lock() {
            askers.remove(&repository.owner.to_lowercase());
        }
    }

    fn known(&self, name: &str, make: impl FnOnce() -> Octocrab) -> Arc<Octocrab> {
        match self.askers.lock() {
            Ok(mut askers) => Arc::clone(askers.entry(name.to_owned()).or_insert_with(|| Arc::new(make()))),
            Err(_) => Arc::new(make()),
        }
    }

    fn crab(&self, auth: AuthState) -> Octocrab {
        ask::crab(self.http.clone(), self.base.clone(), auth)
    }

    /// Who we are.
    pub(super) async fn identity(&self, ask: &Ask<'_>) -> Result<&Identity, Trouble> {
        self.identity
            .get_or_try_init(|| async {
                match &self.access {
                    Access::App { id, .. } => Ok(Identity::App(*id)),
                    Access::Token(_) => match ask.get::<User>("/user").await {
                        Ok(Some(user)) => Ok(Identity::Login(user.login)),
                        Ok(None) | Err(Trouble::Refused(_)) => Ok(Identity::Unknown),
                        Err(trouble) => Err(trouble),
                    },
                }
            })
            .await
    }
}

fn with_token(token: &SecretText) -> AuthState {
    AuthState::AccessToken { token: token.reveal().trim().to_owned().into() }
}
