//! A fleet from a file is the fleet that the API server would store, or is refused as it would refuse it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use cli::manifest::{parse, schema};
use common::EXAMPLE;
use crds::ClassifierFleet;
use proptest::prelude::*;
use serde_json::Value;

fn refusal(text: &str) -> String {
    parse(text, "fleet.yaml").expect_err(text).to_string()
}

/// (what is written, what is written instead, what must be said). What the end-to-end test has a real API server say.
const TABLE: [(&str, &str, &str); 24] = [
    ("name: imagenet\n", "name: imagenet-of-a-name-that-is-far-too-long-for-pods\n", "fleet.yaml:2:1: metadata.name must be 1 to 40"),
    ("name: imagenet\n", "name: 4imagenet\n", "begin with a letter"),
    ("  name: imagenet\n", "  labels: {}\n", "fleet.yaml:4:1: metadata.name: required value"),
    ("classifierfleet.dev/v1alpha1", "classifierfleet.dev/v1", "apiVersion: must be classifierfleet.dev/v1alpha1"),
    ("min: 0", "min: 6", "fleet.yaml:12:3: spec.workers: min must not be above max: lower min or raise max"),
    ("min: 0", "min: -1", "fleet.yaml:13:5: spec.workers.min: should be greater than or equal to 0"),
    ("min: 0", "min: many", "spec.workers.min: must be of type integer, not string"),
    ("max: 5", "max: null", "fleet.yaml:14:5: spec.workers.max: required value"),
    ("max: 5", "max: 1001", "spec.workers.max: should be less than or equal to 1000"),
    ("max: 5", "mx: 5", "spec.workers.mx: unknown field \"mx\"; did you mean \"max\"?"),
    ("imagenet-requests}", "imagenet requests}", "spec.queues.request: a queue name may have letters, digits, '-' and '_' only"),
    ("imagenet-requests}", "requests.fifo}", "end request.name and deadLetter.name with .fifo"),
    ("imagenet-requests}", "imagenet-responses}", "three different queues"),
    ("imagenet-in,", "Imagenet_in,", "a bucket name has 3 to 63"),
    ("imagenet-in,", "imagenet-out,", "must differ"),
    ("s3://imagenet-models/efficientnet-lite0", "https://example.com/model", "s3://BUCKET/PREFIX or file:///FOLDER"),
    ("ami-0123456789abcdef0", "ubuntu", "an AMI's id such as"),
    ("imageId: ami-0123456789abcdef0", "keyName: x", "give exactly one of imageId"),
    ("[t3.small]", "[small]", "looks like t3.small"),
    ("[t3.small]", "[]", "instanceTypes: should have at least 1 items"),
    ("messagesPerWorker: 10", "messagesPerWorker: 0", "messagesPerWorker: should be greater than or equal to 1"),
    ("messagesPerWorker: 10", "messagesPerWorker: 10, drainSeconds: 6", "give exactly one of messagesPerWorker and drainSeconds"),
    ("messagesPerWorker: 10", "messagesPerWorkers: 10", "did you mean \"messagesPerWorker\"?"),
    (
        "    behavior:",
        "    fallback: {workers: 6, behavior: Sttic}\n    behavior:",
        "unsupported value \"Sttic\"; supported values: Static, CurrentReplicas",
    ),
];

#[test]
fn wrong_fleets_are_refused_with_line_and_sentence() {
    for (right, wrong, sentence) in TABLE {
        assert!(EXAMPLE.contains(right), "{right}");
        let refusal = refusal(&EXAMPLE.replacen(right, wrong, 1));
        assert!(refusal.contains(sentence), "{wrong}: {refusal}");
    }
}

#[test]
fn all_that_is_wrong_is_said_at_once_in_the_order_of_the_file() {
    let wrong = EXAMPLE.replace("min: 0", "min: -1").replace("max: 5", "mx: 5").replace("messagesPerWorker: 10", "messagesPerWorker: 0");
    insta::assert_snapshot!(refusal(&wrong));
}

#[test]
fn bad_yaml_is_placed() {
    let refusal = refusal(&EXAMPLE.replace("    min: 0", "   - min: 0"));
    assert!(refusal.starts_with("fleet.yaml:14:5: "), "{refusal}");
}

