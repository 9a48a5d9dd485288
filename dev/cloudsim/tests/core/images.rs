//! Images by Systems Manager parameter.

use std::collections::BTreeMap;

use cloudsim::state::{Cloud, LaunchRequest, LaunchSpec, NewTemplate, Settings, ShutdownBehavior, TemplateRef};
use cloudsim::{Endpoint, Refusal, Reply};

use crate::{IMAGE, at, request, settings};

const NEXT_IMAGE: &str = "ami-0123456789abcdef1";

fn with_parameter() -> Settings {
    let base = settings();
    let images = base.images.iter().cloned().chain([NEXT_IMAGE.to_owned()]).collect();
    Settings { images, parameters: BTreeMap::from([("/worker/image".to_owned(), IMAGE.to_owned())]), ..base }
}

fn of_image(token: &str, image: &str) -> LaunchRequest {
    let base = request(token, ShutdownBehavior::Stop);
    LaunchRequest { overrides: LaunchSpec { image_id: Some(image.to_owned()), ..base.overrides }, ..base }
}

fn follow(cloud: &mut Cloud, image: &str) {
    cloud.set_parameters(BTreeMap::from([("/worker/image".to_owned(), image.to_owned())])).unwrap();
}

#[test]
fn a_parameter_is_looked_up_at_each_launch() {
    let mut cloud = Cloud::new(with_parameter());
    let template = NewTemplate {
        token: None,
        name: "fleet".to_owned(),
        description: None,
        data: LaunchSpec { image_id: Some("resolve:ssm:/worker/image".to_owned()), ..LaunchSpec::default() },
        tags: BTreeMap::new(),
    };
    let id = cloud.create_template(template, at(0)).unwrap();
    let launched = |cloud: &mut Cloud, token: &str| {
        let template = TemplateRef { id: Some(id.clone()), name: None, version: None };
        let request = LaunchRequest { template: Some(template), overrides: LaunchSpec::default(), ..of_image(token, "") };
        let id = cloud.run_instances(request, at(1)).unwrap().instance_ids.remove(0);
        cloud.instance(&id).unwrap().image_id().to_owned()
    };
    assert_eq!(launched(&mut cloud, "a"), IMAGE);
    follow(&mut cloud, NEXT_IMAGE);
    assert_eq!(launched(&mut cloud, "b"), NEXT_IMAGE);
}

#[test]
fn a_version_stays_what_it_was() {
    let mut cloud = Cloud::new(with_parameter());
    follow(&mut cloud, NEXT_IMAGE);
    follow(&mut cloud, NEXT_IMAGE);
    let mut image = |version: &str| {
        let launched = cloud.run_instances(of_image(version, &format!("resolve:ssm:/worker/image{version}")), at(0))?;
        Ok(cloud.instance(&launched.instance_ids[0]).unwrap().image_id().to_owned())
    };
    assert_eq!(image(""), Ok(NEXT_IMAGE.to_owned()));
    assert_eq!(image(":1"), Ok(IMAGE.to_owned()));
    assert_eq!(image(":2"), Ok(NEXT_IMAGE.to_owned()));
    for odd in [":3", ":0", ":newest"] {
        assert_eq!(image(odd), Err(Refusal::SsmInvalidParameter(format!("/worker/image{odd}"))));
    }
}

#[test]
fn an_unknown_parameter_is_refused_when_the_template_is_made() {
    let body = "Action=CreateLaunchTemplate&LaunchTemplateName=fleet&LaunchTemplateData.ImageId=resolve:ssm:/nobody";
    let Reply::Answer { status, body } = Endpoint::new(with_parameter()).handle(body, at(0)).reply else {
        panic!("no answer");
    };
    assert_eq!(status, 400);
    assert!(body.contains("<Code>SsmInvalidParameter</Code>") && body.contains("/nobody"), "{body}");
    let refused = Cloud::new(with_parameter()).run_instances(of_image("a", "resolve:ssm:arn:aws:ssm:x:1:parameter/y"), at(0));
    assert_eq!(refused.unwrap_err().code(), "UnsupportedOperation");
}

#[test]
fn a_parameter_names_an_image() {
    let mut cloud = Cloud::new(with_parameter());
    let odd = BTreeMap::from([("/worker/image".to_owned(), "t3.small".to_owned())]);
    assert_eq!(cloud.set_parameters(odd).unwrap_err().code(), "InvalidAMIID.Malformed");
    assert_eq!(cloud.parameters(), BTreeMap::from([("/worker/image", IMAGE)]));
    // It may name one that does not exist: that shows at the launch.
    follow(&mut cloud, "ami-0123456789abcdeff");
    let refused = cloud.run_instances(of_image("a", "resolve:ssm:/worker/image"), at(0)).unwrap_err();
    assert_eq!(refused.code(), "InvalidAMIID.NotFound");
}
