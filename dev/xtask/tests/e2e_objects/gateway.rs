//! The gateway's objects: whose they are, what they allow, what the user may lay over them.

use serde_json::{Value, json};

use crate::Stage;
use crate::support::until;

/// Kinds of the objects that are called `<fleet>-gateway`.
pub const KINDS: [&str; 6] = ["statefulsets", "services", "serviceaccounts", "roles", "rolebindings", "poddisruptionbudgets"];

/// Waits until a fleet has all its objects.
pub async fn is_made(stage: &Stage, fleet: &str) {
    stage.fleet(fleet, "its gateway is made", |fleet| !super::cluster::condition(fleet, "GatewayReady").1.is_empty()).await;
    for kind in KINDS {
        stage.cluster.wait(kind, "default", &format!("{fleet}-gateway"), "is made", |_| true).await;
    }
}

pub async fn has_its_objects_and_no_rights_but_its_leases(stage: &Stage) {
    let fleet = stage.apply("owned", json!({"gateway": {"replicas": 2, "service": {"type": "NodePort", "port": 8000}}})).await;
    is_made(stage, "owned").await;
    let leases = ["owned-gateway-0", "owned-gateway-1"].map(|name| ("leases", name));
    for (kind, name) in KINDS.map(|kind| (kind, "owned-gateway")).into_iter().chain(leases) {
        let object = stage.cluster.wait(kind, "default", name, "is made", |_| true).await;
        let owner = &object["metadata"]["ownerReferences"][0];
        let wanted = json!({"apiVersion": "classifierfleet.dev/v1alpha1", "kind": "ClassifierFleet", "name": "owned", "uid": fleet["metadata"]["uid"], "controller": true});
        assert_eq!(*owner, wanted, "{kind} {name}");
        assert_eq!(object["metadata"]["labels"]["classifierfleet.dev/fleet"], "owned", "{kind} {name}");
    }
    let service = stage.cluster.get("services", "default", "owned-gateway").await.unwrap();
    assert_eq!((&service["spec"]["type"], &service["spec"]["ports"][0]["port"]), (&json!("NodePort"), &json!(8000)));
    let budget = stage.cluster.get("poddisruptionbudgets", "default", "owned-gateway").await.unwrap();
    assert_eq!(budget["spec"]["maxUnavailable"], 1);
    rights(stage).await;
    stage.says("owned", "GatewayReady", "True", "ReplicasReady").await;
    // What the gateway says of itself it wrote with these rights: it runs as its ServiceAccount.
    let is_written = |lease: &Value| lease["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "classifierfleet-gateway";
    let address = stage.cluster.gateway_url("default", "owned-gateway-0").await;
    until("the gateway writes its Lease", async || {
        // An image that nobody does: it waits, which is what the Lease tells.
        let form = reqwest::multipart::Form::new().part("file", reqwest::multipart::Part::bytes(GIF).file_name("a.gif"));
        reqwest::Client::new().post(format!("{address}/v1/images")).multipart(form).send().await.unwrap();
        is_written(&stage.cluster.get("leases", "default", "owned-gateway-0").await.unwrap())
    })
    .await;
}

/// One pixel.
const GIF: &[u8] = b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;";

async fn rights(stage: &Stage) {
    let table = [
        ("get", "leases/owned-gateway-0", true),
        ("patch", "leases/owned-gateway-0", true),
        ("patch", "leases/owned-gateway-1", true),
        ("patch", "leases/another-gateway-0", false),
        ("delete", "leases/owned-gateway-0", false),
        ("create", "leases", false),
        ("list", "leases", false),
        ("get", "secrets", false),
        ("list", "pods", false),
        ("get", "classifierfleets/owned", true),
        ("get", "classifierfleets/another", false),
        ("list", "classifierfleets", false),
        ("patch", "classifierfleets/owned", false),
        ("patch", "statefulsets/owned-gateway", false),
    ];
    let account = "--as=system:serviceaccount:default:owned-gateway";
    for (verb, object, may) in table {
        let answer = stage.stack.kubectl(&["auth", "can-i", verb, object, account]).await;
        assert_eq!(answer.is_ok_and(|said| said.trim() == "yes"), may, "{verb} {object}");
    }
}

pub async fn waits_for_the_secrets_that_its_fleet_names(stage: &Stage) {
    let options = json!({"replicas": 1, "tokenSecret": {"name": "closed-token"}, "cors": {"allowedOrigins": ["*"]}, "resultCache": {"maxEntries": 10}});
    stage.apply("closed", json!({"gateway": options, "storage": {"keyStyle": "Name"}})).await;
    is_made(stage, "closed").await;
    let message = stage.says("closed", "GatewayReady", "False", "GatewayNotReady").await;
    assert!(message.contains("once these Secrets are there: closed-token with the key token"), "{message}");
    stage.stack.kubectl(&["create", "secret", "generic", "closed-token", "--from-literal=token=sesame"]).await.unwrap();
    stage.says("closed", "GatewayReady", "True", "ReplicasReady").await;
}

pub async fn takes_the_users_template(stage: &Stage) {
    let template = json!({
        "metadata": {"annotations": {"team": "vision"}},
        "spec": {"nodeSelector": {"disk": "ssd"}, "containers": [{"name": "gateway", "resources": {"requests": {"cpu": "250m"}}}]},
    });
    let role = json!({"eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/gateway"});
    stage.apply("dressed", json!({"gateway": {"podTemplate": template, "serviceAccountAnnotations": role}})).await;
    is_made(stage, "dressed").await;
    let template = |set: &Value| set["spec"]["template"].clone();
    let pod = template(&stage.cluster.get("statefulsets", "default", "dressed-gateway").await.unwrap());
    assert_eq!(pod["metadata"]["annotations"]["team"], "vision");
    assert_eq!(pod["spec"]["nodeSelector"]["disk"], "ssd");
    let container = &pod["spec"]["containers"][0];
    assert_eq!((&container["resources"]["requests"]["cpu"], &container["name"]), (&json!("250m"), &json!("gateway")));
    let account = stage.cluster.get("serviceaccounts", "default", "dressed-gateway").await.unwrap();
    assert_eq!(account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"], role["eks.amazonaws.com/role-arn"]);
    // What is laid over no longer is taken away.
    stage.change("dressed", json!({"gateway": {"podTemplate": null, "serviceAccountAnnotations": null}})).await;
    let is_bare =
        |set: &Value| template(set)["spec"].get("nodeSelector").is_none() && template(set)["metadata"].get("annotations").is_none();
    stage.cluster.wait("statefulsets", "default", "dressed-gateway", "is bare again", is_bare).await;
    let has_no_role = |account: &Value| account["metadata"]["annotations"].get("eks.amazonaws.com/role-arn").is_none();
    stage.cluster.wait("serviceaccounts", "default", "dressed-gateway", "has no role", has_no_role).await;
    // A template that Kubernetes refuses is told of where the user looks.
    stage.change("dressed", json!({"gateway": {"podTemplate": {"spec": {"restartPolicy": "Sometimes"}}}})).await;
    let message = stage.says("dressed", "GatewayReady", "False", "GatewayRefused").await;
    assert!(message.contains("podTemplate") && message.contains("restartPolicy"), "{message}");
}
