//! Fleets and parts of their specs, as an API server sees them.

use std::path::Path;

use serde_json::{Value, json};
use xtask::stack::Stack;

use crate::cluster::merged;
use crate::pages::Block;

/// The API server takes each of them: a whole fleet as it stands, a part of a spec laid over the example.
pub async fn are_taken(stack: &Stack, root: &Path, blocks: Vec<Block>) {
    assert!(blocks.len() > 10, "{}", blocks.len());
    let example = read(stack, &root.join("examples/imagenet.yaml")).await;
    let folder = tempfile::tempdir().unwrap();
    let mut refused = Vec::new();
    for Block { place, code, .. } in blocks {
        let file = folder.path().join("fleet.yaml");
        let is_whole = code.contains("kind: ClassifierFleet");
        std::fs::write(&file, if is_whole { code } else { as_fleet(&code) }).unwrap();
        if !is_whole {
            let part = read(stack, &file).await;
            std::fs::write(&file, laid_over(&example, &part).to_string()).unwrap();
        }
        let apply = ["apply", "--dry-run=server", "--validate=strict", "-f", file.to_str().unwrap()];
        if let Err(error) = stack.kubectl(&apply).await {
            refused.push(format!("{place}: {error:#}"));
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

/// What a file says, right or wrong.
async fn read(stack: &Stack, file: &Path) -> Value {
    let read = ["create", "--dry-run=client", "--validate=false", "-o", "json", "-f", file.to_str().unwrap()];
    serde_json::from_str(&stack.kubectl(&read).await.unwrap()).unwrap()
}

fn as_fleet(part: &str) -> String {
    let spec: String = part.lines().map(|line| format!("  {line}\n")).collect();
    format!("apiVersion: classifierfleet.dev/v1alpha1\nkind: ClassifierFleet\nmetadata: {{name: imagenet}}\nspec:\n{spec}")
}

/// `scaling` takes the example's place, as a goal excludes the other; so does a parameter that of an image.
fn laid_over(example: &Value, part: &Value) -> Value {
    let mut example = example.clone();
    if part["spec"].get("scaling").is_some() {
        example["spec"].as_object_mut().unwrap().remove("scaling");
    }
    if part["spec"]["workers"]["template"].get("imageParameter").is_some() {
        example["spec"]["workers"]["template"].as_object_mut().unwrap().remove("imageId");
    }
    merged(&example, &json!({ "spec": part["spec"] }))
}
