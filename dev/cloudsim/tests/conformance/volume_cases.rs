//! Disks: the root disk's size, further disks, and their tags.

use aws_sdk_ec2::types::{
    BlockDeviceMapping, EbsBlockDevice, InstanceType, LaunchTemplateBlockDeviceMappingRequest, LaunchTemplateEbsBlockDeviceRequest,
    LaunchTemplateSpecification, RequestLaunchTemplateData, ResourceType, ShutdownBehavior, TagSpecification, VolumeType,
};

use crate::backend::{Backend, IMAGE, code};
use crate::cases::{Case, case, filter, launch, tag};

pub(crate) fn all() -> Vec<Case> {
    vec![
        case!(
            root_by_template,
            "/dev/xvda kept, volume disk=yes",
            moto "/dev/sda1 gone, volume disk=yes",
            because "EC2: a mapping of the root device changes it; moto ignores a template's mapping"
        ),
        case!(further_disks, "/dev/sdb /dev/xvda"),
        case!(disk_without_a_size, "MissingParameter"),
    ]
}

async fn root_by_template(backend: Backend) -> String {
    let disk = LaunchTemplateEbsBlockDeviceRequest::builder().volume_size(40).volume_type(VolumeType::Gp3).delete_on_termination(false);
    let disk = LaunchTemplateBlockDeviceMappingRequest::builder().device_name("/dev/xvda").ebs(disk.build());
    let data =
        RequestLaunchTemplateData::builder().image_id(IMAGE).instance_type(InstanceType::T3Small).block_device_mappings(disk.build());
    let create = backend.ec2.create_launch_template().launch_template_name("fleet").launch_template_data(data.build());
    create.send().await.unwrap();
    let tags = TagSpecification::builder().resource_type(ResourceType::Volume).tags(tag("disk", "yes")).build();
    let template = LaunchTemplateSpecification::builder().launch_template_name("fleet").build();
    let request = backend.ec2.run_instances().min_count(1).max_count(1).launch_template(template).tag_specifications(tags);
    let launched = request.instance_initiated_shutdown_behavior(ShutdownBehavior::Terminate).send().await.unwrap();
    let instance = backend.instance(launched.instances()[0].instance_id().unwrap()).await;
    let root = &instance.block_device_mappings()[0];
    let fate = if root.ebs().unwrap().delete_on_termination() == Some(false) { "kept" } else { "gone" };
    let volume = root.ebs().unwrap().volume_id().unwrap();
    let tags = backend.ec2.describe_tags().filters(filter("resource-id", &[volume])).send().await.unwrap();
    let tag = tags
        .tags()
        .first()
        .map(|row| format!("{} {}={}", row.resource_type().unwrap(), row.key().unwrap_or_default(), row.value().unwrap_or_default()));
    format!("{} {fate}, {}", root.device_name().unwrap(), tag.unwrap_or_else(|| "no volume".to_owned()))
}

fn mapping(name: &str, size_gib: Option<i32>) -> BlockDeviceMapping {
    let ebs = EbsBlockDevice::builder().set_volume_size(size_gib).volume_type(VolumeType::Gp3).build();
    BlockDeviceMapping::builder().device_name(name).ebs(ebs).build()
}

async fn further_disks(backend: Backend) -> String {
    let request = launch(&backend, 1).block_device_mappings(mapping("/dev/sdb", Some(100)));
    let launched = request.block_device_mappings(mapping("/dev/xvda", Some(30))).send().await.unwrap();
    let instance = backend.instance(launched.instances()[0].instance_id().unwrap()).await;
    let mut names: Vec<_> = instance.block_device_mappings().iter().map(|device| device.device_name().unwrap()).collect();
    names.sort_unstable();
    names.join(" ")
}

async fn disk_without_a_size(backend: Backend) -> String {
    code(&launch(&backend, 1).block_device_mappings(mapping("/dev/sdb", None)).send().await)
}
