//! Owns the control API under `/_cloudsim/`: what tests and benchmarks may see and arm. EC2 clients never call it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use jiff::SignedDuration;
use serde::Deserialize;
use warp::http::StatusCode;
use warp::reply::{Response, json, with_status};
use warp::{Filter, Rejection, Reply};

use super::views::{Armed, InstanceView};
use super::{Shared, quotas};
use crate::faults::{Fault, When};
use crate::state::{Capacity, NotInterruptible};

/// EC2 announces an interruption two minutes before.
const NOTICE_SECONDS: f64 = 120.0;
/// A notice longer than a day is a slip of the pen.
const MAX_NOTICE_SECONDS: f64 = 86_400.0;

/// `POST /_cloudsim/faults`: a fault, a capacity, or both. A capacity replaces the one before.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arm {
    action: Option<String>,
    code: Option<String>,
    /// As [`Fault::times`].
    #[serde(default = "crate::faults::once")]
    times: Option<u32>,
    #[serde(alias = "after")]
    when: Option<When>,
    #[serde(default, rename = "match")]
    only: BTreeMap<String, String>,
    capacity: Option<BTreeMap<String, u32>>,
}

/// `GET /_cloudsim/log?since=N`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Since {
    #[serde(default)]
    since: u64,
}

/// `POST /_cloudsim/instances/ID/interrupt`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Interrupt {
    #[serde(default = "notice_seconds")]
    notice_seconds: f64,
}

fn notice_seconds() -> f64 {
    NOTICE_SECONDS
}

/// All routes of the control API.
pub(super) fn routes(shared: Arc<Shared>) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone {
    let routes = seen(shared.clone()).or(armed_routes(shared.clone())).unify().or(instance_routes(shared.clone())).unify();
    warp::path("_cloudsim")
        .and(routes.or(image_routes(shared.clone())).unify().or(throttle_route(shared)).unify().or(quotas::route()).unify())
}

fn seen(shared: Arc<Shared>) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone {
    let shared = warp::any().map(move || shared.clone());
    let log = warp::path!("log").and(warp::get()).and(shared.clone()).and(warp::query::<Since>());
    let log = log.map(|shared: Arc<Shared>, Since { since }| {
        let entries = shared.lock().log().since(since);
        json(&entries.iter().map(AsRef::as_ref).collect::<Vec<&crate::log::LogEntry>>()).into_response()
    });
    let calls = warp::path!("calls").and(warp::get()).and(shared.clone());
    let calls = calls.map(|shared: Arc<Shared>| json(shared.lock().log().calls()).into_response());
    let instances = warp::path!("instances").and(warp::get()).and(shared);
    let instances = instances.map(|shared: Arc<Shared>| {
        let endpoint = shared.lock();
        let urls = shared.metadata_urls();
        json(&endpoint.cloud.instances().map(|instance| InstanceView::of(instance, &urls)).collect::<Vec<_>>()).into_response()
    });
    log.or(calls).unify().or(instances).unify()
}

fn armed_routes(shared: Arc<Shared>) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone {
    let shared = warp::path!("faults").map(move || shared.clone());
    let show = shared.clone().and(warp::get()).map(|shared: Arc<Shared>| armed(&shared));
    let order = shared.clone().and(warp::post()).and(warp::body::json());
    let order = order.map(|shared: Arc<Shared>, order: Arm| arm(&shared, order));
    let disarm = shared.and(warp::delete()).map(|shared: Arc<Shared>| {
        let mut endpoint = shared.lock();
        endpoint.faults.clear();
        endpoint.cloud.set_capacity(Capacity::default());
        drop(endpoint);
        armed(&shared)
    });
    show.or(order).unify().or(disarm).unify()
}

/// `PUT /_cloudsim/throttle` with `true` or `false`: as `--throttle`, from now on and with full buckets.
fn throttle_route(shared: Arc<Shared>) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone {
    let set = warp::path!("throttle").map(move || shared.clone()).and(warp::put()).and(warp::body::json());
    set.map(|shared: Arc<Shared>, on: bool| {
        shared.lock().set_throttle(on);
        StatusCode::NO_CONTENT.into_response()
    })
}

