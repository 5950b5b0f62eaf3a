//! `/teams/{team}/code`: size of changes and how long they take to merge, reviews, phases. All of it is withheld where
//! few people contributed.

use askama::Template;
use ledger::report::{Report, Scope};
use ledger::window::Grain;

use crate::charts::shares::{self, Column};
use crate::charts::time::period;
use crate::error::PageError;
use crate::figure::{Body, Figure, compose};
use crate::format;
use crate::layout::{Layout, Tab};
use crate::pages::filters::Filters;
use crate::pages::team::{self, TeamHead};
use crate::request::{Reply, Request};
use crate::state::Asked;
use crate::table::{self, Cell, Table, Value};

const SIZE: &str = "size-merge-time";
const FIRST_REVIEW: &str = "time-to-first-review";
const PHASES: &str = "lead-time";
const ROUNDS: &str = "review-rounds";

#[derive(Debug, Template)]
#[template(path = "pages/figures.html")]
struct Code {
    layout: Layout,
    head: TeamHead,
    subtitle: String,
    filters: Filters,
    introduction: &'static str,
    figures: Vec<Figure>,
}

pub(crate) fn page(request: &Request) -> Result<Reply, PageError> {
    let asked = request.asked_within(Scope::Team(request.parameter().to_owned()));
    let head = team::head(request, "Code");
    let page = Code {
        layout: request.layout(format!("{}: code", head.title), Tab::Teams),
        head,
        subtitle: request.subtitle(&asked),
        filters: Filters::of_time(&asked),
        introduction: "Changes of the whole team together; what bots open is left out and counted.",
        figures: figures(request, &asked)?,
    };
    let tables: Vec<_> = page.figures.iter().map(|figure| &figure.table).collect();
    request.reply(&page, &tables)
}

fn figures(request: &Request, asked: &Asked) -> Result<Vec<Figure>, PageError> {
    let mut figures = Vec::new();
    if let Some(report) = compose::report(request, asked, SIZE)? {
        let mut figure = compose::by_group(request, asked, "size", &report, "lines changed");
        figure.title = "Change size and time to merge".to_owned();
        if report.withheld.is_none() {
            figure.notes.extend(association(&report));
        }
        figures.push(figure);
    }
    figures.extend(shares_by_month(request, asked)?);
    if let Some(report) = compose::report(request, asked, FIRST_REVIEW)? {
        figures.push(compose::over_time(request, asked, "first-review", &report));
    }
    if let Some(report) = compose::report(request, asked, PHASES)? {
        let mut figure = compose::by_group(request, asked, "phases", &report, "phase");
        figure.notes.push("Medians of phases do not add up to the median of the whole.".to_owned());
        figures.push(figure);
    }
    if let Some(report) = compose::report(request, asked, ROUNDS)? {
        figures.push(compose::by_group(request, asked, "rounds", &report, "rounds"));
    }
    Ok(figures)
}

/// What stands beside the sizes: the rank correlation with its caution, and what is not merged.
fn association(report: &Report) -> Vec<String> {
    let note = |name: &str| report.notes.iter().find(|(note, _)| *note == name).map(|(_, value)| *value);
    let mut notes = Vec::new();
    if let Some((rho, n)) = note("spearman rho").zip(note("spearman n")) {
        let sign = if rho < 0.0 { "−" } else { "" };
        let n = format::decimal(n);
        notes.push(format!(
            "Spearman ρ {sign}{:.2} between size and time to merge, n {n}: association, not cause.",
            rho.abs()
        ));
    }
    if let Some((open, closed)) = note("open now").zip(note("closed unmerged")) {
        notes.push(format!("Open now: {}; closed unmerged: {}.", format::decimal(open), format::decimal(closed)));
    }
    if let Some(share) = note("from first commit") {
        let share = format::percent(share);
        notes.push(format!("For {share} nobody knows when they were opened; they run from their first commit."));
    }
    notes
}

/// Shares of the sizes by month.
fn shares_by_month(request: &Request, asked: &Asked) -> Result<Option<Figure>, PageError> {
    let mut monthly = asked.clone();
    monthly.ask.window.grain = Grain::Month;
    let Some(report) = compose::report(request, &monthly, SIZE)? else { return Ok(None) };
    let parts: Vec<String> = report.groups.iter().map(|group| group.label.clone()).collect();
    let mut figure = compose::frame(request, asked, "shares", &report);
    figure.title = "Share of changes by size and month".to_owned();
    let columns = columns(&report, &monthly, parts.len());
    figure.table = shares_table(&report, &columns, &parts);
    if report.withheld.is_some() {
        return Ok(Some(figure));
    }
    if columns.iter().all(|column| column.counts.iter().sum::<u64>() == 0) {
        figure.body = Body::Nothing("No change was merged in this range.".to_owned());
        return Ok(Some(figure));
    }
    figure.summary = format!("Share of merged changes by lines changed over {} months.", columns.len());
    figure.body =
        compose::chart(|size| shares::draw(&columns, &parts, "share of merged changes, by lines changed", size));
    Ok(Some(figure))
}

fn columns(report: &Report, monthly: &Asked, parts: usize) -> Vec<Column> {
    let counts = |beside: &[(&'static str, u64)]| {
        let count = |part: usize| {
            let name = format!("size {part}");
            beside.iter().find(|(beside, _)| *beside == name).map_or(0, |(_, count)| *count)
        };
        (1..=parts).map(count).collect()
    };
    let column = |point: &ledger::report::BucketPoint| {
        let period = period(&point.bucket, &monthly.ask.window);
        let label = period.split(' ').next().unwrap_or_default().to_owned();
        Column {
            label,
            counts: counts(&point.point.beside),
            complete: point.bucket.complete,
            href: evidence(monthly, &point.bucket.label),
            period,
        }
    };
    report.points.iter().map(column).collect()
}

/// The address of the evidence of a month: the page itself may be in weeks.
fn evidence(monthly: &Asked, month: &str) -> String {
    let mut monthly = monthly.clone();
    monthly.pairs.retain(|(key, _)| key != "grain");
    monthly.pairs.push(("grain".to_owned(), "month".to_owned()));
    monthly.evidence(SIZE, Some(("bucket", month)))
}

fn shares_table(report: &Report, columns: &[Column], parts: &[String]) -> Table {
    let mut head = vec![table::Column::new("period", "Month")];
    head.extend(parts.iter().map(|part| table::Column::new(part.clone(), part.clone())));
    let row = |column: &Column| {
        let mut cells = vec![Cell::linked(Value::Text(column.period.clone()), column.href.clone())];
        cells.extend(column.counts.iter().map(|count| {
            Cell::new(match report.withheld {
                Some(_) => Value::Missing("withheld"),
                None => Value::Count(*count),
            })
        }));
        cells
    };
    Table {
        name: "size-shares-by-month".to_owned(),
        definition_version: Some(report.definition.version),
        columns: head,
        rows: columns.iter().rev().map(row).collect(),
    }
}
