//! Days and the changes they bring: opened, reviewed, merged; tickets and releases beside them.

use bus::data::Verdict;
use chrono::{DateTime, Datelike, Days, NaiveDate, TimeDelta, Utc, Weekday};

use super::super::happening::{Cause, Change, ChangeAction, Commit, Happening, Push, Release, Ticket};
use super::super::organisation::{DEPENDENCY_BOT, Person};
use super::super::rhythm::{self, Pace};
use super::super::story::{self, Setting, Sort, Step};
use super::{CHANGES_PER_DAY, Commission, Due, Open, RunFor, World};

/// On the stage, seconds between one change and the next, on average.
const ENTRANCE_SECONDS: f64 = 75.0;

impl World {
    /// Hands out the work of a day, and makes the next day due.
    pub(super) fn hand_out(&mut self, day: NaiveDate) {
        let Some(tomorrow) = day.checked_add_days(Days::new(1)) else { return };
        let midnight = |day: NaiveDate| day.and_time(chrono::NaiveTime::MIN).and_utc();
        self.later(midnight(tomorrow), Due::Day(tomorrow));
        let work = rhythm::weight(day) * self.dates.growth(midnight(day)) * self.scale;
        for repository in 0..self.repositories.len() {
            let Some(r) = self.repositories.get(repository) else { return };
            if midnight(day) < r.since {
                continue;
            }
            let busy = r.services.len().min(2) as f64 * (r.people.len() as f64 / 14.0).clamp(0.45, 1.3);
            let (services, releases) = (r.services.clone(), r.releases > 0);
            for _ in 0..self.random.poisson(CHANGES_PER_DAY * busy * work) {
                let Some(service) = self.random.pick(&services) else { continue };
                let sort = if self.random.chance(0.09) { Sort::Dependency } else { Sort::Usual };
                let at = rhythm::moment(day, &mut self.random);
                self.later(at, Due::Open(Commission::of(service, sort)));
            }
            for _ in 0..self.random.poisson(0.06 * busy * work) {
                let at = rhythm::moment(day, &mut self.random);
                self.later(at, Due::OpenTicket(repository));
            }
            if releases && day.weekday() == Weekday::Wed && self.random.chance(0.5) {
                let at = rhythm::moment(day, &mut self.random);
                self.later(at, Due::Release(repository));
            }
        }
    }

    /// On the stage: somebody opens a change, and the next one follows soon.
    pub(super) fn enter(&mut self, at: DateTime<Utc>) {
        let next = ENTRANCE_SECONDS * self.random.between(0.5, 1.5);
        self.later(at + rhythm::seconds(next), Due::Entrance);
        let free: Vec<usize> = (0..self.services.len())
            .filter(|s| {
                let repository = self.services.get(*s).and_then(|s| self.repositories.get(s.repository));
                repository.is_some_and(|r| !r.frozen && !super::super::organisation::is_data(r.name))
            })
            .collect();
        if let Some(service) = self.random.pick(&free) {
            self.open(at, Commission::of(service, Sort::Usual));
        }
    }

    pub(super) fn open(&mut self, at: DateTime<Utc>, commission: Commission) {
        let Commission { service, sort, remedy, breaks_build } = commission;
        let Some(what) = self.services.get(service) else { return };
        let index = what.repository;
        let path = what.what.path.map(|p| format!("{p}/")).unwrap_or_default();
        let Some(repository) = self.repositories.get_mut(index) else { return };
        repository.number += 1;
        let setting = Setting { people: &repository.people, path: &path, pace: self.pace };
        let story = story::draw(&mut self.random, &setting, &sort, at);
        let change = Change {
            repository: repository.name,
            number: repository.number,
            title: story.title,
            body: story.reverts.map(|number| format!("Reverts {}#{number}", repository.name)),
            author: story.author,
            branch: story.branch,
            labels: story.labels,
            draft: story.draft,
            base_sha: repository.head.clone(),
            head_sha: story.commits.last().map(|c| c.sha.clone()).unwrap_or_default(),
            merge_sha: None,
            size: story.size,
            opened_at: at,
            updated_at: at,
            merged_at: None,
            closed_at: None,
        };
        let key = self.next_id();
        for (step_at, step) in story.steps {
            self.later(step_at, Due::Step(key, step));
        }
        self.tell(at, Happening::Change(ChangeAction::Opened, change.clone()));
        self.build_change(at, index, &change);
        let open = Open { repository: index, change, commits: story.commits, service, remedy, breaks_build };
        self.open.insert(key, open);
    }

    /// Takes a step of an open change; one that has been closed meanwhile takes none.
    pub(super) fn step(&mut self, at: DateTime<Utc>, key: u64, step: Step) {
        let Some(mut open) = self.open.remove(&key) else { return };
        open.change.updated_at = at;
        let action = match step {
            Step::Ready => {
                open.change.draft = false;
                ChangeAction::Ready
            }
            Step::Ask(person) => ChangeAction::ReviewRequested(person),
            Step::Review(by, verdict) => self.review(&mut open.change, by, verdict),
            Step::Comment(by) => {
                open.change.size.comments += 1;
                ChangeAction::Commented { id: self.next_id(), by }
            }
            Step::Push => return self.add_commit(at, key, open),
            Step::Merge(by) => return self.merge(at, key, open, by),
            Step::Abandon => {
                open.change.closed_at = Some(at);
                let by = open.change.author;
                return self.tell(at, Happening::Change(ChangeAction::Abandoned(by), open.change));
            }
        };
        self.tell(at, Happening::Change(action, open.change.clone()));
        self.open.insert(key, open);
    }

