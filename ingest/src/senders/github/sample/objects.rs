//! The objects that every payload carries: users, repositories, labels, and the links between them.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use super::Repository;

/// Links of a user object below its API address, as GitHub sends them.
const USER_LINKS: &[(&str, &str)] = &[
    ("events_url", "/events{/privacy}"),
    ("followers_url", "/followers"),
    ("following_url", "/following{/other_user}"),
    ("gists_url", "/gists{/gist_id}"),
    ("organizations_url", "/orgs"),
    ("received_events_url", "/received_events"),
    ("repos_url", "/repos"),
    ("starred_url", "/starred{/owner}{/repo}"),
    ("subscriptions_url", "/subscriptions"),
    ("url", ""),
];

/// Links of a repository object below its API address, as GitHub sends them.
const REPOSITORY_LINKS: &[(&str, &str)] = &[
    ("archive_url", "/{archive_format}{/ref}"),
    ("assignees_url", "/assignees{/user}"),
    ("blobs_url", "/git/blobs{/sha}"),
    ("branches_url", "/branches{/branch}"),
    ("collaborators_url", "/collaborators{/collaborator}"),
    ("comments_url", "/comments{/number}"),
    ("commits_url", "/commits{/sha}"),
    ("compare_url", "/compare/{base}...{head}"),
    ("contents_url", "/contents/{+path}"),
    ("contributors_url", "/contributors"),
    ("deployments_url", "/deployments"),
    ("downloads_url", "/downloads"),
    ("events_url", "/events"),
    ("forks_url", "/forks"),
    ("git_commits_url", "/git/commits{/sha}"),
    ("git_refs_url", "/git/refs{/sha}"),
    ("git_tags_url", "/git/tags{/sha}"),
    ("hooks_url", "/hooks"),
    ("issue_comment_url", "/issues/comments{/number}"),
    ("issue_events_url", "/issues/events{/number}"),
    ("issues_url", "/issues{/number}"),
    ("keys_url", "/keys{/key_id}"),
    ("labels_url", "/labels{/name}"),
    ("languages_url", "/languages"),
    ("merges_url", "/merges"),
    ("milestones_url", "/milestones{/number}"),
    ("notifications_url", "/notifications{?since,all,participating}"),
    ("pulls_url", "/pulls{/number}"),
    ("releases_url", "/releases{/id}"),
    ("stargazers_url", "/stargazers"),
    ("statuses_url", "/statuses/{sha}"),
    ("subscribers_url", "/subscribers"),
    ("subscription_url", "/subscription"),
    ("tags_url", "/tags"),
    ("teams_url", "/teams"),
    ("trees_url", "/git/trees{/sha}"),
    ("url", ""),
];

/// An instant as GitHub writes it: whole seconds, `Z`.
pub(super) fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A number that stands for a name, the same every time (FNV-1a), below 2^31 like most ids of GitHub.
pub(super) fn number_of(name: &str) -> u64 {
    let hash = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    hash >> 33
}

/// A user object; a handle that ends in `[bot]` is an app's.
pub(super) fn user(handle: &str) -> Value {
    let id = number_of(handle);
    let api = format!("https://api.github.com/users/{}", handle.replace('[', "%5B").replace(']', "%5D"));
    let (page, kind) = match handle.strip_suffix("[bot]") {
        Some(app) => (format!("https://github.com/apps/{app}"), "Bot"),
        None => (format!("https://github.com/{handle}"), "User"),
    };
    with_links(
        json!({
            "login": handle, "id": id, "node_id": format!("U_kgDO{id:08x}"),
            "avatar_url": format!("https://avatars.githubusercontent.com/u/{id}?v=4"), "gravatar_id": "",
            "html_url": page, "type": kind, "user_view_type": "public", "site_admin": false,
        }),
        &api,
        USER_LINKS,
    )
}

/// The organisation that holds a repository, as its owner.
pub(super) fn owner(name: &str) -> Value {
    let mut owner = user(name);
    if let Some(fields) = owner.as_object_mut() {
        fields.insert("type".into(), "Organization".into());
    }
    owner
}

