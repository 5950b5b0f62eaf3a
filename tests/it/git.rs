//! A history imported: what the pages then say is what `git log` says.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use chrono::{DateTime, Datelike};
use serde_json::Value;
use tempfile::TempDir;

use crate::program::{Home, Program, until};

const NOW: &str = "2026-04-01T12:00:00Z";

/// The window of all questions: whole weeks around the whole history.
const WINDOW: &str = "from=2025-12-29&to=2026-03-30";

/// Monday 5 January 2026.
const BEGIN: i64 = 1_767_571_200;

const HOUR: i64 = 3_600;

/// A repository that the git program holds, for the import and for the other side of the comparison.
struct Repository(TempDir);

impl Repository {
    /// Sixty changes by six people: merged, squashed or pushed; a version every fifth, and tags that are none.
    fn invent() -> Self {
        let repository = Self(tempfile::Builder::new().prefix("shop").tempdir().unwrap());
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        let mut child = repository.command(&["fast-import", "--quiet"]).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(story().as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
        repository
    }

    fn path(&self) -> &str {
        self.0.path().to_str().unwrap()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("git");
        command.args(args).current_dir(self.0.path());
        command.env("GIT_CONFIG_GLOBAL", Path::new("/dev/null")).env("GIT_CONFIG_NOSYSTEM", "1");
        command
    }

    fn git(&self, args: &[&str]) -> String {
        let output = self.command(args).output().unwrap();
        assert!(output.status.success(), "git {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The first-parent line of the default branch, oldest first.
    fn landed(&self) -> Vec<Landed> {
        let log = self.git(&["log", "--first-parent", "--reverse", "--format=%H %ct %s", "main"]);
        log.lines().map(|line| self.read(line)).collect()
    }

    fn read(&self, line: &str) -> Landed {
        let mut parts = line.splitn(3, ' ');
        let (sha, at, subject) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
        let merged = subject.starts_with("Merge pull request #");
        let range = if merged { format!("{sha}^1..{sha}^2") } else { format!("-1 {sha}") };
        let authored = self.git(&[&["log", "--format=%at"], &range.split(' ').collect::<Vec<_>>()[..]].concat());
        let request = merged || subject.ends_with(')');
        let size = request.then(|| {
            let changed = self.git(&["diff", "--numstat", &format!("{sha}^1"), sha]);
            changed.split_whitespace().filter_map(|word| word.parse::<u64>().ok()).sum()
        });
        let first_commit_at = authored.lines().map(|at| at.parse().unwrap()).min().unwrap();
        Landed { sha: sha.to_owned(), at: at.parse().unwrap(), first_commit_at, size }
    }

    /// The versions, oldest first: when each was tagged.
    fn versions(&self) -> Vec<(String, i64)> {
        let tags = self.git(&[
            "for-each-ref",
            "--sort=creatordate",
            "--format=%(refname:short) %(creatordate:unix)",
            "refs/tags",
        ]);
        let tags = tags.lines().map(|line| line.split_once(' ').unwrap());
        let version = |name: &str| {
            let numbers = name.strip_prefix('v').is_some_and(|rest| rest.split('.').all(|n| n.parse::<u64>().is_ok()));
            numbers && name.matches('.').count() == 2
        };
        tags.filter(|(name, _)| version(name)).map(|(name, at)| (name.to_owned(), at.parse().unwrap())).collect()
    }
}

/// A commit of the default branch, as git tells it.
struct Landed {
    sha: String,
    at: i64,
    first_commit_at: i64,
    /// Lines added and deleted; only of a change with a number.
    size: Option<u64>,
}

/// The stream for `git fast-import`.
fn story() -> String {
    let mut stream = String::new();
    let mut mark = 0;
    let mut commit = |stream: &mut String, branch: &str, number: i64, at: [i64; 2], message: &str, parents: &[i64]| {
        mark += 1;
        let author = number % 6;
        writeln!(stream, "commit refs/heads/{branch}\nmark :{mark}").unwrap();
        writeln!(stream, "author Dev {author} <dev-{author}@shop.example> {} +0100", at[0]).unwrap();
        writeln!(stream, "committer Forge <noreply@forge.example> {} +0100", at[1]).unwrap();
        writeln!(stream, "data {}\n{message}", message.len()).unwrap();
        for (word, parent) in ["from", "merge"].iter().zip(parents) {
            writeln!(stream, "{word} :{parent}").unwrap();
        }
        let lines = 1 + number * number % 601;
        let text: String = (0..lines).map(|line| format!("line {} of {number}\n", line % 40)).collect();
        writeln!(stream, "M 100644 inline src/part-{}.txt\ndata {}\n{text}", number % 4, text.len()).unwrap();
        mark
    };
    let mut tip = commit(&mut stream, "main", 0, [BEGIN, BEGIN], "Begin", &[]);
    for number in 1..=60 {
        let landed = BEGIN + number * 25 * HOUR;
        let began = landed - (3 + number * 7 % 90) * HOUR;
        tip = match number % 4 {
            0 => commit(&mut stream, "main", number, [landed - HOUR, landed], "Correct a word", &[tip]),
            1 => {
                let squashed = format!("Change number {number} (#{number})");
                commit(&mut stream, "main", number, [began, landed], &squashed, &[tip])
            }
            _ => {
                let first = commit(&mut stream, "topic", number, [began, began], "Try it", &[tip]);
                let last = commit(&mut stream, "topic", number, [landed - HOUR, landed - HOUR], "Do it", &[first]);
                let merge = format!("Merge pull request #{number} from dev/topic\n\nChange number {number}");
                commit(&mut stream, "main", number, [landed, landed], &merge, &[tip, last])
            }
        };
        let name = match number % 5 {
            0 => format!("v0.{}.0", number / 5),
            3 => format!("v0.{}.0-rc1", number / 5 + 1),
            _ => continue,
        };
        let tagger = format!("Forge <noreply@forge.example> {} +0100", landed + 2 * HOUR);
        writeln!(stream, "tag {name}\nfrom :{tip}\ntagger {tagger}\ndata {}\n{name}", name.len()).unwrap();
    }
    stream
}

/// Linear interpolation between order statistics, as in the definition of the metrics.
fn median(values: &[i64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_unstable();
    let (low, high) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
    (low + high) as f64 / 2.0
}

fn week(at: i64) -> String {
    let week = DateTime::from_timestamp(at, 0).unwrap().iso_week();
    format!("{}-W{:02}", week.year(), week.week())
}

/// Every point that rests on something: its label, its sample size and its figure.
fn measured<'r>(points: &'r Value, figure: &str) -> BTreeMap<&'r str, (u64, f64)> {
    let points = points.as_array().unwrap().iter().filter(|point| point["n"] != 0);
    let read = |point: &'r Value| {
        let figure = point["figure"][figure].as_f64().unwrap_or_else(|| panic!("{point:#}"));
        (point["label"].as_str().unwrap(), (point["n"].as_u64().unwrap(), figure))
    };
    points.map(read).collect()
}

/// The sample size and median of each group of values.
fn medians<K: Ord>(groups: BTreeMap<K, Vec<i64>>) -> BTreeMap<K, (u64, f64)> {
    groups.into_iter().map(|(label, values)| (label, (values.len() as u64, median(&values)))).collect()
}

async fn counted(program: &Program, versions: usize) {
    until("every version is counted", async || {
        let report = program.metric(&format!("successful-deployments?{WINDOW}")).await;
        (report["total"]["n"] == versions).then_some(())
    })
    .await;
}

/// Imports, and tells how many deliveries were stored and how many were known.
fn import(home: &Home, repository: &Repository) -> (u64, u64) {
    let done = home.json(&["import", "git", repository.path(), "--name", "shop"]);
    (done["stored"].as_u64().unwrap(), done["known"].as_u64().unwrap())
}

#[tokio::test]
async fn deployments_lead_times_and_times_to_merge_are_those_of_git_log() {
    let repository = Repository::invent();
    let (landed, versions) = (repository.landed(), repository.versions());
    assert_eq!((landed.len(), versions.len()), (61, 12));
    let home = Home::new().at(NOW);
    let program = home.serve().await;
    import(&home, &repository);
    counted(&program, versions.len()).await;

    let mut weekly = BTreeMap::<String, Vec<i64>>::new();
    for (_, at) in &versions {
        weekly.entry(week(*at)).or_default().push(0);
    }
    let report = program.metric(&format!("successful-deployments?{WINDOW}")).await;
    let expected = weekly.iter().map(|(week, all)| (week.as_str(), (all.len() as u64, all.len() as f64)));
    assert_eq!(measured(&report["points"], "value"), expected.collect());

    // The first version has no base, so nobody knows what it brought.
    let mut lead_times = BTreeMap::<String, Vec<i64>>::new();
    for pair in versions.windows(2) {
        let brought = repository.git(&["rev-list", "--first-parent", &format!("{}..{}", pair[0].0, pair[1].0)]);
        let brought = landed.iter().filter(|landed| brought.contains(&landed.sha));
        lead_times.entry(week(pair[1].1)).or_default().extend(brought.map(|landed| pair[1].1 - landed.first_commit_at));
    }
    let all: Vec<i64> = lead_times.values().flatten().copied().collect();
    let report = program.metric(&format!("lead-time?{WINDOW}")).await;
    assert_eq!((&report["total"]["n"], &report["total"]["figure"]["p50"]), (&all.len().into(), &median(&all).into()));
    let expected = medians(lead_times);
    assert_eq!(
        measured(&report["points"], "p50"),
        expected.iter().map(|(week, point)| (week.as_str(), *point)).collect()
    );

    let mut sizes = BTreeMap::<&str, Vec<i64>>::new();
    for (size, time) in landed.iter().filter_map(|l| Some((l.size?, l.at - l.first_commit_at))) {
        let label = match size {
            0..=10 => "1–10",
            11..=50 => "11–50",
            51..=200 => "51–200",
            201..=500 => "201–500",
            501..=1000 => "501–1000",
            _ => "> 1000",
        };
        sizes.entry(label).or_default().push(time);
    }
    assert!(sizes.len() >= 5, "sizes in {} groups only", sizes.len());
    let report = program.metric(&format!("size-merge-time?{WINDOW}")).await;
    assert_eq!(measured(&report["groups"], "p50"), medians(sizes));
}

#[tokio::test]
async fn an_import_stores_the_same_with_and_without_a_server_and_nothing_twice() {
    let repository = Repository::invent();
    let versions = repository.versions().len();
    let (served, alone) = (Home::new().at(NOW), Home::new().at(NOW));
    let tags = repository.git(&["tag"]).lines().count();
    let told = (repository.landed().len() + tags) as u64;

    let program = served.serve().await;
    assert_eq!(import(&served, &repository), (told, 0));
    assert_eq!(import(&served, &repository), (0, told));
    let dry = alone.json(&["import", "git", repository.path(), "--name", "shop", "--dry-run"]);
    assert_eq!((&dry["stored"], &dry["deployments"]), (&0.into(), &versions.into()));
    assert_eq!(import(&alone, &repository), (told, 0));
    assert_eq!(import(&alone, &repository), (0, told));

    counted(&program, versions).await;
    let other = alone.serve().await;
    counted(&other, versions).await;
    for name in program.metrics().await {
        let question = format!("{name}?{WINDOW}");
        assert_eq!(program.metric(&question).await, other.metric(&question).await, "{name}");
    }
    assert_eq!(program.source("git/shop").await["state"], "imported");
}

#[test]
fn what_is_no_repository_is_refused() {
    let home = Home::new();
    std::fs::create_dir(home.path("empty")).unwrap();
    let ran = home.run(&["import", "git", "empty"]);
    assert_eq!(ran.exit, 1, "{ran:?}");
    assert!(ran.stderr.contains("empty"), "{ran:?}");
    let repository = Repository::invent();
    let ran = home.run(&["import", "git", repository.path(), "--name", "shop", "--tag-pattern", "("]);
    assert_eq!(ran.exit, 2, "{ran:?}");
    let ran = home.run(&["import", "git", repository.path(), "--name", "shop", "--branch", "missing"]);
    assert_ne!(ran.exit, 0, "{ran:?}");
    assert!(ran.stderr.contains("missing"), "{ran:?}");
}
