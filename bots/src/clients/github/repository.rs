//! A repository by its name `host/owner/name`, checked: what is not a name of a repository never becomes part of a path.

use std::fmt;

/// `host/owner/name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Repository {
    pub(super) host: String,
    pub(super) owner: String,
    pub(super) name: String,
}

impl Repository {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/');
        let (host, owner, name) = (parts.next()?, parts.next()?, parts.next()?);
        let is_name = |part: &str| {
            !part.is_empty()
                && !part.bytes().all(|c| c == b'.')
                && part.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.'))
        };
        let complete = parts.next().is_none() && !host.is_empty() && is_name(owner) && is_name(name);
        complete.then(|| Self { host: host.to_lowercase(), owner: owner.to_owned(), name: name.to_owned() })
    }

    /// `/repos/owner/name`.
    pub(super) fn path(&self) -> String {
        format!("/repos/{}/{}", self.owner, self.name)
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.host, self.owner, self.name)
    }
}

/// The host whose repositories an API at this address serves; none if it is no address.
pub(super) fn host_of(url: &str) -> Option<String> {
    let parsed = url::Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let host = parsed.host_str()?.to_lowercase();
    Some(host.strip_prefix("api.").map(str::to_owned).unwrap_or(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_name_of_a_repository_becomes_part_of_a_path() {
        let path = |text: &str| Repository::parse(text).map(|repository| repository.path());
        assert_eq!(path("github.com/acme/shop").as_deref(), Some("/repos/acme/shop"));
        assert_eq!(path("git.acme.example/a.b/c_d-e").as_deref(), Some("/repos/a.b/c_d-e"));
        for text in
            ["", "acme/shop", "github.com/acme/..", "github.com/acme/a/b", "github.com/a?b/c", "github.com/a/b%2f"]
        {
            assert_eq!(path(text), None, "{text}");
        }
    }

    #[test]
    fn an_address_tells_the_host() {
        assert_eq!(host_of("https://api.github.com").as_deref(), Some("github.com"));
        assert_eq!(host_of("https://git.acme.example/api/v3").as_deref(), Some("git.acme.example"));
        assert_eq!(host_of("git.acme.example"), None);
    }
}
