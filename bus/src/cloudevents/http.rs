//! Binary mode over HTTP: attributes in `ce-` headers, the body is the data.

use percent_encoding::percent_decode_str;

use super::check::{is_uri_reference, wrong};
use super::json::time;
use super::{Attribute, CloudEvent, CloudEventError, HttpMessage, Payload, Rules, SPECVERSION, essence, is_json};

impl CloudEvent {
    /// Reads one event in binary mode. Header names may be in any case; headers other than `ce-*` are passed over.
    ///
    /// # Errors
    /// See [`CloudEventError`].
    pub fn from_http<'a>(
        content_type: Option<&str>,
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
        body: &[u8],
        rules: Rules,
    ) -> Result<Self, CloudEventError> {
        let mut event = Self::new(String::new(), String::new(), String::new());
        event.datacontenttype = content_type.map(str::to_owned);
        event.payload = payload(content_type, body);
        let mut seen = Vec::new();
        for (header, value) in headers {
            let header = header.to_ascii_lowercase();
            let Some(name) = header.strip_prefix("ce-") else { continue };
            if seen.iter().any(|other| other == name) {
                return Err(wrong(name, "must not be sent twice"));
            }
            let value = decode(name, value, rules)?;
            event.set(name, value, rules)?;
            seen.push(name.to_owned());
        }
        for name in ["specversion", "id", "source", "type"] {
            if !seen.iter().any(|other| other == name) {
                return Err(CloudEventError::Missing(name));
            }
        }
        event.keeps(rules)?;
        Ok(event)
    }

    fn set(&mut self, name: &str, value: String, rules: Rules) -> Result<(), CloudEventError> {
        if value.is_empty() && rules == Rules::Lenient && !matches!(name, "id" | "source" | "type" | "specversion") {
            return Ok(());
        }
        match name {
            "specversion" if value == SPECVERSION => {}
            "specversion" => return Err(wrong(name, "must be 1.0: other versions are not supported")),
            "id" => self.id = value,
            "source" => self.source = value,
            "type" => self.event_type = value,
            "subject" => self.subject = Some(value),
            "time" => self.time = Some(time(name, &value)?),
            "dataschema" => self.dataschema = Some(value),
            "datacontenttype" if rules == Rules::Strict => {
                return Err(wrong(name, "must not be a ce- header: it is the content-type of the request"));
            }
            "datacontenttype" => {}
            _ => {
                self.extensions.insert(name.to_owned(), Attribute::String(value));
            }
        }
        Ok(())
    }

    /// Writes the event in binary mode.
    ///
    /// # Errors
    /// As [`CloudEvent::to_json`].
    pub fn to_http(&self) -> Result<HttpMessage, serde_json::Error> {
        let mut headers = Vec::new();
        let time = self.time.map(super::timestamp);
        for (name, value) in [
            ("specversion", Some(SPECVERSION)),
            ("id", Some(self.id.as_str())),
            ("source", Some(self.source.as_str())),
            ("type", Some(self.event_type.as_str())),
            ("subject", self.subject.as_deref()),
            ("time", time.as_deref()),
            ("dataschema", self.dataschema.as_deref()),
        ] {
            headers.extend(value.map(|value| (format!("ce-{name}"), encode(value))));
        }
        headers.extend(self.extensions.iter().map(|(name, value)| (format!("ce-{name}"), encode(&value.text()))));
        // In the JSON format an absent type means JSON; here it would mean nothing.
        let implied = matches!(self.payload, Payload::Json(_)).then_some("application/json");
        let content_type = self.datacontenttype.as_deref().or(implied);
        headers.extend(content_type.map(|text| ("content-type".to_owned(), text.to_owned())));
        let body = match &self.payload {
            Payload::None => Vec::new(),
            Payload::Json(value) => serde_json::to_vec(value)?,
            Payload::Text(text) => text.clone().into_bytes(),
            Payload::Binary(bytes) => bytes.clone(),
        };
        Ok(HttpMessage { headers, body })
    }
}

/// Data that is not what its type says stays bytes: the envelope is good all the same.
fn payload(content_type: Option<&str>, body: &[u8]) -> Payload {
    let bytes = || Payload::Binary(body.to_vec());
    match content_type {
        _ if body.is_empty() => Payload::None,
        Some(text) if is_json(text) => serde_json::from_slice(body).map_or_else(|_| bytes(), Payload::Json),
        Some(text) if is_utf8_text(text) => {
            std::str::from_utf8(body).map_or_else(|_| bytes(), |text| Payload::Text(text.to_owned()))
        }
        Some(_) | None => bytes(),
    }
}

fn is_utf8_text(content_type: &str) -> bool {
    let essence = essence(content_type);
    let textual = essence.starts_with("text/") || essence.ends_with("/xml") || essence.ends_with("+xml");
    let charset = content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"').to_ascii_lowercase())
    });
    textual && matches!(charset.as_deref(), None | Some("utf-8" | "us-ascii"))
}

/// Space, `"`, `%` and everything that is not printable ASCII become `%XX`.
fn encode(value: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let hex = |digit: u8| HEX.get(usize::from(digit & 0xF)).map_or('0', |b| char::from(*b));
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'"' | b'%' => encoded.extend(['%', hex(byte >> 4), hex(byte)]),
            0x21..=0x7E => encoded.push(char::from(byte)),
            _ => encoded.extend(['%', hex(byte >> 4), hex(byte)]),
        }
    }
    encoded
}

fn decode(name: &str, value: &str, rules: Rules) -> Result<String, CloudEventError> {
    let decoded = unquote(value).and_then(|text| percent_decode(&text));
    match (decoded, rules) {
        // Some senders put a URI into the header as it is. Decoding it once too often can leave no URI.
        (Ok(text), Rules::Lenient) if name == "source" && !is_uri_reference(&text) => Ok(value.to_owned()),
        (Ok(text), Rules::Strict | Rules::Lenient) => Ok(text),
        (Err(_), Rules::Lenient) => Ok(value.to_owned()),
        (Err(why), Rules::Strict) => Err(wrong(name, why)),
    }
}

/// Undoes a quoted string with its backslashes; other text is given back as it is.
fn unquote(value: &str) -> Result<String, &'static str> {
    let Some(rest) = value.strip_prefix('"') else { return Ok(value.to_owned()) };
    let mut text = String::with_capacity(rest.len());
    let mut chars = rest.chars();
    loop {
        match chars.next() {
            Some('"') if chars.as_str().is_empty() => return Ok(text),
            Some('\\') => text.push(chars.next().ok_or("has a quoted string without its end")?),
            Some('"') | None => return Err("has a quoted string without its end"),
            Some(c) => text.push(c),
        }
    }
}

/// Exactly one round, with digits in either case.
fn percent_decode(text: &str) -> Result<String, &'static str> {
    let escapes = text.split('%').skip(1);
    let hex = |part: &str| part.get(..2).is_some_and(|two| two.bytes().all(|b| b.is_ascii_hexdigit()));
    if !escapes.into_iter().all(hex) {
        return Err("has a % that is not followed by two hexadecimal digits");
    }
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(std::borrow::Cow::into_owned).map_err(|_| "is not UTF-8 after percent-decoding")
}
