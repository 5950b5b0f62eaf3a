//! What the configuration says of tools and clusters: how to reach them, and with which secrets.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer};

/// A secret. There is no `Debug`, `Display` or `Serialize` of its content.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SecretText(String);

/// A tool: `[[tool]]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ToolSettings {
    /// Which tool it is: `slack` or `github`.
    pub name: String,
    /// The tool's token: of a bot user (`xoxb-…`), or a personal or fine-grained one of the forge.
    pub token: Option<SecretText>,
    /// Address of its API, where that is not the vendor's own: `https://git.acme.example/api/v3`.
    pub url: Option<String>,
    /// The forge whose repositories it serves, as their names begin: `github.com`. None is the host of `url`, or the
    /// vendor's own.
    pub host: Option<String>,
    /// Address of the chat's workspace, for links to messages: `https://acme.slack.com`.
    pub workspace: Option<String>,
    /// Incoming webhooks by channel, for channels that are to be written to without a token.
    pub webhooks: BTreeMap<String, SecretText>,
    /// Number of the forge's App, instead of a token.
    pub app_id: Option<u64>,
    /// The App's private key: as PEM, or the file that holds it.
    pub private_key: Option<SecretText>,
    /// Number of the App's installation. None finds the one of each repository's owner.
    pub installation: Option<u64>,
}

/// A cluster that bots may ask: `[[cluster]]`. Without `kubeconfig` and `url` it is the one that `kubectl` would take,
/// or the one that this program runs in.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClusterSettings {
    /// Its name, as events of it say it.
    pub name: String,
    /// A configuration of `kubectl`.
    pub kubeconfig: Option<PathBuf>,
    /// A context of that configuration; none is its current one.
    pub context: Option<String>,
    /// Address of the API server: `https://10.0.0.1:6443`.
    pub url: Option<String>,
    /// A bearer token, with `url`.
    pub token: Option<SecretText>,
    /// Certificates of the authority that signed the server's, with `url`: as PEM, or the file that holds them.
    pub ca: Option<String>,
    /// The environment that its services run in. Bots do not need it; the watch does.
    pub environment: Option<String>,
}

/// Why a tool or a cluster cannot be used so. Says what to do; never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// No such tool.
    #[error("tool {0:?} is not known: `name` of a [[tool]] is \"slack\" or \"github\"")]
    UnknownTool(String),
    /// A setting is missing or wrong.
    #[error("tool {tool:?}: {reason}")]
    Tool {
        /// The tool.
        tool: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// A setting of a cluster is missing or wrong.
    #[error("cluster {cluster:?}: {reason}")]
    Cluster {
        /// The cluster.
        cluster: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// Nothing can be asked over HTTP.
    #[error("requests cannot be made: {0}")]
    Http(String),
}

impl SecretText {
    /// The secret itself, for the request that needs it.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(…)")
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

impl ToolSettings {
    /// An error about this tool.
    pub(super) fn wrong(&self, reason: impl Into<String>) -> ClientError {
        ClientError::Tool { tool: self.name.clone(), reason: reason.into() }
    }

    /// Every secret in it, to be taken out of whatever is said.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &str> {
        self.token.iter().chain(self.private_key.iter()).chain(self.webhooks.values()).map(SecretText::reveal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_printed() {
        let settings: ToolSettings = serde_json::from_value(serde_json::json!({
            "name": "slack", "token": "xoxb-1-hidden", "webhooks": {"#ops": "https://hooks.example/T/hidden"},
            "private_key": "-----BEGIN hidden",
        }))
        .unwrap();
        assert!(!format!("{settings:?}").contains("hidden"));
        assert_eq!(settings.secrets().count(), 3);
    }

    #[test]
    fn a_key_that_is_not_known_is_named() {
        let wrong = serde_json::from_str::<ToolSettings>(r#"{"name": "slack", "tokn": "x"}"#).unwrap_err();
        assert!(wrong.to_string().contains("unknown field `tokn`"), "{wrong}");
        let wrong = serde_json::from_str::<ClusterSettings>(r#"{"name": "eu-1", "urll": "x"}"#).unwrap_err();
        assert!(wrong.to_string().contains("unknown field `urll`"), "{wrong}");
    }
}