#[test]
fn all_fleets_of_all_documents_and_lists_are_read() {
    let other = EXAMPLE.replace("name: imagenet\n", "name: faces\n");
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: x}\n";
    let indented: String = other.lines().map(|line| format!("  {line}\n")).collect();
    let list = format!("apiVersion: v1\nkind: List\nitems:\n- {}", indented.trim_start().replacen("# ", "# - ", 1).trim_start());
    let names = |text: &str| parse(text, "x").unwrap().into_iter().map(|fleet| fleet.metadata.name.unwrap()).collect::<Vec<_>>();
    assert_eq!(names(&format!("{EXAMPLE}---\n{service}---\n{other}")), ["imagenet", "faces"]);
    assert_eq!(names(&list), ["faces"]);
    let json = serde_json::to_string(&parse(EXAMPLE, "x").unwrap()[0]).unwrap();
    assert_eq!(names(&json), ["imagenet"]);
    assert_eq!(refusal(service), "fleet.yaml holds no ClassifierFleet, but Service");
    assert_eq!(refusal(""), "fleet.yaml holds no ClassifierFleet: it is empty");
}

#[test]
fn a_section_left_empty_has_its_defaults() {
    let written = parse(&EXAMPLE.replace("  gateway:\n    replicas: 1", "  gateway:"), "x").unwrap();
    assert_eq!(written, parse(EXAMPLE, "x").unwrap());
}

/// A keyword that the check does not know would be passed over in silence.
#[test]
fn the_schema_says_nothing_that_is_not_checked() {
    const KNOWN: [&str; 24] = [
        "type",
        "properties",
        "items",
        "required",
        "default",
        "description",
        "nullable",
        "enum",
        "format",
        "pattern",
        "minimum",
        "maximum",
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
        "minProperties",
        "maxProperties",
        "additionalProperties",
        "x-kubernetes-validations",
        "x-kubernetes-preserve-unknown-fields",
        "x-kubernetes-list-type",
        "x-kubernetes-list-map-keys",
        "title",
    ];
    fn walk(schema: &Value, path: &str) {
        for (keyword, value) in schema.as_object().unwrap() {
            assert!(KNOWN.contains(&keyword.as_str()), "{path} has the keyword {keyword}: check it in manifest/schema.rs");
            match keyword.as_str() {
                "properties" => value.as_object().unwrap().iter().for_each(|(name, schema)| walk(schema, &format!("{path}.{name}"))),
                "items" => walk(value, &format!("{path}[]")),
                "additionalProperties" if value.is_object() => walk(value, &format!("{path}{{}}")),
                _ => {}
            }
        }
    }
    walk(&schema::schema()["properties"]["spec"], "spec");
}

/// Each field that a fleet can have.
const FULL: &str = include_str!("full.yaml");

/// Paths of all fields that may be left out of `value`.
fn optional(schema: &Value, value: &Value, path: &str, paths: &mut Vec<String>) {
    for (key, part) in value.as_object().into_iter().flatten() {
        let at = format!("{path}/{key}");
        let property = &schema["properties"][key];
        if !schema["required"].as_array().into_iter().flatten().any(|required| required == key) {
            paths.push(at.clone());
        }
        optional(property, part, &at, paths);
    }
}

fn without(value: &mut Value, path: &str) {
    let (parent, key) = path.rsplit_once('/').unwrap();
    if let Some(parent) = value.pointer_mut(parent) {
        parent.as_object_mut().unwrap().remove(key);
    }
}

proptest! {
    /// The operator reads what the API server completed, and `explain -f` what is written: both must mean the same.
    #[test]
    fn the_schemas_defaults_are_those_of_the_types(chosen in proptest::collection::vec(any::<bool>(), 100)) {
        let schema = schema::schema();
        let mut written: Value = serde_saphyr::from_str(FULL).unwrap();
        let mut paths = Vec::new();
        optional(&schema["properties"]["spec"], &written["spec"], "/spec", &mut paths);
        prop_assert!(paths.len() > 40 && paths.len() <= chosen.len(), "{}", paths.len());
        for (path, _) in paths.iter().zip(&chosen).filter(|(_, leave_out)| **leave_out) {
            without(&mut written, path);
        }
        let by_types: ClassifierFleet = serde_json::from_value(written.clone()).unwrap();
        let by_schema: ClassifierFleet = serde_json::from_value(schema::completed(&schema, &written)).unwrap();
        prop_assert_eq!(&by_types.spec, &by_schema.spec);
        prop_assert_eq!(by_types.settings("x"), by_schema.settings("x"));
    }
}
