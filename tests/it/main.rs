//! Tests through the front door: a webhook goes in, a page comes out.

#[cfg(test)]
mod bots;
#[cfg(test)]
mod bots_pages;
#[cfg(test)]
mod chat;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod cluster;
#[cfg(test)]
mod corpus;
#[cfg(test)]
mod crash_loops;
#[cfg(test)]
mod fleet;
#[cfg(test)]
mod forge;
#[cfg(test)]
mod git;
#[cfg(test)]
mod hooks;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod program;
#[cfg(test)]
mod replay;
#[cfg(test)]
mod senders;
#[cfg(test)]
mod streams;
#[cfg(test)]
mod subscriptions;
#[cfg(test)]
mod tidy;
