//! Sources: the configured endpoints of senders, with their secrets.

use std::collections::BTreeMap;

use bus::ids::SourceName;

use crate::sender::{Scheme, Sender};
use crate::senders::SENDERS;

/// A secret. It can be compared, not printed: there is no `Debug`, `Display` or `Serialize` of its content.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// A secret of these bytes.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text.into_bytes())
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The `authorization` header that carries it, for those who send.
    #[must_use]
    pub fn bearer(&self) -> String {
        format!("Bearer {}", String::from_utf8_lossy(&self.0))
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A configured endpoint of a sender.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its name; the first part is the sender's.
    pub name: SourceName,
    /// Which sender it listens to.
    pub sender: &'static Sender,
    /// Secrets that are good now: two while one is being replaced. Empty only if `insecure`.
    pub(crate) secrets: Vec<Secret>,
    /// Takes what comes, from anybody. Shown as a warning wherever the source is shown.
    pub insecure: bool,
    /// Keeps a header value as it is where decoding it fails, for senders that do not encode.
    pub lenient: bool,
}

/// Why a source cannot be configured so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// The first part of the name is no sender.
    #[error("source {name:?}: no sender {sender:?}; the first part of the name must be one of {known}")]
    UnknownSender {
        /// The source.
        name: String,
        /// What stands in the place of the sender.
        sender: String,
        /// Senders there are.
        known: String,
    },
    /// Neither a secret nor `insecure = true`.
    #[error("source {0:?} has no secret: set `secret`, or `insecure = true` to take requests from anybody")]
    NoSecret(String),
    /// The sender delivers nothing over HTTP.
    #[error("source {0:?} takes nothing over HTTP: its deliveries are read by this program itself")]
    LocalOnly(String),
}

/// The sender whose deliveries a source of that name holds.
#[must_use]
pub fn sender_of(source: &SourceName) -> Option<&'static Sender> {
    let first = source.as_str().split('/').next()?;
    SENDERS.iter().copied().find(|sender| sender.name == first)
}

impl Source {
    /// Secrets that are good now.
    #[must_use]
    pub fn secrets(&self) -> &[Secret] {
        &self.secrets
    }

    /// A source that is complete enough to listen.
    ///
    /// # Errors
    /// If the name begins with no sender, or nothing says how a request is verified.
    pub fn new(name: SourceName, secrets: Vec<Secret>, insecure: bool) -> Result<Self, SourceError> {
        let Some(sender) = sender_of(&name) else {
            let first = name.as_str().split('/').next().unwrap_or_default().to_owned();
            let over_http = SENDERS.iter().filter(|sender| sender.scheme != Scheme::Local);
            let known = over_http.map(|sender| sender.name).collect::<Vec<_>>().join(", ");
            return Err(SourceError::UnknownSender { name: name.to_string(), sender: first, known });
        };
        if sender.scheme == Scheme::Local {
            return Err(SourceError::LocalOnly(name.to_string()));
        }
        if secrets.is_empty() && !insecure {
            return Err(SourceError::NoSecret(name.to_string()));
        }
        Ok(Self { name, sender, secrets, insecure, lenient: false })
    }
}

/// The sources there are, by name.
#[derive(Debug, Clone, Default)]
pub struct Sources(BTreeMap<SourceName, Source>);

impl Sources {
    /// These sources; of two with the same name the later one.
    #[must_use]
    pub fn new(sources: impl IntoIterator<Item = Source>) -> Self {
        Self(sources.into_iter().map(|source| (source.name.clone(), source)).collect())
    }

    /// The source of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Source> {
        self.0.get(&name.parse::<SourceName>().ok()?)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Source> {
        self.0.values()
    }
}
