//! A message as Block Kit: <https://docs.slack.dev/reference/block-kit>. Text in it is only ever text.

use serde_json::{Value, json};

use super::inert::{cut, escape, is_address, is_inert, is_person, length, one_line, shown};
use crate::message::{Block, Button, Field, Message, Press, Span};

mod context;
mod lines;

/// Limits of Slack, in characters and in numbers of elements.
const HEADER_MAX: usize = 150;
const FIELDS_MAX: usize = 10;
const FIELD_MAX: usize = 2000;
const BUTTON_TEXT_MAX: usize = 75;
const BUTTON_ID_MAX: usize = 255;
const BUTTON_VALUE_MAX: usize = 2000;
const ADDRESS_MAX: usize = 3000;
const BLOCKS_MAX: usize = 50;

/// Ours: a row of buttons that fits a phone.
const BUTTONS_MAX: usize = 5;

/// All blocks together as JSON. Slack refuses a message with `msg_blocks_too_long` at some undocumented size: one of
/// 11,341 characters of text was refused (<https://github.com/slackapi/bolt-js/issues/2867>), and the JSON is longer.
const MESSAGE_MAX: usize = 11_000;

/// The text that stands in for the blocks: in notifications, for screen readers, in search.
const FALLBACK_MAX: usize = 1_000;

/// How much room parts are given. What matters least gives way first: lines of code, then length of text.
struct Room {
    code: usize,
    text: usize,
}

const ROOMS: [Room; 6] = [
    Room { code: 3000, text: 3000 },
    Room { code: 1500, text: 3000 },
    Room { code: 600, text: 1500 },
    Room { code: 0, text: 1500 },
    Room { code: 0, text: 500 },
    Room { code: 0, text: 150 },
];

/// A message as it is posted, without the channel: `{"text": …, "blocks": […]}`.
#[must_use]
pub fn block_kit(message: &Message) -> Value {
    let summary = one_line(&message.summary);
    let text = if summary.is_empty() { one_line(&message.to_text()) } else { summary };
    let text = if text.is_empty() { "(no text)".to_owned() } else { cut(&text, FALLBACK_MAX) };
    let mut blocks = fitting(message);
    if blocks.is_empty() {
        blocks.push(rich(&[section(&[plain_span(&text)])]));
    }
    json!({ "text": escape(&text), "blocks": blocks })
}

/// The blocks in as much room as there is; in the least room, without the last ones.
fn fitting(message: &Message) -> Vec<Value> {
    let mut blocks = Vec::new();
    for room in &ROOMS {
        blocks = message.blocks.iter().flat_map(|block| rendered(block, room)).collect();
        if fits(&blocks) {
            return blocks;
        }
    }
    let mut left_out = 0_usize;
    while !blocks.is_empty() {
        // Buttons stay as long as anything else can go.
        let last = blocks.iter().rposition(|block| block.get("type") != Some(&json!("actions")));
        blocks.remove(last.unwrap_or(blocks.len() - 1));
        left_out += 1;
        let note = context::note(&format!("{left_out} parts are left out: the message is too long for Slack"));
        let with_note: Vec<Value> = blocks.iter().cloned().chain([note]).collect();
        if fits(&with_note) {
            return with_note;
        }
    }
    blocks
}

fn fits(blocks: &[Value]) -> bool {
    blocks.len() <= BLOCKS_MAX && length(&Value::from(blocks.to_vec()).to_string()) <= MESSAGE_MAX
}

/// What a part becomes: nothing if it is empty, several blocks if it is more than one may hold.
fn rendered(block: &Block, room: &Room) -> Vec<Value> {
    match block {
        Block::Heading(text) => header(text).into_iter().collect(),
        Block::Text(spans) => {
            let elements = elements(spans, room.text);
            if elements.is_empty() { Vec::new() } else { vec![rich(&[section(&elements)])] }
        }
        Block::List(items) => list(items, room).into_iter().collect(),
        Block::Fields(all) => all.chunks(FIELDS_MAX).filter_map(|fields| facts(fields, room)).collect(),
        Block::Code(text) => {
            let text = lines::within(&shown(text), room.code);
            if text.trim().is_empty() {
                return Vec::new();
            }
            vec![rich(&[json!({ "type": "rich_text_preformatted", "elements": [plain_span(&text)] })])]
        }
        Block::Context(spans) => context::small_print(spans, room.text).into_iter().collect(),
        Block::Buttons(all) => {
            let buttons: Vec<Value> = all.iter().enumerate().filter_map(|(index, one)| button(index, one)).collect();
            let row = |row: &[Value]| json!({ "type": "actions", "elements": row });
            buttons.chunks(BUTTONS_MAX).map(row).collect()
        }
        Block::Divider => vec![json!({ "type": "divider" })],
    }
}

fn header(text: &str) -> Option<Value> {
    let text = cut(&one_line(text), HEADER_MAX);
    (!text.is_empty()).then(|| json!({ "type": "header", "text": plain_text(&text) }))
}

