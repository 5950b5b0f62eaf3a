//! Reads the history of a git repository, so that a team sees its past on the first day.
//!
//! What it yields is defined in terms that anyone can check with git itself: a change is a commit on the first-parent
//! line of the default branch, a deployment is a tag that matches a pattern. [`payload`] says what a delivery holds;
//! the sender `git` reads it back.
//!
//! * [`read`] is synchronous and keeps all cores busy: run it where blocking is allowed.
//! * The graph of commits is held in memory (about 150 bytes each), contents only while they are compared.
//! * Ids of deliveries are made of commits and tags: a second run yields the same ids, and skips what is known.
//! * Landed commits come oldest first, then the tags in order of their time, each after all that it reaches.
//!
//! It knows no clock: the instant of the import is handed in.

use std::num::NonZero;
use std::ops::ControlFlow;
use std::path::Path;
use std::thread::available_parallelism;

use bus::delivery::{NewDelivery, Verification};
use bus::ids::{DeliveryId, SourceName};
use chrono::{DateTime, Utc};
use regex::Regex;

mod blobs;
mod commit;
mod error;
mod graph;
mod landing;
mod message;
pub mod payload;
mod pipeline;
mod refs;
mod remote;
mod renames;
mod size;
mod store;

pub use error::GitError;

use graph::{Graph, Reached};
use landing::{Batch, Landing, Reader, Reverts, Seen};
use payload::{Content, Payload, SCHEMA, Tagged};
use refs::{Branch, Tag};
use store::{SharedStore, Store};

/// Tags that are deployments if nothing else is asked for: released versions, not their candidates.
pub const TAG_PATTERN_DEFAULT: &str = r"^v?\d+\.\d+\.\d+$";

/// So many commits are handed to a thread at once: neighbours share their trees, which are then decoded once; and so
/// many ids are asked about at once.
const BATCH_COMMITS: usize = 128;

/// More threads than this would wait for the same disk, and each has a cache of its own.
const THREADS_MAX: usize = 8;

/// How to read a history.
#[derive(Debug, Clone)]
pub struct Options {
    /// The source that the deliveries come through: `git/NAME`.
    pub source: SourceName,
    /// `host/owner/name`; by default from the URL of the remote `origin`, else the name of the source.
    pub repository: Option<String>,
    /// The default branch; by default what `origin/HEAD` names, else what `HEAD` names.
    pub branch: Option<String>,
    /// Tags that are deployments; a group called `service` picks the service.
    pub tag_pattern: Regex,
    /// What the deliveries say about when they were received.
    pub received_at: DateTime<Utc>,
}

impl Options {
    /// The defaults for a repository called `name`. A pattern replaces [`TAG_PATTERN_DEFAULT`].
    ///
    /// # Errors
    /// If the name cannot be part of a source's name, or the pattern is no regular expression.
    pub fn new(name: &str, tag_pattern: Option<&str>, received_at: DateTime<Utc>) -> Result<Self, GitError> {
        let source = format!("git/{name}").parse();
        let source = source.map_err(|source| GitError::Name { name: name.to_owned(), source })?;
        let pattern = tag_pattern.unwrap_or(TAG_PATTERN_DEFAULT);
        let tag_pattern = Regex::new(pattern)
            .map_err(|source| GitError::Pattern { pattern: pattern.to_owned(), source: Box::new(source) })?;
        Ok(Self { source, repository: None, branch: None, tag_pattern, received_at })
    }
}

/// How far the reading is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Commits found so far; how many there are is not known yet.
    Finding {
        /// Commits.
        commits: u64,
    },
    /// Landed commits and tags told so far, known ones included.
    Telling {
        /// Told or skipped.
        done: u64,
        /// How many there are.
        total: u64,
    },
}

/// What was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// `host/owner/name`, or the name of the source.
    pub repository: String,
    /// The full name of the reference that was taken for the default branch.
    pub reference: String,
    /// Commits that the branch and the tags reach.
    pub commits: u64,
    /// Commits on the first-parent line of the default branch.
    pub landed: u64,
    /// Tags that lead to a commit.
    pub tags: u64,
    /// Tags that matched the pattern.
    pub deployments: u64,
    /// Deliveries handed out.
    pub delivered: u64,
    /// Deliveries skipped because they were known.
    pub known: u64,
    /// True if whoever took the deliveries asked to stop.
    pub stopped: bool,
}

