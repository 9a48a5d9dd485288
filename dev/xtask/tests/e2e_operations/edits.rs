//! Which changes of each field are tried: what the schema alone tells is made from it, what only rules or EC2 know stands in a
//! table. A field that is in neither is a gap, which fails the test.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::fields::{Field, patch};

/// A change of the spec, as a merge patch.
#[derive(Debug, Clone)]
pub struct Edit {
    pub field: String,
    pub spec: Value,
}

/// A change that is refused, and what the answer must name.
#[derive(Debug, Clone)]
pub struct Refused {
    pub spec: Value,
    pub names: String,
}

/// The most that is tried of numbers that cost machines or processes, or make others contradict them.
const AT_MOST: &[(&str, i64)] = &[
    ("gateway.replicas", 1),
    ("scaling.fallback.workers", 3),
    ("workers.max", 4),
    ("workers.min", 3),
    ("workers.replicas", 3),
    ("workers.template.volumeGiB", 20),
    ("workers.update.maxSurge", 2),
    ("workers.update.maxUnavailable", 2),
    ("workers.warmPool.max", 1),
    ("workers.warmPool.prepared", 0),
];

/// The least that is tried: below it the fleet does by right something else than to come to rest.
const AT_LEAST: &[(&str, i64)] = &[("workers.bootTimeoutSeconds", 60)];

/// What must not change, with the reason: as misoperations these are tried, see [`contradictions`].
pub const FIXED: &[(&str, &str)] = &[
    ("endpointUrl", "queues, buckets and instances are there"),
    ("queues.deadLetter.name", "jobs may lie in it"),
    ("queues.fifo", "a queue is made as one or the other, and its name says so"),
    ("queues.request.name", "jobs may lie in it"),
    ("queues.response.name", "answers may lie in it"),
    ("region", "queues, buckets and instances are there"),
    ("storage.inputBucket", "images lie in it"),
    ("storage.outputBucket", "results lie in it"),
];

/// Changes of fields whose values the schema does not tell, or that need others beside them.
fn table() -> Vec<(&'static str, Value)> {
    let template = |template: Value| json!({"workers": {"template": template}});
    let rules = |rules: Value| json!({"policies": [rules]});
    let behavior = |direction: &str, policy: Value| json!({"scaling": {"behavior": {direction: rules(policy)}}});
    let mut table = vec![
        (
            "gateway.cors.allowedOrigins",
            json!({"gateway": {"cors": {"allowedOrigins": ["https://photos.example", "http://localhost:3000"]}}}),
        ),
        ("gateway.image", json!({"gateway": {"image": "registry.example/gateway:2"}})),
        ("gateway.podTemplate.metadata", json!({"gateway": {"podTemplate": {"metadata": {"annotations": {"team": "vision"}}}}})),
        ("gateway.podTemplate.spec", json!({"gateway": {"podTemplate": {"spec": {"nodeSelector": {"disk": "ssd"}}}}})),
        ("gateway.resultCache.maxEntries", json!({"gateway": {"resultCache": {"maxEntries": 17}}})),
        ("gateway.resultCache.ttlSeconds", json!({"gateway": {"resultCache": {"maxEntries": 17, "ttlSeconds": 77}}})),
        (
            "gateway.serviceAccountAnnotations",
            json!({"gateway": {"serviceAccountAnnotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/g"}}}),
        ),
        ("gateway.tlsSecret.name", json!({"gateway": {"tlsSecret": {"name": "gateway-tls"}}})),
        ("gateway.tokenSecret.name", json!({"gateway": {"tokenSecret": {"name": "gateway-token"}}})),
        ("gateway.tokenSecret.key", json!({"gateway": {"tokenSecret": {"name": "gateway-token", "key": "other"}}})),
        ("model.uri", json!({"model": {"uri": "s3://imagenet-models/another"}})),
        ("scaling.target.drainSeconds", json!({"scaling": {"target": {"messagesPerWorker": null, "drainSeconds": 600}}})),
        ("tracing.otlpEndpoint", json!({"tracing": {"otlpEndpoint": "http://127.0.0.1:9"}})),
        ("tracing.samplingRatio", json!({"tracing": {"otlpEndpoint": "http://127.0.0.1:9", "samplingRatio": 0.25}})),
        ("workers.template.binary.uri", template(json!({"binary": {"uri": "s3://programs/worker", "sha256": "0a".repeat(32)}}))),
        ("workers.template.binary.sha256", template(json!({"binary": {"uri": "s3://programs/worker", "sha256": "0b".repeat(32)}}))),
        ("workers.template.capacity.onDemandBase", template(json!({"capacity": {"spot": true, "onDemandBase": 1}}))),
        ("workers.template.imageId", template(json!({"imageId": "ami-0123456789abcdef1"}))),
        ("workers.template.imageParameter", template(json!({"imageId": null, "imageParameter": "/operations/ami"}))),
        ("workers.template.instanceProfile", template(json!({"instanceProfile": "another"}))),
        ("workers.template.instanceTypes", template(json!({"instanceTypes": ["c6a.large", "t3.small"]}))),
        ("workers.template.keyName", template(json!({"keyName": "my key"}))),
        ("workers.template.securityGroupIds", template(json!({"securityGroupIds": ["sg-01234567"]}))),
        ("workers.template.subnetIds", template(json!({"subnetIds": ["subnet-01234567"]}))),
        ("workers.template.userData", template(json!({"userData": "echo hello"}))),
        ("workers.warmPool.prepared", json!({"workers": {"warmPool": {"max": 1, "prepared": 1}}})),
    ];
    for direction in ["scaleUp", "scaleDown"] {
        for (name, policy) in [
            ("type", json!({"type": "Percent", "value": 100, "periodSeconds": 15})),
            ("value", json!({"type": "Pods", "value": 3, "periodSeconds": 15})),
            ("periodSeconds", json!({"type": "Pods", "value": 4, "periodSeconds": 1800})),
        ] {
            let path: &'static str = format!("scaling.behavior.{direction}.policies.0.{name}").leak();
            table.push((path, behavior(direction, policy)));
        }
    }
    table
}

