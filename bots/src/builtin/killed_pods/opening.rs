//! A failure that was not seen before: everything is asked, put down, and told.

use super::cause::Verdict;
use super::changes::changes;
use super::collect::{Collected, for_report};
use super::hourly::{Room, room};
use super::incident::{CaseFile, Incident, Stage};
use super::message::{post, reply};
use super::ownership::{Ownership, ownership};
use super::reminder::{Note, watch_after};
use super::report::Report;
use super::storm::{Company, SETTLE};
use super::subject::Subject;
use super::words::moment;
use crate::action::{Action, Audience};
use crate::contract::Decision;
use crate::lookups::Lookups;
use crate::message::Span;

/// A failure that was not seen before.
#[derive(Debug, Clone)]
pub(super) struct New<'a> {
    /// What died.
    pub(super) subject: &'a Subject,
    /// Why.
    pub(super) verdict: &'a Verdict,
    /// What the pod alone says of the cause.
    pub(super) signature: String,
    /// Who else died on its node.
    pub(super) company: &'a Company,
}

/// Opens an incident, and tells of it unless its node may be to blame.
pub(super) fn open(new: &New<'_>, mut collected: Collected, mut file: CaseFile, lookups: &Lookups<'_>) -> Decision {
    let New { subject, verdict, company, .. } = *new;
    for_report(subject, lookups, &mut collected);
    collected.gaps.extend(company.gap.clone());
    let whose = ownership(subject, lookups);
    let changes = changes(subject, &whose, &collected, lookups);
    let report = Report {
        subject,
        verdict,
        collected: &collected,
        whose: &whose,
        changes: &changes,
        neighbours: &company.neighbours,
        cost: lookups.cost(),
    };
    let mut incident = incident(&report, new.signature.clone(), lookups);
    incident.why.extend(seen_before(&file, &incident));
    let number = file.add(incident);
    if company.may_be_storm(verdict.cause, subject) {
        let actions = vec![file.save(), Note::Settle(number).after(SETTLE)];
        return Decision::act(actions, "it waits a moment to see whether its node is in trouble");
    }
    tell(file, number, Vec::new(), lookups)
}

/// Tells of an incident for the first time, in a message of its own or in the hour's digest.
pub(super) fn tell(mut file: CaseFile, number: u64, mut actions: Vec<Action>, lookups: &Lookups<'_>) -> Decision {
    let Some(incident) = file.numbered(number) else { return Decision::nothing("the incident is over") };
    let because = incident.heading.clone();
    match room(&incident.team, &incident.audience, &incident.heading, lookups) {
        Room::Own(save) => {
            incident.stage = Stage::Posted;
            let detail = incident.detail.take();
            let incident = incident.clone();
            actions.push(post(&file, &incident, lookups.now()));
            actions.extend(detail.map(|detail| reply(&file, &incident, detail)));
            actions.push(save);
        }
        Room::InDigest(digest) => {
            incident.stage = Stage::InDigest;
            actions.extend(digest);
        }
    }
    actions.extend([file.save(), Note::Watch(number).after(watch_after(lookups))]);
    Decision::act(actions, because)
}

/// What is remembered of a failure that is seen first.
fn incident(report: &Report<'_>, signature: String, lookups: &Lookups<'_>) -> Incident {
    let subject = report.subject;
    let mut incident = Incident {
        number: 0,
        cause: report.verdict.cause.name().to_owned(),
        signature,
        digest: subject.digest.clone(),
        node: None,
        first: subject.at,
        last: subject.at,
        kills: 0,
        runs: Vec::new(),
        pods: Vec::new(),
        looping: false,
        stage: Stage::Settling,
        acknowledged: None,
        snoozed: None,
        audience: report.whose.audience.clone(),
        team: team(report.whose),
        heading: report.heading(),
        why: report.sentence(),
        below: report.below(),
        detail: Some(report.detail()),
        report: super::report_address(subject.event, lookups),
    };
    incident.count(subject);
    incident
}

/// Whose messages of an hour it counts among.
fn team(whose: &Ownership) -> String {
    whose.team.clone().unwrap_or_else(|| match &whose.audience {
        Audience::Channel(name) | Audience::Team(name) => name.clone(),
    })
}

/// That the same failure was there before.
fn seen_before(file: &CaseFile, incident: &Incident) -> Option<Span> {
    let earlier = file.earlier(&incident.cause)?;
    let since = moment(earlier.first);
    let text = if earlier.digest != incident.digest {
        format!(" The same failure as since {since}, now with another image.")
    } else if let Stage::Resolved { at, .. } = earlier.stage {
        format!(" It is back: the same failure began {since} and was over at {}.", moment(at))
    } else {
        return None;
    };
    Some(Span::plain(text))
}
