//! Commits, and what is measured of them.

use std::collections::BTreeSet;

use bus::data::Data;
use bus::data::forge::Push;
use bus::event::Event;
use bus::ids::EventId;
use chrono::{DateTime, Utc};

use super::told::{Field, keep_latest};
use super::{Fold, said};
use crate::facts::{Commit, FactKey, Measurement, Moment, Pushed};

impl Fold<'_> {
    pub(super) fn push(&mut self, event: &Event) {
        let Data::Push(push) = &event.data else { return };
        if push.repository.is_empty() {
            return;
        }
        for commit in push.commits.iter().filter(|commit| !commit.sha.is_empty()) {
            let parents = commit.parents.as_ref().map(|parents| parents.iter().cloned().collect());
            self.commit(&push.repository, &commit.sha, commit.authored_at, parents.map(|parents| (parents, true)));
        }
        if let Some(head) = &push.after {
            self.commit(&push.repository, head, None, brought(push, head).map(|reached| (reached, false)));
            let pushed = began(push, event.id);
            if let Some(commit) = self.facts.commits.get_mut(&FactKey::of(format!("{}@{head}", push.repository))) {
                commit.pushes.extend(pushed);
            }
        }
    }

    /// Parents that git knows count more than what follows from a push; of the same sort, both count.
    fn commit(
        &mut self,
        repository: &str,
        sha: &str,
        authored_at: Option<DateTime<Utc>>,
        reached: Option<(BTreeSet<String>, bool)>,
    ) {
        let key = FactKey::of(format!("{repository}@{sha}"));
        self.touched.commits.insert(key.clone());
        let commit = self
            .facts
            .commits
            .entry(key)
            .or_insert_with(|| Commit { repository: repository.to_owned(), ..Commit::default() });
        commit.authored_at = commit.authored_at.into_iter().chain(authored_at).min();
        let Some((reached, exact)) = reached else { return };
        match (exact, commit.exact) {
            (false, true) => {}
            (true, false) => (commit.reaches, commit.exact) = (Some(reached), true),
            (true, true) | (false, false) => commit.reaches.get_or_insert_default().extend(reached),
        }
    }

    pub(super) fn coverage(&mut self, event: &Event) {
        let Data::Coverage(data) = &event.data else { return };
        let of = (data.repository.as_ref(), data.service.as_ref(), data.sha.as_ref(), data.tool.as_ref());
        let Some(ratio) = data.ratio.filter(|ratio| ratio.is_finite()) else { return };
        let measurement = self.measurement(event, of);
        keep_latest(&mut measurement.coverage, data.measured_at.unwrap_or(event.time), event.id, ratio);
    }

    pub(super) fn analysis(&mut self, event: &Event) {
        let Data::Analysis(data) = &event.data else { return };
        let of = (data.repository.as_ref(), data.service.as_ref(), data.sha.as_ref(), data.tool.as_ref());
        let measurement = self.measurement(event, of);
        let at = data.measured_at.unwrap_or(event.time);
        keep_latest(&mut measurement.findings, at, event.id, data.findings.clone());
    }

    fn measurement(&mut self, event: &Event, of: Measured<'_>) -> &mut Measurement {
        let (repository, service, sha, tool) = of;
        let text = |part: Option<&String>| part.map_or("", String::as_str).to_owned();
        let place = repository.or(service);
        // Without a commit every measurement stands for itself: the next must not hide it from the past.
        let sha_or_event = sha.cloned().unwrap_or_else(|| event.id.to_string());
        let key = FactKey::of(format!("{}@{sha_or_event}:{}", text(place), text(tool)));
        self.touched.measurements.insert(key.clone());
        let measurement = self.facts.measurements.entry(key).or_default();
        let (said, told) = (said(event), &mut measurement.told);
        told.set(Field::Repository, said, &mut measurement.repository, repository);
        told.set(Field::Service, said, &mut measurement.service, service);
        told.set(Field::Sha, said, &mut measurement.sha, sha);
        told.set(Field::Pipeline, said, &mut measurement.tool, tool);
        measurement
    }
}

/// Repository, service, commit and tool of a measurement.
type Measured<'a> = (Option<&'a String>, Option<&'a String>, Option<&'a String>, Option<&'a String>);

/// When the work that a push brought began. To a branch of a change counts only what no other branch had: a merge of the
/// default branch into it brings commits of others.
fn began(push: &Push, event: EventId) -> Option<Pushed> {
    let branch = push.branch.as_ref()?;
    let to_default_branch = push.default_branch.as_ref() == Some(branch);
    let own = push.commits.iter().filter(|commit| to_default_branch || commit.distinct != Some(false));
    let at = own.filter_map(|commit| commit.authored_at).min()?;
    let before = push.before.clone().filter(|_| !push.forced);
    Some(Pushed { first_commit: Moment { at, event }, before, to_default_branch })
}

/// What the head of a push reaches for certain: all that came with it, and, unless history was rewritten, what was
/// there before.
fn brought(push: &Push, head: &str) -> Option<BTreeSet<String>> {
    let before = push.before.as_ref().filter(|_| !push.forced);
    let listed = push.commits.iter().map(|commit| &commit.sha);
    let reached: BTreeSet<String> =
        listed.chain(before).filter(|sha| !sha.is_empty() && *sha != head).cloned().collect();
    (!reached.is_empty()).then_some(reached)
}
