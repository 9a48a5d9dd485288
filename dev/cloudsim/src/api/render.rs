//! Owns how EC2's answers look: element names and order as in the API reference. Decides nothing.

use jiff::Timestamp;

use crate::state::{
    ACCOUNT, BlockDevice, Instance, LaunchSpec, MetadataOptions, Phase, Profile, ROOT_DEVICE, ShutdownBehavior, SpotOptions, StateChange,
    TagRow, TagSpec, Tags, Template, TemplateVersion, TypeInfo,
};
use crate::xml::Xml;

/// A launch and its instances.
pub(super) fn reservation(xml: &mut Xml, id: &str, instances: &[&Instance]) {
    xml.leaf("reservationId", id);
    xml.leaf("ownerId", ACCOUNT);
    xml.node("groupSet", |_| {});
    xml.set("instancesSet", instances, |xml, each| instance(xml, each));
}

/// Instances that are of one launch.
pub(super) fn reservation_of(xml: &mut Xml, instances: &[&Instance]) {
    let id = instances.first().map_or("", |instance| instance.reservation_id.as_str());
    reservation(xml, id, instances);
}

fn instance(xml: &mut Xml, instance: &Instance) {
    xml.leaf("instanceId", &instance.id);
    xml.leaf("imageId", instance.image_id());
    xml.node("instanceState", |xml| state(xml, instance.phase));
    xml.leaf("instanceType", instance.instance_type());
    xml.leaf("launchTime", time(instance.launched_at));
    xml.leaf("amiLaunchIndex", instance.launch_index);
    xml.maybe("clientToken", instance.client_token.as_ref());
    xml.maybe("instanceLifecycle", instance.is_spot().then_some("spot"));
    xml.maybe("spotInstanceRequestId", instance.spot_request_id.as_ref());
    state_reason(xml, instance);
    launch_parts(xml, &instance.spec);
    if let Some((arn, _)) = instance.profile() {
        xml.node("iamInstanceProfile", |xml| {
            xml.leaf("arn", arn);
            xml.leaf("id", "AIPAAAAAAAAAAAAAAAAAA");
        });
    }
    place(xml, instance);
    disks(xml, instance);
    tag_set(xml, &instance.tags);
    xml.node("metadataOptions", |xml| {
        xml.leaf("state", "applied");
        metadata(xml, &with_defaults(&instance.spec.metadata));
    });
}

fn state_reason(xml: &mut Xml, instance: &Instance) {
    xml.leaf("reason", instance.reason.as_ref().map_or("", |reason| reason.transition.as_str()));
    if let Some(reason) = &instance.reason {
        xml.node("stateReason", |xml| {
            xml.leaf("code", reason.code);
            xml.leaf("message", reason.message);
        });
    }
}

fn launch_parts(xml: &mut Xml, spec: &LaunchSpec) {
    xml.maybe("keyName", spec.key_name.as_ref());
    let ids = spec.security_group_ids.iter().map(|id| ("groupId", id));
    let names = spec.security_groups.iter().map(|name| ("groupName", name));
    xml.set("groupSet", ids.chain(names), |xml, (element, group)| xml.leaf(element, group));
    xml.node("monitoring", |xml| {
        xml.leaf("state", if spec.monitoring == Some(true) { "enabled" } else { "disabled" });
    });
    xml.leaf("ebsOptimized", spec.ebs_optimized.unwrap_or(false));
    xml.leaf("architecture", "x86_64");
    xml.leaf("hypervisor", "xen");
    xml.leaf("virtualizationType", "hvm");
}

fn place(xml: &mut Xml, instance: &Instance) {
    xml.node("placement", |xml| {
        xml.leaf("availabilityZone", &instance.zone);
        xml.leaf("tenancy", "default");
    });
    // What is terminated has no address any more.
    if instance.phase != Phase::Terminated {
        xml.maybe("subnetId", instance.spec.subnet_id.as_ref());
        xml.leaf("privateIpAddress", &instance.private_ip);
        xml.leaf("privateDnsName", instance.private_dns());
    }
}

