//! How a cluster is reached. A client is kept while it works: after a refused token or a broken connection it is made
//! anew, so that a renewed token or a corrected file is taken up.

use std::sync::Mutex;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::json;

use crate::clients::http::in_words;
use crate::clients::secrets::Veil;
use crate::clients::settings::{ClientError, ClusterSettings, SecretText};
use crate::lookups::Unavailable;

/// A server that does not take a connection within this is not there: a report has two seconds, and it may be gone.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);

/// A cluster, and what asks it.
pub(super) struct Cluster {
    settings: ClusterSettings,
    veil: Veil,
    client: Mutex<Option<Client>>,
}

impl Cluster {
    /// # Errors
    /// If the settings contradict each other.
    pub(super) fn new(settings: &ClusterSettings) -> Result<Self, ClientError> {
        let wrong = |reason: &str| ClientError::Cluster { cluster: settings.name.clone(), reason: reason.to_owned() };
        let by_file = settings.kubeconfig.is_some() || settings.context.is_some();
        if settings.name.is_empty() {
            return Err(wrong("`name` is missing: the name that its events say"));
        }
        if settings.url.is_some() && by_file {
            return Err(wrong("set either `url` with `token`, or `kubeconfig` with `context`, not both"));
        }
        if settings.url.is_none() && (settings.token.is_some() || settings.ca.is_some()) {
            return Err(wrong("`token` and `ca` need `url`: the address of the API server"));
        }
        Ok(Self {
            settings: settings.clone(),
            veil: Veil::new(settings.token.iter().map(SecretText::reveal)),
            client: Mutex::new(None),
        })
    }

    /// What asks it.
    pub(super) async fn client(&self) -> Result<Client, Unavailable> {
        if let Some(client) = self.client.lock().ok().and_then(|client| client.clone()) {
            return Ok(client);
        }
        let made = self.connect().await;
        let client = made.map_err(|reason| {
            Unavailable::for_now(self.veiled(&format!("cluster {} cannot be asked: {reason}", self.settings.name)))
        })?;
        if let Ok(mut kept) = self.client.lock() {
            *kept = Some(client.clone());
        }
        Ok(client)
    }

    /// Makes what asks it anew the next time.
    pub(super) fn forget(&self) {
        if let Ok(mut kept) = self.client.lock() {
            *kept = None;
        }
    }

    /// A text without secrets.
    pub(super) fn veiled(&self, text: &str) -> String {
        self.veil.over(text)
    }

    async fn connect(&self) -> Result<Client, String> {
        let words = |error: &dyn std::error::Error| in_words(error);
        let mut config = self.config().await?;
        config.connect_timeout = Some(CONNECT_DEADLINE);
        // Every request is counted and has its time.
        config.default_retry = false;
        Client::try_from(config).map_err(|error| words(&error))
    }

    async fn config(&self) -> Result<Config, String> {
        let settings = &self.settings;
        let options = KubeConfigOptions { context: settings.context.clone(), ..KubeConfigOptions::default() };
        let file = match (&settings.url, &settings.kubeconfig) {
            (Some(url), _) => self.written(url)?,
            (None, Some(path)) => Kubeconfig::read_from(path).map_err(|error| in_words(&error))?,
            (None, None) if settings.context.is_some() => Kubeconfig::read().map_err(|error| in_words(&error))?,
            (None, None) => return Config::infer().await.map_err(|error| in_words(&error)),
        };
        Config::from_custom_kubeconfig(file, &options).await.map_err(|error| in_words(&error))
    }

    /// Address and token as the file that would say the same.
    fn written(&self, url: &str) -> Result<Kubeconfig, String> {
        let ca = match self.settings.ca.as_deref() {
            Some(pem) if pem.contains("-----BEGIN") => Some(pem.to_owned()),
            Some(path) => {
                Some(std::fs::read_to_string(path).map_err(|error| format!("`ca` {path} cannot be read: {error}"))?)
            }
            None => None,
        };
        let token = self.settings.token.as_ref().map(|token| token.reveal().trim());
        let file = json!({
            "clusters": [{"name": "it", "cluster": {
                "server": url, "certificate-authority-data": ca.map(|pem| STANDARD.encode(pem)),
            }}],
            "users": [{"name": "it", "user": {"token": token}}],
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
            "current-context": "it",
        });
        serde_json::from_value(file).map_err(|error| error.to_string())
    }
}
