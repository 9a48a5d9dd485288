//! The gateway's Kubernetes objects: what they grant, what a user may lay over them, what stays.
#![allow(clippy::unwrap_used)]

use crds::ClassifierFleet;
use operator::prepare::gateway::objects::{Parts, objects};
use operator::prepare::gateway::overlay::{holds, lay_over};
use operator::prepare::gateway::{endpoints_at, name};
use serde_json::{Value, json};
use service::aws::Place;

fn fleet(change: impl FnOnce(&mut ClassifierFleet)) -> ClassifierFleet {
    let mut fleet: ClassifierFleet = serde_saphyr::from_str(include_str!("../../../examples/imagenet.yaml")).unwrap();
    fleet.metadata.namespace = Some("photos".to_owned());
    fleet.metadata.uid = Some("6f0c2d3e-0000-4000-8000-000000000000".to_owned());
    change(&mut fleet);
    fleet
}

/// The body of the object of this kind.
fn made(kind: &str, change: impl FnOnce(&mut ClassifierFleet)) -> Value {
    let fleet = fleet(change);
    let endpoints = [("AWS_ENDPOINT_URL_SQS".to_owned(), "http://127.0.0.1:1".to_owned())];
    let objects = objects(&Parts { fleet: &fleet, image: "gateway:1", region: "eu-central-1", endpoints: &endpoints });
    objects.into_iter().find(|object| object.resource.kind == kind).unwrap().body
}

fn pod(change: impl FnOnce(&mut ClassifierFleet)) -> Value {
    made("StatefulSet", change)["spec"]["template"].clone()
}

fn env(pod: &Value, name: &str) -> Value {
    let env = pod["spec"]["containers"][0]["env"].as_array().unwrap();
    let mut found = env.iter().filter(|variable| variable["name"] == name);
    let variable = found.next().unwrap().clone();
    assert!(found.next().is_none(), "{name} stands there twice");
    variable
}

#[test]
fn all_objects_belong_to_the_fleet_and_come_in_the_order_of_their_needs() {
    let fleet = fleet(|fleet| fleet.spec.gateway.replicas = 2);
    let objects = objects(&Parts { fleet: &fleet, image: "i", region: "r", endpoints: &[] });
    let kinds: Vec<&str> = objects.iter().map(|object| object.resource.kind.as_str()).collect();
    let wanted = ["ServiceAccount", "Role", "RoleBinding", "Lease", "Lease", "Service", "PodDisruptionBudget", "StatefulSet"];
    assert_eq!(kinds, wanted);
    for object in &objects {
        let owner = &object.body["metadata"]["ownerReferences"][0];
        assert_eq!((&owner["uid"], &owner["controller"]), (&json!("6f0c2d3e-0000-4000-8000-000000000000"), &json!(true)));
        assert_eq!(object.body["metadata"]["namespace"], "photos");
        assert_eq!(object.body["kind"], object.resource.kind);
    }
}

#[test]
fn a_gateway_may_read_its_fleet_and_write_its_leases_and_nothing_else() {
    let rules = made("Role", |fleet| fleet.spec.gateway.replicas = 2)["rules"].clone();
    let names = ["imagenet-gateway-0", "imagenet-gateway-1"];
    let itself =
        json!({"apiGroups": ["classifierfleet.dev"], "resources": ["classifierfleets"], "resourceNames": ["imagenet"], "verbs": ["get"]});
    assert_eq!(
        rules,
        json!([itself, {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "resourceNames": names, "verbs": ["get", "patch"]}])
    );
    assert_eq!(made("Role", |fleet| fleet.spec.gateway.replicas = 0)["rules"], json!([itself]), "no names would mean all Leases");
    assert_eq!(made("RoleBinding", |_| {})["subjects"][0]["name"], "imagenet-gateway");
}

#[test]
fn the_rights_follow_the_account_that_the_pods_run_under() {
    let change = |fleet: &mut ClassifierFleet| fleet.spec.gateway.pod_template = Some(json!({"spec": {"serviceAccountName": "mine"}}));
    assert_eq!(pod(change)["spec"]["serviceAccountName"], "mine");
    assert_eq!(made("RoleBinding", change)["subjects"][0]["name"], "mine");
}

