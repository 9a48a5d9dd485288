//! RunInstances: counts, images, templates, tokens, and what is refused.

use std::collections::BTreeSet;

use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::types::{
    CapacityReservationPreference, CapacityReservationSpecification, InstanceType, LaunchTemplateSpecification, RequestLaunchTemplateData,
};
use futures::future::join_all;

use crate::backend::{Backend, IMAGE, code};
use crate::cases::{Case, case, ids, instance_tags, launch, launched, shown, template_data};

const NO_TOKENS: &str = "EC2: \"Ensuring idempotency in Amazon EC2 API requests\"; moto ignores ClientToken";
const NO_CHECK: &str = "EC2 documents the limit or the code; moto does not check it";

pub(crate) fn all() -> Vec<Case> {
    vec![
        case!(
            max_count_is_tried_for,
            "3",
            moto "1",
            because "EC2: \"launches the largest possible number up to MaxCount\"; moto launches MinCount"
        ),
        case!(more_min_than_max, "InvalidParameterValue", moto "OK", because NO_CHECK),
        case!(count_of_zero, "InvalidParameterValue", moto "OK", because NO_CHECK),
        case!(malformed_image, "InvalidAMIID.Malformed", moto "OK", because NO_CHECK),
        case!(unknown_image, "InvalidAMIID.NotFound", moto "OK", because NO_CHECK),
        case!(unknown_type, "InvalidParameterValue", moto "OK", because NO_CHECK),
        case!(user_data_not_base64, "InvalidUserData.Malformed"),
        case!(user_data_too_large, "InvalidParameterValue", moto "OK", because NO_CHECK),
        case!(
            one_token_one_launch,
            "same reservation, same instances",
            moto "other reservation, other instances",
            because NO_TOKENS
        ),
        case!(one_token_at_once, "8 answers, 1 launch", moto "8 answers, 8 launch", because NO_TOKENS),
        case!(one_token_two_requests, "IdempotentParameterMismatch", moto "OK", because NO_TOKENS),
        case!(token_of_terminated, "IdempotentInstanceTerminated", moto "OK", because NO_TOKENS),
        case!(token_of_some_terminated, "OK"),
        case!(token_of_failed_launch, "InvalidAMIID.NotFound, then OK", moto "OK, then OK", because NO_CHECK),
        case!(token_too_long, "InvalidParameterValue", moto "OK", because NO_CHECK),
        case!(
            template_and_overrides,
            "t3.large ami-03cf127a Name=worker,aws:ec2launchtemplate:id=ID,aws:ec2launchtemplate:version=1,fleet=b"
        ),
        case!(template_missing, "InvalidLaunchTemplateName.NotFoundException"),
        case!(template_version_missing, "InvalidLaunchTemplateId.VersionNotFound"),
        case!(
            unsupported_parameter,
            "UnknownParameter: CapacityReservationSpecification",
            moto "OK",
            because "EC2 takes it, cloudsim has no reservations and says so by name"
        ),
        case!(
            unsupported_action,
            "InvalidAction: DescribeVpcs",
            moto "OK",
            because "EC2 and moto have it, cloudsim has no networks and says so by name"
        ),
        case!(new_instances_are_pending, "pending"),
        case!(dry_run, "DryRunOperation, 0 launched"),
        case!(dry_run_of_what_fails, "InvalidAMIID.NotFound", moto "DryRunOperation", because NO_CHECK),
    ]
}

async fn dry_run(backend: Backend) -> String {
    let answer = code(&launch(&backend, 1).dry_run(true).send().await);
    let listed = backend.ec2.describe_instances().send().await.unwrap();
    format!("{answer}, {} launched", listed.reservations().len())
}

async fn dry_run_of_what_fails(backend: Backend) -> String {
    code(&launch(&backend, 1).image_id("ami-0ffffffffffffffff").dry_run(true).send().await)
}

async fn max_count_is_tried_for(backend: Backend) -> String {
    let answer = launch(&backend, 1).max_count(3).send().await.unwrap();
    answer.instances().len().to_string()
}

async fn more_min_than_max(backend: Backend) -> String {
    code(&launch(&backend, 3).max_count(2).send().await)
}

async fn count_of_zero(backend: Backend) -> String {
    code(&launch(&backend, 0).send().await)
}

async fn malformed_image(backend: Backend) -> String {
    code(&launch(&backend, 1).image_id("img-1").send().await)
}

async fn unknown_image(backend: Backend) -> String {
    code(&launch(&backend, 1).image_id("ami-0123456789abcdeff").send().await)
}

async fn unknown_type(backend: Backend) -> String {
    code(&launch(&backend, 1).instance_type(InstanceType::from("large")).send().await)
}

async fn user_data_not_base64(backend: Backend) -> String {
    code(&launch(&backend, 1).user_data("#!/bin/sh").send().await)
}

async fn user_data_too_large(backend: Backend) -> String {
    // 16,386 bytes when decoded.
    code(&launch(&backend, 1).user_data("QUFB".repeat(5462)).send().await)
}

