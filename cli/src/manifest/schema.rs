//! What the API server does with an object before any rule is asked: nulls dropped, defaults filled in, each value held
//! against the CRD's OpenAPI schema. Knows the keywords that our CRD uses; a test fails should it use another.

use crds::ClassifierFleet;
use kube::CustomResourceExt as _;
use regex::Regex;
use serde_json::Value;

/// Something wrong at a path such as `spec.workers.max`, in the API server's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// Where.
    pub path: String,
    /// What.
    pub message: String,
}

/// The CRD's schema, of the whole object.
#[must_use]
pub fn schema() -> Value {
    let crd = ClassifierFleet::crd();
    let version = crd.spec.versions.into_iter().next();
    let schema = version.and_then(|version| version.schema).and_then(|schema| schema.open_api_v3_schema);
    serde_json::to_value(schema).unwrap_or_default()
}

/// `value` as the API server would store it: without nulls that stand for a default, and with defaults.
#[must_use]
pub fn completed(schema: &Value, value: &Value) -> Value {
    kube::core::cel::apply_defaults(schema, &without_nulls(schema, value))
}

/// A null where none may be says no more than its absence.
fn without_nulls(schema: &Value, value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let stays = |key: &String, value: &Value| {
                let property = &schema["properties"][key];
                !value.is_null() || property.is_null() || property["nullable"] == true
            };
            let kept = fields.iter().filter(|(key, value)| stays(key, value));
            Value::Object(kept.map(|(key, value)| (key.clone(), without_nulls(&schema["properties"][key], value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(|item| without_nulls(&schema["items"], item)).collect()),
        _ => value.clone(),
    }
}

/// All that the schema forbids in `value`.
#[must_use]
pub fn check(schema: &Value, value: &Value) -> Vec<Wrong> {
    let mut wrongs = Vec::new();
    // What every object has: the API server knows it without the CRD.
    let spec_and_status = value.as_object().into_iter().flatten().filter(|(key, _)| matches!(key.as_str(), "spec" | "status"));
    for (key, part) in spec_and_status {
        walk(&schema["properties"][key], part, key, &mut wrongs);
    }
    if value.get("spec").is_none() {
        wrongs.push(Wrong { path: "spec".to_owned(), message: "required value".to_owned() });
    }
    wrongs
}

fn walk(schema: &Value, value: &Value, path: &str, wrongs: &mut Vec<Wrong>) {
    if value.is_null() && schema["nullable"] == true {
        return;
    }
    let kind = schema["type"].as_str().unwrap_or_default();
    if !has_type(kind, value) {
        let message = format!("must be of type {kind}, not {}", type_of(value));
        return wrongs.push(Wrong { path: path.to_owned(), message });
    }
    let bounds = bounds(schema, value).into_iter().chain(choice(schema, value));
    wrongs.extend(bounds.map(|message| Wrong { path: path.to_owned(), message }));
    match value {
        Value::Object(_) => fields(schema, value, path, wrongs),
        Value::Array(items) => items.iter().enumerate().for_each(|(n, item)| walk(&schema["items"], item, &format!("{path}[{n}]"), wrongs)),
        _ => {}
    }
}

fn fields(schema: &Value, value: &Value, path: &str, wrongs: &mut Vec<Wrong>) {
    if schema["x-kubernetes-preserve-unknown-fields"] == true {
        return;
    }
    let missing = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).filter(|key| value.get(key).is_none());
    wrongs.extend(missing.map(|key| Wrong { path: format!("{path}.{key}"), message: "required value".to_owned() }));
    for (key, part) in value.as_object().into_iter().flatten() {
        let at = format!("{path}.{key}");
        let known = schema["properties"].get(key).or_else(|| schema.get("additionalProperties"));
        match known {
            Some(known) => walk(known, part, &at, wrongs),
            None => wrongs.push(Wrong { path: at, message: unknown(key, &schema["properties"]) }),
        }
    }
}

/// Names the unknown field and those it may have been meant for.
fn unknown(key: &str, properties: &Value) -> String {
    let known: Vec<&str> = properties.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
    match crate::near::nearest(key, known.iter().copied()).first() {
        Some(near) => format!("unknown field {key:?}; did you mean {near:?}?"),
        None => format!("unknown field {key:?}; there are {}", known.join(", ")),
    }
}

fn has_type(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.is_number(),
        _ => true,
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The bounds that `value` breaks, worded as the API server words them.
#[allow(clippy::cast_precision_loss)] // lengths are far below 2⁵³
fn bounds(schema: &Value, value: &Value) -> Vec<String> {
    let (measure, lower, upper, unit) = match value {
        Value::Number(number) => (number.as_f64(), "minimum", "maximum", ""),
        Value::String(text) => (Some(text.chars().count() as f64), "minLength", "maxLength", " characters"),
        Value::Array(items) => (Some(items.len() as f64), "minItems", "maxItems", " items"),
        Value::Object(fields) => (Some(fields.len() as f64), "minProperties", "maxProperties", " properties"),
        Value::Null | Value::Bool(_) => (None, "", "", ""),
    };
    let Some(measure) = measure else { return Vec::new() };
    let limit = |keyword: &str| schema[keyword].as_f64();
    let (low, high) = (limit(lower).filter(|low| measure < *low), limit(upper).filter(|high| measure > *high));
    let say =
        |verb: [&str; 2], limit: f64| if unit.is_empty() { format!("{} {limit}", verb[0]) } else { format!("{} {limit}{unit}", verb[1]) };
    let low = low.map(|low| say(["should be greater than or equal to", "should have at least"], low));
    let high = high.map(|high| say(["should be less than or equal to", "should have at most"], high));
    low.into_iter().chain(high).collect()
}

fn choice(schema: &Value, value: &Value) -> Option<String> {
    let text = value.as_str()?;
    let options: Vec<&str> = schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if !options.is_empty() && !options.contains(&text) {
        return Some(format!("unsupported value {text:?}; supported values: {}", options.join(", ")));
    }
    let pattern = schema["pattern"].as_str()?;
    let fits = Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(text));
    (!fits).then(|| format!("{text:?} should match '{pattern}'"))
}