/// Reads the repository at `path` and hands its deliveries to `sink`, in an order that is the same every time.
///
/// `known` is asked about the ids of deliveries in batches and answers in their order: what is known is neither
/// compared nor handed out again. All three functions are called on the calling thread. To stop, `sink` breaks.
///
/// # Errors
/// What is wrong with the repository and what to do about it; see [`GitError`]. Deliveries handed out before an error
/// are right, and another run goes on after them.
pub fn read(
    path: &Path,
    options: &Options,
    known: &mut dyn FnMut(&[DeliveryId]) -> Vec<bool>,
    sink: &mut dyn FnMut(NewDelivery) -> ControlFlow<()>,
    progress: &dyn Fn(Progress),
) -> Result<Summary, GitError> {
    let shared = SharedStore::open(path)?;
    let store = shared.local();
    store.refuse_shallow()?;
    let branch = store.branch(options.branch.as_deref())?;
    let tags = store.tags()?;
    store.check_tags(&tags, &options.tag_pattern)?;

    let tips: Vec<_> = std::iter::once(branch.tip).chain(tags.iter().map(|tag| tag.target)).collect();
    let mut graph = Graph::read(&store, &tips, &|commits| progress(Progress::Finding { commits }))?;
    let landings = landing::along(&mut graph, &branch.tip);
    let tags = tagged(&mut graph, tags, &options.tag_pattern);

    let mut teller = Teller {
        options,
        sink,
        progress,
        total: (landings.len() + tags.len()) as u64,
        default_branch: &branch.name,
        summary: summary(&store, options, &branch),
    };
    teller.summary.commits = graph.len() as u64;
    teller.summary.landed = landings.len() as u64;
    teller.summary.tags = tags.len() as u64;
    teller.summary.deployments = tags.iter().filter(|(tag, _)| tag.deploys).count() as u64;
    teller.tell_landings(&shared, &graph, &landings, known)?;
    if !teller.summary.stopped {
        teller.tell_tags(&graph, tags, known)?;
    }
    Ok(teller.summary)
}

fn summary(store: &Store, options: &Options, branch: &Branch) -> Summary {
    let remote = store.repository.config_snapshot().string("remote.origin.url");
    let identity = remote.and_then(|url| remote::identity(url.as_ref()));
    let name = options.source.as_str();
    let repository = options.repository.clone().or(identity);
    Summary {
        repository: repository.unwrap_or_else(|| name.strip_prefix("git/").unwrap_or(name).to_owned()),
        reference: branch.reference.clone(),
        ..Summary::default()
    }
}

/// The tags in order of their time, each with the commits that it is the first to reach.
fn tagged(graph: &mut Graph, tags: Vec<Tag>, pattern: &Regex) -> Vec<(Tagged, Reached)> {
    let mut timed: Vec<_> = tags
        .into_iter()
        .filter_map(|tag| {
            let place = graph.place(&tag.target)?;
            let at = tag.annotated.flatten().and_then(graph::instant).or_else(|| graph.committed_at(place));
            Some((at, tag, place))
        })
        .collect();
    timed.sort_by(|(at, tag, _), (other_at, other, _)| (at, &tag.name).cmp(&(other_at, &other.name)));
    let tell = |(tagged_at, tag, place): (Option<DateTime<Utc>>, Tag, graph::Place)| {
        let groups = pattern.captures(&tag.name);
        let service = groups.as_ref().and_then(|groups| groups.name("service")).map(|group| group.as_str().to_owned());
        let tagged = Tagged {
            sha: tag.target.to_string(),
            annotated: tag.annotated.is_some(),
            tagged_at,
            deploys: groups.is_some(),
            service,
            commits: Vec::new(),
            name: tag.name,
        };
        (tagged, graph.reach(place))
    };
    timed.into_iter().map(tell).collect()
}

/// Hands out deliveries and counts them.
struct Teller<'a> {
    options: &'a Options,
    sink: &'a mut dyn FnMut(NewDelivery) -> ControlFlow<()>,
    progress: &'a dyn Fn(Progress),
    total: u64,
    default_branch: &'a str,
    summary: Summary,
}

