//! The fields of a fleet's spec, read from the schema that the API server has. Knows no field by name.

use serde_json::Value;

/// A field that holds no further fields of ours.
#[derive(Debug, Clone)]
pub struct Field {
    /// Its names from `spec` on, joined by dots; `0` for the items of a list.
    pub path: String,
    pub schema: Value,
}

/// All of them, in their order.
pub fn all(spec: &Value) -> Vec<Field> {
    let mut fields = Vec::new();
    collect(spec, "", &mut fields);
    fields
}

fn collect(schema: &Value, path: &str, fields: &mut Vec<Field>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    if let Some(properties) = schema["properties"].as_object() {
        properties.iter().for_each(|(name, property)| collect(property, &below(name), fields));
    } else if schema["items"]["properties"].is_object() {
        collect(&schema["items"], &below("0"), fields);
    } else {
        fields.push(Field { path: path.to_owned(), schema: schema.clone() });
    }
}

impl Field {
    /// The least and the most that it takes.
    pub fn limits(&self) -> Option<(i64, i64)> {
        #[allow(clippy::cast_possible_truncation)] // the schema's limits are whole
        let limit = |name: &str| self.schema[name].as_f64().map(|limit| limit as i64);
        limit("minimum").zip(limit("maximum"))
    }

    /// The words that it takes.
    pub fn words(&self) -> Vec<Value> {
        self.schema["enum"].as_array().cloned().unwrap_or_default()
    }

    /// Its own name.
    pub fn name(&self) -> &str {
        self.path.rsplit('.').find(|name| *name != "0").unwrap_or(&self.path)
    }
}

/// A merge patch of the spec that gives the field at `path` a value; a list gets this one item.
pub fn patch(path: &str, value: Value) -> Value {
    path.rsplit('.').fold(value, |value, name| match name {
        "0" => Value::Array(vec![value]),
        name => Value::Object([(name.to_owned(), value)].into_iter().collect()),
    })
}

/// The merge patch that takes `patch` back from a spec that was `base`.
pub fn undo(base: &Value, patch: &Value) -> Value {
    match (base, patch) {
        (Value::Object(base), Value::Object(patch)) => {
            let back = |(name, change): (&String, &Value)| (name.clone(), base.get(name).map_or(Value::Null, |was| undo(was, change)));
            Value::Object(patch.iter().map(back).collect())
        }
        (base, _) => base.clone(),
    }
}
