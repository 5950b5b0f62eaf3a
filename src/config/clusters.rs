//! `[[cluster]]`: the clusters that are watched and that bots may read.

use std::path::{Path, PathBuf};

use bots::clients::settings::ClusterSettings;
use ingest::source::Secret;
use ingest::watch::kubernetes::{Access, Cluster};
use serde::Deserialize;

/// One `[[cluster]]` as written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClusterEntry {
    name: String,
    environment: Option<String>,
    namespace: Option<String>,
    kubeconfig: Option<PathBuf>,
    context: Option<String>,
    #[serde(default)]
    in_cluster: bool,
    url: Option<String>,
    token: Option<String>,
    ca: Option<PathBuf>,
}

impl ClusterEntry {
    /// How it is watched, and how bots ask it. Files are named relative to the configuration.
    pub(super) fn build(self, beside: &Path) -> Result<(Cluster, ClusterSettings), String> {
        let wrong = |why: String| format!("[[cluster]] {:?}: {why}", self.name);
        let name = self.name.parse().map_err(|error| wrong(format!("{error}")))?;
        let kubeconfig = self.kubeconfig.as_ref().map(|path| beside.join(path));
        let ca = self.ca.as_ref().map(|path| read(&beside.join(path))).transpose().map_err(wrong)?;
        let by_file = kubeconfig.is_some() || self.context.is_some();
        let access = match (&self.url, &self.token) {
            (Some(_), None) => return Err(wrong("url needs a token beside it".to_owned())),
            (None, Some(_)) => return Err(wrong("token needs the url of the cluster beside it".to_owned())),
            (Some(url), Some(token)) if !by_file && !self.in_cluster => {
                Access::Url { url: url.clone(), token: Secret::new(token.clone()), ca: ca.clone() }
            }
            (None, None) if !by_file && self.in_cluster => Access::InCluster,
            (None, None) if !self.in_cluster => {
                Access::Kubeconfig { path: kubeconfig.clone(), context: self.context.clone() }
            }
            (Some(_), Some(_)) | (None, None) => {
                let choices = "choose one of kubeconfig (with context), in_cluster, url (with token and ca)";
                return Err(wrong(choices.to_owned()));
            }
        };
        let asked = ClusterSettings {
            name: self.name.clone(),
            kubeconfig,
            context: self.context.clone(),
            url: self.url.clone(),
            token: self.token.clone().map(Into::into),
            ca,
            environment: self.environment.clone(),
        };
        let watched = Cluster { name, environment: self.environment, namespace: self.namespace, access };
        Ok((watched, asked))
    }
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("ca {} cannot be read: {error}", path.display()))
}
