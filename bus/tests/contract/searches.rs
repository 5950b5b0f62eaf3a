//! Searches: what an engine finds is what [`Query::matches`] says.

use bus::data::work::Message;
use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;

/// Values that meet each other often, so that queries find something.
fn any_event(id: EventId) -> impl Strategy<Value = Event> {
    let name = || prop::option::of(prop::sample::select(vec!["a", "ab", "b", "é\"x"]));
    let outcome = prop::option::of(prop::sample::select(vec![
        Outcome::Success,
        Outcome::Failure,
        Outcome::Cancelled,
        Outcome::Error,
    ]));
    let kind = prop::sample::select(vec!["service.deployed", "service.removed", "deployment.failed", "message.posted"]);
    (kind, name(), name(), name(), outcome, 0_i64..10).prop_map(
        move |(kind, service, repository, text, outcome, hours)| {
            let text = text.unwrap_or("plain").to_owned();
            let data = if kind == "message.posted" {
                Data::Message(Message { text: Some(text.clone()), ..Message::default() })
            } else {
                Data::Deployment(Box::new(Deployment {
                    service: service.map(str::to_owned),
                    repository: repository.map(str::to_owned),
                    environment: repository.map(|name| format!("on {name}")),
                    version: Some(text.clone()),
                    outcome,
                    ..Deployment::default()
                }))
            };
            let time = monday() - TimeDelta::hours(hours);
            Event {
                kind: kind.into(),
                subject: format!("Subject {text}"),
                time,
                data,
                ..deployed(id, "", Outcome::Error)
            }
        },
    )
}

fn any_term() -> impl Strategy<Value = String> {
    let term = prop::sample::select(vec![
        "type:service.*",
        "type:service.deployed",
        "type:message.posted",
        "type:nothing.like.it",
        "type:*",
        "service:a",
        "service:a*",
        "service:b",
        "service:*",
        r#"repo:"é\"x""#,
        "repo:a*",
        "env:\"on a\"",
        "env:\"on \"*",
        "outcome:failed",
        "outcome:success",
        "outcome:cancelled",
        "subject:\"Subject p\"*",
        "subject:\"Subject b\"",
        "source:forge/acme",
        "source:f*",
        "source:other",
        "since:4h",
        "since:20h",
        "before:2h",
        "delivery:1",
        "delivery:2",
        r#"text:"É\"x""#,
        r#"text:"é\"X""#,
        "text:PLAIN",
        "id:00000000-0000-0000-0000-000000000000",
    ]);
    (prop::bool::weighted(0.2), term).prop_map(|(not, term)| if not { format!("-{term}") } else { term.to_owned() })
}

/// What a whole log looks like: events over a few deliveries, and corrections of some.
fn any_log() -> impl Strategy<Value = Vec<(i64, Event)>> {
    let event = (1_i64..4, 0_u32..12).prop_flat_map(|(delivery, index)| {
        any_event(event_id(&delivery.to_string(), index)).prop_map(move |event| (delivery, event))
    });
    prop::collection::vec(event, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn a_search_finds_what_the_query_matches(
        log in any_log(),
        queries in prop::collection::vec(prop::collection::vec(any_term(), 0..4), 40),
    ) {
        tokio::runtime::Runtime::new().unwrap().block_on(over_every_placing_engine(async |installation| {
            let streams = installation.open().await;
            for (delivery, event) in &log {
                streams.revise(vec![reading(*delivery, vec![event.clone()])]).await.unwrap();
            }
            let all = streams.events(EventOffset::START, 1_000).await.unwrap();
            for terms in &queries {
                let mut query = Query::parse(&terms.join(" "), monday()).unwrap();
                query.with_service_repositories(|service| if service == "a" { vec!["ab".into(), "b".into()] } else { vec![] });
                let expected: Vec<_> = all.iter().rev().filter(|recorded| query.matches(recorded)).cloned().collect();
                assert_eq!(search(&streams, &query).await, expected, "{query}");

                let from = monday() - TimeDelta::hours(8);
                let inside = |recorded: &&Recorded| recorded.event.time >= from && recorded.event.time < monday();
                let counted = expected.iter().filter(inside).count() as u64;
                let bars = streams.histogram(query, from, monday(), 7).await.unwrap();
                assert_eq!(bars.iter().map(|bar| bar.ok + bar.failed).sum::<u64>(), counted);
            }
            let some: Vec<EventId> = all.iter().step_by(2).map(|recorded| recorded.event.id).collect();
            let found = search(&streams, &Query::of_ids(some.clone())).await;
            assert_eq!(ids(&found), some.into_iter().rev().collect::<Vec<_>>());
            assert_eq!(search(&streams, &Query::of_ids([])).await, []);
        }));
    }
}

#[tokio::test]
async fn a_search_goes_through_more_events_than_one_window() {
    over_every_engine(async |installation| {
        let streams = installation.open().await;
        for part in 0..20_u32 {
            let event = |n: u32| {
                let rare = part == 3 && n == 7;
                let (service, outcome) = if rare { ("rare", Outcome::Error) } else { ("checkout", Outcome::Success) };
                let time = if rare { monday() } else { monday() - TimeDelta::days(1) };
                Event { time, ..deployed(event_id(&part.to_string(), n), service, outcome) }
            };
            streams.record(NORMALIZER, vec![reading(i64::from(part), (0..2_000).map(event).collect())]).await.unwrap();
        }
        for text in ["service:rare", "service:r*", "outcome:failed", "text:RARE", "since:1h", "-service:checkout"] {
            let found = search(&streams, &Query::parse(text, monday()).unwrap()).await;
            assert_eq!(ids(&found), [event_id("3", 7)], "{text}");
        }
        assert_eq!(search(&streams, &Query::parse("service:none", monday()).unwrap()).await, []);
    })
    .await;
}
