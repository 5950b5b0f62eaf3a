//! `devhose trim`: removes what is older than somebody wants to keep, from the beginning of the log.

use bus::ids::{DeliveryOffset, EventOffset};
use bus::streams::Streams;
use chrono::{DateTime, Utc};

use crate::cli::Trim;
use crate::context::Context;
use crate::exit::{Ended, Exit, Failure};

pub(super) async fn run(args: Trim, context: Context) -> Ended {
    let before = instant(&args.older_than)?;
    let streams = Streams::open_on(&context.config.storage()).await?;
    let cut = Cut::at(&streams, before).await?;
    let plan = format!(
        "{} deliveries and {} events from before {}",
        cut.deliveries.0 - cut.oldest_delivery.0 + 1,
        cut.events.0 - cut.oldest_event.0 + 1,
        before.format("%Y-%m-%d %H:%M UTC")
    );
    if !args.yes {
        streams.close().await?;
        context.output.line(&format!("would remove {plan}; a rebuild can only use what is left"))?;
        context.output.tell("--yes does it");
        return Ok(Exit::Ok);
    }
    streams.trim(cut.events, cut.deliveries).await?;
    streams.close().await?;
    context.output.line(&format!("removed {plan}"))?;
    Ok(Exit::Ok)
}

/// Where the log is cut.
struct Cut {
    oldest_delivery: DeliveryOffset,
    oldest_event: EventOffset,
    deliveries: DeliveryOffset,
    events: EventOffset,
}

impl Cut {
    /// The last records from before an instant, by bisection: times of arrival and recording do not fall, as far as
    /// clocks go.
    async fn at(streams: &Streams, before: DateTime<Utc>) -> Result<Self, Failure> {
        let (oldest_delivery, oldest_event) = (streams.oldest_delivery().await?, streams.oldest_event().await?);
        let (mut low, mut high) = (oldest_event.0 - 1, streams.event_head().borrow().0);
        while low < high {
            let middle = low + (high - low) / 2;
            match streams.events(EventOffset(middle), 1).await?.first() {
                Some(event) if event.recorded_at < before => low = event.offset.0,
                Some(_) | None => high = middle,
            }
        }
        let events = EventOffset(low);
        let (mut low, mut high) = (oldest_delivery.0 - 1, streams.delivery_head().borrow().0);
        while low < high {
            let middle = low + (high - low) / 2;
            match streams.deliveries(DeliveryOffset(middle), 1).await?.first() {
                Some(delivery) if delivery.content.received_at < before => low = delivery.offset.0,
                Some(_) | None => high = middle,
            }
        }
        Ok(Self { oldest_delivery, oldest_event, deliveries: DeliveryOffset(low), events })
    }
}

/// A duration back from now such as `400d`, or an instant.
fn instant(text: &str) -> Result<DateTime<Utc>, Failure> {
    let wrong = || {
        Failure::new(Exit::Usage, format!("--older-than {text} is neither a duration nor an instant"))
            .remedy("400d, a date, or an instant in RFC 3339")
    };
    let query = bus::query::Query::parse(&format!("before:{text}"), crate::app::now()).map_err(|_| wrong())?;
    let mut moments = query.terms().iter().filter_map(|term| {
        if let bus::query::Condition::Before(moment) = &term.condition { Some(moment.at()) } else { None }
    });
    moments.next().ok_or_else(wrong)
}
