//! Act: carries out a plan, choosing nothing. A launch or a start is written down before EC2 is asked.

mod ask;
pub mod launch;
mod remove;

use crds::{ClassifierFleet, LaunchIntent, OfferingStatus};
use jiff::{SignedDuration, Timestamp};
use plan::{Offering, Plan, Termination};

use crate::clouds::Cloud;
use crate::context::Operator;
use crate::observe::Observation;
use crate::prepare::Fault;
use crate::reconcile::Error;
use crate::revision::Revision;

/// What became of a plan.
pub struct Outcome {
    /// The fleet as the API server last answered: status is written over this version of it.
    pub fleet: ClassifierFleet,
    /// Launches and starts that are still to be remembered.
    pub intents: Vec<LaunchIntent>,
    /// Where workers can be launched.
    pub offerings: Vec<OfferingStatus>,
    /// What happened, for events and metrics.
    pub news: Vec<News>,
    /// What EC2 would not do.
    pub fault: Option<Fault>,
    /// Something may be done at once that this plan did not know of: another offering, say.
    pub go_on: bool,
}

/// Something that happened to a fleet's instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// EC2 launched these.
    Launched(Offering, Vec<String>),
    /// EC2 starts these.
    Started(Vec<String>),
    /// EC2 refused, or did not answer: code and sentence.
    LaunchFailed {
        /// EC2's error code, or NoAnswer.
        code: String,
        /// What EC2 said.
        message: String,
    },
    /// EC2 has no room in this offering.
    OfferingClosed {
        /// Which.
        offering: Offering,
        /// EC2's error code.
        code: String,
        /// What EC2 said.
        message: String,
    },
    /// These were told to drain.
    Draining(Vec<String>),
    /// These did not register in time, and were told to drain.
    GivenUp(Vec<String>),
    /// This one was terminated.
    Terminated(Termination),
    /// The worker on this one had to be started again, so often since it booted.
    Restarted(String, u32),
}

/// What acting works on.
pub(crate) struct Acting<'a> {
    pub(crate) operator: &'a Operator,
    pub(crate) cloud: &'a Cloud,
    pub(crate) uid: &'a str,
    pub(crate) now: Timestamp,
}

impl Acting<'_> {
    /// Until when an offering that is refused now is left alone.
    pub(crate) fn closed_until(&self) -> Timestamp {
        let closed = SignedDuration::try_from(self.operator.settings.offering_closed).unwrap_or(SignedDuration::from_mins(3));
        self.now + closed
    }
}

/// Carries out `plan` for `fleet`. What is over comes first, so that nothing stands in a launch's way but a call or two.
#[allow(clippy::too_many_arguments)] // one for each stage
pub async fn act(
    operator: &Operator,
    cloud: &Cloud,
    uid: &str,
    fleet: ClassifierFleet,
    revision: &Revision,
    template_version: Option<i64>,
    observation: &Observation,
    plan: &Plan,
    now: Timestamp,
) -> Result<Outcome, Error> {
    let acting = Acting { operator, cloud, uid, now };
    let (intents, offerings) = (kept(&fleet, plan), observation.offerings.clone());
    let news = observation.restarted.iter().map(|(id, times)| News::Restarted(id.clone(), *times)).collect();
    let mut outcome = Outcome { intents, offerings, fleet, news, fault: None, go_on: false };
    if plan.terminate.iter().any(|ended| ended.reason.is_of_the_stopped()) {
        // Who has an old status may not know that a stopped worker was started.
        let intents = outcome.intents.clone();
        launch::write(operator, &mut outcome, intents).await?;
    }
    remove::terminate(&acting, &mut outcome, &plan.terminate).await?;
    remove::give_up(&acting, &mut outcome, observation, &plan.give_up).await?;
    let new = template_version.map_or_else(Vec::new, |version| launch::intents(revision, version, plan, &operator.chance, now));
    launch::pursue(&acting, &mut outcome, new, observation.observed.inventory.as_ref()).await?;
    remove::drain(&acting, &mut outcome, &plan.drain).await?;
    remove::keep(&acting, &plan.keep).await?;
    Ok(outcome)
}

fn kept(fleet: &ClassifierFleet, plan: &Plan) -> Vec<LaunchIntent> {
    let launches = fleet.status.as_ref().map(|status| status.launches.clone()).unwrap_or_default();
    launches.into_iter().filter(|intent| !plan.settle.contains(&intent.token)).collect()
}
