//! The Query protocol: what is refused, what is made to fail, what is remembered.

use cloudsim::state::Settings;
use cloudsim::{Endpoint, Fault, Reply};

use crate::{IMAGE, at, settings};

#[test]
fn throttling_empties_and_refills_a_bucket() {
    let mut endpoint = Endpoint::new(Settings { throttle: true, ..settings() });
    let launch = format!("Action=RunInstances&ImageId={IMAGE}&MinCount=1&MaxCount=1");
    let mut ask = |body: &str, second: i64| match endpoint.handle(body, at(second)).reply {
        Reply::Answer { status, .. } => status,
        Reply::Drop => panic!("no answer"),
    };
    // Five at once, then two a second; reads have a bucket of their own.
    let statuses: Vec<u16> = [0, 0, 0, 0, 0, 0, 1, 1, 1].map(|second| ask(&launch, second)).to_vec();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 503, 200, 200, 503]);
    assert_eq!(ask("Action=DescribeInstances", 1), 200);
}

#[test]
fn one_seed_gives_one_history() {
    let history = || {
        let mut endpoint = Endpoint::new(settings());
        let launch = format!("Action=RunInstances&ImageId={IMAGE}&MinCount=1&MaxCount=3&Version=2016-11-15");
        let replies = [launch.as_str(), "Action=DescribeInstances"].map(|body| endpoint.handle(body, at(7)).reply);
        (format!("{replies:?}"), endpoint.log().since(0))
    };
    assert_eq!(history(), history());
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    let launch = format!("Action=RunInstances&ImageId={IMAGE}&MinCount=1&MaxCount=1");
    let launch = |more: &str| format!("{launch}&{more}");
    let cases = [
        ("Action=Dance".to_owned(), "InvalidAction", "Dance"),
        (String::new(), "MissingParameter", "Action"),
        ("Action=DescribeInstances&Version=2010-01-01".to_owned(), "UnsupportedOperation", "2010-01-01"),
        ("Action=DescribeInstances&DryRun=true".to_owned(), "UnsupportedOperation", "DryRun=true"),
        ("Action=DescribeInstances&Filter.1.Name=tag-key&Filter.1.Mood=good".to_owned(), "UnknownParameter", "Filter.1.Mood"),
        ("Action=StopInstances&InstanceId.1=i-01234567&Hibernate=true".to_owned(), "UnsupportedOperation", "Hibernate=true"),
        (launch("NetworkInterface.1.SubnetId=subnet-01234567"), "UnknownParameter", "NetworkInterface.1.SubnetId"),
        (launch("InstanceMarketOptions.MarketType=capacity-block"), "UnsupportedOperation", "MarketType=capacity-block"),
        (launch("InstanceMarketOptions.SpotOptions.MaxPrice=1"), "MissingParameter", "InstanceMarketOptions.MarketType"),
        (
            launch("InstanceMarketOptions.MarketType=spot&InstanceMarketOptions.SpotOptions.SpotInstanceType=persistent"),
            "UnsupportedOperation",
            "SpotInstanceType=persistent",
        ),
        (
            launch("InstanceMarketOptions.MarketType=spot&InstanceMarketOptions.SpotOptions.BlockDurationMinutes=60"),
            "UnknownParameter",
            "InstanceMarketOptions.SpotOptions.BlockDurationMinutes",
        ),
        (launch("BlockDeviceMapping.1.Ebs.SnapshotId=snap-01234567"), "UnknownParameter", "BlockDeviceMapping.1.Ebs.SnapshotId"),
        (launch("BlockDeviceMapping.1.DeviceName=/dev/sdb"), "MissingParameter", "size or snapshotId"),
        (launch("BlockDeviceMapping.1.Ebs.VolumeSize=8"), "MissingParameter", "deviceName"),
        (launch("Placement.Tenancy=host"), "UnknownParameter", "Placement.Tenancy"),
        (launch("MetadataOptions.HttpTokens=perhaps"), "InvalidParameterValue", "perhaps"),
        (
            launch("BlockDeviceMapping.1.DeviceName=/dev/xvda&BlockDeviceMapping.1.Ebs.VolumeSize=0"),
            "InvalidParameterValue",
            "Volume size 0",
        ),
        (launch("TagSpecification.1.ResourceType=fleet"), "UnsupportedOperation", "ResourceType=fleet"),
        (launch("SecurityGroupId.1=default"), "InvalidGroupId.Malformed", "default"),
        (launch("SubnetId=mine"), "InvalidSubnetID.Malformed", "mine"),
    ];
    for (body, code, name) in cases {
        let Reply::Answer { status, body: answer } = Endpoint::new(settings()).handle(&body, at(0)).reply else {
            panic!("{body}: no answer");
        };
        assert_eq!(status, 400, "{body}");
        assert!(answer.contains(&format!("<Code>{code}</Code>")) && answer.contains(name), "{body}: {answer}");
    }
}

