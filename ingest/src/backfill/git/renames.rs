//! Which added file is a deleted one under a new name, found the way git finds it, so that sizes equal those that
//! `git diff -M50% --numstat` prints.
//!
//! Four rounds, as documented in `gitdiffcore(7)` and observable from outside: files with equal content; files whose
//! last path part is unique on both sides and that are three quarters alike; every remaining pair, best first; and no
//! such search at all where it would compare more than [`PAIRS_MAX`] pairs.
//!
//! "Alike" is the share of bytes that both files hold in equal pieces, whatever their order. A piece is a line, or 64
//! bytes of a longer one. The library's own search compares by line difference instead, which pairs other files near
//! the threshold; hence this one.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use gix::ObjectId;

use super::blobs::{Content, File};
use super::error::GitError;
use super::store::Store;

/// Scores run from 0 to this.
const SCORE_MAX: u64 = 60_000;

/// 50 %: from here on two files are one that was renamed.
const SCORE_MIN: u64 = SCORE_MAX / 2;

/// 75 %: asked of files that are only compared because their last path parts are equal.
const SCORE_MIN_SAME_NAME: u64 = SCORE_MIN + (SCORE_MAX - SCORE_MIN) / 2;

/// Git's default `diff.renameLimit` of 1,000, squared: beyond it the search costs more than it tells.
const PAIRS_MAX: usize = 1_000 * 1_000;

/// So many of the best sources are remembered for each added file.
const BEST_KEPT: usize = 4;

/// Longest piece in bytes.
const PIECE_BYTES_MAX: u32 = 64;

/// Pieces are told apart by a hash below this prime.
const PIECE_HASHES: u32 = 107_927;

/// For each added file the deleted file that it was, by their places in the two slices. Both must be ordered by path.
pub(super) fn find(store: &Store, deleted: &[File], added: &[File]) -> Result<Vec<Option<usize>>, GitError> {
    let mut search = Search {
        store,
        sources: deleted.iter().map(Candidate::of).collect(),
        targets: added.iter().map(Candidate::of).collect(),
        pairs: vec![None; added.len()],
        used: vec![false; deleted.len()],
    };
    search.by_equal_content();
    search.by_unique_name()?;
    search.by_likeness()?;
    Ok(search.pairs)
}

/// A file and what is known about it so far.
struct Candidate<'a> {
    file: &'a File,
    bytes: Option<u64>,
    pieces: Option<Pieces>,
}

impl<'a> Candidate<'a> {
    fn of(file: &'a File) -> Self {
        Self { file, bytes: None, pieces: None }
    }
}

struct Search<'a> {
    store: &'a Store,
    sources: Vec<Candidate<'a>>,
    targets: Vec<Candidate<'a>>,
    /// By target.
    pairs: Vec<Option<usize>>,
    /// By source.
    used: Vec<bool>,
}

/// A pair that may be a rename.
#[derive(Debug, Clone, Copy)]
struct Match {
    score: u64,
    same_name: bool,
    target: usize,
    source: usize,
}

impl Match {
    /// Better ones first.
    fn order(&self, other: &Self) -> Ordering {
        (other.score, other.same_name).cmp(&(self.score, self.same_name))
    }
}

impl Search<'_> {
    fn pair(&mut self, target: usize, source: usize) {
        if let (Some(pair), Some(used)) = (self.pairs.get_mut(target), self.used.get_mut(source)) {
            *pair = Some(source);
            *used = true;
        }
    }

    fn free_sources(&self) -> Vec<usize> {
        (0..).zip(&self.used).filter(|(_, used)| !**used).map(|(place, _)| place).collect()
    }

    fn free_targets(&self) -> Vec<usize> {
        (0..).zip(&self.pairs).filter(|(_, pair)| pair.is_none()).map(|(place, _)| place).collect()
    }

    fn by_equal_content(&mut self) {
        let mut by_id: HashMap<ObjectId, Vec<usize>> = HashMap::new();
        for (place, source) in self.sources.iter().enumerate() {
            by_id.entry(source.file.id).or_default().push(place);
        }
        for target in 0..self.targets.len() {
            let Some(file) = self.targets.get(target).map(|candidate| candidate.file) else { continue };
            let Some(equal) = by_id.get_mut(&file.id) else { continue };
            let mut fits = (0..).zip(equal.iter()).filter_map(|(nth, &place)| {
                let source = self.sources.get(place)?.file;
                let same_sort = source.mode == file.mode || (source.is_regular() && file.is_regular());
                same_sort.then_some((nth, source.name() == file.name()))
            });
            let first = fits.next();
            let chosen = first.into_iter().chain(fits).find(|(_, same_name)| *same_name).or(first);
            if let Some((nth, _)) = chosen {
                let source = equal.remove(nth);
                self.pair(target, source);
            }
        }
    }

    fn by_unique_name(&mut self) -> Result<(), GitError> {
        let sources = unique_names(&self.sources, &self.free_sources());
        let targets = unique_names(&self.targets, &self.free_targets());
        let mut both: Vec<(usize, usize)> =
            sources.into_iter().filter_map(|(name, source)| Some((source?, (*targets.get(name)?)?))).collect();
        both.sort_unstable();
        for (source, target) in both {
            if self.score(target, source, SCORE_MIN_SAME_NAME)? >= SCORE_MIN_SAME_NAME {
                self.pair(target, source);
            }
        }
        Ok(())
    }

    fn by_likeness(&mut self) -> Result<(), GitError> {
        let (sources, targets) = (self.free_sources(), self.free_targets());
        if sources.len().saturating_mul(targets.len()) > PAIRS_MAX {
            return Ok(());
        }
        let mut matches = Vec::new();
        for target in targets {
            let mut best: Vec<Match> = Vec::with_capacity(BEST_KEPT);
            for &source in &sources {
                let score = self.score(target, source, SCORE_MIN)?;
                keep_best(&mut best, Match { score, same_name: self.same_name(target, source), target, source });
            }
            matches.append(&mut best);
        }
        // A stable sort: among equals the order of the paths decides, as it does in git.
        matches.sort_by(Match::order);
        for found in matches.iter().take_while(|found| found.score >= SCORE_MIN) {
            let free = self.pairs.get(found.target) == Some(&None) && self.used.get(found.source) == Some(&false);
            if free {
                self.pair(found.target, found.source);
            }
        }
        Ok(())
    }

    fn same_name(&self, target: usize, source: usize) -> bool {
        let (target, source) = (self.targets.get(target), self.sources.get(source));
        target.zip(source).is_some_and(|(target, source)| target.file.name() == source.file.name())
    }

    /// How alike two files are; 0 if their sizes alone rule out `least`.
    fn score(&mut self, target: usize, source: usize, least: u64) -> Result<u64, GitError> {
        let (Some(target), Some(source)) = (self.targets.get_mut(target), self.sources.get_mut(source)) else {
            return Ok(0);
        };
        if !target.file.is_regular() || !source.file.is_regular() {
            return Ok(0);
        }
        let (old, new) = (source.bytes(self.store)?, target.bytes(self.store)?);
        let largest = old.max(new);
        if largest.saturating_mul(SCORE_MAX - least) < old.abs_diff(new).saturating_mul(SCORE_MAX) || new == 0 {
            return Ok(0);
        }
        let (old, new) = (source.pieces(self.store)?, target.pieces(self.store)?);
        Ok((old.common_bytes(new) * SCORE_MAX).checked_div(largest).unwrap_or(0))
    }
}

