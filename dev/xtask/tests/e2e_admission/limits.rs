//! How large, how long, how many and which words: each limit of the schema, from both sides.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::cluster::merged;
use crate::server::Server;

/// A field, the smallest and the largest number that it takes.
const NUMBERS: &[(&str, i64, i64)] = &[
    ("gateway.maxEventStreams", 1, 100_000),
    ("gateway.maxPending", 1, 100_000),
    ("gateway.maxUploadBytes", 1024, 1_073_741_824),
    ("gateway.replicas", 0, 100),
    ("gateway.requestTimeoutSeconds", 1, 43_200),
    ("gateway.resultCache.maxEntries", 1, 100_000),
    ("gateway.resultCache.ttlSeconds", 1, 2_592_000),
    ("gateway.service.port", 1, 65_535),
    ("queues.maxReceives", 1, 1000),
    ("queues.maximumMessageBytes", 1024, 1_048_576),
    ("queues.visibilityTimeoutSeconds", 5, 43_200),
    ("scaling.activationMessages", 0, 1_000_000),
    ("scaling.behavior.scaleDown.policies.0.periodSeconds", 1, 1800),
    ("scaling.behavior.scaleDown.policies.0.value", 1, 100_000),
    ("scaling.behavior.scaleDown.stabilizationWindowSeconds", 0, 3600),
    ("scaling.behavior.scaleDown.tolerance", 0, 1),
    ("scaling.behavior.scaleUp.policies.0.periodSeconds", 1, 1800),
    ("scaling.behavior.scaleUp.policies.0.value", 1, 100_000),
    ("scaling.behavior.scaleUp.stabilizationWindowSeconds", 0, 3600),
    ("scaling.behavior.scaleUp.tolerance", 0, 1),
    ("scaling.fallback.failureThreshold", 0, 1000),
    ("scaling.fallback.workers", 0, 1000),
    ("scaling.target.drainSeconds", 1, 86_400),
    ("scaling.target.messagesPerWorker", 1, 1_000_000),
    ("storage.inlineBytes", 0, 184_320),
    ("storage.retentionDays", 1, 36_500),
    ("tracing.samplingRatio", 0, 1),
    ("workers.bootTimeoutSeconds", 5, 3600),
    ("workers.drainTimeoutSeconds", 1, 43_200),
    ("workers.idleShutdownSeconds", 0, 86_400),
    ("workers.max", 0, 1000),
    ("workers.min", 0, 1000),
    ("workers.replicas", 0, 1000),
    ("workers.template.capacity.onDemandBase", 0, 1000),
    ("workers.template.volumeGiB", 1, 16_384),
    ("workers.update.maxSurge", 0, 1000),
    ("workers.update.maxUnavailable", 0, 1000),
    ("workers.warmPool.idleSeconds", 0, 2_592_000),
    ("workers.warmPool.max", 0, 1000),
    ("workers.warmPool.prepared", 0, 1000),
];

/// A field, what its text begins with, the character it goes on with, what it ends with, the least and the most characters.
/// Least 0: the schema says none, or a rule does.
const TEXTS: &[(&str, &str, char, &str, usize, usize)] = &[
    ("endpointUrl", "http://", 'a', "", 0, 512),
    ("gateway.cors.allowedOrigins.0", "https://", 'o', "", 1, 260),
    ("gateway.image", "", 'a', "", 1, 512),
    ("gateway.tlsSecret.name", "", 't', "", 1, 253),
    ("gateway.tokenSecret.key", "", 'k', "", 1, 253),
    ("gateway.tokenSecret.name", "", 't', "", 1, 253),
    ("model.uri", "file:///", 'a', "", 0, 1024),
    ("queues.deadLetter.name", "", 'd', "", 1, 74),
    ("queues.request.name", "", 'q', "", 1, 74),
    ("queues.response.name", "", 'r', "", 1, 74),
    ("region", "us-", 'e', "-1", 0, 32),
    ("storage.inputBucket", "", 'i', "", 0, 63),
    ("storage.outputBucket", "", 'o', "", 0, 63),
    ("tracing.otlpEndpoint", "http://", 'c', "", 0, 512),
    ("workers.template.binary.sha256", "", '0', "", 0, 64),
    ("workers.template.binary.uri", "s3://programs/", 'w', "", 0, 512),
    ("workers.template.imageId", "ami-", '0', "", 0, 21),
    ("workers.template.imageParameter", "/", 'a', "", 1, 1011),
    ("workers.template.instanceProfile", "", 'p', "", 0, 128),
    ("workers.template.instanceTypes.0", "t.", '3', "", 0, 32),
    ("workers.template.keyName", "", 'k', "", 0, 255),
    ("workers.template.securityGroupIds.0", "sg-", '0', "", 0, 20),
    ("workers.template.subnetIds.0", "subnet-", '0', "", 0, 24),
    ("workers.template.userData", "", 'u', "", 0, 8192),
];

