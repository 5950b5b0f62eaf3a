//! The judge's own record of what it sent and what it was told: a text file that only grows.
//!
//! An intent is on the disk before its delivery is sent, and an acknowledgement counts once it is. One line each:
//!
//! ```text
//! run NUMBER
//! intent ID SHA256 BLAKE3 NUMBER
//! ack ID SHA256 RUN SENT_US ACKED_US OFFSET|- new|duplicate
//! nack ID STATUS RETRY_AFTER_SECONDS|-
//! unknown ID WHY
//! other ID OFFSET|- new|duplicate
//! ```
//!
//! `other` is the answer to another body under an id that was acknowledged before. Times are microseconds since the
//! beginning of the run, by a clock that only goes forward.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use anyhow::{Context as _, anyhow, bail};
use tokio::sync::oneshot;

/// Lines that wait for the disk at most.
const WAITING_MAX: usize = 65_536;

/// A delivery that was about to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// SHA-256 of its body.
    pub sha256: String,
    /// BLAKE3 of its body.
    pub blake3: String,
}

/// An answer that says a delivery is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack {
    /// Of which delivery.
    pub id: String,
    /// SHA-256 of the body that was sent.
    pub sha256: String,
    /// The run of the judge in which it was sent, from 1.
    pub run: u64,
    /// When its first byte was sent.
    pub sent_us: u64,
    /// When its answer was there.
    pub acked_us: u64,
    /// Where it is said to stand.
    pub offset: Option<i64>,
    /// Whether it is said to have been there already.
    pub duplicate: bool,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// The judge begins to send.
    Run(u64),
    /// About to be sent.
    Intent {
        /// Its id.
        id: String,
        /// Its body.
        intent: Intent,
        /// Which body of the seed.
        number: u64,
    },
    /// Acknowledged.
    Ack(Ack),
    /// Refused.
    Nack {
        /// Which delivery.
        id: String,
        /// Status of the answer.
        status: u16,
        /// Its `retry-after`.
        retry_after: Option<u64>,
    },
    /// Without an answer.
    Unknown {
        /// Which delivery.
        id: String,
        /// Why.
        why: String,
    },
    /// Another body under the same id, and where its answer says that the delivery stands.
    Other {
        /// Which delivery.
        id: String,
        /// Where it is said to stand.
        offset: Option<i64>,
        /// Whether it is said to have been there already.
        duplicate: bool,
    },
}

impl Line {
    fn print(&self) -> String {
        let offset = |offset: &Option<i64>| offset.map_or_else(|| "-".to_owned(), |offset| offset.to_string());
        let novelty = |duplicate: &bool| if *duplicate { "duplicate" } else { "new" };
        match self {
            Self::Run(run) => format!("run {run}\n"),
            Self::Intent { id, intent, number } => {
                format!("intent {id} {} {} {number}\n", intent.sha256, intent.blake3)
            }
            Self::Ack(ack) => {
                let (at, new) = (offset(&ack.offset), novelty(&ack.duplicate));
                format!("ack {} {} {} {} {} {at} {new}\n", ack.id, ack.sha256, ack.run, ack.sent_us, ack.acked_us)
            }
            Self::Nack { id, status, retry_after } => {
                let after = retry_after.map_or_else(|| "-".to_owned(), |seconds| seconds.to_string());
                format!("nack {id} {status} {after}\n")
            }
            Self::Unknown { id, why } => format!("unknown {id} {}\n", why.replace(char::is_whitespace, "_")),
            Self::Other { id, offset: at, duplicate } => format!("other {id} {} {}\n", offset(at), novelty(duplicate)),
        }
    }

    fn parse(line: &str) -> anyhow::Result<Self> {
        let optional = |text: &str| if text == "-" { Ok(None) } else { text.parse().map(Some) };
        Ok(match line.split(' ').collect::<Vec<_>>().as_slice() {
            ["run", run] => Self::Run(run.parse()?),
            ["intent", id, sha256, blake3, number] => Self::Intent {
                id: (*id).to_owned(),
                intent: Intent { sha256: (*sha256).to_owned(), blake3: (*blake3).to_owned() },
                number: number.parse()?,
            },
            ["ack", id, sha256, run, sent, acked, offset, novelty] => Self::Ack(Ack {
                id: (*id).to_owned(),
                sha256: (*sha256).to_owned(),
                run: run.parse()?,
                sent_us: sent.parse()?,
                acked_us: acked.parse()?,
                offset: optional(offset)?,
                duplicate: *novelty == "duplicate",
            }),
            ["nack", id, status, after] => Self::Nack {
                id: (*id).to_owned(),
                status: status.parse()?,
                retry_after: if *after == "-" { None } else { Some(after.parse()?) },
            },
            ["unknown", id, why] => Self::Unknown { id: (*id).to_owned(), why: (*why).to_owned() },
            ["other", id, offset, novelty] => {
                Self::Other { id: (*id).to_owned(), offset: optional(offset)?, duplicate: *novelty == "duplicate" }
            }
            _ => bail!("this is no line of a book: {line:?}"),
        })
    }
}

/// Everything that stands in a book.
#[derive(Debug, Default)]
pub struct Pages {
    /// Runs of the judge so far.
    pub runs: u64,
    /// Deliveries that were about to be sent, by id.
    pub intents: HashMap<String, Intent>,
    /// The first number that no delivery has.
    pub next_number: u64,
    /// Acknowledgements in the order of the book.
    pub acks: Vec<Ack>,
    /// Refusals: id, status, `retry-after`.
    pub nacks: Vec<(String, u16, Option<u64>)>,
    /// Deliveries without an answer, and why.
    pub unknown: Vec<(String, String)>,
    /// Answers to another body: id, offset, whether it is said to have been there already.
    pub others: Vec<(String, Option<i64>, bool)>,
}

