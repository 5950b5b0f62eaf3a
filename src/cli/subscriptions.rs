//! Commands of subscriptions, and those that hand events on: `subscriptions`, `listen`, `replay`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Which events.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Which {
    /// Kinds of events, such as `service.*`; any of them
    #[arg(long = "kind", value_name = "PATTERN")]
    pub(crate) kinds: Vec<String>,
    /// Query, such as `outcome:failed`
    #[arg(long, value_name = "QUERY")]
    pub(crate) query: Option<String>,
    /// Filter of CloudEvents Subscriptions as JSON, or @FILE
    #[arg(long, value_name = "JSON|@FILE")]
    pub(crate) filter: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Subscriptions {
    /// How every subscription stands, those that need a look first
    List,
    /// One subscription
    Show {
        /// Its name
        name: String,
    },
    /// Make a subscription; the secret of a webhook is printed once
    #[command(after_help = "Examples:
  devhose subscriptions create deploys --webhook https://hooks.example.com/devhose --kind 'service.*'
  devhose subscriptions create audit --pull --from earliest
  devhose subscriptions create failures --sse --query outcome:failed
  devhose subscriptions create shop --pull --filter '[{\"prefix\": {\"source\": \"//github.com/acme/\"}}]'")]
    Create(Create),
    /// Change a subscription; what is not named stays
    Update(Update),
    /// Delete a subscription with all that waits for it
    Delete {
        /// Its name
        name: String,
        /// Do it
        #[arg(long)]
        yes: bool,
    },
    /// Deliver nothing until it is resumed; events wait in the log
    Pause {
        /// Its name
        name: String,
    },
    /// Let a paused or disabled subscription go on where it was
    Resume {
        /// Its name
        name: String,
    },
    /// Make a new secret; both sign for a day, so that the receiver can change over
    RotateSecret {
        /// Its name
        name: String,
    },
    /// Send one made-up event to the endpoint of a webhook, signed, and show what it answers
    Test {
        /// Its name
        name: String,
    },
    /// The delivery log, newest first
    Attempts {
        /// Its name
        name: String,
        /// Only before that attempt
        #[arg(long, value_name = "ATTEMPT")]
        before: Option<i64>,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// One attempt: the request's headers, the answer, how long each part took
    Attempt {
        /// Its name
        name: String,
        /// Number of the attempt
        attempt: i64,
    },
    /// Events that were given up after the last attempt
    DeadLetters {
        /// Its name
        name: String,
    },
    /// Have dead letters delivered again: shows the plan, and does it with --yes
    Redrive {
        /// Its name
        name: String,
        /// Only these, by their numbers
        #[arg(long = "letter", value_name = "LETTER")]
        letters: Vec<i64>,
        /// Do it
        #[arg(long)]
        yes: bool,
    },
    /// Which of the newest events a filter would let through
    #[command(after_help = "Examples:
  devhose subscriptions dry-run --kind 'service.*' --last 1000
  devhose subscriptions dry-run --filter @filter.json --json")]
    DryRun {
        #[command(flatten)]
        which: Which,
        /// Look at so many
        #[arg(long, default_value_t = 1_000)]
        last: usize,
    },
}

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("transport").required(true).args(["webhook", "pull", "sse", "websocket"])))]
pub(crate) struct Create {
    /// Its name: lower-case letters, digits and . _ -
    pub(crate) name: String,
    /// Signed webhooks to this address
    #[arg(long, value_name = "URL")]
    pub(crate) webhook: Option<String>,
    /// Consumers ask for events and acknowledge them
    #[arg(long)]
    pub(crate) pull: bool,
    /// Server-sent events
    #[arg(long)]
    pub(crate) sse: bool,
    /// A WebSocket
    #[arg(long)]
    pub(crate) websocket: bool,
    #[command(flatten)]
    pub(crate) which: Which,
    /// From where on: `latest`, `earliest`, an offset, `2h`, a date, or RFC 3339
    #[arg(long, default_value = "latest", value_name = "PLACE")]
    pub(crate) from: String,
    /// Requests in flight at once, for a webhook
    #[arg(long, requires = "webhook")]
    pub(crate) concurrency: Option<u16>,
    /// Which signatures a webhook carries: `v1` (a shared secret), `v1a` (a public key) or `both`
    #[arg(long, requires = "webhook", value_name = "KIND")]
    pub(crate) signatures: Option<String>,
    /// Deliver in any order, not one event of a key after the other
    #[arg(long)]
    pub(crate) unordered: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Update {
    /// Its name
    pub(crate) name: String,
    /// Send webhooks there
    #[arg(long, value_name = "URL")]
    pub(crate) webhook: Option<String>,
    #[command(flatten)]
    pub(crate) which: Which,
    /// Requests in flight at once, for a webhook
    #[arg(long)]
    pub(crate) concurrency: Option<u16>,
}

/// Hand events on to a program on this machine, as they come
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  devhose listen 3000 --kind 'service.*'
  devhose listen 3000 --path /hook --query 'outcome:failed' --since 2h
  devhose listen 3000 --name checkout          goes on after a restart where it was
  devhose listen 3000 --count 1 --timeout 60   exits 0 when one came, 7 when none did

Each event is a POST of a structured CloudEvent to http://127.0.0.1:PORT. A line says what it was answered.")]
pub(crate) struct Listen {
    /// Port of the program
    pub(crate) port: u16,
    /// Path that it listens at
    #[arg(long, default_value = "/")]
    pub(crate) path: String,
    #[command(flatten)]
    pub(crate) which: Which,
    /// Begin with events since then: `2h`, a date, RFC 3339, `earliest` or an offset
    #[arg(long, value_name = "PLACE")]
    pub(crate) since: Option<String>,
    /// Keep the place in a file of that name in the data directory, and go on there
    #[arg(long, conflicts_with = "resume")]
    pub(crate) name: Option<String>,
    /// Keep the place in this file, and go on there
    #[arg(long, value_name = "FILE")]
    pub(crate) resume: Option<PathBuf>,
    /// Sign as webhooks are signed, with this secret (`whsec_…`)
    #[arg(long, env = "DEVHOSE_WEBHOOK_SECRET", hide_env_values = true)]
    pub(crate) secret: Option<String>,
    /// Stop after so many
    #[arg(long)]
    pub(crate) count: Option<u64>,
    /// Stop after so many seconds
    #[arg(long, value_name = "SECONDS")]
    pub(crate) timeout: Option<u64>,
}

/// Deliver events of the past again: shows the plan, and does it with --yes
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  devhose replay --since 2h --kind 'service.*' --to deploys
  devhose replay --since 2026-11-18 --before 2026-11-19 --to http://127.0.0.1:3000/hook --yes

To a subscription: its events are queued again, marked as replays, and delivered as it is. To an address: this command
sends them itself, one after the other; an address elsewhere needs a secret to sign with.")]
pub(crate) struct Replay {
    /// From when on: `2h`, a date, or RFC 3339
    #[arg(long, value_name = "TIME")]
    pub(crate) since: String,
    /// Until when; without it now
    #[arg(long, value_name = "TIME")]
    pub(crate) before: Option<String>,
    #[command(flatten)]
    pub(crate) which: Which,
    /// A subscription, or an address
    #[arg(long, value_name = "SUBSCRIPTION|URL")]
    pub(crate) to: String,
    /// To an address: so many a second at most
    #[arg(long, default_value_t = 10.0, value_name = "PER-SECOND")]
    pub(crate) rate: f64,
    /// Sign as webhooks are signed, with this secret (`whsec_…`)
    #[arg(long, env = "DEVHOSE_WEBHOOK_SECRET", hide_env_values = true)]
    pub(crate) secret: Option<String>,
    /// Do it
    #[arg(long)]
    pub(crate) yes: bool,
}