#[test]
fn the_operator_makes_a_lease_and_leaves_its_fields_to_the_gateway() {
    let lease = made("Lease", |_| {});
    assert_eq!(lease["metadata"]["name"], "imagenet-gateway-0");
    assert_eq!(lease["metadata"]["labels"], json!({"classifierfleet.dev/fleet": "imagenet"}));
    assert_eq!(lease["metadata"].get("annotations"), None);
    assert_eq!(lease.get("spec"), None);
}

#[test]
fn annotations_of_the_service_account_are_the_users() {
    assert_eq!(made("ServiceAccount", |_| {})["metadata"].get("annotations"), None);
    let annotations = [("eks.amazonaws.com/role-arn".to_owned(), "arn:aws:iam::1:role/a".to_owned())];
    let account = made("ServiceAccount", |fleet| fleet.spec.gateway.service_account_annotations = annotations.into());
    assert_eq!(account["metadata"]["annotations"], json!({"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/a"}));
}

#[test]
fn a_node_can_always_be_drained() {
    for replicas in [1, 3] {
        let budget = made("PodDisruptionBudget", |fleet| fleet.spec.gateway.replicas = replicas)["spec"].clone();
        assert_eq!((&budget["maxUnavailable"], &budget["unhealthyPodEvictionPolicy"]), (&json!(1), &json!("AlwaysAllow")));
        assert_eq!(budget["selector"]["matchLabels"], made("StatefulSet", |_| {})["spec"]["selector"]["matchLabels"]);
    }
}

#[test]
fn replicas_spread_where_they_can() {
    let constraints = pod(|_| {})["spec"]["topologySpreadConstraints"].clone();
    for constraint in constraints.as_array().unwrap() {
        assert_eq!((&constraint["whenUnsatisfiable"], &constraint["maxSkew"]), (&json!("ScheduleAnyway"), &json!(1)));
        assert_eq!(constraint["labelSelector"]["matchLabels"]["classifierfleet.dev/fleet"], "imagenet");
    }
    let own = json!([{"topologyKey": "rack", "maxSkew": 2, "whenUnsatisfiable": "DoNotSchedule"}]);
    let template = json!({"spec": {"topologySpreadConstraints": own}});
    assert_eq!(pod(|fleet| fleet.spec.gateway.pod_template = Some(template))["spec"]["topologySpreadConstraints"], own);
}

#[test]
fn the_gateway_learns_its_lease_its_owner_and_where_aws_is() {
    let pod = pod(|_| {});
    let value = |name: &str| env(&pod, name)["value"].as_str().unwrap().to_owned();
    assert_eq!(value("CLASSIFIERFLEET_WAKE_LEASE"), "imagenet-gateway-$(POD_INDEX)");
    let owner: Value = serde_json::from_str(&value("CLASSIFIERFLEET_OWNER")).unwrap();
    let uid = "6f0c2d3e-0000-4000-8000-000000000000";
    let wanted = json!({"apiVersion": "classifierfleet.dev/v1alpha1", "kind": "ClassifierFleet", "name": "imagenet", "uid": uid, "controller": true});
    assert_eq!(owner, wanted);
    assert_eq!((value("AWS_REGION"), value("AWS_ENDPOINT_URL_SQS")), ("eu-central-1".to_owned(), "http://127.0.0.1:1".to_owned()));
    assert_eq!(env(&pod, "HOSTNAME")["valueFrom"]["fieldRef"]["fieldPath"], "metadata.name");
    let names: Vec<&Value> = pod["spec"]["containers"][0]["env"].as_array().unwrap().iter().map(|variable| &variable["name"]).collect();
    assert_eq!(names[..2], ["POD_IP", "POD_INDEX"], "variables that others refer to come first");
    assert_eq!(
        (&pod["spec"]["automountServiceAccountToken"], &pod["spec"]["serviceAccountName"]),
        (&json!(true), &json!("imagenet-gateway"))
    );
}

#[test]
fn the_gateway_learns_where_spans_go_and_the_rest_of_it_is_the_users() {
    let own = |name: &str, value: &str| json!({"name": name, "value": value});
    let theirs = [own("OTEL_EXPORTER_OTLP_HEADERS", "key=value"), own("OTEL_TRACES_SAMPLER", "always_on")];
    let pod = pod(|fleet| {
        fleet.spec.tracing = Some(serde_json::from_value(json!({"otlpEndpoint": "http://collector:4318"})).unwrap());
        fleet.spec.gateway.pod_template = Some(json!({"spec": {"containers": [{"name": "gateway", "env": theirs}]}}));
    });
    let value = |name: &str| env(&pod, name)["value"].as_str().unwrap().to_owned();
    assert_eq!(value("OTEL_EXPORTER_OTLP_ENDPOINT"), "http://collector:4318");
    assert_eq!((value("OTEL_TRACES_SAMPLER"), value("OTEL_TRACES_SAMPLER_ARG")), ("parentbased_traceidratio".to_owned(), "1".to_owned()));
    assert_eq!(value("OTEL_EXPORTER_OTLP_HEADERS"), "key=value");
}