fn disks(xml: &mut Xml, instance: &Instance) {
    xml.leaf("rootDeviceType", "ebs");
    xml.leaf("rootDeviceName", ROOT_DEVICE);
    let attached = instance.volumes.iter().filter(|_| instance.phase != Phase::Terminated);
    xml.set("blockDeviceMapping", attached, |xml, volume| {
        xml.leaf("deviceName", &volume.device_name);
        xml.node("ebs", |xml| {
            xml.leaf("volumeId", &volume.id);
            xml.leaf("status", "attached");
            xml.leaf("deleteOnTermination", volume.delete_on_termination);
        });
    });
}

/// One item of DescribeImages.
pub(super) fn image(xml: &mut Xml, id: &String) {
    xml.leaf("imageId", id);
    xml.leaf("imageState", "available");
    xml.leaf("imageType", "machine");
    xml.leaf("imageOwnerId", ACCOUNT);
    xml.leaf("architecture", "x86_64");
    xml.leaf("hypervisor", "xen");
    xml.leaf("virtualizationType", "hvm");
    xml.leaf("rootDeviceType", "ebs");
    xml.leaf("rootDeviceName", ROOT_DEVICE);
}

/// One item of DescribeInstanceTypes.
pub(super) fn type_info(xml: &mut Xml, info: TypeInfo) {
    xml.leaf("instanceType", info.name);
    xml.node("vCpuInfo", |xml| xml.leaf("defaultVCpus", info.vcpus));
}

/// One item of Start, Stop or TerminateInstances.
pub(super) fn state_change(xml: &mut Xml, change: &StateChange) {
    xml.leaf("instanceId", &change.instance_id);
    xml.node("currentState", |xml| state(xml, change.current));
    xml.node("previousState", |xml| state(xml, change.previous));
}

fn state(xml: &mut Xml, phase: Phase) {
    xml.leaf("code", phase.code());
    xml.leaf("name", phase.name());
}

/// A launch template.
pub(super) fn template(xml: &mut Xml, template: &Template) {
    xml.leaf("launchTemplateId", &template.id);
    xml.leaf("launchTemplateName", &template.name);
    xml.leaf("createTime", time(template.created_at));
    xml.leaf("createdBy", format!("arn:aws:iam::{ACCOUNT}:root"));
    xml.leaf("defaultVersionNumber", template.default_version);
    xml.leaf("latestVersionNumber", template.latest_version());
    tag_set(xml, &template.tags);
}

/// A launch template version.
pub(super) fn template_version(xml: &mut Xml, (template, version): (&Template, &TemplateVersion)) {
    xml.leaf("launchTemplateId", &template.id);
    xml.leaf("launchTemplateName", &template.name);
    xml.leaf("versionNumber", version.number);
    xml.maybe("versionDescription", version.description.as_ref());
    xml.leaf("createTime", time(version.created_at));
    xml.leaf("createdBy", format!("arn:aws:iam::{ACCOUNT}:root"));
    xml.leaf("defaultVersion", version.number == template.default_version);
    xml.node("launchTemplateData", |xml| template_data(xml, &version.data));
}

/// Taken apart without `..`: what a template may hold, its description shows.
fn template_data(xml: &mut Xml, spec: &LaunchSpec) {
    let LaunchSpec {
        image_id,
        instance_type,
        subnet_id: _,
        zone,
        key_name,
        security_group_ids,
        security_groups,
        profile,
        shutdown_behavior,
        user_data,
        metadata: options,
        block_devices,
        tags,
        monitoring,
        ebs_optimized,
        market,
    } = spec;
    xml.maybe("imageId", image_id.as_ref());
    xml.maybe("instanceType", instance_type.as_ref());
    if let Some(zone) = zone {
        xml.node("placement", |xml| xml.leaf("availabilityZone", zone));
    }
    xml.maybe("keyName", key_name.as_ref());
    xml.set("securityGroupIdSet", security_group_ids, |xml, id| xml.text(id));
    xml.set("securityGroupSet", security_groups, |xml, name| xml.text(name));
    match profile {
        Some(Profile::Arn(arn)) => xml.node("iamInstanceProfile", |xml| xml.leaf("arn", arn)),
        Some(Profile::Name(name)) => xml.node("iamInstanceProfile", |xml| xml.leaf("name", name)),
        None => {}
    }
    xml.maybe("instanceInitiatedShutdownBehavior", shutdown_behavior.map(behavior_name));
    xml.maybe("userData", user_data.as_ref());
    if *options != MetadataOptions::default() {
        xml.node("metadataOptions", |xml| metadata(xml, options));
    }
    xml.set("blockDeviceMappingSet", block_devices, block_device);
    xml.set("tagSpecificationSet", tags, tag_spec);
    if let Some(enabled) = monitoring {
        xml.node("monitoring", |xml| xml.leaf("enabled", enabled));
    }
    xml.maybe("ebsOptimized", *ebs_optimized);
    if let Some(spot) = market {
        xml.node("instanceMarketOptions", |xml| spot_market(xml, spot));
    }
}

