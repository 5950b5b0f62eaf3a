//! What is known of the objects of one resource: for each its version and digests of what was told of it, no more. With
//! it a watch goes on after a restart, and a new list shows what was missed.
//!
//! Changes are staged until what they tell is stored, so that what is known is never ahead of the log.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Read as _;
use std::mem;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::senders::kubernetes::Essence;

/// The form that is saved. What another form says is not known: everything is listed anew, and stored once.
const FORM: u32 = 1;

/// Texts from here on are compressed.
const COMPRESSED_BYTES_MIN: usize = 4 << 10;

/// A saved text is at most this when read: a million objects.
const SAVED_BYTES_MAX: u64 = 256 << 20;

/// Fast, since it is done every few seconds.
const COMPRESSION_LEVEL: i32 = 1;

/// Digests that are kept of one object: more than anything but an endless crash loop tells.
const TOLD_MAX: usize = 32;

/// An object, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its version.
    pub(super) version: Box<str>,
    /// `namespace/name`, or the name alone.
    pub(super) name: Box<str>,
    /// What was told of it.
    pub(super) told: Vec<u64>,
    /// The number of the list that it was last in.
    pub(super) listed: u32,
}

impl Entry {
    /// The namespace it is in.
    pub(super) fn namespace(&self) -> Option<&str> {
        self.name.split_once('/').map(|(namespace, _)| namespace)
    }
}

/// Adds what is told now. Returns true if any of it is new.
pub(super) fn tell(told: &mut Vec<u64>, essence: &Essence) -> bool {
    let new: Vec<u64> = essence.iter().filter(|mark| !told.contains(mark)).copied().collect();
    told.extend(&new);
    told.drain(..told.len().saturating_sub(TOLD_MAX));
    !new.is_empty()
}

/// The objects of one resource that are known, and where the watch of them goes on.
#[derive(Debug, Default)]
pub(super) struct Known {
    objects: HashMap<Box<str>, Entry>,
    staged: HashMap<Box<str>, Option<Entry>>,
    /// The version to watch from; none if everything must be listed first.
    cursor: Option<String>,
    staged_cursor: Option<String>,
    /// Where they are read.
    pub(super) path: String,
    lists: u32,
    unsaved: bool,
}

impl Known {
    /// An object, as it is known with what is staged.
    pub(super) fn get(&self, uid: &str) -> Option<&Entry> {
        match self.staged.get(uid) {
            Some(staged) => staged.as_ref(),
            None => self.objects.get(uid),
        }
    }

    /// What is known of it once all that is staged is stored; none forgets it.
    pub(super) fn stage(&mut self, uid: &str, entry: Option<Entry>) {
        self.staged.insert(uid.into(), entry);
    }

    /// Where the watch goes on once all that is staged is stored.
    pub(super) fn stage_cursor(&mut self, version: String) {
        self.staged_cursor = Some(version);
    }

    /// What was staged is stored.
    pub(super) fn commit(&mut self) {
        for (uid, entry) in mem::take(&mut self.staged) {
            match entry {
                Some(entry) => drop(self.objects.insert(uid, entry)),
                None => drop(self.objects.remove(&uid)),
            }
            self.unsaved = true;
        }
        if let Some(cursor) = self.staged_cursor.take() {
            self.unsaved |= self.cursor.as_ref() != Some(&cursor);
            self.cursor = Some(cursor);
        }
    }

    /// What was staged could not be stored.
    pub(super) fn discard(&mut self) {
        self.staged.clear();
        self.staged_cursor = None;
    }

    /// The version to watch from.
    pub(super) fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }

    /// Everything must be listed before the watch can go on.
    pub(super) fn forget_cursor(&mut self) {
        self.cursor = None;
        self.unsaved = true;
    }

    /// How many objects are known.
    pub(super) fn len(&self) -> usize {
        self.objects.len()
    }

    /// A list begins. Returns its number, for what is found in it.
    pub(super) fn begin_list(&mut self) -> u32 {
        self.lists = self.lists.wrapping_add(1);
        self.lists
    }

    /// Notes that an object is in a list, unchanged.
    pub(super) fn found_unchanged(&mut self, uid: &str, list: u32) {
        if let Some(entry) = self.objects.get_mut(uid) {
            entry.listed = list;
        }
    }

    /// Those that are not in a list, by uid. Nothing may be staged.
    pub(super) fn missing_in(&self, list: u32) -> Vec<(Box<str>, Entry)> {
        let missing = self.objects.iter().filter(|(_, entry)| entry.listed != list);
        missing.map(|(uid, entry)| (uid.clone(), entry.clone())).collect()
    }

    /// Something changed since it was saved.
    pub(super) fn is_unsaved(&self) -> bool {
        self.unsaved
    }

    /// What to save, if anything changed since.
    pub(super) fn take_unsaved(&mut self) -> Option<String> {
        if !mem::take(&mut self.unsaved) {
            return None;
        }
        let objects = self.objects.iter().map(|(uid, entry)| {
            let Entry { version, name, told, listed: _ } = entry;
            (Cow::from(&**uid), Cow::from(&**version), Cow::from(&**name), Cow::from(told))
        });
        let (path, cursor) = (Cow::from(&self.path), self.cursor.as_deref().map(Cow::from));
        let saved = Saved { form: FORM, path, cursor, objects: objects.collect() };
        serde_json::to_string(&saved).ok().map(|text| packed(&text))
    }

    /// What was saved; nothing if it cannot be read.
    pub(super) fn restore(text: &str) -> Option<Self> {
        let text = unpacked(text)?;
        let saved: Saved<'_> = serde_json::from_str(&text).ok()?;
        let objects = saved.objects.into_iter().map(|(uid, version, name, told)| {
            (uid.into(), Entry { version: version.into(), name: name.into(), told: told.into_owned(), listed: 0 })
        });
        let (path, cursor) = (saved.path.into_owned(), saved.cursor.map(Cow::into_owned));
        (saved.form == FORM).then(|| Self { objects: objects.collect(), cursor, path, ..Self::default() })
    }
}