/// A token and a certificate of these Secrets.
fn secured(fleet: &mut ClassifierFleet) {
    fleet.spec.gateway.token_secret = Some(serde_json::from_value(json!({"name": "t"})).unwrap());
    fleet.spec.gateway.tls_secret = Some(serde_json::from_value(json!({"name": "c"})).unwrap());
}

#[test]
fn what_the_spec_leaves_out_the_gateway_is_not_told() {
    let pod = pod(|_| {});
    let env = pod["spec"]["containers"][0]["env"].as_array().unwrap();
    let names: Vec<&str> = env.iter().map(|variable| variable["name"].as_str().unwrap()).collect();
    for absent in ["TOKEN_FILE", "TLS_DIR", "CORS_ORIGINS", "CACHE_ENTRIES", "CACHE_TTL_SECONDS"] {
        assert!(!names.contains(&format!("CLASSIFIERFLEET_{absent}").as_str()), "{absent}");
    }
    assert!(!names.iter().any(|name| name.starts_with("OTEL_")), "nothing is traced");
    assert_eq!(pod["spec"]["volumes"], json!([{"name": "spool", "emptyDir": {"sizeLimit": "5Gi"}}]));
    assert_eq!(pod["spec"]["containers"][0]["volumeMounts"], json!([{"name": "spool", "mountPath": "/var/spool/classifierfleet"}]));
}

#[test]
fn options_of_the_gateway_are_variables_and_volumes() {
    let pod = pod(|fleet| {
        secured(fleet);
        fleet.spec.gateway.token_secret.as_mut().unwrap().key = "bearer".to_owned();
        fleet.spec.gateway.cors = Some(serde_json::from_value(json!({"allowedOrigins": ["https://a.example", "http://b:1"]})).unwrap());
        fleet.spec.gateway.result_cache = Some(serde_json::from_value(json!({"maxEntries": 500})).unwrap());
        fleet.spec.storage.key_style = crds::KeyStyle::Name;
    });
    let table = [
        ("TOKEN_FILE", "/etc/classifierfleet/token/bearer"),
        ("TLS_DIR", "/etc/classifierfleet/tls"),
        ("CORS_ORIGINS", "https://a.example,http://b:1"),
        ("CACHE_ENTRIES", "500"),
        ("CACHE_TTL_SECONDS", "3600"),
        ("KEY_STYLE", "Name"),
        ("SPOOL_DIR", "/var/spool/classifierfleet"),
    ];
    for (name, value) in table {
        assert_eq!(env(&pod, &format!("CLASSIFIERFLEET_{name}"))["value"], value, "{name}");
    }
    let token = json!({"name": "token", "secret": {"secretName": "t", "items": [{"key": "bearer", "path": "bearer"}]}});
    assert_eq!(pod["spec"]["volumes"][1], token);
    assert_eq!(pod["spec"]["volumes"][2], json!({"name": "tls", "secret": {"secretName": "c"}}));
    let mounts = &pod["spec"]["containers"][0]["volumeMounts"];
    assert_eq!(mounts[1], json!({"name": "token", "mountPath": "/etc/classifierfleet/token", "readOnly": true}));
    assert_eq!(mounts[2], json!({"name": "tls", "mountPath": "/etc/classifierfleet/tls", "readOnly": true}));
}

