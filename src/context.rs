//! What every command is told: the configuration, where the server is, how to print.

use crate::cli::{Global, Progress};
use crate::config::Config;
use crate::output::Output;

/// The file in the data directory that tells where the server over it listens.
pub(crate) const URL_FILE: &str = "devhose.url";

/// What every command is told.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) config: Config,
    pub(crate) server: Option<String>,
    pub(crate) output: Output,
    pub(crate) progress: Progress,
}

impl Context {
    pub(crate) fn new(config: Config, global: &Global, output: Output) -> Self {
        Self { config, server: global.server.clone(), output, progress: global.progress }
    }

    /// Where a server on this machine may be: what the data directory says, then the configured address.
    pub(crate) fn local_urls(&self) -> Vec<String> {
        let noted = std::fs::read_to_string(self.config.data.join(URL_FILE)).ok().map(|url| url.trim().to_owned());
        let mut urls: Vec<String> = noted.into_iter().collect();
        // A data directory of its own is not answered for by whatever else listens at the usual address.
        if !self.config.data.join("devhose.db").exists() {
            urls.push(format!("http://{}", self.config.listen));
        }
        urls
    }
}
