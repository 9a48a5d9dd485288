//! Launch templates and their versions.

use aws_sdk_ec2::types::{
    InstanceType, LaunchTemplateBlockDeviceMappingRequest, LaunchTemplateEbsBlockDeviceRequest, LaunchTemplateHttpTokensState,
    LaunchTemplateIamInstanceProfileSpecificationRequest, LaunchTemplateInstanceMetadataOptionsRequest,
    LaunchTemplateInstanceMetadataTagsState, LaunchTemplateVersion, RequestLaunchTemplateData, ShutdownBehavior,
};

use crate::backend::{Backend, IMAGE, code};
use crate::cases::{Case, case, template_data};

const NO_TOKENS: &str = "EC2: \"Ensuring idempotency in Amazon EC2 API requests\"; moto ignores ClientToken";

pub(crate) fn all() -> Vec<Case> {
    vec![
        case!(name_taken, "InvalidLaunchTemplateName.AlreadyExistsException"),
        case!(
            name_malformed,
            "InvalidLaunchTemplateName.MalformedException",
            moto "OK",
            because "EC2: 3 to 128 characters; moto takes any name"
        ),
        case!(
            template_unknown,
            "InvalidLaunchTemplateId.NotFound",
            moto "OK",
            because "EC2: an id that does not exist is an error; moto lists nothing"
        ),
        case!(template_name_unknown, "InvalidLaunchTemplateName.NotFoundException"),
        case!(versions_count_up, "1 2 3, default 1, latest 3"),
        case!(versions_by_alias, "$Default 1, $Latest 2, 2 2"),
        case!(default_version_moves, "2"),
        case!(default_version_unknown, "InvalidLaunchTemplateId.VersionNotFound"),
        case!(
            version_from_source,
            "t3.large ami-03cf127a",
            moto "t3.large no image",
            because "EC2: \"the new version inherits the same launch parameters as the source version\"; moto ignores SourceVersion"
        ),
        case!(data_comes_back, "t3.small 20 GiB terminate required enabled worker dXNlcg=="),
        case!(deleted_is_gone, "OK, InvalidLaunchTemplateName.NotFoundException"),
        case!(
            one_token_one_template,
            "same",
            moto "InvalidLaunchTemplateName.AlreadyExistsException",
            because NO_TOKENS
        ),
        case!(one_token_one_version, "2, 2", moto "2, 3", because NO_TOKENS),
        case!(token_of_another_version, "IdempotentParameterMismatch", moto "OK", because NO_TOKENS),
    ]
}

async fn create(backend: &Backend, name: &str) -> String {
    let request = backend.ec2.create_launch_template().launch_template_name(name);
    code(&request.launch_template_data(template_data(InstanceType::T3Small)).send().await)
}

async fn add_version(backend: &Backend, instance_type: InstanceType) -> i64 {
    let request = backend.ec2.create_launch_template_version().launch_template_name("fleet");
    let answer = request.launch_template_data(template_data(instance_type)).send().await.unwrap();
    answer.launch_template_version().unwrap().version_number().unwrap()
}

async fn versions(backend: &Backend, wanted: &[&str]) -> Vec<LaunchTemplateVersion> {
    let request = backend.ec2.describe_launch_template_versions().launch_template_name("fleet");
    let wanted = (!wanted.is_empty()).then(|| wanted.iter().map(ToString::to_string).collect());
    request.set_versions(wanted).send().await.unwrap().launch_template_versions().to_vec()
}

async fn name_taken(backend: Backend) -> String {
    create(&backend, "fleet").await;
    create(&backend, "fleet").await
}

async fn name_malformed(backend: Backend) -> String {
    create(&backend, "a fleet").await
}

async fn template_unknown(backend: Backend) -> String {
    code(&backend.ec2.describe_launch_templates().launch_template_ids("lt-0123456789abcdef0").send().await)
}

async fn template_name_unknown(backend: Backend) -> String {
    code(&backend.ec2.describe_launch_templates().launch_template_names("nobody").send().await)
}

async fn versions_count_up(backend: Backend) -> String {
    create(&backend, "fleet").await;
    add_version(&backend, InstanceType::T3Large).await;
    add_version(&backend, InstanceType::T3Medium).await;
    let mut numbers: Vec<i64> = versions(&backend, &[]).await.iter().map(|version| version.version_number().unwrap()).collect();
    numbers.sort_unstable();
    let answer = backend.ec2.describe_launch_templates().launch_template_names("fleet").send().await.unwrap();
    let template = &answer.launch_templates()[0];
    let numbers = numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    format!("{numbers}, default {}, latest {}", template.default_version_number().unwrap(), template.latest_version_number().unwrap())
}