#[derive(Serialize, Deserialize)]
struct Saved<'s> {
    form: u32,
    path: Cow<'s, str>,
    cursor: Option<Cow<'s, str>>,
    objects: Vec<SavedEntry<'s>>,
}

/// Uid, version, name and what was told.
type SavedEntry<'s> = (Cow<'s, str>, Cow<'s, str>, Cow<'s, str>, Cow<'s, [u64]>);

fn packed(text: &str) -> String {
    let compress = || zstd::bulk::compress(text.as_bytes(), COMPRESSION_LEVEL).ok();
    let compressed = (text.len() >= COMPRESSED_BYTES_MIN).then(compress).flatten();
    compressed.map_or_else(|| text.to_owned(), |bytes| format!("zstd:{}", STANDARD.encode(bytes)))
}

fn unpacked(text: &str) -> Option<String> {
    let Some(packed) = text.strip_prefix("zstd:") else { return Some(text.to_owned()) };
    let bytes = STANDARD.decode(packed).ok()?;
    let mut text = String::new();
    zstd::Decoder::new(&*bytes).ok()?.take(SAVED_BYTES_MAX).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(version: &str, told: &[u64]) -> Entry {
        Entry { version: version.into(), name: "shop/checkout-1".into(), told: told.to_vec(), listed: 0 }
    }

    #[test]
    fn what_is_known_is_what_is_stored() {
        let mut known = Known::default();
        known.stage("a", Some(entry("1", &[1])));
        known.stage_cursor("1".to_owned());
        assert_eq!(known.get("a").unwrap().namespace(), Some("shop"), "what is staged counts for what comes next");
        known.discard();
        assert_eq!((known.get("a"), known.cursor()), (None, None));
        known.stage("a", Some(entry("1", &[1])));
        known.stage_cursor("1".to_owned());
        known.commit();
        assert_eq!((known.len(), known.cursor()), (1, Some("1")));
        known.stage("a", None);
        known.commit();
        assert_eq!(known.len(), 0);
    }

    #[test]
    fn what_is_saved_is_restored_large_or_small() {
        for objects in [1_u64, 5_000] {
            let mut known = Known { path: "/api/v1/pods".to_owned(), ..Known::default() };
            (0..objects).for_each(|n| known.stage(&format!("uid-{n}"), Some(entry("17", &[n, u64::MAX]))));
            known.stage_cursor("18".to_owned());
            known.commit();
            let saved = known.take_unsaved().unwrap();
            assert_eq!(known.take_unsaved(), None, "it is saved");
            assert_eq!(saved.starts_with("zstd:"), objects > 1);
            let restored = Known::restore(&saved).unwrap();
            assert_eq!(
                (&restored.objects, restored.cursor(), &restored.path),
                (&known.objects, Some("18"), &known.path)
            );
        }
        assert!(Known::restore("zstd:nothing").is_none() && Known::restore("{}").is_none());
        assert!(Known::restore(r#"{"form":0,"path":"","cursor":null,"objects":[]}"#).is_none(), "another form");
    }

    #[test]
    fn what_is_not_in_a_list_is_missing() {
        let mut known = Known::default();
        known.stage("a", Some(entry("1", &[])));
        known.stage("b", Some(entry("1", &[])));
        known.commit();
        let list = known.begin_list();
        known.found_unchanged("a", list);
        assert_eq!(known.missing_in(list).into_iter().map(|(uid, _)| uid).collect::<Vec<_>>(), ["b".into()]);
    }

    #[test]
    fn only_what_is_new_is_told() {
        let mut told = Vec::new();
        assert!(tell(&mut told, &vec![1, 2]));
        assert!(!tell(&mut told, &vec![2]), "a part of it");
        assert!(!tell(&mut told, &vec![]));
        assert!(tell(&mut told, &(2..100).collect()));
        assert_eq!(told.len(), TOLD_MAX);
    }
}
