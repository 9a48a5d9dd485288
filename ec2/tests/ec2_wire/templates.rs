//! Launch templates, and the images that they name.

use ec2::Verdict;

use crate::cloud::Cloud;
use crate::script::{Script, answer, refusal};
use crate::{IMAGE, client, launch, template, version};

fn versions(descriptions: &[(i64, &str)]) -> (u16, String) {
    let item = |(number, text): &(i64, &str)| {
        format!("<item><versionNumber>{number}</versionNumber><versionDescription>{text}</versionDescription></item>")
    };
    let items: String = descriptions.iter().map(item).collect();
    answer("DescribeLaunchTemplateVersions", &format!("<launchTemplateVersionSet>{items}</launchTemplateVersionSet>"))
}

fn created(number: i64) -> (u16, String) {
    let inside = format!("<launchTemplateVersion><versionNumber>{number}</versionNumber></launchTemplateVersion>");
    answer("CreateLaunchTemplateVersion", &inside)
}

#[tokio::test]
async fn a_volume_is_the_images_root_device_and_ec2_is_asked_for_its_name_once() {
    let image = format!("<imagesSet><item><imageId>{IMAGE}</imageId><rootDeviceName>/dev/sda1</rootDeviceName></item></imagesSet>");
    let answers = vec![versions(&[(1, "r1")]), answer("DescribeImages", &image), created(2), versions(&[(1, "r1")]), created(3)];
    let script = Script::start(answers).await;
    let (ec2, _) = client(&script.url);
    for (revision, number) in [("r2", 2), ("r3", 3)] {
        let version = ec2::TemplateVersion { volume_gib: Some(20), stop_on_shutdown: true, ..version(revision) };
        assert_eq!(ec2.ensure_template(&template(), &version).await.unwrap(), number);
    }
    let asked = script.asked();
    let actions: Vec<_> = asked.iter().map(|request| request["Action"].as_str()).collect();
    let (list, create) = ("DescribeLaunchTemplateVersions", "CreateLaunchTemplateVersion");
    assert_eq!(actions, [list, "DescribeImages", create, list, create]);
    let data = |name: &str| asked[2][&format!("LaunchTemplateData.{name}")].as_str();
    assert_eq!((data("BlockDeviceMapping.1.DeviceName"), data("BlockDeviceMapping.1.Ebs.VolumeSize")), ("/dev/sda1", "20"));
    assert_eq!((data("BlockDeviceMapping.1.Ebs.DeleteOnTermination"), data("InstanceInitiatedShutdownBehavior")), ("true", "stop"));
    assert_eq!((data("MetadataOptions.HttpTokens"), data("MetadataOptions.InstanceMetadataTags")), ("required", "enabled"));
}

#[tokio::test]
async fn a_template_made_by_a_faster_caller_gets_the_version_added() {
    let missing = refusal(400, "InvalidLaunchTemplateName.NotFoundException");
    let taken = refusal(400, "InvalidLaunchTemplateName.AlreadyExistsException");
    let script = Script::start(vec![missing.clone(), taken.clone(), versions(&[(1, "r0")]), created(2)]).await;
    let (ec2, heard) = client(&script.url);
    assert_eq!(ec2.ensure_template(&template(), &version("r1")).await.unwrap(), 2);
    assert_eq!(heard.lock().unwrap().last().unwrap(), "CreateLaunchTemplateVersion OK");
    // Or has it already; or it shows nowhere yet, which is for the next time.
    let script = Script::start(vec![missing.clone(), taken.clone(), versions(&[(1, "r1")]), missing.clone(), taken, missing]).await;
    let (ec2, _) = client(&script.url);
    assert_eq!(ec2.ensure_template(&template(), &version("r1")).await.unwrap(), 1);
    assert!(ec2.ensure_template(&template(), &version("r1")).await.unwrap_err().is("InvalidLaunchTemplateName.AlreadyExistsException"));
}

/// By whomever: the same revision comes back, though EC2 remembers who asked for what.
#[tokio::test]
async fn what_was_deleted_is_made_again() {
    let cloud = Cloud::start(|_| {}).await;
    let (ec2, template) = (cloud.client(), template());
    for revision in ["r1", "r2"] {
        ec2.ensure_template(&template, &version(revision)).await.unwrap();
    }
    ec2.delete_template(&template.name).await.unwrap();
    assert_eq!(ec2.ensure_template(&template, &version("r1")).await.unwrap(), 1);
    assert_eq!(ec2.ensure_template(&template, &version("r2")).await.unwrap(), 2);
    assert!(ec2.run_instances(&launch("t-1", 1)).await.is_ok());
    cloud.stop().await;
}

#[tokio::test]
async fn a_revision_has_one_version_whoever_asks() {
    let cloud = Cloud::start(|_| {}).await;
    let (first, second) = (cloud.client(), cloud.client());
    let (template, r1) = (template(), version("r1"));
    let (one, two) = tokio::join!(first.ensure_template(&template, &r1), second.ensure_template(&template, &r1));
    assert_eq!((one.unwrap(), two.unwrap()), (1, 1));
    assert_eq!(first.ensure_template(&template, &version("r2")).await.unwrap(), 2);
    assert_eq!(second.ensure_template(&template, &r1).await.unwrap(), 1);
    first.delete_template(&template.name).await.unwrap();
    second.delete_template(&template.name).await.unwrap();
    let error = first.run_instances(&launch("t-1", 1)).await.unwrap_err();
    assert!(error.is("InvalidLaunchTemplateName.NotFoundException"), "{error}");
    cloud.stop().await;
}

#[tokio::test]
async fn a_parameter_names_the_image_of_the_moment() {
    let parameter = "/aws/service/worker/latest";
    let cloud = Cloud::start(|settings| settings.parameters = [(parameter.to_owned(), IMAGE.to_owned())].into()).await;
    let (ec2, other, template) = (cloud.client(), cloud.client(), template());
    let (one, two) = tokio::join!(ec2.resolve_image(&template, parameter), other.resolve_image(&template, parameter));
    assert_eq!((one.unwrap().as_str(), two.unwrap().as_str()), (IMAGE, IMAGE));
    cloud.put("parameters", serde_json::json!({ parameter: "ami-0123456789abcdef0" })).await;
    assert_eq!(ec2.resolve_image(&template, parameter).await.unwrap(), "ami-0123456789abcdef0");
    // The template is the fleet's own: its first revision comes after the parameter.
    assert_eq!(ec2.ensure_template(&template, &version("r1")).await.unwrap(), 2);
    let error = ec2.resolve_image(&template, "/no/such").await.unwrap_err();
    assert_eq!(error.verdict(), Verdict::Refused, "{error}");
    assert_eq!(cloud.asked("CreateLaunchTemplateVersion").await.len(), 2, "the revision, and the parameter that is refused");
    cloud.stop().await;
}
