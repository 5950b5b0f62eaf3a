//! What a bot may ask, and who answers.
//!
//! Every question is a value and every answer is JSON, so that both are recorded with the run: a replay hears the same
//! answers again, a test or a file can give them, and a guest in another language can ask the same.

use std::cell::RefCell;
use std::collections::BTreeMap;

use bus::ids::EventId;
use bus::kind::Kind;
use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clients::secrets;

mod words;

/// A question.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum Question {
    /// The body of the delivery that the event was read from.
    Delivery,
    /// A value of the bot's own state.
    State {
        /// Under which key.
        key: String,
    },
    /// A setting of the bot, from the configuration.
    Setting {
        /// Which.
        name: String,
    },
    /// Who owns a service, by the catalog.
    Owner(OwnedThing),
    /// Events of the bus, newest first.
    Events {
        /// Which, in the explorer's language.
        query: String,
        /// Only those that happened before.
        before: DateTime<Utc>,
        /// Only those that happened at or after.
        since: DateTime<Utc>,
        /// At most so many.
        limit: usize,
    },
    /// A file of a repository.
    File {
        /// `host/owner/name`.
        repository: String,
        /// Path from its root.
        path: String,
        /// At which commit or branch; none is the default branch.
        at: Option<String>,
    },
    /// The paths that a change touches.
    ChangedFiles {
        /// `host/owner/name`.
        repository: String,
        /// The change's number.
        number: u64,
    },
    /// A change as the forge has it now: [`ChangeNow`].
    Change {
        /// `host/owner/name`.
        repository: String,
        /// The change's number.
        number: u64,
    },
    /// How many open changes of a repository wait for each reviewer.
    OpenReviews {
        /// `host/owner/name`.
        repository: String,
    },
    /// One object of a cluster.
    Object(ObjectName),
    /// Objects of a cluster.
    Objects(ObjectFilter),
    /// The log of a container.
    Logs(LogName),
}

impl Question {
    /// Whether the answer holds texts that somebody else wrote: a program's last words may give a secret away.
    const fn reads_others(&self) -> bool {
        match self {
            Self::Delivery | Self::Events { .. } | Self::Object(_) | Self::Objects(_) | Self::Logs(_) => true,
            Self::State { .. }
            | Self::Setting { .. }
            | Self::Owner(_)
            | Self::File { .. }
            | Self::ChangedFiles { .. }
            | Self::Change { .. }
            | Self::OpenReviews { .. } => false,
        }
    }
}

/// What somebody owns, by what is known of it. The first that the catalog knows decides.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct OwnedThing {
    /// The team, where the thing itself says it.
    pub team: Option<String>,
    /// The service.
    pub service: Option<String>,
    /// `host/owner/name`.
    pub repository: Option<String>,
    /// The namespace of a cluster.
    pub namespace: Option<String>,
}

/// Who owns it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Owner {
    /// Name of the team; none if nobody is known to own it.
    pub team: Option<String>,
    /// The team's channel, where the catalog has one.
    pub channel: Option<String>,
    /// The service by its name in the catalog.
    pub service: Option<String>,
    /// `host/owner/name`.
    pub repository: Option<String>,
}

/// An event of the bus, as a bot sees one that it asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Happened {
    /// Its id.
    pub id: EventId,
    /// What kind of thing happened.
    pub kind: Kind,
    /// When.
    pub time: DateTime<Utc>,
    /// The entity it happened to.
    pub subject: String,
    /// Its particulars; the delivery's body where that is the data.
    pub data: Value,
}

/// A change as the forge has it now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChangeNow {
    /// Handle of its author.
    pub author: String,
    /// Whether it is a draft.
    pub draft: bool,
    /// Whether it is open.
    pub open: bool,
    /// The branch it is to go to.
    pub base_branch: String,
    /// Its newest commit.
    pub head_sha: String,
    /// Who is asked to review it now.
    pub requested_reviewers: Vec<String>,
    /// Which teams are asked to review it now, without the organisation.
    pub requested_teams: Vec<String>,
    /// Who has reviewed it already.
    pub reviewers: Vec<String>,
}

/// Names an object of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ObjectName {
    /// The cluster.
    pub cluster: String,
    /// Group and version: `v1`, `apps/v1`.
    pub api: String,
    /// Plural of its kind in lower case: `replicasets`.
    pub resource: String,
    /// None for an object outside all namespaces, such as a node.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

