//! Owns reading launch specifications: RunInstances and launch template data spell the same things the same way.

use std::collections::BTreeMap;

use crate::query::Params;
use crate::refusal::Refusal;
use crate::state::{BlockDevice, LaunchSpec, MetadataOptions, Profile, ShutdownBehavior, SpotOptions, TagSpec, Tags};

/// What both RunInstances and launch template data may hold.
pub(super) fn launch_spec(params: &mut Params) -> Result<LaunchSpec, Refusal> {
    Ok(LaunchSpec {
        image_id: params.text("ImageId"),
        instance_type: params.text("InstanceType"),
        subnet_id: None,
        zone: params.structure("Placement", |placement| Ok(placement.text("AvailabilityZone")))?.flatten(),
        key_name: params.text("KeyName"),
        security_group_ids: params.texts("SecurityGroupId")?,
        security_groups: params.texts("SecurityGroup")?,
        profile: params.structure("IamInstanceProfile", profile)?,
        shutdown_behavior: shutdown_behavior(params)?,
        user_data: params.text("UserData"),
        metadata: params.structure("MetadataOptions", metadata)?.unwrap_or_default(),
        block_devices: params.list("BlockDeviceMapping", block_device)?,
        tags: tag_specs(params, &["instance", "volume"])?,
        monitoring: params.structure("Monitoring", |monitoring| monitoring.parsed("Enabled"))?.flatten(),
        ebs_optimized: params.parsed("EbsOptimized")?,
        market: params.structure("InstanceMarketOptions", market)?,
    })
}

/// `TagSpecification.n`, for resources of these types only.
pub(super) fn tag_specs(params: &mut Params, types: &[&str]) -> Result<Vec<TagSpec>, Refusal> {
    params.list("TagSpecification", |spec| {
        let resource_type = spec.required("ResourceType")?;
        if !types.contains(&resource_type.as_str()) {
            return Err(Refusal::UnsupportedOperation(format!("tags for ResourceType={resource_type}")));
        }
        Ok(TagSpec { resource_type, tags: tags(spec)? })
    })
}

/// `Tag.n.Key` and `.Value`; a key given twice is refused.
pub(super) fn tags(params: &mut Params) -> Result<Tags, Refusal> {
    let pairs = params.list("Tag", |tag| Ok((tag.required("Key")?, tag.text("Value").unwrap_or_default())))?;
    let mut tags = BTreeMap::new();
    for (key, value) in pairs {
        if tags.contains_key(&key) {
            return Err(Refusal::InvalidParameterValue(format!("Duplicate tag key '{key}' specified.")));
        }
        tags.insert(key, value);
    }
    Ok(tags)
}

fn profile(params: &mut Params) -> Result<Profile, Refusal> {
    match (params.text("Arn"), params.text("Name")) {
        (Some(arn), None) => Ok(Profile::Arn(arn)),
        (None, Some(name)) => Ok(Profile::Name(name)),
        (None, None) => Err(Refusal::MissingParameter("IamInstanceProfile.Arn or IamInstanceProfile.Name".to_owned())),
        (Some(_), Some(_)) => Err(Refusal::InvalidParameterCombination(
            "The parameter 'iamInstanceProfile.name' may not be used in combination with 'iamInstanceProfile.arn'".to_owned(),
        )),
    }
}

fn shutdown_behavior(params: &mut Params) -> Result<Option<ShutdownBehavior>, Refusal> {
    let name = "InstanceInitiatedShutdownBehavior";
    params
        .text(name)
        .map(|text| match text.as_str() {
            "stop" => Ok(ShutdownBehavior::Stop),
            "terminate" => Ok(ShutdownBehavior::Terminate),
            other => Err(Refusal::InvalidParameterValue(format!("Value ({other}) for parameter {name} is invalid."))),
        })
        .transpose()
}

fn metadata(params: &mut Params) -> Result<MetadataOptions, Refusal> {
    let hop_limit = params.parsed("HttpPutResponseHopLimit")?;
    if let Some(hops) = hop_limit.filter(|hops| !(1..=64).contains(hops)) {
        return Err(Refusal::InvalidParameterValue(format!("Value ({hops}) for parameter HttpPutResponseHopLimit is invalid.")));
    }
    Ok(MetadataOptions {
        endpoint_enabled: switch(params, "HttpEndpoint", "enabled", "disabled")?,
        tokens_required: switch(params, "HttpTokens", "required", "optional")?,
        hop_limit,
        tags_enabled: switch(params, "InstanceMetadataTags", "enabled", "disabled")?,
        ipv6_enabled: switch(params, "HttpProtocolIpv6", "enabled", "disabled")?,
    })
}

fn market(params: &mut Params) -> Result<SpotOptions, Refusal> {
    match params.required("MarketType")?.as_str() {
        "spot" => Ok(params.structure("SpotOptions", spot_options)?.unwrap_or_default()),
        other => Err(Refusal::UnsupportedOperation(format!("InstanceMarketOptions.MarketType={other}"))),
    }
}

fn spot_options(params: &mut Params) -> Result<SpotOptions, Refusal> {
    let request_type = params.text("SpotInstanceType");
    if let Some(other) = request_type.as_deref().filter(|kind| *kind != "one-time") {
        return Err(Refusal::UnsupportedOperation(format!("InstanceMarketOptions.SpotOptions.SpotInstanceType={other}")));
    }
    Ok(SpotOptions {
        max_price: params.text("MaxPrice"),
        request_type,
        interruption_behavior: params.text("InstanceInterruptionBehavior"),
        valid_until: params.text("ValidUntil"),
    })
}

fn switch(params: &mut Params, name: &str, on: &str, off: &str) -> Result<Option<bool>, Refusal> {
    match params.text(name) {
        None => Ok(None),
        Some(text) if text == on => Ok(Some(true)),
        Some(text) if text == off => Ok(Some(false)),
        Some(text) => Err(Refusal::InvalidParameterValue(format!("Value ({text}) for parameter {name} is invalid."))),
    }
}

fn block_device(params: &mut Params) -> Result<BlockDevice, Refusal> {
    let device_name = params.text("DeviceName");
    let ebs = params.structure("Ebs", |ebs| {
        Ok(BlockDevice {
            device_name: None,
            volume_size_gib: ebs.parsed("VolumeSize")?,
            volume_type: ebs.text("VolumeType"),
            delete_on_termination: ebs.parsed("DeleteOnTermination")?,
            encrypted: ebs.parsed("Encrypted")?,
            iops: ebs.parsed("Iops")?,
            throughput: ebs.parsed("Throughput")?,
        })
    })?;
    Ok(BlockDevice { device_name, ..ebs.unwrap_or_default() })
}
