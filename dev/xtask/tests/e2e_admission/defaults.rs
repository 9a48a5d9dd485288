//! What a fleet has that its user did not write.

use serde_json::json;

use crate::cluster::merged;
use crate::server::Server;

/// A fleet of required fields alone is stored with the defaults that the descriptions tell.
pub async fn are_as_documented(server: &Server) {
    let least = merged(&server.example, &json!({"spec": {"scaling": null, "gateway": null, "workers": {"min": null}}}));
    let spec = server.judge(&least).await.unwrap()["spec"].clone();
    assert_eq!(spec["queues"]["fifo"], false);
    assert_eq!(spec["queues"]["visibilityTimeoutSeconds"], 60);
    assert_eq!(spec["queues"]["maxReceives"], 3);
    assert_eq!(spec["scaling"], scaling());
    assert_eq!(
        spec["gateway"],
        json!({
            "replicas": 1, "service": {"type": "ClusterIP", "port": 80}, "responseFormat": "Label",
            "maxUploadBytes": 10_485_760, "maxPending": 1000, "maxEventStreams": 256, "requestTimeoutSeconds": 900,
        })
    );
    assert_eq!(spec["deletion"], json!({"queues": "Retain", "buckets": "Retain"}));
    let mut workers = spec["workers"].clone();
    assert_eq!(workers["template"]["capacity"], json!({"spot": false, "onDemandBase": 0}));
    workers.as_object_mut().unwrap().remove("template");
    assert_eq!(
        workers,
        json!({
            "min": 0, "max": 5, "bootTimeoutSeconds": 300, "drainTimeoutSeconds": 120, "idleShutdownSeconds": 900,
            "warmPool": {"max": 0, "prepared": 0, "idleSeconds": 600}, "update": {"maxUnavailable": 1, "maxSurge": 1},
        })
    );
    sections_left_empty_have_theirs(server).await;
}

fn scaling() -> serde_json::Value {
    json!({
        "target": {"messagesPerWorker": 5}, "activationMessages": 0, "countInFlight": true, "countDelayed": false,
        "behavior": {
            "scaleUp": {"stabilizationWindowSeconds": 0, "selectPolicy": "Max"},
            "scaleDown": {"stabilizationWindowSeconds": 60, "selectPolicy": "Max"},
        },
    })
}

/// Also where the user wrote a section and nothing in it.
async fn sections_left_empty_have_theirs(server: &Server) {
    let empty = json!({"spec": {"scaling": null, "gateway": null, "deletion": null}});
    let empty = merged(&merged(&server.example, &empty), &json!({"spec": {"scaling": {"behavior": {}, "fallback": {}}, "gateway": {}}}));
    let spec = server.judge(&empty).await.unwrap()["spec"].clone();
    let mut wanted = scaling();
    wanted["fallback"] = json!({"failureThreshold": 3, "behavior": "CurrentReplicasIfHigher", "workers": 0});
    assert_eq!(spec["scaling"], wanted);
    assert_eq!((&spec["gateway"]["replicas"], &spec["gateway"]["service"]["port"]), (&json!(1), &json!(80)));
}
