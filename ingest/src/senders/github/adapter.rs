//! Events that nobody maps: the CloudEvents adapter for GitHub, `cloudevents/adapters/github.md`, as a table.
//!
//! What that document leaves open or what cannot be done is settled so:
//! * "Current time" is the time of receipt; `push` has the repository's `pushed_at`; an instant that is none is none.
//! * `status` and `deployment_status` end in their `state`, `create` and `delete` in their `ref_type`, and
//!   `membership` in its scope and action.
//! * An alert of Dependabot has a number and no id; a build of pages has a time of its own.
//! * A person is never a subject: where the document takes a login, this takes the number of the account.
//! * "Omit" is the repository, or else the source: an event always has a subject here.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use bus::data::Data;
use bus::ids::OrderKey;
use bus::kind::Kind;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::payload::{At, Repository};
use super::request::{Request, is_plain};
use crate::sender::{Draft, Unreadable};

/// Where the attributes of one event stand in its payload.
#[derive(Clone, Copy)]
struct Rule {
    event: &'static str,
    /// What the type ends in: the values at these paths, as far as there are any.
    ends: &'static [&'static str],
    source: &'static str,
    subject: &'static str,
    time: &'static [&'static str],
}

/// The source of most events.
const REPOSITORY: &str = "repository.url";
/// The end of the type of most events.
const ACTION: &[&str] = &["action"];

const fn rule(event: &'static str, source: &'static str, subject: &'static str, time: &'static [&'static str]) -> Rule {
    Rule { event, ends: ACTION, source, subject, time }
}

const fn ends(rule: Rule, ends: &'static [&'static str]) -> Rule {
    Rule { ends, ..rule }
}

/// For every event that is not listed.
const DEFAULT: Rule = rule("", REPOSITORY, "", &[]);