async fn versions_by_alias(backend: Backend) -> String {
    create(&backend, "fleet").await;
    add_version(&backend, InstanceType::T3Large).await;
    let mut seen = Vec::new();
    for wanted in ["$Default", "$Latest", "2"] {
        seen.push(format!("{wanted} {}", versions(&backend, &[wanted]).await[0].version_number().unwrap()));
    }
    seen.join(", ")
}

async fn default_version_moves(backend: Backend) -> String {
    create(&backend, "fleet").await;
    add_version(&backend, InstanceType::T3Large).await;
    let request = backend.ec2.modify_launch_template().launch_template_name("fleet").default_version("2");
    request.send().await.unwrap();
    versions(&backend, &["$Default"]).await[0].version_number().unwrap().to_string()
}

async fn default_version_unknown(backend: Backend) -> String {
    create(&backend, "fleet").await;
    code(&backend.ec2.modify_launch_template().launch_template_name("fleet").default_version("7").send().await)
}

async fn version_from_source(backend: Backend) -> String {
    create(&backend, "fleet").await;
    let data = RequestLaunchTemplateData::builder().instance_type(InstanceType::T3Large).build();
    let request = backend.ec2.create_launch_template_version().launch_template_name("fleet").source_version("1");
    request.launch_template_data(data).send().await.unwrap();
    let version = versions(&backend, &["2"]).await.remove(0);
    let data = version.launch_template_data().unwrap();
    format!("{} {}", data.instance_type().unwrap(), data.image_id().unwrap_or("no image"))
}

async fn data_comes_back(backend: Backend) -> String {
    let metadata = LaunchTemplateInstanceMetadataOptionsRequest::builder()
        .http_tokens(LaunchTemplateHttpTokensState::Required)
        .instance_metadata_tags(LaunchTemplateInstanceMetadataTagsState::Enabled);
    let disk = LaunchTemplateEbsBlockDeviceRequest::builder().volume_size(20).build();
    let disk = LaunchTemplateBlockDeviceMappingRequest::builder().device_name("/dev/xvda").ebs(disk);
    let data = RequestLaunchTemplateData::builder()
        .image_id(IMAGE)
        .instance_type(InstanceType::T3Small)
        .block_device_mappings(disk.build())
        .instance_initiated_shutdown_behavior(ShutdownBehavior::Terminate)
        .metadata_options(metadata.build())
        .iam_instance_profile(LaunchTemplateIamInstanceProfileSpecificationRequest::builder().name("worker").build())
        .user_data("dXNlcg==");
    let request = backend.ec2.create_launch_template().launch_template_name("fleet");
    request.launch_template_data(data.build()).send().await.unwrap();

    let version = versions(&backend, &["1"]).await.remove(0);
    let data = version.launch_template_data().unwrap();
    let metadata = data.metadata_options().unwrap();
    format!(
        "{} {} GiB {} {} {} {} {}",
        data.instance_type().unwrap(),
        data.block_device_mappings()[0].ebs().unwrap().volume_size().unwrap(),
        data.instance_initiated_shutdown_behavior().unwrap(),
        metadata.http_tokens().unwrap(),
        metadata.instance_metadata_tags().unwrap(),
        data.iam_instance_profile().unwrap().name().unwrap(),
        data.user_data().unwrap(),
    )
}

async fn deleted_is_gone(backend: Backend) -> String {
    create(&backend, "fleet").await;
    let deleted = code(&backend.ec2.delete_launch_template().launch_template_name("fleet").send().await);
    let described = backend.ec2.describe_launch_templates().launch_template_names("fleet").send().await;
    format!("{deleted}, {}", code(&described))
}

async fn one_token_one_template(backend: Backend) -> String {
    let request = || {
        let request = backend.ec2.create_launch_template().launch_template_name("fleet").client_token("token-1");
        request.launch_template_data(template_data(InstanceType::T3Small)).send()
    };
    let first = request().await.unwrap();
    match request().await {
        Ok(second) if first.launch_template() == second.launch_template() => "same".to_owned(),
        other => code(&other),
    }
}

async fn one_token_one_version(backend: Backend) -> String {
    create(&backend, "fleet").await;
    let mut numbers = Vec::new();
    for _ in 0..2 {
        let request = backend.ec2.create_launch_template_version().launch_template_name("fleet").client_token("token-1");
        let answer = request.launch_template_data(template_data(InstanceType::T3Large)).send().await.unwrap();
        numbers.push(answer.launch_template_version().unwrap().version_number().unwrap().to_string());
    }
    numbers.join(", ")
}

async fn token_of_another_version(backend: Backend) -> String {
    create(&backend, "fleet").await;
    let request = |instance_type| {
        let request = backend.ec2.create_launch_template_version().launch_template_name("fleet").client_token("token-1");
        request.launch_template_data(template_data(instance_type)).send()
    };
    request(InstanceType::T3Large).await.unwrap();
    code(&request(InstanceType::T3Medium).await)
}
