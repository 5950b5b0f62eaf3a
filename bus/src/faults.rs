//! Faults on purpose: where tests have the program die, and how they have it lie, so that they show what finds it out.
//!
//! Only a program built with the feature `faults` does anything here, and nothing that is handed to anybody is built
//! with it. Without it `asked` is always none, and the compiler leaves the rest out.

use std::str::FromStr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::delivery::{NewDelivery, Receipt};
use crate::ids::DeliveryOffset;

/// One lie in so many deliveries, where a lie about each would be too easy to find.
const DROPPED_EVERY: u64 = 1_000;
const FLIPPED_EVERY: u64 = 100;

/// How long after it was handed over an answer is with its sender on the same machine.
const ON_THE_WIRE: Duration = Duration::from_millis(5);

/// How long a commit waits that was acknowledged before it was one: whoever ends the program then finds it out.
pub(crate) const ACKNOWLEDGED_BEFORE: Duration = Duration::from_millis(50);

static ASKED: OnceLock<Fault> = OnceLock::new();
static REACHED: AtomicU64 = AtomicU64::new(0);
static LIES: AtomicU64 = AtomicU64::new(0);

/// Steps of a delivery on its way to its acknowledgement, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The head of the request is read, its body is not.
    BeforeBody,
    /// The signature is right.
    AfterVerify,
    /// The writer has it in its queue.
    AfterEnqueue,
    /// The rows are written, the transaction is open.
    InsideTransaction,
    /// It is durable, and nobody was told.
    AfterCommit,
    /// Its sender was told.
    AfterReply,
}

/// What the program claims without it being so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// Deliveries are acknowledged a moment before they are committed.
    AckBeforeFsync,
    /// One delivery in a thousand is acknowledged and thrown away.
    DropEvery1000,
    /// A delivery that comes again is stored again.
    Dup,
    /// Receipts of one commit go to each other's senders.
    Reorder,
    /// Receipts tell the offset before.
    StaleSeq,
    /// One bit of one body in a hundred is another, and every hash is that of the wrong body.
    FlipBit,
    /// The disk is not waited for at a commit.
    SynchronousNormal,
}

/// What a test asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The program kills itself when something reaches a phase for the `nth` time.
    Kill {
        /// Where.
        phase: Phase,
        /// From 1.
        nth: u64,
    },
    /// The program lies.
    Sabotage(Lie),
}

impl Phase {
    const ALL: [Self; 6] = [
        Self::BeforeBody,
        Self::AfterVerify,
        Self::AfterEnqueue,
        Self::InsideTransaction,
        Self::AfterCommit,
        Self::AfterReply,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::BeforeBody => "before-body",
            Self::AfterVerify => "after-verify",
            Self::AfterEnqueue => "after-enqueue",
            Self::InsideTransaction => "inside-transaction",
            Self::AfterCommit => "after-commit",
            Self::AfterReply => "after-reply",
        }
    }
}

impl Lie {
    const ALL: [Self; 7] = [
        Self::AckBeforeFsync,
        Self::DropEvery1000,
        Self::Dup,
        Self::Reorder,
        Self::StaleSeq,
        Self::FlipBit,
        Self::SynchronousNormal,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::AckBeforeFsync => "ack-before-fsync",
            Self::DropEvery1000 => "drop-every-1000",
            Self::Dup => "dup",
            Self::Reorder => "reorder",
            Self::StaleSeq => "stale-seq",
            Self::FlipBit => "flip-bit",
            Self::SynchronousNormal => "synchronous-normal",
        }
    }
}

impl FromStr for Fault {
    type Err = String;

    /// `kill@PHASE`, `kill@PHASE:N` or `sabotage=LIE`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            let phases = Phase::ALL.map(Phase::name).join(", ");
            let lies = Lie::ALL.map(Lie::name).join(", ");
            format!("{text:?} is neither kill@PHASE[:N] with one of {phases}, nor sabotage=LIE with one of {lies}")
        };
        if let Some(lie) = text.strip_prefix("sabotage=") {
            return Lie::ALL.into_iter().find(|known| known.name() == lie).map(Self::Sabotage).ok_or_else(wrong);
        }
        let place = text.strip_prefix("kill@").ok_or_else(wrong)?;
        let (name, nth) = place.split_once(':').unwrap_or((place, "1"));
        let phase = Phase::ALL.into_iter().find(|known| known.name() == name).ok_or_else(wrong)?;
        Ok(Self::Kill { phase, nth: nth.parse().map_err(|_| wrong())? })
    }
}

/// Asks for a fault, once and for good.
pub fn ask(fault: Fault) {
    // A second one would be a mistake of a test; the first stands.
    ASKED.get_or_init(|| fault);
}

fn asked() -> Option<Fault> {
    if cfg!(feature = "faults") { ASKED.get().copied() } else { None }
}

pub(crate) fn lies(lie: Lie) -> bool {
    asked() == Some(Fault::Sabotage(lie))
}

/// Says that a delivery, or a batch of them, is here. Whoever asked for the end of the program here gets it.
pub fn reached(here: Phase) {
    if let Some(Fault::Kill { phase, nth }) = asked()
        && phase == here
        && REACHED.fetch_add(1, Ordering::Relaxed) + 1 == nth
    {
        die();
    }
}

/// The same for what comes just after an answer was handed over, which nobody tells us of.
pub fn replied() {
    if matches!(asked(), Some(Fault::Kill { phase: Phase::AfterReply, .. })) {
        std::thread::spawn(|| {
            std::thread::sleep(ON_THE_WIRE);
            reached(Phase::AfterReply);
        });
    }
}

/// Ends the program as a power cut of the process would: nothing is finished, nobody is told.
fn die() {
    // This thread stands still here until the signal arrives; an abort ends the process as abruptly should it not.
    drop(std::process::Command::new("kill").args(["-KILL", &std::process::id().to_string()]).status());
    std::process::abort();
}

/// Whether it is the turn of one in so many.
fn one_in(every: u64) -> bool {
    LIES.fetch_add(1, Ordering::Relaxed) % every == every - 1
}

/// Whether a delivery is thrown away.
pub(crate) fn drops() -> bool {
    lies(Lie::DropEvery1000) && one_in(DROPPED_EVERY)
}

/// A delivery as it is taken in.
pub(crate) fn taken_in(mut delivery: NewDelivery) -> NewDelivery {
    if lies(Lie::FlipBit)
        && one_in(FLIPPED_EVERY)
        && let Some(byte) = delivery.body.last_mut()
    {
        *byte ^= 1;
    }
    delivery
}

/// What a delivery is known by.
pub(crate) fn known_by(mut key: [u8; 16]) -> [u8; 16] {
    if lies(Lie::Dup) {
        let number = LIES.fetch_add(1, Ordering::Relaxed).to_le_bytes();
        key.iter_mut().zip(number).for_each(|(byte, more)| *byte ^= more);
    }
    key
}

/// The receipts of one commit as they are told.
pub(crate) fn told(mut receipts: Vec<Receipt>) -> Vec<Receipt> {
    if lies(Lie::Reorder) {
        receipts.reverse();
    }
    if lies(Lie::StaleSeq) {
        let before = |offset: DeliveryOffset| DeliveryOffset(offset.0 - 1);
        receipts.iter_mut().for_each(|receipt| receipt.offset = receipt.offset.map(before));
    }
    receipts
}
