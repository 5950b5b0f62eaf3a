//! A page as a reader sees it: headings, links, tables. Only as much of HTML as our own pages use.

/// The text of a page.
#[derive(Debug)]
pub(crate) struct Page(pub(crate) String);

/// A table: the keys of its columns, and the raw values of its rows.
#[derive(Debug, PartialEq)]
pub(crate) struct Table {
    pub(crate) keys: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Page {
    /// The headings of the first two levels.
    pub(crate) fn headings(&self) -> Vec<String> {
        let headings = self.0.split("<h").skip(1).filter(|rest| rest.starts_with(['1', '2']));
        headings.map(|rest| words(rest.split("</h").next().unwrap().split_once('>').unwrap().1)).collect()
    }

    /// The words of every element that begins with this tag and ends with that one.
    pub(crate) fn all(&self, begin: &str, end: &str) -> Vec<String> {
        let elements = self.0.split(begin).skip(1);
        elements.map(|rest| words(rest.split(end).next().unwrap())).collect()
    }

    /// Addresses of this program that it links to, without fragments, in order.
    pub(crate) fn links(&self) -> Vec<String> {
        let links = attributes(&self.0, "href").into_iter().filter(|link| link.starts_with('/'));
        links.map(|link| link.split('#').next().unwrap().to_owned()).collect()
    }

    /// The tables of figures.
    pub(crate) fn tables(&self) -> Vec<Table> {
        let tables = self.0.split("<table>").skip(1).map(|rest| rest.split("</table>").next().unwrap());
        tables.filter(|table| table.contains("data-key=")).map(table).collect()
    }
}

fn table(text: &str) -> Table {
    let (head, body) = text.split_once("<tbody>").unwrap();
    let rows = body.split("<tr").skip(1).map(|row| attributes(row, "data-value"));
    Table { keys: attributes(head, "data-key"), rows: rows.collect() }
}

/// The values of all attributes of a name.
fn attributes(text: &str, name: &str) -> Vec<String> {
    let begin = format!(" {name}=\"");
    text.split(&begin).skip(1).map(|rest| unescaped(rest.split('"').next().unwrap())).collect()
}

/// Text without tags, its white space as one blank.
fn words(html: &str) -> String {
    let without_tags: String = html
        .split('<')
        .enumerate()
        .map(|(i, part)| if i == 0 { part } else { part.split_once('>').map_or("", |p| p.1) })
        .collect::<Vec<_>>()
        .join(" ");
    unescaped(&without_tags.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn unescaped(text: &str) -> String {
    [
        ("&#38;", "&"),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#60;", "<"),
        ("&#62;", ">"),
        ("&amp;", "&"),
        ("&lt;", "<"),
        ("&gt;", ">"),
    ]
    .iter()
    .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}