/// Names objects of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ObjectFilter {
    /// The cluster.
    pub cluster: String,
    /// Group and version: `v1`, `apps/v1`.
    pub api: String,
    /// Plural of their kind in lower case: `pods`.
    pub resource: String,
    /// None for all namespaces.
    pub namespace: Option<String>,
    /// Label selector: `app=checkout`.
    pub labels: Option<String>,
    /// Field selector: `involvedObject.uid=…`.
    pub fields: Option<String>,
    /// At most so many.
    pub limit: u32,
}

/// Names the log of a container. Secrets are taken out of it before anybody sees it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LogName {
    /// The cluster.
    pub cluster: String,
    /// The namespace.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// The container.
    pub container: String,
    /// The log of the container's run before the current one.
    pub previous: bool,
    /// So many lines from the end.
    pub lines_max: u32,
    /// So many bytes at most.
    pub bytes_max: u32,
}

/// Why there is no answer: it cannot be had, which is something else than that there is nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{reason}")]
pub struct Unavailable {
    /// In words: `pods/log of payments: forbidden`. Never holds a secret.
    pub reason: String,
    /// It may be there later.
    pub transient: bool,
}

impl Unavailable {
    /// It cannot be had, now or later.
    pub fn for_good(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), transient: false }
    }

    /// It cannot be had now.
    pub fn for_now(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), transient: true }
    }
}

/// An answer, and what it cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// The answer; null where there is nothing of that name.
    pub answer: Result<Value, Unavailable>,
    /// Requests to a tool that it took; 0 for what the program knows itself.
    pub calls: u32,
    /// How long it took.
    pub millis: u32,
}

impl Told {
    /// An answer that cost nothing.
    #[must_use]
    pub const fn free(answer: Result<Value, Unavailable>) -> Self {
        Self { answer, calls: 0, millis: 0 }
    }
}

/// A question with its answer, as it stands in the record of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// The question.
    pub question: Question,
    /// The answer.
    pub told: Told,
}

/// Answers questions: the live world, the record of a run, or a file.
pub trait World {
    /// The answer. May block.
    fn answer(&self, question: &Question) -> Told;
}

/// Handed in again, because the bot asked to be reminded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reminder {
    /// What the bot noted.
    pub note: String,
    /// How often it was reminded of this event, from 1.
    pub round: u32,
}

/// What the lookups of a run cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Requests to tools.
    pub calls: u32,
    /// How long all answers together took.
    pub millis: u32,
}

/// A bot's view of the world for one event. The same question asked twice has the same answer. Secrets are taken out of
/// answers before they are given and recorded.
pub struct Lookups<'a> {
    world: &'a dyn World,
    now: DateTime<Utc>,
    reminder: Option<Reminder>,
    asked: RefCell<Vec<Asked>>,
}

impl std::fmt::Debug for Lookups<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lookups").field("now", &self.now).field("reminder", &self.reminder).finish_non_exhaustive()
    }
}

impl<'a> Lookups<'a> {
    /// Lookups that this world answers, in a run that began at `now`.
    #[must_use]
    pub const fn new(world: &'a dyn World, now: DateTime<Utc>, reminder: Option<Reminder>) -> Self {
        Self { world, now, reminder, asked: RefCell::new(Vec::new()) }
    }

    /// When the run began. A replay says the same.
    #[must_use]
    pub const fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// Set if the event is handed in again because the bot asked to be reminded.
    #[must_use]
    pub const fn reminder(&self) -> Option<&Reminder> {
        self.reminder.as_ref()
    }

    /// What was asked so far, in order: the record of the run.
    #[must_use]
    pub fn into_asked(self) -> Vec<Asked> {
        self.asked.into_inner()
    }

    /// What the answers so far cost.
    #[must_use]
    pub fn cost(&self) -> Cost {
        self.asked.borrow().iter().fold(Cost::default(), |sum, asked| Cost {
            calls: sum.calls.saturating_add(asked.told.calls),
            millis: sum.millis.saturating_add(asked.told.millis),
        })
    }

    /// The body of the delivery that the event was read from.
    ///
    /// # Errors
    /// If it is no JSON.
    pub fn delivery(&self) -> Result<Value, Unavailable> {
        self.ask(Question::Delivery)
    }

    /// A value of the bot's own state; none if there is none under that key.
    #[must_use]
    pub fn state(&self, key: impl Into<String>) -> Option<String> {
        self.read(Question::State { key: key.into() }).ok().flatten()
    }

