//! Small print. Slack has no element for it in which no markup is read and links are possible; so links are markup, and
//! what is around them is not.

use serde_json::{Value, json};

use super::super::inert::{cut, escape, is_address, is_inert, is_person, one_line};
use super::{ADDRESS_MAX, plain_text, text_of};
use crate::message::Span;

/// Elements of one block.
const ELEMENTS_MAX: usize = 10;

/// A remark of our own.
pub(super) fn note(text: &str) -> Value {
    json!({ "type": "context", "elements": [plain_text(text)] })
}

/// Spans in small print.
pub(super) fn small_print(spans: &[Span], room: usize) -> Option<Value> {
    let mut elements = Vec::new();
    let mut plain = String::new();
    for span in spans {
        match markup(span) {
            Some(text) => {
                push_plain(&mut elements, &mut plain, room);
                elements.push(json!({ "type": "mrkdwn", "text": text, "verbatim": true }));
            }
            None => plain.push_str(&text_of(span)),
        }
    }
    push_plain(&mut elements, &mut plain, room);
    if elements.len() > ELEMENTS_MAX {
        let whole: String = spans.iter().map(text_of).collect();
        elements = vec![plain_text(&cut(whole.trim(), room))];
    }
    (!elements.is_empty()).then(|| json!({ "type": "context", "elements": elements }))
}

fn push_plain(elements: &mut Vec<Value>, plain: &mut String, room: usize) {
    let text = cut(plain.trim(), room);
    if !text.is_empty() {
        elements.push(plain_text(&text));
    }
    plain.clear();
}

/// A link or a person as markup, if nothing else can be read into it.
fn markup(span: &Span) -> Option<String> {
    match span {
        Span::Link { text, url } => {
            let shown = cut(&one_line(text), 150);
            let safe = is_address(url, ADDRESS_MAX / 4) && is_inert(&shown) && !shown.contains('|');
            (safe && !shown.is_empty()).then(|| format!("<{}|{}>", url.replace('&', "&amp;"), escape(&shown)))
        }
        Span::Person(id) => is_person(id).then(|| format!("<@{id}>")),
        Span::Plain(_) | Span::Bold(_) | Span::Code(_) => None,
    }
}
