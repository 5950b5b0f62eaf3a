//! The bot that asks for reviews: owners of the touched files by CODEOWNERS, never the author, the least busy first.
//!
//! Settings, all optional: `reviewers`, how many (2); `teams`, whether teams of CODEOWNERS are asked as teams (true);
//! `explain`, `"comment"` or `"none"`; `never`, handles that are not asked; `file`, a path in the place of the forge's
//! own: for forges that would ask every owner of their own file anyway.
//!
//! The choice for a change is made once and kept, so that a second delivery asks the same people and nobody is asked
//! anew; it is forgotten when the change is closed.

use std::collections::BTreeSet;
use std::time::Duration;

use bus::data::Data;
use bus::data::forge::Change;
use bus::event::{Event, Recorded};
use bus::kind::Kind;
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::clients::code_owners::{CODE_OWNERS_BYTES_MAX, CODE_OWNERS_PATHS};
use crate::contract::{Bot, Decision, Manifest};
use crate::lookups::{ChangeNow, Lookups, Unavailable};

mod choice;
mod code_owners;
mod explain;
mod ownership;
mod work;

use choice::{Choice, Circumstances};
use code_owners::CodeOwners;
use explain::Account;
use ownership::{Ownership, Who};

/// How many reviewers a change has, unless the configuration says otherwise.
const REVIEWERS: usize = 2;

/// GitHub refuses to ask more than 15 at once.
const REVIEWERS_MAX: usize = 15;

/// The explanation, among the bot's comments on a change.
const TOPIC: &str = "reviewers";

/// A forge may tell of a change before its own API knows it; after this long the change is really not there.
const REPLICATION_LAG_MAX: TimeDelta = TimeDelta::minutes(5);

/// How long to wait for the forge's API to catch up.
const REPLICATION_PAUSE: Duration = Duration::from_secs(20);

/// The bot.
#[derive(Debug, Clone, Copy)]
pub struct ReviewerAssignment;

impl Bot for ReviewerAssignment {
    fn manifest(&self) -> Manifest {
        Manifest {
            actions_per_event_max: 2,
            ..Manifest::new(
                "reviewer-assignment",
                "Asks owners of the touched files to review a change, the least busy first, and says why them.",
                "type:change.created type:change.updated type:change.merged type:change.abandoned",
            )
        }
    }

    fn handle(&self, event: &Recorded, lookups: &Lookups<'_>) -> Decision {
        decide(&event.event, lookups).unwrap_or_else(Decision::without)
    }
}

fn decide(event: &Event, lookups: &Lookups<'_>) -> Result<Decision, Unavailable> {
    let Data::Change(change) = &event.data else { return Ok(Decision::nothing("this is about no change")) };
    let Some(number) = change.number else { return Ok(Decision::nothing("nobody reviews a direct push")) };
    let place = Place { repository: &change.repository, number };
    let kept = place.kept(lookups);
    if matches!(event.kind, Kind::ChangeMerged | Kind::ChangeAbandoned) {
        return Ok(place.forget(kept.is_some()));
    }
    if let Some(reason) = why_not_now(&event.kind, change) {
        return Ok(Decision::nothing(reason));
    }
    if kept.is_some() && event.kind != Kind::ChangeCreated {
        return Ok(Decision::nothing("its reviewers were chosen before"));
    }
    let Some(now) = lookups.change(place.repository, number)? else { return Ok(not_there(event, lookups)) };
    if !now.open || now.draft {
        return Ok(Decision::nothing(if now.open { "it is a draft again" } else { "it is closed by now" }));
    }
    match kept {
        Some(kept) => Ok(place.again(&kept, &now)),
        None => place.choose(event, &now, lookups),
    }
}

/// Why an event of a change asks for no reviewers, if it does not.
fn why_not_now(kind: &Kind, change: &Change) -> Option<&'static str> {
    if *kind == Kind::ChangeUpdated && change.ready_at.is_none() {
        Some("it was neither opened nor made ready for review")
    } else if change.closed_at.is_some() {
        Some("it is closed")
    } else if change.draft {
        Some("a draft waits until it is ready for review")
    } else {
        None
    }
}

fn not_there(event: &Event, lookups: &Lookups<'_>) -> Decision {
    let reason = "the forge does not know the change";
    if lookups.now() - event.time > REPLICATION_LAG_MAX {
        return Decision::nothing(reason);
    }
    Decision::Retry { after: Some(REPLICATION_PAUSE), reason: format!("{reason} yet") }
}

/// Where a change is.
#[derive(Debug, Clone, Copy)]
struct Place<'a> {
    repository: &'a str,
    number: u64,
}

/// The choice for a change, as it stands in the bot's state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Kept {
    reviewers: Vec<String>,
    /// Without the organisation.
    teams: Vec<String>,
    because: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<String>,
}

