//! The pages through the front door: one router, real requests, the whole answer.

use http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, LOCATION, SET_COOKIE,
};
use http::{Request, StatusCode};
use serde_json::Value;

use crate::testing::{Made, get, get_from};

/// Every page with every table it has in HTML.
const PAGES: [&str; 8] = [
    "/",
    "/teams",
    "/teams/payments/delivery",
    "/teams/payments/code",
    "/services",
    "/metrics/successful-deployments",
    "/metrics/lead-time",
    "/metrics/change-failure-rate",
];

/// The same address with a suffix.
fn with_suffix(address: &str, suffix: &str) -> String {
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let path = if path == "/" { "/north-star" } else { path };
    if query.is_empty() { format!("{path}{suffix}") } else { format!("{path}{suffix}?{query}") }
}

/// The tables of a page: for each row, the raw values of its cells by key of the column.
fn tables_of(html: &str) -> Vec<Vec<Vec<(String, String)>>> {
    let attribute = |text: &str, name: &str| {
        let (_, rest) = text.split_once(&format!("{name}=\""))?;
        rest.split_once('"').map(|(value, _)| unescape(value))
    };
    let table = |table: &str| {
        let (head, body) = table.split_once("<tbody>").unwrap();
        let keys: Vec<String> = head.split("<th ").skip(1).filter_map(|th| attribute(th, "data-key")).collect();
        let rows = body.split("<tr>").skip(1);
        let row = |row: &str| {
            let values = row.split(" data-value=").skip(1).filter_map(|rest| rest.split('"').nth(1).map(unescape));
            keys.iter().cloned().zip(values).collect()
        };
        rows.map(row).collect()
    };
    html.split("<table>").skip(1).map(|part| table(part.split("</table>").next().unwrap())).collect()
}

fn unescape(text: &str) -> String {
    text.replace("&#60;", "<").replace("&#62;", ">").replace("&#34;", "\"").replace("&#39;", "'").replace("&#38;", "&")
}

fn raw(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            // 12.0 in JSON is 12 elsewhere.
            let text = value.to_string();
            text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
        }
    }
}

#[tokio::test]
async fn page_csv_and_json_hold_the_same_numbers() {
    for page in PAGES {
        for query in ["", "?range=13w", "?grain=month&range=12m"] {
            let address = format!("{page}{query}");
            let html = tables_of(&get(&address).await.body);
            let json: Value = serde_json::from_str(&get(&with_suffix(&address, ".json")).await.body).unwrap();
            let json = json["tables"].as_array().unwrap();
            let csv = get(&with_suffix(&address, ".csv")).await.body;
            assert_eq!(html.len(), json.len(), "tables of {address}");
            let mut cells = 0;
            for (html, json) in html.iter().zip(json) {
                let rows = json["rows"].as_array().unwrap();
                assert_eq!(html.len(), rows.len(), "rows of {} of {address}", json["name"]);
                for (shown, row) in html.iter().zip(rows) {
                    for (key, value) in shown {
                        assert_eq!(*value, raw(&row[key]), "{key} of {address}");
                        let quoted = value.replace('"', "\"\"");
                        assert!(csv.contains(&quoted), "{key} {value:?} of {address} is not in the CSV");
                        cells += 1;
                    }
                }
            }
            assert!(cells > 0, "{address} has no table");
        }
    }
}

#[tokio::test]
async fn one_table_is_the_same_csv_row_by_row() {
    let html = tables_of(&get("/").await.body).remove(0);
    let csv = get("/north-star.csv").await.body;
    let mut lines = csv.lines();
    let keys: Vec<&str> = lines.next().unwrap().split(',').collect();
    for (row, line) in html.iter().zip(lines) {
        let cells: Vec<&str> = line.split(',').collect();
        for (key, value) in row {
            let column = keys.iter().position(|k| k == key).unwrap();
            assert_eq!(cells[column], value, "{key}");
        }
    }
}

