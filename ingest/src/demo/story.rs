//! The life of one change, drawn when it is opened: who reviews it, when, how often, and how it ends.
//!
//! Larger changes wait longer for a review, are sent back more often and take longer to merge; a fix in a hurry does
//! not wait.

use bus::data::Verdict;
use chrono::{DateTime, TimeDelta, Utc};

use super::happening::{Commit, Size};
use super::organisation::{DEPENDENCY_BOT, Person};
use super::random::{Random, whole};
use super::rhythm::{Pace, seconds};

/// What kind of change it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sort {
    /// Somebody's daily work.
    Usual,
    /// A bot raises a dependency.
    Dependency,
    /// A bot raises a dependency and merges that itself.
    Automatic,
    /// A fix that does not wait for the usual way.
    Hotfix,
    /// Takes an earlier change back: its title and number.
    Revert(String, u64),
}

/// A change and everything that is going to happen to it.
#[derive(Debug, Clone)]
pub(super) struct Story {
    pub(super) title: String,
    /// Number of the change that it takes back.
    pub(super) reverts: Option<u64>,
    pub(super) author: Person,
    pub(super) branch: String,
    pub(super) labels: Vec<&'static str>,
    pub(super) draft: bool,
    pub(super) size: Size,
    /// Commits at the time of opening.
    pub(super) commits: Vec<Commit>,
    /// What follows, in order of time.
    pub(super) steps: Vec<(DateTime<Utc>, Step)>,
}

/// One step in the life of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It leaves draft.
    Ready,
    /// A review is asked of somebody.
    Ask(Person),
    /// Somebody gives a review.
    Review(Person, Verdict),
    /// Somebody comments.
    Comment(Person),
    /// The author adds a commit.
    Push,
    /// It is merged.
    Merge(Person),
    /// It is closed unmerged.
    Abandon,
}

/// Where a story is set.
pub(super) struct Setting<'a> {
    /// Who works there.
    pub(super) people: &'a [Person],
    /// The path that its files lie in.
    pub(super) path: &'a str,
    /// How fast it goes.
    pub(super) pace: Pace,
}

/// Draws a story that begins at `opened_at`.
pub(super) fn draw(random: &mut Random, setting: &Setting<'_>, sort: &Sort, opened_at: DateTime<Utc>) -> Story {
    let author = match sort {
        Sort::Dependency | Sort::Automatic => DEPENDENCY_BOT,
        Sort::Usual | Sort::Hotfix | Sort::Revert(..) => random.pick(setting.people).unwrap_or(DEPENDENCY_BOT),
    };
    let size = draw_size(random, sort);
    let title = draw_title(random, sort);
    let commits = draw_commits(random, setting, (author, &title, size.commits), opened_at);
    let draft = *sort == Sort::Usual && random.chance(0.15);
    let mut plan = Plan { random, setting, author, lines: (size.additions + size.deletions) as f64, steps: Vec::new() };
    match sort {
        Sort::Usual => plan.usual(draft, opened_at),
        Sort::Dependency => plan.dependency(opened_at),
        Sort::Automatic => plan.automatic(opened_at),
        Sort::Hotfix | Sort::Revert(..) => plan.hurried(opened_at),
    }
    let steps = plan.steps;
    let (branch, labels) = match sort {
        Sort::Usual => (branch("feature", &title), Vec::new()),
        Sort::Dependency | Sort::Automatic => (branch("dependencies", &title), vec!["dependencies"]),
        Sort::Hotfix => (branch("hotfix", &title), vec!["hotfix"]),
        Sort::Revert(_, number) => (format!("revert-{number}"), vec!["revert"]),
    };
    let reverts = match sort {
        Sort::Revert(_, number) => Some(*number),
        Sort::Usual | Sort::Dependency | Sort::Automatic | Sort::Hotfix => None,
    };
    Story { title, reverts, author, branch, labels, draft, size, commits, steps }
}

/// The steps so far of a story that is being drawn.
struct Plan<'a> {
    random: &'a mut Random,
    setting: &'a Setting<'a>,
    author: Person,
    lines: f64,
    steps: Vec<(DateTime<Utc>, Step)>,
}