    fn review(&mut self, change: &mut Change, by: Person, verdict: Verdict) -> ChangeAction {
        let remarks = match verdict {
            Verdict::ChangesRequested => 2,
            Verdict::Commented => 1,
            Verdict::Approved | Verdict::Dismissed => 0,
        };
        change.size.comments += remarks;
        ChangeAction::Reviewed { id: self.next_id(), by, verdict }
    }

    fn add_commit(&mut self, at: DateTime<Utc>, key: u64, mut open: Open) {
        let path = self.services.get(open.service).and_then(|s| s.what.path).map(|p| format!("{p}/"));
        let setting = Setting { people: &[], path: &path.unwrap_or_default(), pace: self.pace };
        let message = format!("{}, as reviewed", open.change.title);
        let authored_at = at - TimeDelta::seconds(20);
        let commit = story::commit(&mut self.random, &setting, open.change.author, &message, authored_at);
        let before = std::mem::replace(&mut open.change.head_sha, commit.sha.clone());
        let change = &mut open.change;
        change.size.commits += 1;
        change.size.additions += 1 + change.size.additions / 12;
        change.size.deletions += change.size.additions / 30;
        open.commits.push(commit);
        self.tell(at, Happening::Change(ChangeAction::Pushed { before }, open.change.clone()));
        self.build_change(at, open.repository, &open.change);
        self.open.insert(key, open);
    }

    fn merge(&mut self, at: DateTime<Utc>, key: u64, mut open: Open, by: Person) {
        let Some(repository) = self.repositories.get_mut(open.repository) else { return };
        if repository.frozen && !open.breaks_build {
            // It waits until the default branch builds again.
            open.change.updated_at = at;
            self.open.insert(key, open);
            return;
        }
        let merge_sha = self.random.sha();
        let before = std::mem::replace(&mut repository.head, merge_sha.clone());
        let author = if repository.squashes { open.change.author } else { by };
        let message = if repository.squashes {
            format!("{} (#{})", open.change.title, open.change.number)
        } else {
            let owner = repository.name.split('/').next().unwrap_or_default();
            format!("Merge pull request #{} from {owner}/{}", open.change.number, open.change.branch)
        };
        let file = open.commits.last().map(|c| c.file.clone()).unwrap_or_default();
        let mut commits = if repository.squashes { Vec::new() } else { std::mem::take(&mut open.commits) };
        commits.push(Commit { sha: merge_sha.clone(), message, author, authored_at: at, file });
        let name = repository.name;
        open.change.merge_sha = Some(merge_sha);
        open.change.merged_at = Some(at);
        open.change.closed_at = Some(at);
        let lines = (open.change.size.additions + open.change.size.deletions) as f64;
        if let Some(service) = self.services.get_mut(open.service) {
            service.largest = service.largest.max(lines);
            service.latest_change = Some((open.change.title.clone(), open.change.number));
        }
        self.tell(at, Happening::Push(Push { repository: name, before, pusher: by, commits, at }));
        self.tell(at, Happening::Change(ChangeAction::Merged(by), open.change));
        let what_for =
            RunFor::Merge { service: open.service, remedy: open.remedy, lines, breaks_build: open.breaks_build };
        self.build_default(at, open.repository, by, what_for);
    }

    /// Every push to a change is built.
    fn build_change(&mut self, at: DateTime<Utc>, repository: usize, change: &Change) {
        let cause = Cause::Change(change.number);
        let by = change.author;
        self.start_run(at, repository, (cause, change.head_sha.clone(), change.branch.clone(), by), RunFor::Change);
    }

    fn build_default(&mut self, at: DateTime<Utc>, repository: usize, by: Person, what_for: RunFor) {
        let Some(head) = self.repositories.get(repository).map(|r| r.head.clone()) else { return };
        self.start_run(at, repository, (Cause::Push, head, "main".to_owned(), by), what_for);
    }

    /// Nothing is merged any more until the build is mended, save what breaks it.
    pub(super) fn freeze(&mut self, repository: usize) {
        if let Some(repository) = self.repositories.get_mut(repository) {
            repository.frozen = true;
        }
    }

    pub(super) fn open_ticket(&mut self, at: DateTime<Utc>, repository: usize) {
        let title = story::draw_ticket_title(&mut self.random);
        let Some(repository) = self.repositories.get_mut(repository) else { return };
        repository.number += 1;
        let (name, number) = (repository.name, repository.number);
        let author = self.random.pick(&repository.people).unwrap_or(DEPENDENCY_BOT);
        let ticket = Ticket { repository: name, number, title, author, opened_at: at, closed_at: None };
        let hours = self.random.log_normal(40.0, 1.2);
        let closed_at = self.pace.work(at, hours);
        self.tell(at, Happening::Ticket(ticket.clone()));
        self.later(closed_at, Due::CloseTicket(ticket));
    }

    pub(super) fn close_ticket(&mut self, at: DateTime<Utc>, ticket: Ticket) {
        self.tell(at, Happening::Ticket(Ticket { closed_at: Some(at), ..ticket }));
    }

    pub(super) fn release(&mut self, at: DateTime<Utc>, repository: usize) {
        let id = self.next_id();
        let Some(repository) = self.repositories.get_mut(repository) else { return };
        let tag = format!("v3.{}.0", repository.releases);
        repository.releases += 1;
        let name = repository.name;
        let by = self.random.pick(&repository.people).unwrap_or(DEPENDENCY_BOT);
        self.tell(at, Happening::Release(Release { repository: name, id, tag, by, at }));
    }

    /// True while people watch.
    pub(super) fn is_on_stage(&self) -> bool {
        self.pace == Pace::Stage
    }
}
