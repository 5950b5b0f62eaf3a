//! What an operator opens beyond the public internet: networks and host names, with a port or for all ports.

use std::net::IpAddr;
use std::str::FromStr;

use super::address::Network;
use super::guard::{Host, Target, is_name};

/// Entries of a list: more is a network, not a list.
const ENTRIES_MAX: usize = 1_000;

/// Hosts and networks that may be reached whatever their addresses are, over `http` too. Only the operator writes one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowList {
    entries: Vec<Entry>,
}

/// Why an entry of a list is none, in words for the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AllowError {
    /// Neither a network nor a host.
    #[error(
        "{0:?} is neither a network (10.0.0.0/8, 10.1.2.3:8080, [fd00::/8]:443) nor a host (hooks.acme.example, \
         hooks.acme.example:8443)"
    )]
    Entry(String),
    /// Too many of them.
    #[error("more than {ENTRIES_MAX} entries: name networks instead of hosts")]
    TooMany,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    what: What,
    /// None is every port.
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    Network(Network),
    /// In lower case.
    Name(String),
}

impl AllowList {
    /// A list of such entries: `10.0.0.0/8`, `10.1.2.3:8080`, `[fd00::/8]:443`, `hooks.acme.example`,
    /// `hooks.acme.example:8443`.
    ///
    /// # Errors
    /// The first entry that is none.
    pub fn parse<T: AsRef<str>>(entries: impl IntoIterator<Item = T>) -> Result<Self, AllowError> {
        let mut list = Self::default();
        for entry in entries {
            list.push(entry.as_ref().trim().parse()?)?;
        }
        Ok(list)
    }

    /// Opens the host and port of an address that the operator wrote into a setting.
    ///
    /// # Errors
    /// If the list is full.
    pub(super) fn open(&mut self, target: &Target) -> Result<(), AllowError> {
        let what = match &target.host {
            Host::Address(address) => What::Network(Network::single(*address)),
            Host::Name(name) => What::Name(name.clone()),
        };
        self.push(Entry { what, port: Some(target.port) })
    }

    fn push(&mut self, entry: Entry) -> Result<(), AllowError> {
        if self.entries.len() >= ENTRIES_MAX {
            return Err(AllowError::TooMany);
        }
        self.entries.push(entry);
        Ok(())
    }

    /// Whether the host itself is listed: then it is not asked where its name leads.
    pub(super) fn names(&self, target: &Target) -> bool {
        self.entries.iter().any(|entry| match (&entry.what, &target.host) {
            (What::Name(listed), Host::Name(name)) => listed == name && entry.is_for(target.port),
            (What::Network(listed), Host::Address(address)) => listed.contains(*address) && entry.is_for(target.port),
            (What::Name(_), Host::Address(_)) | (What::Network(_), Host::Name(_)) => false,
        })
    }

    /// Whether this address is listed.
    pub(super) fn covers(&self, address: IpAddr, port: u16) -> bool {
        self.entries.iter().any(|entry| match &entry.what {
            What::Network(listed) => listed.contains(address) && entry.is_for(port),
            What::Name(_) => false,
        })
    }

    /// Whether any network is open at this port, so that a name may lead there.
    pub(super) fn has_network(&self, port: u16) -> bool {
        self.entries.iter().any(|entry| matches!(entry.what, What::Network(_)) && entry.is_for(port))
    }
}

impl Entry {
    fn is_for(&self, port: u16) -> bool {
        self.port.is_none_or(|listed| listed == port)
    }
}

impl FromStr for Entry {
    type Err = AllowError;

    fn from_str(text: &str) -> Result<Self, AllowError> {
        let wrong = || AllowError::Entry(text.chars().take(200).collect());
        let port = |text: &str| text.parse::<u16>().ok().filter(|port| *port != 0).ok_or_else(wrong);
        let network = |text: &str| text.parse::<Network>().map(What::Network);
        // An address of IPv6 has colons of its own.
        if let Some((inside, after)) = text.strip_prefix('[').and_then(|text| text.split_once(']')) {
            let what = network(inside).map_err(|()| wrong())?;
            let port = after.strip_prefix(':').map(port).transpose()?;
            return if port.is_none() && !after.is_empty() { Err(wrong()) } else { Ok(Self { what, port }) };
        }
        if let Ok(what) = network(text) {
            return Ok(Self { what, port: None });
        }
        let (host, port) = match text.split_once(':') {
            Some((host, digits)) => (host, Some(port(digits)?)),
            None => (text, None),
        };
        let name = host.to_ascii_lowercase();
        match network(host) {
            Ok(what) => Ok(Self { what, port }),
            // A misspelt network would otherwise be a name that nothing ever has.
            Err(()) if is_name(&name) && name.bytes().any(|b| b.is_ascii_alphabetic()) => {
                Ok(Self { what: What::Name(name), port })
            }
            Err(()) => Err(wrong()),
        }
    }
}
