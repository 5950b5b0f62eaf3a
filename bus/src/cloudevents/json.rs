//! The JSON format: one event, or a batch of them.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use chrono::{DateTime, Utc};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

use super::check::wrong;
use super::{Attribute, CloudEvent, CloudEventError, Payload, Rules, SPECVERSION, is_json};

impl CloudEvent {
    /// Reads one event in the JSON format.
    ///
    /// # Errors
    /// See [`CloudEventError`].
    pub fn from_json(body: &[u8], rules: Rules) -> Result<Self, CloudEventError> {
        Self::from_value(serde_json::from_slice(body)?, rules)
    }

    /// Reads a batch in the JSON format; it may be empty.
    ///
    /// # Errors
    /// See [`CloudEventError`]; one bad event makes the whole batch bad.
    pub fn batch_from_json(body: &[u8], rules: Rules) -> Result<Vec<Self>, CloudEventError> {
        let Value::Array(members) = serde_json::from_slice(body)? else {
            return Err(CloudEventError::Shape("array of events"));
        };
        let in_batch = |index, error| CloudEventError::InBatch { index, error: Box::new(error) };
        let events = members.into_iter().enumerate();
        events.map(|(index, value)| Self::from_value(value, rules).map_err(|e| in_batch(index, e))).collect()
    }

    /// Writes the event in the JSON format.
    ///
    /// # Errors
    /// Only for a number that JSON cannot write.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    /// Writes a batch in the JSON format.
    ///
    /// # Errors
    /// As [`CloudEvent::to_json`].
    pub fn batch_to_json(events: &[Self]) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(events)
    }

    fn from_value(value: Value, rules: Rules) -> Result<Self, CloudEventError> {
        let Value::Object(mut members) = value else {
            return Err(CloudEventError::Shape("object with the attributes of an event"));
        };
        // An attribute that is null is absent; data that is null is there.
        members.retain(|name, value| name == "data" || !value.is_null());
        let specversion = required(&mut members, "specversion")?;
        if specversion != SPECVERSION {
            return Err(wrong("specversion", "must be 1.0: other versions are not supported"));
        }
        let mut event = Self::new(
            required(&mut members, "id")?,
            required(&mut members, "source")?,
            required(&mut members, "type")?,
        );
        event.subject = optional(&mut members, "subject", rules)?;
        event.datacontenttype = optional(&mut members, "datacontenttype", rules)?;
        event.dataschema = optional(&mut members, "dataschema", rules)?;
        event.time = optional(&mut members, "time", rules)?.map(|text| time("time", &text)).transpose()?;
        event.payload = payload(&mut members, event.datacontenttype.as_deref(), rules)?;
        for (name, value) in members {
            event.extensions.insert(name.clone(), extension(&name, value)?);
        }
        event.keeps(rules)?;
        Ok(event)
    }
}

impl Serialize for CloudEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("specversion", SPECVERSION)?;
        map.serialize_entry("id", &self.id)?;
        map.serialize_entry("source", &self.source)?;
        map.serialize_entry("type", &self.event_type)?;
        let time = self.time.map(super::timestamp);
        for (name, value) in [
            ("subject", &self.subject),
            ("time", &time),
            ("datacontenttype", &self.datacontenttype),
            ("dataschema", &self.dataschema),
        ] {
            if let Some(value) = value {
                map.serialize_entry(name, value)?;
            }
        }
        for (name, value) in &self.extensions {
            match value {
                Attribute::Boolean(value) => map.serialize_entry(name, value)?,
                Attribute::Integer(value) => map.serialize_entry(name, value)?,
                Attribute::String(_)
                | Attribute::Binary(_)
                | Attribute::Uri(_)
                | Attribute::UriReference(_)
                | Attribute::Timestamp(_) => map.serialize_entry(name, &value.text())?,
            }
        }
        match &self.payload {
            Payload::None => {}
            Payload::Json(value) => map.serialize_entry("data", value)?,
            // A string in `data` is a JSON string unless the type says otherwise: such text travels as bytes.
            Payload::Text(text) if self.datacontenttype.as_deref().is_none_or(is_json) => {
                map.serialize_entry("data_base64", &base64(text.as_bytes()))?;
            }
            Payload::Text(text) => map.serialize_entry("data", text)?,
            Payload::Binary(bytes) => map.serialize_entry("data_base64", &base64(bytes))?,
        }
        map.end()
    }
}

/// Bytes as the JSON format has them.
pub(super) fn base64(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}

pub(super) fn time(name: &str, text: &str) -> Result<DateTime<Utc>, CloudEventError> {
    // chrono also takes a space for the `T`, RFC 3339 as used here does not.
    let time = (!text.contains(' ')).then(|| DateTime::parse_from_rfc3339(text).ok()).flatten();
    Ok(time.ok_or_else(|| wrong(name, "must be a time by RFC 3339, such as 2018-04-05T17:31:00Z"))?.to_utc())
}

fn required(members: &mut Map<String, Value>, name: &'static str) -> Result<String, CloudEventError> {
    text(members, name)?.ok_or(CloudEventError::Missing(name))
}

fn optional(
    members: &mut Map<String, Value>,
    name: &'static str,
    rules: Rules,
) -> Result<Option<String>, CloudEventError> {
    let value = text(members, name)?;
    Ok(value.filter(|text| rules == Rules::Strict || !text.is_empty()))
}

fn text(members: &mut Map<String, Value>, name: &'static str) -> Result<Option<String>, CloudEventError> {
    match members.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
            Err(wrong(name, "must be a string"))
        }
    }
}

fn extension(name: &str, value: Value) -> Result<Attribute, CloudEventError> {
    match value {
        Value::Bool(value) => Ok(Attribute::Boolean(value)),
        Value::String(text) => Ok(Attribute::String(text)),
        Value::Number(number) => number
            .as_i64()
            .and_then(|number| i32::try_from(number).ok())
            .map(Attribute::Integer)
            .ok_or_else(|| wrong(name, "must be an integer of 32 bits, as every number of an attribute")),
        Value::Null | Value::Array(_) | Value::Object(_) => {
            Err(wrong(name, "must be a string, a number or a boolean, as every attribute"))
        }
    }
}

fn payload(
    members: &mut Map<String, Value>,
    content_type: Option<&str>,
    rules: Rules,
) -> Result<Payload, CloudEventError> {
    let encoded = text(members, "data_base64")?;
    match (members.remove("data"), encoded) {
        (None, None) => Ok(Payload::None),
        (Some(_), Some(_)) => Err(CloudEventError::Data("must not stand beside data_base64")),
        (None, Some(encoded)) => Ok(Payload::Binary(decode(&encoded)?)),
        (Some(value), None) if content_type.is_none_or(is_json) => Ok(Payload::Json(value)),
        (Some(Value::String(text)), None) => Ok(Payload::Text(text)),
        (Some(value), None) => match rules {
            Rules::Strict => Err(CloudEventError::Data("must be a string, because datacontenttype is not JSON")),
            Rules::Lenient => Ok(Payload::Json(value)),
        },
    }
}

fn decode(encoded: &str) -> Result<Vec<u8>, CloudEventError> {
    let decoded = BASE64_STANDARD.decode(encoded).or_else(|_| BASE64_STANDARD_NO_PAD.decode(encoded));
    decoded.map_err(|_| wrong("data_base64", "must be base64"))
}
