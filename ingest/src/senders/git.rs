//! Git: deliveries that `devhose import git` reads from the history of a clone. Nothing comes over HTTP.
//!
//! What was read, and how, is decided in [`crate::backfill::git`] and written in the delivery; here it only gets the
//! bus's words. A landed commit is a push to the default branch and a merged change; a tag is a release, and a
//! deployment to production if its name matched the pattern of the import.
//!
//! Attributes: `source` is the repository, `host/owner/name`; `subject` is the commit, the change's number (its commit
//! if it has none), the tag, or the id of the deployment. `time` is the committer's, of a tag the tagger's.

use bus::data::forge::{Change, Commit, Person, Push, Release};
use bus::data::runtime::Deployment;
use bus::data::{Data, Outcome};
use bus::delivery::Delivery;
use bus::ids::{DeliveryId, OrderKey};
use bus::kind::Kind;
use chrono::{DateTime, Utc};
use http::HeaderMap;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::backfill::git::payload::{self, Content, Landed, Payload, SCHEMA, Tagged, Way};
use crate::sender::{Draft, Scheme, Sender, Unreadable, receipt};

/// A merge that brings in the history of another project is told in one delivery: at about 200 bytes a commit this is
/// more than a million of them.
const BODY_BYTES_MAX: usize = 256 << 20;

/// The environment that a tag deploys to: a history knows no other.
const ENVIRONMENT: &str = "production";

/// What a URI reference cannot hold as it is. Slashes part the path of a repository and stay.
const NOT_IN_URI: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// Git histories as a sender.
pub const GIT: Sender = Sender {
    name: "git",
    title: "git",
    body_bytes_max: BODY_BYTES_MAX,
    scheme: Scheme::Local,
    headers: &[],
    media_types: &["application/json"],
    delivery_id,
    normalize,
    reply: receipt,
    headers_for,
};

fn delivery_id(_headers: &HeaderMap, body: &[u8]) -> Option<DeliveryId> {
    let payload: Payload = serde_json::from_slice(body).ok()?;
    match payload.content {
        Content::Landed(landed) => format!("commit/{}", landed.commit.sha).parse().ok(),
        Content::Tag(tag) => format!("tag/{}/{}", tag.name, tag.sha).parse().ok(),
    }
}

fn headers_for(_event: &str, _delivery_id: &str) -> Vec<(&'static str, String)> {
    vec![("content-type", "application/json".to_owned())]
}

fn normalize(delivery: &Delivery) -> Result<Vec<Draft>, Unreadable> {
    let payload: Payload = serde_json::from_slice(&delivery.content.body)
        .map_err(|error| Unreadable(format!("the body is not of the form {SCHEMA}: {error}")))?;
    if payload.schema != SCHEMA {
        return Err(Unreadable(format!("the body is of the form {:?}, not {SCHEMA}", payload.schema)));
    }
    let told = Told { received_at: delivery.content.received_at, payload: &payload };
    Ok(match &payload.content {
        Content::Landed(landed) => vec![told.push(landed), told.change(landed)],
        Content::Tag(tag) => {
            let push = (!tag.commits.is_empty()).then(|| told.tag_push(tag));
            let deployment = tag.deploys.then(|| told.deployment(tag));
            push.into_iter().chain([told.release(tag)]).chain(deployment).collect()
        }
    })
}

/// A delivery, read.
struct Told<'a> {
    received_at: DateTime<Utc>,
    payload: &'a Payload,
}

