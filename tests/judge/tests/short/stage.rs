//! What every test needs: a program that can fail on purpose, a directory, a book, and a disk where one is asked for.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use judge::book::Pages;
use judge::check::Verdict;
use judge::cycle::Cycles;
use judge::disk::Disk;
use judge::load;
use judge::program::{Home, Program};
use judge::server::Service;
use judge::storage::{Engine, Ground};
use tempfile::TempDir;

/// Whatever is waited for is there after this, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(150);

/// How often one looks.
const GLANCE: Duration = Duration::from_millis(10);

/// A stage. What is on it is gone afterwards.
pub(crate) struct Stage {
    pub(crate) cycles: Cycles,
    pub(crate) disk: Option<Disk>,
    pub(crate) ground: Ground,
    // Last, so that the disk is taken away before the directory that it is mounted in.
    _directory: TempDir,
}

impl Stage {
    /// With the data in a directory.
    pub(crate) fn new(seed: u64) -> Self {
        Self::on(seed, Engine::Sqlite, None)
    }

    /// On that engine. A server that is to be harmed is the stage's own.
    pub(crate) fn on(seed: u64, engine: Engine, harmed: Option<Service>) -> Self {
        Self::with(seed, Ground::prepare(engine, harmed).unwrap(), |_| None)
    }

    /// With the data on a disk of so many MiB of its own. None if tests were told to do without.
    pub(crate) fn on_a_disk(seed: u64, mebibytes: u64) -> Option<Self> {
        Self::on_a_disk_and(seed, mebibytes, Engine::Sqlite)
    }

    /// The same, on that engine.
    pub(crate) fn on_a_disk_and(seed: u64, mebibytes: u64, engine: Engine) -> Option<Self> {
        if std::env::var_os("DEVHOSE_TEST_WITHOUT_MOUNTS").is_some() {
            return None;
        }
        let ground = Ground::prepare(engine, None).unwrap();
        Some(Self::with(seed, ground, |directory| {
            Some(Disk::make(directory.path(), mebibytes).unwrap_or_else(|error| {
                panic!(
                    "no disk can be mounted here, which takes root's rights and loop devices: {error:#}; \
                     DEVHOSE_TEST_WITHOUT_MOUNTS=1 leaves power cuts and full disks out"
                )
            }))
        }))
    }

    fn with(seed: u64, ground: Ground, disk: impl FnOnce(&TempDir) -> Option<Disk>) -> Self {
        load::prepare().unwrap();
        let directory = tempfile::Builder::new().prefix("devhose-judge-").tempdir().unwrap();
        let disk = disk(&directory);
        let data = disk.as_ref().map_or_else(|| directory.path().join("data"), |disk| disk.path().join("data"));
        let home = Home::make(&program(), directory.path(), &data, &ground.storage).unwrap();
        let mut cycles = Cycles::new(home, directory.path().join("book"), seed);
        cycles.load.body_bytes = 2_000;
        Self { cycles, disk, ground, _directory: directory }
    }

    /// Starts the program, holds its log against the book, stops it.
    pub(crate) async fn verdict(&self) -> Verdict {
        self.cycles.check().await.unwrap()
    }

    /// Every law must be kept.
    pub(crate) async fn acquit(&self) {
        let verdict = self.verdict().await;
        assert!(verdict.broken().is_empty(), "{verdict}");
    }

    pub(crate) fn book(&self) -> Pages {
        Pages::read(&self.cycles.book).unwrap()
    }
}

/// The program, built with the feature `faults`.
fn program() -> PathBuf {
    let named = std::env::var_os("DEVHOSE_TEST_FAULTS");
    named
        .map(PathBuf::from)
        .expect("DEVHOSE_TEST_FAULTS names a program built to fail: tests/judge/run build prints it")
}

/// Status and text of an answer.
pub(crate) async fn get(program: &Program, path: &str) -> (u16, String) {
    let answer = reqwest::get(format!("{}{path}", program.url)).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// Looks again and again until it is so.
pub(crate) async fn until(what: &str, mut look: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !look().await {
        assert!(began.elapsed() < PATIENCE, "{what}: not seen within {} s", PATIENCE.as_secs());
        tokio::time::sleep(GLANCE).await;
    }
}

/// Waits until every delivery is interpreted.
pub(crate) async fn interpreted(program: &Program) {
    let ready = async || get(program, "/readyz").await == (200, "ready, 0 deliveries to interpret\n".to_owned());
    until("every delivery is interpreted", ready).await;
}
