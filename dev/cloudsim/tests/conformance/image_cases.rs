//! Images: which there are, and what their root device is called.

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
    ]
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