impl Told<'_> {
    /// A time that the history does not tell is when it was read: an event must have one, facts do without.
    fn draft(&self, kind: Kind, subject: String, time: Option<DateTime<Utc>>, data: Data) -> Draft {
        Draft {
            kind,
            source: utf8_percent_encode(&self.payload.repository, NOT_IN_URI).to_string(),
            subject,
            time: time.unwrap_or(self.received_at),
            key: OrderKey(self.payload.repository.clone()),
            data,
            alone: None,
        }
    }

    fn push(&self, landed: &Landed) -> Draft {
        let push = Push {
            branch: Some(self.payload.default_branch.clone()),
            before: landed.commit.parents.first().cloned(),
            ..self.commits(&landed.commit.sha, landed.commits.iter().chain([&landed.commit]))
        };
        let time = landed.commit.committed_at;
        self.draft(Kind::CommitPushed, landed.commit.sha.clone(), time, Data::Push(Box::new(push)))
    }

    fn tag_push(&self, tag: &Tagged) -> Draft {
        let push = self.commits(&tag.sha, tag.commits.iter());
        self.draft(Kind::CommitPushed, tag.sha.clone(), tag.tagged_at, Data::Push(Box::new(push)))
    }

    /// Commits that arrived together, on no branch.
    fn commits<'c>(&self, head: &str, commits: impl Iterator<Item = &'c payload::Commit>) -> Push {
        Push {
            repository: self.payload.repository.clone(),
            default_branch: Some(self.payload.default_branch.clone()),
            after: Some(head.to_owned()),
            commits: commits.map(commit).collect(),
            ..Push::default()
        }
    }

    fn change(&self, landed: &Landed) -> Draft {
        let commit = &landed.commit;
        let number = landed.way.number();
        let change = Change {
            repository: self.payload.repository.clone(),
            number,
            title: landed.title.clone(),
            author: landed.author.as_ref().map(|author| Person { handle: author.email.clone(), bot: author.bot }),
            base_branch: Some(self.payload.default_branch.clone()),
            default_branch: Some(self.payload.default_branch.clone()),
            head_sha: head_sha(landed),
            merge_sha: Some(commit.sha.clone()),
            commits: commit_count(landed),
            files: landed.size.map(|size| size.files),
            additions: landed.size.map(|size| size.additions),
            deletions: landed.size.map(|size| size.deletions),
            first_commit_at: landed.first_commit_at,
            merged_at: commit.committed_at,
            closed_at: commit.committed_at,
            reverts: landed.reverts.clone(),
            direct: number.is_none(),
            paths: landed.paths.clone(),
            ..Change::default()
        };
        let subject = number.map_or_else(|| commit.sha.clone(), |number| number.to_string());
        self.draft(Kind::ChangeMerged, subject, commit.committed_at, Data::Change(Box::new(change)))
    }

    fn release(&self, tag: &Tagged) -> Draft {
        let release = Release {
            repository: self.payload.repository.clone(),
            tag: tag.name.clone(),
            sha: Some(tag.sha.clone()),
            url: None,
            prerelease: !tag.deploys,
            released_at: tag.tagged_at,
        };
        self.draft(Kind::ReleasePublished, tag.name.clone(), tag.tagged_at, Data::Release(release))
    }

    fn deployment(&self, tag: &Tagged) -> Draft {
        let repository = &self.payload.repository;
        let id = format!("{repository}/tags/{}", tag.name);
        let deployment = Deployment {
            id: id.clone(),
            repository: Some(repository.clone()),
            service: tag.service.clone(),
            environment: Some(ENVIRONMENT.to_owned()),
            production: Some(true),
            sha: Some(tag.sha.clone()),
            git_ref: Some(tag.name.clone()),
            version: Some(tag.name.clone()),
            artifact: package(repository, &tag.sha),
            finished_at: tag.tagged_at,
            outcome: Some(Outcome::Success),
            ..Deployment::default()
        };
        let stream = format!("{}/{ENVIRONMENT}", tag.service.as_ref().unwrap_or(repository));
        let draft = self.draft(Kind::ServiceDeployed, id, tag.tagged_at, Data::Deployment(Box::new(deployment)));
        Draft { key: OrderKey(stream), ..draft }
    }
}

/// The last commit of the change itself. A squashed change had others, which this history does not hold.
fn head_sha(landed: &Landed) -> Option<String> {
    match landed.way {
        Way::Merge { .. } | Way::OtherMerge => landed.commit.parents.get(1).cloned(),
        Way::Direct => Some(landed.commit.sha.clone()),
        Way::Squash { .. } => None,
    }
}

/// How many commits the change had; unknown for one that was squashed.
fn commit_count(landed: &Landed) -> Option<u64> {
    match landed.way {
        Way::Merge { .. } | Way::OtherMerge => u64::try_from(landed.commits.len()).ok(),
        Way::Direct => Some(1),
        Way::Squash { .. } => None,
    }
}

fn commit(commit: &payload::Commit) -> Commit {
    Commit {
        sha: commit.sha.clone(),
        parents: Some(commit.parents.clone()),
        authored_at: commit.authored_at,
        distinct: None,
        committed_at: commit.committed_at,
    }
}

/// The package URL of a commit. Only GitHub's repositories have a kind of their own among package URLs; it wants
/// owner and name in lower case.
fn package(repository: &str, sha: &str) -> Option<String> {
    let name = repository.strip_prefix("github.com/")?;
    Some(format!("pkg:github/{}@{sha}", utf8_percent_encode(&name.to_lowercase(), NOT_IN_URI)))
}
