//! What a Kubernetes API server keeps: objects of any kind, their versions, and what happened to them. Pure but for the wake-up
//! of watchers; knows nothing of requests.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// Where an object is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Group, version and plural, such as `apis/apps/v1/statefulsets`.
    pub resource: String,
    /// Its namespace; empty for none.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// What happened to an object.
#[derive(Debug, Clone)]
pub struct Change {
    /// The version that it made.
    pub version: u64,
    /// When.
    pub at: Timestamp,
    /// `ADDED`, `MODIFIED` or `DELETED`.
    pub what: &'static str,
    /// Which object.
    pub key: Key,
    /// What it was then.
    pub object: Value,
}

/// Why something is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// 404.
    NotFound,
    /// 409, somebody else wrote it.
    Conflict,
    /// 409, there is one.
    AlreadyExists,
    /// 410, the version is too old.
    Expired,
    /// 503.
    Unavailable,
    /// 500.
    Internal,
}

/// The parts of an object that a write may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All but the status.
    Main,
    /// The status alone.
    Status,
}

/// All objects.
#[derive(Debug, Default)]
pub struct Store {
    version: u64,
    objects: BTreeMap<Key, Value>,
    history: Vec<Change>,
}

impl Store {
    /// The present version.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The object.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<&Value> {
        self.objects.get(key)
    }

    /// The object as it was at `at`: what a cache that trails would answer.
    #[must_use]
    pub fn get_at(&self, key: &Key, at: Timestamp) -> Option<&Value> {
        let change = self.history.iter().rev().find(|change| change.key == *key && change.at <= at)?;
        (change.what != "DELETED").then_some(&change.object)
    }

    /// Objects of a resource, in one namespace or, if it is empty, in all.
    pub fn list<'a>(&'a self, resource: &'a str, namespace: &'a str) -> impl Iterator<Item = &'a Value> + 'a {
        let ours = move |key: &&Key| key.resource == resource && (namespace.is_empty() || key.namespace == namespace);
        self.objects.iter().filter(move |(key, _)| ours(key)).map(|(_, object)| object)
    }

    /// What happened after `version`.
    #[must_use]
    pub fn since(&self, version: u64) -> &[Change] {
        let from = self.history.partition_point(|change| change.version <= version);
        &self.history[from..]
    }

    /// POST.
    ///
    /// # Errors
    /// [`Refusal::AlreadyExists`]
    pub fn create(&mut self, key: Key, mut object: Value, now: Timestamp) -> Result<Value, Refusal> {
        if self.objects.contains_key(&key) {
            return Err(Refusal::AlreadyExists);
        }
        let uid = format!("00000000-0000-4000-8000-{:012x}", self.version + 1);
        let metadata = metadata(&mut object);
        metadata.insert("name".to_owned(), json!(key.name));
        if !key.namespace.is_empty() {
            metadata.insert("namespace".to_owned(), json!(key.namespace));
        }
        metadata.insert("uid".to_owned(), json!(uid));
        metadata.insert("creationTimestamp".to_owned(), json!(seconds(now)));
        metadata.insert("generation".to_owned(), json!(1));
        Ok(self.put(key, object, "ADDED", now))
    }

    /// PUT of one part; a resourceVersion in `object` must be the present one.
    ///
    /// # Errors
    /// [`Refusal::NotFound`], [`Refusal::Conflict`]
    pub fn replace(&mut self, key: &Key, object: Value, part: Part, now: Timestamp) -> Result<Value, Refusal> {
        let before = self.objects.get(key).ok_or(Refusal::NotFound)?.clone();
        if version_of(&object).is_some_and(|version| Some(version) != version_of(&before)) {
            return Err(Refusal::Conflict);
        }
        let mut after = match part {
            Part::Status => with(before.clone(), "status", object.get("status").cloned()),
            Part::Main => with(object, "status", before.get("status").cloned()),
        };
        keep_identity(&mut after, &before, part);
        if after == before {
            return Ok(before);
        }
        let metadata = metadata(&mut after);
        let finalizers = metadata.get("finalizers").and_then(Value::as_array).map_or(0, Vec::len);
        if metadata.contains_key("deletionTimestamp") && finalizers == 0 {
            return Ok(self.remove(key, after, now));
        }
        Ok(self.put(key.clone(), after, "MODIFIED", now))
    }

    /// PATCH of one part, as RFC 7386 merges. Server-side apply comes down to the same, made if missing: no two writers here apply the
    /// same fields.
    ///
    /// # Errors
    /// [`Refusal::NotFound`], [`Refusal::Conflict`]
    pub fn patch(&mut self, key: &Key, patch: &Value, part: Part, apply: bool, now: Timestamp) -> Result<Value, Refusal> {
        let Some(before) = self.objects.get(key) else {
            return if apply { self.create(key.clone(), patch.clone(), now) } else { Err(Refusal::NotFound) };
        };
        let mut after = before.clone();
        merge(&mut after, patch);
        self.replace(key, after, part, now)
    }

    /// DELETE: at once, or once the last finalizer is gone.
    ///
    /// # Errors
    /// [`Refusal::NotFound`], [`Refusal::Conflict`] if it is no longer the one of `uid`
    pub fn delete(&mut self, key: &Key, uid: Option<&str>, now: Timestamp) -> Result<Value, Refusal> {
        let mut object = self.objects.get(key).ok_or(Refusal::NotFound)?.clone();
        if uid.is_some_and(|uid| object["metadata"]["uid"] != uid) {
            return Err(Refusal::Conflict);
        }
        let metadata = metadata(&mut object);
        if metadata.get("finalizers").and_then(Value::as_array).is_none_or(Vec::is_empty) {
            return Ok(self.remove(key, object, now));
        }
        if metadata.contains_key("deletionTimestamp") {
            return Ok(object);
        }
        metadata.insert("deletionTimestamp".to_owned(), json!(seconds(now)));
        Ok(self.put(key.clone(), object, "MODIFIED", now))
    }

    fn put(&mut self, key: Key, mut object: Value, what: &'static str, now: Timestamp) -> Value {
        self.version += 1;
        metadata(&mut object).insert("resourceVersion".to_owned(), json!(self.version.to_string()));
        self.objects.insert(key.clone(), object.clone());
        self.history.push(Change { version: self.version, at: now, what, key, object: object.clone() });
        object
    }

    /// What the object owns goes with it.
    fn remove(&mut self, key: &Key, mut object: Value, now: Timestamp) -> Value {
        self.version += 1;
        metadata(&mut object).insert("resourceVersion".to_owned(), json!(self.version.to_string()));
        self.objects.remove(key);
        self.history.push(Change { version: self.version, at: now, what: "DELETED", key: key.clone(), object: object.clone() });
        let uid = object["metadata"]["uid"].clone();
        let owned = |object: &Value| {
            object["metadata"]["ownerReferences"].as_array().is_some_and(|owners| owners.iter().any(|it| it["uid"] == uid))
        };
        let owned: Vec<(Key, Value)> = self.objects.iter().filter(|(_, it)| owned(it)).map(|(key, it)| (key.clone(), it.clone())).collect();
        for (key, object) in owned {
            self.remove(&key, object, now);
        }
        object
    }
}

