//! Lists that come in pages, and calls that fail.

use ec2::{InstanceState, Scope, Verdict};

use crate::script::{Script, answer, refusal};
use crate::{client, launch};

fn page(instance: &str, next: &str) -> (u16, String) {
    let inside = format!(
        "<reservationSet><item><instancesSet><item>{instance}</item></instancesSet></item></reservationSet><nextToken>{next}</nextToken>"
    );
    answer("DescribeInstances", &inside)
}

const SPOT: &str = "<instanceId>i-1</instanceId><instanceState><code>48</code><name>terminated</name></instanceState>\
    <instanceType>t3.small</instanceType><launchTime>2026-06-01T12:00:00.000Z</launchTime><instanceLifecycle>spot</instanceLifecycle>\
    <stateReason><code>Server.SpotInstanceTermination</code><message>gone</message></stateReason>";
const NEW_STATE: &str = "<instanceId>i-2</instanceId><instanceState><code>99</code><name>hovering</name></instanceState>\
    <instanceType>t9.huge</instanceType><launchTime>2026-06-01T12:00:01.500Z</launchTime><subnetId>subnet-1</subnetId>\
    <tagSet><item><key>Name</key><value>w</value></item></tagSet>";

#[tokio::test]
async fn a_list_goes_on_to_its_last_page() {
    let script = Script::start(vec![page(SPOT, "more"), page(NEW_STATE, "")]).await;
    let (ec2, heard) = client(&script.url);
    let listed = ec2.instances_with_tag("classifierfleet:uid").await.unwrap();
    let [spot, other] = listed.as_slice() else { panic!("{listed:?}") };
    assert_eq!((spot.state, spot.spot, spot.subnet_id.as_deref()), (InstanceState::Terminated, true, None));
    assert_eq!(spot.state_reason.as_deref(), Some("Server.SpotInstanceTermination"));
    assert_eq!((other.state, other.spot, other.subnet_id.as_deref()), (InstanceState::Running, false, Some("subnet-1")));
    assert_eq!((other.instance_type.as_str(), other.state_reason.as_ref(), other.tag("Name")), ("t9.huge", None, Some("w")));
    assert_eq!(other.launched_at.to_string(), "2026-06-01T12:00:01.5Z");
    let asked = script.asked();
    assert_eq!(asked.iter().map(|request| request.get("NextToken").cloned()).collect::<Vec<_>>(), [None, Some("more".to_owned())]);
    assert!(asked.iter().all(|request| request["Filter.1.Name"] == "tag-key" && request["MaxResults"] == "1000"));
    assert_eq!(*heard.lock().unwrap(), ["DescribeInstances OK", "DescribeInstances OK"]);
}

#[tokio::test]
async fn a_list_that_breaks_off_or_goes_in_circles_is_an_error() {
    let script = Script::start(vec![page(SPOT, "more"), refusal(503, "Unavailable")]).await;
    let error = client(&script.url).0.instances_tagged("a", "b").await.unwrap_err();
    assert!(error.is("Unavailable"), "{error}");
    let script = Script::start(vec![page(SPOT, "more"), page(SPOT, "more")]).await;
    let error = client(&script.url).0.instances_tagged("a", "b").await.unwrap_err();
    assert!(error.to_string().contains("leads back"), "{error}");
}

#[tokio::test]
async fn a_refused_launch_is_sent_once() {
    for (status, code, verdict, scope) in [
        (500, "InsufficientInstanceCapacity", Verdict::Refused, Scope::Offering),
        (503, "RequestLimitExceeded", Verdict::Throttled, Scope::Fleet),
        (500, "InternalError", Verdict::Unknown, Scope::Fleet),
        (403, "UnauthorizedOperation", Verdict::Refused, Scope::Fleet),
    ] {
        let script = Script::start(vec![refusal(status, code)]).await;
        let (ec2, heard) = client(&script.url);
        let error = ec2.run_instances(&launch("t-1", 1)).await.unwrap_err();
        assert_eq!((error.verdict(), error.scope(), error.message.as_str()), (verdict, scope, "because"), "{code}");
        assert_eq!(*heard.lock().unwrap(), [format!("RunInstances {code}")]);
    }
}

#[tokio::test]
async fn an_answer_that_is_not_ec2s_tells_nothing() {
    let script = Script::start(vec![(502, "<html>Bad Gateway</html>".to_owned())]).await;
    let (ec2, heard) = client(&script.url);
    let error = ec2.run_instances(&launch("t-1", 1)).await.unwrap_err();
    assert_eq!(error.verdict(), Verdict::Unknown, "{error}");
    assert_eq!(*heard.lock().unwrap(), ["RunInstances NoAnswer"]);
}
