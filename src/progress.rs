//! Progress of long work on standard error: a bar at a terminal, else a line now and then, or JSON lines.

use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use crate::cli::Progress;

/// Without a terminal a line is written this often, and at every tenth part.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Nothing is shown of work that is shorter.
const QUIET_FOR: Duration = Duration::from_millis(500);

/// Shows how far some work is.
pub(crate) struct Meter {
    what: &'static str,
    started: Instant,
    style: Style,
}

enum Style {
    Bar(ProgressBar),
    Lines { json: bool, last: Mutex<(Instant, u64)> },
    None,
}

impl Meter {
    /// A meter for work of `total` parts called `what`, such as `commits`.
    pub(crate) fn new(how: Progress, what: &'static str, total: u64) -> Self {
        let started = Instant::now();
        let lines = |json| Style::Lines { json, last: Mutex::new((started, 0)) };
        let style = match how {
            Progress::None => Style::None,
            Progress::Json => lines(true),
            Progress::Auto if io::stderr().is_terminal() => Style::Bar(bar(what, total)),
            Progress::Auto | Progress::Plain => lines(false),
        };
        Self { what, started, style }
    }

    /// So many of so many parts are done.
    pub(crate) fn at(&self, done: u64, total: u64) {
        match &self.style {
            Style::None => {}
            Style::Bar(bar) => {
                bar.set_length(total);
                bar.set_position(done);
            }
            Style::Lines { json, last } => {
                let mut last = last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                let tenth = (done * 10).checked_div(total).unwrap_or(0);
                let due = last.0.elapsed() >= LINE_EVERY || (tenth > last.1 && self.started.elapsed() >= QUIET_FOR);
                if due {
                    *last = (Instant::now(), tenth);
                    self.line(*json, done, total);
                }
            }
        }
    }

    /// The work is done.
    pub(crate) fn finish(self) -> Duration {
        if let Style::Bar(bar) = &self.style {
            bar.finish_and_clear();
        }
        self.started.elapsed()
    }

    fn line(&self, as_json: bool, done: u64, total: u64) {
        let seconds = self.started.elapsed().as_secs_f64();
        let rate = per_second(done, seconds);
        let left = total.saturating_sub(done).checked_div(rate).unwrap_or(0);
        let text = if as_json {
            json!({"progress": self.what, "done": done, "total": total, "per_second": rate, "seconds_left": left})
                .to_string()
        } else {
            format!("{done} of {total} {} ({rate} per second, about {left} s left)", self.what)
        };
        drop(writeln!(io::stderr().lock(), "{text}"));
    }
}

/// Whole things per second.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a rate for people: counts are far below 2^52 and not negative"
)]
pub(crate) fn per_second(count: u64, seconds: f64) -> u64 {
    if seconds > 0.0 { (count as f64 / seconds) as u64 } else { count }
}

fn bar(what: &'static str, total: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(10));
    let template = format!("{{wide_bar}} {{human_pos}} of {{human_len}} {what}, {{per_sec}}, {{eta}} left");
    match ProgressStyle::with_template(&template) {
        Ok(style) => bar.with_style(style.progress_chars("━╸─")),
        Err(_) => bar,
    }
}
