//! Which repository of which forge a clone is of.

use gix::bstr::{BStr, ByteSlice};
use gix::url::Scheme;

/// `host/owner/name` from the URL of a remote in any form that git takes, without user, password, port and `.git`.
///
/// None if the URL leads to no other machine: such a clone is of a repository that nobody else can name.
pub(super) fn identity(url: &BStr) -> Option<String> {
    let url = gix::url::parse(url).ok()?;
    match url.scheme {
        Scheme::Git | Scheme::Ssh | Scheme::Http | Scheme::Https => {}
        Scheme::File | Scheme::Ext | Scheme::Helper(_) | Scheme::HelperUrl(_) => return None,
    }
    let host = url.host.as_deref()?.to_ascii_lowercase();
    let path = url.path.to_str().ok()?;
    let path = path.split(['?', '#']).next()?.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path).trim_end_matches('/');
    (!host.is_empty() && !path.is_empty()).then(|| format!("{host}/{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_url_names_the_same_repository() {
        for url in [
            "https://github.com/acme/shop.git",
            "https://github.com/acme/shop",
            "https://GitHub.com/acme/shop/",
            "https://user:secret@github.com/acme/shop.git",
            "https://x-access-token:ghp_1@github.com:443/acme/shop.git/",
            "http://github.com/acme/shop",
            "git@github.com:acme/shop.git",
            "github.com:acme/shop",
            "git@github.com:/acme/shop.git",
            "ssh://git@github.com/acme/shop.git",
            "ssh://git@github.com:22/acme/shop.git",
            "git://github.com/acme/shop.git",
        ] {
            assert_eq!(identity(url.into()).as_deref(), Some("github.com/acme/shop"), "{url}");
        }
        assert_eq!(identity("git@gitlab.com:a/b/c.git".into()).as_deref(), Some("gitlab.com/a/b/c"));
    }

    #[test]
    fn a_clone_of_a_folder_has_no_identity() {
        for url in ["/srv/git/shop.git", "file:///srv/git/shop.git", "../shop", "./shop", "", "ext::sh -c x"] {
            assert_eq!(identity(url.into()), None, "{url}");
        }
    }
}
