//! Releases and packages.
//!
//! A release is an artifact too: the source at its tag, as the package URL `pkg:github/owner/name@tag`.

use bus::data::Data;
use bus::data::ci::Artifact;
use bus::data::forge::Release;
use bus::kind::Kind;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::payload::{At, Repository, User, filled, is_sha};
use super::request::{Place, Request};
use crate::sender::Draft;

/// What the parts of a package URL keep as it is.
const PURL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn encoded(part: &str) -> String {
    utf8_percent_encode(part, PURL).to_string()
}

/// The package URL of a commit or a tag of a repository; owner and name are in lower case, as the type `github` wants
/// it.
pub(super) fn forge_purl(place: &Place, version: &str) -> Option<String> {
    let (_, full_name) = place.name.split_once('/')?;
    let (owner, name) = full_name.split_once('/')?;
    let (owner, name) = (owner.to_ascii_lowercase(), name.to_ascii_lowercase());
    Some(format!("pkg:github/{}/{}@{}", encoded(&owner), encoded(&name), encoded(version)))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ReleaseEvent {
    action: Option<String>,
    release: Option<GivenRelease>,
    repository: Option<Repository>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct GivenRelease {
    tag_name: Option<String>,
    target_commitish: Option<String>,
    html_url: Option<String>,
    prerelease: Option<bool>,
    published_at: At,
    created_at: At,
}

/// A release was published; what else happens to releases stays GitHub's own.
pub(super) fn release(request: &Request<'_>) -> Option<Vec<Draft>> {
    let event: ReleaseEvent = request.parse()?;
    let place = request.place(event.repository)?;
    let release = event.release?;
    let tag = filled(release.tag_name)?;
    if event.action.as_deref() != Some("published") {
        return None;
    }
    let time = release.published_at.or(release.created_at);
    // Mostly a branch, which says nothing of the commit that was tagged.
    let sha = release.target_commitish.filter(|target| is_sha(target));
    let purl = forge_purl(&place, &tag)?;
    let artifact = Artifact {
        id: purl.clone(),
        repository: Some(place.name.clone()),
        version: Some(tag.clone()),
        sha: sha.clone(),
        url: release.html_url.clone(),
        ..Artifact::default()
    };
    let data = Release {
        repository: place.name.clone(),
        tag: tag.clone(),
        sha,
        url: release.html_url,
        prerelease: release.prerelease.unwrap_or(false),
        released_at: time,
    };
    Some(vec![
        place.draft(Kind::ReleasePublished, tag, time, Data::Release(data)),
        place.draft(Kind::ArtifactPublished, purl, time, Data::Artifact(artifact)),
    ])
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PackageEvent {
    action: Option<String>,
    #[serde(alias = "registry_package")]
    package: Option<Package>,
    repository: Option<Repository>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Package {
    name: Option<String>,
    ecosystem: Option<String>,
    package_type: Option<String>,
    html_url: Option<String>,
    owner: Option<User>,
    package_version: Option<Version>,
    created_at: At,
    updated_at: At,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Version {
    version: Option<String>,
    html_url: Option<String>,
    target_oid: Option<String>,
    created_at: At,
    updated_at: At,
}

/// A version of a package was published, through either of the two events that tell it.
pub(super) fn package(request: &Request<'_>) -> Option<Vec<Draft>> {
    let event: PackageEvent = request.parse()?;
    let place = request.place(event.repository)?;
    let mut package = event.package?;
    if event.action.as_deref() != Some("published") {
        return None;
    }
    let version = package.package_version.take().unwrap_or_default();
    let own = version.updated_at.or(version.created_at);
    let time = own.or(package.updated_at.or(package.created_at));
    let url = filled(version.html_url).or(filled(package.html_url.clone()));
    let number = filled(version.version);
    // Where no package URL can be made, the address of the version identifies it.
    let id = package_purl(&package, number.as_deref()).or(url.clone())?;
    let data = Artifact {
        id: id.clone(),
        repository: Some(place.name.clone()),
        version: number,
        sha: version.target_oid.filter(|sha| is_sha(sha)),
        url,
        ..Artifact::default()
    };
    Some(vec![place.draft(Kind::ArtifactPublished, id, time, Data::Artifact(data))])
}

/// The package URL of a version, for the ecosystems whose names GitHub gives in full. A Maven package is told without
/// the border between group and artifact, so it has none.
fn package_purl(package: &Package, version: Option<&str>) -> Option<String> {
    let name = filled(package.name.clone())?;
    let version = version?;
    let ecosystem = [&package.package_type, &package.ecosystem].into_iter().flatten().map(|e| e.to_ascii_lowercase());
    let owner = || package.owner.as_ref()?.login.as_deref().map(str::to_ascii_lowercase);
    // Some payloads call an image's type npm and only its ecosystem docker: an image shows by its digest.
    let kinds: Vec<String> = ecosystem.collect();
    let is = |kind: &str| kinds.iter().any(|k| k == kind);
    if is("container") || is("docker") {
        let image = encoded(&name.to_ascii_lowercase());
        let address = format!("ghcr.io/{}/{image}", encoded(&owner()?));
        return Some(match version.starts_with("sha256:") {
            true => format!("pkg:oci/{image}@{}?repository_url={address}", encoded(version)),
            false => format!("pkg:oci/{image}?repository_url={address}&tag={}", encoded(version)),
        });
    }
    if is("npm") {
        // GitHub's registry takes only names in the scope of their owner, and leaves the scope out.
        let scope = encoded(&format!("@{}", owner()?));
        return Some(format!("pkg:npm/{scope}/{}@{}", encoded(&name), encoded(version)));
    }
    let kind = [("rubygems", "gem"), ("nuget", "nuget")].into_iter().find(|(ecosystem, _)| is(ecosystem))?.1;
    Some(format!("pkg:{kind}/{}@{}", encoded(&name), encoded(version)))
}