impl Teller<'_> {
    fn tell_landings(
        &mut self,
        shared: &SharedStore,
        graph: &Graph,
        landings: &[Landing],
        known: &mut dyn FnMut(&[DeliveryId]) -> Vec<bool>,
    ) -> Result<(), GitError> {
        let threads = available_parallelism().map_or(1, NonZero::get).min(THREADS_MAX);
        let mut failed = None;
        let batches = landings.chunks(BATCH_COMMITS).map_while(|landings| {
            let ids = landings.iter().map(|landing| landing_id(graph, landing));
            match ids.collect::<Result<Vec<_>, _>>() {
                Ok(ids) => Some(Batch { landings, known: known(&ids) }),
                Err(error) => {
                    failed = Some(error);
                    None
                }
            }
        });
        let mut reverts = Reverts::default();
        let mut outcome = Ok(());
        let worker = || {
            let mut reader = Reader::new(shared.local(), graph);
            move |batch: Batch<'_>| reader.read(&batch)
        };
        let whole = pipeline::in_order(threads, batches, worker, |batch| {
            let told = batch
                .and_then(|seen| seen.into_iter().try_for_each(|seen| self.tell_landing(graph, seen, &mut reverts)));
            match told {
                Ok(()) if self.summary.stopped => ControlFlow::Break(()),
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    outcome = Err(error);
                    ControlFlow::Break(())
                }
            }
        });
        match (outcome, failed) {
            (Err(error), _) | (Ok(()), Some(error)) => Err(error),
            (Ok(()), None) if !whole => Err(GitError::Worker { path: shared.path().to_owned() }),
            (Ok(()), None) => Ok(()),
        }
    }

    fn tell_landing(&mut self, graph: &Graph, seen: Seen, reverts: &mut Reverts) -> Result<(), GitError> {
        if self.summary.stopped {
            return Ok(());
        }
        let reverted = reverts.resolve(graph, &seen);
        let Some(mut landed) = seen.landed else {
            self.skip();
            return Ok(());
        };
        landed.reverts = reverted;
        let id = format!("commit/{}", landed.commit.sha);
        self.tell(&id, Content::Landed(landed))
    }

    fn tell_tags(
        &mut self,
        graph: &Graph,
        tags: Vec<(Tagged, Reached)>,
        known: &mut dyn FnMut(&[DeliveryId]) -> Vec<bool>,
    ) -> Result<(), GitError> {
        let ids = tags.iter().map(|(tag, _)| tag_id(tag)).collect::<Result<Vec<_>, _>>()?;
        let known = ids.chunks(BATCH_COMMITS).flat_map(known).collect::<Vec<_>>();
        let known = known.into_iter().chain(std::iter::repeat(false));
        for (((mut tag, reached), id), known) in tags.into_iter().zip(ids).zip(known) {
            if self.summary.stopped {
                return Ok(());
            }
            if known {
                self.skip();
                continue;
            }
            tag.commits = reached.commits.into_iter().map(|place| graph.tell(place)).collect();
            self.tell(id.as_str(), Content::Tag(Box::new(tag)))?;
        }
        Ok(())
    }

    fn tell(&mut self, id: &str, content: Content) -> Result<(), GitError> {
        let payload = Payload {
            schema: SCHEMA.to_owned(),
            repository: self.summary.repository.clone(),
            default_branch: self.default_branch.to_owned(),
            content,
        };
        let body = serde_json::to_vec(&payload).map_err(|source| GitError::Json { what: id.to_owned(), source })?;
        let delivery = NewDelivery {
            source: self.options.source.clone(),
            delivery_id: delivery_id(id)?,
            received_at: self.options.received_at,
            headers: Vec::new(),
            content_type: Some("application/json".to_owned()),
            body,
            verification: Verification::Local,
        };
        self.summary.stopped = (self.sink)(delivery).is_break();
        self.summary.delivered += 1;
        self.advance();
        Ok(())
    }

    fn skip(&mut self) {
        self.summary.known += 1;
        self.advance();
    }

    fn advance(&self) {
        (self.progress)(Progress::Telling { done: self.summary.delivered + self.summary.known, total: self.total });
    }
}

fn landing_id(graph: &Graph, landing: &Landing) -> Result<DeliveryId, GitError> {
    delivery_id(&format!("commit/{}", graph.id(landing.place())))
}

/// A tag that is moved is another delivery: the commit is part of the id.
fn tag_id(tag: &Tagged) -> Result<DeliveryId, GitError> {
    let id = format!("tag/{}/{}", tag.name, tag.sha);
    // Git allows longer names than the log does; what is cut off is made up for by a hash.
    delivery_id(&id).or_else(|_| {
        let start: String = tag.name.chars().filter(|letter| !letter.is_control()).take(64).collect();
        delivery_id(&format!("tag/{start}~{}/{}", blake3::hash(tag.name.as_bytes()).to_hex(), tag.sha))
    })
}

fn delivery_id(id: &str) -> Result<DeliveryId, GitError> {
    id.parse().map_err(|source| GitError::Id { what: id.to_owned(), source })
}
