//! Sends, harms, starts again, checks: again and again.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use tokio::sync::watch;

use crate::body::Random;
use crate::book::{Book, Pages, Tally};
use crate::check::{Verdict, check};
use crate::disk::Disk;
use crate::load::{self, Load};
use crate::program::{Home, PATIENCE, Program, SECRET, SIGKILL, SOURCE};
use crate::server::Server;
use crate::stored::{self, api};

/// Times that a step is reached before the program kills itself there, at most.
const REACHED_MAX: u64 = 60;

/// A program that never reaches its step is found out after so many deliveries.
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

    /// Has the program kill itself at one of the steps of its storage, under load.
    ///
    /// # Errors
    /// If it does not.
    pub async fn kill_at(&mut self, step: &str) -> anyhow::Result<Tally> {
        let fault = format!("kill@{step}:{}", 1 + self.random.below(REACHED_MAX));
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

    /// Kills the database under a running program and starts it again, so many times, under load.
    ///
    /// # Errors
    /// If the program does not go on, the database does not come back, or the book cannot be written.
    pub async fn restart_database(&mut self, program: &Program, server: &Server, times: u64) -> anyhow::Result<Tally> {
        self.shake(program, times, async |_| server.kill().and_then(|()| server.start_again())).await
    }

    /// Kills the broker under a running program while deliveries go through it, and starts it again after more were
    /// taken, so many times, under load.
    ///
    /// # Errors
    /// If the program does not go on, the broker does not come back, or the book cannot be written.
    pub async fn restart_broker(&mut self, program: &Program, server: &Server, times: u64) -> anyhow::Result<Tally> {
        let mut log = api::Tail::of(&program.url)?;
        let turn = async |turn| {
            if turn % 2 == 1 {
                return server.start_again();
            }
            log.until_it_grows(PATIENCE).await?;
            server.kill()
        };
        self.shake(program, 2 * times, turn).await
    }

    /// Sends while harms are done beneath the program, at any time each. It must go on, and take deliveries again after
    /// each of them. The harm is told which it is, from 0.
    ///
    /// # Errors
    /// If the program ends or takes nothing any more, a harm cannot be done, or the book cannot be written.
    async fn shake(
        &mut self,
        program: &Program,
        times: u64,
        mut harm: impl AsyncFnMut(u64) -> anyhow::Result<()>,
    ) -> anyhow::Result<Tally> {
        let book = Arc::new(Book::open(&self.book)?);
        let (stop, stopped) = watch::channel(false);
        let load = Load { until_gone: true, ..self.load_for(program) };
        let sending = {
            let book = Arc::clone(&book);
            tokio::spawn(async move { load::run(&load, &book, stopped).await })
        };
        for number in 0..=times {
            let (before, began) = (book.tally().acks, Instant::now());
            let more = self.random.below(self.acks_before_max);
            while book.tally().acks <= before + more {
                ensure!(!sending.is_finished(), "the program does not go on after {number} harms: {:?}", book.tally());
                ensure!(began.elapsed() < PATIENCE, "nothing is taken after {number} harms: {:?}", book.tally());
                tokio::time::sleep(GLANCE).await;
            }
            if number < times {
                harm(number).await?;
            }
        }
        stop.send_replace(true);
        sending.await??;
        closed(book)
    }

    /// Waits until everything that was sent has its place in the log. Where that comes after the acknowledgement, one
    /// more delivery is sent: none overtakes another of its source, so what was sent before it is there when it is.
    ///
    /// # Errors
    /// If it is not taken, or does not come.
    pub async fn arrived(&self, program: &Program) -> anyhow::Result<()> {
        if !self.home.storage().places_later() {
            return Ok(());
        }
        let once = Load { count: Some(1), copies_max: 1, contradict: false, again: false, ..self.load.clone() };
        let load = Load { url: program.url.clone(), ..once };
        let last = load.id(Pages::read(&self.book)?.next_number);
        let book = Arc::new(Book::open(&self.book)?);
        let (_stop, stopped) = watch::channel(false);
        load::run(&load, &book, stopped).await?;
        let tally = closed(book)?;
        ensure!(tally.acks > 0, "the delivery {last}, sent last, is not taken: {tally:?}");
        api::Tail::of(&program.url)?.until_it_has(&last, PATIENCE).await
    }

    /// Starts the program and holds the log against the book, by every way; then stops it, and has it check itself.
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
        self.arrived(program).await?;
        let found = stored::read(self.home.storage(), &self.home.database()).await?;
        let said = api::read(&program.url).await?;
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
