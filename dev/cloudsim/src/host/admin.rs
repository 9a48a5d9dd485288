//! Owns the control API under `/_cloudsim/`: what tests and benchmarks may see and arm. EC2 clients never call it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use warp::http::StatusCode;
use warp::reply::{Json, Response, json, with_status};
use warp::{Filter, Rejection, Reply};

use super::Shared;
use crate::faults::{Fault, When};
use crate::state::{Instance, Tags};

/// `POST /_cloudsim/faults`: a fault, a capacity, or both. A capacity replaces the one before.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arm {
    action: Option<String>,
    code: Option<String>,
    times: Option<u32>,
    #[serde(alias = "after")]
    when: Option<When>,
    capacity: Option<BTreeMap<String, u32>>,
}

/// `GET /_cloudsim/faults`
#[derive(Debug, Serialize)]
struct Armed {
    faults: Vec<Fault>,
    capacity: BTreeMap<String, u32>,
}

/// One item of `GET /_cloudsim/instances`
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct View {
    instance_id: String,
    reservation_id: String,
    client_token: Option<String>,
    state: &'static str,
    state_reason: Option<&'static str>,
    instance_type: String,
    image_id: String,
    availability_zone: String,
    private_ip: String,
    launch_time: String,
    tags: Tags,
    metadata_url: Option<String>,
}

/// All routes of the control API.
pub(super) fn routes(shared: Arc<Shared>) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone {
    let base = warp::path("_cloudsim");
    let shared = warp::any().map(move || shared.clone());
    let log = warp::path!("log").and(warp::get()).and(shared.clone()).map(|shared: Arc<Shared>| json(&shared.lock().log()).into_response());
    let instances =
        warp::path!("instances").and(warp::get()).and(shared.clone()).map(|shared: Arc<Shared>| instances(&shared).into_response());
    let show = warp::path!("faults").and(warp::get()).and(shared.clone());
    let show = show.map(|shared: Arc<Shared>| armed(&shared).into_response());
    let arm_route = warp::path!("faults").and(warp::post()).and(shared.clone()).and(warp::body::json());
    let arm_route = arm_route.map(|shared: Arc<Shared>, order: Arm| arm(&shared, order));
    let disarm = warp::path!("faults").and(warp::delete()).and(shared.clone()).map(|shared: Arc<Shared>| {
        shared.lock().faults.clear();
        shared.lock().cloud.set_capacity(BTreeMap::new());
        armed(&shared).into_response()
    });
    let power = warp::path!("instances" / String / "poweroff").and(warp::post()).and(shared);
    let power = power.map(|id: String, shared: Arc<Shared>| power_off(&shared, &id));
    let reads = log.or(instances).unify().or(show).unify();
    base.and(reads.or(arm_route).unify().or(disarm).unify().or(power).unify())
}

fn instances(shared: &Shared) -> Json {
    let endpoint = shared.lock();
    let urls = shared.metadata_urls();
    let views: Vec<View> = endpoint.cloud.instances().map(|instance| view(instance, urls.get(&instance.id))).collect();
    json(&views)
}

fn view(instance: &Instance, metadata_url: Option<&String>) -> View {
    View {
        instance_id: instance.id.clone(),
        reservation_id: instance.reservation_id.clone(),
        client_token: instance.client_token.clone(),
        state: instance.phase.name(),
        state_reason: instance.reason.as_ref().map(|reason| reason.code),
        instance_type: instance.instance_type().to_owned(),
        image_id: instance.image_id().to_owned(),
        availability_zone: instance.zone.clone(),
        private_ip: instance.private_ip.clone(),
        launch_time: instance.launched_at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        tags: instance.tags.clone(),
        metadata_url: metadata_url.cloned(),
    }
}

fn armed(shared: &Shared) -> Json {
    let endpoint = shared.lock();
    json(&Armed { faults: endpoint.faults.armed().to_vec(), capacity: endpoint.cloud.capacity().clone() })
}

fn arm(shared: &Shared, order: Arm) -> Response {
    let Arm { action, code, times, when, capacity } = order;
    let mut endpoint = shared.lock();
    match (action, code) {
        (Some(action), Some(code)) => {
            endpoint.faults.arm(Fault { action, code, times: times.unwrap_or(1), when: when.unwrap_or_default() });
        }
        (None, None) if capacity.is_some() => {}
        _ => return with_status("a fault needs action and code", StatusCode::BAD_REQUEST).into_response(),
    }
    if let Some(capacity) = capacity {
        endpoint.cloud.set_capacity(capacity);
    }
    drop(endpoint);
    armed(shared).into_response()
}

fn power_off(shared: &Shared, id: &str) -> Response {
    if shared.lock().cloud.instance(id).is_none() {
        return StatusCode::NOT_FOUND.into_response();
    }
    shared.act(|endpoint, _| ((), endpoint.cloud.guest_powered_off(id)));
    StatusCode::NO_CONTENT.into_response()
}
