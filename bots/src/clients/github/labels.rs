//! Puts labels on a change. One that is there already stays.

use serde_json::json;

use super::payload::Label;
use super::{Ask, Trouble};
use crate::clients::{Problem, Receipt, Sought};

/// A change has at most 100 labels.
const PAGES_MAX: usize = 1;

pub(super) async fn add(ask: &Ask<'_>, number: u64, labels: &[String]) -> Result<Receipt, Problem> {
    let missing = missing(ask, number, labels).await.map_err(|trouble| ask.unread(&trouble))?;
    let receipt = ask.receipt(number, number, None);
    if missing.is_empty() {
        return Ok(Receipt { unchanged: true, ..receipt });
    }
    let added =
        ask.post::<Vec<Label>>(&ask.path(&format!("issues/{number}/labels")), &json!({ "labels": missing })).await;
    added.map_err(|trouble| ask.unwritten(&trouble))?;
    Ok(receipt)
}

pub(super) async fn find(ask: &Ask<'_>, number: u64, labels: &[String]) -> Result<Sought, Trouble> {
    let missing = missing(ask, number, labels).await?;
    Ok(if missing.is_empty() { Sought::Done(ask.receipt(number, number, None)) } else { Sought::NotDone })
}

async fn missing<'a>(ask: &Ask<'_>, number: u64, labels: &'a [String]) -> Result<Vec<&'a str>, Trouble> {
    let (there, _) = ask.list::<Label>(&ask.path(&format!("issues/{number}/labels")), PAGES_MAX).await?;
    let is_there = |wanted: &str| there.iter().any(|label| label.name.eq_ignore_ascii_case(wanted));
    Ok(labels.iter().map(String::as_str).filter(|wanted| !is_there(wanted)).collect())
}
