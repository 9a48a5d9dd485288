//! An eventually consistent listing: everything is seen as it was a while ago, also by the filters.

use std::collections::BTreeMap;

use cloudsim::Refusal;
use cloudsim::state::{Cloud, Filter, Instance, InstanceQuery, LaunchRequest, Paging, Settings, ShutdownBehavior, Tags};
use jiff::{SignedDuration, Timestamp};

use crate::{at, request, settings};

const LAG: i64 = 10;

fn lagging() -> Settings {
    Settings {
        describe_lag: SignedDuration::from_secs(LAG),
        pending_delay: SignedDuration::from_secs(2),
        terminated_visible: SignedDuration::from_secs(15),
        ..settings()
    }
}

fn filter(name: &str, value: &str) -> Filter {
    Filter { name: name.to_owned(), values: vec![value.to_owned()] }
}

fn listed(cloud: &Cloud, filters: &[Filter], now: Timestamp) -> Vec<Instance> {
    let query = InstanceQuery { filters: filters.to_vec(), ..InstanceQuery::default() };
    cloud.describe_instances(&query, now).unwrap().items.into_iter().map(|(_, instance)| instance.clone()).collect()
}

fn by_id(cloud: &Cloud, id: &str, now: Timestamp) -> Result<Instance, Refusal> {
    let query = InstanceQuery { ids: vec![id.to_owned()], ..InstanceQuery::default() };
    cloud.describe_instances(&query, now).map(|page| page.items[0].1.clone())
}

/// Something happens to some instance; which, the seconds decide.
fn disturb(cloud: &mut Cloud, second: i64) {
    let now = at(second);
    cloud.tick(now);
    let pick = usize::try_from(second * 7 % 11).unwrap();
    let ids: Vec<String> = cloud.instances().map(|instance| instance.id.clone()).collect();
    let Some(id) = ids.get(pick % ids.len().max(1)).cloned() else {
        cloud.run_instances(LaunchRequest { max_count: 2, ..request(&second.to_string(), ShutdownBehavior::Stop) }, now).unwrap();
        return;
    };
    let ids = [id.clone()];
    // What the state does not allow is refused, and changes nothing.
    match second % 7 {
        0 => drop(cloud.run_instances(request(&second.to_string(), ShutdownBehavior::Terminate), now)),
        1 => drop(cloud.create_tags(&ids, &Tags::from([("colour".to_owned(), ["red", "blue"][pick % 2].to_owned())]), now)),
        2 => drop(cloud.delete_tags(&ids, &[("colour".to_owned(), None)], now)),
        3 => drop(cloud.stop_instances(&ids, false, now)),
        4 => cloud.guest_ended(&id, now),
        5 => drop(cloud.start_instances(&ids, now)),
        _ => drop(if second % 5 == 0 { cloud.terminate_instances(&ids, now).map(drop) } else { Ok(()) }),
    }
}

#[test]
fn everything_is_seen_as_it_was_before_the_lag() {
    let mut cloud = Cloud::new(lagging());
    let mut past: BTreeMap<i64, Vec<Instance>> = BTreeMap::new();
    let (mut gone, mut red) = (0, 0);
    for second in 0..400 {
        disturb(&mut cloud, second);
        past.insert(second, cloud.instances().cloned().collect());
        let Some(then) = past.get(&(second - LAG)) else {
            assert!(listed(&cloud, &[], at(second)).is_empty());
            continue;
        };
        assert_eq!(listed(&cloud, &[], at(second)), *then, "at {second} s");
        let wanted: Vec<Instance> = then.iter().filter(|one| one.tags.get("colour").is_some_and(|c| c == "red")).cloned().collect();
        for pattern in ["red", "re?"] {
            assert_eq!(listed(&cloud, &[filter("tag:colour", pattern)], at(second)), wanted, "{pattern} at {second} s");
        }
        let stopped: Vec<Instance> = then.iter().filter(|one| one.phase.name() == "stopped").cloned().collect();
        assert_eq!(listed(&cloud, &[filter("instance-state-name", "stopped")], at(second)), stopped, "at {second} s");
        for instance in then {
            assert_eq!(by_id(&cloud, &instance.id, at(second)).as_ref(), Ok(instance), "at {second} s");
        }
        red += wanted.len();
        gone += then.iter().filter(|one| cloud.instance(&one.id).is_none()).count();
    }
    assert!(red > 0 && gone > 0, "the script never came to it: {red} red, {gone} gone");
}

#[test]
fn a_tag_is_listed_late_and_goes_late() {
    let mut cloud = Cloud::new(lagging());
    let id = cloud.run_instances(request("a", ShutdownBehavior::Stop), at(0)).unwrap().instance_ids.remove(0);
    let ids = [id.clone()];
    cloud.create_tags(&ids, &Tags::from([("colour".to_owned(), "red".to_owned())]), at(20)).unwrap();
    cloud.delete_tags(&ids, &[("colour".to_owned(), None)], at(25)).unwrap();
    let tags = |second| cloud.describe_tags(&[filter("key", "colour")], &Paging::default(), at(second)).unwrap().items.len();
    assert_eq!([20, 29, 30, 34, 35].map(tags), [0, 0, 1, 1, 0]);
}

#[test]
fn pages_go_on_through_what_lags() {
    let mut cloud = Cloud::new(lagging());
    let request = LaunchRequest { max_count: 12, ..request("a", ShutdownBehavior::Stop) };
    let ids = cloud.run_instances(request, at(0)).unwrap().instance_ids;
    cloud.tick(at(2));
    // Six are gone for good by 18, but are listed until 28.
    cloud.terminate_instances(&ids[..6], at(2)).unwrap();
    for id in &ids[..6] {
        cloud.guest_ended(id, at(3));
    }
    cloud.tick(at(20));
    assert_eq!(cloud.instances().count(), 6);
    let (mut token, mut sizes, mut seen) = (None, Vec::new(), Vec::new());
    loop {
        let paging = Paging { max_results: Some(5), next_token: token };
        let page = cloud.describe_instances(&InstanceQuery { paging, ..InstanceQuery::default() }, at(20)).unwrap();
        sizes.push(page.items.len());
        seen.extend(page.items.iter().map(|(_, instance)| instance.id.clone()));
        token = page.next_token;
        if token.is_none() {
            break;
        }
    }
    assert_eq!((sizes, seen), (vec![5, 5, 2], ids));
}
