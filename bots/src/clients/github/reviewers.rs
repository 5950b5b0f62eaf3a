//! Asks people and teams for reviews of a change. Whoever was asked already, or has reviewed, is not asked again.

use serde_json::json;

use super::payload::{Pull, Review};
use super::{Ask, Trouble};
use crate::clients::{Problem, Receipt, Sought};

/// So many pages of a hundred reviews are read.
const REVIEW_PAGES_MAX: usize = 10;

/// Who is still to be asked.
struct Open {
    reviewers: Vec<String>,
    teams: Vec<String>,
    url: Option<String>,
}

pub(super) async fn request(
    ask: &Ask<'_>,
    number: u64,
    reviewers: &[String],
    teams: &[String],
) -> Result<Receipt, Problem> {
    let open = open(ask, number, reviewers, teams).await.map_err(|trouble| ask.unread(&trouble))?;
    if open.reviewers.is_empty() && open.teams.is_empty() {
        return Ok(Receipt { unchanged: true, ..ask.receipt(number, number, open.url) });
    }
    let body = json!({ "reviewers": open.reviewers, "team_reviewers": open.teams });
    let asked = ask.post::<Pull>(&ask.path(&format!("pulls/{number}/requested_reviewers")), &body).await;
    let pull = asked.map_err(|trouble| ask.unwritten(&trouble))?;
    Ok(ask.receipt(number, number, pull.html_url.or(open.url)))
}

pub(super) async fn find(
    ask: &Ask<'_>,
    number: u64,
    reviewers: &[String],
    teams: &[String],
) -> Result<Sought, Trouble> {
    let open = open(ask, number, reviewers, teams).await?;
    let done = open.reviewers.is_empty() && open.teams.is_empty();
    Ok(if done { Sought::Done(ask.receipt(number, number, open.url)) } else { Sought::NotDone })
}

async fn open(ask: &Ask<'_>, number: u64, reviewers: &[String], teams: &[String]) -> Result<Open, Trouble> {
    let path = ask.path(&format!("pulls/{number}"));
    let Some(pull) = ask.get::<Pull>(&path).await? else {
        return Err(Trouble::Missing(format!("no pull request {number}")));
    };
    let mut open = Open { reviewers: without(reviewers, pull.asked()), teams: Vec::new(), url: pull.html_url.clone() };
    open.teams = without(teams, pull.requested_teams.iter().map(|team| team.slug.as_str()));
    if !open.reviewers.is_empty() {
        let (reviews, _) = ask.list::<Review>(&format!("{path}/reviews"), REVIEW_PAGES_MAX).await?;
        open.reviewers = without(&open.reviewers, reviews.iter().filter_map(Review::by));
    }
    Ok(open)
}

fn without<'a>(wanted: &[String], there: impl Iterator<Item = &'a str>) -> Vec<String> {
    let there: Vec<String> = there.map(str::to_lowercase).collect();
    let mut missing: Vec<String> =
        wanted.iter().filter(|name| !there.contains(&name.to_lowercase())).cloned().collect();
    missing.dedup();
    missing
}
