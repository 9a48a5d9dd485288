//! One fleet, with a field of its spec from one number to another; and which of them is the cheapest that does. Plays nothing.

use anyhow::{Context as _, Result, bail};
use crds::ClassifierFleet;
use serde_json::Value;
use sim::report::Report;

use super::Contender;
use super::args::{Slo, Sweep, Which};
use crate::manifest;

impl Slo {
    /// Whether `report` meets it: all images are answered, and soon enough.
    pub(super) fn is_met(&self, report: &Report) -> bool {
        let time = match self.which {
            Which::P50 => report.p50,
            Which::P99 => report.p99,
            Which::Max => report.max,
        };
        report.unanswered == 0 && time <= self.seconds
    }
}

/// `fleet` with each number of `sweep`, as the API server would take it.
///
/// # Errors
/// When the spec has no such number, or the API server would refuse one.
pub(super) fn contenders(fleet: &ClassifierFleet, sweep: &Sweep) -> Result<Vec<Contender>> {
    let object = serde_json::to_value(fleet)?;
    let pointer = format!("/spec/{}", sweep.field.replace('.', "/"));
    if !object.pointer(&pointer).is_some_and(Value::is_i64) {
        bail!("--sweep {}: the fleet's spec has no number there; set it in the file, and write it such as workers.max", sweep.field);
    }
    let one = |number: i32| {
        let mut object = object.clone();
        if let Some(value) = object.pointer_mut(&pointer) {
            *value = number.into();
        }
        let name = format!("{}={number}", sweep.field);
        let admitted = manifest::admitted(&object).map_err(|wrongs| {
            let wrongs = wrongs.into_iter().map(|wrong| format!("{}: {}", wrong.path, wrong.message));
            anyhow::anyhow!("{}", wrongs.collect::<Vec<_>>().join("\n"))
        });
        Ok(super::contender(name.clone(), admitted.with_context(|| format!("the API server would refuse {name}"))?))
    };
    (sweep.from..=sweep.to).map(one).collect()
}

/// The cheapest run that meets `slo`, or that answers all; of equally cheap ones the quickest.
pub(super) fn cheapest(runs: &[Report], slo: Option<Slo>) -> Option<String> {
    let meets = |report: &&Report| slo.map_or(report.unanswered == 0, |slo| slo.is_met(report));
    let dearer = |a: &&Report, b: &&Report| a.billed_seconds.total_cmp(&b.billed_seconds).then(a.p99.total_cmp(&b.p99));
    runs.iter().filter(meets).min_by(dearer).map(|report| report.policy.clone())
}
