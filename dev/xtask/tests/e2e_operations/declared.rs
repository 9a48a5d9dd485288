//! What a spec declares, and how what is seen differs from it. It computes nothing as the operator does: a fleet with two jobs, a
//! worker for each and no damping is simple enough to say what must be there.

use serde_json::{Value, json};

use super::cluster::condition;
use super::stage::{JOBS, Seen};

/// Fields of the gateway that its pods get as variables.
const VARIABLES: &[(&str, &str)] = &[
    ("/gateway/maxEventStreams", "CLASSIFIERFLEET_MAX_EVENT_STREAMS"),
    ("/gateway/maxPending", "CLASSIFIERFLEET_MAX_PENDING"),
    ("/gateway/maxUploadBytes", "CLASSIFIERFLEET_MAX_UPLOAD_BYTES"),
    ("/gateway/requestTimeoutSeconds", "CLASSIFIERFLEET_REQUEST_TIMEOUT_SECONDS"),
    ("/gateway/responseFormat", "CLASSIFIERFLEET_RESPONSE_FORMAT"),
    ("/gateway/resultCache/maxEntries", "CLASSIFIERFLEET_CACHE_ENTRIES"),
    ("/gateway/resultCache/ttlSeconds", "CLASSIFIERFLEET_CACHE_TTL_SECONDS"),
    ("/queues/maximumMessageBytes", "CLASSIFIERFLEET_MAX_MESSAGE_BYTES"),
    ("/storage/inlineBytes", "CLASSIFIERFLEET_INLINE_BYTES"),
    ("/storage/keyStyle", "CLASSIFIERFLEET_KEY_STYLE"),
];

/// What is not as the fleet's spec declares; empty once all is.
pub fn differences(seen: &Seen) -> Vec<String> {
    let mut differences = Differences(Vec::new());
    differences.status(seen);
    differences.workers(seen);
    differences.queue(seen);
    differences.gateway(seen);
    differences.0
}

struct Differences(Vec<String>);

impl Differences {
    fn want(&mut self, what: &str, is: &Value, wanted: &Value) {
        if is != wanted {
            self.0.push(format!("{what} is {is}, not {wanted}"));
        }
    }

    fn status(&mut self, Seen { fleet, .. }: &Seen) {
        let (status, generation) = (&fleet["status"], &fleet["metadata"]["generation"]);
        self.want("status.observedGeneration", &status["observedGeneration"], generation);
        for type_ in ["Ready", "QueuesReady", "GatewayReady", "AbleToScale"] {
            let (holds, reason) = condition(fleet, type_);
            self.want(&format!("{type_} ({reason})"), &json!(holds), &json!("True"));
        }
        let conditions = status["conditions"].as_array().into_iter().flatten();
        for old in conditions.filter(|condition| condition["observedGeneration"] != *generation) {
            self.0.push(format!("the condition {} is of an earlier spec", old["type"]));
        }
    }

    fn workers(&mut self, Seen { fleet, instances, .. }: &Seen) {
        let (spec, status) = (&fleet["spec"], &fleet["status"]);
        let (least, most) = wanted(spec);
        let desired = status["desired"].as_u64().unwrap_or(0);
        if !(least..=most).contains(&desired) {
            self.0.push(format!("{desired} workers are desired, not {least} to {most}"));
        }
        let workers = &status["workers"];
        if workers["ready"].as_u64().unwrap_or(0) < desired {
            self.0.push(format!("of {desired} workers {} are ready", workers["ready"]));
        }
        for count in ["starting", "draining", "outdated"] {
            self.want(&format!("status.workers.{count}"), &json!(workers[count].as_u64().unwrap_or(0)), &json!(0));
        }
        let template = &spec["workers"]["template"];
        let lives = |instance: &&Value| matches!(instance["state"].as_str(), Some("pending" | "running"));
        let live: Vec<&Value> = instances.iter().filter(lives).collect();
        let allowed = spec["workers"]["max"].as_u64().unwrap_or(0);
        if live.len() as u64 > allowed {
            self.0.push(format!("{} instances live, and {allowed} may", live.len()));
        }
        for instance in live {
            self.instance(instance, template, &status["revision"]);
        }
        let stopped = instances.iter().filter(|instance| instance["state"] == "stopped").count() as u64;
        let pool = |name: &str| spec["workers"]["warmPool"][name].as_u64().unwrap_or(0);
        if !(pool("prepared")..=pool("max")).contains(&stopped) {
            self.0.push(format!("{stopped} instances are stopped, and the pool keeps {} to {}", pool("prepared"), pool("max")));
        }
    }

    fn instance(&mut self, instance: &Value, template: &Value, revision: &Value) {
        self.want("an instance's revision", &instance["tags"]["classifierfleet:revision"], revision);
        self.want("an instance's type", &instance["instanceType"], &template["instanceTypes"][0]);
        let image = if template["imageParameter"].is_null() { template["imageId"].clone() } else { json!("ami-0123456789abcdef1") };
        self.want("an instance's image", &instance["imageId"], &image);
        if template["subnetIds"][0].is_string() {
            self.want("an instance's subnet", &instance["subnetId"], &template["subnetIds"][0]);
        }
        if template["volumeGiB"].is_u64() {
            self.want("an instance's disk", &instance["volumes"][0]["sizeGib"], &template["volumeGiB"]);
        }
        let (spot, base) = (template["capacity"]["spot"] == true, template["capacity"]["onDemandBase"].as_u64().unwrap_or(0));
        if base == 0 {
            self.want("an instance is spot", &json!(instance["spotInstanceRequestId"].is_string()), &json!(spot));
        }
    }

