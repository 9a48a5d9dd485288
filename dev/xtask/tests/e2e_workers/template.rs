//! What a template says reaches EC2, and what the operator adds to it.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::support::until;
use crate::world::{Instance, World};
use crate::{IMAGE, SLOW};

pub async fn all_of_it_reaches_ec2(world: &World) {
    let template = json!({
        "securityGroupIds": ["sg-0123456789abcdef0", "sg-0123456789abcdef1"],
        "instanceProfile": "e2e-worker", "keyName": "e2e-key", "volumeGiB": 20, "userData": "echo 'the user was here'\n",
    });
    let fleet = world.fleet(SLOW, "template", &["m6i.large"], json!({"min": 1, "template": template})).await;
    fleet.settles(1, 0).await;
    let made = fleet.calls("CreateLaunchTemplate").await;
    let [made] = made.as_slice() else { panic!("{made:?}") };
    check_data(&made.params);
    let launches = fleet.launches().await;
    assert_eq!(launches[0].params["LaunchTemplate.Version"], "1");
    let instance = fleet.live().await.remove(0);
    let root = &instance.volumes[0];
    assert_eq!((root.device_name.as_str(), root.size_gib), ("/dev/xvda", Some(20)));
    assert_eq!((instance.instance_type.as_str(), instance.image_id.as_str()), ("m6i.large", IMAGE));
    check_tags(&instance, &fleet.status().await.revision.unwrap(), fleet.template.strip_prefix("classifierfleet-").unwrap());
    until("a worker of min is told to stay", async || fleet.live().await[0].tag("classifierfleet:intent") == Some("keep")).await;
}

/// What the launch template was made with.
fn check_data(params: &BTreeMap<String, String>) {
    let data = |name: &str| params.get(&format!("LaunchTemplateData.{name}")).map(String::as_str);
    for (name, value) in [
        ("ImageId", IMAGE),
        ("InstanceType", "m6i.large"),
        ("KeyName", "e2e-key"),
        ("SecurityGroupId.1", "sg-0123456789abcdef0"),
        ("SecurityGroupId.2", "sg-0123456789abcdef1"),
        ("IamInstanceProfile.Name", "e2e-worker"),
        ("BlockDeviceMapping.1.DeviceName", "/dev/xvda"),
        ("BlockDeviceMapping.1.Ebs.VolumeSize", "20"),
        ("BlockDeviceMapping.1.Ebs.DeleteOnTermination", "true"),
        ("InstanceInitiatedShutdownBehavior", "terminate"),
        ("MetadataOptions.HttpTokens", "required"),
        ("MetadataOptions.InstanceMetadataTags", "enabled"),
    ] {
        assert_eq!(data(name), Some(value), "{name} of {params:?}");
    }
    let script = String::from_utf8(STANDARD.decode(data("UserData").unwrap()).unwrap()).unwrap();
    let (before, after) = script.split_once("until classifierfleet-worker").unwrap();
    let has = |line: &str| before.lines().any(|found| found.trim_start() == line);
    assert!(script.starts_with("#cloud-config\n") && has("echo 'the user was here'"), "{script}");
    assert!(has("CLASSIFIERFLEET_FLEET=\"template\"") && after.trim_end().ends_with("poweroff"), "{script}");
}

/// By its tags an instance is found again, and a person knows whose it is.
fn check_tags(instance: &Instance, revision: &str, uid: &str) {
    let token = instance.client_token.clone().unwrap();
    let name = format!("template-worker-{}", &token[..8]);
    for (key, value) in [
        ("Name", name.as_str()),
        ("classifierfleet:uid", uid),
        ("classifierfleet:namespace", SLOW),
        ("classifierfleet:name", "template"),
        ("classifierfleet:revision", revision),
        ("classifierfleet:token", &token),
    ] {
        assert_eq!(instance.tag(key), Some(value), "{key}");
        assert_eq!(instance.volumes[0].tags.get(key).map(String::as_str), Some(value), "{key} of its disk");
    }
    let ours: BTreeSet<&str> = instance.tags.keys().map(String::as_str).filter(|key| !key.starts_with("aws:")).collect();
    // IMDS serves no key with a '/'.
    assert!(ours.iter().all(|key| !key.contains('/')) && ours.contains("classifierfleet:cluster"), "{ours:?}");
}