    /// A setting of the bot from the configuration; none if it is not set, or not of that type.
    #[must_use]
    pub fn setting<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        self.read(Question::Setting { name: name.to_owned() }).ok().flatten()
    }

    /// Who owns something; an [`Owner`] without a team if nobody is known to.
    #[must_use]
    pub fn owner(&self, thing: OwnedThing) -> Owner {
        self.read(Question::Owner(thing)).unwrap_or_default()
    }

    /// Events of the bus in `[since, before)` that a query in the explorer's language finds, newest first.
    ///
    /// # Errors
    /// If the query cannot be read or the streams fail.
    pub fn events(
        &self,
        query: impl Into<String>,
        [since, before]: [DateTime<Utc>; 2],
        limit: usize,
    ) -> Result<Vec<Happened>, Unavailable> {
        self.read(Question::Events { query: query.into(), before, since, limit })
    }

    /// A file of a repository; none if there is no such file.
    ///
    /// # Errors
    /// If the forge cannot be asked.
    pub fn file(&self, repository: &str, path: &str, at: Option<&str>) -> Result<Option<String>, Unavailable> {
        let (repository, path) = (repository.to_owned(), path.to_owned());
        self.read(Question::File { repository, path, at: at.map(str::to_owned) })
    }

    /// The paths that a change touches.
    ///
    /// # Errors
    /// If the forge cannot be asked.
    pub fn changed_files(&self, repository: &str, number: u64) -> Result<Vec<String>, Unavailable> {
        self.read(Question::ChangedFiles { repository: repository.to_owned(), number })
    }

    /// A change as the forge has it now; none if there is no such change.
    ///
    /// # Errors
    /// If the forge cannot be asked.
    pub fn change(&self, repository: &str, number: u64) -> Result<Option<ChangeNow>, Unavailable> {
        self.read(Question::Change { repository: repository.to_owned(), number })
    }

    /// How many open changes of a repository wait for each reviewer, by handle.
    ///
    /// # Errors
    /// If the forge cannot be asked.
    pub fn open_reviews(&self, repository: &str) -> Result<BTreeMap<String, u32>, Unavailable> {
        self.read(Question::OpenReviews { repository: repository.to_owned() })
    }

    /// One object of a cluster as the server has it; none if there is no such object.
    ///
    /// # Errors
    /// If the cluster cannot be asked.
    pub fn object(&self, name: ObjectName) -> Result<Option<Value>, Unavailable> {
        self.read(Question::Object(name))
    }

    /// Objects of a cluster as the server has them.
    ///
    /// # Errors
    /// If the cluster cannot be asked.
    pub fn objects(&self, filter: ObjectFilter) -> Result<Vec<Value>, Unavailable> {
        self.read(Question::Objects(filter))
    }

    /// The log of a container, without secrets; none if the cluster no longer has it.
    ///
    /// # Errors
    /// If the cluster cannot be asked.
    pub fn logs(&self, name: LogName) -> Result<Option<String>, Unavailable> {
        self.read(Question::Logs(name))
    }

    fn read<T: DeserializeOwned>(&self, question: Question) -> Result<T, Unavailable> {
        let answer = self.ask(question)?;
        serde_json::from_value(answer)
            .map_err(|error| Unavailable::for_good(format!("the answer is not of the expected shape: {error}")))
    }

    fn ask(&self, question: Question) -> Result<Value, Unavailable> {
        let known = self.asked.borrow().iter().find(|asked| asked.question == question).map(|a| a.told.answer.clone());
        if let Some(answer) = known {
            return answer;
        }
        let mut told = self.world.answer(&question);
        if question.reads_others()
            && let Ok(answer) = &mut told.answer
        {
            secrets::redact_all(answer);
        }
        let answer = told.answer.clone();
        self.asked.borrow_mut().push(Asked { question, told });
        answer
    }
}

/// A world of answers given beforehand: the record of a run, or a test.
#[derive(Debug, Clone, Default)]
pub struct Given(pub Vec<Asked>);

impl World for Given {
    fn answer(&self, question: &Question) -> Told {
        match self.0.iter().find(|asked| asked.question == *question) {
            Some(asked) => asked.told.clone(),
            None => Told::free(Err(Unavailable::for_good("not recorded with the original run"))),
        }
    }
}
