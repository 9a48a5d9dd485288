//! Spot instances by RunInstances and by launch template.

use aws_sdk_ec2::operation::run_instances::builders::RunInstancesFluentBuilder;
use aws_sdk_ec2::types::{
    InstanceInterruptionBehavior, InstanceMarketOptionsRequest, InstanceType, LaunchTemplateInstanceMarketOptionsRequest,
    LaunchTemplateSpecification, LaunchTemplateSpotMarketOptionsRequest, MarketType, RequestLaunchTemplateData, SpotInstanceType,
    SpotMarketOptions,
};

use crate::backend::{Backend, IMAGE, code};
use crate::cases::{Case, case, filter, ids, launch, launched};

const NO_CHECK: &str = "EC2 refuses it; moto does not check spot options";

pub(crate) fn all() -> Vec<Case> {
    vec![
        case!(
            spot_shows_itself,
            "spot sir-",
            moto "spot none",
            because "EC2: \"if the request is a Spot Instance request, the ID of the request\"; moto makes no request for RunInstances"
        ),
        case!(on_demand_has_no_lifecycle, "none none"),
        case!(spot_is_not_stopped, "UnsupportedOperation, running", moto "OK, stopped", because NO_CHECK),
        case!(spot_may_not_stop_when_interrupted, "InvalidParameterCombination", moto "OK", because NO_CHECK),
        case!(price_too_small, "InvalidParameterValue", moto "OK", because NO_CHECK),
        case!(
            filter_by_lifecycle,
            "OK",
            moto "HTTP 500",
            because "EC2 documents instance-lifecycle as a filter; moto does not know it"
        ),
        case!(
            spot_by_template,
            "0.05 one-time, then spot",
            moto "0.05 one-time, then on-demand",
            because "EC2: a template's market options are those of the launch; moto ignores them"
        ),
    ]
}

/// RunInstances of one spot instance.
pub(crate) fn launch_spot(backend: &Backend, options: Option<SpotMarketOptions>) -> RunInstancesFluentBuilder {
    let market = InstanceMarketOptionsRequest::builder().market_type(MarketType::Spot).set_spot_options(options);
    launch(backend, 1).instance_market_options(market.build())
}

async fn running_spot(backend: &Backend) -> String {
    let id = ids(launch_spot(backend, None).send().await.unwrap().instances()).remove(0);
    backend.wait_for_state(&id, "running").await;
    id
}

async fn spot_shows_itself(backend: Backend) -> String {
    let id = running_spot(&backend).await;
    let instance = backend.instance(&id).await;
    let request = instance.spot_instance_request_id().unwrap_or("none");
    format!("{} {}", instance.instance_lifecycle().unwrap(), &request[..4])
}

async fn on_demand_has_no_lifecycle(backend: Backend) -> String {
    let id = launched(&backend, 1).await.remove(0);
    let instance = backend.instance(&id).await;
    let lifecycle = instance.instance_lifecycle().map_or("none", |lifecycle| lifecycle.as_str());
    format!("{lifecycle} {}", instance.spot_instance_request_id().unwrap_or("none"))
}

async fn spot_is_not_stopped(backend: Backend) -> String {
    let id = running_spot(&backend).await;
    let stopped = backend.ec2.stop_instances().instance_ids(&id).send().await;
    format!("{}, {}", code(&stopped), backend.instance(&id).await.state().unwrap().name().unwrap())
}

async fn spot_may_not_stop_when_interrupted(backend: Backend) -> String {
    let options = SpotMarketOptions::builder()
        .spot_instance_type(SpotInstanceType::OneTime)
        .instance_interruption_behavior(InstanceInterruptionBehavior::Stop);
    code(&launch_spot(&backend, Some(options.build())).send().await)
}

async fn price_too_small(backend: Backend) -> String {
    code(&launch_spot(&backend, Some(SpotMarketOptions::builder().max_price("0.0005").build())).send().await)
}

async fn filter_by_lifecycle(backend: Backend) -> String {
    launched(&backend, 1).await;
    running_spot(&backend).await;
    let found = backend.ec2.describe_instances().filters(filter("instance-lifecycle", &["spot"])).send().await;
    if let Ok(answer) = &found {
        assert_eq!(answer.reservations().len(), 1);
    }
    code(&found)
}

async fn spot_by_template(backend: Backend) -> String {
    let options = LaunchTemplateSpotMarketOptionsRequest::builder().max_price("0.05").spot_instance_type(SpotInstanceType::OneTime);
    let market = LaunchTemplateInstanceMarketOptionsRequest::builder().market_type(MarketType::Spot).spot_options(options.build());
    let data =
        RequestLaunchTemplateData::builder().image_id(IMAGE).instance_type(InstanceType::T3Small).instance_market_options(market.build());
    let create = backend.ec2.create_launch_template().launch_template_name("fleet").launch_template_data(data.build());
    create.send().await.unwrap();
    let versions = backend.ec2.describe_launch_template_versions().launch_template_name("fleet").send().await.unwrap();
    let data = versions.launch_template_versions()[0].launch_template_data().unwrap();
    let options = data.instance_market_options().unwrap().spot_options().unwrap();
    let shown = format!("{} {}", options.max_price().unwrap(), options.spot_instance_type().unwrap());

    let template = LaunchTemplateSpecification::builder().launch_template_name("fleet").build();
    let launched = backend.ec2.run_instances().min_count(1).max_count(1).launch_template(template).send().await.unwrap();
    let instance = backend.instance(launched.instances()[0].instance_id().unwrap()).await;
    format!("{shown}, then {}", instance.instance_lifecycle().map_or("on-demand", |lifecycle| lifecycle.as_str()))
}
