//! Images: which there are, and what their root device is called. Instance types.

use aws_sdk_ec2::types::{InstanceType, InstanceTypeInfo};

use crate::backend::{Backend, IMAGE, code};
use crate::cases::{Case, case};

pub(crate) fn all() -> Vec<Case> {
    vec![
        case!(
            root_device_of_an_image,
            "ami-03cf127a available ebs /dev/xvda",
            moto "ami-03cf127a available ebs /dev/sda1",
            because "both: a root device is called what its image says, and moto's image is another one"
        ),
        case!(
            images_that_do_not_exist,
            "InvalidAMIID.NotFound InvalidAMIID.Malformed",
            moto "OK InvalidAMIID.Malformed",
            because "EC2: one unknown id fails the call; moto does so only when none is known"
        ),
        case!(vcpus_of_types, "c5.xlarge 4, t3.small 2"),
        case!(types_that_do_not_exist, "InvalidInstanceType"),
    ]
}

async fn vcpus_of_types(backend: Backend) -> String {
    let asked = [InstanceType::T3Small, InstanceType::C5Xlarge].to_vec();
    let answer = backend.ec2.describe_instance_types().set_instance_types(Some(asked)).send().await.unwrap();
    let vcpus = |info: &InstanceTypeInfo| info.v_cpu_info().unwrap().default_v_cpus().unwrap();
    let found = answer.instance_types().iter().map(|info| format!("{} {}", info.instance_type().unwrap().as_str(), vcpus(info)));
    let mut found: Vec<String> = found.collect();
    found.sort();
    found.join(", ")
}

async fn types_that_do_not_exist(backend: Backend) -> String {
    let asked = backend.ec2.describe_instance_types().instance_types(InstanceType::T3Small);
    code(&asked.instance_types(InstanceType::from("t3.enormous")).send().await)
}

async fn root_device_of_an_image(backend: Backend) -> String {
    let answer = backend.ec2.describe_images().image_ids(IMAGE).send().await.unwrap();
    let [image] = answer.images() else { return format!("{} images", answer.images().len()) };
    let (state, kind) = (image.state().unwrap().as_str(), image.root_device_type().unwrap().as_str());
    format!("{} {state} {kind} {}", image.image_id().unwrap(), image.root_device_name().unwrap())
}

async fn images_that_do_not_exist(backend: Backend) -> String {
    let ask = async |id: &str| code(&backend.ec2.describe_images().image_ids(IMAGE).image_ids(id).send().await);
    format!("{} {}", ask("ami-0123456789abcdefe").await, ask("an-image").await)
}
