//! What the pages are given: Ledger's answers, the streams, the clock, and the words for the first steps.

use std::fmt;
use std::sync::Arc;

use bots::runtime::Bots;
use bus::streams::Streams;
use bus::subscriptions::Subscriptions;
use chrono::{DateTime, Utc};
use ingest::hooks::Hooks;
use ledger::ledger::Ledger;
use tokio::sync::{Mutex, watch};

use crate::answers::Answers;
use crate::happenings::Happenings;

/// Everything the web half needs.
#[derive(Clone)]
pub struct App {
    /// For pages of metrics.
    pub site: Site,
    /// For pages of events.
    pub streams: Streams,
    /// For rebuilding.
    pub ledger: Arc<Ledger>,
    /// Held while a rebuild is under way: one at a time.
    pub rebuilding: Arc<Mutex<()>>,
    /// For the page of sources.
    pub hooks: Hooks,
    /// For the pages of bots.
    pub bots: Bots,
    /// For the pages of subscriptions.
    pub subscriptions: Subscriptions,
    /// For the page of sources: how each watch stands.
    pub watches: Watches,
    /// Turns true when the program stops: live streams then end.
    pub stop: watch::Receiver<bool>,
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("site", &self.site).field("bots", &self.bots).finish_non_exhaustive()
    }
}

/// Tells how everything that is watched stands now.
pub type Watches = Arc<dyn Fn() -> Vec<Watched> + Send + Sync>;

/// Something that is watched rather than listened to: one resource of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Watched {
    /// What it belongs to: the cluster.
    pub name: String,
    /// Which part of it: `pods`.
    pub resource: String,
    /// In words, with the reason where it is not well: `watching`, `backing off: connection refused`.
    pub state: String,
    /// False if somebody has to look.
    pub well: bool,
    /// Since when it stands so.
    pub since: Option<DateTime<Utc>>,
    /// When something last changed there.
    pub last_change: Option<DateTime<Utc>>,
    /// How many objects there are.
    pub objects: Option<u64>,
    /// How often everything had to be listed again.
    pub relists: u64,
    /// What to do, where something is to be done.
    pub remedy: Option<String>,
}

/// What a page of metrics is served from.
#[derive(Clone)]
pub(crate) struct Served {
    pub(crate) site: Site,
    pub(crate) happenings: Arc<dyn Happenings>,
}

/// What pages of metrics need.
#[derive(Clone)]
pub struct Site {
    /// Gives the current view of Ledger.
    pub ledger: Arc<dyn Fn() -> Arc<dyn Answers> + Send + Sync>,
    /// Gives the time.
    pub clock: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    /// What the first page says while there is no data.
    pub first_steps: Arc<FirstSteps>,
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site").field("first_steps", &self.first_steps).finish_non_exhaustive()
    }
}

/// Lines to copy from the first page, each ready to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstSteps {
    /// Imports the history of a git repository.
    pub import_line: String,
    /// Sends one event.
    pub send_line: String,
    /// Starts the program with generated data.
    pub demo_line: String,
}

impl FirstSteps {
    /// The lines for a program that listens at `base`, such as `http://127.0.0.1:4000`, and takes CloudEvents at the
    /// source `source`.
    #[must_use]
    pub fn at(base: &str, source: &str) -> Self {
        let event =
            r#"{"specversion":"1.0","id":"first","source":"/first-steps","type":"com.example.hello","data":{}}"#;
        Self {
            import_line: "devhose import git PATH-TO-A-CLONE".to_owned(),
            send_line: format!(
                "curl -fsS {base}/hooks/{source} -H 'authorization: Bearer SECRET' -H 'content-type: application/cloudevents+json' -d '{event}'"
            ),
            demo_line: "devhose demo".to_owned(),
        }
    }
}
