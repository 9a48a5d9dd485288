//! Laying what a user writes over what the operator makes. Pure; knows nothing of pods.

use serde_json::{Map, Value};

/// Lays `over` over `base`: objects field by field, lists of named things name by name, everything else replaced. Null removes.
pub fn lay_over(base: &mut Value, over: &Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => lay_fields(base, over),
        (Value::Array(base), Value::Array(over)) if all_named(base) && all_named(over) => lay_items(base, over),
        (base, over) => *base = without_nulls(over),
    }
}

fn lay_fields(base: &mut Map<String, Value>, over: &Map<String, Value>) {
    for (key, value) in over {
        match base.get_mut(key) {
            _ if value.is_null() => drop(base.remove(key)),
            Some(below) => lay_over(below, value),
            None => drop(base.insert(key.clone(), without_nulls(value))),
        }
    }
}

fn lay_items(base: &mut Vec<Value>, over: &[Value]) {
    for item in over {
        match base.iter_mut().find(|below| below["name"] == item["name"]) {
            Some(below) => lay_over(below, item),
            None => base.push(without_nulls(item)),
        }
    }
}

fn all_named(items: &[Value]) -> bool {
    items.iter().all(|item| item["name"].is_string())
}

/// A field that is not there cannot be removed, and the API server knows no null.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            fields.iter().filter(|(_, value)| !value.is_null()).map(|(key, value)| (key.clone(), without_nulls(value))).collect()
        }
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        other => other.clone(),
    }
}

/// Whether `live` is as `wanted` says, whatever else it has: defaults, and what other programs added.
pub fn holds(live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => {
            wanted.iter().all(|(key, value)| holds(live.get(key).unwrap_or(&Value::Null), value))
        }
        (Value::Array(live), Value::Array(wanted)) if !wanted.is_empty() && all_named(wanted) && all_named(live) => {
            wanted.iter().all(|item| live.iter().any(|live| live["name"] == item["name"] && holds(live, item)))
        }
        (Value::Array(live), Value::Array(wanted)) => {
            live.len() == wanted.len() && live.iter().zip(wanted).all(|(live, item)| holds(live, item))
        }
        // The API server leaves out what is empty.
        (Value::Null, Value::Object(wanted)) => wanted.values().all(|value| holds(&Value::Null, value)),
        (Value::Null, Value::Array(wanted)) => wanted.is_empty(),
        (Value::Null, Value::String(wanted)) => wanted.is_empty(),
        (live, wanted) => live == wanted,
    }
}
