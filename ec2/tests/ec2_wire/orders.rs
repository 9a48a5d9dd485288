//! Launches, and orders to what they launched.

use ec2::{InstanceState, Launch, Offering, Verdict};
use serde_json::json;

use crate::cloud::Cloud;
use crate::{client, launch, tags};

#[tokio::test]
async fn one_token_launches_once_and_tags_what_it_launches() {
    let cloud = Cloud::with_template(|_| {}).await;
    let ec2 = cloud.client();
    let ids = ec2.run_instances(&launch("t-1", 3)).await.unwrap();
    assert_eq!(ec2.run_instances(&launch("t-1", 3)).await.unwrap(), ids);
    let error = ec2.run_instances(&launch("t-1", 2)).await.unwrap_err();
    assert!(error.is("IdempotentParameterMismatch") && error.verdict() == Verdict::Refused, "{error}");
    let listed = ec2.instances_tagged("classifierfleet:token", "t-1").await.unwrap();
    assert_eq!(listed.iter().map(|instance| instance.id.clone()).collect::<Vec<_>>(), ids);
    let offering = listed.iter().map(|one| (one.instance_type.as_str(), one.subnet_id.as_deref(), one.spot));
    assert!(offering.into_iter().all(|seen| seen == ("t3a.small", Some("subnet-0123456789abcdef0"), false)));
    let request = &cloud.asked("RunInstances").await[0];
    assert!(request.get("InstanceMarketOptions.MarketType").is_none() && request.get("InstanceInitiatedShutdownBehavior").is_none());
    assert_eq!((&request["MinCount"], &request["MaxCount"]), (&json!("1"), &json!("3")));
    assert_eq!(
        (&request["TagSpecification.1.ResourceType"], &request["TagSpecification.2.ResourceType"]),
        (&json!("instance"), &json!("volume"))
    );
    cloud.stop().await;
}

#[tokio::test]
async fn a_spot_launch_is_one_time_and_ends_when_it_shuts_down() {
    let cloud = Cloud::with_template(|_| {}).await;
    let ec2 = cloud.client();
    let offering = Offering { instance_type: "t3.small".to_owned(), subnet_id: None, spot: true };
    ec2.run_instances(&Launch { offering, ..launch("t-1", 1) }).await.unwrap();
    assert!(ec2.instances_tagged("classifierfleet:token", "t-1").await.unwrap()[0].spot);
    let request = &cloud.asked("RunInstances").await[0];
    let option = |name: &str| request[&format!("InstanceMarketOptions.{name}")].as_str().unwrap();
    assert_eq!((option("MarketType"), option("SpotOptions.SpotInstanceType")), ("spot", "one-time"));
    assert_eq!(option("SpotOptions.InstanceInterruptionBehavior"), "terminate");
    assert_eq!(request["InstanceInitiatedShutdownBehavior"], "terminate", "over the template's stop");
    cloud.stop().await;
}

#[tokio::test]
async fn orders_of_one_moment_share_a_call() {
    let cloud = Cloud::with_template(|_| {}).await;
    let ec2 = cloud.client();
    let ids = ec2.run_instances(&launch("t-1", 20)).await.unwrap();
    let drain = tags(&[("classifierfleet:intent", "drain")]);
    let tagged = futures::future::join_all(ids.iter().map(|id| ec2.create_tags(std::slice::from_ref(id), &drain))).await;
    assert!(tagged.iter().all(Result::is_ok));
    let ended = futures::future::join_all(ids.chunks(2).map(|pair| ec2.terminate_instances(pair))).await;
    assert!(ended.iter().all(Result::is_ok));
    let listed = ec2.instances_with_tag("classifierfleet:uid").await.unwrap();
    assert!(listed.iter().all(|instance| instance.tag("classifierfleet:intent") == Some("drain")));
    assert!(listed.iter().all(|instance| [InstanceState::ShuttingDown, InstanceState::Terminated].contains(&instance.state)));
    assert_eq!((cloud.asked("CreateTags").await.len(), cloud.asked("TerminateInstances").await.len()), (1, 1));
    cloud.stop().await;
}

#[tokio::test]
async fn an_unknown_instance_is_its_own_callers() {
    let cloud = Cloud::with_template(|_| {}).await;
    let ec2 = cloud.client();
    let ids = ec2.run_instances(&launch("t-1", 4)).await.unwrap();
    let gone = "i-0123456789abcdef0".to_owned();
    let name = tags(&[("Name", "w")]);
    let mixed = [ids[2].clone(), gone.clone()];
    let (good, bad) = tokio::join!(ec2.create_tags(&ids[..2], &name), ec2.create_tags(&mixed, &name));
    good.unwrap();
    assert!(bad.unwrap_err().is("InvalidInstanceID.NotFound"));
    let listed = ec2.instances_with_tag("Name").await.unwrap();
    assert_eq!(listed.into_iter().map(|instance| instance.id).collect::<Vec<_>>(), ids[..3], "all that exist");
    // Terminating what is gone is done.
    let (good, bad) = tokio::join!(ec2.terminate_instances(&ids), ec2.terminate_instances(std::slice::from_ref(&gone)));
    assert_eq!((good, bad), (Ok(()), Ok(())));
    cloud.wait("t-1", |instance| instance.state == InstanceState::Terminated).await;
    cloud.stop().await;
}

