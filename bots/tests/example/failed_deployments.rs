//! Tells the owning team that a deployment failed and what was merged before it, and when it works again.

use std::time::Duration;

use bus::data::Data;
use bus::data::forge::Change;
use bus::event::{Event, Recorded};
use bus::kind::Kind;
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::action::{Action, Audience};
use crate::contract::{Bot, Decision, Manifest};
use crate::lookups::{Lookups, OwnedThing, Unavailable};
use crate::message::{Block, Message, Span};

/// After this long without a deployment that works, the team hears of it again.
const REMIND_AFTER: Duration = Duration::from_secs(30 * 60);

/// What was merged longer ago has been deployed before.
const MERGED_WITHIN: TimeDelta = TimeDelta::hours(24);

/// More changes than these nobody reads.
const CHANGES_MAX: usize = 5;

/// A service that does not work: what the bot keeps from one event to the next.
#[derive(Serialize, Deserialize)]
struct Failing {
    /// The group of the message about it: another one for each row of failures.
    group: String,
    failures: u32,
}

/// The bot.
#[derive(Debug, Clone, Copy)]
pub struct FailedDeployments;

impl Bot for FailedDeployments {
    fn manifest(&self) -> Manifest {
        Manifest {
            toil_minutes: 3,
            ..Manifest::new(
                "failed-deployments",
                "Tells the owning team that a deployment failed, and when it works again.",
                "type:deployment.failed type:service.deployed type:service.upgraded",
            )
        }
    }

    fn handle(&self, event: &Recorded, lookups: &Lookups<'_>) -> Decision {
        decide(&event.event, lookups).unwrap_or_else(Decision::without)
    }
}

fn decide(event: &Event, lookups: &Lookups<'_>) -> Result<Decision, Unavailable> {
    let Data::Deployment(deployment) = &event.data else {
        return Ok(Decision::nothing("this is about no deployment"));
    };
    let (service, repository) = (deployment.service.clone(), deployment.repository.clone());
    let owner = lookups.owner(OwnedThing { service, repository, ..OwnedThing::default() });
    let (Some(team), Some(service)) = (owner.team, owner.service) else {
        return Ok(Decision::nothing("nobody is known to own it"));
    };
    let what = format!("{service} in {}", deployment.environment.as_deref().unwrap_or("an environment"));
    let key = format!("failing/{what}");
    let failing: Option<Failing> = lookups.state(&key).and_then(|text| serde_json::from_str(&text).ok());
    let audience = Audience::Team(team);

    if event.kind == Kind::DeploymentFailed && lookups.reminder().is_none() {
        let first = failing.is_none();
        let mut failing = failing.unwrap_or_else(|| Failing { group: event.id.to_string(), failures: 0 });
        failing.failures += 1;
        let message = failure(event, format!("{what}: deployment failed, {} in a row", failing.failures), lookups)?;
        let value = serde_json::to_string(&failing).ok();
        let post = Action::PostMessage { audience, message, group: Some(failing.group), in_thread_of: None };
        let mut actions = vec![post, Action::SaveState { key, value }];
        if first {
            actions.push(Action::Remind { after: REMIND_AFTER, note: String::new() });
        }
        return Ok(Decision::act(actions, format!("failure {} in a row", failing.failures)));
    }
    let Some(failing) = failing else { return Ok(Decision::nothing("it works")) };
    if event.kind == Kind::DeploymentFailed {
        let message = Message::line(format!("{what} still does not work"));
        let reply = Action::PostMessage { audience, message, group: None, in_thread_of: Some(failing.group) };
        return Ok(Decision::act(vec![reply], "nothing that works was deployed since"));
    }
    let message = Message::line(format!("{what} works again"));
    let replace = Action::PostMessage { audience, message, group: Some(failing.group), in_thread_of: None };
    Ok(Decision::act(vec![replace, Action::SaveState { key, value: None }], "it works again"))
}