#[tokio::test]
async fn every_chart_is_named_described_linked_and_repeated_as_a_table() {
    for page in PAGES {
        let body = get(page).await.body;
        for svg in body.split("<svg class=\"chart").skip(1) {
            let svg = svg.split("</svg>").next().unwrap();
            let id = svg.split("aria-labelledby=\"").nth(1).unwrap().split("-caption").next().unwrap();
            assert!(svg.contains(r#"role="group""#) && svg.contains("aria-describedby="), "{page} {id}");
            assert!(body.contains(&format!(r#"id="{id}-caption""#)) && body.contains(&format!(r#"id="{id}-summary""#)));
            let marks = svg.matches("<a href=").count();
            assert_eq!(svg.matches("aria-label=").count(), marks, "{page} {id}");
            assert_eq!(svg.matches(r#"tabindex="-1""#).count() + 1, marks.max(1), "{page} {id}");
        }
        let ids: Vec<&str> = body.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        let distinct: std::collections::BTreeSet<&&str> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len(), "an id stands twice on {page}");
    }
}

#[tokio::test]
async fn nothing_on_a_page_needs_inline_style_or_script() {
    for page in
        PAGES.into_iter().chain(["/teams/payments", "/services/checkout", "/privacy", "/docs/metrics/lead-time"])
    {
        let answered = get(page).await;
        assert_eq!(answered.status, StatusCode::OK, "{page}");
        assert!(!answered.body.contains(" style=") && !answered.body.contains("<style"), "{page}");
        assert_eq!(answered.body.matches("<script").count(), 1, "{page}");
        let policy = answered.headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'self'; script-src 'self'"), "{policy}");
    }
}

#[tokio::test]
async fn the_north_star_tells_the_week_so_far_like_for_like() {
    let body = get("/").await.body.replace(['\u{202f}', '\u{a0}'], " ");
    assert!(body.contains("this week so far"));
    // 27 so far; each of the last eight weeks had about a third of its deployments by Wednesday 09:16.
    assert!(body.contains("median by the same weekday and hour: "), "{body}");
    assert!(body.contains("3 of 7 days") && body.contains("outside the routine range"));
    // The first two weeks of the range are before the first event: they have no slot.
    assert!(body.contains("The axis begins on 8 Dec 2025") && !body.contains("before the first event"));
    assert!(body.contains("ISO weeks (Mon), UTC · 52 complete weeks + current · data through 25 Nov 2026 09:16"));
}

#[tokio::test]
async fn every_number_links_to_its_evidence_within_its_scope() {
    let body = get("/teams/payments/delivery?range=13w&tz=Europe/Berlin").await.body;
    assert!(body.contains(
        "/events?metric=lead-time&#38;bucket=2026-W47&#38;team=payments&#38;range=13w&#38;tz=Europe%2FBerlin"
    ));
}

#[tokio::test]
async fn withheld_figures_say_why_and_nothing_else() {
    let made = Made { empty: false, withheld: true };
    let request = Request::get("/metrics/time-to-first-review").body(axum::body::Body::empty()).unwrap();
    let body = get_from(made.clone(), request).await.body;
    assert!(body.contains("fewer than 5 people contributed; figures are shown from 5 on"));
    for absent in ["<svg class=\"chart", "<dl", "<table", " counted in", "left out"] {
        assert!(!body.contains(absent), "{absent}");
    }
    let request = Request::get("/metrics/time-to-first-review.csv").body(axum::body::Body::empty()).unwrap();
    let csv = get_from(made, request).await.body;
    assert!(csv.lines().skip(1).all(|line| line.contains(",,,,withheld,")), "{csv}");
}

#[tokio::test]
async fn without_data_the_first_page_opens_three_doors() {
    let request = Request::get("/").body(axum::body::Body::empty()).unwrap();
    let body = get_from(Made { empty: true, withheld: false }, request).await.body;
    for door in ["devhose import git", "curl -fsS http://127.0.0.1:4000/hooks/hello", "devhose demo"] {
        assert!(body.contains(door), "{door}");
    }
}

#[tokio::test]
async fn a_bad_value_is_a_page_that_names_it_with_a_fix() {
    let answered = get("/teams/payments/delivery?range=banana&team=x").await;
    assert_eq!(answered.status, StatusCode::BAD_REQUEST);
    assert!(answered.body.contains("Range=&#34;banana&#34; is not a number of days, weeks, months or years"));
    assert!(answered.body.contains(r#"href="/teams/payments/delivery?team=x&#38;range=52w""#), "{}", answered.body);
}

#[tokio::test]
async fn an_unknown_name_is_answered_with_the_nearest_known_one() {
    let cases = [
        ("/teams/paymnts/delivery?range=13w", r#"href="/teams/payments/delivery?range=13w""#),
        ("/services/chekout", r#"href="/services/checkout""#),
        ("/metrics/leadtime", r#"href="/metrics/lead-time""#),
        ("/docs/metrics/leed-time", r#"href="/metrics/lead-time""#),
        ("/?team=paymnts", r#"href="/?team=payments""#),
    ];
    for (address, link) in cases {
        let answered = get(address).await;
        assert_eq!(answered.status, StatusCode::NOT_FOUND, "{address}");
        assert!(answered.body.contains(link), "{address}: {}", answered.body);
    }
    assert_eq!(get("/nothing/here").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_page_that_is_known_already_is_not_sent_again() {
    let first = get("/teams").await;
    let tag = first.headers[ETAG].clone();
    assert_eq!(first.headers[CACHE_CONTROL], "no-cache");
    let again = Request::get("/teams").header("if-none-match", tag).body(axum::body::Body::empty()).unwrap();
    let again = get_from(Made::default(), again).await;
    assert_eq!((again.status, again.body.len()), (StatusCode::NOT_MODIFIED, 0));
    let dark = Request::get("/teams").header("cookie", "theme=dark").body(axum::body::Body::empty()).unwrap();
    let dark = get_from(Made::default(), dark).await;
    assert!(dark.body.contains(r#"<html lang="en" data-theme="dark">"#));
    assert_ne!(dark.headers[ETAG], first.headers[ETAG]);
}

#[tokio::test]
async fn the_theme_is_kept_in_a_cookie_and_leads_back() {
    let answered = get("/theme?to=dark&back=/teams?range=13w").await;
    assert_eq!(answered.status, StatusCode::SEE_OTHER);
    assert_eq!(answered.headers[LOCATION], "/teams?range=13w");
    assert!(answered.headers[SET_COOKIE].to_str().unwrap().starts_with("theme=dark; Path=/;"));
    assert_eq!(get("/theme?to=dark&back=//evil.example").await.headers[LOCATION], "/");
}

#[tokio::test]
async fn the_files_of_a_page_fit_their_budgets_and_never_go_stale() {
    // Bytes after brotli; a first view is 30 kB in four requests.
    let body = get("/").await.body;
    for (suffix, bytes_max) in [(".css", 8_192), (".js", 8_192), (".svg", 2_048)] {
        let address = body.split('"').find(|part| part.starts_with("/a/") && part.contains(suffix)).unwrap();
        let address = address.split('#').next().unwrap();
        let request = Request::get(address).header("accept-encoding", "br").body(axum::body::Body::empty()).unwrap();
        let answered = get_from(Made::default(), request).await;
        assert_eq!(answered.headers[CACHE_CONTROL], "public, max-age=31536000, immutable");
        assert!(answered.bytes <= bytes_max, "{address} has {} bytes", answered.bytes);
    }
    for page in PAGES {
        // A page of one figure is typical; a page of all figures of a team is the worst there is.
        let bytes_max = if page.starts_with("/teams/") { 40_960 } else { 12_288 };
        let request = Request::get(page).header("accept-encoding", "br").body(axum::body::Body::empty()).unwrap();
        let answered = get_from(Made::default(), request).await;
        assert_eq!(answered.headers[CONTENT_ENCODING], "br");
        assert!(answered.bytes <= bytes_max, "{page} has {} bytes", answered.bytes);
    }
}

#[tokio::test]
async fn a_chart_is_a_file_with_literal_colours() {
    let answered = get("/metrics/successful-deployments.svg?range=13w").await;
    assert_eq!(answered.headers[CONTENT_TYPE], "image/svg+xml");
    assert!(answered.body.contains(r##"fill="#3572c6""##));
    assert!(!answered.body.contains("class=") && !answered.body.contains("var(") && !answered.body.contains("<a "));
}

#[tokio::test]
async fn what_a_sender_named_is_text_and_never_markup() {
    let body = get("/teams").await.body;
    assert!(body.contains("Shop &#38; &#60;Search&#62;") && !body.contains("<Search>"));
}

#[tokio::test]
async fn services_are_found_by_any_word_of_theirs() {
    let rows = |body: &str| tables_of(body).first().map_or(0, Vec::len);
    assert_eq!(rows(&get("/services?q=check+payments").await.body), 1);
    assert_eq!(rows(&get("/services?q=PAYMENTS").await.body), 5);
    let none = get("/services?q=%3Cnothing%3E").await.body;
    assert!(none.contains("0 of") && none.contains("“&#60;nothing&#62;”"));
}

#[tokio::test]
async fn the_command_beside_a_figure_asks_the_same() {
    let body = get("/teams/payments/delivery?range=13w&env=staging").await.body;
    assert!(body.contains("devhose metrics get lead-time --team payments --env staging --range 13w"), "{body}");
}