async fn one_token_one_launch(backend: Backend) -> String {
    let request = || launch(&backend, 2).client_token("token-1").send();
    let (first, second) = (request().await.unwrap(), request().await.unwrap());
    let same = |same: bool| if same { "same" } else { "other" };
    let reservation = same(first.reservation_id() == second.reservation_id());
    format!("{reservation} reservation, {} instances", same(ids(first.instances()) == ids(second.instances())))
}

async fn one_token_at_once(backend: Backend) -> String {
    let answers = join_all((0..8).map(|_| launch(&backend, 1).client_token("token-1").send())).await;
    let launches: BTreeSet<String> = answers.iter().flat_map(|answer| ids(answer.as_ref().unwrap().instances())).collect();
    format!("{} answers, {} launch", answers.len(), launches.len())
}

async fn one_token_two_requests(backend: Backend) -> String {
    launch(&backend, 1).client_token("token-1").send().await.unwrap();
    code(&launch(&backend, 1).instance_type(InstanceType::T3Large).client_token("token-1").send().await)
}

async fn token_of_terminated(backend: Backend) -> String {
    let request = || launch(&backend, 1).client_token("token-1").send();
    let id = ids(request().await.unwrap().instances()).remove(0);
    backend.ec2.terminate_instances().instance_ids(&id).send().await.unwrap();
    backend.wait_for_state(&id, "terminated").await;
    code(&request().await)
}

async fn token_of_some_terminated(backend: Backend) -> String {
    let request = || launch(&backend, 2).client_token("token-1").send();
    let id = ids(request().await.unwrap().instances()).remove(0);
    backend.ec2.terminate_instances().instance_ids(&id).send().await.unwrap();
    backend.wait_for_state(&id, "terminated").await;
    code(&request().await)
}

async fn token_of_failed_launch(backend: Backend) -> String {
    let request = |image: &str| launch(&backend, 1).image_id(image).client_token("token-1").send();
    let failed = code(&request("ami-0123456789abcdeff").await);
    format!("{failed}, then {}", code(&request(IMAGE).await))
}

async fn token_too_long(backend: Backend) -> String {
    code(&launch(&backend, 1).client_token("t".repeat(65)).send().await)
}

async fn template_and_overrides(backend: Backend) -> String {
    let tags = aws_sdk_ec2::types::LaunchTemplateTagSpecificationRequest::builder()
        .resource_type(aws_sdk_ec2::types::ResourceType::Instance)
        .tags(crate::cases::tag("Name", "worker"))
        .tags(crate::cases::tag("fleet", "a"));
    let data = RequestLaunchTemplateData::builder().image_id(IMAGE).instance_type(InstanceType::T3Small).tag_specifications(tags.build());
    let create = backend.ec2.create_launch_template().launch_template_name("fleet");
    let create = create.launch_template_data(data.build()).send().await.unwrap();
    let request = backend.ec2.run_instances().min_count(1).max_count(1).launch_template(template("fleet", "$Latest"));
    let request = request.instance_type(InstanceType::T3Large).tag_specifications(instance_tags(&[("fleet", "b")]));
    let answer = request.send().await.unwrap();
    let instance = &answer.instances()[0];
    let instance_type = instance.instance_type().unwrap();
    let from = create.launch_template().unwrap().launch_template_id().unwrap();
    format!("{instance_type} {} {}", instance.image_id().unwrap(), shown(instance.tags()).replace(from, "ID"))
}

async fn template_missing(backend: Backend) -> String {
    code(&launch(&backend, 1).launch_template(template("nobody", "1")).send().await)
}

async fn template_version_missing(backend: Backend) -> String {
    let create = backend.ec2.create_launch_template().launch_template_name("fleet");
    create.launch_template_data(template_data(InstanceType::T3Small)).send().await.unwrap();
    code(&launch(&backend, 1).launch_template(template("fleet", "7")).send().await)
}

fn template(name: &str, version: &str) -> LaunchTemplateSpecification {
    LaunchTemplateSpecification::builder().launch_template_name(name).version(version).build()
}

async fn unsupported_parameter(backend: Backend) -> String {
    let reservation = CapacityReservationSpecification::builder().capacity_reservation_preference(CapacityReservationPreference::Open);
    let result = launch(&backend, 1).capacity_reservation_specification(reservation.build()).send().await;
    named(&result, "CapacityReservationSpecification")
}

async fn unsupported_action(backend: Backend) -> String {
    named(&backend.ec2.describe_vpcs().send().await, "DescribeVpcs")
}

/// The code, and the name if the message has it.
fn named<T, E: ProvideErrorMetadata>(result: &Result<T, SdkError<E>>, name: &str) -> String {
    let message = result.as_ref().err().and_then(|error| error.message());
    if message.is_some_and(|message| message.contains(name)) { format!("{}: {name}", code(result)) } else { code(result) }
}

async fn new_instances_are_pending(backend: Backend) -> String {
    let answer = launch(&backend, 1).send().await.unwrap();
    assert!(!launched(&backend, 1).await.is_empty());
    answer.instances()[0].state().unwrap().name().unwrap().as_str().to_owned()
}
