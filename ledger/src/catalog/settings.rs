//! What `devhose.toml` may say of the catalog: `[[team]]`, `[[service]]`, `[[environment]]` and `[catalog]`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// All sections of the catalog.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CatalogSettings {
    /// `[[team]]`
    pub team: Vec<TeamSettings>,
    /// `[[service]]`
    pub service: Vec<ServiceSettings>,
    /// `[[environment]]`
    pub environment: Vec<EnvironmentSettings>,
    /// Backstage catalog files, directories that are searched for `catalog-info.yaml`, or either with `*` for a name.
    pub files: Vec<PathBuf>,
}

/// One `[[team]]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TeamSettings {
    /// Name in URLs: letters, digits, `.`, `_`, `-`.
    pub name: String,
    /// Name on a page; by default the name.
    #[serde(default)]
    pub title: Option<String>,
    /// The team it is part of.
    #[serde(default)]
    pub parent: Option<String>,
    /// Where the team is talked to: `#payments`. By default the channel of the team it is part of.
    #[serde(default)]
    pub channel: Option<String>,
    /// Namespaces of clusters whose workloads are the team's, unless something more exact says otherwise.
    #[serde(default)]
    pub namespaces: Vec<String>,
}

/// One `[[service]]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceSettings {
    /// Name in URLs: letters, digits, `.`, `_`, `-`.
    pub name: String,
    /// Name on a page; by default the name.
    #[serde(default)]
    pub title: Option<String>,
    /// Owning team; by default `unassigned`.
    #[serde(default)]
    pub team: Option<String>,
    /// `host/owner/name`.
    #[serde(default)]
    pub repository: Option<String>,
    /// The path within it, for a repository of many services.
    #[serde(default)]
    pub path: Option<String>,
}

/// One `[[environment]]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentSettings {
    /// The environment in the sender's word.
    pub name: String,
    /// The tier it counts for, such as `production`.
    pub tier: String,
}
