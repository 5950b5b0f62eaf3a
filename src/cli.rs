//! The command line, as clap sees it. What each command does is in `commands/`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::app::roles::Role;

pub(crate) use subscriptions::{Create, Listen, Replay, Subscriptions, Update, Which};

mod subscriptions;

/// Collects what happens in every tool of an engineering organisation and computes delivery metrics from it.
#[derive(Debug, Parser)]
#[command(name = "devhose", version, propagate_version = true, disable_help_subcommand = true, max_term_width = 110)]
#[command(after_help = "Examples:
  devhose demo                               look around with made-up data
  devhose import git .                       read this repository's history
  devhose serve                              take webhooks and show pages
  devhose metrics get successful-deployments --range 12w

Exit codes: devhose help exit-codes")]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags of every command.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Configuration file; without it ./devhose.toml if it is there
    #[arg(long, global = true, env = "DEVHOSE_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Directory that holds the data, instead of the configured one
    #[arg(long, global = true, value_name = "DIRECTORY")]
    pub(crate) data: Option<PathBuf>,
    /// A running server to ask, instead of the one on this machine or the data directory
    #[arg(long, global = true, env = "DEVHOSE_URL", value_name = "URL")]
    pub(crate) server: Option<String>,
    /// Print one JSON document, or JSON lines for streams
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print data only
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// When to use colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: When,
    /// How progress is shown
    #[arg(long, global = true, value_name = "HOW", default_value = "auto")]
    pub(crate) progress: Progress,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Progress {
    /// A bar at a terminal, else a line now and then
    Auto,
    /// A line now and then
    Plain,
    /// JSON lines
    Json,
    /// Nothing
    None,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run everything: webhooks, pages, projections
    Serve(Serve),
    /// Serve an invented organisation on 127.0.0.1
    Demo(Demo),
    /// Write a commented configuration file
    Init(Init),
    /// Check configuration, disk, clock, ports and data; each line ok, warn or fail, with the remedy
    Doctor,
    /// Read what happened before anybody listened
    #[command(subcommand)]
    Import(Import),
    /// Send a file to the server as a sender would, signed
    Send(Send),
    /// Look at events
    #[command(subcommand)]
    Events(Events),
    /// Look at metrics
    #[command(subcommand)]
    Metrics(Metrics),
    /// Compute events and facts anew from the deliveries
    Rebuild(Rebuild),
    /// Recompute the hash chains of the log
    Verify,
    /// Copy everything to another storage, with its offsets and hashes, and verify the copy
    Migrate(Migrate),
    /// Remove the oldest deliveries and events: shows the plan, and does it with --yes
    Trim(Trim),
    /// Look at sources
    #[command(subcommand)]
    Sources(Sources),
    /// Look at bots, try them, have given-up work tried again
    #[command(subcommand)]
    Bots(Bots),
    /// Who hears which events, by which way, and what became of each delivery
    #[command(subcommand)]
    Subscriptions(Subscriptions),
    /// Hand events on to a program on this machine, as they come
    Listen(Listen),
    /// Deliver events of the past again: shows the plan, and does it with --yes
    Replay(Replay),
    /// Print a completion script
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
    /// Print help, also on `exit-codes` and `configuration`
    Help {
        /// A command, `exit-codes` or `configuration`
        topic: Vec<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Do only this part of the work, which can be given several times; without it everything
    #[arg(long = "role", value_name = "ROLE", value_enum, value_delimiter = ',')]
    pub(crate) roles: Vec<Role>,
    /// Address to listen at, instead of the configured one
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Option<std::net::SocketAddr>,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:
  devhose migrate --to server.toml    from the data directory to the PostgreSQL that server.toml names

Stop every process on either storage first.")]
pub(crate) struct Migrate {
    /// Configuration of the storage to copy to, which must be empty
    #[arg(long, value_name = "FILE")]
    pub(crate) to: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Trim {
    /// Records from before then: `400d`, a date, or RFC 3339
    #[arg(long, value_name = "TIME")]
    pub(crate) older_than: String,
    /// Do it
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Port to listen at on 127.0.0.1; 0 for any
    #[arg(long, default_value_t = 7070)]
    pub(crate) port: u16,
    /// Same number, same organisation
    #[arg(long, default_value_t = 7)]
    pub(crate) seed: u64,
    /// How much happens: 1 is about 3,000 merged changes a year
    #[arg(long, default_value_t = 0.7, value_name = "FACTOR")]
    pub(crate) scale: f64,
    /// Do not open a browser
    #[arg(long)]
    pub(crate) no_open: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// Where to write it
    #[arg(default_value = "devhose.toml")]
    pub(crate) file: PathBuf,
    /// Print it instead
    #[arg(long)]
    pub(crate) print: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Import {
    /// Read a git repository's history
    #[command(after_help = "Examples:
  devhose import git .
  devhose import git ~/src/shop --tag-pattern '^release-\\d+$'
  devhose import git ~/src/monorepo --tag-pattern '^(?<service>[^/]+)/v\\d+\\.\\d+\\.\\d+$'

It can be stopped and started again at any time: what is there already is not stored twice.")]
    Git(ImportGit),
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ImportGit {
    /// The repository, bare or with a work tree
    pub(crate) path: PathBuf,
    /// Name of the source, after `git/`; without it the name of the directory
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// The branch whose first-parent line is read; without it the remote's default branch
    #[arg(long)]
    pub(crate) branch: Option<String>,
    /// Which tags are production deployments; a group named `service` picks the service
    #[arg(long, value_name = "REGEX")]
    pub(crate) tag_pattern: Option<String>,
    /// Count what would be read, store nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  devhose send push.json --as github:push
  devhose send event.json --as cloudevents:structured --source cloudevents/ops")]
pub(crate) struct Send {
    /// The body, exactly as it is to be sent; `-` for standard input
    pub(crate) file: PathBuf,
    /// Sender and event, such as `github:pull_request`
    #[arg(long = "as", value_name = "SENDER:EVENT")]
    pub(crate) sent_as: String,
    /// The source to send to; without it the only one of that sender
    #[arg(long)]
    pub(crate) source: Option<String>,
    /// Delivery id; without it a fresh one
    #[arg(long)]
    pub(crate) id: Option<String>,
    /// Secret to sign with, for a server that is not configured here
    #[arg(long, env = "DEVHOSE_SECRET", hide_env_values = true)]
    pub(crate) secret: Option<String>,
    /// Show the request, send nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Events {
    /// Events of a query, newest first
    #[command(after_help = "Examples:
  devhose events list 'type:service.* outcome:failed since:7d'
  devhose events list 'repo:github.com/acme/shop' --limit 5 --json")]
    List {
        /// Query, such as `type:change.merged since:2h`
        query: Vec<String>,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// One event, as a CloudEvent
    Get {
        /// Its id
        id: String,
    },
    /// Events as they come
    #[command(after_help = "Examples:
  devhose events tail 'type:service.*'
  devhose events tail 'type:change.merged' --count 1 --timeout 60    exits 0 when one came, 7 when none did")]
    Tail {
        /// Query
        query: Vec<String>,
        /// Begin with events since then: `2h`, a date, or RFC 3339
        #[arg(long)]
        since: Option<String>,
        /// Stop after so many
        #[arg(long)]
        count: Option<u64>,
        /// Stop after so many seconds
        #[arg(long, value_name = "SECONDS")]
        timeout: Option<u64>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Metrics {
    /// The metrics there are
    List,
    /// The figures of a metric
    #[command(after_help = "Examples:
  devhose metrics get successful-deployments
  devhose metrics get lead-time --team payments --range 26w --json")]
    Get(Ask),
    /// What a metric counts, and what it left out here and why
    Explain(Ask),
}

/// What a metric is asked; the same names as in URLs.
#[derive(Debug, Args)]
pub(crate) struct Ask {
    /// Name of the metric
    pub(crate) metric: String,
    /// For a team
    #[arg(long, group = "scope")]
    pub(crate) team: Option<String>,
    /// For a service
    #[arg(long, group = "scope")]
    pub(crate) service: Option<String>,
    /// For a repository, `host/owner/name`
    #[arg(long, group = "scope")]
    pub(crate) repo: Option<String>,
    /// Tier of environment
    #[arg(long)]
    pub(crate) env: Option<String>,
    /// First day
    #[arg(long, value_name = "DATE")]
    pub(crate) from: Option<String>,
    /// The day after the last
    #[arg(long, value_name = "DATE")]
    pub(crate) to: Option<String>,
    /// The latest so many complete buckets and the current one: `52w`, `12m`, `30d`
    #[arg(long, conflicts_with_all = ["from", "to"])]
    pub(crate) range: Option<String>,
    /// `day`, `week` or `month`
    #[arg(long)]
    pub(crate) grain: Option<String>,
    /// IANA time zone
    #[arg(long)]
    pub(crate) tz: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Rebuild {
    /// Say what would change, change nothing
    #[arg(long, conflicts_with = "verify")]
    pub(crate) plan: bool,
    /// Compare with the live facts bit for bit, change nothing; exits 9 if they differ
    #[arg(long)]
    pub(crate) verify: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Sources {
    /// Where events come from, and how each source stands
    List,
    /// Deliveries that could not be interpreted
    Quarantine,
    /// Try quarantined deliveries again
    Retry {
        /// Offset of the delivery; without it all
        offset: Option<i64>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Bots {
    /// How every bot stands, those that need a look first
    List,
    /// One bot with its last runs
    Show {
        /// Its name
        bot: String,
    },
    /// What a bot would make of an event; nothing is recorded or performed
    #[command(after_help = "Examples:
  kubectl get pod checkout-7c9 -o yaml | devhose bots test killed-pods --event -
  devhose bots test killed-pods --event incident.json --json
  devhose bots test killed-pods --event 6f1a5c0e-…            an event of the log, with lookups as they are now

A file needs no server, no network and no data: what it does not hold, the bot is told it cannot have. It is JSON or
YAML, and one of: a Kubernetes object, a watch event, a `kind: List` of a pod and what is around it, a CloudEvent, or
{\"delivery\": {\"source\", \"headers\", \"body\"}, \"answers\": {\"logs\", \"files\", \"objects\", \"events\", \"owner\", …}}.")]
    Test {
        /// Its name
        bot: String,
        /// An event's id, or a file; `-` for standard input
        #[arg(long, value_name = "ID|FILE")]
        event: String,
    },
    /// What a bot makes of the events of some time, with the answers that it had then where they are recorded
    Replay {
        /// Its name
        bot: String,
        /// From when on: `7d`, a date, or RFC 3339
        #[arg(long, default_value = "7d")]
        since: String,
        /// Until when; without it now
        #[arg(long)]
        before: Option<String>,
    },
    /// What was given up
    DeadLetters {
        /// Of which bot; without it of all
        bot: Option<String>,
    },
    /// Have what was given up tried again: shows the plan, and does it with --yes
    Redrive {
        /// Its name
        bot: String,
        /// Only that run
        #[arg(long, value_name = "RUN")]
        run: Option<i64>,
        /// Do it
        #[arg(long)]
        yes: bool,
    },
    /// Hand a bot no more events, and perform none of its actions
    Pause {
        /// Its name
        bot: String,
    },
    /// Let a paused bot go on where it was
    Resume {
        /// Its name
        bot: String,
    },
}