fn spot_market(xml: &mut Xml, spot: &SpotOptions) {
    xml.leaf("marketType", "spot");
    if *spot != SpotOptions::default() {
        xml.node("spotOptions", |xml| {
            xml.maybe("maxPrice", spot.max_price.as_ref());
            xml.maybe("spotInstanceType", spot.request_type.as_ref());
            xml.maybe("validUntil", spot.valid_until.as_ref());
            xml.maybe("instanceInterruptionBehavior", spot.interruption_behavior.as_ref());
        });
    }
}

fn behavior_name(behavior: ShutdownBehavior) -> &'static str {
    match behavior {
        ShutdownBehavior::Stop => "stop",
        ShutdownBehavior::Terminate => "terminate",
    }
}

/// EC2 shows an instance's options complete, a template's as they were given.
fn with_defaults(options: &MetadataOptions) -> MetadataOptions {
    MetadataOptions {
        endpoint_enabled: options.endpoint_enabled.or(Some(true)),
        tokens_required: options.tokens_required.or(Some(false)),
        hop_limit: options.hop_limit.or(Some(1)),
        tags_enabled: options.tags_enabled.or(Some(false)),
        ipv6_enabled: options.ipv6_enabled.or(Some(false)),
    }
}

fn metadata(xml: &mut Xml, options: &MetadataOptions) {
    let enabled = |on: bool| if on { "enabled" } else { "disabled" };
    xml.maybe("httpTokens", options.tokens_required.map(|on| if on { "required" } else { "optional" }));
    xml.maybe("httpPutResponseHopLimit", options.hop_limit);
    xml.maybe("httpEndpoint", options.endpoint_enabled.map(enabled));
    xml.maybe("httpProtocolIpv6", options.ipv6_enabled.map(enabled));
    xml.maybe("instanceMetadataTags", options.tags_enabled.map(enabled));
}

fn block_device(xml: &mut Xml, device: &BlockDevice) {
    xml.maybe("deviceName", device.device_name.as_ref());
    xml.node("ebs", |xml| {
        xml.maybe("volumeSize", device.volume_size_gib);
        xml.maybe("volumeType", device.volume_type.as_ref());
        xml.maybe("deleteOnTermination", device.delete_on_termination);
        xml.maybe("encrypted", device.encrypted);
        xml.maybe("iops", device.iops);
        xml.maybe("throughput", device.throughput);
    });
}

fn tag_spec(xml: &mut Xml, spec: &TagSpec) {
    xml.leaf("resourceType", &spec.resource_type);
    tag_set(xml, &spec.tags);
}

fn tag_set(xml: &mut Xml, tags: &Tags) {
    xml.set("tagSet", tags, |xml, (key, value)| {
        xml.leaf("key", key);
        xml.leaf("value", value);
    });
}

/// One item of DescribeTags.
pub(super) fn tag_row(xml: &mut Xml, row: &TagRow<'_>) {
    xml.leaf("resourceId", row.resource_id);
    xml.leaf("resourceType", row.resource_type);
    xml.leaf("key", row.key);
    xml.leaf("value", row.value);
}

fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}
