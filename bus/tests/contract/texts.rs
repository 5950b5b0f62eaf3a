//! Texts that databases do not like: what a sender sends is stored, searched and given back as it was.

use bus::data::forge::Push;
use bus::query::{Condition, Pattern, Term};

use super::*;

/// Everything that a column of text could stumble over.
const AWKWARD: &str = "a\0b\u{1}c\u{1}\u{fdd0}\u{7f}\\ud800 \\u0000 \u{fffe}\u{10ffff}'\"";

fn awkward_event(index: u32) -> Event {
    let text = format!("{AWKWARD}{index}");
    Event {
        kind: format!("com.forge.{text}").into(),
        source: text.clone(),
        subject: text.clone(),
        key: OrderKey(text),
        data: Data::AsReceived,
        ..deployed(event_id("1", index), "", Outcome::Error)
    }
}

fn awkward_deployment(name: &str) -> Event {
    let id = event_id("1", 100);
    let data = Deployment {
        id: name.to_owned(),
        service: Some(name.to_owned()),
        repository: Some(name.to_owned()),
        environment: Some(name.to_owned()),
        ..Deployment::default()
    };
    Event { data: Data::Deployment(Box::new(data)), ..deployed(id, name, Outcome::Success) }
}

fn only(condition: Condition) -> Query {
    Query::default().and(Term { negated: false, condition })
}

#[tokio::test]
async fn a_text_with_nul_is_kept_searched_and_chained() {
    over_every_engine(async |installation| {
        let streams = installation.open().await;
        let new = NewDelivery {
            headers: vec![("x-event".to_owned(), AWKWARD.to_owned())],
            content_type: Some(AWKWARD.to_owned()),
            ..delivery("1\u{fdd0}", br#"{"text":"\ud800 \u0000"}"#)
        };
        streams.append(new.clone()).await.unwrap();
        let events = vec![awkward_event(0), awkward_event(1), awkward_deployment(AWKWARD)];
        let recorded =
            streams.record(NORMALIZER, vec![reading(1, events.clone()), unreadable(2, AWKWARD)]).await.unwrap();
        assert_eq!(recorded.len(), 3);
        assert_eq!(streams.revise(vec![reading(1, events.clone())]).await.unwrap(), [], "they read as before");
        streams.save_setting(AWKWARD, AWKWARD.to_owned()).await.unwrap();
        streams.close().await.unwrap();

        let streams = installation.open().await;
        assert_eq!(streams.delivery(DeliveryOffset(1)).await.unwrap().unwrap().content, new);
        let stored = streams.events(EventOffset::START, 10).await.unwrap();
        assert_eq!(stored.into_iter().map(|recorded| recorded.event).collect::<Vec<_>>(), events);
        assert_eq!(streams.quarantined(10).await.unwrap()[0].error, AWKWARD);
        assert_eq!(streams.setting(AWKWARD).await.unwrap().as_deref(), Some(AWKWARD));
        assert_eq!(streams.verify(|_| {}).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_text_with_nul_is_found_by_the_whole_and_by_a_part() {
    over_every_engine(async |installation| {
        let streams = installation.open().await;
        let events = vec![awkward_event(0), awkward_event(1), awkward_deployment(AWKWARD)];
        streams.record(NORMALIZER, vec![reading(1, events.clone())]).await.unwrap();
        let all: Vec<EventId> = events.iter().rev().map(|event| event.id).collect();
        let begin = Pattern::Begins("a\0b\u{1}".to_owned());
        let service = |pattern| Condition::Service { pattern, repositories: Vec::new() };
        let cases = [
            (Condition::Subject(Pattern::Is(format!("{AWKWARD}1"))), vec![events[1].id]),
            (Condition::Subject(begin.clone()), all.clone()),
            (Condition::Type(Pattern::Is(format!("com.forge.{AWKWARD}0"))), vec![events[0].id]),
            (Condition::Type(Pattern::Begins("com.forge.a\0".to_owned())), vec![events[1].id, events[0].id]),
            (service(Pattern::Is(AWKWARD.to_owned())), vec![events[2].id]),
            (service(begin.clone()), vec![events[2].id]),
            (Condition::Repository(Pattern::Is(AWKWARD.to_owned())), vec![events[2].id]),
            (Condition::Environment(begin), vec![events[2].id]),
            (Condition::Text("A\0B\u{1}".to_owned()), all.clone()),
            (Condition::Text("\u{1}\u{fdd0}".to_owned()), all),
            (service(Pattern::Is("a".to_owned())), vec![]),
        ];
        for (condition, expected) in cases {
            let query = only(condition);
            assert_eq!(ids(&search(&streams, &query).await), expected, "{query:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_name_of_any_length_is_stored_and_found() {
    over_every_engine(async |installation| {
        let streams = installation.open().await;
        // Such as an index may not take, whatever its compression.
        let long: String = noise(7, 20_000).into_iter().map(|byte| char::from(b'a' + byte % 26)).collect();
        let kind = Kind::from(format!("com.forge.{long}"));
        let events = vec![
            awkward_deployment(&long),
            Event { kind, subject: long.clone(), data: Data::AsReceived, ..awkward_event(1) },
        ];
        streams.record(NORMALIZER, vec![reading(1, events.clone())]).await.unwrap();
        let pushed = Push { repository: long.clone(), ..Push::default() };
        let pushed =
            Event { kind: Kind::from("push".to_owned()), data: Data::Push(Box::new(pushed)), ..awkward_event(2) };
        streams.record(NORMALIZER, vec![reading(2, vec![pushed])]).await.unwrap();
        let service = Condition::Service { pattern: Pattern::Is(long.clone()), repositories: Vec::new() };
        assert_eq!(ids(&search(&streams, &only(service)).await), [events[0].id]);
        let kind = Condition::Type(Pattern::Begins("com.forge.".to_owned()));
        assert_eq!(search(&streams, &only(kind)).await.len(), 1);
        assert_eq!(streams.verify(|_| {}).await.unwrap(), None);
    })
    .await;
}