/// A field, the fewest and the most items.
const ITEMS: &[(&str, usize, usize)] = &[
    ("gateway.cors.allowedOrigins", 1, 32),
    ("gateway.serviceAccountAnnotations", 0, 32),
    ("scaling.behavior.scaleDown.policies", 0, 8),
    ("scaling.behavior.scaleUp.policies", 0, 8),
    ("workers.template.instanceTypes", 1, 10),
    ("workers.template.securityGroupIds", 0, 5),
    ("workers.template.subnetIds", 0, 10),
];

/// A field and the words that it takes.
const WORDS: &[(&str, &[&str])] = &[
    ("deletion.buckets", &["Retain", "Delete"]),
    ("deletion.queues", &["Retain", "Delete"]),
    ("gateway.responseFormat", &["Label", "StemLabel", "Pair", "Json"]),
    ("gateway.service.type", &["ClusterIP", "NodePort", "LoadBalancer"]),
    ("model.engine", &["tract", "onnxruntime"]),
    ("scaling.behavior.scaleDown.policies.0.type", &["Pods", "Percent"]),
    ("scaling.behavior.scaleDown.selectPolicy", &["Max", "Min", "Disabled"]),
    ("scaling.behavior.scaleUp.policies.0.type", &["Pods", "Percent"]),
    ("scaling.behavior.scaleUp.selectPolicy", &["Max", "Min", "Disabled"]),
    ("scaling.fallback.behavior", &["Static", "CurrentReplicas", "CurrentReplicasIfHigher", "CurrentReplicasIfLower"]),
    ("storage.keyStyle", &["Id", "Name"]),
];

/// Each limit refuses what is beyond it, by its name, and takes what is just within; and there are no others.
pub async fn all_are_kept(server: &Server) {
    let roomy = roomy(&server.example);
    numbers(server, &roomy).await;
    texts(server, &roomy).await;
    items(server, &roomy).await;
    words(server, &roomy).await;
    let known: BTreeSet<String> = NUMBERS
        .iter()
        .map(|row| row.0)
        .chain(TEXTS.iter().map(|row| row.0))
        .chain(ITEMS.iter().map(|row| row.0))
        .chain(WORDS.iter().map(|row| row.0))
        .map(str::to_owned)
        .collect();
    let mut limited = BTreeSet::new();
    collect(&server.schema["properties"]["spec"], "", &mut limited);
    assert_eq!(limited, known, "the schema's limits, and those that the tables try");
}

/// The example with room for every extreme of one field.
fn roomy(example: &Value) -> Value {
    let rules = json!({"policies": [{"type": "Pods", "value": 1, "periodSeconds": 1}]});
    let change = json!({"spec": {
        "workers": {"max": 1000, "warmPool": {"max": 1000}, "template": {
            "subnetIds": ["subnet-01234567"], "securityGroupIds": ["sg-01234567"], "binary": {"uri": "s3://programs/worker", "sha256": "0".repeat(64)},
        }},
        "scaling": {"behavior": {"scaleUp": rules, "scaleDown": rules}},
        "gateway": {
            "tokenSecret": {"name": "t"}, "tlsSecret": {"name": "t"}, "cors": {"allowedOrigins": ["*"]}, "resultCache": {"maxEntries": 1},
        },
        "tracing": {"otlpEndpoint": "http://c"},
    }});
    merged(example, &change)
}

