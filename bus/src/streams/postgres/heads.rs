//! The heads of both logs as this process knows them: moved by its own commits, by what other processes tell, and by
//! looking once a second, as what is told can be missed.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgListener, PgPool};
use tokio::sync::{Notify, watch};
use tokio::time::MissedTickBehavior;

use crate::ids::{DeliveryOffset, EventOffset};
use crate::postgres::{Pauses, random};
use crate::streams::postgres as engine;

/// A head that another process moved is seen after this at the latest, while the server answers.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Both heads. They never go back.
#[derive(Debug)]
pub(super) struct Heads {
    deliveries: watch::Sender<DeliveryOffset>,
    events: watch::Sender<EventOffset>,
    /// Other processes are to be told.
    moved: Notify,
}

impl Heads {
    pub(super) fn new(
        (deliveries, events): (DeliveryOffset, EventOffset),
    ) -> (Self, watch::Receiver<DeliveryOffset>, watch::Receiver<EventOffset>) {
        let (deliveries, delivery_head) = watch::channel(deliveries);
        let (events, event_head) = watch::channel(events);
        (Self { deliveries, events, moved: Notify::new() }, delivery_head, event_head)
    }

    /// Notes a commit of this process.
    pub(super) fn delivered(&self, to: DeliveryOffset) {
        if raise(&self.deliveries, to) {
            self.moved.notify_one();
        }
    }

    /// Notes a commit of this process.
    pub(super) fn recorded(&self, to: EventOffset) {
        if raise(&self.events, to) {
            self.moved.notify_one();
        }
    }

    fn seen(&self, (deliveries, events): (DeliveryOffset, EventOffset)) {
        raise(&self.deliveries, deliveries);
        raise(&self.events, events);
    }
}

/// Signals a head that moved on, and no other.
fn raise<T: PartialOrd>(head: &watch::Sender<T>, to: T) -> bool {
    head.send_if_modified(|at| {
        let moved = *at < to;
        if moved {
            *at = to;
        }
        moved
    })
}

/// Hears of the heads until the log is closed or nobody asks any more. A server that is away is waited for.
pub(super) async fn watch(listeners: PgPool, heads: Arc<Heads>, mut closing: watch::Receiver<bool>) {
    let mut told = false;
    loop {
        let mut pauses = Pauses::default();
        tokio::select! {
            () = crate::stop::stopped(&mut closing) => break,
            result = hear(&listeners, &heads, &mut told) => if let Err(error) = result && !told {
                tracing::warn!(error = %error, "the heads of the log cannot be watched; trying again");
                told = true;
            },
        }
        tokio::select! {
            () = crate::stop::stopped(&mut closing) => break,
            _ = pauses.pause() => {}
        }
    }
    listeners.close().await;
}

async fn hear(listeners: &PgPool, heads: &Heads, told: &mut bool) -> sqlx::Result<()> {
    let (mut listener, own) = engine::listen(listeners).await?;
    *told = false;
    let mut looks = tokio::time::interval(LOOK_EVERY.mul_f64(1.0 - random() / 10.0));
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick comes at once: listening began before this look, so nothing that moves meanwhile is missed.
    loop {
        tokio::select! {
            _ = looks.tick() => look(&mut listener, heads).await?,
            () = heads.moved.notified() => engine::announce(&mut listener).await?,
            heard = listener.recv() => {
                // Whatever else has been told is answered by the same look.
                let mut others = heard?.process_id() != own;
                while let Some(more) = listener.next_buffered() {
                    others |= more.process_id() != own;
                }
                if others {
                    look(&mut listener, heads).await?;
                }
            }
        }
    }
}

async fn look(listener: &mut PgListener, heads: &Heads) -> sqlx::Result<()> {
    heads.seen(engine::select_heads(listener).await?);
    Ok(())
}
