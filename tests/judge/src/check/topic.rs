//! The laws of the topic of deliveries. A record may be there again, because it is sent again when nobody knows whether
//! the brokers have it: whoever reads them takes the first of each id.

use std::collections::{HashMap, HashSet};

use super::Law;
use crate::book::Pages;
use crate::stored::{Carried, Record, Stored};

/// Checks the records of one source, in order, against its book and against the log that was made of them.
pub(super) fn laws(book: &Pages, source: &str, topic: &[Record], log: &[Stored]) -> [Law; 3] {
    let (mut first, mut order) = (HashMap::new(), Vec::new());
    for carried in topic.iter().filter_map(|record| record.content.as_ref().ok()) {
        if carried.source == source && !first.contains_key(carried.id.as_str()) {
            first.insert(carried.id.as_str(), carried);
            order.push(carried.id.as_str());
        }
    }
    let log: Vec<_> = log.iter().filter(|stored| stored.source == source).collect();
    [acknowledged_is_there(book, &first), nothing_invented(book, source, topic), carried_over(&order, &log)]
}

fn acknowledged_is_there(book: &Pages, first: &HashMap<&str, &Carried>) -> Law {
    let mut law = Law::new("L11", "everything acknowledged is in the topic as it was sent");
    for ack in &book.acks {
        match first.get(ack.id.as_str()) {
            None => law.look(false, || format!("{} was acknowledged and is not in the topic", ack.id)),
            Some(carried) => law.look(carried.sha256 == ack.sha256, || {
                format!("{} is in the topic with another body than was sent", ack.id)
            }),
        }
    }
    law
}

fn nothing_invented(book: &Pages, source: &str, topic: &[Record]) -> Law {
    let mut law = Law::new("L12", "nothing is in the topic that was not sent");
    // A sender that contradicted itself sent another body, too.
    let contradicted: HashSet<&str> = book.others.iter().map(|(id, ..)| id.as_str()).collect();
    for record in topic {
        let at = || format!("partition {}, offset {}", record.partition, record.offset);
        match &record.content {
            Err(why) => law.look(false, || format!("{}: {why}", at())),
            Ok(carried) if carried.source == source => {
                let sent = book.intents.get(&carried.id);
                let same = sent.is_some_and(|intent| intent.sha256 == carried.sha256);
                law.look(same || contradicted.contains(carried.id.as_str()), || {
                    format!("{}: {} was not sent like this", at(), carried.id)
                });
            }
            Ok(_) => {}
        }
    }
    law
}

fn carried_over(order: &[&str], log: &[&Stored]) -> Law {
    let mut law = Law::new("L13", "the log has what is in the topic, in the order of first records");
    let mut places: HashMap<&str, i64> = log.iter().map(|stored| (stored.id.as_str(), stored.offset)).collect();
    let mut last = None;
    for id in order {
        let place = places.remove(id);
        law.look(place.is_some() && place > last, || format!("{id} stands at {place:?}, after {last:?}"));
        last = place.or(last);
    }
    for stored in log {
        law.look(!places.contains_key(stored.id.as_str()), || {
            format!("{} stands at {} and is not in the topic", stored.id, stored.offset)
        });
    }
    law
}

#[cfg(test)]
mod tests;
