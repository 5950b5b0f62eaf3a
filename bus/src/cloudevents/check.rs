//! The rules that every attribute must keep, whatever carries it.

use super::{Attribute, CloudEvent, CloudEventError, Rules};

const EMPTY: &str = "must not be empty";

impl CloudEvent {
    /// Whether every attribute keeps the specification.
    ///
    /// # Errors
    /// Names the first attribute that does not, and what is wrong with it.
    pub fn check(&self) -> Result<(), CloudEventError> {
        for (name, value) in self.required() {
            if value.is_empty() {
                return Err(wrong(name, EMPTY));
            }
            check_text(name, value)?;
        }
        if !is_uri_reference(&self.source) {
            return Err(wrong("source", "must be a URI reference"));
        }
        if let Some(subject) = &self.subject {
            if subject.is_empty() {
                return Err(wrong("subject", EMPTY));
            }
            check_text("subject", subject)?;
        }
        if self.datacontenttype.as_deref().is_some_and(|text| !is_media_type(text)) {
            return Err(wrong("datacontenttype", "must be a media type, such as application/json"));
        }
        if self.dataschema.as_deref().is_some_and(|text| !is_uri(text)) {
            return Err(wrong("dataschema", "must be an absolute URI"));
        }
        self.extensions.iter().try_for_each(|(name, value)| check_extension(name, value))
    }

    /// What a reader asks for: without an identity and a type nothing is an event, however lenient one is.
    pub(super) fn keeps(&self, rules: Rules) -> Result<(), CloudEventError> {
        match rules {
            Rules::Strict => self.check(),
            Rules::Lenient => match self.required().into_iter().find(|(_, value)| value.is_empty()) {
                Some((name, _)) => Err(wrong(name, EMPTY)),
                None => Ok(()),
            },
        }
    }

    fn required(&self) -> [(&'static str, &str); 3] {
        [("id", &self.id), ("source", &self.source), ("type", &self.event_type)]
    }
}

pub(super) fn wrong(name: &str, why: &'static str) -> CloudEventError {
    CloudEventError::Attribute { name: name.to_owned(), why }
}

fn check_extension(name: &str, value: &Attribute) -> Result<(), CloudEventError> {
    if name == "data" || name.is_empty() || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) {
        return Err(wrong(name, "must have a name of lower-case letters and digits, other than data"));
    }
    match value {
        Attribute::Boolean(_) | Attribute::Integer(_) | Attribute::Binary(_) | Attribute::Timestamp(_) => Ok(()),
        Attribute::String(text) => check_text(name, text),
        Attribute::Uri(text) if is_uri(text) => Ok(()),
        Attribute::Uri(_) => Err(wrong(name, "must be an absolute URI")),
        Attribute::UriReference(text) if is_uri_reference(text) => Ok(()),
        Attribute::UriReference(_) => Err(wrong(name, "must be a URI reference")),
    }
}

fn check_text(name: &str, text: &str) -> Result<(), CloudEventError> {
    // `char::is_control` is exactly U+0000-001F and U+007F-009F.
    if text.chars().any(char::is_control) {
        return Err(wrong(name, "must not hold control characters"));
    }
    if text.chars().any(is_noncharacter) {
        return Err(wrong(name, "must not hold Unicode noncharacters"));
    }
    Ok(())
}

fn is_noncharacter(c: char) -> bool {
    matches!(u32::from(c), 0xFDD0..=0xFDEF) || u32::from(c) & 0xFFFE == 0xFFFE
}

/// `type/subtype`, both of the letters that a token may have; parameters are not looked at.
fn is_media_type(text: &str) -> bool {
    let token = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
    };
    let essence = text.split(';').next().unwrap_or_default().trim();
    essence.split_once('/').is_some_and(|(kind, subtype)| token(kind) && token(subtype))
        && !text.chars().any(char::is_control)
}

/// Whether a text is a URI with a scheme, by the letters and the order of parts of RFC 3986.
#[must_use]
pub fn is_uri(text: &str) -> bool {
    scheme(text).is_some_and(is_scheme) && is_uri_reference(text)
}

/// Whether a text is a URI or a relative reference, by the letters and the order of parts of RFC 3986; an empty one is not.
#[must_use]
pub fn is_uri_reference(text: &str) -> bool {
    if text.is_empty() || scheme(text).is_some_and(|scheme| !is_scheme(scheme)) {
        return false;
    }
    let (before, fragment) = text.split_once('#').unwrap_or((text, ""));
    if !has_uri_letters(before) || !has_uri_letters(fragment) || fragment.contains(['[', ']']) {
        return false;
    }
    // Brackets stand around an IPv6 address in the authority and nowhere else.
    let hierarchical = before.split('?').next().unwrap_or_default();
    let after_authority = match hierarchical.split_once("//") {
        Some((scheme, rest)) if !scheme.contains('/') => rest.split_once('/').map_or("", |(_, path)| path),
        Some(_) | None => hierarchical,
    };
    !after_authority.contains(['[', ']'])
}

/// What stands before the first colon, if that colon can only end a scheme.
fn scheme(text: &str) -> Option<&str> {
    let end = text.find([':', '/', '?', '#'])?;
    let (scheme, rest) = text.split_at_checked(end)?;
    rest.starts_with(':').then_some(scheme)
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
}

fn has_uri_letters(text: &str) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let good = match byte {
            b'%' => [bytes.next(), bytes.next()].iter().all(|b| b.is_some_and(|b| b.is_ascii_hexdigit())),
            _ => byte.is_ascii_alphanumeric() || b"-._~:/?[]@!$&'()*+,;=".contains(&byte),
        };
        if !good {
            return false;
        }
    }
    true
}
