//! What the program itself says that it has.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde::Deserialize;

use super::Stored;

/// Deliveries asked for at once.
const PAGE: usize = 1_000;

/// How often one looks for more.
const GLANCE: Duration = Duration::from_millis(20);

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
    let mut after = Some(0);
    while let Some(from) = after {
        let page = page(&http, url, from).await?;
        found.extend(page.deliveries.into_iter().map(|line| Stored {
            offset: line.offset,
            source: line.source,
            id: line.id,
            bytes: line.bytes,
            blake3: line.blake3,
            sha256: None,
        }));
        after = page.next;
    }
    Ok(found)
}

/// The log as it grows.
#[derive(Debug)]
pub struct Tail {
    http: reqwest::Client,
    url: String,
    after: i64,
}

impl Tail {
    /// From the beginning.
    ///
    /// # Errors
    /// If there is no client.
    pub fn of(url: &str) -> anyhow::Result<Self> {
        Ok(Self { http: reqwest::Client::builder().no_proxy().build()?, url: url.to_owned(), after: 0 })
    }

    /// Waits until that delivery is there.
    ///
    /// # Errors
    /// If it does not come, or the program does not answer.
    pub async fn until_it_has(&mut self, id: &str, patience: Duration) -> anyhow::Result<()> {
        let began = Instant::now();
        while !self.more().await?.iter().any(|line| line.id == id) {
            ensure!(began.elapsed() < patience, "{id} is not in the log, whose last delivery is {}", self.after);
        }
        Ok(())
    }

    /// Waits until something comes that was not there when one began to wait.
    ///
    /// # Errors
    /// If nothing comes, or the program does not answer.
    pub async fn until_it_grows(&mut self, patience: Duration) -> anyhow::Result<()> {
        let began = Instant::now();
        // A page that is not full ends where the log ends now.
        while self.more().await?.len() == PAGE {}
        while self.more().await?.is_empty() {
            ensure!(began.elapsed() < patience, "nothing comes into the log after {}", self.after);
        }
        Ok(())
    }

    /// What came since one looked last, at most a page of it. Where nothing came, a moment passes.
    async fn more(&mut self) -> anyhow::Result<Vec<Line>> {
        let page = page(&self.http, &self.url, self.after).await?;
        match page.deliveries.last() {
            Some(last) => self.after = last.offset,
            None => tokio::time::sleep(GLANCE).await,
        }
        Ok(page.deliveries)
    }
}

async fn page(http: &reqwest::Client, url: &str, after: i64) -> anyhow::Result<Page> {
    let address = format!("{url}/api/v1/deliveries?after={after}&limit={PAGE}");
    let answer = http.get(&address).send().await.context("the program does not answer")?.error_for_status()?;
    let page: Page = serde_json::from_slice(&answer.bytes().await?).context(address)?;
    ensure!(page.next.is_none_or(|next| next > after), "the API goes on after {:?}, asked for {after}", page.next);
    Ok(page)
}