/// All changes that are tried of a field of a fleet whose spec is `base`.
pub fn of(field: &Field, base: &Value) -> Vec<Edit> {
    let edit = |spec: Value| Edit { field: field.path.clone(), spec };
    let told: Vec<Edit> = table().into_iter().filter(|(path, _)| *path == field.path).map(|(_, spec)| edit(spec)).collect();
    if !told.is_empty() || FIXED.iter().any(|(path, _)| *path == field.path) {
        return told;
    }
    let with = |value: Value| edit(patch(&field.path, value));
    let pointer = format!("/{}", field.path.replace('.', "/"));
    let now = base.pointer(&pointer).unwrap_or(&field.schema["default"]);
    let is_other = |value: &Value| value != now;
    let values: Vec<Value> = match field.schema["type"].as_str() {
        Some("boolean") => vec![json!(*now != json!(true))],
        Some("string") => field.words().into_iter().filter(is_other).collect(),
        Some("integer") => numbers(field).into_iter().map(Value::from).filter(is_other).collect(),
        Some("number") => vec![json!(0.25), json!(1.0)],
        _ => vec![],
    };
    values.into_iter().map(with).collect()
}

/// The least, the most, and one between them.
fn numbers(field: &Field) -> BTreeSet<i64> {
    let Some((least, most)) = field.limits() else { return BTreeSet::new() };
    let bound = |table: &[(&str, i64)]| table.iter().find(|(path, _)| *path == field.path).map(|(_, bound)| *bound);
    let (least, most) = (bound(AT_LEAST).unwrap_or(least), bound(AT_MOST).unwrap_or(most));
    BTreeSet::from([least, most, least.midpoint(most)])
}

/// What the schema alone refuses of a field: the wrong type, and what is beyond its limits.
pub fn refused(field: &Field) -> Vec<Refused> {
    let mut wrong = match field.schema["type"].as_str() {
        Some("string") => vec![json!(7)],
        Some("integer" | "number") => vec![json!("seven"), json!(1.5e12)],
        Some("boolean") => vec![json!("perhaps"), json!(1)],
        Some("array" | "object") => vec![json!("one")],
        _ => vec![],
    };
    if let Some((least, most)) = field.limits() {
        wrong.extend([json!(least - 1), json!(most + 1)]);
    }
    if !field.words().is_empty() {
        wrong.push(json!("Whatever"));
    }
    wrong.into_iter().map(|value| Refused { spec: patch(&field.path, value), names: field.name().to_owned() }).collect()
}

/// Changes whose parts are right and that contradict each other, or what the fleet is.
pub fn contradictions() -> Vec<Refused> {
    let refused = |(spec, names): (Value, &str)| Refused { spec, names: names.to_owned() };
    let rows = [
        (json!({"workers": {"min": 5}}), "min must not be above max"),
        (json!({"workers": {"max": 0, "min": 1}}), "min must not be above max"),
        (json!({"workers": {"warmPool": {"prepared": 1}}}), "prepared must not be above max"),
        (json!({"workers": {"update": {"maxSurge": 0, "maxUnavailable": 0}}}), "maxUnavailable and maxSurge"),
        (json!({"workers": {"template": {"imageParameter": "/operations/ami"}}}), "imageId"),
        (json!({"workers": {"template": {"instanceTypes": ["t3.small", "t3.small"]}}}), "instanceTypes"),
        (json!({"workers": {"template": {"instanceTypes": []}}}), "instanceTypes"),
        (json!({"workers": {"template": null}}), "template"),
        (json!({"scaling": {"target": {"drainSeconds": 60}}}), "messagesPerWorker"),
        (json!({"queues": {"fifo": true}}), "fifo"),
        (json!({"queues": {"request": {"name": "others"}}}), "queue names cannot be changed"),
        (json!({"queues": {"response": {"name": "others"}}}), "queue names cannot be changed"),
        (json!({"queues": {"deadLetter": {"name": "others"}}}), "queue names cannot be changed"),
        (json!({"storage": {"inputBucket": "others"}}), "buckets of a fleet cannot be changed"),
        (json!({"storage": {"outputBucket": "others"}}), "buckets of a fleet cannot be changed"),
        (json!({"region": "eu-west-1"}), "region cannot be changed"),
        (json!({"endpointUrl": "http://127.0.0.1:1"}), "endpointUrl cannot be changed"),
        (json!({"workers": {"maximum": 5}}), "maximum"),
    ];
    rows.into_iter().map(refused).collect()
}

/// Changes that the API server cannot know to be wrong, each with the condition that tells and a word of its message.
pub fn mistakes() -> Vec<(Value, &'static str, &'static str)> {
    vec![
        (json!({"gateway": {"podTemplate": {"spec": {"restartPolicy": "Sometimes"}}}}), "GatewayReady", "restartPolicy"),
        (
            json!({"workers": {"template": {"imageId": null, "imageParameter": "/operations/missing"}}}),
            "AbleToScale",
            "/operations/missing",
        ),
        (json!({"gateway": {"replicas": 1, "tokenSecret": {"name": "not-there"}}}), "GatewayReady", "not-there"),
    ]
}
