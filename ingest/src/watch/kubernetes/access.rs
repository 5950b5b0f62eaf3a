//! How a cluster is reached: a client of its API, made anew for each attempt, so that a renewed token or a corrected
//! file is taken up without a restart.

use std::time::Duration;

use kube::config::{InClusterError, KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};
use serde_json::json;

use super::Access;

/// A server that does not take a connection within this is not there.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// Why a cluster cannot even be asked.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The file, or the context in it, is not there or not complete.
    #[error("the kubeconfig cannot be used")]
    Kubeconfig(#[from] KubeconfigError),
    /// The program does not run in a pod with a service account.
    #[error("there is no service account of a pod here")]
    InCluster(#[from] InClusterError),
    /// Certificates or addresses are not what they should be.
    #[error("a client cannot be made")]
    Client(#[from] kube::Error),
}

/// A client of the cluster's API. Nothing is asked yet.
///
/// # Errors
/// If the access does not say enough to ask anything.
pub async fn connect(access: &Access) -> Result<Client, AccessError> {
    let mut config = match access {
        Access::Kubeconfig { path, context } => {
            let file = path.as_ref().map_or_else(Kubeconfig::read, Kubeconfig::read_from)?;
            let options = KubeConfigOptions { context: context.clone(), cluster: None, user: None };
            Config::from_custom_kubeconfig(file, &options).await?
        }
        Access::InCluster => Config::incluster()?,
        Access::Url { url, token, ca } => {
            let file = written(url, &String::from_utf8_lossy(token.bytes()), ca.as_deref())
                .map_err(kube::Error::SerdeError)?;
            Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?
        }
    };
    config.connect_timeout = Some(CONNECT_DEADLINE);
    // Whoever watches comes back by itself, and says meanwhile what is wrong.
    config.default_retry = false;
    Ok(Client::try_from(config)?)
}

/// Address and token as the file that would say the same.
fn written(url: &str, token: &str, ca: Option<&str>) -> Result<Kubeconfig, serde_json::Error> {
    let ca = ca.map(|pem| base64::Engine::encode(&base64::engine::general_purpose::STANDARD, pem));
    serde_json::from_value(json!({
        "clusters": [{"name": "it", "cluster": {"server": url, "certificate-authority-data": ca}}],
        "users": [{"name": "it", "user": {"token": token}}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "current-context": "it",
    }))
}