impl Pages {
    /// Reads a book; an empty one if there is none.
    ///
    /// # Errors
    /// If it cannot be read or holds something else.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let mut pages = Self::default();
        if !path.exists() {
            return Ok(pages);
        }
        let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
        for (number, line) in (1..).zip(text.lines()) {
            pages.take(Line::parse(line).with_context(|| format!("{}, line {number}", path.display()))?);
        }
        Ok(pages)
    }

    fn take(&mut self, line: Line) {
        match line {
            Line::Run(run) => self.runs = run,
            Line::Intent { id, intent, number } => {
                self.next_number = self.next_number.max(number + 1);
                self.intents.insert(id, intent);
            }
            Line::Ack(ack) => self.acks.push(ack),
            Line::Nack { id, status, retry_after } => self.nacks.push((id, status, retry_after)),
            Line::Unknown { id, why } => self.unknown.push((id, why)),
            Line::Other { id, offset, duplicate } => self.others.push((id, offset, duplicate)),
        }
    }
}

/// What is written, and who waits for it.
type Entry = (Vec<Line>, Option<oneshot::Sender<()>>);

/// A book that is being written. Its thread ends when it is closed.
#[derive(Debug)]
pub struct Book {
    entries: SyncSender<Entry>,
    thread: JoinHandle<anyhow::Result<()>>,
    counts: Arc<Counts>,
    /// Set when the disk under the program begins to vanish: what is answered from then on is not to be believed.
    doubtful: AtomicBool,
    /// This run of the judge, from 1.
    pub run: u64,
    /// The first number that no delivery has.
    pub next_number: u64,
}

/// What a run brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Acknowledgements.
    pub acks: u64,
    /// Refusals.
    pub nacks: u64,
    /// Requests without an answer.
    pub unknown: u64,
}

#[derive(Debug, Default)]
struct Counts {
    acks: AtomicU64,
    nacks: AtomicU64,
    unknown: AtomicU64,
}

impl Counts {
    fn tally(&self) -> Tally {
        Tally {
            acks: self.acks.load(Ordering::Acquire),
            nacks: self.nacks.load(Ordering::Acquire),
            unknown: self.unknown.load(Ordering::Acquire),
        }
    }
}

impl Book {
    /// Opens, or begins, a book for another run.
    ///
    /// # Errors
    /// If it cannot be read or written.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let Pages { runs, next_number, .. } = Pages::read(path)?;
        let file = OpenOptions::new().create(true).append(true).open(path);
        let mut file = file.with_context(|| format!("{} cannot be written", path.display()))?;
        let run = runs + 1;
        file.write_all(Line::Run(run).print().as_bytes())?;
        let (entries, received) = sync_channel(WAITING_MAX);
        let counts = Arc::new(Counts::default());
        let seen = Arc::clone(&counts);
        let thread = std::thread::spawn(move || write(file, &received, &seen));
        Ok(Self { entries, thread, counts, doubtful: AtomicBool::new(false), run, next_number })
    }

    /// Writes intents; they are durable when this returns.
    ///
    /// # Errors
    /// If the book cannot be written any more.
    pub async fn intend(&self, intents: Vec<Line>) -> anyhow::Result<()> {
        let (done, written) = oneshot::channel();
        self.put((intents, Some(done)))?;
        written.await.context("the book cannot be written")
    }

    /// Writes what came of a delivery. It counts once it is durable: see [`Book::tally`].
    ///
    /// # Errors
    /// If the book cannot be written any more.
    pub fn note(&self, line: Line) -> anyhow::Result<()> {
        self.put((vec![line], None))
    }

    fn put(&self, entry: Entry) -> anyhow::Result<()> {
        self.entries.send(entry).map_err(|_| anyhow!("the book cannot be written"))
    }

    /// What this run has brought so far: only what is durable.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.counts.tally()
    }

    /// Believes no acknowledgement from here on: they are noted as unknown.
    pub fn doubt(&self) {
        self.doubtful.store(true, Ordering::SeqCst);
    }

    pub(crate) fn doubts(&self) -> bool {
        self.doubtful.load(Ordering::SeqCst)
    }

    /// Closes it when everything is durable.
    ///
    /// # Errors
    /// If something could not be written.
    pub fn close(self) -> anyhow::Result<Tally> {
        drop(self.entries);
        self.thread.join().map_err(|_| anyhow!("the thread of the book ended abruptly"))??;
        Ok(self.counts.tally())
    }
}

/// Writes everything that waits with one wait for the disk, and only then counts and tells.
fn write(mut file: File, entries: &Receiver<Entry>, counts: &Counts) -> anyhow::Result<()> {
    while let Ok(first) = entries.recv() {
        let batch: Vec<Entry> = std::iter::once(first).chain(entries.try_iter()).collect();
        let text: String = batch.iter().flat_map(|(lines, _)| lines.iter().map(Line::print)).collect();
        file.write_all(text.as_bytes()).context("the book cannot be written")?;
        file.sync_data().context("the book cannot be written")?;
        for (lines, written) in batch {
            lines.iter().for_each(|line| count(counts, line));
            if let Some(written) = written {
                // An error says only that whoever waited has gone.
                written.send(()).unwrap_or_default();
            }
        }
    }
    Ok(())
}

fn count(counts: &Counts, line: &Line) {
    match line {
        Line::Ack(_) => counts.acks.fetch_add(1, Ordering::Release),
        Line::Nack { .. } => counts.nacks.fetch_add(1, Ordering::Release),
        Line::Unknown { .. } => counts.unknown.fetch_add(1, Ordering::Release),
        Line::Run(_) | Line::Intent { .. } | Line::Other { .. } => 0,
    };
}
