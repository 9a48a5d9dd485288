//! The machine image of a fleet's workers: named outright, or by an SSM parameter that is followed.

use crds::ClassifierFleet;
use jiff::{SignedDuration, Timestamp};

use super::Fault;
use crate::clouds::Cloud;
use crate::context::Operator;
use crate::revision::template_of;

/// What an image parameter said.
#[derive(Debug, Clone)]
pub struct KnownImage {
    parameter: String,
    at: Timestamp,
    image: Result<String, Fault>,
}

/// A parameter is looked at again after this long.
const KEPT: SignedDuration = SignedDuration::from_secs(60);
/// One that could not be read, after this long.
const RETRY: SignedDuration = SignedDuration::from_secs(10);

impl KnownImage {
    fn holds(&self, parameter: &str, now: Timestamp) -> bool {
        let kept = if self.image.is_ok() { KEPT } else { RETRY };
        self.parameter == parameter && now.duration_since(self.at) < kept
    }
}

/// Id of the AMI that workers of `fleet` are made from.
pub async fn image(operator: &Operator, cloud: &Cloud, fleet: &ClassifierFleet, uid: &str, now: Timestamp) -> Result<String, Fault> {
    let template = &fleet.spec.workers.template;
    let (Some(parameter), None) = (&template.image_parameter, &template.image_id) else {
        return Ok(template.image_id.clone().unwrap_or_default());
    };
    let known = operator.memory.with(uid, |remembered| remembered.image.clone()).filter(|known| known.holds(parameter, now));
    if let Some(known) = known {
        return known.image;
    }
    let image = cloud.ec2.resolve_image(&template_of(fleet, &operator.cluster), parameter).await;
    let image = image.map_err(|error| Fault {
        reason: "ImageParameterUnknown",
        message: format!("The image parameter {parameter} names no AMI: {error}. Workers stay as they are meanwhile."),
    });
    let known = KnownImage { parameter: parameter.clone(), at: now, image: image.clone() };
    operator.memory.with(uid, |remembered| remembered.image = Some(known));
    image
}
