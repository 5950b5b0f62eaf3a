//! A topic, a log and a book made by hand: what each law sees that the others do not.

use super::*;
use crate::book::{Ack, Intent};

const SOURCE: &str = "github/acme";

/// Three deliveries were sent and acknowledged.
fn book() -> Pages {
    let intent = |id: &&str| ((*id).to_owned(), Intent { sha256: format!("body {id}"), blake3: String::new() });
    let ack = |id: &&str| Ack {
        id: (*id).to_owned(),
        sha256: format!("body {id}"),
        run: 1,
        sent_us: 0,
        acked_us: 1,
        offset: None,
        duplicate: false,
    };
    let ids = ["a", "b", "c"];
    Pages { intents: ids.iter().map(intent).collect(), acks: ids.iter().map(ack).collect(), ..Pages::default() }
}

/// Records with these ids and bodies.
fn topic(records: &[(&str, &str)]) -> Vec<Record> {
    let carried =
        |id: &str, body: &str| Carried { source: SOURCE.to_owned(), id: id.to_owned(), sha256: body.to_owned() };
    let record = |(offset, (id, body)): (i64, &(&str, &str))| Record {
        partition: 0,
        offset,
        content: Ok(carried(id, &format!("body {body}"))),
    };
    (0..).zip(records).map(record).collect()
}

fn broken(book: &Pages, topic: &[Record], log: &[&str]) -> Vec<&'static str> {
    let stored = |(offset, id): (i64, &&str)| Stored {
        offset,
        source: SOURCE.to_owned(),
        id: (*id).to_owned(),
        bytes: 0,
        blake3: String::new(),
        sha256: None,
    };
    let log: Vec<_> = (1..).zip(log).map(stored).collect();
    laws(book, SOURCE, topic, &log).iter().filter(|law| law.broken > 0).map(|law| law.name).collect()
}

#[test]
fn a_record_may_come_again_and_its_first_place_counts() {
    let whole = topic(&[("a", "a"), ("b", "b"), ("a", "a"), ("b", "b"), ("c", "c")]);
    assert_eq!(broken(&book(), &whole, &["a", "b", "c"]), [""; 0]);
    assert_eq!(broken(&book(), &whole, &["b", "a", "c"]), ["L13"]);
}

#[test]
fn a_record_that_is_missing_altered_or_unreadable_is_seen() {
    let log = ["a", "b", "c"];
    assert_eq!(broken(&book(), &topic(&[("a", "a"), ("c", "c")]), &log), ["L11", "L13"]);
    assert_eq!(broken(&book(), &topic(&[("a", "a"), ("b", "?"), ("c", "c")]), &log), ["L11", "L12"]);
    // Whoever reads it would take the first; that the second is another is seen all the same.
    assert_eq!(broken(&book(), &topic(&[("a", "a"), ("b", "b"), ("c", "c"), ("b", "?")]), &log), ["L12"]);
    let mut records = topic(&[("a", "a"), ("b", "b"), ("c", "c")]);
    records[1].content = Err("it has no body".to_owned());
    assert_eq!(broken(&book(), &records, &log), ["L11", "L12", "L13"]);
}

#[test]
fn a_record_that_nobody_sent_or_that_the_log_has_not_is_seen() {
    let more = topic(&[("a", "a"), ("b", "b"), ("d", "d"), ("c", "c")]);
    assert_eq!(broken(&book(), &more, &["a", "b", "d", "c"]), ["L12"]);
    assert_eq!(broken(&book(), &topic(&[("a", "a"), ("b", "b"), ("c", "c")]), &["a", "c"]), ["L13"]);
}

#[test]
fn the_other_body_of_a_sender_that_contradicts_itself_may_only_come_second() {
    let mut book = book();
    book.others.push(("b".to_owned(), None, false));
    let log = ["a", "b", "c"];
    assert_eq!(broken(&book, &topic(&[("a", "a"), ("b", "b"), ("b", "?"), ("c", "c")]), &log), [""; 0]);
    assert_eq!(broken(&book, &topic(&[("a", "a"), ("b", "?"), ("b", "b"), ("c", "c")]), &log), ["L11"]);
}