fn list(items: &[Vec<Span>], room: &Room) -> Option<Value> {
    let mut left = room.text;
    let mut sections = Vec::new();
    for item in items {
        let elements = elements(item, left);
        if elements.is_empty() {
            continue;
        }
        left = left.saturating_sub(item.iter().map(|span| length(&text_of(span))).sum());
        sections.push(section(&elements));
        if left == 0 {
            break;
        }
    }
    let missing =
        items.iter().filter(|item| !item.iter().all(|span| text_of(span).is_empty())).count() - sections.len();
    if missing > 0 {
        sections.push(section(&[plain_span(&format!("… {missing} more"))]));
    }
    let list = json!({ "type": "rich_text_list", "style": "bullet", "elements": sections });
    (!sections.is_empty()).then(|| rich(&[list]))
}

/// Facts side by side. Labels stand out if no fact of them holds markup; else all of them are plain.
fn facts(fields: &[Field], room: &Room) -> Option<Value> {
    let max = FIELD_MAX.min(room.text);
    let shorten = |field: &Field| (cut(&one_line(&field.label), max / 4), cut(shown(&field.value).trim(), max / 2));
    let facts: Vec<(String, String)> =
        fields.iter().map(shorten).filter(|(label, value)| !label.is_empty() || !value.is_empty()).collect();
    let marked = facts.iter().all(|(label, value)| {
        let whole = format!("*{}:* {}", escape(label), escape(value));
        !label.is_empty() && is_inert(&format!("{label}: {value}")) && length(&whole) <= FIELD_MAX
    });
    let fact = |(label, value): &(String, String)| {
        if marked {
            json!({ "type": "mrkdwn", "text": format!("*{}:* {}", escape(label), escape(value)), "verbatim": true })
        } else {
            plain_text(&if label.is_empty() { value.clone() } else { format!("{label}: {value}") })
        }
    };
    let fields: Vec<Value> = facts.iter().map(fact).collect();
    (!fields.is_empty()).then(|| json!({ "type": "section", "fields": fields }))
}

/// A button; none if it would do something else than it should, because what it stands for is too long.
fn button(index: usize, button: &Button) -> Option<Value> {
    let label = cut(&one_line(&button.label), BUTTON_TEXT_MAX);
    let text = plain_text(&if label.is_empty() { "…".to_owned() } else { label });
    match &button.does {
        Press::Open(url) => is_address(url, ADDRESS_MAX)
            .then(|| json!({ "type": "button", "text": text, "action_id": format!("open-{index}"), "url": url })),
        Press::Answer { button: id, value } => {
            let in_limits = (1..=BUTTON_ID_MAX).contains(&length(id)) && length(value) <= BUTTON_VALUE_MAX;
            let mut made = json!({ "type": "button", "text": text, "action_id": id });
            if let (Some(fields), false) = (made.as_object_mut(), value.is_empty()) {
                fields.insert("value".to_owned(), json!(value));
            }
            in_limits.then_some(made)
        }
    }
}

/// Spans as elements of rich text, in which Slack reads no markup.
fn elements(spans: &[Span], room: usize) -> Vec<Value> {
    let mut left = room;
    let mut elements = Vec::new();
    for span in spans {
        let whole = text_of(span);
        let text = cut(&whole, left);
        if text.is_empty() {
            continue;
        }
        left = left.saturating_sub(length(&whole));
        elements.push(match span {
            Span::Plain(_) => plain_span(&text),
            Span::Bold(_) => json!({ "type": "text", "text": text, "style": { "bold": true } }),
            Span::Code(_) => json!({ "type": "text", "text": text, "style": { "code": true } }),
            Span::Link { url, .. } if is_address(url, ADDRESS_MAX) => {
                json!({ "type": "link", "url": url, "text": text })
            }
            Span::Person(id) if is_person(id) => json!({ "type": "user", "user_id": id }),
            Span::Link { .. } | Span::Person(_) => plain_span(&text),
        });
        if left == 0 {
            break;
        }
    }
    elements
}

/// The text of a span that shows.
fn text_of(span: &Span) -> String {
    match span {
        Span::Plain(text) | Span::Bold(text) | Span::Code(text) => shown(text),
        Span::Link { text, url } if text.trim().is_empty() => shown(url),
        Span::Link { text, url } if !is_address(url, ADDRESS_MAX) => format!("{} ({})", shown(text), shown(url)),
        Span::Link { text, .. } => shown(text),
        Span::Person(id) => format!("@{}", shown(id)),
    }
}

fn rich(elements: &[Value]) -> Value {
    json!({ "type": "rich_text", "elements": elements })
}

fn section(elements: &[Value]) -> Value {
    json!({ "type": "rich_text_section", "elements": elements })
}

fn plain_span(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}

fn plain_text(text: &str) -> Value {
    json!({ "type": "plain_text", "text": text, "emoji": false })
}

#[cfg(test)]
mod tests;
