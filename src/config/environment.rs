//! The environment's say in the configuration: `DEVHOSE_RULES__PEOPLE_MIN=4` is `people_min = 4` in `[rules]`.
//!
//! Two underscores go one level down. An entry of a list is meant by its number from 0 or by its name, in capitals
//! with underscores for what is no letter or digit: `DEVHOSE_SOURCE__GITHUB_ACME__SECRET`.

use std::path::Path;

use serde::Deserialize;
use toml::{Table, Value};

use super::File;
use crate::exit::{Exit, Failure};

const PREFIX: &str = "DEVHOSE_";

/// Variables that mean something else than a key of the file.
const RESERVED: [&str; 8] = [
    "DEVHOSE_CONFIG",
    "DEVHOSE_CRASH_AT",
    "DEVHOSE_LOG",
    "DEVHOSE_NOW",
    "DEVHOSE_SECRET",
    "DEVHOSE_TOKEN",
    "DEVHOSE_URL",
    "DEVHOSE_VERSION",
];

/// One that means something only to a program that is built to fail on purpose.
const FAULT: &str = "DEVHOSE_FAULT";

/// One variable.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The variables that override keys, by name.
pub(super) fn variables() -> Vec<(String, String)> {
    let mut found: Vec<_> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name.starts_with(PREFIX) && !RESERVED.contains(&name.as_str()))
        .filter(|(name, _)| !cfg!(feature = "faults") || name != FAULT)
        .collect();
    found.sort();
    found
}

/// The file with the variables laid over it.
pub(super) fn overlay(text: &str, path: Option<&Path>, variables: Vec<(String, String)>) -> Result<File, Failure> {
    let place = path.map_or_else(|| "configuration".to_owned(), |path| path.display().to_string());
    // The text is read by itself first: only then does an error know its line.
    let file: File = toml::from_str(text).map_err(|error| in_file(&place, text, &error))?;
    if variables.is_empty() {
        return Ok(file);
    }
    let mut table: Table = toml::from_str(text).map_err(|error| in_file(&place, text, &error))?;
    for (name, value) in variables {
        let keys: Vec<String> = name.trim_start_matches(PREFIX).split("__").map(str::to_lowercase).collect();
        let wrong = |why: &str| Failure::new(Exit::Usage, format!("environment variable {name}: {why}"));
        let mut changed = table.clone();
        set(&mut changed, &keys, parse(&value)).map_err(|why| wrong(&why))?;
        // Each is tried alone, so that an error names the variable that brings it.
        if let Err(error) = File::deserialize(changed.clone()) {
            let mut as_text = table.clone();
            set(&mut as_text, &keys, Value::String(value)).map_err(|why| wrong(&why))?;
            File::deserialize(as_text.clone()).map_err(|_| wrong(error.message().trim()))?;
            changed = as_text;
        }
        table = changed;
    }
    File::deserialize(table).map_err(|error| Failure::new(Exit::Usage, format!("{place}: {}", error.message())))
}

fn in_file(place: &str, text: &str, error: &toml::de::Error) -> Failure {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    Failure::new(Exit::Usage, format!("{place}, line {line}: {}", error.message().trim()))
        .remedy("devhose init --print shows every key with its meaning")
}

/// Numbers, truth values and lists are written as in the file; anything else is text.
fn parse(value: &str) -> Value {
    let document = format!("value = {value}");
    match toml::from_str::<Table>(&document).ok().and_then(|mut table| table.remove("value")) {
        Some(parsed) => parsed,
        None => Value::String(value.to_owned()),
    }
}

fn set(table: &mut Table, keys: &[String], value: Value) -> Result<(), String> {
    let Some((first, rest)) = keys.split_first() else { return Ok(()) };
    let Some((second, deeper)) = rest.split_first() else {
        table.insert(first.clone(), value);
        return Ok(());
    };
    match table.entry(first.clone()).or_insert_with(|| Value::Table(Table::new())) {
        Value::Table(inner) => set(inner, rest, value),
        Value::Array(entries) => {
            let position = entries.iter().position(|entry| is_named(entry, second));
            let entry = match position.or_else(|| second.parse().ok()) {
                Some(index) => entries.get_mut(index),
                None => None,
            };
            let entry = entry.ok_or_else(|| format!("{first} has no entry {second:?} in the file"))?;
            match entry {
                Value::Table(inner) => set(inner, deeper, value),
                Value::String(_)
                | Value::Integer(_)
                | Value::Float(_)
                | Value::Boolean(_)
                | Value::Datetime(_)
                | Value::Array(_) => Err(format!("{first} has no keys below it")),
            }
        }
        Value::String(_) | Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {
            Err(format!("{first} has no keys below it"))
        }
    }
}

fn is_named(entry: &Value, word: &str) -> bool {
    let name = entry.get("name").and_then(Value::as_str).unwrap_or_default();
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
    !name.is_empty() && plain == word
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, variables: &[(&str, &str)]) -> String {
        let variables = variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        match overlay(text, Some(Path::new("devhose.toml")), variables) {
            Ok(file) => {
                format!("{:?} {:?} {}", file.listen, file.source.first().map(|s| &s.secret), file.rules.people_min)
            }
            Err(failure) => failure.error.to_string(),
        }
    }

    #[test]
    fn a_wrong_key_is_told_with_file_line_and_the_right_ones() {
        let wrong = check("listen = '127.0.0.1:1'\n\n[rules]\npeople = 3\n", &[]);
        assert!(
            wrong.starts_with("devhose.toml, line 4: unknown field `people`, expected one of `people_min`"),
            "{wrong}"
        );
        insta::assert_snapshot!(check("listen = 'here'\n", &[]), @"devhose.toml, line 1: invalid socket address syntax");
    }

    #[test]
    fn the_environment_reaches_every_key() {
        let text = "[[source]]\nname = 'github/acme'\nsecret = 'in the file'\n";
        let variables = [
            ("DEVHOSE_RULES__PEOPLE_MIN", "4"),
            ("DEVHOSE_SOURCE__GITHUB_ACME__SECRET", "12345"),
            ("DEVHOSE_SOURCE__0__SECRET", "text"),
            ("DEVHOSE_LISTEN", "127.0.0.1:9"),
            ("DEVHOSE_SOURCE__OTHER__SECRET", "x"),
        ];
        let lines: Vec<_> = variables.iter().map(|variable| check(text, &[*variable])).collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        None Some(Some("in the file")) 4
        None Some(Some("12345")) 5
        None Some(Some("text")) 5
        Some(127.0.0.1:9) Some(Some("in the file")) 5
        environment variable DEVHOSE_SOURCE__OTHER__SECRET: source has no entry "other" in the file
        "#);
        let wrong = check(text, &[("DEVHOSE_RULES__PEOPLE", "4")]);
        assert!(wrong.starts_with("environment variable DEVHOSE_RULES__PEOPLE: unknown field `people`"), "{wrong}");
    }

    #[test]
    fn the_template_is_a_configuration_with_the_defaults() {
        let file = overlay(super::super::TEMPLATE, None, Vec::new()).unwrap();
        assert_eq!(file.rules, ledger::rules::Rules::default());
    }
}
