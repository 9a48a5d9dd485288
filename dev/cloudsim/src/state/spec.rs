//! Owns what an instance is made from: a launch template's data and RunInstances' own parameters are the same thing.
//! Knows nothing of instances that exist.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::instance::Volume;
use super::market::SpotOptions;
use super::tags::{self, Tags};
use crate::ids;
use crate::refusal::{IdKind, Refusal};

/// EC2's limit for user data before base64.
const MAX_USER_DATA_BYTES: usize = 16_384;
const MAX_VOLUME_GIB: u32 = 65_536;
/// EC2's type when a launch names none.
const DEFAULT_TYPE: &str = "m1.small";
/// The root disk's name in all images here.
pub(crate) const ROOT_DEVICE: &str = "/dev/xvda";

/// What happens when the guest powers itself off. EC2's default is `stop`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ShutdownBehavior {
    /// The instance stops.
    #[default]
    Stop,
    /// The instance is terminated.
    Terminate,
}

/// An instance profile, by ARN or by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Profile {
    /// `arn:aws:iam::123456789012:instance-profile/worker`
    Arn(String),
    /// `worker`
    Name(String),
}

/// How the instance metadata service behaves; `None` is EC2's default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MetadataOptions {
    /// `HttpEndpoint`: whether it answers at all.
    pub endpoint_enabled: Option<bool>,
    /// `HttpTokens`: whether every read needs a token.
    pub tokens_required: Option<bool>,
    /// `HttpPutResponseHopLimit`, 1 to 64.
    pub hop_limit: Option<u32>,
    /// `InstanceMetadataTags`: whether the instance's tags are served.
    pub tags_enabled: Option<bool>,
    /// `HttpProtocolIpv6`.
    pub ipv6_enabled: Option<bool>,
}

/// A disk.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BlockDevice {
    /// Such as `/dev/xvda`.
    pub device_name: Option<String>,
    /// In GiB.
    pub volume_size_gib: Option<u32>,
    /// Such as `gp3`.
    pub volume_type: Option<String>,
    /// Default true.
    pub delete_on_termination: Option<bool>,
    /// Whether the disk is encrypted.
    pub encrypted: Option<bool>,
    /// Operations per second.
    pub iops: Option<u32>,
    /// In MiB/s.
    pub throughput: Option<u32>,
}

/// Tags for the resources of one type that a launch makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagSpec {
    /// `instance`, `volume` or `launch-template`.
    pub resource_type: String,
    /// The tags.
    pub tags: Tags,
}

/// What an instance is made from. Absent is absent, so that one specification can be laid over another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LaunchSpec {
    /// `ImageId`, which may be `resolve:ssm:PARAMETER` until it is launched
    pub image_id: Option<String>,
    /// `InstanceType`
    pub instance_type: Option<String>,
    /// `SubnetId`; launch templates have it only in network interfaces, which cloudsim refuses.
    pub subnet_id: Option<String>,
    /// `Placement.AvailabilityZone`
    pub zone: Option<String>,
    /// `KeyName`
    pub key_name: Option<String>,
    /// `SecurityGroupId`
    pub security_group_ids: Vec<String>,
    /// `SecurityGroup`: names
    pub security_groups: Vec<String>,
    /// `IamInstanceProfile`
    pub profile: Option<Profile>,
    /// `InstanceInitiatedShutdownBehavior`
    pub shutdown_behavior: Option<ShutdownBehavior>,
    /// `UserData`: base64
    pub user_data: Option<String>,
    /// `MetadataOptions`
    pub metadata: MetadataOptions,
    /// `BlockDeviceMapping`
    pub block_devices: Vec<BlockDevice>,
    /// `TagSpecification`
    pub tags: Vec<TagSpec>,
    /// `Monitoring.Enabled`
    pub monitoring: Option<bool>,
    /// `EbsOptimized`
    pub ebs_optimized: Option<bool>,
    /// `InstanceMarketOptions`; absent is on-demand
    pub market: Option<SpotOptions>,
}

impl MetadataOptions {
    fn over(self, base: Self) -> Self {
        let Self { endpoint_enabled, tokens_required, hop_limit, tags_enabled, ipv6_enabled } = self;
        Self {
            endpoint_enabled: endpoint_enabled.or(base.endpoint_enabled),
            tokens_required: tokens_required.or(base.tokens_required),
            hop_limit: hop_limit.or(base.hop_limit),
            tags_enabled: tags_enabled.or(base.tags_enabled),
            ipv6_enabled: ipv6_enabled.or(base.ipv6_enabled),
        }
    }
}

impl LaunchSpec {
    /// This specification laid over a launch template's: "any parameters that you specify in RunInstances override the
    /// same parameters in the launch template". Tags are added key by key.
    #[must_use]
    pub fn over(self, base: Self) -> Self {
        let Self {
            image_id,
            instance_type,
            subnet_id,
            zone,
            key_name,
            security_group_ids,
            security_groups,
            profile,
            shutdown_behavior,
            user_data,
            metadata,
            block_devices,
            tags,
            monitoring,
            ebs_optimized,
            market,
        } = self;
        Self {
            image_id: image_id.or(base.image_id),
            instance_type: instance_type.or(base.instance_type),
            subnet_id: subnet_id.or(base.subnet_id),
            zone: zone.or(base.zone),
            key_name: key_name.or(base.key_name),
            security_group_ids: or_base(security_group_ids, base.security_group_ids),
            security_groups: or_base(security_groups, base.security_groups),
            profile: profile.or(base.profile),
            shutdown_behavior: shutdown_behavior.or(base.shutdown_behavior),
            user_data: user_data.or(base.user_data),
            metadata: metadata.over(base.metadata),
            block_devices: or_base(block_devices, base.block_devices),
            tags: base.tags.into_iter().chain(tags).collect(),
            monitoring: monitoring.or(base.monitoring),
            ebs_optimized: ebs_optimized.or(base.ebs_optimized),
            market: market.or(base.market),
        }
    }

