//! Owns how the control API shows what is in the cloud, whatever the describe lag. Changes nothing.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use crate::faults::Fault;
use crate::state::{Instance, Tags};

/// `GET /_cloudsim/faults`
#[derive(Debug, Serialize)]
pub(super) struct Armed<'a> {
    pub(super) faults: &'a [Fault],
    pub(super) capacity: &'a BTreeMap<String, u32>,
}

/// One item of `GET /_cloudsim/instances`
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InstanceView<'a> {
    instance_id: &'a str,
    reservation_id: &'a str,
    client_token: Option<&'a str>,
    state: &'static str,
    state_reason: Option<&'static str>,
    instance_type: &'a str,
    image_id: &'a str,
    subnet_id: Option<&'a str>,
    availability_zone: &'a str,
    private_ip: &'a str,
    launch_time: String,
    spot_instance_request_id: Option<&'a str>,
    tags: &'a Tags,
    volumes: Vec<VolumeView<'a>>,
    metadata_url: Option<&'a str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct VolumeView<'a> {
    volume_id: &'a str,
    device_name: &'a str,
    size_gib: Option<u32>,
    tags: &'a Tags,
}

impl<'a> InstanceView<'a> {
    /// Of an instance; `metadata_urls` are those of the machines that are on.
    pub(super) fn of(instance: &'a Instance, metadata_urls: &'a HashMap<String, String>) -> Self {
        let volumes = instance.volumes.iter().map(|volume| VolumeView {
            volume_id: &volume.id,
            device_name: &volume.device_name,
            size_gib: volume.size_gib,
            tags: &volume.tags,
        });
        Self {
            instance_id: &instance.id,
            reservation_id: &instance.reservation_id,
            client_token: instance.client_token.as_deref(),
            state: instance.phase.name(),
            state_reason: instance.reason.as_ref().map(|reason| reason.code),
            instance_type: instance.instance_type(),
            image_id: instance.image_id(),
            subnet_id: instance.spec.subnet_id.as_deref(),
            availability_zone: &instance.zone,
            private_ip: &instance.private_ip,
            launch_time: instance.launched_at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
            spot_instance_request_id: instance.spot_request_id.as_deref(),
            tags: &instance.tags,
            volumes: volumes.collect(),
            metadata_url: metadata_urls.get(&instance.id).map(String::as_str),
        }
    }
}