#[test]
fn with_a_certificate_the_service_says_https_and_health_stays_plain() {
    let plain = made("Service", |_| {})["spec"]["ports"][0].clone();
    assert_eq!(plain, json!({"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}));
    let port = made("Service", secured)["spec"]["ports"][0].clone();
    assert_eq!(port, json!({"name": "https", "port": 80, "targetPort": "https", "protocol": "TCP", "appProtocol": "https"}));
    let container = pod(secured)["spec"]["containers"][0].clone();
    assert_eq!(container["ports"][0], json!({"name": "https", "containerPort": 8080, "protocol": "TCP"}));
    assert_eq!(container["readinessProbe"]["httpGet"], json!({"path": "/readyz", "port": "monitor"}));
}

#[test]
fn a_user_may_choose_the_spools_volume_and_bring_more() {
    let template = json!({"spec": {
        "volumes": [{"name": "spool", "emptyDir": null, "ephemeral": {"volumeClaimTemplate": {}}}, {"name": "ca", "configMap": {"name": "ca"}}],
        "containers": [{"name": "gateway", "volumeMounts": [{"name": "spool", "mountPath": "/elsewhere"}, {"name": "ca", "mountPath": "/ca"}]}],
    }});
    let dressed = pod(|fleet| fleet.spec.gateway.pod_template = Some(template));
    let spool = json!({"name": "spool", "ephemeral": {"volumeClaimTemplate": {}}});
    assert_eq!(dressed["spec"]["volumes"], json!([spool, {"name": "ca", "configMap": {"name": "ca"}}]));
    let mounts = json!([{"name": "spool", "mountPath": "/var/spool/classifierfleet"}, {"name": "ca", "mountPath": "/ca"}]);
    assert_eq!(dressed["spec"]["containers"][0]["volumeMounts"], mounts);
    let bare = pod(|fleet| {
        secured(fleet);
        fleet.spec.gateway.pod_template = Some(json!({"spec": {"volumes": null}}));
    });
    assert_eq!(bare["spec"]["volumes"].as_array().unwrap().len(), 3, "what is mounted must be there");
}

#[test]
fn uploads_under_way_are_waited_for_as_long_as_the_pod_may_live() {
    // Request timeout, the user's grace; grace and drain that follow.
    for (timeout, users, grace, drain) in
        [(900, None, 80, 60), (10, None, 30, 10), (900, Some(300), 300, 280), (900, Some(5), 5, 0), (20, Some(300), 300, 20)]
    {
        let pod = pod(|fleet| {
            fleet.spec.gateway.request_timeout_seconds = timeout;
            fleet.spec.gateway.pod_template = users.map(|users| json!({"spec": {"terminationGracePeriodSeconds": users}}));
        });
        assert_eq!(pod["spec"]["terminationGracePeriodSeconds"], grace);
        assert_eq!(env(&pod, "CLASSIFIERFLEET_DRAIN_TIMEOUT_SECONDS")["value"], drain.to_string());
    }
}

#[test]
fn a_users_template_is_laid_over_and_what_must_be_ours_stays() {
    let pod = pod(|fleet| {
        fleet.spec.gateway.pod_template = Some(json!({
            "metadata": {"annotations": {"a": "b"}, "labels": {"team": "vision", "classifierfleet.dev/fleet": "stolen"}},
            "spec": {
                "nodeSelector": {"disk": "ssd"},
                "securityContext": {"runAsUser": null, "fsGroup": 7},
                "containers": [
                    {"name": "gateway", "resources": {"requests": {"cpu": "1"}}, "ports": [{"name": "http", "containerPort": 1}, {"name": "more", "containerPort": 2}],
                     "env": [{"name": "AWS_REGION", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}, {"name": "LOG_LEVEL", "value": "debug"}]},
                    {"name": "sidecar", "image": "s:1"},
                ],
            },
        }));
    });
    let labels = json!({"app.kubernetes.io/name": "gateway", "app.kubernetes.io/part-of": "classifierfleet",
        "app.kubernetes.io/managed-by": "classifierfleet-operator", "classifierfleet.dev/fleet": "imagenet", "team": "vision"});
    assert_eq!(pod["metadata"], json!({"annotations": {"a": "b"}, "labels": labels}));
    let spec = &pod["spec"];
    assert_eq!(spec["nodeSelector"], json!({"disk": "ssd"}));
    let security = json!({"runAsNonRoot": true, "runAsGroup": 65532, "fsGroup": 7, "seccompProfile": {"type": "RuntimeDefault"}});
    assert_eq!(spec["securityContext"], security);
    let gateway = &spec["containers"][0];
    assert_eq!((&gateway["name"], &gateway["image"]), (&json!("gateway"), &json!("gateway:1")));
    assert_eq!(gateway["resources"]["requests"]["cpu"], "1");
    assert_eq!(env(&pod, "AWS_REGION"), json!({"name": "AWS_REGION", "value": "eu-central-1"}));
    assert_eq!(env(&pod, "LOG_LEVEL")["value"], "debug");
    let ports: Vec<&Value> = gateway["ports"].as_array().unwrap().iter().map(|port| &port["containerPort"]).collect();
    assert_eq!(ports, [8080, 9090, 2]);
    assert_eq!(spec["containers"][1], json!({"name": "sidecar", "image": "s:1"}));
}

#[test]
fn a_template_that_removes_everything_still_runs_the_gateway() {
    for template in [
        json!({"metadata": null, "spec": {"containers": null}}),
        json!({"spec": {"containers": [{"name": "gateway", "image": null, "env": null}]}}),
    ] {
        let pod = pod(|fleet| fleet.spec.gateway.pod_template = Some(template));
        assert_eq!(pod["metadata"]["labels"]["classifierfleet.dev/fleet"], "imagenet");
        assert_eq!(pod["spec"]["containers"][0]["image"], "gateway:1");
        assert_eq!(env(&pod, "CLASSIFIERFLEET_FLEET")["value"], "imagenet");
    }
}

#[test]
fn laying_over_goes_field_by_field_and_name_by_name() {
    let table = [
        (json!({"a": 1, "b": {"c": 2}}), json!({"b": {"d": 3}}), json!({"a": 1, "b": {"c": 2, "d": 3}})),
        (json!({"a": 1, "b": 2}), json!({"a": null, "c": null}), json!({"b": 2})),
        (json!({"a": [1, 2]}), json!({"a": [3]}), json!({"a": [3]})),
        (
            json!([{"name": "a", "x": 1}]),
            json!([{"name": "b", "z": null}, {"name": "a", "y": 2}]),
            json!([{"name": "a", "x": 1, "y": 2}, {"name": "b"}]),
        ),
        (json!([{"name": "a"}]), json!([{"key": "b"}]), json!([{"key": "b"}])),
        (json!({"a": {"b": 1}}), json!({"a": "text"}), json!({"a": "text"})),
        (json!({}), json!({"a": {"b": null, "c": [{"d": null}]}}), json!({"a": {"c": [{}]}})),
    ];
    for (mut base, over, wanted) in table {
        lay_over(&mut base, &over);
        assert_eq!(base, wanted);
    }
}

#[test]
fn what_is_there_holds_whatever_was_added_to_it() {
    let live = json!({"replicas": 2, "type": "x", "env": [{"name": "other"}, {"name": "a", "value": "1", "default": true}], "rules": [{"verbs": ["get", "patch"]}]});
    let table = [
        (json!({"replicas": 2}), true),
        (json!({"replicas": 3}), false),
        (json!({"env": [{"name": "a", "value": "1"}]}), true),
        (json!({"env": [{"name": "a", "value": "2"}]}), false),
        (json!({"env": [{"name": "b"}]}), false),
        (json!({"rules": [{"verbs": ["get"]}]}), false),
        (json!({"rules": []}), false),
        (json!({"missing": 1}), false),
        (json!({"missing": [], "none": {}, "empty": ""}), true),
    ];
    for (wanted, expected) in table {
        assert_eq!(holds(&live, &wanted), expected, "{wanted}");
    }
}

#[test]
fn endpoints_are_the_fleets_or_the_operators() {
    let environment = |name: &str| (name == "AWS_ENDPOINT_URL_S3").then(|| "http://s3".to_owned());
    assert_eq!(endpoints_at(&Place::default(), environment), [("AWS_ENDPOINT_URL_S3".to_owned(), "http://s3".to_owned())]);
    let place = Place { endpoint_url: Some("http://all".to_owned()), ..Place::default() };
    assert_eq!(endpoints_at(&place, environment), [("AWS_ENDPOINT_URL".to_owned(), "http://all".to_owned())]);
}

#[test]
fn the_stateful_set_keeps_what_can_never_be_changed() {
    let set = made("StatefulSet", |fleet| fleet.spec.gateway.pod_template = Some(json!({"metadata": {"labels": {"x": "y"}}})));
    let selector = json!({"app.kubernetes.io/name": "gateway", "classifierfleet.dev/fleet": "imagenet"});
    assert_eq!(set["spec"]["selector"]["matchLabels"], selector);
    assert_eq!((&set["spec"]["serviceName"], &set["spec"]["podManagementPolicy"]), (&json!(name(&fleet(|_| {}))), &json!("Parallel")));
    assert_eq!(set["spec"]["updateStrategy"], json!({"type": "RollingUpdate"}));
}
