//! Which requests may leave: by scheme, port and host before anything is asked for, and by the address that a name
//! leads to before it is connected to.

use std::net::IpAddr;

use http::Uri;
use url::Url;

use super::address::special;
use super::allow::AllowList;

/// Ports of the public internet that are used without being allowed by name.
const PORTS: [u16; 2] = [443, 8443];

/// Longest address: the longest first line of a request that common servers take.
const URL_BYTES_MAX: usize = 8_192;

/// Longest name and longest part of one, by RFC 1035.
const NAME_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

/// Why a request may not leave, in words for whoever gave its address. Says nothing of what a name resolves to: names
/// of an inner network are none of a subscriber's business.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It cannot be read.
    #[error("this is no address: give one like https://hooks.acme.example/devhose")]
    NotAnAddress,
    /// It is too long.
    #[error("the address is longer than {URL_BYTES_MAX} bytes")]
    TooLong,
    /// Another scheme.
    #[error("{0}:// is not allowed: use https://")]
    Scheme(String),
    /// There is a user name or a password in it.
    #[error("there is a user name or a password in the address: take it out")]
    Credentials,
    /// The host is no name.
    #[error("the host {0:?} is neither a full name nor an address of its usual form")]
    Host(String),
    /// Another port.
    #[error("port {0} is not allowed: use 443 or 8443")]
    Port(u16),
    /// It leads into this machine or this network.
    #[error("the address is {0}, which is not allowed")]
    Address(&'static str),
}

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) secure: bool,
    pub(super) host: Host,
    pub(super) port: u16,
}

/// The host of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Host {
    Address(IpAddr),
    /// In lower case, without a dot at its end.
    Name(String),
}

/// Decides what may leave.
#[derive(Debug, Clone, Default)]
pub(super) struct Guard {
    allow: AllowList,
}

impl Guard {
    pub(super) fn new(allow: AllowList) -> Self {
        Self { allow }
    }

    /// Whether a request may be made at all, as far as can be said before its name is resolved.
    pub(super) fn check(&self, target: &Target) -> Result<(), Refused> {
        match &target.host {
            Host::Address(address) => self.admit(target, *address),
            Host::Name(_) if self.allow.names(target) => Ok(()),
            // Where the name leads, and whether that is open at this port, is seen when it is resolved.
            Host::Name(_) if self.allow.has_network(target.port) => Ok(()),
            Host::Name(name) if name == "localhost" || name.ends_with(".localhost") => {
                Err(Refused::Address("of this machine (localhost)"))
            }
            Host::Name(_) => target.is_usual(),
        }
    }

    /// Whether a connection to this address may be made for this request.
    pub(super) fn admit(&self, target: &Target, address: IpAddr) -> Result<(), Refused> {
        if self.vouched(target, address) {
            return Ok(());
        }
        target.is_usual()?;
        special(address).map_or(Ok(()), |what| Err(Refused::Address(what)))
    }

    /// Whether the operator wrote down this host or this address.
    pub(super) fn vouched(&self, target: &Target, address: IpAddr) -> bool {
        self.allow.names(target) || self.allow.covers(address, target.port)
    }
}

impl Target {
    /// Where a request to this address goes.
    pub(super) fn of(uri: &Uri) -> Result<Self, Refused> {
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            Some(other) => return Err(Refused::Scheme(other.to_owned())),
            None => return Err(Refused::NotAnAddress),
        };
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(Refused::Credentials);
        }
        let host = uri.host().ok_or(Refused::NotAnAddress)?;
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let v6 = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = match v6.unwrap_or(host).parse() {
            Ok(address) => Host::Address(address),
            Err(_) => {
                let name = host.to_ascii_lowercase();
                if !is_name(&name) {
                    return Err(Refused::Host(name.chars().take(NAME_BYTES_MAX).collect()));
                }
                Host::Name(name)
            }
        };
        Ok(Self { secure, host, port })
    }

    fn is_usual(&self) -> Result<(), Refused> {
        if !self.secure {
            return Err(Refused::Scheme("http".to_owned()));
        }
        if PORTS.contains(&self.port) { Ok(()) } else { Err(Refused::Port(self.port)) }
    }
}

/// An address as somebody wrote it, in the one form that everything here reads the same way: `127.1`, `0x7f000001` and
/// `①②⑦.1` are all `127.0.0.1`, and a name of another script is in its ASCII form.
pub(super) fn address(text: &str) -> Result<Uri, Refused> {
    if text.len() > URL_BYTES_MAX {
        return Err(Refused::TooLong);
    }
    // What the URL standard drops or turns around silently is not what its writer meant.
    if text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
        return Err(Refused::NotAnAddress);
    }
    let mut url = Url::parse(text).map_err(|_| Refused::NotAnAddress)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Refused::Scheme(url.scheme().to_owned()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Refused::Credentials);
    }
    url.set_fragment(None);
    let uri: Uri = url.as_str().parse().map_err(|_| Refused::NotAnAddress)?;
    Target::of(&uri)?;
    Ok(uri)
}

/// Whether a text in lower case is a host's name: parts of letters, digits, `-` and `_`, none of them empty. A dot at
/// the end would make a second spelling of each.
pub(super) fn is_name(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
    let label = |label: &str| (1..=LABEL_BYTES_MAX).contains(&label.len()) && label.bytes().all(plain);
    text.len() <= NAME_BYTES_MAX && text.split('.').all(label)
}
