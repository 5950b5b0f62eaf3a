//! A throw-away repository, made and asked through the git program.

use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bus::delivery::NewDelivery;
use chrono::{DateTime, Utc};
use ingest::backfill::git::payload::{Content, Landed, Payload, Tagged};
use ingest::backfill::git::{GitError, Options, Summary, read};
use tempfile::TempDir;

/// When the imports of these tests take place.
pub(crate) fn now() -> DateTime<Utc> {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

pub(crate) struct Repository {
    folder: TempDir,
}

impl Repository {
    pub(crate) fn empty() -> Self {
        let repository = Self { folder: TempDir::new().unwrap() };
        repository.git(&["init", "--quiet", "--initial-branch", "main"]);
        repository
    }

    /// A repository made of a `git fast-import` stream.
    pub(crate) fn import(stream: &[u8]) -> Self {
        let repository = Self::empty();
        let mut child = repository.command(&["fast-import", "--quiet"]).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(stream).unwrap();
        assert!(child.wait().unwrap().success());
        repository
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        String::from_utf8_lossy(&run(self.command(arguments))).trim_end().to_owned()
    }

    /// A commit on top of the branch, with the author and committer time given in seconds since 1970.
    pub(crate) fn commit(&self, message: &str, authored_at: i64, committed_at: i64) -> String {
        self.git_at(authored_at, committed_at, &["commit", "--quiet", "--allow-empty", "--message", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    pub(crate) fn git_at(&self, authored_at: i64, committed_at: i64, arguments: &[&str]) {
        let mut command = self.command(arguments);
        command.env("GIT_AUTHOR_DATE", format!("@{authored_at} +0200"));
        command.env("GIT_COMMITTER_DATE", format!("@{committed_at} -0700"));
        run(command);
    }

    pub(crate) fn write(&self, name: &str, content: &[u8]) {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self.git(&["add", "--all"]);
    }

    fn command(&self, arguments: &[&str]) -> Command {
        command(self.folder.path(), arguments)
    }
}

/// The git program, deaf to the configuration of whoever runs the tests.
pub(crate) fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    command.current_dir(folder).args(arguments);
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null").env("HOME", folder);
    for (role, email) in [("AUTHOR", "Ada@Example.org"), ("COMMITTER", "merger@example.org")] {
        command.env(format!("GIT_{role}_NAME"), "Ada").env(format!("GIT_{role}_EMAIL"), email);
        command.env(format!("GIT_{role}_DATE"), "@1700000000 +0000");
    }
    command
}

pub(crate) fn run(mut command: Command) -> Vec<u8> {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// What an import handed out.
#[derive(Debug, Default)]
pub(crate) struct Import {
    pub(crate) deliveries: Vec<NewDelivery>,
    pub(crate) summary: Summary,
}

impl Import {
    pub(crate) fn payloads(&self) -> impl Iterator<Item = Payload> {
        self.deliveries.iter().map(|delivery| serde_json::from_slice(&delivery.body).unwrap())
    }

    pub(crate) fn landed(&self) -> Vec<Landed> {
        let landed = |payload: Payload| match payload.content {
            Content::Landed(landed) => Some(*landed),
            Content::Tag(_) => None,
        };
        self.payloads().filter_map(landed).collect()
    }

    pub(crate) fn tags(&self) -> Vec<Tagged> {
        let tags = |payload: Payload| match payload.content {
            Content::Landed(_) => None,
            Content::Tag(tag) => Some(*tag),
        };
        self.payloads().filter_map(tags).collect()
    }

    pub(crate) fn ids(&self) -> Vec<String> {
        self.deliveries.iter().map(|delivery| delivery.delivery_id.to_string()).collect()
    }
}

pub(crate) fn options() -> Options {
    Options::new("shop", None, now()).unwrap()
}

pub(crate) fn import(path: &Path, options: &Options) -> Result<Import, GitError> {
    import_unless(path, options, |_| false)
}

pub(crate) fn import_unless(path: &Path, options: &Options, known: impl Fn(&str) -> bool) -> Result<Import, GitError> {
    let mut import = Import::default();
    import.summary = read(
        path,
        options,
        &mut |ids| ids.iter().map(|id| known(id.as_str())).collect(),
        &mut |delivery| {
            import.deliveries.push(delivery);
            ControlFlow::Continue(())
        },
        &|_| {},
    )?;
    Ok(import)
}
