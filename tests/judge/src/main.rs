//! `judge`: the command line of the judge.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, ensure};
use clap::{Parser, Subcommand, ValueEnum};
use judge::body::Random;
use judge::book::{Book, Pages, Tally};
use judge::check::{Verdict, check};
use judge::cycle::Cycles;
use judge::disk::Disk;
use judge::load::{self, Load};
use judge::program::{Home, Program, SOURCE};
use judge::server::Service;
use judge::storage::{Engine, Ground, Storage};
use judge::stored::{self, api};
use tokio::sync::watch;

/// Sends deliveries, keeps its own book of what was acknowledged, and checks the log against it.
#[derive(Debug, Parser)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Sends signed deliveries and notes what comes of each.
    Load(LoadArgs),
    /// Checks a log against a book. Exits with 1 if a law was broken.
    Check(CheckArgs),
    /// Starts the program, harms it under load, starts it again and checks: again and again.
    Cycle(CycleArgs),
}

#[derive(Debug, clap::Args)]
struct LoadArgs {
    /// Where the program listens.
    #[arg(long)]
    url: String,
    /// The source.
    #[arg(long, default_value = SOURCE)]
    source: String,
    /// Its secret.
    #[arg(long)]
    secret: String,
    /// The book.
    #[arg(long)]
    ledger: PathBuf,
    /// What bodies are drawn from; the same for all runs of one book.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Deliveries per second at most.
    #[arg(long)]
    rate: Option<u32>,
    /// Requests in flight.
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// Time at most.
    #[arg(long)]
    seconds: Option<u64>,
    /// Deliveries at most.
    #[arg(long, required_unless_present = "seconds")]
    count: Option<u64>,
    /// Bodies have about so many bytes.
    #[arg(long, default_value_t = 9_000)]
    body_bytes: u64,
    /// Each delivery is sent between once and so many times at once.
    #[arg(long, default_value_t = 1)]
    dup: u64,
    /// Some ids come again with another body after they were acknowledged.
    #[arg(long)]
    contradict: bool,
    /// Ends when nobody listens any more.
    #[arg(long)]
    until_gone: bool,
    /// Begins with the first delivery of the book, all over again.
    #[arg(long)]
    again: bool,
}

#[derive(Debug, clap::Args)]
struct CheckArgs {
    /// The book.
    #[arg(long)]
    ledger: PathBuf,
    /// Where the program listens.
    #[arg(long)]
    url: String,
    /// The source that the book is about.
    #[arg(long, default_value = SOURCE)]
    source: String,
    /// The file of the embedded engine.
    #[arg(long, conflicts_with = "postgres", required_unless_present = "postgres")]
    sqlite: Option<PathBuf>,
    /// The database of the PostgreSQL engine, and of that with Kafka.
    #[arg(long)]
    postgres: Option<String>,
    /// A broker, if deliveries come through a topic. What was sent must have arrived in the log.
    #[arg(long, requires = "postgres")]
    kafka: Option<String>,
    /// What the name of the topic begins with.
    #[arg(long, default_value = "devhose")]
    prefix: String,
}

