//! Sends, harms, starts again, checks: again and again.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::sync::watch;

use crate::body::Random;
use crate::book::{Book, Pages, Tally};
use crate::check::{Verdict, check};
use crate::disk::Disk;
use crate::load::{self, Load};
use crate::program::{Home, Program, SECRET, SIGKILL, SOURCE};
use crate::stored::{api, sqlite};

/// The steps at which the program can kill itself, in order.
pub const PHASES: [&str; 6] =
    ["before-body", "after-verify", "after-enqueue", "inside-transaction", "after-commit", "after-reply"];

/// Times that a phase is reached before the program kills itself there, at most.
const REACHED_MAX: u64 = 60;

/// A program that never reaches its phase is found out after so many deliveries.
const DELIVERIES_MAX: u64 = 20_000;

/// How often one looks at the book.
const GLANCE: Duration = Duration::from_millis(1);

/// What the judge does a cycle with.
#[derive(Debug, Clone)]
pub struct Cycles {
    /// The program.
    pub home: Home,
    /// The book.
    pub book: PathBuf,
    /// What is sent.
    pub load: Load,
    /// What chance is drawn from.
    pub random: Random,
    /// How the program is told to lie, at every start.
    pub sabotage: Option<String>,
    /// A harm that comes at any time comes before so many acknowledgements.
    pub acks_before_max: u64,
}

impl Cycles {
    /// Cycles of a program that listens to [`SOURCE`].
    #[must_use]
    pub fn new(home: Home, book: PathBuf, seed: u64) -> Self {
        let load = Load { source: SOURCE.to_owned(), secret: SECRET.to_owned(), seed, ..Load::default() };
        Self { home, book, load, random: Random::new(seed), sabotage: None, acks_before_max: 400 }
    }

    /// Sends to a program until the load is through; the program goes on.
    ///
    /// # Errors
    /// If the book cannot be written.
    pub async fn send(&self, program: &Program) -> anyhow::Result<Tally> {
        let book = Arc::new(Book::open(&self.book)?);
        let (_stop, stopped) = watch::channel(false);
        load::run(&self.load_for(program), &book, stopped).await?;
        closed(book)
    }

    /// Has the program kill itself at a phase, under load.
    ///
    /// # Errors
    /// If it does not.
    pub async fn kill_at(&mut self, phase: &str) -> anyhow::Result<Tally> {
        let fault = format!("kill@{phase}:{}", 1 + self.random.below(REACHED_MAX));
        let program = self.home.serve(Some(&fault))?;
        let book = Arc::new(Book::open(&self.book)?);
        let (_stop, stopped) = watch::channel(false);
        let load = Load { until_gone: true, count: Some(DELIVERIES_MAX), ..self.load_for(&program) };
        load::run(&load, &book, stopped).await?;
        let tally = closed(book)?;
        let ended = program.ended().with_context(|| format!("{fault} was not reached"))?;
        ensure!(ended.signal == Some(SIGKILL), "{fault}: the program ended otherwise: {ended:?}");
        Ok(tally)
    }

    /// Kills the program at any time, under load.
    ///
    /// # Errors
    /// If the program cannot be started, or the book not be written.
    pub async fn kill(&mut self) -> anyhow::Result<Tally> {
        let program = self.home.serve(self.sabotage.as_deref())?;
        let after = self.random.below(self.acks_before_max);
        self.harm(program, after, |program, _| program.kill().map(drop)).await
    }

    /// Cuts the power of the disk under the program at any time, under load, and gives it back.
    ///
    /// # Errors
    /// If the program cannot be started, the book not be written, or the disk not be cut.
    pub async fn cut(&mut self, disk: &Disk) -> anyhow::Result<Tally> {
        let program = self.home.serve(self.sabotage.as_deref())?;
        let after = self.random.below(self.acks_before_max);
        let cut = |program: Program, book: &Book| {
            // An answer that is read from here on may be one that the program gave after the cut.
            book.doubt();
            disk.cut()?;
            program.kill()?;
            disk.restore()
        };
        self.harm(program, after, cut).await
    }

    /// Sends, and does a harm once so many deliveries are acknowledged.
    async fn harm(
        &self,
        program: Program,
        after_acks: u64,
        harm: impl FnOnce(Program, &Book) -> anyhow::Result<()>,
    ) -> anyhow::Result<Tally> {
        let book = Arc::new(Book::open(&self.book)?);
        let (stop, stopped) = watch::channel(false);
        let load = Load { until_gone: true, count: Some(DELIVERIES_MAX), ..self.load_for(&program) };
        let sending = {
            let book = Arc::clone(&book);
            tokio::spawn(async move { load::run(&load, &book, stopped).await })
        };
        while book.tally().acks <= after_acks && !sending.is_finished() {
            tokio::time::sleep(GLANCE).await;
        }
        harm(program, &book)?;
        stop.send_replace(true);
        sending.await??;
        closed(book)
    }

    /// Starts the program and holds the log against the book, by both ways; then stops it, and has it check itself.
    ///
    /// # Errors
    /// If the program does not start, stop or answer.
    pub async fn check(&self) -> anyhow::Result<Verdict> {
        let program = self.home.serve(None)?;
        let verdict = self.check_running(&program).await?;
        let stopped = program.stop()?;
        ensure!(stopped.exit == Some(0), "the program does not stop well: {stopped:?}");
        let verified = self.home.run(&["verify"])?;
        ensure!(verified.exit == Some(0) || !verdict.broken().is_empty(), "devhose verify: {verified:?}");
        Ok(verdict)
    }

    /// Holds the log of a running program against the book.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn check_running(&self, program: &Program) -> anyhow::Result<Verdict> {
        let (said, found) = (api::read(&program.url).await?, sqlite::read(&self.home.database()).await?);
        Ok(check(&Pages::read(&self.book)?, SOURCE, &said, &found))
    }

    /// The load, sent to a program.
    #[must_use]
    pub fn load_for(&self, program: &Program) -> Load {
        Load { url: program.url.clone(), ..self.load.clone() }
    }
}

fn closed(book: Arc<Book>) -> anyhow::Result<Tally> {
    Arc::into_inner(book).context("the book is still open")?.close()
}
