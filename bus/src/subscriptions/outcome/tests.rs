//! What attempts lead to, without tables or clocks.

use chrono::TimeZone;
use proptest::prelude::*;

use super::*;
use crate::ids::{EventId, EventOffset};
use crate::subscriptions::store::queue::{KeyHash, WorkId};
use crate::subscriptions::{ResponseSeen, Timings};

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 14, 9, 26, 53).unwrap()
}

fn work(id: i64, attempts: u32) -> Work {
    let event_id = EventId::from_bytes([7; 16]);
    Work { id: WorkId(id), event: EventOffset(id), event_id, key: KeyHash(1), attempts, replay: 0 }
}

fn answered(status: u16, retry_after: Option<&str>) -> Attempted {
    let headers = retry_after.map(|value| ("Retry-After".to_owned(), value.to_owned())).into_iter().collect();
    Attempted {
        at: now(),
        request_headers: Vec::new(),
        response: Some(ResponseSeen { status, headers, body: String::new(), truncated: false }),
        error: None,
        timings: Timings::default(),
    }
}

fn wait(status: u16, retry_after: &str) -> Option<TimeDelta> {
    match Outcome::of(&answered(status, Some(retry_after)), now()) {
        Outcome::Failed(_, wait) => wait,
        Outcome::Delivered | Outcome::Gone => panic!("{status} is a failure"),
    }
}

#[test]
fn answers_mean_what_standard_webhooks_says() {
    for status in [200, 201, 202, 204, 299] {
        assert_eq!(Outcome::of(&answered(status, None), now()), Outcome::Delivered);
    }
    assert_eq!(Outcome::of(&answered(410, None), now()), Outcome::Gone);
    for status in [100, 301, 302, 307, 400, 401, 404, 409, 422, 429, 500, 502, 503, 504] {
        assert!(matches!(Outcome::of(&answered(status, None), now()), Outcome::Failed(_, None)), "{status}");
    }
    let silent = Attempted { response: None, error: Some("refused".to_owned()), ..answered(200, None) };
    assert_eq!(Outcome::of(&silent, now()), Outcome::Failed("refused".to_owned(), None));
}

#[test]
fn retry_after_is_seconds_or_a_date_and_an_hour_at_most() {
    for status in [429, 502, 503, 504] {
        assert_eq!(wait(status, "120"), Some(TimeDelta::seconds(120)));
    }
    assert_eq!(wait(500, "120"), None, "only where it has a meaning");
    assert_eq!(wait(429, "Sat, 14 Mar 2026 09:30:00 GMT"), Some(TimeDelta::seconds(187)));
    assert_eq!(wait(429, "Sat, 14 Mar 2026 09:00:00 GMT"), Some(TimeDelta::zero()));
    for long in ["3601", "99999999999", "99999999999999999999999999", "Sun, 14 Mar 2027 09:30:00 GMT"] {
        assert_eq!(wait(429, long), Some(TimeDelta::hours(1)), "{long}");
    }
    for nonsense in ["", "soon", "-5", "1.5"] {
        assert_eq!(wait(429, nonsense), None, "{nonsense:?}");
    }
}

#[test]
fn the_usual_schedule_has_ten_attempts_over_75_hours() {
    let retry = RetryPolicy::default();
    let seconds: i64 = retry.delays_seconds.iter().copied().map(i64::from).sum();
    assert_eq!((retry.delays_seconds.len() + 1, seconds), (10, 75 * 3600 + 35 * 60 + 5));
    let failed = Outcome::Failed("x".to_owned(), None);
    let verdicts: Vec<Verdict> = (0..10).map(|before| fate(&failed, &work(1, before), &retry, now()).1).collect();
    assert_eq!(verdicts, [vec![Verdict::Retried; 9], vec![Verdict::Dead]].concat());
}

#[test]
fn retry_after_puts_the_next_attempt_off_and_never_forward() {
    let failed = |seconds| Outcome::Failed("x".to_owned(), Some(TimeDelta::seconds(seconds)));
    let due = |outcome: &Outcome, before| match fate(outcome, &work(1, before), &RetryPolicy::default(), now()).0 {
        Fate::Again(due) => due - now(),
        Fate::Done | Fate::Dead(_) => panic!("it is tried again"),
    };
    assert_eq!(due(&failed(600), 0), TimeDelta::seconds(600));
    assert!(due(&failed(600), 4) > TimeDelta::hours(3));
}

proptest! {
    #[test]
    fn jitter_is_a_fifth_at_most_and_differs(delay_seconds in 0_u32..100_000_000, id in any::<i64>(), before in 0_u32..3) {
        let retry = RetryPolicy { delays_seconds: vec![delay_seconds; 3] };
        let found = delay(&retry, &work(id, before), before).num_milliseconds();
        let exact = i64::from(delay_seconds) * 1_000;
        prop_assert!((found - exact).abs() * 5 <= exact, "{found} for {exact}");
    }
}

#[test]
fn jitter_spreads_over_its_range() {
    let retry = RetryPolicy { delays_seconds: vec![1_000] };
    let mut found: Vec<i64> = (0..1_000).map(|id| delay(&retry, &work(id, 0), 0).num_seconds()).collect();
    found.sort_unstable();
    assert!(found[50] < 830 && found[500] > 960 && found[500] < 1_040 && found[949] > 1_170, "{found:?}");
}