impl Candidate<'_> {
    fn bytes(&mut self, store: &Store) -> Result<u64, GitError> {
        match self.bytes {
            Some(bytes) => Ok(bytes),
            None => Ok(*self.bytes.insert(store.file_bytes(self.file)?)),
        }
    }

    fn pieces(&mut self, store: &Store) -> Result<&Pieces, GitError> {
        match &mut self.pieces {
            Some(pieces) => Ok(pieces),
            empty @ None => {
                let mut content = Content::default();
                store.read_file(self.file, &mut content)?;
                Ok(empty.insert(Pieces::of(&content)))
            }
        }
    }
}

/// For each last path part the file that has it; none if several have.
fn unique_names<'a>(candidates: &[Candidate<'a>], free: &[usize]) -> HashMap<&'a [u8], Option<usize>> {
    let mut names = HashMap::new();
    for &place in free {
        let Some(candidate) = candidates.get(place) else { continue };
        match names.entry(candidate.file.name()) {
            Entry::Vacant(name) => {
                name.insert(Some(place));
            }
            Entry::Occupied(mut name) => {
                name.insert(None);
            }
        }
    }
    names
}

/// Keeps the best few, each in the place where it came: that place decides among equals later.
fn keep_best(best: &mut Vec<Match>, found: Match) {
    if best.len() < BEST_KEPT {
        best.push(found);
        return;
    }
    // The first of the worst: `reduce` keeps what it holds unless the next is strictly worse.
    let worst = best.iter_mut().reduce(|worst, next| if next.order(worst).is_gt() { next } else { worst });
    if let Some(worst) = worst.filter(|worst| (**worst).order(&found).is_gt()) {
        *worst = found;
    }
}

/// The pieces of a file: (hash, bytes), ordered by hash.
struct Pieces(Vec<(u32, u64)>);

impl Pieces {
    fn of(content: &Content) -> Self {
        let mut pieces = Vec::new();
        let (mut low, mut high, mut length) = (0_u32, 0_u32, 0_u32);
        let mut bytes = content.bytes.iter().copied().peekable();
        while let Some(byte) = bytes.next() {
            // A text file that only changed its line ends is the same file.
            if byte == b'\r' && !content.binary && bytes.peek() == Some(&b'\n') {
                continue;
            }
            (low, high) = ((low << 7) ^ (high >> 25), (high << 7) ^ (low >> 25));
            low = low.wrapping_add(u32::from(byte));
            length += 1;
            if length >= PIECE_BYTES_MAX || byte == b'\n' {
                pieces.push((hash(low, high), u64::from(length)));
                (low, high, length) = (0, 0, 0);
            }
        }
        if length > 0 {
            pieces.push((hash(low, high), u64::from(length)));
        }
        pieces.sort_unstable_by_key(|&(hash, _)| hash);
        pieces.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 += next.1;
            }
            same
        });
        Self(pieces)
    }

    /// Bytes that both hold.
    fn common_bytes(&self, other: &Self) -> u64 {
        let mut others = other.0.iter().peekable();
        let mut common = 0;
        for &(hash, bytes) in &self.0 {
            while others.next_if(|(other, _)| *other < hash).is_some() {}
            if let Some(&(_, other)) = others.next_if(|(other, _)| *other == hash) {
                common += bytes.min(other);
            }
        }
        common
    }
}

fn hash(low: u32, high: u32) -> u32 {
    low.wrapping_add(high.wrapping_mul(0x61)) % PIECE_HASHES
}
