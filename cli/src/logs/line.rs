//! A line of a log: whether it is asked for, and how it is shown. Pure.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::paint::{Paint, Tone};

/// What is shown in a place of its own, or says nothing to people.
const NOT_FIELDS: [&str; 7] = ["timestamp", "level", "message", "target", "span", "spans", "threadId"];

/// Which lines are asked for.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The fleet's namespace.
    pub namespace: &'a str,
    /// Its name.
    pub fleet: &'a str,
    /// Only what speaks of this job.
    pub job: Option<&'a str>,
}

/// A line that a pod wrote.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// When the node took it.
    pub at: Timestamp,
    /// The pod.
    pub pod: String,
    /// What it wrote; none: no JSON object, so `raw` is all there is.
    fields: Option<Map<String, Value>>,
    raw: String,
}

impl Question<'_> {
    /// Whether `line` is asked for: one that names no fleet speaks of all of them.
    #[must_use]
    pub fn is_about(&self, line: &Line) -> bool {
        let of_job = self.job.is_none_or(|job| line.raw.contains(job));
        of_job && line.fields.as_ref().is_none_or(|fields| self.is_of_fleet(fields))
    }

    fn is_of_fleet(&self, fields: &Map<String, Value>) -> bool {
        let is = |key: &str, value: &str| fields.get(key).and_then(Value::as_str).is_none_or(|found| found == value);
        // The controller's span, in which lines of a reconcile stand.
        let reconciled = fields.get("span").and_then(|span| span["object.ref"].as_str());
        let is_reconciled = reconciled.is_none_or(|object| object.ends_with(&format!("/{}.{}", self.fleet, self.namespace)));
        is_reconciled && is("fleet", self.fleet) && (!fields.contains_key("fleet") || is("namespace", self.namespace))
    }
}

impl Line {
    /// What the API server says with timestamps: `2026-06-01T12:00:00.123456789Z …`.
    #[must_use]
    pub fn parse(pod: &str, line: &str) -> Option<Self> {
        let (at, raw) = line.split_once(' ').unwrap_or((line, ""));
        let fields = serde_json::from_str(raw).ok();
        Some(Self { at: at.parse().ok()?, pod: pod.to_owned(), fields, raw: raw.to_owned() })
    }

    /// For people: time, pod, level, sentence, fields.
    #[must_use]
    pub fn text(&self, paint: Paint) -> String {
        let at = paint.paint(Tone::Dim, &self.at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string());
        let said = self.fields.as_ref().map_or_else(|| printable(&self.raw), |fields| sentence(fields, paint));
        format!("{at} {} {said}", paint.paint(Tone::Bold, &self.pod))
    }

    /// For programs: the object that was written, with the pod's name.
    #[must_use]
    pub fn json(&self) -> String {
        let fields = self.fields.clone();
        let mut object = fields.map_or_else(|| json!({"timestamp": self.at, "message": self.raw}), Value::Object);
        object["pod"] = json!(self.pod);
        object.to_string()
    }
}

fn sentence(fields: &Map<String, Value>, paint: Paint) -> String {
    let text = |key: &str| fields.get(key).map(plain).unwrap_or_default();
    let level = text("level");
    let tone = match level.as_str() {
        "ERROR" => Tone::Bad,
        "WARN" => Tone::Busy,
        "DEBUG" | "TRACE" => Tone::Dim,
        _ => Tone::Plain,
    };
    let others = fields.iter().filter(|(key, _)| !NOT_FIELDS.contains(&key.as_str()));
    let others: String = others.map(|(key, value)| format!(" {}={}", printable(key), plain(value))).collect();
    format!("{} {}{}", paint.paint(tone, &format!("{level:5}")), text("message"), paint.paint(Tone::Dim, &others))
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), printable)
}

/// A file's name may hold what a terminal takes for orders.
fn printable(text: &str) -> String {
    let shown = |letter: char| if letter.is_control() && letter != '\t' { letter.escape_default().to_string() } else { letter.into() };
    text.chars().map(shown).collect()
}
