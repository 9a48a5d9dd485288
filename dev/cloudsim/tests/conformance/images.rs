//! Images by Systems Manager parameter, as set through the control API.

use aws_sdk_ec2::types::{InstanceType, LaunchTemplateSpecification, RequestLaunchTemplateData};
use reqwest::Method;
use serde_json::json;

use crate::backend::{IMAGE, Lab, code};

#[tokio::test]
async fn a_template_follows_its_parameter() {
    let lab = Lab::start().await;
    let set = |image: &'static str| lab.order(Method::PUT, "parameters", json!({ "/worker/image": image }));
    let create = || {
        let data = RequestLaunchTemplateData::builder().image_id("resolve:ssm:/worker/image").instance_type(InstanceType::T3Small);
        lab.ec2.create_launch_template().launch_template_name("fleet").launch_template_data(data.build()).send()
    };
    assert_eq!(code(&create().await), "SsmInvalidParameter");
    assert_eq!(set("not-an-image").await, 400);
    assert_eq!(set(IMAGE).await, 204);
    assert_eq!(lab.admin("parameters").await, json!({ "/worker/image": IMAGE }));
    create().await.unwrap();

    let image = async |resolve: bool| {
        let request = lab.ec2.describe_launch_template_versions().launch_template_name("fleet").versions("$Latest");
        let answer = request.resolve_alias(resolve).send().await.unwrap();
        answer.launch_template_versions()[0].launch_template_data().unwrap().image_id().unwrap().to_owned()
    };
    assert_eq!(image(false).await, "resolve:ssm:/worker/image");
    assert_eq!(image(true).await, IMAGE);
    let template = LaunchTemplateSpecification::builder().launch_template_name("fleet").build();
    let launched = lab.ec2.run_instances().min_count(1).max_count(1).launch_template(template).send().await.unwrap();
    assert_eq!(launched.instances()[0].image_id(), Some(IMAGE));

    assert_eq!(set("ami-0123456789abcdeff").await, 204);
    assert_eq!(image(true).await, "ami-0123456789abcdeff");
    lab.stop().await;
}
