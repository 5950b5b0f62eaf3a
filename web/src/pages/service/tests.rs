//! What happened to a service, on its page.

use bus::data::Data;
use bus::data::runtime::{Deployment, Incident, Pod};
use bus::event::{Event, Origin, Recorded};
use bus::ids::{DeliveryOffset, EventOffset, OrderKey};
use bus::kind::Kind;
use bus::query::Query;
use chrono::{DateTime, Duration, Utc};

use crate::error::PageError;
use crate::happenings::{Found, Happenings};
use crate::testing::{event, get_where, now};

/// Events that happened, found by the query's own comparison.
struct Happened {
    events: Vec<Recorded>,
    watched: bool,
}

impl Happenings for Happened {
    fn find(&self, query: &Query, limit: usize) -> Result<Found, PageError> {
        let found = self.events.iter().filter(|recorded| query.matches(recorded)).take(limit);
        Ok(Found { events: found.cloned().collect(), cut: false })
    }

    fn clusters_watched(&self) -> bool {
        self.watched
    }
}

fn at(number: u8, kind: &str, hours_ago: i64, data: Data) -> Recorded {
    let time: DateTime<Utc> = now() - Duration::hours(hours_ago);
    Recorded {
        offset: EventOffset(number.into()),
        recorded_at: time,
        revision: 0,
        origin: Origin { source: "ops/eu-1".parse().unwrap(), delivery: DeliveryOffset(1), index: 0 },
        event: Event {
            id: event(number),
            kind: Kind::from(kind),
            source: "ops".to_owned(),
            subject: "thing".to_owned(),
            time,
            key: OrderKey("key".to_owned()),
            data,
        },
    }
}

fn pod(number: u8, kind: &str, hours_ago: i64, reason: &str) -> Recorded {
    let pod = Pod {
        id: format!("kill {number}"),
        service: Some("checkout".to_owned()),
        pod: Some("checkout-7c9".to_owned()),
        uid: Some("uid".to_owned()),
        node: Some("n1".to_owned()),
        reason: Some(reason.to_owned()),
        exit_code: Some(137),
        ..Pod::default()
    };
    at(number, kind, hours_ago, Data::Pod(Box::new(pod)))
}

fn deployment(number: u8, kind: &str, hours_ago: i64) -> Recorded {
    let id = format!("d{number}");
    let deployment = Deployment { id, service: Some("checkout".to_owned()), ..Deployment::default() };
    at(number, kind, hours_ago, Data::Deployment(Box::new(deployment)))
}

fn incident(number: u8, kind: &str, hours_ago: i64) -> Recorded {
    let incident = Incident { id: "i1".to_owned(), service: Some("checkout".to_owned()), ..Incident::default() };
    at(number, kind, hours_ago, Data::Incident(Box::new(incident)))
}

fn week() -> Vec<Recorded> {
    vec![
        pod(1, "pod.crashlooping", 1, "CrashLoopBackOff"),
        pod(2, "pod.killed", 2, "OOMKilled"),
        pod(3, "pod.killed", 3, "OOMKilled"),
        incident(4, "incident.resolved", 4),
        pod(5, "pod.evicted", 30, "Evicted"),
        incident(6, "incident.detected", 31),
        deployment(7, "deployment.failed", 40),
        deployment(8, "service.deployed", 41),
        pod(9, "pod.killed", 24 * 9, "Error"),
    ]
}

/// The labels of the marks of the wide drawing.
fn labels(body: &str) -> Vec<String> {
    let wide = body.split("class=\"chart wide\"").nth(1).unwrap().split("</svg>").next().unwrap();
    let labels = wide.split("aria-label=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
    labels.map(|label| label.replace(['\u{202f}', '\u{a0}'], " ")).collect()
}

#[tokio::test]
async fn what_happened_stands_in_lanes_whose_marks_lead_to_its_events() {
    let page = get_where(Happened { events: week(), watched: true }, "/services/checkout").await;
    insta::assert_snapshot!(labels(&page.body).join("\n"), @"
    23 Nov 15:16–21:16: 2 deployments, 1 failed
    23 Nov 21:16–24 Nov 03:16: Incident i1 of checkout was detected
    24 Nov 03:16–09:16: Pod checkout-7c9 was evicted (Evicted)
    25 Nov 03:16–09:16: 2 killed pods: OOMKilled 2
    ");
    assert!(page.body.contains(&format!("/events/{}", event(5))), "one event is linked itself");
    let several = "type%3Apod.killed+type%3Apod.evicted+service%3Acheckout+since%3A2026-11-25T03%3A16";
    assert!(page.body.contains(several), "several are linked by the query that finds them");
    assert!(page.body.contains("3\u{a0}kills in the last 7 days: OOMKilled 2, Evicted 1; 1\u{a0}time a container"));
}

#[tokio::test]
async fn nothing_killed_is_0_only_where_a_cluster_is_watched() {
    let quiet = |watched| Happened { events: Vec::new(), watched };
    let watched = get_where(quiet(true), "/services/checkout").await.body;
    assert!(watched.contains("0\u{a0}killed pods") && watched.contains("No pod of this service was killed"));
    let unwatched = get_where(quiet(false), "/services/checkout").await.body;
    assert!(unwatched.contains("Killed pods: no data") && unwatched.contains("no cluster is watched"));
    assert!(unwatched.contains("data-value=\"\" class=\"number\">no data"), "the table says so too");
}

#[tokio::test]
async fn the_span_is_part_of_the_address_and_a_wrong_one_is_named() {
    let happened = || Happened { events: week(), watched: true };
    let month = get_where(happened(), "/services/checkout?timeline=28d").await.body;
    assert!(month.contains("4\u{a0}kills in the last 28 days"), "the kill of nine days ago is in it");
    let wrong = get_where(happened(), "/services/checkout?timeline=3d").await;
    assert_eq!(wrong.status, http::StatusCode::BAD_REQUEST);
    assert!(wrong.body.contains("1d, 7d or 28d"));
    let csv = get_where(happened(), "/services/checkout.csv").await.body;
    assert!(csv.contains("killed-pods,") && csv.contains("OOMKilled") && csv.contains("timeline,"), "{csv}");
}
