//! Keeps the invariants of the layout, stated as absences. Each check names the file and line that breaks it.

use std::fs;
use std::path::{Path, PathBuf};

/// Files longer than this hold two ideas.
const FILE_LINES_MAX: usize = 500;

const CRATES: [&str; 5] = ["bots", "bus", "ingest", "ledger", "web"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file with that extension below the folder, as a path from the root.
fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                open.push(entry);
            } else if entry.extension().is_some_and(|found| found == extension) {
                found.push(entry.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

fn sources() -> Vec<PathBuf> {
    CRATES
        .iter()
        .map(|name| format!("{name}/src"))
        .chain(["src".to_owned()])
        .flat_map(|dir| files(&dir, "rs"))
        .collect()
}

/// Lines of code before the tests, numbered from 1, without comments.
fn code(file: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(root().join(file)).unwrap();
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.to_owned()));
    lines
        .take_while(|(_, line)| line.trim() != "#[cfg(test)]")
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .collect()
}

fn offenders(files: &[PathBuf], breaks: impl Fn(&str) -> bool) -> Vec<String> {
    let lines = files.iter().flat_map(|file| code(file).into_iter().map(move |(number, line)| (file, number, line)));
    lines
        .filter(|(_, _, line)| breaks(line))
        .map(|(file, number, line)| format!("{}:{number}: {}", file.display(), line.trim()))
        .collect()
}

fn is_test_file(file: &Path) -> bool {
    file.file_name().is_some_and(|name| name == "tests.rs") || file.components().any(|part| part.as_os_str() == "tests")
}

