//! What the doctor makes of a fleet's status.
#![allow(clippy::unwrap_used, clippy::panic)]

use cli::doctor::{Finding, Verdict, by_the_operator};
use serde_json::{Value, json};

const NOW: &str = "2026-01-01T00:10:00Z";

fn said(status: Value) -> Vec<Finding> {
    let fleet = json!({
        "apiVersion": "classifierfleet.dev/v1alpha1", "kind": "ClassifierFleet", "metadata": {"name": "imagenet", "generation": 2},
        "spec": {
            "queues": {"request": {"name": "a"}, "response": {"name": "b"}}, "storage": {"inputBucket": "in1", "outputBucket": "out"},
            "model": {"uri": "s3://models/m"},
            "workers": {"max": 1, "template": {"imageId": "ami-0123456789abcdef0", "instanceTypes": ["t3.small"]}},
        },
        "status": status,
    });
    by_the_operator(&serde_json::from_value(fleet).unwrap())
}

fn condition(type_: &str, status: &str, reason: &str) -> Value {
    json!({"type": type_, "status": status, "reason": reason, "message": "So it is.", "lastTransitionTime": NOW})
}

#[test]
fn an_operator_that_is_silent_is_told() {
    for (status, sentence) in
        [(Value::Null, "No operator has seen this fleet"), (json!({"observedGeneration": 1}), "No operator has seen the last change")]
    {
        let findings = said(status);
        assert!(findings.iter().any(|finding| finding.verdict == Verdict::Wrong && finding.sentence.contains(sentence)), "{findings:?}");
    }
}

#[test]
fn each_condition_has_its_remedy() {
    let conditions = [condition("AbleToScale", "False", "NoCapacity"), condition("GatewayReady", "False", "GatewayNotReady")];
    let findings = said(json!({"observedGeneration": 2, "conditions": conditions}));
    let remedies: Vec<&str> = findings.iter().map(|finding| finding.remedy.as_deref().unwrap_or_default()).collect();
    assert!(remedies[0].contains("further instance types") && remedies[1].contains("Look at its pods"), "{remedies:?}");
    assert_eq!(findings[0].sentence, "AbleToScale: So it is");
}

#[test]
fn a_fleet_that_is_well_is_said_to_be() {
    let conditions = [condition("Ready", "True", "Steady"), condition("ScalingLimited", "True", "TooFewReplicas")];
    let findings = said(json!({"observedGeneration": 2, "conditions": conditions}));
    let [Finding { verdict: Verdict::Right, remedy: None, .. }] = findings.as_slice() else { panic!("{findings:?}") };
}