impl Place<'_> {
    fn key(self) -> String {
        format!("change/{}#{}", self.repository, self.number)
    }

    fn kept(self, lookups: &Lookups<'_>) -> Option<Kept> {
        serde_json::from_str(&lookups.state(self.key())?).ok()
    }

    fn forget(self, known: bool) -> Decision {
        if !known {
            return Decision::nothing("it is closed, and nobody was chosen for it");
        }
        Decision::act(vec![Action::SaveState { key: self.key(), value: None }], "it is closed: the choice is forgotten")
    }

    /// The same choice, without those who were asked or have reviewed since.
    fn again(self, kept: &Kept, now: &ChangeNow) -> Decision {
        let within = |names: &[String], name: &str| names.iter().any(|other| other.eq_ignore_ascii_case(name));
        let mut left = kept.clone();
        left.reviewers.retain(|one| !within(&now.requested_reviewers, one) && !within(&now.reviewers, one));
        left.teams.retain(|team| !within(&now.requested_teams, team));
        if left.reviewers.is_empty() && left.teams.is_empty() {
            return Decision::nothing("its reviewers were chosen and asked before");
        }
        Decision::act(self.actions(kept, left), format!("as chosen before: {}", kept.because))
    }

    fn choose(self, event: &Event, now: &ChangeNow, lookups: &Lookups<'_>) -> Result<Decision, Unavailable> {
        let mut known = self.circumstances(now, lookups);
        let reviewers: usize = lookups.setting("reviewers").unwrap_or(REVIEWERS).min(REVIEWERS_MAX);
        let wanted = reviewers.saturating_sub(known.reviews_asked());
        if wanted == 0 {
            let asked = known.reviews_asked();
            return Ok(Decision::nothing(format!(
                "{reviewers} wanted, {asked} asked or given already: nobody is missing"
            )));
        }
        let (file, text) = self.code_owners_file(&now.base_branch, lookups)?;
        let code_owners = CodeOwners::parse(&text);
        let touched = lookups.changed_files(self.repository, self.number)?;
        let files: BTreeSet<&str> = touched.iter().map(String::as_str).collect();
        let ownership = Ownership::of(&files, &code_owners);
        let unknown = self.learn(&mut known, &files, event, lookups)?;
        let choice = choice::choose(&ownership.owners, &known, wanted);
        let account = Account {
            file: &file,
            branch: &now.base_branch,
            skipped: &code_owners.skipped,
            ownership: &ownership,
            choice: &choice,
            wanted,
            unknown: &unknown,
        };
        Ok(self.ask(account, &choice, lookups))
    }

    /// What is known without asking the forge.
    fn circumstances(self, now: &ChangeNow, lookups: &Lookups<'_>) -> Circumstances {
        Circumstances {
            change: format!("{}#{}", self.repository, self.number),
            organisation: self.repository.rsplit('/').nth(1).unwrap_or_default().to_owned(),
            author: now.author.clone(),
            reviewed: now.reviewers.clone(),
            asked: now.requested_reviewers.clone(),
            asked_teams: now.requested_teams.clone(),
            never: lookups.setting("never").unwrap_or_default(),
            teams: lookups.setting("teams").unwrap_or(true),
            ..Circumstances::default()
        }
    }

    /// The file that says who owns what: its path and its text.
    fn code_owners_file(self, branch: &str, lookups: &Lookups<'_>) -> Result<(String, String), Unavailable> {
        let configured: Option<String> = lookups.setting("file");
        let paths = configured.map_or_else(|| CODE_OWNERS_PATHS.map(str::to_owned).to_vec(), |path| vec![path]);
        for path in &paths {
            match lookups.file(self.repository, path, Some(branch))? {
                Some(text) if text.len() < CODE_OWNERS_BYTES_MAX => return Ok((path.clone(), text)),
                Some(_) => {
                    let reason = format!("{path} at {branch} is not below 3 MB, so the forge does not load it either");
                    return Err(Unavailable::for_good(reason));
                }
                None => {}
            }
        }
        Err(Unavailable::for_good(format!("the branch {branch} has no {}", paths.join(", no "))))
    }

    /// Learns how busy everybody is and who has worked there. What cannot be had for good is told and done without.
    fn learn(
        self,
        known: &mut Circumstances,
        files: &BTreeSet<&str>,
        event: &Event,
        lookups: &Lookups<'_>,
    ) -> Result<Vec<String>, Unavailable> {
        let mut unknown = Vec::new();
        match lookups.open_reviews(self.repository) {
            Ok(open) => known.open = Some(open.into_iter().map(|(who, count)| (who.to_lowercase(), count)).collect()),
            Err(error) if error.transient => return Err(error),
            Err(error) => unknown.push(format!("open reviews are not known: {error}")),
        }
        match work::recent_work(lookups, self.repository, files, event.time) {
            Ok(work) => known.work = work,
            Err(error) if error.transient => return Err(error),
            Err(error) => unknown.push(format!("recent work is not known: {error}")),
        }
        Ok(unknown)
    }

    fn ask(self, account: Account<'_>, choice: &Choice, lookups: &Lookups<'_>) -> Decision {
        let because = account.sentence();
        if choice.chosen.is_empty() {
            return Decision::nothing(format!("no owner is left to ask; {because}"));
        }
        let explain: Explain = lookups.setting("explain").unwrap_or_default();
        let comment = (explain == Explain::Comment).then(|| account.comment());
        let mut kept = Kept { because: because.clone(), comment, ..Kept::default() };
        for candidate in &choice.chosen {
            match &candidate.owner.who {
                Who::Person(handle) => kept.reviewers.push(handle.clone()),
                Who::Team(name) => kept.teams.push(name.rsplit('/').next().unwrap_or(name).to_owned()),
            }
        }
        Decision::act(self.actions(&kept, kept.clone()), because)
    }

    /// Keeps the choice and asks those who are left of it.
    fn actions(self, kept: &Kept, left: Kept) -> Vec<Action> {
        let (repository, number) = (self.repository.to_owned(), self.number);
        let value = serde_json::to_string(kept).ok();
        let Kept { reviewers, teams, comment, .. } = left;
        let mut actions = vec![Action::RequestReviewers { repository: repository.clone(), number, reviewers, teams }];
        actions.extend(comment.map(|text| Action::Comment { repository, number, text, topic: TOPIC.to_owned() }));
        actions.push(Action::SaveState { key: self.key(), value });
        actions
    }
}

/// Whether the choice is explained on the change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Explain {
    #[default]
    Comment,
    None,
}

#[cfg(test)]
mod tests;
