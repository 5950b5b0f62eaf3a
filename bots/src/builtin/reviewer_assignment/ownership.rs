//! Whom the touched files belong to.

use std::collections::{BTreeMap, BTreeSet};

use super::code_owners::{CodeOwner, CodeOwners};

/// Whom the files of a change belong to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ownership {
    /// Everybody who owns some of them.
    pub(super) owners: Vec<Owner>,
    /// How many files the change touches.
    pub(super) files: usize,
    /// How many of them nobody owns.
    pub(super) unowned: usize,
    /// How many of them an e-mail address owns, which is nobody's handle.
    pub(super) owned_by_email: usize,
}

/// Somebody who owns some of the touched files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owner {
    /// Who.
    pub(super) who: Who,
    /// Which files, by their number.
    pub(super) files: BTreeSet<usize>,
    /// The lines that say so.
    pub(super) lines: BTreeSet<usize>,
}

/// Somebody who can be asked for a review. People stand before teams.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Who {
    /// Handle of a person.
    Person(String),
    /// `organisation/team`.
    Team(String),
}

impl Who {
    /// The handle, or `organisation/team`.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Person(name) | Self::Team(name) => name,
        }
    }
}

impl Ownership {
    /// Of these files, whatever their order.
    pub(super) fn of(files: &BTreeSet<&str>, code_owners: &CodeOwners) -> Self {
        let mut ownership = Self { files: files.len(), ..Self::default() };
        // Forges do not tell the cases of a handle apart.
        let mut owners: BTreeMap<String, Owner> = BTreeMap::new();
        for (number, file) in files.iter().enumerate() {
            let rule = code_owners.rule_of(file);
            let (line, named) = rule.map_or((0, &[][..]), |rule| (rule.line, rule.owners.as_slice()));
            ownership.unowned += usize::from(named.is_empty());
            ownership.owned_by_email += usize::from(named.contains(&CodeOwner::Email));
            for who in named.iter().filter_map(who) {
                let owner = owners.entry(who.name().to_lowercase()).or_insert_with(|| Owner {
                    who,
                    files: BTreeSet::new(),
                    lines: BTreeSet::new(),
                });
                owner.files.insert(number);
                owner.lines.insert(line);
            }
        }
        ownership.owners = owners.into_values().collect();
        ownership
    }
}

fn who(named: &CodeOwner) -> Option<Who> {
    match named {
        CodeOwner::Person(handle) => Some(Who::Person(handle.clone())),
        CodeOwner::Team(name) => Some(Who::Team(name.clone())),
        CodeOwner::Email => None,
    }
}
