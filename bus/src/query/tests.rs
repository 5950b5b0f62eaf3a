//! The query language: what reads, what does not, and that printing reads back.

use chrono::{DateTime, TimeZone, Utc};
use proptest::prelude::*;

use super::*;

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 14, 9, 26, 53).unwrap()
}

fn parse(text: &str) -> Query {
    Query::parse(text, now()).unwrap()
}

fn error(text: &str) -> String {
    let error = Query::parse(text, now()).unwrap_err();
    assert_eq!(text.get(error.range.clone()), Some(error.token.as_str()));
    format!("{}..{} {error}", error.range.start, error.range.end)
}

#[test]
fn the_query_of_the_explorer_reads() {
    let query =
        parse(r#"type:service.* service:checkout outcome:failed since:2h before:1732526400000 -text:"time out""#);
    insta::assert_snapshot!(query, @r#"type:service.* service:checkout outcome:failed since:2h before:2024-11-25T09:20:00Z -text:"time out""#);
    let moments = query.terms().iter().filter_map(|term| since(&term.condition));
    assert_eq!(moments.collect::<Vec<_>>(), [Utc.with_ymd_and_hms(2026, 3, 14, 7, 26, 53).unwrap()]);
}

fn since(condition: &Condition) -> Option<DateTime<Utc>> {
    if let Condition::Since(moment) = condition { Some(moment.at()) } else { None }
}

#[test]
fn a_word_without_a_key_is_looked_for_as_text_and_an_id_as_an_event() {
    insta::assert_snapshot!(parse("timeout \"no route\""), @r#"text:timeout text:"no route""#);
    insta::assert_snapshot!(
        parse("-3F2504E0-4F89-11D3-9A0C-0305E82C3301"),
        @"-id:3f2504e0-4f89-11d3-9a0c-0305e82c3301"
    );
}

#[test]
fn a_wrong_token_is_named_with_its_place_and_a_remedy() {
    insta::assert_snapshot!(error("type:a servise:checkout"), @"7..23 servise:checkout cannot be read: there is no key servise; did you mean service:?");
    insta::assert_snapshot!(error("kind:change.merged"), @"0..18 kind:change.merged cannot be read: there is no key kind; did you mean type:?");
    insta::assert_snapshot!(error("https://example.org"), @"0..19 https://example.org cannot be read: there is no key https; the keys are type, source, repo, service, env, outcome, subject, id, delivery, since, before, text; to look for a text, put it in quotes");
    insta::assert_snapshot!(error("repo:*/shop"), @"0..11 repo:*/shop cannot be read: * can stand only at the end; to look for the character, put the value in quotes");
    insta::assert_snapshot!(error("service: x"), @"0..8 service: cannot be read: service: needs a value right after the colon");
    insta::assert_snapshot!(error("outcome:bad"), @"0..11 outcome:bad cannot be read: an outcome is success, failure, cancelled, error, or failed for failure and error");
    insta::assert_snapshot!(error("é since:soon"), @"3..13 since:soon cannot be read: a time is 30m, 2h, 3d or 52w ago, a date such as 2026-01-31, a time such as 2026-01-31T09:30:00Z, or milliseconds since 1970");
    insta::assert_snapshot!(error("since:99999999999w"), @"0..18 since:99999999999w cannot be read: a time is 30m, 2h, 3d or 52w ago, a date such as 2026-01-31, a time such as 2026-01-31T09:30:00Z, or milliseconds since 1970");
    insta::assert_snapshot!(error(r#"text:"open"#), @r#"0..10 text:"open cannot be read: the closing quote is missing"#);
    insta::assert_snapshot!(error(r#"text:"a"b"#), @r#"0..9 text:"a"b cannot be read: a space is needed after the closing quote"#);
    insta::assert_snapshot!(error("-"), @"0..1 - cannot be read: a key and a value are needed, such as type:change.merged");
    insta::assert_snapshot!(error("delivery:abc"), @"0..12 delivery:abc cannot be read: a delivery is named by its offset, a number");
    insta::assert_snapshot!(error("id:5"), @"0..4 id:5 cannot be read: an event id is a UUID");
    insta::assert_snapshot!(error("text:a*"), @"0..7 text:a* cannot be read: text takes no *; to look for the character, put the value in quotes");
}

#[test]
fn a_query_has_a_largest_number_of_terms() {
    let most = "env:a ".repeat(QUERY_TERMS_MAX);
    assert_eq!(parse(&most).terms().len(), QUERY_TERMS_MAX);
    assert!(error(&(most + "env:b")).contains("at most 500 terms"));
}

#[test]
fn no_ids_match_nothing_and_print_so_too() {
    let query = Query::of_ids([]);
    insta::assert_snapshot!(query, @"-type:*");
    assert_eq!(parse(&query.to_string()), query);
}

#[test]
fn a_term_can_be_taken_out() {
    insta::assert_snapshot!(parse("type:a outcome:failed env:b").without(1), @"type:a env:b");
}

#[test]
fn the_end_of_a_prefix_is_the_next_value_after_it() {
    let end = |prefix| Pattern::end_of_prefix(prefix);
    assert_eq!(end("service."), Some("service/".to_owned()));
    assert_eq!(end("a\u{d7ff}"), Some("a\u{e000}".to_owned()));
    assert_eq!(end("a\u{10ffff}"), Some("b".to_owned()));
    assert_eq!(end("\u{10ffff}"), None);
    assert_eq!(end(""), None);
}

fn any_pattern() -> impl Strategy<Value = Pattern> {
    prop_oneof!["\\PC{1,8}|[a\"* \\\\.:-]{1,6}".prop_map(Pattern::Is), "\\PC{0,8}".prop_map(Pattern::Begins)]
}

fn any_moment() -> impl Strategy<Value = Moment> {
    prop_oneof![
        (0_i64..4_000_000_000_000_000).prop_map(|us| Moment::at_time(DateTime::from_timestamp_micros(us).unwrap())),
        (0_u32..5_000).prop_map(|weeks| Moment::ago(weeks, Unit::Week, now()).unwrap()),
        (0_u32..5_000).prop_map(|minutes| Moment::ago(minutes, Unit::Minute, now()).unwrap()),
    ]
}

fn any_condition() -> impl Strategy<Value = Condition> {
    prop_oneof![
        any_pattern().prop_map(Condition::Type),
        any_pattern().prop_map(Condition::Source),
        any_pattern().prop_map(Condition::Repository),
        any_pattern().prop_map(|pattern| Condition::Service { pattern, repositories: Vec::new() }),
        any_pattern().prop_map(Condition::Environment),
        any_pattern().prop_map(Condition::Subject),
        Just(Condition::Outcome(OutcomeTerm::Failed)),
        Just(Condition::Outcome(OutcomeTerm::Is(Outcome::Cancelled))),
        any::<[u8; 16]>().prop_map(|bytes| Condition::Id(EventId::from_bytes(bytes))),
        any::<i64>().prop_map(|offset| Condition::Delivery(DeliveryOffset(offset))),
        any_moment().prop_map(Condition::Since),
        any_moment().prop_map(Condition::Before),
        "\\PC{1,12}|[a\"* \\\\\n]{1,6}".prop_map(Condition::Text),
    ]
}

proptest! {
    #[test]
    fn a_printed_query_reads_back_as_the_same(
        terms in prop::collection::vec((any::<bool>(), any_condition()), 0..8)
    ) {
        let query = terms.into_iter().fold(Query::default(), |query, (negated, condition)| {
            query.and(Term { negated, condition })
        });
        prop_assert_eq!(Query::parse(&query.to_string(), now()).unwrap(), query);
    }

    #[test]
    fn any_text_is_read_or_refused_with_a_place_in_it(text in "\\PC{0,40}|[a-z:\"*\\\\ -]{0,40}") {
        if let Err(error) = Query::parse(&text, now()) {
            prop_assert_eq!(text.get(error.range), Some(error.token.as_str()));
        }
    }
}
