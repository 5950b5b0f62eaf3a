//! `devhose migrate`: copies an installation from one storage to another, as it is.

use bus::migrate::{self, Set};
use bus::storage::{Storage, Tables};
use bus::streams::Streams;

use crate::cli::Migrate;
use crate::config::Config;
use crate::context::Context;
use crate::exit::{Ended, Exit, Failure};
use crate::progress::Meter;

/// Everything that cannot be computed anew.
const SETS: [Set; 3] = [migrate::STREAMS, bots::TABLES, bus::subscriptions::TABLES];

pub(super) async fn run(args: Migrate, context: Context) -> Ended {
    let target = Config::load(Some(&args.to))?;
    let (from, to) = (context.config.storage(), target.storage());
    if from.tables() == to.tables() {
        return Err(Failure::new(Exit::Usage, format!("{} names the storage that is copied from", args.to.display()))
            .remedy("set [storage] or data there to another"));
    }
    let ends = prepare(&from, &to).await?;
    let (from_tables, to_tables) = (from.tables(), to.tables());
    context.output.tell(&format!(
        "copying {} deliveries and {} events; nothing else may use either storage meanwhile",
        ends.deliveries, ends.events
    ));
    let total = u64::try_from(ends.deliveries * 2 + ends.events).unwrap_or(0);
    let meter = Meter::new(context.progress, "rows", total);
    let mut rows = 0;
    for set in SETS {
        rows += migrate::copy(&set, &from_tables, &to_tables, &|done| meter.at(rows + done, total)).await?;
    }
    migrate::settle_heads(&to_tables).await?;
    meter.finish();
    copy_key(&context.config, &target, &from_tables)?;
    check(&to, &ends, &context).await?;
    context.output.line(&format!(
        "{rows} rows copied; {} deliveries and {} events verified, every hash as it was written",
        ends.deliveries, ends.events
    ))?;
    context.output.tell("facts are folded anew at the first start");
    Ok(Exit::Ok)
}

/// Where the streams that are copied end.
#[derive(Debug, PartialEq, Eq)]
struct Ends {
    deliveries: i64,
    events: i64,
}

/// Brings both storages up to date, and makes sure that nobody uses the one and that nothing stands in the other.
async fn prepare(from: &Storage, to: &Storage) -> Result<Ends, Failure> {
    let source = Streams::open_on(from).await?;
    let ends = ends(&source);
    source.close().await?;
    let target = Streams::open_on(to).await?;
    let there = self::ends(&target);
    target.close().await?;
    if (there.deliveries, there.events) != (0, 0) {
        return Err(Failure::new(
            Exit::Conflict,
            format!("the target holds {} deliveries and {} events", there.deliveries, there.events),
        )
        .remedy("name an empty database or data directory"));
    }
    for storage in [from, to] {
        let tables = storage.tables();
        bots::prepare(&tables).await?;
        bus::subscriptions::prepare(&tables).await?;
    }
    Ok(ends)
}

fn ends(streams: &Streams) -> Ends {
    let (deliveries, events) = (streams.delivery_head().borrow().0, streams.event_head().borrow().0);
    Ends { deliveries, events }
}

/// People must be counted as before: the key goes along unless the target's configuration has one.
fn copy_key(from: &Config, to: &Config, tables: &Tables) -> Result<(), Failure> {
    if to.people_key.is_some() || from.people_key.is_some() || from.data == to.data {
        return Ok(());
    }
    tracing::debug!(?tables, "the key that people are counted with is copied");
    Ok(crate::app::copy_people_key(&from.data, &to.data)?)
}

/// Reads the copy as the program will, and recomputes its hash chains.
async fn check(to: &Storage, wanted: &Ends, context: &Context) -> Result<(), Failure> {
    let target = Streams::open_on(to).await?;
    let found = ends(&target);
    let total = u64::try_from(found.deliveries + found.events).unwrap_or(0);
    let meter = Meter::new(context.progress, "records verified", total);
    let broken = target.verify(|done| meter.at(done, total)).await?;
    meter.finish();
    target.close().await?;
    if let Some(place) = broken {
        return Err(Failure::new(Exit::Problem, format!("the copy is not what was copied: {place}")));
    }
    if found != *wanted {
        return Err(Failure::new(Exit::Problem, format!("the copy ends at {found:?} instead of {wanted:?}")));
    }
    Ok(())
}
