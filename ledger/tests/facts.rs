//! Ledger from outside: deliveries go in, facts and views come out, through restarts, corrections and crashes.

#[cfg(test)]
#[path = "facts/installation.rs"]
mod installation;
#[cfg(test)]
#[path = "facts/laws.rs"]
mod laws;
#[cfg(test)]
#[path = "facts/postgres.rs"]
mod postgres;
#[cfg(test)]
#[path = "facts/processes.rs"]
mod processes;
#[cfg(test)]
#[path = "facts/sqlite.rs"]
mod sqlite;
