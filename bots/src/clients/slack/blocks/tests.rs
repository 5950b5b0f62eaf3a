//! Block Kit against the limits that Slack documents, and against texts that look like markup.

use proptest::prelude::*;

use super::*;

/// A message with every part, as a bot would say it at three in the morning.
fn killed() -> Message {
    let open = |label: &str, url: &str| Button { label: label.to_owned(), does: Press::Open(url.to_owned()) };
    let answer = |label: &str, button: &str| Button {
        label: label.to_owned(),
        does: Press::Answer { button: button.to_owned(), value: "eu-1/checkout/oom".to_owned() },
    };
    Message {
        summary: "checkout was killed: out of memory <!channel>".to_owned(),
        blocks: vec![
            Block::Heading("checkout killed: out of memory (512Mi limit)".to_owned()),
            Block::Text(vec![
                Span::bold("Why: "),
                Span::plain("it used more than "),
                Span::code("512Mi"),
                Span::plain(" <!channel> `x` *y* "),
                Span::link("the pod", "https://d.example/pods?a=1&b=2"),
                Span::Person("U012AB3CD".to_owned()),
            ]),
            Block::Fields(vec![Field::new("Exit", "137 (SIGKILL)"), Field::new("Memory", "511Mi of 512Mi")]),
            Block::Fields(vec![Field::new("Image", "shop/checkout:`latest`"), Field::new("Node", "n_1")]),
            Block::List(vec![vec![Span::plain("v42 was deployed 4 min before")], vec![]]),
            Block::Code("panic: <@U012AB3CD>\n\tat main.go:12".to_owned()),
            Block::Divider,
            Block::Context(vec![
                Span::plain("eu-1 · payments · "),
                Span::link("run", "https://d.example/runs/7"),
                Span::plain(" · 8 API calls, 240 ms"),
            ]),
            Block::Buttons(vec![
                open("Full report", "https://d.example/r"),
                open("Logs", "javascript:alert(1)"),
                answer("Acknowledge", "killed-pods/acknowledge"),
            ]),
        ],
    }
}