#[tokio::test]
async fn a_stopped_instance_starts_again_and_one_that_cannot_holds_up_nobody() {
    let cloud = Cloud::with_template(|_| {}).await;
    let ec2 = cloud.client();
    let ids = ec2.run_instances(&launch("t-1", 2)).await.unwrap();
    cloud.wait("t-1", |instance| instance.state == InstanceState::Running).await;
    for id in &ids {
        cloud.post(&format!("instances/{id}/poweroff"), json!({})).await;
    }
    cloud.wait("t-1", |instance| instance.state == InstanceState::Stopped).await;
    let stopped = ec2.instances_tagged("classifierfleet:token", "t-1").await.unwrap();
    assert!(stopped.iter().all(|instance| instance.state_reason.as_deref() == Some("Client.InstanceInitiatedShutdown")));
    let ended = ec2.run_instances(&launch("t-2", 1)).await.unwrap();
    ec2.terminate_instances(&ended).await.unwrap();
    let (good, bad) = tokio::join!(ec2.start_instances(&ids), ec2.start_instances(&ended));
    good.unwrap();
    assert!(bad.unwrap_err().is("IncorrectInstanceState"));
    cloud.wait("t-1", |instance| instance.state == InstanceState::Running).await;
    cloud.stop().await;
}

#[tokio::test]
async fn a_lost_answer_leaves_open_what_happened_and_the_token_finds_out() {
    let cloud = Cloud::with_template(|_| {}).await;
    let ec2 = cloud.client();
    cloud.post("faults", json!({"action": "RunInstances", "code": "Drop", "when": "after"})).await;
    cloud.post("faults", json!({"action": "DescribeInstances", "code": "Drop"})).await;
    assert_eq!(ec2.run_instances(&launch("t-1", 2)).await.unwrap_err().verdict(), Verdict::Unknown);
    // A read whose connection breaks is sent once more.
    assert_eq!(ec2.instances_tagged("classifierfleet:token", "t-1").await.unwrap().len(), 2);
    assert_eq!(ec2.run_instances(&launch("t-1", 2)).await.unwrap().len(), 2);
    assert_eq!(cloud.outcomes("RunInstances").await, ["Drop", "OK"]);
    assert_eq!(cloud.outcomes("DescribeInstances").await, ["Drop", "OK"]);
    cloud.stop().await;
}

#[tokio::test]
async fn a_burst_beyond_ec2s_limits_is_never_throttled() {
    let cloud = Cloud::with_template(|settings| settings.throttle = true).await;
    let ec2 = cloud.client();
    let launches: Vec<_> = (0..8).map(|n| launch(&format!("t-{n}"), 1)).collect();
    let launched = futures::future::join_all(launches.iter().map(|launch| ec2.run_instances(launch))).await;
    assert!(launched.iter().all(Result::is_ok), "{launched:?}");
    let many = futures::future::join_all((0..110).map(|_| ec2.instances_tagged("classifierfleet:token", "t-1"))).await;
    assert!(many.iter().all(Result::is_ok));
    let outcomes = [cloud.outcomes("RunInstances").await, cloud.outcomes("DescribeInstances").await].concat();
    assert_eq!(outcomes.iter().filter(|outcome| *outcome != "OK").count(), 0);
    assert_eq!(outcomes.len(), 118);
    cloud.stop().await;
}

#[tokio::test]
async fn when_others_use_up_the_limit_the_caller_is_told_and_the_next_call_comes_later() {
    let cloud = Cloud::with_template(|_| {}).await;
    cloud.post("faults", json!({"action": "CreateTags", "code": "RequestLimitExceeded"})).await;
    let (ec2, heard) = client(&cloud.url());
    let ids = ec2.run_instances(&launch("t-1", 1)).await.unwrap();
    let error = ec2.create_tags(&ids, &tags(&[("Name", "w")])).await.unwrap_err();
    assert_eq!(error.verdict(), Verdict::Throttled);
    ec2.create_tags(&ids, &tags(&[("Name", "w")])).await.unwrap();
    assert_eq!(*heard.lock().unwrap(), ["RunInstances OK", "CreateTags RequestLimitExceeded", "CreateTags OK"]);
    cloud.stop().await;
}
