//! Changes, their reviews and comments.

use bus::data::forge::{Change as Told, Person};
use bus::data::{Data, Verdict};
use bus::event::Event;
use bus::ids::EventId;
use bus::kind::Kind;

use super::told::{Field, Instant, keep_latest};
use super::{Fold, said, told_at};
use crate::facts::{Change, FactKey, Moment, ReviewMark, Size};

impl Fold<'_> {
    pub(super) fn change(&mut self, event: &Event) {
        let Data::Change(data) = &event.data else { return };
        let Some(key) = key(&data.repository, data.number, data.merge_sha.as_deref().or(data.head_sha.as_deref()))
        else {
            return;
        };
        let author = data.author.as_ref();
        self.author(&key, said(event), author);
        let change = self.change_at(key, &data.repository, data.number);
        change.direct |= data.direct;
        fields(change, event, data);
        life(change, event, data);
        if let Some(at) = data.pushed_at {
            change.pushes.insert(Moment { at, event: event.id });
        }
    }

    pub(super) fn review(&mut self, event: &Event) {
        let Data::Review(data) = &event.data else { return };
        let Some(verdict) = data.verdict else { return };
        let Some(key) = key(&data.repository, data.number, None) else { return };
        self.author(&key, said(event), data.author.as_ref());
        let mark = Mark {
            at: told_at(event, data.submitted_at),
            requested_changes: verdict == Verdict::ChangesRequested,
            approved: verdict == Verdict::Approved,
        };
        // A verdict that is taken back was a review when it was given; taking it back is none.
        if verdict != Verdict::Dismissed {
            self.mark(key, (&data.repository, data.number), &mark, data.reviewer.as_ref());
        }
    }

    pub(super) fn comment(&mut self, event: &Event) {
        let Data::Comment(data) = &event.data else { return };
        let Some(key) = key(&data.repository, data.number, None) else { return };
        self.author(&key, said(event), data.change_author.as_ref());
        // A remark in the conversation is not a review; one at a line of code is.
        if data.path.is_some() {
            let mark = Mark { at: told_at(event, data.created_at), requested_changes: false, approved: false };
            self.mark(key, (&data.repository, data.number), &mark, data.author.as_ref());
        }
    }

    /// Bots do not review. The author does not either, but who that is may be told later, so readers leave it out.
    fn mark(&mut self, key: FactKey, of: (&str, Option<u64>), mark: &Mark, by: Option<&Person>) {
        let by = by.and_then(|person| self.people.somebody(person));
        if by.is_some_and(|somebody| somebody.is_bot) {
            return;
        }
        let Mark { at: Moment { at, event }, requested_changes, approved } = *mark;
        let person = by.map(|somebody| somebody.hash);
        let made = ReviewMark { at, person, requested_changes, approved };
        self.change_at(key, of.0, of.1).reviews.insert(event, made);
    }

    fn author(&mut self, key: &FactKey, said: Moment, author: Option<&Person>) {
        let Some(author) = author.and_then(|author| self.people.somebody(author)) else { return };
        let change = self.change_at(key.clone(), "", None);
        let mut known = change.author.map(|hash| (hash, change.author_is_bot));
        change.told.set(Field::Author, said, &mut known, Some(&(author.hash, author.is_bot)));
        (change.author, change.author_is_bot) = (known.map(|known| known.0), known.is_some_and(|known| known.1));
    }

    fn change_at(&mut self, key: FactKey, repository: &str, number: Option<u64>) -> &mut Change {
        if !self.touched.changes.contains(&key) {
            self.touched.changes.insert(key.clone());
        }
        let change = self.facts.changes.entry(key).or_default();
        if change.repository.is_empty() {
            repository.clone_into(&mut change.repository);
        }
        change.number = change.number.or(number);
        change
    }
}

/// A review before it is known who gave it.
struct Mark {
    at: Moment,
    requested_changes: bool,
    approved: bool,
}

/// Key of a change; none if the sender gives neither number nor commit.
fn key(repository: &str, number: Option<u64>, sha: Option<&str>) -> Option<FactKey> {
    if repository.is_empty() {
        return None;
    }
    match (number, sha) {
        (Some(number), _) => Some(FactKey::of(format!("{repository}#{number}"))),
        (None, Some(sha)) => Some(FactKey::of(format!("{repository}@{sha}"))),
        (None, None) => None,
    }
}

fn fields(change: &mut Change, event: &Event, data: &Told) {
    let (said, told) = (said(event), &mut change.told);
    told.set(Field::MergeSha, said, &mut change.merge_sha, data.merge_sha.as_ref());
    told.set(Field::BaseBranch, said, &mut change.base_branch, data.base_branch.as_ref());
    told.set(Field::Reverts, said, &mut change.reverts, data.reverts.as_ref());
    let to_default = match (&data.base_branch, &data.default_branch) {
        (Some(base), Some(default)) => Some(base == default),
        (_, _) => data.direct.then_some(true),
    };
    told.set(Field::OnDefaultBranch, said, &mut change.to_default_branch, to_default.as_ref());
    if data.additions.is_some() || data.deletions.is_some() {
        let size = Size {
            additions: data.additions.unwrap_or_default(),
            deletions: data.deletions.unwrap_or_default(),
            files: data.files,
            commits: data.commits,
        };
        keep_latest(&mut change.size, said.at, said.event, size);
    }
    change.paths.extend(data.paths.iter().cloned());
    change.heads.extend(data.head_sha.iter().filter(|_| !data.direct).cloned());
}

/// When it was opened, ready, merged and closed.
fn life(change: &mut Change, event: &Event, data: &Told) {
    let id = event.id;
    if let Some(at) = data.first_commit_at {
        let said = Moment { at, event: id };
        change.first_commit = Some(change.first_commit.map_or(said, |known| known.min(said)));
    }
    let created = event.kind == Kind::ChangeCreated;
    let opened = data.opened_at.or(created.then_some(event.time));
    let ready = data.ready_at.or(if created && !data.draft { opened } else { None });
    let merged = data.merged_at.or((event.kind == Kind::ChangeMerged).then_some(event.time));
    let told = &mut change.told;
    if let Some(at) = opened {
        told.earliest(Instant::Opened, &mut change.opened, Moment { at, event: id }, created);
    }
    if let Some(at) = ready {
        told.earliest(Instant::Ready, &mut change.ready, Moment { at, event: id }, at == event.time);
    }
    if let Some(at) = merged {
        let firsthand = event.kind == Kind::ChangeMerged;
        told.earliest(Instant::Merged, &mut change.merged, Moment { at, event: id }, firsthand);
    }
    open_or_closed(change, event, data, merged.is_some());
}

/// An event of an open change tells that it is open: after an earlier closing, that it was opened again.
fn open_or_closed(change: &mut Change, event: &Event, data: &Told, merged: bool) {
    let later = |known: Option<Moment>, at, event: EventId| {
        let said = Moment { at, event };
        Some(known.map_or(said, |known| known.max(said)))
    };
    if merged {
        return;
    }
    if event.kind == Kind::ChangeAbandoned {
        change.closed = later(change.closed, data.closed_at.unwrap_or(event.time), event.id);
    } else if data.closed_at.is_none() {
        change.reopened = later(change.reopened, event.time, event.id);
    }
}
