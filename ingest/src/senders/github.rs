//! GitHub: webhooks of repositories, organisations and apps, on github.com and on GitHub Enterprise Server.

pub mod sample;
