//! Who has worked on the touched places lately, as far as the bus tells paths.

use std::collections::{BTreeMap, BTreeSet};

use bus::data::forge::Change;
use bus::kind::Kind;
use bus::query::{Condition, Pattern, Query, Term};
use chrono::{DateTime, TimeDelta, Utc};

use crate::lookups::{Lookups, Unavailable};

/// Who worked on something longer ago may have forgotten it.
const RECENT: TimeDelta = TimeDelta::days(90);

/// More changes than these tell nothing more about who works there.
const CHANGES_MAX: usize = 200;

/// How many changes to the same top-level folders or files each handle, in lower case, has merged lately.
pub(super) fn recent_work(
    lookups: &Lookups<'_>,
    repository: &str,
    files: &BTreeSet<&str>,
    before: DateTime<Utc>,
) -> Result<BTreeMap<String, u32>, Unavailable> {
    let is = |text: &str| Pattern::Is(text.to_owned());
    let conditions = [Condition::Type(is(Kind::ChangeMerged.name())), Condition::Repository(is(repository))];
    let query =
        conditions.into_iter().fold(Query::default(), |query, condition| query.and(Term { negated: false, condition }));
    let places: BTreeSet<&str> = files.iter().map(|file| top(file)).collect();
    let mut work = BTreeMap::new();
    for merged in lookups.events(query.to_string(), [before - RECENT, before], CHANGES_MAX)? {
        // A change that cannot be read tells nothing; it is no reason to ask nobody.
        let Ok(change) = serde_json::from_value::<Change>(merged.data) else { continue };
        let Some(author) = change.author else { continue };
        if change.paths.iter().any(|path| places.contains(top(path))) {
            let count: &mut u32 = work.entry(author.handle.to_lowercase()).or_default();
            *count = count.saturating_add(1);
        }
    }
    Ok(work)
}

/// The folder or file at the root of the repository that a path begins with.
fn top(path: &str) -> &str {
    path.split('/').next().unwrap_or(path)
}