    /// The tags for what is made of this type; of two with the same key the later counts.
    #[must_use]
    pub fn tags_for(&self, resource_type: &str) -> Tags {
        let of_type = self.tags.iter().filter(|spec| spec.resource_type == resource_type);
        of_type.flat_map(|spec| spec.tags.clone()).collect()
    }

    /// `InstanceType`, or EC2's default.
    #[must_use]
    pub fn type_name(&self) -> &str {
        self.instance_type.as_deref().unwrap_or(DEFAULT_TYPE)
    }

    /// The disks of an instance, the root disk first, without ids.
    pub(super) fn volumes(&self) -> Vec<Volume> {
        let tags = self.tags_for("volume");
        let disk = |name: &str, device: Option<&BlockDevice>| Volume {
            id: String::new(),
            device_name: name.to_owned(),
            size_gib: device.and_then(|device| device.volume_size_gib),
            delete_on_termination: device.and_then(|device| device.delete_on_termination).unwrap_or(true),
            tags: tags.clone(),
        };
        let root = self.block_devices.iter().find(|device| device.device_name.as_deref() == Some(ROOT_DEVICE));
        let others = self.block_devices.iter().filter_map(|device| Some((device.device_name.as_deref()?, device)));
        let others = others.filter(|(name, _)| *name != ROOT_DEVICE).map(|(name, device)| disk(name, Some(device)));
        std::iter::once(disk(ROOT_DEVICE, root)).chain(others).collect()
    }

    /// What EC2 answers when there is no machine for this in `zone`.
    pub(super) fn no_room(&self, zone: &str) -> Refusal {
        match self.market {
            Some(_) => Refusal::InsufficientSpotCapacity,
            None => Refusal::InsufficientInstanceCapacity(self.type_name().to_owned(), zone.to_owned()),
        }
    }

    /// Whether an instance can be made from this. Its image is an id.
    ///
    /// # Errors
    /// The code that EC2 documents for the first thing wrong.
    pub fn check(&self, images: &BTreeSet<String>) -> Result<(), Refusal> {
        self.check_image(images)?;
        self.check_instance_type()?;
        ids::check_form(IdKind::Subnet, &self.subnet_id)?;
        ids::check_form(IdKind::SecurityGroup, &self.security_group_ids)?;
        self.check_user_data()?;
        self.check_volumes()?;
        self.market.as_ref().map_or(Ok(()), SpotOptions::check)?;
        for resource_type in ["instance", "volume"] {
            tags::check(&self.tags_for(resource_type), resource_type == "instance" && self.serves_tags())?;
        }
        Ok(())
    }

    /// Whether the instance metadata service serves tags, which narrows what keys they may have.
    #[must_use]
    pub fn serves_tags(&self) -> bool {
        self.metadata.tags_enabled.unwrap_or(false)
    }

    fn check_image(&self, images: &BTreeSet<String>) -> Result<(), Refusal> {
        let image = self.image_id.as_ref().ok_or_else(|| Refusal::MissingParameter("ImageId".to_owned()))?;
        ids::check_form(IdKind::Image, [image])?;
        if images.contains(image) { Ok(()) } else { Err(Refusal::NotFound(IdKind::Image, vec![image.clone()])) }
    }

    fn check_instance_type(&self) -> Result<(), Refusal> {
        let Some(name) = &self.instance_type else {
            return Ok(());
        };
        let allowed = |part: &str| !part.is_empty() && part.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        match name.split_once('.') {
            Some((family, size)) if allowed(family) && allowed(size) => Ok(()),
            _ => Err(Refusal::InvalidParameterValue(format!("Invalid value '{name}' for InstanceType."))),
        }
    }

    fn check_user_data(&self) -> Result<(), Refusal> {
        let Some(text) = &self.user_data else {
            return Ok(());
        };
        match STANDARD.decode(text) {
            Err(_) => Err(Refusal::MalformedUserData),
            Ok(raw) if raw.len() > MAX_USER_DATA_BYTES => {
                Err(Refusal::InvalidParameterValue(format!("User data is limited to {MAX_USER_DATA_BYTES} bytes")))
            }
            Ok(_) => Ok(()),
        }
    }

    fn check_volumes(&self) -> Result<(), Refusal> {
        for device in &self.block_devices {
            let name = device.device_name.as_deref().ok_or_else(|| Refusal::MissingParameter("deviceName".to_owned()))?;
            if name != ROOT_DEVICE && device.volume_size_gib.is_none() {
                return Err(Refusal::MissingParameter("size or snapshotId".to_owned()));
            }
        }
        let mut sizes = self.block_devices.iter().filter_map(|device| device.volume_size_gib);
        match sizes.find(|size| !(1..=MAX_VOLUME_GIB).contains(size)) {
            Some(size) => Err(Refusal::InvalidParameterValue(format!("Volume size {size} GiB is out of range 1 to {MAX_VOLUME_GIB}"))),
            None => Ok(()),
        }
    }
}

fn or_base<T>(own: Vec<T>, base: Vec<T>) -> Vec<T> {
    if own.is_empty() { base } else { own }
}