/// The message about a failure: what failed, and what was merged before it.
fn failure(event: &Event, summary: String, lookups: &Lookups<'_>) -> Result<Message, Unavailable> {
    let mut blocks = vec![Block::Heading(summary.clone())];
    let merged = merged_before(event, lookups)?;
    if !merged.is_empty() {
        blocks.extend([Block::Text(vec![Span::bold("Merged in the day before")]), Block::List(merged)]);
    }
    Ok(Message { summary, blocks })
}

/// The changes merged lately in the repository of a deployment, a line each.
fn merged_before(event: &Event, lookups: &Lookups<'_>) -> Result<Vec<Vec<Span>>, Unavailable> {
    let Some(repository) = event.data.repository() else { return Ok(Vec::new()) };
    let query = format!("type:change.merged repo:{repository}");
    let merged = lookups.events(query, [event.time - MERGED_WITHIN, event.time], CHANGES_MAX)?;
    let changes = merged.into_iter().filter_map(|happened| serde_json::from_value::<Change>(happened.data).ok());
    let line = |change: Change| {
        let title = change.title.unwrap_or_default();
        vec![match change.url {
            Some(url) => Span::link(title, url),
            None => Span::plain(title),
        }]
    };
    Ok(changes.map(line).collect())
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use serde_json::json;

    use super::*;
    use crate::given::{self, Scene};
    use crate::lookups::Reminder;

    fn deployment(kind: &str) -> Recorded {
        let data = json!({"id": "1", "repository": "github.com/acme/shop", "service": "shop", "environment": "eu-1"});
        given::event(kind, now(), &data).unwrap()
    }

    fn now() -> DateTime<Utc> {
        "2026-03-02T10:00:00Z".parse().unwrap()
    }

    fn world() -> Scene {
        let merged = json!({
            "id": "3f2504e0-4f89-51d3-9a0c-0305e82c3301",
            "kind": "change.merged",
            "time": "2026-03-02T09:00:00Z",
            "subject": "7",
            "data": {"repository": "github.com/acme/shop", "number": 7, "title": "Round totals",
                "url": "https://github.com/acme/shop/pull/7"},
        });
        let answers = json!({"owner": {"team": "payments", "service": "shop"}, "events": [merged]});
        Scene { delivery: None, answers: serde_json::from_value(answers).unwrap(), now: now() }
    }

    /// What the bot says, and why. Its state is kept for the next event.
    fn told(scene: &mut Scene, event: &Recorded, reminder: Option<Reminder>) -> String {
        let decision = FailedDeployments.handle(event, &Lookups::new(&*scene, now(), reminder));
        let Decision::Act { actions, because } = decision else { panic!("{decision:?}") };
        scene.keep_state(&actions);
        let mut parts = Vec::new();
        for action in &actions {
            if let Action::PostMessage { message, .. } = action {
                parts.push(message.to_text());
            }
        }
        parts.push(format!("({because})"));
        parts.join("\n")
    }

    #[test]
    fn the_team_hears_of_a_failure_once_more_and_when_it_is_over() {
        let mut scene = world();
        let failed = deployment("deployment.failed");
        insta::assert_snapshot!(told(&mut scene, &failed, None), @"
        shop in eu-1: deployment failed, 1 in a row
        ===========================================

        Merged in the day before

        - Round totals <https://github.com/acme/shop/pull/7>
        (failure 1 in a row)
        ");
        let reminder = Some(Reminder { note: "still failing?".to_owned(), round: 1 });
        insta::assert_snapshot!(told(&mut scene, &failed, reminder), @"
        shop in eu-1 still does not work
        (nothing that works was deployed since)
        ");
        insta::assert_snapshot!(told(&mut scene, &deployment("service.deployed"), None), @"
        shop in eu-1 works again
        (it works again)
        ");
        insta::assert_snapshot!(told(&mut scene, &deployment("service.deployed"), None), @"(it works)");
    }

    #[test]
    fn an_answer_that_cannot_be_had_is_named() {
        let mut scene = world();
        scene.answers.events = None;
        let decision = FailedDeployments.handle(&deployment("deployment.failed"), &Lookups::new(&scene, now(), None));
        assert_eq!(decision, Decision::nothing("what is needed cannot be had: not in the file"));
    }
}