impl Plan<'_> {
    fn usual(&mut self, draft: bool, opened_at: DateTime<Utc>) {
        let mut at = opened_at;
        if draft {
            at = self.later(at, 6.0, 0.7);
            self.steps.push((at, Step::Ready));
        }
        let reviewer = self.colleague();
        if self.random.chance(0.3) {
            self.steps.push((at + TimeDelta::seconds(40), Step::Ask(reviewer)));
        }
        self.talk(opened_at, reviewer);
        if self.random.chance(0.06) {
            at = self.later(at, 16.0, 0.9);
            self.steps.push((at, Step::Abandon));
            return;
        }
        // Few go without a review, and those are small.
        if self.lines > 30.0 || !self.random.chance(0.12) {
            at = self.rounds(at, reviewer);
        }
        let merged_at = self.later(at, 0.5, 1.1);
        self.steps.push((merged_at, Step::Merge(self.author)));
    }

    /// Reviews until one approves; returns when that is.
    fn rounds(&mut self, ready_at: DateTime<Utc>, reviewer: Person) -> DateTime<Utc> {
        let mut at = self.later(ready_at, 2.3 * (self.lines / 60.0).powf(0.3), 0.9);
        let sent_back = (0.05 + 0.09 * self.lines.max(1.0).log10()).min(0.45);
        for _ in 0..4 {
            if !self.random.chance(sent_back) {
                break;
            }
            self.steps.push((at, Step::Review(reviewer, Verdict::ChangesRequested)));
            at = self.later(at, 2.0 * (self.lines / 60.0).powf(0.25), 0.8);
            self.steps.push((at, Step::Push));
            at = self.later(at, 1.4, 0.9);
        }
        if self.random.chance(0.12) {
            let other = self.colleague();
            self.steps.push((at, Step::Review(other, Verdict::Commented)));
            at = self.later(at, 0.5, 0.6);
        }
        self.steps.push((at, Step::Review(reviewer, Verdict::Approved)));
        at
    }

    fn dependency(&mut self, opened_at: DateTime<Utc>) {
        let mut at = self.later(opened_at, 5.0, 1.0);
        let merger = self.colleague();
        if self.random.chance(0.1) {
            self.steps.push((at, Step::Abandon));
            return;
        }
        if self.random.chance(0.6) {
            self.steps.push((at, Step::Review(merger, Verdict::Approved)));
            at = self.later(at, 0.1, 0.5);
        }
        self.steps.push((at, Step::Merge(merger)));
    }

    fn automatic(&mut self, opened_at: DateTime<Utc>) {
        let merged_at = self.setting.pace.run(opened_at, 25.0);
        self.steps.push((merged_at, Step::Merge(self.author)));
    }

    fn hurried(&mut self, opened_at: DateTime<Utc>) {
        let mut minutes = self.random.log_normal(11.0, 0.4);
        let reviewed_at = self.setting.pace.run(opened_at, minutes);
        let reviewer = self.colleague();
        if self.random.chance(0.85) {
            self.steps.push((reviewed_at, Step::Review(reviewer, Verdict::Approved)));
        }
        minutes = self.random.between(1.0, 5.0);
        self.steps.push((self.setting.pace.run(reviewed_at, minutes), Step::Merge(self.author)));
    }

    /// Comments, and commits that nobody asked for.
    fn talk(&mut self, opened_at: DateTime<Utc>, reviewer: Person) {
        let lively = self.setting.pace == Pace::Stage;
        for _ in 0..self.random.poisson(if lively { 5.0 } else { 0.15 }) {
            let at = self.later(opened_at, 1.5, 0.8);
            let by = if self.random.chance(0.5) { self.author } else { reviewer };
            self.steps.push((at, Step::Comment(by)));
        }
        for _ in 0..self.random.poisson(if lively { 2.0 } else { 0.2 }) {
            let at = self.later(opened_at, 1.0, 0.8);
            self.steps.push((at, Step::Push));
        }
    }

    fn later(&mut self, from: DateTime<Utc>, median_hours: f64, sigma: f64) -> DateTime<Utc> {
        let hours = self.random.log_normal(median_hours, sigma);
        self.setting.pace.work(from, hours)
    }

    /// Somebody else than the author.
    fn colleague(&mut self) -> Person {
        let others: Vec<_> = self.setting.people.iter().copied().filter(|p| *p != self.author).collect();
        self.random.pick(&others).unwrap_or(self.author)
    }
}

fn draw_size(random: &mut Random, sort: &Sort) -> Size {
    let lines = match sort {
        Sort::Usual => random.log_normal(48.0, 1.35),
        Sort::Dependency | Sort::Automatic => random.log_normal(9.0, 0.9),
        Sort::Hotfix => random.log_normal(9.0, 0.7),
        Sort::Revert(..) => random.log_normal(60.0, 1.0),
    };
    let lines = lines.clamp(1.0, 9_000.0);
    let deleted = lines * random.between(0.05, 0.55);
    Size {
        additions: whole(lines - deleted).max(1),
        deletions: whole(deleted),
        files: 1 + whole(random.log_normal((lines / 35.0).max(0.4), 0.5)),
        commits: match sort {
            Sort::Usual => 1 + random.poisson(0.7 + (lines / 400.0).min(3.0)),
            Sort::Dependency | Sort::Automatic | Sort::Hotfix | Sort::Revert(..) => 1,
        },
        comments: 0,
    }
}

fn draw_commits(
    random: &mut Random,
    setting: &Setting<'_>,
    (author, title, count): (Person, &str, u64),
    opened_at: DateTime<Utc>,
) -> Vec<Commit> {
    let hours = if count > 1 { random.log_normal(6.0, 0.9) } else { random.log_normal(0.7, 1.0) };
    let span = if setting.pace == Pace::Stage { 0.0 } else { hours.min(120.0) * 3_600.0 };
    (0..count)
        .map(|n| {
            let authored_at = opened_at - seconds(span * (count - n) as f64 / count as f64) - TimeDelta::seconds(30);
            commit(random, setting, author, title, authored_at)
        })
        .collect()
}