fn instance_routes(shared: Arc<Shared>) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone {
    let shared = warp::any().map(move || shared.clone());
    let power = warp::path!("instances" / String / "poweroff").and(warp::post()).and(shared.clone());
    let power = power.map(|id: String, shared: Arc<Shared>| power_off(&shared, &id));
    let interrupt = warp::path!("instances" / String / "interrupt").and(warp::post()).and(shared.clone()).and(warp::body::bytes());
    let interrupt = interrupt.map(|id: String, shared: Arc<Shared>, body: Bytes| interrupt_after(&shared, &id, &body));
    let rebalance = warp::path!("instances" / String / "rebalance").and(warp::post()).and(shared);
    let rebalance = rebalance.map(|id: String, shared: Arc<Shared>| {
        announced(shared.act(|endpoint, now| (endpoint.cloud.recommend_rebalance(&id, now), Vec::new())))
    });
    power.or(interrupt).unify().or(rebalance).unify()
}

fn image_routes(shared: Arc<Shared>) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone {
    let shared = warp::any().map(move || shared.clone());
    let show = warp::path!("parameters").and(warp::get()).and(shared.clone());
    let show = show.map(|shared: Arc<Shared>| json(&shared.lock().cloud.parameters()).into_response());
    let set = warp::path!("parameters").and(warp::put()).and(shared.clone()).and(warp::body::json());
    let set = set.map(|shared: Arc<Shared>, parameters: BTreeMap<String, String>| {
        let done = shared.lock().cloud.set_parameters(parameters);
        done.map_or_else(|refusal| refused(StatusCode::BAD_REQUEST, &refusal), |()| StatusCode::NO_CONTENT.into_response())
    });
    let broken = warp::path!("broken-images").and(warp::put()).and(shared).and(warp::body::json());
    let broken = broken.map(|shared: Arc<Shared>, starts: BTreeSet<String>| {
        if shared.lock().cloud.set_broken_images(starts) {
            return StatusCode::NO_CONTENT.into_response();
        }
        refused(StatusCode::CONFLICT, &"guests are processes: break the image in its folder, or run cloudsim with --guests=simulated")
    });
    show.or(set).unify().or(broken).unify()
}

fn refused(status: StatusCode, why: &impl ToString) -> Response {
    with_status(why.to_string(), status).into_response()
}

fn armed(shared: &Shared) -> Response {
    let endpoint = shared.lock();
    json(&Armed { faults: endpoint.faults.armed(), capacity: endpoint.cloud.capacity().limits() }).into_response()
}

fn arm(shared: &Shared, order: Arm) -> Response {
    let Arm { action, code, times, when, only, capacity } = order;
    let capacity = match capacity.map(Capacity::try_from).transpose() {
        Ok(capacity) => capacity,
        Err(unknown) => return refused(StatusCode::BAD_REQUEST, &unknown),
    };
    let mut endpoint = shared.lock();
    match (action, code) {
        (Some(action), Some(code)) => endpoint.faults.arm(Fault { action, code, times, when: when.unwrap_or_default(), only }),
        (None, None) if capacity.is_some() => {}
        _ => return refused(StatusCode::BAD_REQUEST, &"a fault needs action and code"),
    }
    if let Some(capacity) = capacity {
        endpoint.cloud.set_capacity(capacity);
    }
    drop(endpoint);
    armed(shared)
}

fn power_off(shared: &Shared, id: &str) -> Response {
    if shared.lock().cloud.instance(id).is_none() {
        return StatusCode::NOT_FOUND.into_response();
    }
    shared.act(|endpoint, now| ((), endpoint.cloud.guest_powered_off(id, now)));
    StatusCode::NO_CONTENT.into_response()
}

fn interrupt_after(shared: &Shared, id: &str, body: &[u8]) -> Response {
    let order: Result<Interrupt, _> = serde_json::from_slice(if body.is_empty() { b"{}" } else { body });
    let seconds = match order {
        Ok(Interrupt { notice_seconds }) if (0.0..=MAX_NOTICE_SECONDS).contains(&notice_seconds) => notice_seconds,
        Ok(_) => return refused(StatusCode::BAD_REQUEST, &format!("notice_seconds must be from 0 to {MAX_NOTICE_SECONDS}")),
        Err(error) => return refused(StatusCode::BAD_REQUEST, &format!("expected {{\"notice_seconds\": 120}}: {error}")),
    };
    let notice = SignedDuration::from_secs_f64(seconds);
    announced(shared.act(|endpoint, now| (endpoint.cloud.interrupt(id, notice, now), Vec::new())))
}

fn announced(result: Result<(), NotInterruptible>) -> Response {
    match result {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(unknown @ NotInterruptible::Unknown(_)) => refused(StatusCode::NOT_FOUND, &unknown),
        Err(error) => refused(StatusCode::CONFLICT, &error),
    }
}
