//! Containers that ended by themselves: well, by a signal, or with a code of their own.

use super::container::{Container, End, Role};
use super::deletion::span;
use super::facts::Facts;
use super::json::quote;
use super::node::is_forgotten;
use super::{Cause, Confidence, Verdict, codes};

/// One that ends well after so long is a program that ends now and then, rather than one that should not end at all.
const LOOP_UPTIME_SECONDS: i64 = 600;

/// It ended well: what a job does, and what a service must not.
pub(super) fn completed(facts: &Facts<'_>) -> Option<Verdict> {
    let container = facts.container?;
    let end = container.end.filter(|end| end.exit_code() == Some(0))?;
    let is_again = container.restarts() > 0
        || container.waiting() == Some("CrashLoopBackOff")
        || facts.events("BackOff").any(|event| event.message.contains("restarting failed container"));
    let restarts = format!("restartCount = {}", container.restarts());
    if !container.is_always_restarted(facts.pod) || container.role == Role::Ephemeral {
        let sentence = format!("{} did its work and ended.", facts.subject());
        return Some(Verdict::new(Cause::Completed, Confidence::High, sentence, "Nothing.".to_owned()));
    }
    if !is_again {
        let sentence = format!("{} ended well for the first time; the kubelet starts it again.", facts.subject());
        let verdict = Verdict::new(Cause::Completed, Confidence::Medium, sentence, "Nothing yet.".to_owned());
        return Some(verdict.because([restarts]));
    }
    let is_quick = end.uptime().is_none_or(|uptime| uptime.num_seconds() < LOOP_UPTIME_SECONDS);
    let confidence = if is_quick { Confidence::High } else { Confidence::Medium };
    let sentence = format!(
        "{} ends with code 0{} and is started again and again, because its restart policy is Always.",
        facts.subject(),
        after(end)
    );
    let todo = "If it is to run for ever, see why its main process ends (often it goes into the background); if \
        it is to end, make it a Job.";
    let verdict = Verdict::new(Cause::CompletedLoop, confidence, sentence, todo.to_owned());
    Some(verdict.because([restarts, "restartPolicy = Always".to_owned()]))
}

/// A signal ended it. Not SIGKILL, behind which there is always somebody else.
pub(super) fn signalled(facts: &Facts<'_>) -> Option<Verdict> {
    let (container, end) = ended(facts)?;
    let code = end.exit_code().unwrap_or_default();
    let signal = end.signal().or_else(|| codes::signal(code)).filter(|_| !facts.is_windows())?;
    if signal == 9 || is_forgotten(facts) {
        return None;
    }
    let name = codes::signal_name(signal);
    let hint = own_heap(end);
    let meaning = hint.unwrap_or_else(|| codes::signal_meaning(signal));
    let sentence = format!("{} ended by {name}{}: {meaning}.", facts.subject(), after(end));
    let todo = if signal == 15 {
        format!("Find who sent SIGTERM, a process inside the container or somebody on the node: {}", facts.logs())
    } else {
        format!(
            "Look for a stack trace in its last lines, and whether this began with the last deployment: {}",
            facts.logs()
        )
    };
    let verdict = Verdict::new(Cause::AppSignal, Confidence::High, sentence, todo);
    Some(verdict.because([format!("exit code {code} = {name}")]).because(loops(container)))
}

/// It exited by itself with a code that is not 0.
pub(super) fn exited(facts: &Facts<'_>) -> Option<Verdict> {
    let (container, end) = ended(facts)?;
    let code = end.exit_code().filter(|_| !is_forgotten(facts))?;
    if code == 0 || (!facts.is_windows() && (code == 137 || end.signal() == Some(9))) {
        return None;
    }
    let meaning = if facts.is_windows() { codes::windows_name(code) } else { codes::exit_meaning(code) };
    let meaning = own_heap(end).or(meaning).map_or_else(String::new, |meaning| format!(" ({meaning})"));
    let said = end.complaint().map_or_else(String::new, |said| format!(": {}", quote(said).trim_end_matches('.')));
    let during = facts.deletion().map_or("", |_| " while it was being stopped");
    let sentence = format!("{} exited with code {code}{meaning}{}{during}{said}.", facts.subject(), after(end));
    let todo = match container.role {
        Role::Init => format!("The pod cannot start before this ends well. Read its last lines: {}", facts.logs()),
        Role::Main | Role::Sidecar | Role::Ephemeral => {
            format!("Read its last lines, and see whether this began with the last deployment: {}", facts.logs())
        }
    };
    let status = codes::windows_status(code).filter(|_| facts.is_windows());
    let status = status.map(|status| format!("exit code of Windows {status:#010X}"));
    Some(Verdict::new(Cause::AppExit, Confidence::High, sentence, todo).because(status).because(loops(container)))
}

fn ended<'a>(facts: &Facts<'a>) -> Option<(Container<'a>, End<'a>)> {
    let container = facts.container?;
    Some((container, container.end?))
}

/// ` after 12 s`, where that is known.
fn after(end: End<'_>) -> String {
    end.uptime().map_or_else(String::new, |uptime| format!(" after {}", span(uptime)))
}

fn loops(container: Container<'_>) -> Option<String> {
    (container.restarts() > 0).then(|| format!("restartCount = {}", container.restarts()))
}

/// Runtimes with a heap of their own give up before the container's limit is met.
fn own_heap(end: End<'_>) -> Option<&'static str> {
    let message = end.message()?.to_lowercase();
    let signs = ["heap out of memory", "outofmemoryerror", "memoryerror", "runtime: out of memory", "std::bad_alloc"];
    let is_heap = signs.iter().any(|sign| message.contains(sign));
    is_heap.then_some("its own runtime ran out of heap, which is another limit than the container's")
}
