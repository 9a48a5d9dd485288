//! Act: carries out a plan, choosing nothing. A launch is written down before EC2 is asked.

pub mod launch;
mod remove;

use crds::{ClassifierFleet, LaunchIntent};
use jiff::Timestamp;
use plan::{Plan, Termination};

use crate::context::Operator;
use crate::observe::Observation;
use crate::prepare::Fault;
use crate::reconcile::Error;
use crate::revision::Revision;

/// What became of a plan.
pub struct Outcome {
    /// The fleet as the API server last answered: status is written over this version of it.
    pub fleet: ClassifierFleet,
    /// Launches that are still to be remembered.
    pub intents: Vec<LaunchIntent>,
    /// What happened, for events and metrics.
    pub news: Vec<News>,
    /// What EC2 would not do.
    pub fault: Option<Fault>,
}

/// Something that happened to a fleet's instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// EC2 launched these.
    Launched(Vec<String>),
    /// EC2 refused, or did not answer: code and sentence.
    LaunchFailed {
        /// EC2's error code, or NoAnswer.
        code: String,
        /// What EC2 said.
        message: String,
    },
    /// These were told to drain.
    Draining(Vec<String>),
    /// This one was terminated.
    Terminated(Termination),
}

/// Carries out `plan` for `fleet`.
pub async fn act(
    operator: &Operator,
    fleet: ClassifierFleet,
    revision: &Revision,
    template_version: Option<i64>,
    observation: &Observation,
    plan: &Plan,
    now: Timestamp,
) -> Result<Outcome, Error> {
    let mut outcome = Outcome { intents: kept(&fleet, plan), fleet, news: Vec::new(), fault: None };
    if let (1.., Some(version)) = (plan.launch, template_version) {
        let intent = launch::intent(&outcome.fleet, revision, version, plan.launch, now);
        launch::write_down(operator, &mut outcome, intent).await?;
    }
    launch::pursue(operator, &mut outcome, observation.observed.inventory.as_ref(), now).await;
    remove::drain(operator, &mut outcome, &plan.drain, now).await?;
    remove::terminate(operator, &mut outcome, &plan.terminate, now).await?;
    Ok(outcome)
}

fn kept(fleet: &ClassifierFleet, plan: &Plan) -> Vec<LaunchIntent> {
    let launches = fleet.status.as_ref().map(|status| status.launches.clone()).unwrap_or_default();
    launches.into_iter().filter(|intent| !plan.settle.contains(&intent.token)).collect()
}
