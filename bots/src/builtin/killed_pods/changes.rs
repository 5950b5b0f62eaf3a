//! What changed before it died: the last deployment and the changes in it, what the new revision sets otherwise, and
//! whether it died like this before.

use bus::data::forge::Change;
use chrono::{DateTime, TimeDelta, Utc};

use super::bus_events::{KILLS_MAX, Told, kills_of, merged};
use super::collect::Collected;
use super::deployed::{DEPLOYED_WITHIN, Deployed, last_deployment};
use super::ownership::Ownership;
use super::revisions::difference;
use super::subject::Subject;
use super::words::{count, span};
use crate::lookups::Lookups;
use crate::message::Span;

/// A kill this soon after a deployment is first thought to be its doing.
pub(super) const BLAMED_WITHIN: TimeDelta = TimeDelta::minutes(15);
/// How far back before the deployment it is looked for kills of the same kind.
const KILLED_BEFORE_WITHIN: TimeDelta = TimeDelta::days(7);
/// Titles of changes that are shown.
const TITLES_MAX: usize = 5;

/// What changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// The last deployment.
    pub(super) deployed: Option<Deployed>,
    /// What changed, an item each, the most telling first.
    pub(super) items: Vec<Vec<Span>>,
    /// When it died like this, this time included, the newest first; none where that is not known.
    pub(super) kills: Option<Vec<DateTime<Utc>>>,
    /// What could not be had.
    pub(super) gaps: Vec<String>,
}

/// What changed before a kill.
pub(super) fn changes(subject: &Subject, whose: &Ownership, collected: &Collected, lookups: &Lookups<'_>) -> Changes {
    let mut changes = Changes::default();
    changes.deployed = last_deployment(subject, whose, collected, lookups, &mut changes.gaps);
    let deployed = changes.deployed.clone();
    let unknown = !changes.gaps.is_empty();
    let since = deployed.as_ref().map_or(subject.at, |deployed| deployed.at) - KILLED_BEFORE_WITHIN;
    match kills_of(subject, [since, subject.at + TimeDelta::milliseconds(1)], lookups) {
        Ok(kills) => changes.kills = Some(kills.iter().map(|told| told.at).collect()),
        Err(unavailable) => changes.gaps.push(format!("earlier kills: {unavailable}")),
    }
    match &deployed {
        None => {
            let (service, within) = (&whose.service, span(DEPLOYED_WITHIN));
            let text = if unknown {
                format!("Whether {service} was deployed before is not known.")
            } else {
                format!("No deployment of {service} is known in the {within} before.")
            };
            changes.items.push(vec![Span::plain(text)]);
        }
        Some(deployed) => {
            changes.items.push(deployed.sentence(subject.at));
            let known = changes.kills.as_deref().map(|kills| known_before(subject, deployed, kills));
            changes.items.extend(known.map(|text| vec![Span::plain(text)]));
        }
    }
    changes.items.extend(difference(collected).into_iter().map(|text| vec![Span::plain(text)]));
    let repository = whose.repository.clone().or_else(|| deployed.as_ref()?.repository.clone());
    if let (Some(repository), Some(deployed)) = (repository, deployed)
        && let Some(before) = deployed.before
    {
        match merged(&repository, [before, deployed.at], lookups) {
            Ok(found) => changes.items.extend(titles(&found, deployed.name_before.as_deref())),
            Err(unavailable) => changes.gaps.push(format!("changes of {repository}: {unavailable}")),
        }
    }
    changes
}

fn titles(found: &[Told<Change>], since: Option<&str>) -> Vec<Vec<Span>> {
    if found.is_empty() {
        return Vec::new();
    }
    let since = since.unwrap_or("the deployment before");
    let mut lines = vec![vec![Span::plain(format!("{} merged since {since}:", count(found.len(), "change")))]];
    lines.extend(found.iter().take(TITLES_MAX).map(|told| {
        let change = &told.data;
        let number = change.number.map_or_else(|| "A direct push".to_owned(), |number| format!("#{number}"));
        let name = match &change.url {
            Some(url) => Span::link(number, url.clone()),
            None => Span::plain(number),
        };
        vec![name, Span::plain(format!(" {}", change.title.as_deref().unwrap_or_default()))]
    }));
    if found.len() > TITLES_MAX {
        lines.push(vec![Span::plain(format!("and {} more", found.len() - TITLES_MAX))]);
    }
    lines
}

/// Whether it died like this before the deployment.
fn known_before(subject: &Subject, deployed: &Deployed, kills: &[DateTime<Utc>]) -> String {
    let before = kills.iter().filter(|at| **at < deployed.at).count();
    let what = subject.reason.as_deref().unwrap_or("kill");
    let within = span(KILLED_BEFORE_WITHIN);
    if before == 0 {
        return format!("New with this deployment: no {what} in the {within} before it.");
    }
    let more = if kills.len() >= KILLS_MAX { " or more" } else { "" };
    format!("Not new: {what} {}{more} in the {within} before this deployment.", count(before, "time"))
}