/// The events whose attributes stand elsewhere than by default.
const RULES: &[Rule] = &[
    rule("branch_protection_rule", REPOSITORY, "rule.id", &["rule.updated_at"]),
    rule("check_run", REPOSITORY, "check_run.id", &["check_run.completed_at", "check_run.started_at"]),
    rule("check_suite", REPOSITORY, "check_suite.id", &["check_suite.updated_at"]),
    rule("code_scanning_alert", REPOSITORY, "alert.number", &[]),
    rule("commit_comment", "comment.url", "comment.id", &["comment.updated_at"]),
    rule("content_reference", REPOSITORY, "content_reference.id", &[]),
    ends(rule("create", REPOSITORY, "ref", &[]), &["ref_type"]),
    rule("custom_property", REPOSITORY, "definition.property_name", &[]),
    ends(rule("delete", REPOSITORY, "ref", &[]), &["ref_type"]),
    rule("dependabot_alert", REPOSITORY, "alert.number", &[]),
    rule("deploy_key", REPOSITORY, "key.id", &["key.deleted_at", "key.created_at"]),
    ends(rule("deployment", REPOSITORY, "deployment.id", &["deployment.updated_at"]), &[]),
    rule("deployment_protection_rule", "deployment.url", "deployment.id", &[]),
    rule("deployment_review", "deployment.url", "workflow_run.id", &[]),
    ends(
        rule("deployment_status", "deployment.url", "deployment_status.url", &["deployment_status.updated_at"]),
        &["deployment_status.state"],
    ),
    rule("discussion", REPOSITORY, "discussion.id", &["discussion.updated_at"]),
    rule("discussion_comment", REPOSITORY, "discussion.id", &["comment.updated_at"]),
    rule("fork", REPOSITORY, "forkee.url", &["forkee.created_at"]),
    ends(rule("github_app_authorization", "", "", &[]), &[]),
    ends(rule("gollum", REPOSITORY, "", &[]), &[]),
    rule("installation", "installation.account.url", "installation.id", &["installation.updated_at"]),
    rule("installation_repositories", "installation.account.url", "installation.id", &["installation.updated_at"]),
    rule("installation_target", "installation.account.url", "installation.id", &[]),
    rule("issue_comment", "issue.url", "comment.id", &["comment.updated_at"]),
    rule("issues", REPOSITORY, "issue.number", &["issue.updated_at"]),
    rule("label", REPOSITORY, "label.name", &[]),
    rule("marketplace_purchase", "", "marketplace_purchase.account.id", &["effective_date"]),
    rule("member", REPOSITORY, "member.id", &[]),
    ends(rule("membership", "team.url", "member.id", &[]), &["scope", "action"]),
    rule("merge_group", REPOSITORY, "merge_group.head_ref", &[]),
    rule("meta", REPOSITORY, "hook_id", &["hook.updated_at"]),
    rule("milestone", REPOSITORY, "milestone.number", &["milestone.updated_at"]),
    rule("org_block", "organization.url", "blocked_user.id", &[]),
    rule("organization", "organization.url", "membership.user.id", &[]),
    rule("package", REPOSITORY, "package.id", &["package.updated_at", "package.created_at"]),
    ends(rule("page_build", REPOSITORY, "build.url", &["build.updated_at"]), &[]),
    ends(rule("ping", REPOSITORY, "hook_id", &[]), &[]),
    rule("project", REPOSITORY, "project.id", &["project.updated_at"]),
    rule("project_card", REPOSITORY, "project_card.id", &["project_card.updated_at"]),
    rule("project_column", REPOSITORY, "project_column.id", &["project_column.updated_at"]),
    rule("projects_v2", REPOSITORY, "projects_v2.id", &["projects_v2.updated_at"]),
    rule("projects_v2_item", REPOSITORY, "projects_v2_item.id", &["projects_v2_item.updated_at"]),
    rule(
        "projects_v2_status_update",
        REPOSITORY,
        "projects_v2_status_update.id",
        &["projects_v2_status_update.updated_at"],
    ),
    ends(rule("public", "repository.owner.url", "repository.name", &["repository.updated_at"]), &[]),
    rule("pull_request", REPOSITORY, "number", &["pull_request.updated_at"]),
    rule("pull_request_review", "pull_request.url", "review.id", &["review.submitted_at"]),
    rule("pull_request_review_comment", "pull_request.url", "comment.id", &["pull_request.updated_at"]),
    rule("pull_request_review_thread", "pull_request.url", "pull_request.id", &[]),
    ends(rule("push", REPOSITORY, "ref", &["repository.pushed_at"]), &[]),
    rule("registry_package", REPOSITORY, "registry_package.html_url", &["registry_package.updated_at"]),
    rule("release", REPOSITORY, "release.id", &["release.updated_at", "release.published_at", "release.created_at"]),
    rule("repository", "repository.owner.url", "repository.name", &["repository.updated_at"]),
    rule("repository_advisory", REPOSITORY, "repository_advisory.ghsa_id", &["repository_advisory.updated_at"]),
    rule("repository_dispatch", "repository.owner.url", "", &[]),
    ends(rule("repository_import", "repository.owner.url", "repository.name", &["repository.updated_at"]), &[]),
    rule("repository_ruleset", "repository.owner.url", "repository.name", &["repository.updated_at"]),
    rule("repository_vulnerability_alert", REPOSITORY, "alert.id", &[]),
    rule("secret_scanning_alert", REPOSITORY, "alert.number", &["alert.updated_at", "alert.created_at"]),
    rule("secret_scanning_alert_location", REPOSITORY, "alert.number", &["alert.updated_at", "alert.created_at"]),
    rule("security_advisory", "", "security_advisory.ghsa_id", &["security_advisory.updated_at"]),
    ends(rule("security_and_analysis", REPOSITORY, "", &[]), &[]),
    rule("sponsorship", "", "sponsorship.node_id", &[]),
    rule("star", REPOSITORY, "", &["starred_at"]),
    ends(rule("status", REPOSITORY, "sha", &["updated_at"]), &["state"]),
    rule("team", REPOSITORY, "team.id", &["updated_at"]),
    rule("team_add", REPOSITORY, "team.id", &[]),
    ends(rule("workflow_dispatch", REPOSITORY, "workflow", &[]), &[]),
    rule("workflow_job", REPOSITORY, "workflow_job.name", &[]),
    rule("workflow_run", REPOSITORY, "workflow.name", &[]),
];

