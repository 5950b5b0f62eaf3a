//! Filters: what reads, what does not and where, and that they mean what the specification says.

use chrono::{DateTime, TimeZone, Utc};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::cdevents::samples;
use crate::cdevents::to_cloudevent;
use crate::data::Data;
use crate::kind::Kind;

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 14, 9, 26, 53).unwrap()
}

fn sample(kind: &Kind) -> Recorded {
    samples::recorded(kind.clone(), samples::complete(kind))
}

/// One event of every kind, and two that nobody maps.
fn every_event() -> Vec<Recorded> {
    let other = Kind::from("com.forge.star.created");
    let mut events: Vec<Recorded> = Kind::ALL.iter().map(sample).collect();
    events.push(samples::recorded(other.clone(), Data::AsReceived));
    events.push(samples::recorded(other, Data::Other(json!({"n": 1}))));
    events
}

fn filter(value: &Value) -> Filter {
    Filter::parse(value, now()).unwrap()
}

fn passes(value: &Value, kind: &str) -> bool {
    filter(value).matches(&sample(&Kind::from(kind)))
}

fn error(value: &Value) -> String {
    Filter::parse(value, now()).unwrap_err().to_string()
}

#[test]
fn every_attribute_of_the_cloudevent_can_be_asked_for() {
    for event in every_event() {
        let envelope = to_cloudevent(&event, None);
        let mut expected: Map<String, Value> =
            serde_json::from_slice::<Map<String, Value>>(&envelope.to_json().unwrap()).unwrap();
        expected.remove("data");
        for (name, value) in &expected {
            let found = cdevents::attribute(&event, name);
            assert_eq!(found.as_deref(), value.as_str(), "{name} of {}", event.event.kind);
            assert!(filter(&json!([{"exact": {name: value}}])).matches(&event), "{name}");
        }
        for name in ["dataschema", "data", "traceparent"] {
            assert_eq!(cdevents::attribute(&event, name), None);
        }
    }
}

#[test]
fn the_dialects_mean_what_the_specification_says() {
    let merged = "dev.cdevents.change.merged.0.3.0";
    assert!(passes(&json!([]), "change.merged"));
    assert!(passes(&json!([{"exact": {"type": merged}}]), "change.merged"));
    assert!(passes(&json!({"exact": {"type": merged, "subject": "12"}}), "change.merged"));
    assert!(!passes(&json!([{"exact": {"type": merged, "subject": "13"}}]), "change.merged"), "all of the map");
    assert!(!passes(&json!([{"exact": {"type": merged.to_uppercase()}}]), "change.merged"), "case sensitive");
    assert!(passes(&json!([{"prefix": {"type": "dev.cdevents.change."}}]), "change.merged"));
    assert!(!passes(&json!([{"prefix": {"type": "dev.cdevents.service."}}]), "change.merged"));
    assert!(passes(&json!([{"suffix": {"source": "/shop", "type": ".0.3.0"}}]), "change.merged"));
    assert!(!passes(&json!([{"prefix": {"traceparent": "0"}}]), "change.merged"), "an absent one never matches");
    assert!(passes(&json!([{"not": {"prefix": {"traceparent": "0"}}}]), "change.merged"));
    let two = json!([{"prefix": {"type": "dev.cdevents.change."}}, {"exact": {"subject": "13"}}]);
    assert!(!passes(&two, "change.merged"), "a list is and");
    assert!(passes(&json!([{"any": two}]), "change.merged"));
    assert!(!passes(&json!([{"all": two}]), "change.merged"));
    assert!(passes(&json!([{"kinds": ["service.*", "change.merged"]}]), "change.merged"));
    assert!(!passes(&json!([{"kinds": ["service.*", "change.merge"]}]), "change.merged"));
}

