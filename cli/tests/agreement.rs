//! What the status shows of a decision is enough to make it again.
#![allow(clippy::unwrap_used)]

mod common;

use cli::explain::Explanation;
use common::{decided, fleet, noon};
use crds::{ClassifierFleet, DecisionInputs};
use jiff::SignedDuration;
use plan::{Group, Inputs, PastChange, QueueDepth};
use proptest::prelude::*;

/// As finely as the status shows times: tenths of a second.
fn spans(most: i64) -> impl Strategy<Value = SignedDuration> {
    (0..most * 10).prop_map(|tenths| SignedDuration::from_millis(tenths * 100))
}

/// As finely as it shows rates: thousandths.
fn rates() -> impl Strategy<Value = f64> {
    (0u32..50_000).prop_map(|thousandths| f64::from(thousandths) / 1000.0)
}

prop_compose! {
    fn groups()(workers in 1u32..20, ready_in in spans(120), jobs_per_second in rates()) -> Group {
        Group { workers, ready_in, jobs_per_second }
    }
}

prop_compose! {
    fn depths()(visible in 0u64..5000, in_flight in 0u64..500, delayed in 0u64..500) -> QueueDepth {
        QueueDepth { visible, in_flight, delayed }
    }
}

prop_compose! {
    fn all_inputs()(
        (queue, failed_samples, waiting) in (proptest::option::weighted(0.9, depths()), 0u32..8, 0u64..1000),
        (oldest_age, arrivals_per_second) in (proptest::option::of(spans(100)), rates()),
        (before, lowest, highest) in (0u32..30, proptest::option::of(0u32..30), proptest::option::of(0u32..30)),
        changes in proptest::collection::vec((spans(200), -20i64..20), 0..4),
        (workers, startable) in (proptest::collection::vec(groups(), 0..5), 0u32..10),
        (boot_cold, boot_warm, jobs_per_second, measured) in (spans(300), spans(100), rates(), any::<bool>()),
    ) -> Inputs {
        let changes = changes.into_iter().map(|(ago, by)| PastChange { ago, by }).collect();
        Inputs {
            queue, failed_samples, waiting, oldest_age, arrivals_per_second, before, lowest, highest, changes, workers, startable,
            boot_cold, boot_warm, jobs_per_second, measured,
        }
    }
}

fn fleets() -> impl Strategy<Value = ClassifierFleet> {
    let behaviors = prop_oneof![
        Just("{}"),
        Just("{scaleDown: {stabilizationWindowSeconds: 300, policies: [{type: Percent, value: 50, periodSeconds: 60}]}}"),
        Just("{scaleUp: {policies: [{type: Pods, value: 3, periodSeconds: 30}, {type: Percent, value: 100, periodSeconds: 15}]}}"),
        Just("{scaleUp: {selectPolicy: Disabled}, scaleDown: {tolerance: 0.3}}"),
    ];
    let targets =
        prop_oneof![(1u32..60).prop_map(|n| format!("messagesPerWorker: {n}")), (1u32..300).prop_map(|n| format!("drainSeconds: {n}"))];
    (targets, behaviors, 0u32..5, 0u32..20, proptest::option::weighted(0.1, 0u32..30), any::<bool>()).prop_map(
        |(target, behavior, min, more, replicas, fallback)| {
            let replicas = replicas.map(|number| format!("\n    replicas: {number}")).unwrap_or_default();
            let fallback = if fallback { "    fallback: {workers: 0}\n" } else { "" };
            fleet(&[
                ("messagesPerWorker: 10", &target),
                ("min: 0", &format!("min: {min}")),
                ("max: 5", &format!("max: {}{replicas}", min + more)),
                ("    behavior: {scaleDown: {stabilizationWindowSeconds: 10}}", &format!("{fallback}    behavior: {behavior}")),
            ])
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn inputs_survive_the_status(inputs in all_inputs()) {
        let shown = DecisionInputs::of(&inputs);
        let read: DecisionInputs = serde_json::from_value(serde_json::to_value(&shown).unwrap()).unwrap();
        prop_assert_eq!(read.to_plan(), inputs);
    }

    #[test]
    fn a_decision_made_again_agrees(fleet in fleets(), inputs in all_inputs()) {
        let fleet = decided(fleet, &inputs);
        let stored: ClassifierFleet = serde_json::from_value(serde_json::to_value(&fleet).unwrap()).unwrap();
        let explanation = Explanation::of(&stored, noon());
        let recomputed = explanation.recomputed.unwrap();
        prop_assert!(recomputed.agrees);
        prop_assert_eq!(recomputed.steps, explanation.decision.unwrap().steps);
    }
}
