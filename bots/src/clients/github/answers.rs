//! Answers what a bot asks about a repository.

use std::collections::BTreeMap;
use std::time::Instant;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::payload::{ChangedFile, Pull, Review};
use super::{Ask, GitHub, Repository, Trouble};
use crate::lookups::{ChangeNow, Question, Told};

/// GitHub lists at most 3000 files of a change.
const FILE_PAGES_MAX: usize = 30;

/// So many pages of a hundred reviews are read.
const REVIEW_PAGES_MAX: usize = 10;

/// So many pages of a hundred open changes are counted: the newest 500 tell who has much to review.
const OPEN_PAGES_MAX: usize = 5;

/// What stands in a path as it is.
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// The repository that a question is about; none if it is about something else.
pub(super) fn repository_of(question: &Question) -> Option<&str> {
    match question {
        Question::File { repository, .. }
        | Question::ChangedFiles { repository, .. }
        | Question::Change { repository, .. }
        | Question::OpenReviews { repository } => Some(repository),
        Question::Delivery
        | Question::State { .. }
        | Question::Setting { .. }
        | Question::Owner(_)
        | Question::Events { .. }
        | Question::Object(_)
        | Question::Objects(_)
        | Question::Logs(_) => None,
    }
}

pub(super) async fn answer(github: &GitHub, repository: Repository, question: &Question) -> Told {
    let began = Instant::now();
    let place = repository.to_string();
    let (answer, calls) = match github.asker(&repository).await {
        Ok(ask) => (answer_by(&ask, question).await, ask.calls()),
        Err(trouble) => (Err(trouble), 1),
    };
    let answer = answer.map_err(|trouble| {
        let mut unavailable = trouble.of_question(&place);
        unavailable.reason = github.http.veiled(&unavailable.reason);
        unavailable
    });
    Told { answer, calls, millis: u32::try_from(began.elapsed().as_millis()).unwrap_or(u32::MAX) }
}

async fn answer_by(ask: &Ask<'_>, question: &Question) -> Result<Value, Trouble> {
    match question {
        Question::File { path, at, .. } => file(ask, path, at.as_deref()).await,
        Question::ChangedFiles { number, .. } => changed_files(ask, *number).await,
        Question::Change { number, .. } => change(ask, *number).await,
        Question::OpenReviews { .. } => open_reviews(ask).await,
        Question::Delivery
        | Question::State { .. }
        | Question::Setting { .. }
        | Question::Owner(_)
        | Question::Events { .. }
        | Question::Object(_)
        | Question::Objects(_)
        | Question::Logs(_) => Err(Trouble::Refused("not a question about a repository".to_owned())),
    }
}

async fn file(ask: &Ask<'_>, path: &str, at: Option<&str>) -> Result<Value, Trouble> {
    let path = path.trim_start_matches('/');
    if path.is_empty() || path.split('/').any(|part| matches!(part, "." | "..")) {
        return Err(Trouble::Refused(format!("{path:?} is no path of a file")));
    }
    let mut asked = ask.path(&format!("contents/{}", utf8_percent_encode(path, IN_PATH)));
    if let Some(at) = at {
        asked = format!("{asked}?ref={}", utf8_percent_encode(at, NON_ALPHANUMERIC));
    }
    Ok(json!(ask.raw(&asked).await?))
}

async fn changed_files(ask: &Ask<'_>, number: u64) -> Result<Value, Trouble> {
    let path = ask.path(&format!("pulls/{number}/files"));
    let (files, _) = ask.list::<ChangedFile>(&path, FILE_PAGES_MAX).await?;
    let touched = files.into_iter().flat_map(|file| [Some(file.filename), file.previous_filename]);
    Ok(json!(touched.flatten().collect::<Vec<_>>()))
}

async fn change(ask: &Ask<'_>, number: u64) -> Result<Value, Trouble> {
    let path = ask.path(&format!("pulls/{number}"));
    let Some(pull) = ask.get::<Pull>(&path).await? else { return Ok(Value::Null) };
    let (reviews, _) = ask.list::<Review>(&format!("{path}/reviews"), REVIEW_PAGES_MAX).await?;
    let author = pull.user.as_ref().map(|user| user.login.clone()).unwrap_or_default();
    let mut reviewers: Vec<String> = Vec::new();
    // Authors who answer in their own change are listed among its reviews.
    for by in reviews.iter().filter_map(Review::by).filter(|by| *by != author) {
        if !reviewers.iter().any(|known| known == by) {
            reviewers.push(by.to_owned());
        }
    }
    let requested_reviewers = pull.asked().map(str::to_owned).collect();
    Ok(json!(ChangeNow {
        author,
        draft: pull.draft,
        open: pull.state == "open",
        base_branch: pull.base.name,
        head_sha: pull.head.sha,
        requested_reviewers,
        requested_teams: pull.requested_teams.into_iter().map(|team| team.slug).collect(),
        reviewers,
    }))
}

async fn open_reviews(ask: &Ask<'_>) -> Result<Value, Trouble> {
    let (pulls, _) = ask.list::<Pull>(&ask.path("pulls?state=open"), OPEN_PAGES_MAX).await?;
    let mut waiting: BTreeMap<&str, u32> = BTreeMap::new();
    for reviewer in pulls.iter().flat_map(Pull::asked) {
        *waiting.entry(reviewer).or_default() += 1;
    }
    Ok(json!(waiting))
}
