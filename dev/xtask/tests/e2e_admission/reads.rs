//! How a fleet reads in kubectl.

use serde_json::Value;
use xtask::stack::Stack;

use crate::server::Server;

/// Each field of spec and status has a description of whole sentences, and `kubectl explain` shows it.
pub async fn explains_every_field(stack: &Stack, server: &Server) {
    let mut fields = Vec::new();
    for part in ["spec", "status"] {
        collect(&server.schema["properties"][part], part, &mut fields);
    }
    assert!(fields.len() > 100, "{}", fields.len());
    // Conditions are Kubernetes' own, and so are their words.
    for (path, description) in fields.iter().filter(|(path, _)| !path.starts_with("status.conditions.")) {
        assert!(is_well_written(description), "{path}: {description:?}");
    }
    let explained = stack.kubectl(&["explain", "cfleet.spec", "--recursive"]).await.unwrap();
    for (path, _) in fields.iter().filter(|(path, _)| path.starts_with("spec.")) {
        let name = path.rsplit('.').next().unwrap();
        assert!(explained.contains(&format!(" {name}\t<")), "{name} is not in {explained}");
    }
    for section in
        ["spec", "spec.workers.template", "spec.scaling.behavior.scaleDown.policies", "spec.gateway.podTemplate", "status.decision"]
    {
        let explained = stack.kubectl(&["explain", &format!("cfleet.{section}")]).await.unwrap();
        let explained = words(&explained);
        for (path, description) in fields.iter().filter(|(path, _)| path.rsplit_once('.').is_some_and(|(parent, _)| parent == section)) {
            assert!(explained.contains(&words(description)), "{path}: {description:?} is not in {explained}");
        }
    }
}

fn collect(schema: &Value, path: &str, fields: &mut Vec<(String, String)>) {
    let properties = schema["properties"].as_object().or_else(|| schema["items"]["properties"].as_object());
    for (name, property) in properties.into_iter().flatten() {
        let path = format!("{path}.{name}");
        collect(property, &path, fields);
        fields.push((path, property["description"].as_str().unwrap_or_default().to_owned()));
    }
}

/// A sentence or more, on one line as its reader's terminal breaks it.
fn is_well_written(description: &str) -> bool {
    let begins = description.chars().next().is_some_and(|first| !first.is_lowercase());
    begins && description.ends_with(['.', ')']) && !description.contains("  ")
}

/// Without line breaks and indentation.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `kubectl get` shows how a fleet is at a glance, and more on demand.
pub async fn shows_the_columns(stack: &Stack) {
    let narrow = ["NAME", "DESIRED", "READY", "STARTING", "MIN", "MAX", "BACKLOG", "STATUS", "AGE"];
    let wide = ["DRAINING", "WARM", "MODEL", "REVISION", "LIMITED-BY"];
    let shown = stack.kubectl(&["get", "cfleet"]).await.unwrap();
    assert_eq!(shown.lines().next().unwrap().split_whitespace().collect::<Vec<_>>(), narrow);
    let shown = stack.kubectl(&["get", "cfleet", "-o", "wide"]).await.unwrap();
    let mut lines = shown.lines();
    assert_eq!(lines.next().unwrap().split_whitespace().collect::<Vec<_>>(), [&narrow[..], &wide].concat());
    let fleet: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    assert!(fleet.contains(&"here") && fleet.contains(&"5") && fleet.contains(&"s3://imagenet-models/efficientnet-lite0"), "{fleet:?}");
    let all = stack.kubectl(&["get", "all"]).await.unwrap();
    assert!(all.contains("classifierfleet.classifierfleet.dev/here"), "{all}");
}
