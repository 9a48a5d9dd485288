//! What a fleet goes through, as data: each phase with what sets it off and what there must be when it has settled.

use serde_json::{Value, json};

/// A life of a fleet.
#[derive(Debug)]
pub struct Chain {
    /// Short, for namespaces and messages.
    pub name: &'static str,
    /// One after another, from the creation of the fleet to its deletion.
    pub phases: &'static [Phase],
}

/// One step of a fleet's life.
#[derive(Debug)]
pub struct Phase {
    /// As printed.
    pub name: &'static str,
    /// Whether its calls are points at which things go wrong; otherwise it only leads to the next.
    pub tested: bool,
    /// What sets it off.
    pub trigger: Trigger,
    /// What there must be in the end, whatever happens on the way.
    pub wanted: Wanted,
}

/// What sets a phase off.
#[derive(Debug)]
pub enum Trigger {
    /// The fleet is applied.
    Create,
    /// So many workers are asked for, as by `kubectl scale`.
    Scale(u32),
    /// What workers are made from changes.
    Template,
    /// The fleet is deleted.
    Delete,
}

/// What there must be, no more and no less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Ready workers.
    pub running: usize,
    /// Stopped instances of the warm pool.
    pub stopped: usize,
    /// Instances that EC2 launched since the fleet was made, terminated ones too: one too many was launched twice.
    pub launched: usize,
}

const fn wanted(running: usize, stopped: usize, launched: usize) -> Wanted {
    Wanted { running, stopped, launched }
}

const fn tested(name: &'static str, trigger: Trigger, wanted: Wanted) -> Phase {
    Phase { name, tested: true, trigger, wanted }
}

const fn on_the_way(name: &'static str, trigger: Trigger, wanted: Wanted) -> Phase {
    Phase { name, tested: false, trigger, wanted }
}

/// Launched and terminated.
pub const COLD: Chain = Chain {
    name: "cold",
    phases: &[
        tested("creation", Trigger::Create, wanted(0, 0, 0)),
        tested("launch", Trigger::Scale(3), wanted(3, 0, 3)),
        tested("drain", Trigger::Scale(1), wanted(1, 0, 3)),
        on_the_way("growth", Trigger::Scale(2), wanted(2, 0, 4)),
        tested("roll-out", Trigger::Template, wanted(2, 0, 6)),
        tested("deletion", Trigger::Delete, wanted(0, 0, 6)),
    ],
};

/// Stopped and started.
pub const WARM: Chain = Chain {
    name: "warm",
    phases: &[
        on_the_way("creation", Trigger::Create, wanted(0, 0, 0)),
        on_the_way("launch", Trigger::Scale(2), wanted(2, 0, 2)),
        tested("warm stop", Trigger::Scale(0), wanted(0, 2, 2)),
        tested("warm start", Trigger::Scale(2), wanted(2, 0, 2)),
        on_the_way("shrinking", Trigger::Scale(1), wanted(1, 1, 2)),
        tested("warm deletion", Trigger::Delete, wanted(0, 0, 2)),
    ],
};

impl Chain {
    /// The fleet that goes through this, in a namespace of its own.
    pub fn fleet(&self, namespace: &str) -> Value {
        let pool = if self.name == WARM.name { 2 } else { 0 };
        json!({
            "apiVersion": "classifierfleet.dev/v1alpha1", "kind": "ClassifierFleet",
            "metadata": {"name": "fleet", "namespace": namespace},
            "spec": {
                "queues": {"request": {"name": format!("{namespace}-requests")}, "response": {"name": format!("{namespace}-responses")}},
                "storage": {"inputBucket": format!("{namespace}-in"), "outputBucket": format!("{namespace}-out")},
                "model": {"uri": "s3://imagenet-models/efficientnet-lite0"},
                "workers": {
                    "max": 5, "replicas": 0, "warmPool": {"max": pool, "idleSeconds": 3600},
                    "template": {"imageId": "ami-0123456789abcdef0", "instanceTypes": ["t3.small"]},
                },
                "gateway": {"replicas": 0},
                "deletion": {"queues": "Delete", "buckets": "Delete"},
            },
        })
    }
}

impl Trigger {
    /// The change of the spec, where it is one.
    pub fn patch(&self) -> Option<Value> {
        match self {
            Self::Create | Self::Delete => None,
            Self::Scale(replicas) => Some(json!({"spec": {"workers": {"replicas": replicas}}})),
            Self::Template => Some(json!({"spec": {"workers": {"template": {"userData": "echo another revision"}}}})),
        }
    }
}