#[test]
fn a_message_with_every_part_is_written_in_block_kit() {
    let value = block_kit(&killed());
    check(&value);
    let lines: Vec<String> = value["blocks"].as_array().unwrap().iter().map(Value::to_string).collect();
    insta::assert_snapshot!(format!("{}\n{}", value["text"], lines.join("\n")), @r#"
    "checkout was killed: out of memory &lt;!channel&gt;"
    {"text":{"emoji":false,"text":"checkout killed: out of memory (512Mi limit)","type":"plain_text"},"type":"header"}
    {"elements":[{"elements":[{"style":{"bold":true},"text":"Why: ","type":"text"},{"text":"it used more than ","type":"text"},{"style":{"code":true},"text":"512Mi","type":"text"},{"text":" <!channel> `x` *y* ","type":"text"},{"text":"the pod","type":"link","url":"https://d.example/pods?a=1&b=2"},{"type":"user","user_id":"U012AB3CD"}],"type":"rich_text_section"}],"type":"rich_text"}
    {"fields":[{"text":"*Exit:* 137 (SIGKILL)","type":"mrkdwn","verbatim":true},{"text":"*Memory:* 511Mi of 512Mi","type":"mrkdwn","verbatim":true}],"type":"section"}
    {"fields":[{"emoji":false,"text":"Image: shop/checkout:`latest`","type":"plain_text"},{"emoji":false,"text":"Node: n_1","type":"plain_text"}],"type":"section"}
    {"elements":[{"elements":[{"elements":[{"text":"v42 was deployed 4 min before","type":"text"}],"type":"rich_text_section"}],"style":"bullet","type":"rich_text_list"}],"type":"rich_text"}
    {"elements":[{"elements":[{"text":"panic: <@U012AB3CD>\n\tat main.go:12","type":"text"}],"type":"rich_text_preformatted"}],"type":"rich_text"}
    {"type":"divider"}
    {"elements":[{"emoji":false,"text":"eu-1 · payments ·","type":"plain_text"},{"text":"<https://d.example/runs/7|run>","type":"mrkdwn","verbatim":true},{"emoji":false,"text":"· 8 API calls, 240 ms","type":"plain_text"}],"type":"context"}
    {"elements":[{"action_id":"open-0","text":{"emoji":false,"text":"Full report","type":"plain_text"},"type":"button","url":"https://d.example/r"},{"action_id":"killed-pods/acknowledge","text":{"emoji":false,"text":"Acknowledge","type":"plain_text"},"type":"button","value":"eu-1/checkout/oom"}],"type":"actions"}
    "#);
}

#[test]
fn what_a_message_says_is_never_markup() {
    let nasty =
        "<!channel> <@U012AB3CD> <https://evil.example|ok> `code` *bold* _it_ ~s~ :fire: &lt;!here&gt;\n> quote";
    let span = || vec![Span::plain(nasty), Span::bold(nasty), Span::code(nasty), Span::link(nasty, nasty)];
    let message = Message {
        summary: nasty.to_owned(),
        blocks: vec![
            Block::Heading(nasty.to_owned()),
            Block::Text(span()),
            Block::Fields(vec![Field::new(nasty, nasty)]),
            Block::List(vec![span()]),
            Block::Context(span()),
            Block::Context(vec![Span::link(nasty, "https://d.example"), Span::Person("!channel".to_owned())]),
        ],
    };
    let value = block_kit(&message);
    check(&value);
    assert!(!value.to_string().contains("mrkdwn"), "{value}");
}

#[test]
fn what_does_not_fit_is_left_out_and_said() {
    let log: String = (0..400).map(|n| format!("{n}: {}\n", "x".repeat(80))).collect();
    let mut message = killed();
    message.blocks.insert(2, Block::Code(log));
    let value = block_kit(&message);
    check(&value);
    assert!(value.to_string().contains("lines left out"));

    let many: Vec<Block> =
        (0..200).map(|n| Block::Text(vec![Span::plain(format!("{n} {}", "y".repeat(400)))])).collect();
    let buttons = killed().blocks.pop().unwrap();
    let value = block_kit(&Message { summary: "many".to_owned(), blocks: many.into_iter().chain([buttons]).collect() });
    check(&value);
    let blocks = value["blocks"].as_array().unwrap();
    assert!(blocks.iter().any(|block| block["type"] == "actions"), "buttons stay");
    assert!(blocks.last().unwrap().to_string().contains("parts are left out"));
}

#[test]
fn a_message_without_parts_says_its_summary() {
    let value = block_kit(&Message { summary: "all is well".to_owned(), blocks: vec![Block::Text(vec![])] });
    check(&value);
    assert!(value["blocks"].to_string().contains("all is well"));
    check(&block_kit(&Message::default()));
}

/// Panics unless Slack would take it, by the rules it documents, and unless what it reads as markup is only ours.
fn check(message: &Value) {
    let text = message["text"].as_str().unwrap();
    assert!((1..=40_000).contains(&length(text)));
    assert_escaped(text);
    let blocks = message["blocks"].as_array().unwrap();
    assert!((1..=BLOCKS_MAX).contains(&blocks.len()), "{} blocks", blocks.len());
    assert!(length(&message["blocks"].to_string()) <= MESSAGE_MAX);
    for block in blocks {
        match block["type"].as_str().unwrap() {
            "header" => assert_plain(&block["text"], HEADER_MAX),
            "divider" => {}
            "section" => each(&block["fields"], 1..=10, |field| assert_text(field, FIELD_MAX)),
            "context" => each(&block["elements"], 1..=10, |element| assert_text(element, 3000)),
            "actions" => {
                each(&block["elements"], 1..=5, assert_button);
                let ids: Vec<_> =
                    block["elements"].as_array().unwrap().iter().map(|b| b["action_id"].clone()).collect();
                assert!(ids.iter().enumerate().all(|(at, id)| !ids[..at].contains(id)), "ids are different: {ids:?}");
            }
            "rich_text" => each(&block["elements"], 1..=10, assert_rich),
            other => panic!("block {other}"),
        }
    }
}

fn each(elements: &Value, count: std::ops::RangeInclusive<usize>, check: impl Fn(&Value)) {
    let elements = elements.as_array().unwrap();
    assert!(count.contains(&elements.len()), "{} elements", elements.len());
    elements.iter().for_each(check);
}

fn assert_plain(text: &Value, max: usize) {
    assert_eq!(text["type"], "plain_text");
    assert_eq!(text["emoji"], false, "names of emoji stay text");
    assert!((1..=max).contains(&length(text["text"].as_str().unwrap())));
}

fn assert_text(text: &Value, max: usize) {
    if text["type"] != "mrkdwn" {
        return assert_plain(text, max);
    }
    assert_eq!(text["verbatim"], true, "addresses and names stay text");
    let text = text["text"].as_str().unwrap();
    assert!((1..=max).contains(&length(text)));
    // Ours: a label in bold, or one link, or one person.
    let rest = if let Some(inner) = text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')) {
        match inner.strip_prefix('@') {
            Some(id) => return assert!(is_person(id), "{text}"),
            None => {
                let (url, shown) = inner.split_once('|').unwrap();
                assert!(is_address(url, 3000) && !shown.contains('|'), "{text}");
                shown.to_owned()
            }
        }
    } else {
        let (label, value) = text.strip_prefix('*').and_then(|rest| rest.split_once(":* ")).unwrap();
        // The value stands behind its label: it begins no line, and so no quote.
        format!("{label}\nvalue {value}")
    };
    assert!(!rest.contains(['<', '>', '*', '~', '`']), "{text}");
    assert_escaped(&rest);
    assert!(is_inert(&rest.replace("&gt;", ">").replace("&lt;", "<").replace("&amp;", "&")), "{text}");
}

