//! People become hashes here, and nothing behind this file sees a handle again.
//!
//! The hash is keyed, so that nobody without the installation's key can try handles against it.

use bus::data::forge::Person;

use crate::catalog::files::matches;
use crate::facts::PersonHash;

/// Hashes handles and knows which of them are bots.
#[derive(Clone)]
pub struct People {
    key: [u8; 32],
    /// Patterns in lower case.
    bots: Vec<String>,
}

/// Somebody, as far as Ledger knows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Somebody {
    pub(crate) hash: PersonHash,
    pub(crate) is_bot: bool,
}

impl People {
    /// With the installation's key, 32 random bytes, and the handles that are bots by rule.
    #[must_use]
    pub fn new(key: [u8; 32], bots: &[String]) -> Self {
        Self { key, bots: bots.iter().map(|bot| bot.to_lowercase()).collect() }
    }

    /// Who it is; none for an empty handle.
    pub(crate) fn somebody(&self, person: &Person) -> Option<Somebody> {
        let handle = person.handle.trim().trim_start_matches('@').to_lowercase();
        if handle.is_empty() {
            return None;
        }
        let [a, b, c, d, e, f, g, h, ..] = *blake3::keyed_hash(&self.key, handle.as_bytes()).as_bytes();
        let is_bot = person.bot || self.bots.iter().any(|bot| matches(bot, &handle));
        Some(Somebody { hash: PersonHash(u64::from_be_bytes([a, b, c, d, e, f, g, h])), is_bot })
    }

    /// Changes when the same events would give other facts.
    pub(crate) fn fingerprint(&self) -> String {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        for bot in &self.bots {
            // A zero byte can stand in no handle, so two different lists never give the same bytes.
            hasher.update(bot.as_bytes()).update(&[0]);
        }
        hasher.finalize().to_hex().chars().take(32).collect()
    }
}

/// The key is not shown.
impl std::fmt::Debug for People {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("People").field("bots", &self.bots).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn somebody(people: &People, handle: &str) -> Option<Somebody> {
        people.somebody(&Person { handle: handle.to_owned(), bot: false })
    }

    #[test]
    fn one_handle_is_one_person_however_it_is_written() {
        let people = People::new([7; 32], &[]);
        assert_eq!(somebody(&people, " @Ada "), somebody(&people, "ada"));
        assert_ne!(somebody(&people, "ada"), somebody(&people, "grace"));
        assert_eq!(somebody(&people, " "), None);
    }

    #[test]
    fn without_the_key_a_hash_cannot_be_made_again() {
        let (ours, theirs) = (People::new([7; 32], &[]), People::new([8; 32], &[]));
        assert_ne!(somebody(&ours, "ada"), somebody(&theirs, "ada"));
        assert!(!format!("{ours:?}").contains('7'));
    }

    #[test]
    fn a_bot_is_known_by_its_tool_or_by_rule() {
        let people = People::new([7; 32], &["*[bot]".to_owned(), "Release-Robot".to_owned()]);
        let is_bot = |handle| somebody(&people, handle).unwrap().is_bot;
        assert!(is_bot("updates[bot]") && is_bot("release-robot") && !is_bot("abbott"));
        assert!(people.somebody(&Person { handle: "ci".to_owned(), bot: true }).unwrap().is_bot);
    }

    #[test]
    fn other_bot_rules_give_another_fingerprint() {
        let of =
            |bots: &[&str]| People::new([7; 32], &bots.iter().map(|&b| b.to_owned()).collect::<Vec<_>>()).fingerprint();
        assert_ne!(of(&["ab"]), of(&["a", "b"]));
        assert_eq!(of(&["ab"]), of(&["AB"]));
    }
}