impl Repository {
    /// Address of its API.
    pub(super) fn api(&self) -> String {
        format!("https://api.github.com/repos/{}/{}", self.owner, self.name)
    }

    /// Address of its page.
    pub(super) fn page(&self) -> String {
        format!("https://github.com/{}/{}", self.owner, self.name)
    }

    /// The repository object that stands in the payload of every event but `push`.
    pub(super) fn object(&self, at: DateTime<Utc>) -> Value {
        let full_name = format!("{}/{}", self.owner, self.name);
        let id = number_of(&full_name);
        let page = self.page();
        let mut object = with_links(
            json!({
                "id": id, "node_id": format!("R_kgDO{id:08x}"), "name": self.name, "full_name": full_name,
                "private": true, "owner": owner(&self.owner), "html_url": page, "description": Value::Null,
                "fork": false, "created_at": "2024-03-04T09:12:45Z", "updated_at": instant(at),
                "pushed_at": instant(at), "git_url": format!("git://github.com/{full_name}.git"),
                "ssh_url": format!("git@github.com:{full_name}.git"), "clone_url": format!("{page}.git"),
                "svn_url": page, "default_branch": self.default_branch, "visibility": "private",
            }),
            &self.api(),
            REPOSITORY_LINKS,
        );
        extend(&mut object, counts());
        object
    }

    /// The repository object of a `push`: its `url` is the page, and its times are numbers.
    pub(super) fn pushed_object(&self, at: DateTime<Utc>) -> Value {
        let mut object = self.object(at);
        let changed = json!({
            "url": self.page(), "created_at": 1_709_543_565, "pushed_at": at.timestamp(), "stargazers": 0,
            "master_branch": self.default_branch,
        });
        extend(&mut object, changed);
        object
    }

    /// The organisation object that stands beside the repository.
    pub(super) fn organization(&self) -> Value {
        let id = number_of(&self.owner);
        let api = format!("https://api.github.com/orgs/{}", self.owner);
        json!({
            "login": self.owner, "id": id, "node_id": format!("O_kgDO{id:08x}"), "url": api,
            "repos_url": format!("{api}/repos"), "events_url": format!("{api}/events"),
            "hooks_url": format!("{api}/hooks"), "issues_url": format!("{api}/issues"),
            "members_url": format!("{api}/members{{/member}}"),
            "public_members_url": format!("{api}/public_members{{/member}}"),
            "avatar_url": format!("https://avatars.githubusercontent.com/u/{id}?v=4"), "description": "",
        })
    }

    /// A label object.
    pub(super) fn label(&self, name: &str) -> Value {
        let id = number_of(name);
        json!({
            "id": id, "node_id": format!("LA_kwDO{id:08x}"), "url": format!("{}/labels/{name}", self.api()),
            "name": name, "color": "ededed", "default": false, "description": Value::Null,
        })
    }
}

/// The counters and switches of a repository object.
fn counts() -> Value {
    json!({
        "homepage": Value::Null, "size": 1284, "stargazers_count": 0, "watchers_count": 0, "language": "Rust",
        "has_issues": true, "has_projects": true, "has_downloads": true, "has_wiki": false, "has_pages": false,
        "has_discussions": false, "forks_count": 0, "mirror_url": Value::Null, "archived": false,
        "disabled": false, "open_issues_count": 7, "license": Value::Null, "allow_forking": true,
        "is_template": false, "web_commit_signoff_required": false, "topics": [], "forks": 0,
        "open_issues": 7, "watchers": 0,
    })
}

/// Puts the fields of one object into another.
pub(super) fn extend(object: &mut Value, more: Value) {
    if let (Value::Object(object), Value::Object(more)) = (object, more) {
        object.extend(more);
    }
}

/// An object together with links below an address.
fn with_links(mut object: Value, address: &str, links: &[(&str, &str)]) -> Value {
    let links: Map<String, Value> =
        links.iter().map(|(name, path)| ((*name).to_owned(), format!("{address}{path}").into())).collect();
    extend(&mut object, Value::Object(links));
    object
}
