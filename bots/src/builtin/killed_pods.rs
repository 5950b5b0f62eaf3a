//! Killed pods: says to the owners of a service that one of its pods was killed, why, since when, what changed, and
//! what to do; once for each failure, however often it repeats.
//!
//! * [`cause`]: why, by a closed list. `collect` asks the cluster for what tells, `changes` the bus for what changed.
//! * `report` and `detail` put it into words, `message` into the message of an `incident`.
//! * `storm`: a node that loses many pods at once is one incident. `hourly`: no team is told more than it reads.
//!
//! Settings: `base_url` of this program's pages, `platform_channel` for incidents of nodes, `default_channel` for what
//! nobody is known to own, `resolve_minutes` (10) without a kill before it is over, `team_messages_per_hour` (12).

use bus::data::Data;
use bus::data::runtime::Pod;
use bus::event::Recorded;
use bus::ids::EventId;
use bus::kind::Kind;
use chrono::TimeDelta;

use crate::contract::{Bot, Decision, Manifest};
use crate::lookups::Lookups;
use incident::CaseFile;
use opening::New;
use reminder::Note;
use subject::Subject;

mod answer;
mod bus_events;
pub mod cause;
mod changes;
mod collect;
mod deployed;
mod detail;
mod facts;
mod hourly;
mod incident;
mod json;
mod logs;
mod message;
mod opening;
mod ownership;
pub mod quantity;
mod reminder;
mod repeated;
mod report;
mod revisions;
mod storm;
mod subject;
mod suppressed;
mod words;

#[cfg(test)]
mod tests;

/// A kill that was missed is told if it is found within so long; whoever was away for longer has read it elsewhere.
const OLD_NEWS: TimeDelta = TimeDelta::hours(2);

/// The bot.
#[derive(Debug, Clone, Copy)]
pub struct KilledPods;

impl Bot for KilledPods {
    fn manifest(&self) -> Manifest {
        Manifest {
            // A message and its thread are two actions. Together they stand for the ten minutes in which a person asks
            // for the pod, its log, its events, its node and its last deployment.
            toil_minutes: 5,
            ..Manifest::new(
                "killed-pods",
                "Tells the owners of a service that a pod was killed: why, since when, what changed and what to do.",
                "type:pod.killed type:pod.evicted type:pod.crashlooping type:message.answered",
            )
        }
    }

    fn handle(&self, event: &Recorded, lookups: &Lookups<'_>) -> Decision {
        if let Data::Message(answer) = &event.event.data {
            return answer::answered(event, answer, lookups);
        }
        let Data::Pod(pod) = &event.event.data else { return Decision::nothing("nothing was killed") };
        if is_old_news(&event.event.kind, pod, lookups) {
            return Decision::nothing("it was found too long after it happened to be told now");
        }
        let subject = Subject::read(event, pod, lookups);
        match lookups.reminder() {
            None => killed(&subject, lookups),
            Some(reminder) => reminded(&reminder.note, &subject, lookups),
        }
    }
}

/// A kill that was only found by a list, long after it happened: a cluster that is watched for the first time tells of
/// every pod that was ever restarted. What still fails is told by its next kill, or as a crash loop.
fn is_old_news(kind: &Kind, pod: &Pod, lookups: &Lookups<'_>) -> bool {
    let is_over = *kind == Kind::PodKilled || *kind == Kind::PodEvicted;
    pod.synthetic && is_over && pod.killed_at.is_some_and(|at| lookups.now() - at > OLD_NEWS)
}

/// A kill: one of a failure that is known, or the first of a new one.
fn killed(subject: &Subject, lookups: &Lookups<'_>) -> Decision {
    if let Some(of_node) = storm::absorbing(subject, lookups) {
        return Decision::nothing(of_node);
    }
    let mut file = CaseFile::of(subject, lookups);
    if let Some(incident) = file.knowing(&subject.run) {
        let number = incident.number;
        return repeated::told_again(subject, file, number, lookups);
    }
    let of_pod = collect::verdict_of_pod(subject);
    let signature = incident::signature(&of_pod, subject);
    if incident::is_told_by_pod(&of_pod, subject)
        && let Some(incident) = file.like(&signature, subject)
    {
        let number = incident.number;
        return repeated::once_more(subject, file, number, lookups);
    }
    let company = storm::company(subject, lookups);
    if company.is_storm(of_pod.cause, subject) {
        return storm::begun(subject, &of_pod, &company, lookups);
    }
    let collected = collect::for_verdict(subject, lookups);
    let verdict = collected.verdict(subject);
    if verdict.cause.is_suppressed() {
        return suppressed::counted(&verdict, lookups);
    }
    if let Some(incident) = file.of_cause(&verdict, subject) {
        let number = incident.number;
        return repeated::once_more(subject, file, number, lookups);
    }
    if company.is_storm(verdict.cause, subject) {
        return storm::begun(subject, &verdict, &company, lookups);
    }
    let new = New { subject, verdict: &verdict, signature, company: &company };
    opening::open(&new, collected, file, lookups)
}

/// The bot asked to be reminded of a kill.
fn reminded(note: &str, subject: &Subject, lookups: &Lookups<'_>) -> Decision {
    match Note::read(note) {
        Some(Note::Settle(number)) => reminder::settle(number, subject, lookups),
        Some(Note::Watch(number)) => reminder::watch(number, subject, lookups),
        Some(Note::Forget(number)) => reminder::forget(number, subject, lookups),
        Some(Note::Storm) => {
            let (actions, because) = storm::refresh(subject, lookups);
            Decision::act(actions, because)
        }
        None => Decision::nothing("the note is of another version of this bot"),
    }
}

/// Where the whole report of an event is, if the pages have an address.
fn report_address(event: EventId, lookups: &Lookups<'_>) -> Option<String> {
    let base: String = lookups.setting("base_url")?;
    Some(format!("{}/events/{event}", base.trim_end_matches('/')))
}