fn assert_escaped(text: &str) {
    assert!(!text.contains(['<', '>']), "{text}");
    let entities = ["amp;", "lt;", "gt;"];
    assert!(text.split('&').skip(1).all(|rest| entities.iter().any(|entity| rest.starts_with(entity))), "{text}");
}

fn assert_button(button: &Value) {
    assert_eq!(button["type"], "button");
    assert_plain(&button["text"], BUTTON_TEXT_MAX);
    assert!((1..=BUTTON_ID_MAX).contains(&length(button["action_id"].as_str().unwrap())));
    assert!(button["value"].as_str().is_none_or(|value| (1..=BUTTON_VALUE_MAX).contains(&length(value))));
    assert!(button["url"].as_str().is_none_or(|url| is_address(url, ADDRESS_MAX)));
}

fn assert_rich(element: &Value) {
    match element["type"].as_str().unwrap() {
        "rich_text_section" | "rich_text_preformatted" => each(&element["elements"], 1..=500, assert_span),
        "rich_text_list" => each(&element["elements"], 1..=500, |item| {
            assert_eq!(item["type"], "rich_text_section");
            each(&item["elements"], 1..=500, assert_span);
        }),
        other => panic!("element {other}"),
    }
}

fn assert_span(span: &Value) {
    match span["type"].as_str().unwrap() {
        "text" => assert!((1..=3000).contains(&length(span["text"].as_str().unwrap()))),
        "link" => {
            assert!(is_address(span["url"].as_str().unwrap(), ADDRESS_MAX));
            assert!(!span["text"].as_str().unwrap().is_empty());
        }
        "user" => assert!(is_person(span["user_id"].as_str().unwrap())),
        other => panic!("span {other}"),
    }
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => r"[ -~\n]{0,80}",
        2 => r"[<>&*_~`|:@!#a-c \n]{0,40}",
        1 => r"\PC{0,60}",
        1 => ".{0,30}",
        1 => Just("x".repeat(4000)),
        1 => Just("\"\\\n".repeat(900)),
    ]
}

fn any_span() -> impl Strategy<Value = Span> {
    prop_oneof![
        any_text().prop_map(Span::Plain),
        any_text().prop_map(Span::Bold),
        any_text().prop_map(Span::Code),
        (any_text(), any_text()).prop_map(|(text, url)| Span::Link { text, url }),
        (any_text(), any_text()).prop_map(|(text, path)| Span::link(text, format!("https://d.example/{path}"))),
        prop_oneof![any_text(), Just("U012AB3CD".to_owned())].prop_map(Span::Person),
    ]
}

fn any_button() -> impl Strategy<Value = Button> {
    let press = prop_oneof![
        any_text().prop_map(|path| Press::Open(format!("https://d.example/{path}"))),
        ("[a-z]{1,5}/[a-z]{1,30}", any_text()).prop_map(|(button, value)| Press::Answer { button, value }),
    ];
    (any_text(), press).prop_map(|(label, does)| Button { label, does })
}

fn any_block() -> impl Strategy<Value = Block> {
    let spans = || prop::collection::vec(any_span(), 0..6);
    prop_oneof![
        any_text().prop_map(Block::Heading),
        spans().prop_map(Block::Text),
        prop::collection::vec(spans(), 0..6).prop_map(Block::List),
        prop::collection::vec((any_text(), any_text()), 0..14)
            .prop_map(|all| Block::Fields(all.into_iter().map(|(label, value)| Field { label, value }).collect())),
        any_text().prop_map(Block::Code),
        spans().prop_map(Block::Context),
        prop::collection::vec(any_button(), 0..8).prop_map(Block::Buttons),
        Just(Block::Divider),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_a_message_says_it_is_within_limits_and_no_markup(
        summary in any_text(),
        blocks in prop::collection::vec(any_block(), 0..40),
    ) {
        check(&block_kit(&Message { summary, blocks }));
    }
}

#[test]
fn a_log_of_which_nothing_can_be_shown_is_no_part_of_a_message() {
    let message = |blocks: Vec<Block>| block_kit(&Message { summary: "x".to_owned(), blocks });
    assert_eq!(message(vec![Block::Code("\0\u{1b}".to_owned())]), message(Vec::new()));
    check(&message(vec![Block::Fields(vec![Field::new("Exit", "> 128")])]));
}