async fn numbers(server: &Server, roomy: &Value) {
    for (path, least, most) in NUMBERS {
        for (value, sentence) in [
            (*least, None),
            (*most, None),
            (least - 1, Some(format!("should be greater than or equal to {least}"))),
            (most + 1, Some(format!("should be less than or equal to {most}"))),
        ] {
            judge(server, roomy, path, json!(value), sentence).await;
        }
    }
}

async fn texts(server: &Server, roomy: &Value) {
    for (path, begin, filling, end, least, most) in TEXTS {
        let text = |length: usize| format!("{begin}{}{end}", filling.to_string().repeat(length - begin.len() - end.len()));
        judge(server, roomy, path, json!(text(*most)), None).await;
        judge(server, roomy, path, json!(text(most + 1)), Some(format!("may not be more than {most} bytes"))).await;
        if *least > 0 {
            judge(server, roomy, path, json!(""), Some(format!("should be at least {least} chars long"))).await;
        }
    }
}

async fn items(server: &Server, roomy: &Value) {
    for (path, least, most) in ITEMS {
        judge(server, roomy, path, some(path, *most), None).await;
        judge(server, roomy, path, some(path, most + 1), Some(format!("must have at most {most} items"))).await;
        if *least > 0 {
            judge(server, roomy, path, some(path, least - 1), Some(format!("should have at least {least} items"))).await;
        }
    }
}

/// So many items of the kind that the field takes, no two alike.
fn some(path: &str, count: usize) -> Value {
    let numbered = |prefix: &str| (0..count).map(|n| json!(format!("{prefix}{n:08}"))).collect();
    match path.rsplit('.').next() {
        Some("policies") => (0..count).map(|n| json!({"type": "Pods", "value": n + 1, "periodSeconds": 1})).collect(),
        Some("allowedOrigins") => numbered("https://o"),
        Some("instanceTypes") => numbered("t3."),
        Some("securityGroupIds") => numbered("sg-"),
        Some("subnetIds") => numbered("subnet-"),
        _ => Value::Object((0..count).map(|n| (format!("a{n}"), json!("b"))).collect()),
    }
}

async fn words(server: &Server, roomy: &Value) {
    for (path, words) in WORDS {
        for word in *words {
            judge(server, roomy, path, json!(word), None).await;
        }
        let supported = words.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", ");
        judge(server, roomy, path, json!("Whatever"), Some(format!("supported values: {supported}"))).await;
    }
}

/// Of a pair of which one may be given, the other is taken away.
const RIVALS: [(&str, &str); 3] = [
    ("scaling.target.drainSeconds", "scaling.target.messagesPerWorker"),
    ("workers.template.imageParameter", "workers.template.imageId"),
    // The longest commands leave no room for what installs the program.
    ("workers.template.userData", "workers.template.binary"),
];

async fn judge(server: &Server, roomy: &Value, path: &str, value: Value, sentence: Option<String>) {
    let mut fleet = roomy.clone();
    for (_, rival) in RIVALS.iter().filter(|(field, _)| *field == path) {
        set(&mut fleet["spec"], rival, Value::Null);
    }
    set(&mut fleet["spec"], path, value.clone());
    match (server.judge(&fleet).await, sentence) {
        (Ok(_), None) => {}
        (Err(error), Some(sentence)) => assert!(error.contains(&sentence), "{path}: {value}: {sentence:?} is not in {error}"),
        (answer, sentence) => panic!("{path}: {value}: {answer:?} instead of {sentence:?}"),
    }
}

/// Sets the field at `path`; null is as good as none.
fn set(value: &mut Value, path: &str, to: Value) {
    let mut at = value;
    for step in path.split('.') {
        at = match step.parse::<usize>() {
            Ok(index) => &mut at[index],
            Err(_) => &mut at[step],
        };
    }
    *at = to;
}

const LIMITS: [&str; 9] = ["minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "maxProperties", "enum", "pattern"];

/// Paths of all fields that the schema limits.
fn collect(schema: &Value, path: &str, limited: &mut BTreeSet<String>) {
    if LIMITS.iter().any(|limit| !schema[limit].is_null()) {
        limited.insert(path.to_owned());
    }
    let below = |step: &str| if path.is_empty() { step.to_owned() } else { format!("{path}.{step}") };
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        collect(property, &below(name), limited);
    }
    if schema["items"].is_object() {
        collect(&schema["items"], &below("0"), limited);
    }
}