/// What a write cannot change, and the generation, which counts changes of the spec.
fn keep_identity(after: &mut Value, before: &Value, part: Part) {
    let spec_changed = part == Part::Main && after.get("spec") != before.get("spec");
    let generation = before["metadata"]["generation"].as_i64().unwrap_or(0) + i64::from(spec_changed);
    let kept = ["name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "resourceVersion"];
    let metadata = metadata(after);
    for field in kept {
        match before["metadata"].get(field) {
            Some(value) => drop(metadata.insert(field.to_owned(), value.clone())),
            None => drop(metadata.remove(field)),
        }
    }
    metadata.insert("generation".to_owned(), json!(generation));
}

/// The metadata of an object, made if missing.
fn metadata(object: &mut Value) -> &mut Map<String, Value> {
    let object = as_map(object);
    as_map(object.entry("metadata").or_insert_with(|| json!({})))
}

fn as_map(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = json!({});
    }
    match value {
        Value::Object(map) => map,
        _ => unreachable!("it was just made one"),
    }
}

fn with(mut object: Value, field: &str, value: Option<Value>) -> Value {
    let map = as_map(&mut object);
    match value {
        Some(value) => drop(map.insert(field.to_owned(), value)),
        None => drop(map.remove(field)),
    }
    object
}

fn version_of(object: &Value) -> Option<&str> {
    object["metadata"]["resourceVersion"].as_str().filter(|version| !version.is_empty())
}

/// RFC 7386.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    let target = as_map(target);
    for (name, value) in patch {
        if value.is_null() {
            target.remove(name);
        } else {
            merge(target.entry(name).or_insert(Value::Null), value);
        }
    }
}

/// Kubernetes dates objects in whole seconds.
fn seconds(now: Timestamp) -> String {
    now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Key { resource: "apis/x/v1/things".to_owned(), namespace: "shop".to_owned(), name: "one".to_owned() }
    }

    fn store() -> (Store, Value) {
        let mut store = Store::default();
        let made = store.create(key(), json!({"metadata": {"finalizers": ["ours"]}, "spec": {"a": 1}}), Timestamp::UNIX_EPOCH).unwrap();
        (store, made)
    }

    #[test]
    fn a_write_over_an_old_version_is_refused_and_one_that_changes_nothing_makes_no_version() {
        let (mut store, made) = store();
        let newer = store.patch(&key(), &json!({"spec": {"a": 2}}), Part::Main, false, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!((&newer["metadata"]["generation"], store.version()), (&json!(2), 2));
        assert_eq!(store.replace(&key(), made, Part::Main, Timestamp::UNIX_EPOCH), Err(Refusal::Conflict));
        store.replace(&key(), newer, Part::Main, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(store.version(), 2);
    }

    #[test]
    fn status_and_the_rest_are_written_apart() {
        let (mut store, _) = store();
        let patch = json!({"spec": {"a": 5}, "status": {"b": 1}});
        let written = store.patch(&key(), &patch, Part::Status, false, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!((&written["spec"]["a"], &written["status"]["b"]), (&json!(1), &json!(1)));
        assert_eq!(written["metadata"]["generation"], json!(1));
    }

    #[test]
    fn what_has_a_finalizer_goes_with_it_and_takes_what_it_owns() {
        let (mut store, made) = store();
        let child = Key { name: "child".to_owned(), ..key() };
        store
            .create(child.clone(), json!({"metadata": {"ownerReferences": [{"uid": made["metadata"]["uid"]}]}}), Timestamp::UNIX_EPOCH)
            .unwrap();
        store.delete(&key(), None, Timestamp::UNIX_EPOCH).unwrap();
        assert!(store.get(&key()).unwrap()["metadata"]["deletionTimestamp"].is_string());
        store.patch(&key(), &json!({"metadata": {"finalizers": null}}), Part::Main, false, Timestamp::UNIX_EPOCH).unwrap();
        assert!(store.get(&key()).is_none() && store.get(&child).is_none());
        assert_eq!(store.since(0).last().unwrap().what, "DELETED");
    }
}