#[test]
fn a_wrong_expression_is_named_with_its_place() {
    insta::assert_snapshot!(error(&json!("x")), @r#"filter: a list of expressions such as [{"exact": {"type": "…"}}] is needed"#);
    insta::assert_snapshot!(error(&json!([{"exact": {"type": "a"}}, {"any": [{"prefix": {"type": 1}}]}])), @"filter[1].any[0].prefix.type: a text that is not empty is needed");
    insta::assert_snapshot!(error(&json!([{"exact": {"Type": "a"}}])), @r#"filter[0].exact: "Type" is no attribute: lower-case letters and digits are needed"#);
    insta::assert_snapshot!(error(&json!([{"exact": {}}])), @"filter[0].exact: an object of attributes and their values is needed");
    insta::assert_snapshot!(error(&json!([{"exact": {"type": "a"}, "prefix": {"type": "a"}}])), @"filter[0]: an object with one of exact, prefix, suffix, all, any, not, query and kinds is needed");
    insta::assert_snapshot!(error(&json!([{"sql": "type = 'a'"}])), @"filter[0].sql: there is no such dialect; there are exact, prefix, suffix, all, any, not, query and kinds");
    insta::assert_snapshot!(error(&json!([{"any": []}])), @"filter[0].any: a list of at least one is needed");
    insta::assert_snapshot!(error(&json!([{"not": [{"exact": {"type": "a"}}]}])), @"filter[0].not: an object with one of exact, prefix, suffix, all, any, not, query and kinds is needed");
    insta::assert_snapshot!(error(&json!([{"query": "servise:checkout"}])), @"filter[0].query: servise:checkout cannot be read: there is no key servise; did you mean service:?");
    insta::assert_snapshot!(error(&json!([{"kinds": ["a", 1]}])), @"filter[0].kinds[1]: a kind such as service.* is needed");
}

#[test]
fn a_filter_has_bounds() {
    let deep = (0..FILTER_DEPTH_MAX).fold(json!({"exact": {"type": "a"}}), |inner, _| json!({"not": inner}));
    assert!(error(&json!([deep])).ends_with("expressions stand in each other more than 16 deep"));
    let wide = vec![json!({"exact": {"type": "a"}}); FILTER_PARTS_MAX / 2 + 1];
    insta::assert_snapshot!(error(&json!(wide)), @"filter[250]: a filter has at most 500 comparisons and expressions");
    insta::assert_snapshot!(error(&json!([{"exact": {"type": "a".repeat(FILTER_BYTES_MAX)}}])), @"filter: it has 65559 bytes, 65536 are allowed");
}

#[test]
fn a_time_counted_back_is_fixed_where_there_is_a_now_and_refused_where_there_is_none() {
    let written = json!([{"query": "type:service.* since:2h"}]);
    insta::assert_snapshot!(Value::from(filter(&written)), @r#"[{"query":"type:service.* since:2026-03-14T07:26:53Z"}]"#);
    insta::assert_snapshot!(serde_json::from_value::<Filter>(written).unwrap_err(), @"filter[0].query: since:2h counts back from now, but a filter stays: write a time such as 2026-01-31T09:30:00Z");
    let fixed = json!([{"query": "since:2026-03-14"}]);
    assert_eq!(Value::from(serde_json::from_value::<Filter>(fixed.clone()).unwrap()), fixed);
}

#[test]
fn only_a_filter_that_is_one_query_is_given_as_one() {
    assert_eq!(filter(&json!([{"query": "type:a"}])).as_query().unwrap().to_string(), "type:a");
    assert_eq!(filter(&json!([{"kinds": ["a.*", "b"]}])).as_query().unwrap().to_string(), "type:a.* type:b");
    assert!(filter(&json!([{"query": "type:a"}, {"query": "env:b"}])).as_query().is_none());
    assert!(filter(&json!([{"not": {"query": "type:a"}}])).as_query().is_none());
}

/// Expressions of which some match some of the samples.
fn any_expression() -> impl Strategy<Value = Value> {
    let part = prop::sample::select(vec![
        "dev.cdevents.",
        "dev.cdeventsx.devhose-",
        "dev.cdevents.service.deployed.0.3.0",
        "12",
        "/shop",
        ".0.3.0",
        "forge",
        "https://forge.example/acme/shop",
        "com.forge.star.created",
        "application/json",
    ]);
    let name = prop::sample::select(vec!["type", "source", "subject", "partitionkey", "datacontenttype", "absent"]);
    let how = prop::sample::select(vec!["exact", "prefix", "suffix"]);
    let attributes = (how, prop::collection::btree_map(name, part, 1..3)).prop_map(|(how, map)| json!({how: map}));
    let query = any_query().prop_map(|query| json!({"query": query}));
    prop_oneof![attributes, query].prop_recursive(3, 12, 3, |inner| {
        let some = prop::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            (prop::sample::select(vec!["all", "any"]), some).prop_map(|(how, some)| json!({how: some})),
            inner.prop_map(|inner| json!({"not": inner})),
        ]
    })
}

fn any_query() -> impl Strategy<Value = String> {
    let term = prop::sample::select(vec![
        "type:service.*",
        "type:change.merged",
        "-type:change.*",
        "outcome:failed",
        "-outcome:success",
        "subject:1*",
        "env:*",
        "repo:*",
        "source:forge/acme",
        "text:shop",
        "-service:checkout",
        "before:2026-03-02",
        "since:2027-01-01",
    ]);
    prop::collection::vec(term, 0..5).prop_map(|terms| terms.join(" "))
}

fn said(value: &Value) -> Vec<bool> {
    let filter = filter(value);
    every_event().iter().map(|event| filter.matches(event)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_query_as_a_filter_says_what_the_query_says(text in any_query()) {
        let query = Query::parse(&text, now()).unwrap();
        let expected: Vec<bool> = every_event().iter().map(|event| query.matches(event)).collect();
        prop_assert_eq!(said(&json!([{"query": text}])), expected);
    }

    #[test]
    fn not_not_is_the_same(x in any_expression()) {
        prop_assert_eq!(said(&json!([{"not": {"not": x}}])), said(&json!([x])));
    }

    #[test]
    fn all_and_any_keep_the_laws_of_logic(x in any_expression(), y in any_expression()) {
        // De Morgan, 1847.
        let not_all = said(&json!([{"not": {"all": [x, y]}}]));
        prop_assert_eq!(&not_all, &said(&json!([{"any": [{"not": x}, {"not": y}]}])));
        prop_assert_eq!(said(&json!([x, y])), said(&json!([{"all": [y, x]}])));
        prop_assert_eq!(said(&json!([{"any": [x, y]}])), said(&json!([{"any": [y, x]}])));
        prop_assert_eq!(said(&json!([{"any": [x, x]}])), said(&json!([{"all": [x]}])));
        prop_assert_eq!(said(&json!([{"any": [x, {"all": [x, y]}]}])), said(&json!([x])));
    }

    #[test]
    fn what_was_written_is_kept(x in prop::collection::vec(any_expression(), 0..3)) {
        let written = json!(x);
        let filter: Filter = serde_json::from_value(written.clone()).unwrap();
        prop_assert_eq!(serde_json::to_value(&filter).unwrap(), written);
    }
}