    fn queue(&mut self, Seen { fleet, queue, retention, .. }: &Seen) {
        let spec = &fleet["spec"]["queues"];
        let live = |name: &str| json!(queue.get(name).and_then(|value| value.parse::<i64>().ok()));
        self.want("VisibilityTimeout", &live("VisibilityTimeout"), &spec["visibilityTimeoutSeconds"]);
        if spec["maximumMessageBytes"].is_i64() {
            self.want("MaximumMessageSize", &live("MaximumMessageSize"), &spec["maximumMessageBytes"]);
        }
        let policy: Value = queue.get("RedrivePolicy").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let receives = policy["maxReceiveCount"].as_i64().or_else(|| policy["maxReceiveCount"].as_str()?.parse().ok());
        self.want("maxReceiveCount", &json!(receives), &spec["maxReceives"]);
        self.want("days until objects expire", &json!(retention), &fleet["spec"]["storage"]["retentionDays"]);
        let jobs: i64 = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
            .map(|name| live(name).as_i64().unwrap_or(0))
            .iter()
            .sum();
        self.want("jobs in the queue", &json!(jobs), &json!(JOBS));
    }

    fn gateway(&mut self, Seen { fleet, set, service, account, .. }: &Seen) {
        let gateway = &fleet["spec"]["gateway"];
        let pod = &set["spec"]["template"];
        let container = &pod["spec"]["containers"][0];
        self.want("the StatefulSet's replicas", &set["spec"]["replicas"], &gateway["replicas"]);
        self.want("the Service's type", &service["spec"]["type"], &gateway["service"]["type"]);
        self.want("the Service's port", &service["spec"]["ports"][0]["port"], &gateway["service"]["port"]);
        for (field, variable) in VARIABLES {
            let Some(value) = fleet["spec"].pointer(field).filter(|value| !value.is_null()) else { continue };
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            self.want(variable, &variable_of(container, variable), &json!(text));
        }
        let origins = gateway["cors"]["allowedOrigins"].as_array();
        let origins = origins.map(|origins| origins.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(","));
        self.want("the origins", &variable_of(container, "CLASSIFIERFLEET_CORS_ORIGINS"), &json!(origins));
        if gateway["image"].is_string() {
            self.want("the image", &container["image"], &gateway["image"]);
        }
        for secret in ["tokenSecret", "tlsSecret"] {
            let name = &gateway[secret]["name"];
            let mounts = |volume: &Value| volume["secret"]["secretName"] == *name;
            if name.is_string() && !pod["spec"]["volumes"].as_array().is_some_and(|volumes| volumes.iter().any(mounts)) {
                self.0.push(format!("no volume of the pods is {secret} {name}"));
            }
        }
        let laid_over = &gateway["podTemplate"];
        if laid_over.is_object() {
            self.want("the pods' annotations", &pod["metadata"]["annotations"]["team"], &laid_over["metadata"]["annotations"]["team"]);
            self.want("the pods' node selector", &pod["spec"]["nodeSelector"]["disk"], &laid_over["spec"]["nodeSelector"]["disk"]);
        }
        let role = "eks.amazonaws.com/role-arn";
        self.want("the account's role", &account["metadata"]["annotations"][role], &gateway["serviceAccountAnnotations"][role]);
    }
}

/// The value of a variable of a container; null if there is none.
fn variable_of(container: &Value, name: &str) -> Value {
    let variables = container["env"].as_array().into_iter().flatten();
    variables.into_iter().find(|variable| variable["name"] == name).map_or(Value::Null, |variable| variable["value"].clone())
}

/// The fewest and the most workers that the spec can ask for while [`JOBS`] wait.
fn wanted(spec: &Value) -> (u64, u64) {
    let (scaling, workers) = (&spec["scaling"], &spec["workers"]);
    let number = |value: &Value| value.as_u64().unwrap_or(0);
    let (min, max) = (number(&workers["min"]), number(&workers["max"]));
    let within = |wanted: u64| wanted.clamp(min, max);
    if let Some(pinned) = workers["replicas"].as_u64() {
        return (within(pinned), within(pinned));
    }
    let asked = match scaling["target"]["messagesPerWorker"].as_u64() {
        _ if JOBS <= number(&scaling["activationMessages"]) => 0,
        Some(messages) => JOBS.div_ceil(messages),
        // As many as meet the deadline: how many, other tests tell.
        None => return (within(1), within(JOBS)),
    };
    // A fall can be forbidden, slowed or waited with; a rise within a tolerance is none.
    let down = &scaling["behavior"]["scaleDown"];
    let slow = down["selectPolicy"] == "Disabled" || number(&down["stabilizationWindowSeconds"]) > 0;
    (within(asked), if slow { within(JOBS.max(asked)) } else { within(asked) })
}