/// The status and the body of an answer.
fn ask(endpoint: &mut Endpoint, body: &str) -> (u16, String) {
    match endpoint.handle(body, at(0)).reply {
        Reply::Answer { status, body } => (status, body),
        Reply::Drop => panic!("{body}: no answer"),
    }
}

fn fault(text: &str) -> Fault {
    serde_json::from_str(text).unwrap()
}

#[test]
fn an_injected_code_has_the_status_that_ec2_documents() {
    let server = ["InsufficientInstanceCapacity", "InsufficientHostCapacity", "InternalError", "InternalFailure"];
    let overloaded = ["RequestLimitExceeded", "ServiceUnavailable", "Unavailable"];
    let client = [
        "SpotMaxPriceTooLow",
        "MaxSpotInstanceCountExceeded",
        "VcpuLimitExceeded",
        "UnfulfillableCapacity",
        "Unsupported",
        "InsufficientFreeAddressesInSubnet",
        "InstanceLimitExceeded",
        "UnauthorizedOperation",
        "InvalidParameterValue",
    ];
    for (expected, codes) in [(500, server.as_slice()), (503, &overloaded), (400, &client)] {
        for code in codes {
            let mut endpoint = Endpoint::new(settings());
            endpoint.faults.arm(fault(&format!(r#"{{"action": "RunInstances", "code": "{code}"}}"#)));
            let (status, body) = ask(&mut endpoint, "Action=RunInstances");
            assert_eq!((status, body.contains(&format!("<Code>{code}</Code>"))), (expected, true), "{code}");
        }
    }
}

#[test]
fn a_fault_strikes_only_requests_that_match() {
    let mut endpoint = Endpoint::new(settings());
    endpoint.faults.arm(fault(
        r#"{"action": "RunInstances", "code": "UnfulfillableCapacity", "times": null,
            "match": {"InstanceType": "t3.small", "InstanceMarketOptions.MarketType": "spot"}}"#,
    ));
    let base = format!("Action=RunInstances&ImageId={IMAGE}&MinCount=1&MaxCount=1");
    let small = format!("{base}&InstanceType=t3.small");
    let spot = "InstanceMarketOptions.MarketType=spot";
    for _ in 0..3 {
        assert_eq!(ask(&mut endpoint, &format!("{small}&{spot}")).0, 400, "it has no end");
        assert_eq!(ask(&mut endpoint, &small).0, 200);
        assert_eq!(ask(&mut endpoint, &format!("{base}&InstanceType=t3.large&{spot}")).0, 200);
    }
    assert_eq!(endpoint.faults.armed().len(), 1);
    endpoint.faults.clear();
    assert_eq!(ask(&mut endpoint, &format!("{small}&{spot}")).0, 200);
}

#[test]
fn a_fault_strikes_once_if_nothing_is_said() {
    let mut endpoint = Endpoint::new(settings());
    endpoint.faults.arm(fault(r#"{"action": "*", "code": "InternalError"}"#));
    endpoint.faults.arm(fault(r#"{"action": "*", "code": "Unavailable", "times": 0}"#));
    let statuses = [0; 3].map(|_| ask(&mut endpoint, "Action=DescribeInstances").0);
    assert_eq!(statuses, [500, 200, 200]);
}

#[test]
fn the_log_goes_on_where_it_was_left() {
    let mut endpoint = Endpoint::new(settings());
    endpoint.faults.arm(fault(r#"{"action": "DescribeTags", "code": "RequestLimitExceeded"}"#));
    for action in ["DescribeInstances", "DescribeTags", "Dance"] {
        ask(&mut endpoint, &format!("Action={action}"));
    }
    let seen: Vec<_> = endpoint.log().since(1).iter().map(|entry| (entry.seq, entry.action.clone(), entry.outcome.clone())).collect();
    let expected = [(2, "DescribeTags", "RequestLimitExceeded"), (3, "Dance", "InvalidAction")];
    assert_eq!(seen, expected.map(|(seq, action, outcome)| (seq, action.to_owned(), outcome.to_owned())));
    let calls = endpoint.log().calls();
    assert_eq!((calls.total, calls.throttled, calls.by_outcome["DescribeTags"]["RequestLimitExceeded"]), (3, 1, 1));
}
