//! Landed commits: the first-parent line of the default branch, and what each commit on it brought.

use gix::ObjectId;
use gix::bstr::ByteSlice;

use super::commit::{Raw, Signature};
use super::error::GitError;
use super::graph::{Graph, Place};
use super::message::{self, Reverted, Said, Subjects};
use super::payload::{Author, Landed, Way};
use super::size::{Extent, Sizer};
use super::store::Store;

/// A commit of the line with everything that the branch first reached by it.
#[derive(Debug)]
pub(super) struct Landing {
    /// Its place on the line, from 0.
    nth: u32,
    place: Place,
    /// Without the commit itself, parents before children.
    others: Box<[Place]>,
    through_second: usize,
}

impl Landing {
    /// The commit.
    pub(super) const fn place(&self) -> Place {
        self.place
    }
}

/// The landings along the first-parent line that ends in `tip`, oldest first.
pub(super) fn along(graph: &mut Graph, tip: &ObjectId) -> Vec<Landing> {
    let line = graph.place(tip).map(|tip| graph.line(tip)).unwrap_or_default();
    let land = |(nth, place)| {
        let mut reached = graph.reach(place);
        reached.commits.pop();
        Landing { nth, place, others: reached.commits.into(), through_second: reached.through_second }
    };
    (0..).zip(line).map(land).collect()
}

/// Neighbouring landings for one thread to read; `known` may be shorter, the rest is then not known.
pub(super) struct Batch<'a> {
    pub(super) landings: &'a [Landing],
    pub(super) known: Vec<bool>,
}

/// A landing that was read.
pub(super) struct Seen {
    nth: u32,
    place: Place,
    subject: String,
    reverts: Option<Reverted>,
    /// None if it was known.
    pub(super) landed: Option<Box<Landed>>,
}

/// Reads landings; one for each thread.
pub(super) struct Reader<'g> {
    store: Store,
    graph: &'g Graph,
    sizer: Sizer,
    buffer: Vec<u8>,
    /// The landing read last and its tree: most often the first parent of the next.
    last: Option<(ObjectId, ObjectId)>,
}

impl<'g> Reader<'g> {
    pub(super) fn new(store: Store, graph: &'g Graph) -> Self {
        Self { store, graph, sizer: Sizer::default(), buffer: Vec::new(), last: None }
    }

    /// Reads all of a batch.
    pub(super) fn read(&mut self, batch: &Batch<'_>) -> Result<Vec<Seen>, GitError> {
        let known = batch.known.iter().copied().chain(std::iter::repeat(false));
        batch.landings.iter().zip(known).map(|(landing, known)| self.read_one(landing, known)).collect()
    }

    fn read_one(&mut self, landing: &Landing, known: bool) -> Result<Seen, GitError> {
        let id = self.graph.id(landing.place);
        let mut buffer = std::mem::take(&mut self.buffer);
        let raw = self.store.commit(&id, &mut buffer)?;
        let Said { way, subject, title, reverts } = message::read(raw.message, raw.parents.len());
        let landed = if known {
            None
        } else {
            let extent = match raw.parents.first() {
                Some(parent) if way.number().is_some() => Some(self.measure(parent, &raw.tree)?),
                Some(_) | None => None,
            };
            let author = self.author(&raw, way)?;
            let first_commit_at = match way {
                Way::Merge { .. } | Way::OtherMerge => {
                    let second = landing.others.get(..landing.through_second).unwrap_or_default();
                    self.graph.oldest(second)
                }
                Way::Squash { .. } | Way::Direct => self.graph.oldest(&[landing.place]),
            };
            Some(Box::new(Landed {
                way,
                commit: self.graph.tell(landing.place),
                commits: landing.others.iter().map(|&place| self.graph.tell(place)).collect(),
                subject: subject.clone(),
                title,
                author,
                first_commit_at,
                size: extent.as_ref().map(|extent| extent.size),
                paths: extent.map(|extent| extent.paths.into_iter().collect()).unwrap_or_default(),
                reverts: None,
            }))
        };
        self.last = Some((id, raw.tree));
        self.buffer = buffer;
        Ok(Seen { nth: landing.nth, place: landing.place, subject, reverts, landed })
    }

    fn measure(&mut self, parent: &ObjectId, tree: &ObjectId) -> Result<Extent, GitError> {
        let before = match self.last {
            Some((last, tree)) if last == *parent => tree,
            Some(_) | None => self.store.commit(parent, &mut Vec::new())?.tree,
        };
        self.sizer.measure(&self.store, &before, tree)
    }

    /// The author of a change: a merge is made by whoever pressed the button, its second parent by who wrote it.
    fn author(&self, raw: &Raw<'_>, way: Way) -> Result<Option<Author>, GitError> {
        match (way, raw.parents.get(1)) {
            (Way::Merge { .. }, Some(second)) => Ok(author(&self.store.commit(second, &mut Vec::new())?.author)),
            (Way::Merge { .. } | Way::Squash { .. } | Way::OtherMerge | Way::Direct, _) => Ok(author(&raw.author)),
        }
    }
}

fn author(signature: &Signature<'_>) -> Option<Author> {
    let email = signature.email.to_str_lossy().to_lowercase();
    // `12345+helper[bot]@users.noreply.…` is how forges write their apps.
    let bot = email.contains("[bot]@") || signature.name.ends_with(b"[bot]");
    (!email.is_empty()).then_some(Author { email, bot })
}

/// Finds what a landing reverts. To be asked about every landing, in order: what is yet to land cannot be reverted.
#[derive(Debug, Default)]
pub(super) struct Reverts {
    subjects: Subjects,
    landed: Vec<Place>,
}

impl Reverts {
    /// The commit that it reverts.
    pub(super) fn resolve(&mut self, graph: &Graph, seen: &Seen) -> Option<String> {
        let reverted = match &seen.reverts {
            // A commit that is not in this history was reverted all the same.
            Some(Reverted::Commit(sha)) => Some(graph.complete(sha).map_or_else(|| sha.clone(), |id| id.to_string())),
            Some(Reverted::Subject(subject)) => {
                let place = self.subjects.find(subject).and_then(|nth| self.landed.get(nth as usize));
                place.map(|&place| graph.id(place).to_string())
            }
            None => None,
        };
        self.subjects.add(&seen.subject, seen.nth);
        self.landed.push(seen.place);
        reverted
    }
}
