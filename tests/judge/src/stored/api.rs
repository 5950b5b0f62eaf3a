//! What the program itself says that it has.

use anyhow::{Context as _, ensure};
use serde::Deserialize;

use super::Stored;

/// Deliveries asked for at once.
const PAGE: u32 = 1_000;

#[derive(Debug, Deserialize)]
struct Page {
    deliveries: Vec<Line>,
    next: Option<i64>,
}

#[derive(Debug, Deserialize)]
struct Line {
    offset: i64,
    source: String,
    id: String,
    bytes: u64,
    blake3: String,
}

/// Asks for every delivery, in order.
///
/// # Errors
/// If the program does not answer, or answers something else.
pub async fn read(url: &str) -> anyhow::Result<Vec<Stored>> {
    let http = reqwest::Client::builder().no_proxy().build()?;
    let mut found = Vec::new();
    let mut after = 0;
    loop {
        let address = format!("{url}/api/v1/deliveries?after={after}&limit={PAGE}");
        let answer = http.get(&address).send().await.context("the program does not answer")?.error_for_status()?;
        let page: Page = serde_json::from_slice(&answer.bytes().await?).context(address)?;
        found.extend(page.deliveries.into_iter().map(|line| Stored {
            offset: line.offset,
            source: line.source,
            id: line.id,
            bytes: line.bytes,
            blake3: line.blake3,
            sha256: None,
        }));
        let Some(next) = page.next else { return Ok(found) };
        ensure!(next > after, "the API goes on after {next} where {after} was asked for");
        after = next;
    }
}
