//! `devhose verify`: recomputes the hash chains of the log.

use bus::streams::Streams;

use crate::context::Context;
use crate::exit::{Ended, Exit, Failure};
use crate::progress::Meter;

pub(super) async fn run(context: Context) -> Ended {
    let streams = Streams::open_on(&context.config.storage()).await?;
    let total = streams.delivery_head().borrow().0 + streams.event_head().borrow().0;
    let total = u64::try_from(total).unwrap_or(0);
    let meter = Meter::new(context.progress, "records", total);
    let broken = streams.verify(|done| meter.at(done, total)).await?;
    meter.finish();
    streams.close().await?;
    match broken {
        None => {
            context.output.line(&format!("{total} records, every hash as it was written"))?;
            Ok(Exit::Ok)
        }
        Some(place) => Err(Failure::new(Exit::Problem, format!("the log was altered: {place}"))
            .remedy("restore the data directory from a backup; do not delete anything before")),
    }
}
