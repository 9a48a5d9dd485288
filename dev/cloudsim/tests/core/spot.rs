//! Spot instances: what cannot be done with them, and how they are taken away.

use cloudsim::Refusal;
use cloudsim::state::{Cloud, LaunchRequest, LaunchSpec, NotInterruptible, ShutdownBehavior, SpotOptions};
use jiff::SignedDuration;

use crate::{at, launched, request, settings, state, words};

fn spot_request(market: SpotOptions) -> LaunchRequest {
    let base = request("token", ShutdownBehavior::Stop);
    LaunchRequest { overrides: LaunchSpec { market: Some(market), ..base.overrides }, ..base }
}

/// A cloud with one spot instance, running since 10.
fn running_spot() -> (Cloud, String) {
    let mut cloud = Cloud::new(settings());
    let id = cloud.run_instances(spot_request(SpotOptions::default()), at(0)).unwrap().instance_ids.remove(0);
    cloud.tick(at(15));
    (cloud, id)
}

#[test]
fn it_cannot_be_stopped() {
    let (mut cloud, id) = running_spot();
    let on_demand = cloud.run_instances(request("other", ShutdownBehavior::Stop), at(16)).unwrap().instance_ids.remove(0);
    cloud.tick(at(40));
    for force in [false, true] {
        let refused = cloud.stop_instances(&[on_demand.clone(), id.clone()], force, at(40)).unwrap_err();
        assert_eq!(refused, Refusal::OneTimeSpotInstance(id.clone()));
        assert_eq!((refused.code().as_str(), refused.status()), ("UnsupportedOperation", 400));
    }
    assert_eq!(state(&cloud, &on_demand), "running", "one bad id fails the call");
}

#[test]
fn a_guest_that_powers_off_terminates_it_whatever_its_shutdown_behaviour() {
    let (mut cloud, id) = running_spot();
    assert_eq!(words(&cloud.guest_powered_off(&id, at(20))), ["shutdown"]);
    assert_eq!(state(&cloud, &id), "shutting-down");
    cloud.guest_ended(&id, at(21));
    assert_eq!(state(&cloud, &id), "terminated");
}

#[test]
fn an_interruption_comes_when_the_notice_is_over() {
    let (mut cloud, id) = running_spot();
    cloud.interrupt(&id, SignedDuration::from_secs(120), at(20)).unwrap();
    assert_eq!(cloud.next_due(), Some(at(140)));
    assert!(cloud.tick(at(139)).is_empty());
    assert_eq!(state(&cloud, &id), "running");
    assert_eq!(words(&cloud.tick(at(140))), ["shutdown"]);
    let reason = cloud.instance(&id).unwrap().reason.clone().unwrap();
    assert_eq!((state(&cloud, &id), reason.code), ("shutting-down", "Server.SpotInstanceTermination"));
    assert!(reason.transition.starts_with("Service initiated ("), "{}", reason.transition);
    cloud.guest_ended(&id, at(141));
    assert_eq!(state(&cloud, &id), "terminated");
}

#[test]
fn a_later_notice_replaces_an_earlier_one() {
    let (mut cloud, id) = running_spot();
    cloud.interrupt(&id, SignedDuration::from_secs(120), at(20)).unwrap();
    cloud.interrupt(&id, SignedDuration::from_secs(10), at(21)).unwrap();
    assert_eq!(words(&cloud.tick(at(31))), ["shutdown"]);
    assert!(cloud.tick(at(200)).is_empty(), "it is taken once");
}

#[test]
fn only_a_live_spot_instance_is_interrupted() {
    let (mut cloud, id) = running_spot();
    cloud.terminate_instances(std::slice::from_ref(&id), at(20)).unwrap();
    let notice = SignedDuration::ZERO;
    assert_eq!(cloud.interrupt(&id, notice, at(21)), Err(NotInterruptible::Ended(id, "shutting-down")));
    let (mut cloud, id) = launched(ShutdownBehavior::Stop);
    assert_eq!(cloud.interrupt(&id, notice, at(1)), Err(NotInterruptible::OnDemand(id.clone())));
    assert_eq!(cloud.recommend_rebalance(&id, at(1)), Err(NotInterruptible::OnDemand(id)));
    assert_eq!(cloud.interrupt("i-0", notice, at(1)), Err(NotInterruptible::Unknown("i-0".to_owned())));
}

#[test]
fn what_a_one_time_request_may_not_have_is_refused() {
    let cases = [
        (SpotOptions { interruption_behavior: Some("stop".to_owned()), ..SpotOptions::default() }, "InvalidParameterCombination"),
        (SpotOptions { interruption_behavior: Some("hibernate".to_owned()), ..SpotOptions::default() }, "InvalidParameterCombination"),
        (SpotOptions { valid_until: Some("2030-01-01T00:00:00Z".to_owned()), ..SpotOptions::default() }, "InvalidParameterCombination"),
        (SpotOptions { max_price: Some("0.001".to_owned()), ..SpotOptions::default() }, "InvalidParameterValue"),
        (SpotOptions { max_price: Some("cheap".to_owned()), ..SpotOptions::default() }, "InvalidParameterValue"),
    ];
    for (options, code) in cases {
        let refused = Cloud::new(settings()).run_instances(spot_request(options.clone()), at(0)).unwrap_err();
        assert_eq!(refused.code(), code, "{options:?}");
    }
    let fine = SpotOptions {
        max_price: Some("0.0125".to_owned()),
        request_type: Some("one-time".to_owned()),
        interruption_behavior: Some("terminate".to_owned()),
        valid_until: None,
    };
    assert!(Cloud::new(settings()).run_instances(spot_request(fine), at(0)).is_ok());
}
