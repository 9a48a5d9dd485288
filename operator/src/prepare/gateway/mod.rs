//! The gateway of a fleet: StatefulSet, Service, and what they need. Fields of ours that somebody changed are put right.
//!
//! Leases of replicas that were scaled away stay until the fleet goes: they expire, and cost nothing.

mod apply;
pub mod objects;
pub mod overlay;
mod pod;
mod volumes;

use crds::ClassifierFleet;
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::ResourceExt as _;
use kube::core::ApiResource;
use service::aws::Place;

use self::apply::Namespace;
use self::objects::{Parts, objects};
use super::Fault;
use crate::clouds::Cloud;
use crate::context::Operator;
use crate::revision::ENDPOINT_VARIABLES;

pub use objects::name;

/// Reason of a gateway that is as it should be, but whose pods do not all run.
pub const NOT_READY: &str = "GatewayNotReady";

/// Makes all objects of the gateway what they should be.
pub async fn ensure(operator: &Operator, cloud: &Cloud, fleet: &ClassifierFleet) -> Result<(), Fault> {
    let (namespace, uid) = (fleet.namespace().unwrap_or_default(), fleet.uid().unwrap_or_default());
    let namespace = Namespace { kube: &operator.kube, name: &namespace, uid: &uid };
    let parts = Parts { fleet, image: &operator.settings.gateway_image, region: &cloud.region, endpoints: &endpoints(cloud) };
    // One after the other: pods must not run under an account that is somebody else's.
    for object in objects(&parts) {
        namespace.ensure(&object).await?;
    }
    Ok(())
}

/// Ends the gateway's pods, so that no more images come in.
pub async fn remove(operator: &Operator, fleet: &ClassifierFleet) -> Result<(), Fault> {
    let (namespace, uid) = (fleet.namespace().unwrap_or_default(), fleet.uid().unwrap_or_default());
    let namespace = Namespace { kube: &operator.kube, name: &namespace, uid: &uid };
    namespace.remove(&ApiResource::erase::<StatefulSet>(&()), &name(fleet)).await
}

/// Variables that name the AWS endpoints of gateways and workers, and their values: those of the fleet, or the operator's own.
pub fn endpoints(cloud: &Cloud) -> Vec<(String, String)> {
    endpoints_at(&cloud.place, |name| std::env::var(name).ok())
}

/// The same for `place`, with an operator whose variables are `environment`.
pub fn endpoints_at(place: &Place, environment: impl Fn(&str) -> Option<String>) -> Vec<(String, String)> {
    match &place.endpoint_url {
        Some(url) => vec![("AWS_ENDPOINT_URL".to_owned(), url.clone())],
        None => ENDPOINT_VARIABLES.into_iter().filter_map(|name| Some((name.to_owned(), environment(name)?))).collect(),
    }
}
