//! Room by offering: market, type and subnet.

use std::collections::BTreeMap;

use cloudsim::state::{Capacity, Cloud, LaunchRequest, LaunchSpec, ShutdownBehavior, SpotOptions};

use crate::{at, request, settings, state};

const HERE: &str = "subnet-0123456789abcdef0";
const THERE: &str = "subnet-0123456789abcdef1";

fn limited(limits: &[(&str, u32)]) -> Cloud {
    let mut cloud = Cloud::new(settings());
    let limits: BTreeMap<String, u32> = limits.iter().map(|(key, limit)| ((*key).to_owned(), *limit)).collect();
    cloud.set_capacity(Capacity::try_from(limits).unwrap());
    cloud
}

/// How many of `count` are launched; a text is the code of the refusal.
fn launch(cloud: &mut Cloud, token: &str, spot: bool, subnet: &str, count: u32) -> Result<Vec<String>, String> {
    let base = request(token, ShutdownBehavior::Stop);
    let overrides = LaunchSpec {
        instance_type: Some("t3.small".to_owned()),
        subnet_id: Some(subnet.to_owned()),
        market: spot.then(SpotOptions::default),
        ..base.overrides
    };
    let launched = cloud.run_instances(LaunchRequest { max_count: count, overrides, ..base }, at(0));
    launched.map(|launched| launched.instance_ids).map_err(|refusal| format!("{} {}", refusal.code(), refusal.status()))
}

fn sizes(results: &[Result<Vec<String>, String>]) -> Vec<Result<usize, &str>> {
    results.iter().map(|result| result.as_ref().map(Vec::len).map_err(String::as_str)).collect()
}

#[test]
fn each_offering_has_room_of_its_own() {
    let here = format!("spot:t3.small@{HERE}");
    let mut cloud = limited(&[("t3.small", 3), ("spot:t3.small", 2), (&here, 1)]);
    let results = [
        launch(&mut cloud, "a", true, HERE, 5),
        launch(&mut cloud, "b", true, HERE, 5),
        launch(&mut cloud, "c", true, THERE, 5),
        launch(&mut cloud, "d", true, THERE, 5),
        launch(&mut cloud, "e", false, HERE, 2),
        launch(&mut cloud, "f", false, THERE, 5),
        launch(&mut cloud, "g", false, THERE, 5),
    ];
    let none = Err("InsufficientInstanceCapacity 500");
    assert_eq!(sizes(&results), [Ok(1), none, Ok(2), none, Ok(2), Ok(1), none]);
}

#[test]
fn a_type_alone_bounds_both_markets() {
    let mut cloud = limited(&[("t3.small", 3)]);
    let results = [launch(&mut cloud, "a", true, HERE, 2), launch(&mut cloud, "b", false, THERE, 5)];
    assert_eq!(sizes(&results), [Ok(2), Ok(1)]);
}

#[test]
fn a_start_needs_room_where_the_instance_is() {
    let mut cloud = limited(&[("t3.small", 2)]);
    let ids = launch(&mut cloud, "a", false, HERE, 2).unwrap();
    cloud.tick(at(15));
    cloud.stop_instances(&ids, false, at(20)).unwrap();
    for id in &ids {
        cloud.guest_ended(id, at(21));
    }
    launch(&mut cloud, "b", false, HERE, 1).unwrap();
    assert_eq!(cloud.start_instances(&ids, at(30)).unwrap_err().code(), "InsufficientInstanceCapacity");
    assert_eq!(state(&cloud, &ids[0]), "stopped", "nothing was started");
    assert!(cloud.start_instances(&ids[..1], at(30)).is_ok());
}
