//! Which engine keeps the streams, and how each is asked the same question.

use super::postgres::Postgres;
use super::sqlite::Sqlite;
use crate::kafka::Kafka;

/// The engines; each is one file, and the contract suite in `bus/tests/` runs over all of them.
#[derive(Debug, Clone)]
pub(super) enum Engine {
    Sqlite(Sqlite),
    Postgres(Postgres),
    /// Kafka before PostgreSQL.
    Kafka(Box<Kafka>),
}

/// Asks whichever engine there is the same question. What Kafka is not asked itself is asked of its log.
macro_rules! ask {
    ($streams:expr, $engine:ident => $question:expr) => {
        ask!($streams, $engine => $question, kafka => {
            let $engine = &kafka.log;
            $question
        })
    };
    ($streams:expr, $engine:ident => $question:expr, $kafka:ident => $own:expr) => {
        match &$streams.engine {
            Engine::Sqlite($engine) => $question,
            Engine::Postgres($engine) => $question,
            Engine::Kafka($kafka) => $own,
        }
    };
}

pub(super) use ask;
