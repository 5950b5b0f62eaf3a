//! One comment of each topic on a change: written once, then updated in place. It is known by a line that Markdown does
//! not show, and only if it is our own: anybody can copy such a line.

use bus::mark::Mark;
use serde_json::json;

use super::access::Identity;
use super::payload::Comment;
use super::{Ask, Trouble};
use crate::clients::{Order, Problem, Receipt, Sought};

/// Longest text of a comment; GitHub takes 65,536 characters with our two lines.
const TEXT_MAX: usize = 65_000;

/// So many pages of a hundred comments are looked through.
const PAGES_MAX: usize = 20;

/// What our hidden lines begin with.
const HIDDEN: &str = "<!-- devhose";

/// The comment as it is written: the text, and two lines that nobody sees.
pub(super) fn body(mark: &Mark, topic: &str, text: &str) -> String {
    // A text that quotes somebody else's hidden line must not be taken for ours.
    let text = text.replace(HIDDEN, "&lt;!-- devhose");
    let shown: String = text.chars().take(TEXT_MAX).collect();
    let cut =
        if shown.len() < text.len() { "\n\n… the rest is left out: GitHub takes no longer comment" } else { "" };
    format!("{shown}{cut}\n\n{}\n{}\n", topic_line(&mark.bot, topic), mark.hidden())
}

fn topic_line(bot: &str, topic: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    let topic: String = topic.chars().map(|c| if is_plain(c) { c } else { '-' }).collect();
    format!("{HIDDEN}-topic:{bot}/{topic} -->")
}

pub(super) async fn write(
    ask: &Ask<'_>,
    order: &Order,
    number: u64,
    topic: &str,
    text: &str,
) -> Result<Receipt, Problem> {
    let body = body(&order.mark, topic, text);
    let topic = topic_line(&order.mark.bot, topic);
    let existing = existing(ask, order, number, &topic).await.map_err(|trouble| ask.unread(&trouble))?;
    let content = json!({ "body": body });
    if let Some(comment) = existing {
        let receipt = ask.receipt(number, comment.id, comment.html_url);
        if same(comment.body.as_deref().unwrap_or_default(), &body) {
            return Ok(Receipt { unchanged: true, ..receipt });
        }
        match ask.patch::<Comment>(&ask.path(&format!("issues/comments/{}", comment.id)), &content).await {
            Ok(_) => return Ok(receipt),
            // Deleted since it was read: written anew.
            Err(Trouble::Missing(_)) => {}
            Err(trouble) => return Err(ask.unwritten(&trouble)),
        }
    }
    let written = ask.post::<Comment>(&ask.path(&format!("issues/{number}/comments")), &content).await;
    let comment = written.map_err(|trouble| ask.unwritten(&trouble))?;
    Ok(ask.receipt(number, comment.id, comment.html_url))
}

pub(super) async fn find(ask: &Ask<'_>, order: &Order, number: u64, topic: &str) -> Result<Sought, Trouble> {
    let topic = topic_line(&order.mark.bot, topic);
    let Some(comment) = existing(ask, order, number, &topic).await? else { return Ok(Sought::NotDone) };
    let done = comment.body.as_deref().and_then(Mark::find).as_ref() == Some(&order.mark);
    Ok(if done { Sought::Done(ask.receipt(number, comment.id, comment.html_url)) } else { Sought::NotDone })
}

/// Our comment of that topic, if it is there.
async fn existing(ask: &Ask<'_>, order: &Order, number: u64, topic: &str) -> Result<Option<Comment>, Trouble> {
    if let Some(id) = order.earlier.as_ref().and_then(|earlier| earlier.id.parse::<u64>().ok())
        && let Some(comment) = ask.get::<Comment>(&ask.path(&format!("issues/comments/{id}"))).await?
    {
        return Ok(Some(comment));
    }
    let path = ask.path(&format!("issues/{number}/comments"));
    let (comments, _) = ask.list::<Comment>(&path, PAGES_MAX).await?;
    let of_topic: Vec<Comment> = comments
        .into_iter()
        .filter(|comment| comment.body.as_deref().is_some_and(|body| body.contains(topic)))
        .collect();
    if of_topic.is_empty() {
        return Ok(None);
    }
    let identity = ask.github.identity(ask).await?;
    Ok(of_topic.into_iter().find(|comment| is_own(comment, identity)))
}

fn is_own(comment: &Comment, identity: &Identity) -> bool {
    let author = comment.user.as_ref();
    match identity {
        Identity::App(id) => comment.performed_via_github_app.as_ref().is_some_and(|app| app.id == *id),
        Identity::Login(login) => author.is_some_and(|user| user.login.eq_ignore_ascii_case(login)),
        // A token of a workflow may not ask who it is; it writes as a bot, as no person does.
        Identity::Unknown => author.is_some_and(|user| user.kind == "Bot"),
    }
}

/// Whether two comments say the same to people.
fn same(one: &str, other: &str) -> bool {
    let said = |text: &str| {
        let lines = text.lines().map(str::trim_end).filter(|line| !line.starts_with("<!-- devhose:"));
        lines.collect::<Vec<_>>().join("\n").trim_end().to_owned()
    };
    said(one) == said(other)
}