/// A commit by somebody.
pub(super) fn commit(
    random: &mut Random,
    setting: &Setting<'_>,
    author: Person,
    message: &str,
    authored_at: DateTime<Utc>,
) -> Commit {
    let area = random.pick(AREAS).unwrap_or_default();
    let file = format!("{}src/{}.rs", setting.path, area.replace(' ', "_"));
    Commit { sha: random.sha(), message: message.to_owned(), author, authored_at, file }
}

fn draw_title(random: &mut Random, sort: &Sort) -> String {
    let mut one_of = |words: &[&'static str]| random.pick(words).unwrap_or_default();
    match sort {
        Sort::Usual => format!("{} {}", one_of(VERBS), one_of(AREAS)),
        Sort::Hotfix => format!("Fix {} in production", one_of(AREAS)),
        Sort::Revert(title, _) => format!("Revert \"{title}\""),
        Sort::Dependency | Sort::Automatic => {
            let library = one_of(LIBRARIES);
            let (minor, patch) = (random.below(30), random.below(9));
            format!("Bump {library} from 1.{minor}.{patch} to 1.{}.0", minor + 1)
        }
    }
}

/// Words for a title of daily work, open tickets included.
pub(super) fn draw_ticket_title(random: &mut Random) -> String {
    let problem = random.pick(PROBLEMS).unwrap_or_default();
    format!("{problem} {}", random.pick(AREAS).unwrap_or_default())
}

fn branch(kind: &str, title: &str) -> String {
    let words: String = title.chars().map(|c| if c.is_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    format!("{kind}/{words}")
}

const VERBS: &[&str] = &[
    "Add",
    "Cache",
    "Clean up",
    "Cover",
    "Document",
    "Extract",
    "Fix",
    "Handle missing",
    "Make configurable:",
    "Measure",
    "Move",
    "Paginate",
    "Remove unused",
    "Rename",
    "Retry",
    "Rework",
    "Show",
    "Simplify",
    "Speed up",
    "Split",
    "Support",
    "Tighten",
    "Validate",
];

const AREAS: &[&str] = &[
    "address lookup",
    "basket totals",
    "batch import",
    "carrier selection",
    "currency rounding",
    "customer export",
    "delivery slots",
    "discount rules",
    "error pages",
    "event schema",
    "feature flags",
    "gift cards",
    "health checks",
    "image sizes",
    "invoice numbers",
    "language switch",
    "login form",
    "order history",
    "parcel labels",
    "password reset",
    "price list",
    "product filters",
    "rate limits",
    "refund flow",
    "request tracing",
    "return labels",
    "search ranking",
    "session store",
    "stock levels",
    "tax codes",
    "timeout settings",
    "webhook retries",
];

const PROBLEMS: &[&str] = &["Slow", "Wrong", "Missing", "Confusing", "Flaky test for", "Please document"];

const LIBRARIES: &[&str] = &["http-client", "json-reader", "test-runner", "date-tools", "logging", "sql-driver", "tls"];

#[cfg(test)]
mod tests {
    use super::super::organisation::people;
    use super::*;

    fn stories(sort: &Sort, count: usize) -> Vec<(DateTime<Utc>, Story)> {
        let mut random = Random::new(11);
        let people = people("storefront");
        let setting = Setting { people: &people, path: "", pace: Pace::Office };
        let opened_at = "2026-03-03T10:00:00Z".parse().unwrap();
        (0..count).map(|_| (opened_at, draw(&mut random, &setting, sort, opened_at))).collect()
    }

    fn hours_to_merge(story: &Story, opened_at: DateTime<Utc>) -> Option<i64> {
        let end = story.steps.iter().find(|(_, step)| matches!(step, Step::Merge(_)))?;
        Some((end.0 - opened_at).num_hours())
    }

    #[test]
    fn larger_changes_take_longer_to_merge() {
        let (mut small, mut large): (Vec<i64>, Vec<i64>) = (Vec::new(), Vec::new());
        for (opened_at, story) in stories(&Sort::Usual, 2_000) {
            let Some(hours) = hours_to_merge(&story, opened_at) else { continue };
            match story.size.additions + story.size.deletions {
                0..=20 => small.push(hours),
                400.. => large.push(hours),
                21..400 => {}
            }
        }
        small.sort_unstable();
        large.sort_unstable();
        assert!(large[large.len() / 2] >= 2 * small[small.len() / 2], "{small:?} {large:?}");
    }

    #[test]
    fn nobody_reviews_their_own_change() {
        for sort in [Sort::Usual, Sort::Dependency, Sort::Hotfix] {
            for (_, story) in stories(&sort, 300) {
                for (_, step) in &story.steps {
                    if let Step::Review(by, _) | Step::Ask(by) = step {
                        assert_ne!(*by, story.author);
                    }
                }
            }
        }
    }

    #[test]
    fn a_hotfix_does_not_wait() {
        for (opened_at, story) in stories(&Sort::Hotfix, 100) {
            assert!(hours_to_merge(&story, opened_at).unwrap() < 2);
        }
    }
}
