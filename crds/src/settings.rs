//! The settings of a fleet that decisions depend on, in the words of `plan`. Operator and `kubectl-fleet` both come here, so
//! that both decide alike.

use std::num::NonZeroU32;

use jiff::SignedDuration;
use kube::ResourceExt as _;
use plan::{Allowance, Counted, Fleet, Offering, Pause, Pool, Select};

use crate::{ClassifierFleet, Fallback, FallbackBehavior, Policy, PolicyType, Rules, SelectPolicy, Target, Template};

/// Annotations that hold the number of workers, as KEDA's users know them.
pub mod annotation {
    /// The number stays as it is.
    pub const PAUSED: &str = "classifierfleet.dev/paused";
    /// The number is this one.
    pub const PAUSED_REPLICAS: &str = "classifierfleet.dev/paused-replicas";
    /// The number does not fall.
    pub const PAUSED_SCALE_IN: &str = "classifierfleet.dev/paused-scale-in";
    /// The number does not rise.
    pub const PAUSED_SCALE_OUT: &str = "classifierfleet.dev/paused-scale-out";
}

/// The HPA's default (`--horizontal-pod-autoscaler-tolerance`).
const TOLERANCE: f64 = 0.1;

impl ClassifierFleet {
    /// The settings that decisions depend on, with new workers made as `revision`.
    #[must_use]
    pub fn settings(&self, revision: &str) -> Fleet {
        let (workers, scaling) = (&self.spec.workers, &self.spec.scaling);
        Fleet {
            min: number(workers.min),
            max: number(workers.max),
            pinned: workers.replicas.map(number),
            target: target(&scaling.target),
            counted: self.counted(),
            places: self.places(),
            activation: u64::from(number(scaling.activation_messages)),
            scale_up: rules(&scaling.behavior.scale_up, 0),
            scale_down: rules(&scaling.behavior.scale_down, 60),
            fallback: scaling.fallback.as_ref().map(fallback),
            pause: self.pause(),
            boot_timeout: seconds(workers.boot_timeout_seconds),
            drain_timeout: seconds(workers.drain_timeout_seconds),
            revision: revision.to_owned(),
            offerings: workers.template.offerings(),
            on_demand_base: if workers.template.capacity.spot { number(workers.template.capacity.on_demand_base) } else { 0 },
            pool: Pool {
                max: number(workers.warm_pool.max),
                prepared: number(workers.warm_pool.prepared),
                idle: seconds(workers.warm_pool.idle_seconds),
            },
            update: plan::Update { max_unavailable: number(workers.update.max_unavailable), max_surge: number(workers.update.max_surge) },
            deleting: self.metadata.deletion_timestamp.is_some(),
        }
    }

    /// Without gateways, programs wait for no answer there.
    fn places(&self) -> u64 {
        let gateway = &self.spec.gateway;
        let replicas = number(gateway.replicas);
        if replicas == 0 { u64::MAX } else { u64::from(replicas) * u64::from(number(gateway.max_pending)) }
    }

    /// Which counters make the backlog.
    #[must_use]
    pub fn counted(&self) -> Counted {
        Counted { in_flight: self.spec.scaling.count_in_flight, delayed: self.spec.scaling.count_delayed }
    }

    /// What annotations pause. A value that is no boolean counts as true, as KEDA has it; a number of replicas that is none pauses.
    #[must_use]
    pub fn pause(&self) -> Pause {
        let annotations = self.annotations();
        let set = |key: &str| annotations.get(key).is_some_and(|value| value.parse().unwrap_or(true));
        let replicas = annotations.get(annotation::PAUSED_REPLICAS);
        let workers = replicas.and_then(|value| value.parse().ok());
        Pause {
            paused: set(annotation::PAUSED) || (replicas.is_some() && workers.is_none()),
            workers,
            scale_in: set(annotation::PAUSED_SCALE_IN),
            scale_out: set(annotation::PAUSED_SCALE_OUT),
        }
    }
}

impl Template {
    /// Where and as what workers are launched, the preferred one first: spot before on-demand, types before subnets.
    #[must_use]
    pub fn offerings(&self) -> Vec<Offering> {
        let subnets: Vec<Option<&String>> =
            if self.subnet_ids.is_empty() { vec![None] } else { self.subnet_ids.iter().map(Some).collect() };
        let markets: &[bool] = if self.capacity.spot { &[true, false] } else { &[false] };
        let mut offerings = Vec::new();
        for spot in markets {
            for instance_type in &self.instance_types {
                let offering =
                    |subnet: &Option<&String>| Offering { instance_type: instance_type.clone(), subnet_id: subnet.cloned(), spot: *spot };
                offerings.extend(subnets.iter().map(offering));
            }
        }
        offerings
    }
}

fn target(target: &Target) -> plan::Target {
    match (target.messages_per_worker, target.drain_seconds) {
        (_, Some(within)) => plan::Target::Drain(seconds(within)),
        (messages, None) => plan::Target::MessagesPerWorker(messages.and_then(|n| NonZeroU32::new(number(n))).unwrap_or(NonZeroU32::MIN)),
    }
}

fn rules(rules: &Rules, window: i32) -> plan::Rules {
    plan::Rules {
        window: seconds(rules.stabilization_window_seconds.unwrap_or(window)),
        select: match rules.select_policy {
            SelectPolicy::Max => Select::Max,
            SelectPolicy::Min => Select::Min,
            SelectPolicy::Disabled => Select::Disabled,
        },
        policies: rules.policies.iter().map(policy).collect(),
        tolerance: rules.tolerance.unwrap_or(TOLERANCE),
    }
}

fn policy(policy: &Policy) -> plan::Policy {
    let allowance = match policy.type_ {
        PolicyType::Pods => Allowance::Workers(number(policy.value)),
        PolicyType::Percent => Allowance::Percent(number(policy.value)),
    };
    plan::Policy { allowance, period: seconds(policy.period_seconds) }
}

fn fallback(fallback: &Fallback) -> plan::Fallback {
    plan::Fallback {
        threshold: number(fallback.failure_threshold),
        behavior: match fallback.behavior {
            FallbackBehavior::Static => plan::FallbackBehavior::Static,
            FallbackBehavior::CurrentReplicas => plan::FallbackBehavior::Current,
            FallbackBehavior::CurrentReplicasIfHigher => plan::FallbackBehavior::CurrentIfHigher,
            FallbackBehavior::CurrentReplicasIfLower => plan::FallbackBehavior::CurrentIfLower,
        },
        workers: number(fallback.workers),
    }
}

/// The API server lets no number below 0 pass.
fn number(value: i32) -> u32 {
    u32::try_from(value).unwrap_or(0)
}

fn seconds(value: i32) -> SignedDuration {
    SignedDuration::from_secs(i64::from(value))
}
