//! Books and logs made by hand: what a receipt that tells no place means, and what order is without one.

use super::*;
use crate::book::Intent;
use crate::stored::{Carried, Record};

const SOURCE: &str = "github/acme";

/// Deliveries that were sent and acknowledged at these times, and told no place.
fn book(acks: &[(&str, u64, u64)]) -> Pages {
    let mut book = Pages::default();
    for (id, sent_us, acked_us) in acks {
        let (id, sha256) = ((*id).to_owned(), format!("body {id}"));
        book.intents.insert(id.clone(), Intent { sha256: sha256.clone(), blake3: String::new() });
        let (sent_us, acked_us) = (*sent_us, *acked_us);
        book.acks.push(Ack { id, sha256, run: 1, sent_us, acked_us, offset: None, duplicate: false });
    }
    book
}

/// A log of these ids, and their topic if there is one.
fn log(ids: &[&str], topic: bool) -> Log {
    let stored = |(offset, id): (i64, &&str)| Stored {
        offset,
        source: SOURCE.to_owned(),
        id: (*id).to_owned(),
        bytes: 0,
        blake3: String::new(),
        sha256: Some(format!("body {id}")),
    };
    let record = |(offset, id): (i64, &&str)| Record {
        partition: 0,
        offset,
        content: Ok(Carried { source: SOURCE.to_owned(), id: (*id).to_owned(), sha256: format!("body {id}") }),
    };
    let topic = topic.then(|| (0..).zip(ids).map(record).collect());
    Log { deliveries: (1..).zip(ids).map(stored).collect(), broken: None, topic }
}

fn broken(book: &Pages, log: &Log) -> Vec<&'static str> {
    let api: Vec<_> = log.deliveries.iter().map(|stored| Stored { sha256: None, ..stored.clone() }).collect();
    check(book, SOURCE, &api, log).broken()
}

#[test]
fn only_with_a_topic_a_receipt_may_tell_no_place() {
    let book = book(&[("a", 0, 1), ("b", 2, 3)]);
    assert_eq!(broken(&book, &log(&["a", "b"], true)), [""; 0]);
    assert_eq!(broken(&book, &log(&["a", "b"], false)), ["L4"]);
}

#[test]
fn what_was_acknowledged_before_another_was_sent_stands_before_it_in_the_end() {
    let one_after_the_other = book(&[("a", 0, 1), ("b", 2, 3)]);
    assert_eq!(broken(&one_after_the_other, &log(&["b", "a"], true)), ["L4b"]);
    let at_once = book(&[("a", 0, 2), ("b", 1, 3)]);
    assert_eq!(broken(&at_once, &log(&["b", "a"], true)), [""; 0]);
    // It was sent before, and nobody knows what came of it.
    let mut again = one_after_the_other;
    again.unknown.push(("b".to_owned(), "reset".to_owned()));
    assert_eq!(broken(&again, &log(&["b", "a"], true)), [""; 0]);
}

#[test]
fn a_delivery_that_is_there_twice_breaks_the_law_whatever_receipts_say() {
    let mut twice = log(&["a", "b", "a"], true);
    assert_eq!(broken(&book(&[("a", 0, 9), ("b", 0, 9)]), &twice), ["L2", "L13"]);
    twice.deliveries.pop();
    assert_eq!(broken(&book(&[("a", 0, 9), ("b", 0, 9)]), &twice), [""; 0]);
}
