//! Reading objects of a cluster by pointer: what is absent, null, empty or of another type is simply not there.

use chrono::{DateTime, Utc};
use serde_json::Value;

/// The text at that place.
pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer)?.as_str().filter(|text| !text.is_empty())
}

/// The whole number at that place.
pub(super) fn number(value: &Value, pointer: &str) -> Option<i64> {
    value.pointer(pointer)?.as_i64()
}

/// The time at that place.
pub(super) fn time(value: &Value, pointer: &str) -> Option<DateTime<Utc>> {
    text(value, pointer)?.parse().ok()
}

/// The items of the list at that place.
pub(super) fn items<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

/// The item of that name in the list at that place.
pub(super) fn named<'a>(value: &'a Value, pointer: &str, name: &str) -> Option<&'a Value> {
    items(value, pointer).find(|item| text(item, "/name") == Some(name))
}

/// A value of the object at that place, under a key that may hold any character.
pub(super) fn entry<'a>(value: &'a Value, pointer: &str, key: &str) -> Option<&'a str> {
    value.pointer(pointer)?.get(key)?.as_str().filter(|text| !text.is_empty())
}

/// The entries of the object at that place, as text, in order of their keys.
pub(super) fn entries<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let map = value.pointer(pointer).and_then(Value::as_object);
    map.into_iter().flatten().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
}

/// What controls an object, or else the first that owns it: kind and name.
pub(super) fn owner(object: &Value) -> Option<(&str, &str)> {
    let controls = |owner: &&Value| owner.get("controller").and_then(Value::as_bool) == Some(true);
    let owners = || items(object, "/metadata/ownerReferences");
    let owner = owners().find(controls).or_else(|| owners().next())?;
    Some((text(owner, "/kind")?, text(owner, "/name")?))
}
