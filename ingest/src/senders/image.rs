//! References to container images, as several senders write them: `registry.example:5000/shop/checkout:1.2@sha256:…`.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What the parts of a package URL keep as it is.
const PURL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// As [`PURL`], for the address of a registry, which has slashes and a port.
const ADDRESS: &AsciiSet = &PURL.remove(b'/').remove(b':');

/// A reference to an image, in its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Image<'a> {
    /// Registry and path as written: `registry.example/shop/checkout`.
    address: &'a str,
    /// `1.2`
    pub(crate) tag: Option<&'a str>,
    /// `sha256:…`
    pub(crate) digest: Option<&'a str>,
}

impl<'a> Image<'a> {
    /// The parts of a reference; none if it names nothing, as the bare id of an image does.
    pub(crate) fn parse(reference: &'a str) -> Option<Self> {
        // Some runtimes write where an image came from in front of it.
        let reference = reference.trim();
        let reference = reference.split_once("://").map_or(reference, |(_, rest)| rest);
        let (named, digest) = match reference.split_once('@') {
            Some((named, digest)) => (named, Some(digest)),
            None => (reference, None),
        };
        // A colon before the last slash is that of a port.
        let (address, tag) = match named.rsplit_once(':') {
            Some((address, tag)) if !tag.contains('/') => (address, Some(tag)),
            Some(_) | None => (named, None),
        };
        let said = |text: &&str| !text.is_empty();
        let bare_id = address == "sha256" || address.is_empty();
        (!bare_id).then_some(Self { address, tag: tag.filter(said), digest: digest.filter(said) })
    }

    /// The version that its tag names. `latest` and the like name none.
    pub(crate) fn version(&self) -> Option<&'a str> {
        self.tag.filter(|tag| !["latest", "stable", "main", "master"].contains(tag))
    }

    /// The last part of its path: `checkout`.
    pub(crate) fn name(&self) -> &'a str {
        self.address.rsplit('/').next().unwrap_or(self.address)
    }

    /// As a package URL of the type `oci`.
    pub(crate) fn purl(&self) -> String {
        let encoded = |text: &str| utf8_percent_encode(text, PURL).to_string();
        let name = encoded(&self.name().to_ascii_lowercase());
        let address = utf8_percent_encode(&self.full_address(), ADDRESS).to_string();
        let digest = self.digest.map(|digest| format!("@{}", encoded(digest))).unwrap_or_default();
        let tag = self.tag.map(|tag| format!("&tag={}", encoded(tag))).unwrap_or_default();
        format!("pkg:oci/{name}{digest}?repository_url={address}{tag}")
    }

    /// With the registry that is meant where none is written.
    fn full_address(&self) -> String {
        let address = self.address.to_ascii_lowercase();
        match address.split_once('/') {
            Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => address,
            Some(_) => format!("docker.io/{address}"),
            None => format!("docker.io/library/{address}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_package_url_of_an_image_says_registry_tag_and_digest() {
        let purl = |reference: &str| Image::parse(reference).map(|image| image.purl()).unwrap_or_default();
        insta::assert_snapshot!(purl("nginx"), @"pkg:oci/nginx?repository_url=docker.io/library/nginx");
        insta::assert_snapshot!(purl("acme/Shop:1.2"), @"pkg:oci/shop?repository_url=docker.io/acme/shop&tag=1.2");
        insta::assert_snapshot!(
            purl("registry.example:5000/a/shop:v1@sha256:0b31"),
            @"pkg:oci/shop@sha256%3A0b31?repository_url=registry.example:5000/a/shop&tag=v1"
        );
        insta::assert_snapshot!(
            purl("docker-pullable://ghcr.io/a/shop@sha256:0b31"),
            @"pkg:oci/shop@sha256%3A0b31?repository_url=ghcr.io/a/shop"
        );
        assert_eq!(Image::parse("sha256:0b31"), None);
        assert_eq!(Image::parse(""), None);
    }

    #[test]
    fn a_tag_that_moves_is_no_version() {
        assert_eq!(Image::parse("a/b:1.4.0").unwrap().version(), Some("1.4.0"));
        assert_eq!(Image::parse("a/b:latest").unwrap().version(), None);
        assert_eq!(Image::parse("localhost:5000/b").unwrap().version(), None);
    }
}
