//! The pages of `devhose demo`, whose organisation is the same every time: what they say, that every form of them says
//! the same, that every figure opens into its events, and that nobody is named.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ingest::demo::{self, Options};
use serde_json::Value;

use crate::program::{Answer, Home, Page, Program, Table};

const NOW: &str = "2026-11-18T15:20:00Z";

const SCALE: &str = "0.3";

/// Pages that are looked at by following links, and so many of each kind.
const PAGES_MAX: usize = 250;
const ALIKE_MAX: usize = 4;

async fn demo() -> (Home, Program) {
    let home = Home::new().at(NOW);
    let program = home.demo(SCALE).await;
    (home, program)
}

#[tokio::test]
async fn the_first_page_tells_how_many_deployments_succeeded() {
    let (home, program) = demo().await;
    let first = Page(program.page("/").await);
    insta::assert_snapshot!(first.headings().join("\n"), @"
    Successful deployments to production
    Successful deployments
    ");
    insta::assert_snapshot!(first.all("<dl class=\"kpis\">", "</dl>").join("\n"), @"last complete week 22 W46, 9–15 Nov 2026 median of 52 complete weeks 14 725 in all this week so far 7 median by the same weekday and hour: 13 (last 8 weeks)");
    let lead_time = Page(program.page("/metrics/lead-time?range=3w").await);
    insta::assert_snapshot!(lead_time.headings().join("\n"), @"
    Change lead time
    Change lead time
    Change lead time, by phase
    Other metrics over the same scope
    ");
    insta::assert_snapshot!(text(&lead_time.tables()[0]), @"
    period | p50_seconds | p75_seconds | p90_seconds | n | found_by_time_of_merging | state
    2026-W47 | 184078 |  |  | 6 | 0 | 3 of 7 days
    2026-W46 | 98353 | 185800 | 394889 | 21 | 0 | complete
    2026-W45 | 98271 | 200447.5 | 291355.0000000003 | 20 | 0 | complete
    2026-W44 | 109633 | 244678 | 349461 | 21 | 0 | complete
    ");
    let tooling = Page(program.page("/metrics/size-merge-time?team=tooling").await);
    insta::assert_snapshot!(tooling.all("<p class=\"nothing\">", "</p>").join("\n"), @"
    fewer than 5 people contributed, or what is shown elsewhere would tell of a group that small
    fewer than 5 people contributed, or what is shown elsewhere would tell of a group that small
    ");

    assert_eq!(program.stop().exit, 0);
    assert_eq!(std::fs::read_dir(home.temporary()).unwrap().count(), 0, "the demo leaves something behind");
}

fn text(table: &Table) -> String {
    let lines = std::iter::once(&table.keys).chain(&table.rows).map(|row| row.join(" | "));
    lines.collect::<Vec<_>>().join("\n")
}

/// Addresses whose three forms must agree.
const FORMS: [&str; 18] = [
    "/",
    "/?grain=day&range=30d",
    "/?team=payments&grain=month&range=12m",
    "/teams",
    "/services",
    "/services/checkout",
    "/services/checkout?timeline=28d&range=8w",
    "/metrics/successful-deployments?service=cart",
    "/metrics/deployment-frequency?grain=month&range=6m",
    "/metrics/lead-time?range=13w",
    "/metrics/lead-time?team=checkout&from=2026-09-01&to=2026-10-01&grain=day",
    "/metrics/change-failure-rate?range=26w&tz=America/New_York",
    "/metrics/recovery-time?range=26w",
    "/metrics/size-merge-time?team=storefront",
    "/metrics/size-merge-time?team=tooling",
    "/metrics/time-to-first-review?env=staging",
    "/metrics/pipeline-duration?repo=github.com/acme/cart",
    "/metrics/pipeline-success-rate?range=8w",
];

/// The address of another form of a page.
fn form(address: &str, suffix: &str) -> String {
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let path = if path == "/" { "/north-star" } else { path };
    if query.is_empty() { format!("{path}{suffix}") } else { format!("{path}{suffix}?{query}") }
}

/// Numbers are the same if they are equal, however they are written.
fn same(one: &str, other: &str) -> bool {
    one == other || one.parse::<f64>().is_ok_and(|number| other.parse() == Ok(number))
}

fn cell(value: &Value) -> String {
    if value.is_null() {
        return String::new();
    }
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Lines of a CSV file without quoted line ends.
fn csv(text: &str) -> Vec<Vec<String>> {
    let line = |line: &str| {
        let mut cells = vec![String::new()];
        let mut quoted = false;
        for c in line.chars() {
            match c {
                '"' => quoted = !quoted,
                ',' if !quoted => cells.push(String::new()),
                c => cells.last_mut().unwrap().push(c),
            }
        }
        cells
    };
    text.lines().map(line).collect()
}

/// The cells of a CSV file by table, row and column, whether it holds one table or several.
fn csv_cells(text: &str, tables: &[Value]) -> BTreeMap<(String, usize, String), String> {
    let lines = csv(text);
    let (head, lines) = lines.split_first().unwrap();
    let mut cells = BTreeMap::new();
    if let [table] = tables {
        for (number, line) in lines.iter().enumerate() {
            let named = head.iter().zip(line).take(head.len() - 3);
            cells.extend(named.map(|(key, value)| ((cell(&table["name"]), number, key.clone()), value.clone())));
        }
        return cells;
    }
    // One cell a line: a row ends where its first column comes again.
    let mut rows = BTreeMap::<(String, String), usize>::new();
    for line in lines {
        let row = rows.entry((line[0].clone(), line[2].clone())).or_default();
        cells.insert((line[0].clone(), *row, line[2].clone()), line[3].clone());
        *row += 1;
    }
    cells
}

#[tokio::test]
async fn page_csv_json_and_api_give_the_same_numbers() {
    let (_home, program) = demo().await;
    for address in FORMS {
        let document = program.json(&form(address, ".json")).await;
        let tables = document["tables"].as_array().unwrap();
        let cells = csv_cells(&program.page(&form(address, ".csv")).await, tables);
        let values = tables.iter().map(|table| {
            table["rows"].as_array().unwrap().iter().map(|row| row.as_object().unwrap().len()).sum::<usize>()
        });
        // Where there are several tables, the first cell of a row names it and has no line of its own.
        let names =
            if tables.len() > 1 { tables.iter().map(|table| table["rows"].as_array().unwrap().len()).sum() } else { 0 };
        assert_eq!(cells.len(), values.sum::<usize>() - names, "{address}: CSV and JSON differ in size");
        for ((table, row, key), value) in &cells {
            let table = tables.iter().find(|known| known["name"] == **table).unwrap();
            let expected = cell(&table["rows"][row][key]);
            assert!(same(value, &expected), "{address}: row {row}, {key}: {value} in CSV, {expected} in JSON");
        }

        let page = Page(program.page(address).await);
        let shown = page.tables();
        if page.0.contains("fewer than 5 people contributed") {
            let named = ["period", "from", "to", "state", "group"];
            let told = cells.iter().filter(|((_, _, key), value)| !named.contains(&key.as_str()) && !value.is_empty());
            assert_eq!(told.collect::<Vec<_>>(), [], "{address} tells of a group that is too small");
            continue;
        }
        assert!(!shown.is_empty() && shown.len() <= tables.len(), "{address}: {} tables", shown.len());
        for (table, document) in shown.iter().zip(tables) {
            assert_eq!(table.rows.len(), document["rows"].as_array().unwrap().len(), "{address}");
            for (row, expected) in table.rows.iter().zip(document["rows"].as_array().unwrap()) {
                for (key, value) in table.keys.iter().zip(row) {
                    assert!(same(value, &cell(&expected[key])), "{address}: {key}: {value} on the page, {expected}");
                }
            }
        }

        if let Some(metric) = address.strip_prefix("/metrics/") {
            let report = program.metric(metric).await;
            let points = report["points"].as_array().unwrap().iter().rev();
            let counts: Vec<_> = tables[0]["rows"].as_array().unwrap().iter().collect();
            assert_eq!(points.len(), counts.len(), "{address}");
            for (point, row) in points.zip(counts) {
                assert_eq!(point["label"], row["period"], "{address}");
                if row.get("n").is_some_and(|n| !n.is_null()) {
                    assert_eq!(point["n"], row["n"], "{address}: {row}");
                }
            }
        }
    }
}

#[tokio::test]
async fn every_figure_opens_into_exactly_the_events_that_it_counts() {
    let (home, program) = demo().await;
    let mut opened = 0;
    for metric in program.metrics().await {
        for scope in ["range=8w", "range=8w&team=checkout", "range=3m&grain=month&service=cart"] {
            let report = program.metric(&format!("{metric}?{scope}")).await;
            if !report["withheld"].is_null() {
                assert_eq!(
                    program.get(&format!("/events?metric={metric}&{scope}")).await.status,
                    403,
                    "{metric} {scope}"
                );
                continue;
            }
            let named = |kind: &str, list: &str| {
                let points = report[list].as_array().unwrap().iter();
                let named = points.map(|point| {
                    (format!("&{kind}={}", encoded(point["label"].as_str().unwrap())), point["n"].clone())
                });
                named.collect::<Vec<_>>()
            };
            let mut figures = vec![(String::new(), report["total"]["n"].clone())];
            figures.extend(named("bucket", "points"));
            figures.extend(named("group", "groups"));
            for (which, n) in figures {
                let n = usize::try_from(n.as_u64().unwrap()).unwrap();
                let question = format!("metric={metric}&{scope}{which}");
                let api = program.json(&format!("/api/v1/metrics/{metric}/evidence?{scope}{which}")).await;
                let counted = api["evidence"].as_array().unwrap().iter().filter(|fact| fact["left_out"].is_null());
                assert_eq!(counted.count(), n, "{question}");
                opened += n;
                let rows = program.page(&format!("/events?{question}")).await.matches(" data-counted").count();
                assert_eq!(rows, n.min(1_000), "{question}");
            }
        }
    }
    assert!(opened > 1_000, "only {opened} events stood behind figures");
    // The command line says the same as the page.
    let server = ["--server", program.url()];
    let printed = home.print(&[&["metrics", "get", "successful-deployments", "--range", "4w"], &server[..]].concat());
    let report = program.metric("successful-deployments?range=4w").await;
    for (line, point) in printed.lines().zip(report["points"].as_array().unwrap()) {
        let cells: Vec<_> = line.split('\t').collect();
        assert_eq!((cells[0], cells[2]), (point["label"].as_str().unwrap(), &*point["figure"]["value"].to_string()));
    }
}

fn encoded(text: &str) -> String {
    let url = reqwest::Url::parse_with_params("http://x/", [("x", text)]).unwrap();
    url.query().unwrap().trim_start_matches("x=").to_owned()
}

/// Handles of everybody in the invented organisation, as its tools send them.
fn handles() -> BTreeSet<String> {
    let options = Options { seed: 7, now: NOW.parse().unwrap(), scale: SCALE.parse().unwrap() };
    let mut handles = BTreeSet::new();
    for delivery in demo::deliveries(options) {
        let body = String::from_utf8_lossy(&delivery.body).into_owned();
        let logins = body.split(r#""login":""#).skip(1);
        handles.extend(logins.map(|rest| rest.split('"').next().unwrap().to_owned()));
    }
    handles.retain(|handle| !handle.starts_with("acme") && !handle.ends_with("[bot]"));
    assert!(handles.len() > 50 && handles.iter().all(|handle| handle.matches('-').count() == 1), "{handles:?}");
    handles
}

/// Who of them a text names. Every handle has one hyphen, and few words have any.
fn named<'h>(handles: &'h BTreeSet<String>, text: &str) -> Vec<&'h String> {
    let other = |c: char| !c.is_ascii_lowercase();
    let around = text.match_indices('-').map(|(at, _)| text.split_at(at)).map(|(before, after)| {
        let after = after.strip_prefix('-').unwrap_or_default();
        format!("{}-{}", before.rsplit(other).next().unwrap(), after.split(other).next().unwrap())
    });
    around.filter_map(|word| handles.get(&word)).collect()
}

/// What addresses of the same kind have in common.
fn shape(address: &str) -> String {
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let keys: BTreeSet<_> = query.split('&').map(|pair| pair.split('=').next().unwrap()).collect();
    let form = path.rsplit_once('.').map_or("", |(_, form)| form);
    let parts = path.split('/').enumerate().map(|(index, part)| if index == 2 { "*" } else { part });
    format!("{} {keys:?} {form}", parts.collect::<Vec<_>>().join("/"))
}

#[tokio::test]
async fn every_link_leads_somewhere_and_nothing_names_anybody() {
    let (home, program) = demo().await;
    let handles = handles();
    let begin = ["/", "/teams", "/services", "/events", "/sources", "/privacy", "/metrics/lead-time"];
    let mut open: VecDeque<(String, String)> = begin.map(|page| (page.to_owned(), "the beginning".to_owned())).into();
    let mut seen: BTreeSet<String> = begin.map(str::to_owned).into();
    let mut alike = BTreeMap::<String, usize>::new();
    let mut forms = BTreeSet::new();
    let mut looked_at = 0;
    while let Some((address, from)) = open.pop_front() {
        let answer = program.get(&address).await;
        assert!(answer.status < 400, "{address}, linked from {from}: {}", answer.status);
        assert_eq!(named(&handles, &answer.body), Vec::<&String>::new(), "{address} names somebody");
        looked_at += 1;
        forms.insert(answer.header("content-type").split(';').next().unwrap().to_owned());
        if looked_at == PAGES_MAX {
            break;
        }
        if !answer.header("content-type").starts_with("text/html") {
            continue;
        }
        for link in Page(answer.body).links() {
            let count = alike.entry(shape(&link)).or_default();
            if *count < ALIKE_MAX && seen.insert(link.clone()) {
                *count += 1;
                open.push_back((link, address.clone()));
            }
        }
    }
    assert!(looked_at > 100, "only {looked_at} pages");
    let expected = ["application/json", "image/svg+xml", "text/csv", "text/html"];
    assert!(expected.iter().all(|form| forms.contains(*form)), "only {forms:?}");

    // The API and the command line carry whole events: changes, reviews and pushes have people in them.
    for query in ["type:change.*", "type:commit.pushed", "type:pipelinerun.*", "type:ticket.*", "type:com.github.*"] {
        let request = program.request("GET", "/api/v1/events").query(&[("q", query), ("limit", "100")]);
        let answer = Answer::of(request).await;
        assert_eq!(named(&handles, &answer.body), Vec::<&String>::new(), "{query}");
    }
    let ran = home.run(&["events", "list", "type:change.reviewed", "--json", "--server", program.url()]);
    assert_eq!((ran.exit, named(&handles, &ran.stdout)), (0, Vec::new()));
    let tail = ["events", "tail", "--since", "earliest", "--count", "500", "--json", "--server", program.url()];
    let told = home.print(&tail);
    assert_eq!((told.lines().count(), named(&handles, &told)), (500, Vec::new()));
}
