//! How the program ends: exit codes and failures, the same for every command.

use std::fmt;
use std::process::ExitCode;

use bus::streams::StreamError;

/// Exit codes. `devhose help exit-codes` prints them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Ok = 0,
    Failed = 1,
    Usage = 2,
    NotFound = 3,
    NotAllowed = 4,
    Unreachable = 5,
    Conflict = 6,
    Timeout = 7,
    Partly = 8,
    Problem = 9,
    /// What `sysexits.h` calls a temporary failure.
    Restart = 75,
    Interrupted = 130,
}

impl Exit {
    /// Every code with its meaning, for the help text.
    pub(crate) const ALL: [(Self, &'static str); 12] = [
        (Self::Ok, "ok"),
        (Self::Failed, "failed"),
        (Self::Usage, "wrong usage or configuration"),
        (Self::NotFound, "not found"),
        (Self::NotAllowed, "not allowed, or a token is missing"),
        (Self::Unreachable, "the server cannot be reached"),
        (Self::Conflict, "in conflict with something else, such as another process on the same data"),
        (Self::Timeout, "timed out"),
        (Self::Partly, "partly done; details are in the output"),
        (Self::Problem, "a check found a problem"),
        (Self::Restart, "the storage failed in a way that only a restart mends"),
        (Self::Interrupted, "interrupted"),
    ];

    /// Stable name, for `--json` errors.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::NotFound => "not-found",
            Self::NotAllowed => "not-allowed",
            Self::Unreachable => "unreachable",
            Self::Conflict => "conflict",
            Self::Timeout => "timeout",
            Self::Partly => "partly",
            Self::Problem => "problem",
            Self::Restart => "restart",
            Self::Interrupted => "interrupted",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command did not do what it was asked, with the remedy.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) error: anyhow::Error,
    pub(crate) remedy: Option<String>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, error: impl fmt::Display) -> Self {
        Self { exit, error: anyhow::anyhow!("{error}"), remedy: None }
    }

    /// What to do about it: printed as `try: …`.
    pub(crate) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        let error = error.into();
        let exit = match error.chain().find_map(|cause| cause.downcast_ref()) {
            Some(StreamError::InUse(_)) => Exit::Conflict,
            Some(StreamError::Stopped) => Exit::Restart,
            _ => Exit::Failed,
        };
        Self { exit, error, remedy: None }
    }
}

/// What a command ends with.
pub(crate) type Ended = Result<Exit, Failure>;