#[derive(Debug, clap::Args)]
struct CycleArgs {
    /// The program, built with the feature `faults`.
    #[arg(long)]
    program: PathBuf,
    /// How often.
    #[arg(long, default_value_t = 10)]
    cycles: u64,
    /// What is done to it.
    #[arg(long, value_enum, default_value = "kill")]
    fault: Fault,
    /// What it keeps its log in. Servers are those that `DEVHOSE_TEST_POSTGRES` and `DEVHOSE_TEST_KAFKA` name, else our own.
    #[arg(long, value_enum, default_value = "sqlite")]
    storage: Engine,
    /// The log is checked after every so many cycles, and at the end.
    #[arg(long, default_value_t = 25)]
    check_every: u64,
    /// The program lies in this way, so that the judge must find it out.
    #[arg(long)]
    sabotage: Option<String>,
    /// What chance is drawn from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Bodies have about so many bytes.
    #[arg(long, default_value_t = 9_000)]
    body_bytes: u64,
    /// What comes at any time comes before so many acknowledgements.
    #[arg(long, default_value_t = 400)]
    acks_before_max: u64,
    /// Deliveries per second at most.
    #[arg(long)]
    rate: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Fault {
    /// It kills itself at each step of a delivery, and is killed at any time.
    Kill,
    /// The disk under it loses its power.
    Power,
    /// The PostgreSQL server is killed and started again while it runs.
    Database,
    /// The Kafka broker is killed and, after a while, started again while it runs.
    Broker,
}

impl Fault {
    /// The server that it harms, which is one of our own then.
    const fn harms(self) -> Option<Service> {
        match self {
            Self::Kill | Self::Power => None,
            Self::Database => Some(Service::Postgres),
            Self::Broker => Some(Service::Kafka),
        }
    }

    /// Whether there is something to harm.
    const fn fits(self, storage: Engine) -> bool {
        match (self, storage) {
            // The spool before the brokers is on that disk, too.
            (Self::Kill, _) | (Self::Power, Engine::Sqlite | Engine::Kafka) => true,
            (Self::Power, Engine::Postgres) => false,
            (Self::Database, engine) => !matches!(engine, Engine::Sqlite),
            (Self::Broker, engine) => matches!(engine, Engine::Kafka),
        }
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    match work(args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("judge: {error:#}"));
            ExitCode::from(2)
        }
    }
}

/// Whether every law was kept.
fn work(args: Args) -> anyhow::Result<bool> {
    load::prepare()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        // So that programs and servers that were started are ended, too.
        tokio::select! {
            kept = command(args.command) => kept,
            asked = tokio::signal::ctrl_c() => Err(asked.map_or_else(Into::into, |()| anyhow!("interrupted"))),
        }
    })
}

async fn command(command: Command) -> anyhow::Result<bool> {
    match command {
        Command::Load(args) => send(args).await.map(|()| true),
        Command::Check(args) => held_against(args).await,
        Command::Cycle(args) => cycle(args).await,
    }
}

async fn send(args: LoadArgs) -> anyhow::Result<()> {
    let load = Load {
        url: args.url.trim_end_matches('/').to_owned(),
        source: args.source,
        secret: args.secret,
        seed: args.seed,
        connections: args.connections.max(1),
        rate: args.rate,
        count: args.count,
        duration: args.seconds.map(Duration::from_secs),
        body_bytes: args.body_bytes,
        copies_max: args.dup.max(1),
        contradict: args.contradict,
        until_gone: args.until_gone,
        again: args.again,
    };
    let book = Arc::new(Book::open(&args.ledger)?);
    let (_stop, stopped) = watch::channel(false);
    let began = Instant::now();
    load::run(&load, &book, stopped).await?;
    let tally = Arc::into_inner(book).context("the book is still open")?.close()?;
    say(&format!("{} in {:.1} s", words(tally), began.elapsed().as_secs_f64()));
    Ok(())
}

async fn held_against(args: CheckArgs) -> anyhow::Result<bool> {
    let storage = match (args.postgres, args.kafka) {
        (None, _) => Storage::Sqlite,
        (Some(url), None) => Storage::Postgres { url },
        (Some(url), Some(broker)) => Storage::Kafka { url, broker, prefix: args.prefix },
    };
    let found = stored::read(&storage, &args.sqlite.unwrap_or_default()).await?;
    let said = api::read(args.url.trim_end_matches('/')).await?;
    ensure!(args.ledger.exists(), "there is no book {}", args.ledger.display());
    let verdict = check(&Pages::read(&args.ledger)?, &args.source, &said, &found);
    Ok(told(&verdict))
}