/// The event as GitHub calls it, with its body as data.
///
/// # Errors
/// If the body is no JSON object.
pub(super) fn unmapped(request: &Request<'_>) -> Result<Vec<Draft>, Unreadable> {
    let body: Object<'_> = serde_json::from_str(&request.json)
        .map_err(|error| Unreadable(format!("the body is not a JSON object: {error}")))?;
    let rule = RULES.iter().find(|rule| rule.event == request.event).unwrap_or(&DEFAULT);
    let name = repository(&body).host_and_name();
    let sources = [rule.source, REPOSITORY, "organization.url", "enterprise.html_url"];
    let source = sources.into_iter().find_map(|path| address(&body, path));
    let source = source.unwrap_or_else(|| request.delivery.content.source.as_str().to_owned());
    let subject = text(&body, rule.subject).filter(|subject| is_attribute(subject));
    let subject = subject.or_else(|| name.clone()).unwrap_or_else(|| source.clone());
    let time = rule.time.iter().find_map(|path| instant(&body, path));
    Ok(vec![Draft {
        kind: Kind::from(kind_name(request.event, rule, &body)),
        key: OrderKey(name.unwrap_or_else(|| source.clone())),
        source,
        subject,
        time: time.unwrap_or(request.delivery.content.received_at),
        data: data(request)?,
        alone: None,
    }])
}

/// What names the repository. Read member by member: most of a repository's many members come after these.
fn repository(body: &Object<'_>) -> Repository {
    let html_url = text(body, "repository.html_url");
    let [full_name, url] = match html_url {
        Some(_) => [None, None],
        None => ["repository.full_name", REPOSITORY].map(|path| text(body, path)),
    };
    Repository { html_url, full_name, url, ..Repository::default() }
}

/// The body as received; the JSON of a form is only a part of it.
fn data(request: &Request<'_>) -> Result<Data, Unreadable> {
    if !request.form {
        return Ok(Data::AsReceived);
    }
    let value = serde_json::from_str(&request.json);
    value.map(Data::Other).map_err(|error| Unreadable(format!("the field payload is not JSON: {error}")))
}

fn kind_name(event: &str, rule: &Rule, body: &Object<'_>) -> String {
    let ends = rule.ends.iter().filter_map(|path| text(body, path)).filter(|end| is_plain(end));
    ends.fold(format!("com.github.{event}"), |name, end| name + "." + &end)
}

/// The members of the body, unread.
type Object<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

/// What stands at a path of member names, joined by dots.
fn at<'a>(body: &Object<'a>, path: &str) -> Option<&'a RawValue> {
    let mut names = path.split('.');
    let found = body.get(names.next()?).copied()?;
    names.try_fold(found, member)
}

/// A member of an object, the first of that name. The others are skipped, and what follows it is not even read.
fn member<'a>(object: &'a RawValue, name: &str) -> Option<&'a RawValue> {
    let mut found = None;
    let mut json = serde_json::Deserializer::from_str(object.get());
    // An error only says that reading stopped early, or that this is no object.
    match json.deserialize_map(Search { name, found: &mut found }) {
        Ok(()) | Err(_) => found,
    }
}

/// Looks for one member of an object.
struct Search<'n, 'a> {
    name: &'n str,
    found: &'n mut Option<&'a RawValue>,
}

impl<'a> Visitor<'a> for Search<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(is_it) = members.next_key_seed(Is(self.name))? {
            if is_it {
                *self.found = Some(members.next_value()?);
                return Ok(());
            }
            members.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

/// Tells whether a text is this one, without keeping it.
struct Is<'n>(&'n str);

impl<'a> DeserializeSeed<'a> for Is<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Is<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E>(self, text: &str) -> Result<bool, E> {
        Ok(text == self.0)
    }
}

/// A text or a whole number.
fn text(body: &Object<'_>, path: &str) -> Option<String> {
    let json = at(body, path)?.get();
    if json.starts_with('"') {
        return serde_json::from_str(json).ok();
    }
    let number = !json.is_empty() && json.bytes().all(|b| b.is_ascii_digit());
    number.then(|| json.to_owned())
}

/// A text that can be a URI reference.
fn address(body: &Object<'_>, path: &str) -> Option<String> {
    text(body, path).filter(|text| is_attribute(text) && !text.contains(char::is_whitespace))
}

fn is_attribute(text: &str) -> bool {
    !text.is_empty() && !text.contains(char::is_control)
}

fn instant(body: &Object<'_>, path: &str) -> Option<chrono::DateTime<chrono::Utc>> {
    serde_json::from_str::<At>(at(body, path)?.get()).ok()?.0
}