#[test]
fn crates_know_only_those_below_them() {
    let allowed = |name: &str| -> &[&str] {
        match name {
            "bus" => &[],
            "ingest" | "ledger" => &["bus"],
            "bots" => &["bus", "ledger"],
            "web" => &["bots", "bus", "ingest", "ledger"],
            other => panic!("{other} is no crate of this workspace"),
        }
    };
    for name in CRATES {
        let manifest = fs::read_to_string(root().join(name).join("Cargo.toml")).unwrap();
        let dependencies = manifest.split("[dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
        for line in dependencies.lines() {
            let dependency = line.split(['.', ' ', '=']).next().unwrap();
            if CRATES.contains(&dependency) {
                assert!(allowed(name).contains(&dependency), "{name} must not depend on {dependency}");
            }
        }
    }
}

#[test]
fn the_judge_shares_nothing_with_the_program() {
    let manifest = fs::read_to_string(root().join("tests/judge/Cargo.toml")).unwrap();
    for name in CRATES.iter().chain(&["devhose"]) {
        assert!(!manifest.lines().any(|line| line.starts_with(&format!("{name}."))), "the judge must not know {name}");
    }
}

#[test]
fn vendor_names_stand_only_with_their_senders_and_clients() {
    let vendors = ["github", "gitlab", "bitbucket", "jenkins", "pagerduty", "slack", "jira", "argocd", "sonarqube"];
    let outside: Vec<_> = sources()
        .into_iter()
        .filter(|file| {
            let at_home = ["ingest/src/senders", "ingest/src/backfill", "ingest/src/watch", "bots/src/clients"];
            let lists = ["ingest/src/senders.rs", "bots/src/clients.rs"];
            !at_home.iter().any(|home| file.starts_with(home)) && !lists.iter().any(|list| file == Path::new(list))
        })
        // The command line and the catalog file format of Backstage name vendors to people, as examples.
        .filter(|file| !file.starts_with("src") && !file.starts_with("ledger/src/catalog") && !is_test_file(file))
        .collect();
    let found = offenders(&outside, |line| {
        let line = line.to_lowercase();
        vendors.iter().any(|vendor| line.contains(vendor))
    });
    assert!(found.is_empty(), "a vendor's name outside its sender:\n{}", found.join("\n"));
}

#[test]
fn sql_stands_only_in_engine_files() {
    let outside: Vec<_> = sources()
        .into_iter()
        .filter(|file| !file.file_name().is_some_and(|name| name == "sqlite.rs" || name == "postgres.rs"))
        .filter(|file| !is_test_file(file))
        .collect();
    let starts = ["select ", "insert into ", "insert or ", "update ", "delete from ", "create table ", "pragma "];
    let found = offenders(&outside, |line| {
        let statement = line.trim_start().trim_start_matches("r#").trim_start_matches('"').to_lowercase();
        let quoted = line.to_lowercase();
        starts.iter().any(|start| {
            (statement.starts_with(start)
                && (statement.contains(" from ") || statement.contains(" set ") || statement.contains(" into ")))
                || quoted.contains(&format!("query(\"{start}"))
        })
    });
    assert!(found.is_empty(), "SQL outside an engine file:\n{}", found.join("\n"));
}

#[test]
fn nothing_updates_or_deletes_a_delivery_or_an_event() {
    // Retention is one of the two declared doors.
    let door = Path::new("bus/src/streams/trim");
    let engines: Vec<_> =
        sources().into_iter().filter(|file| file.starts_with("bus/src/streams") && !file.starts_with(door)).collect();
    let tables = ["deliveries", "delivery_bodies", "events"];
    let found = offenders(&engines, |line| {
        let line = line.to_lowercase();
        tables.iter().any(|table| {
            line.contains(&format!("update {table} "))
                || line.contains(&format!("delete from {table}"))
                || line.contains(&format!("replace into {table}"))
        })
    });
    assert!(found.is_empty(), "the log is append-only:\n{}", found.join("\n"));
}

#[test]
fn only_the_program_reads_the_environment_and_hears_signals() {
    // A test is told by the environment which server it may use.
    let libraries: Vec<_> =
        sources().into_iter().filter(|file| !file.starts_with("src") && !is_test_file(file)).collect();
    let found = offenders(&libraries, |line| {
        ["env::var", "env::vars", "tokio::signal", "tracing_subscriber", "ctrl_c"]
            .iter()
            .any(|word| line.contains(word))
    });
    assert!(found.is_empty(), "only src/ may do this:\n{}", found.join("\n"));
}

#[test]
fn interpretation_and_metrics_ask_no_clock() {
    let pure: Vec<_> = sources()
        .into_iter()
        .filter(|file| {
            ["ingest/src/senders", "ledger/src/metrics", "ledger/src/derive", "ledger/src/fold", "ledger/src/catalog"]
                .iter()
                .any(|folder| file.starts_with(folder))
        })
        .collect();
    let found = offenders(&pure, |line| {
        ["Utc::now", "SystemTime::now", "Instant::now", "rand::"].iter().any(|w| line.contains(w))
    });
    assert!(found.is_empty(), "time and chance are handed in:\n{}", found.join("\n"));
}

#[test]
fn no_person_fits_into_ledger_or_a_metrics_page() {
    let mut places: Vec<_> = sources().into_iter().filter(|file| file.starts_with("ledger/src")).collect();
    places.extend(
        sources().into_iter().filter(|file| file.starts_with("web/src/pages") || file.starts_with("web/src/charts")),
    );
    let field = |line: &str| {
        let line = line.trim().trim_start_matches("pub ").trim_start_matches("pub(crate) ");
        let Some((name, kind)) = line.split_once(": ") else { return false };
        let about_people = ["login", "email", "e_mail", "avatar", "handle", "user_name", "author_name", "full_name"];
        let holds_text =
            kind.starts_with("String") || kind.starts_with("Option<String>") || kind.starts_with("Vec<String>");
        holds_text && (about_people.iter().any(|word| name.contains(word)) || name == "author" || name == "reviewer")
    };
    let found = offenders(&places, field);
    assert!(found.is_empty(), "a field that could hold a person:\n{}", found.join("\n"));
    let templates = offenders(&files("web/templates", "html"), |line| {
        ["avatar", ".login", ".email", ".author", ".handle"].iter().any(|word| line.to_lowercase().contains(word))
    });
    assert!(templates.is_empty(), "a template that could show a person:\n{}", templates.join("\n"));
    let columns: Vec<_> =
        files("migrations", "sql").into_iter().filter(|file| file.to_string_lossy().contains("ledger")).collect();
    let columns = offenders(&columns, |line| {
        ["login", "email", "avatar", "author ", "handle", "reviewer "]
            .iter()
            .any(|word| line.to_lowercase().contains(word))
    });
    assert!(columns.is_empty(), "a column that could hold a person:\n{}", columns.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for_and_is_one_idea() {
    for file in sources() {
        let text = fs::read_to_string(root().join(&file)).unwrap();
        assert!(text.starts_with("//!"), "{} does not open with //!", file.display());
        let lines = text.lines().take_while(|line| line.trim() != "#[cfg(test)]").count();
        assert!(lines <= FILE_LINES_MAX || is_test_file(&file), "{} has {lines} lines", file.display());
        assert!(file.file_name().unwrap() != "mod.rs", "{}: name it after its module", file.display());
    }
}

#[test]
fn every_payload_tells_where_it_is_from() {
    for name in CRATES {
        let testdata = root().join(name).join("testdata");
        if !testdata.exists() {
            continue;
        }
        for folder in fs::read_dir(testdata).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
            assert!(folder.join("ORIGIN.md").exists(), "{} has no ORIGIN.md", folder.display());
        }
    }
}