async fn cycle(args: CycleArgs) -> anyhow::Result<bool> {
    ensure!(args.fault.fits(args.storage), "on {:?} there is nothing that {:?} harms", args.storage, args.fault);
    let directory = tempfile::Builder::new().prefix("devhose-judge-").tempdir()?;
    let disk = match args.fault {
        Fault::Kill | Fault::Database | Fault::Broker => None,
        Fault::Power => Some(Disk::make(directory.path(), 512).context("power cuts need a disk of their own")?),
    };
    let data = disk.as_ref().map_or_else(|| directory.path().join("data"), |disk| disk.path().join("data"));
    let ground = Ground::prepare(args.storage, args.fault.harms())?;
    let home = Home::make(&args.program, directory.path(), &data, &ground.storage)?;
    let mut cycles = Cycles::new(home, directory.path().join("book"), args.seed);
    (cycles.load.body_bytes, cycles.load.rate) = (args.body_bytes, args.rate);
    cycles.acks_before_max = args.acks_before_max;
    cycles.sabotage.clone_from(&args.sabotage.map(|lie| format!("sabotage={lie}")));
    let mut sum = Tally::default();
    let mut turns = Random::new(args.seed);
    for number in 1..=args.cycles {
        let began = Instant::now();
        let (harm, tally) = match (args.fault, &disk, &ground.postgres, &ground.kafka) {
            (Fault::Power, Some(disk), ..) => ("power cut", cycles.cut(disk).await?),
            (Fault::Database, _, Some(server), _) => {
                let program = cycles.home.serve(cycles.sabotage.as_deref())?;
                let tally = cycles.restart_database(&program, server, 1).await?;
                ("database", stopped(program).map(|()| tally)?)
            }
            (Fault::Broker, .., Some(server)) => {
                let program = cycles.home.serve(cycles.sabotage.as_deref())?;
                let tally = cycles.restart_broker(&program, server, 1).await?;
                ("broker", stopped(program).map(|()| tally)?)
            }
            (Fault::Kill | Fault::Power | Fault::Database | Fault::Broker, ..) => {
                killed(&mut cycles, &mut turns).await?
            }
        };
        sum =
            Tally { acks: sum.acks + tally.acks, nacks: sum.nacks + tally.nacks, unknown: sum.unknown + tally.unknown };
        say(&format!("cycle {number} ({harm}): {}, {} ms", words(tally), began.elapsed().as_millis()));
        if number % args.check_every.max(1) == 0 || number == args.cycles {
            let verdict = cycles.check().await?;
            if !told(&verdict) {
                say(&format!("after {number} cycles: {}, {} lost", words(sum), verdict.lost()));
                return Ok(false);
            }
        }
    }
    say(&format!("{} cycles: {}, 0 lost", args.cycles, words(sum)));
    Ok(true)
}

/// Kills the program at one of its steps, or at any time.
async fn killed(cycles: &mut Cycles, turns: &mut Random) -> anyhow::Result<(&'static str, Tally)> {
    let steps = cycles.home.storage().steps();
    let step = usize::try_from(turns.below(steps.len() as u64 + 1)).ok().and_then(|turn| steps.get(turn));
    match step {
        Some(step) if cycles.sabotage.is_none() => Ok((step, cycles.kill_at(step).await?)),
        Some(_) | None => Ok(("any time", cycles.kill().await?)),
    }
}

fn stopped(program: Program) -> anyhow::Result<()> {
    let ended = program.stop()?;
    ensure!(ended.exit == Some(0), "the program does not stop well: {ended:?}");
    Ok(())
}

fn words(tally: Tally) -> String {
    format!("{} acknowledged, {} refused, {} without an answer", tally.acks, tally.nacks, tally.unknown)
}

/// Prints a verdict; whether every law was kept.
fn told(verdict: &Verdict) -> bool {
    say(verdict.to_string().trim_end());
    verdict.broken().is_empty()
}

fn say(line: &str) {
    // Whoever closed our output does not want to hear that it cannot be written.
    drop(writeln!(std::io::stdout(), "{line}"));
}
