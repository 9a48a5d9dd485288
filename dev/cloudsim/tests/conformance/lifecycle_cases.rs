//! DescribeInstances, Start, Stop and TerminateInstances.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::InstanceStateChange;

use crate::backend::{Backend, code};
use crate::cases::{Case, case, count, filter, ids, instance_tags, launch, launched};

const NO_SUCH: &str = "i-0123456789abcdef0";
const NO_CHECK: &str = "EC2 documents the code; moto does not check it";

const NO_FORM: &str = "EC2 tells ids of the wrong form from ids that do not exist; moto does not";

pub(crate) fn all() -> Vec<Case> {
    describing().into_iter().chain(changing()).collect()
}

fn describing() -> Vec<Case> {
    vec![
        case!(
            pages_cover_all_once,
            "5+2, 7 different",
            moto "7+7, 7 different",
            because "EC2 pages instances, and splits a launch where it must; moto counts launches"
        ),
        case!(page_of_ids, "InvalidParameterCombination"),
        case!(page_too_small, "InvalidParameterValue", moto "OK", because NO_CHECK),
        case!(
            page_token_made_up,
            "InvalidNextToken",
            moto "HTTP 500",
            because "EC2 documents the code; moto breaks down"
        ),
        case!(
            unknown_filter,
            "InvalidParameterValue",
            moto "HTTP 500",
            because "moto answers 500 to what it does not know"
        ),
        case!(filters, "state 2, tag 1, key 2, two values 2, both 1, wildcard 2"),
        case!(
            filter_by_token,
            "OK",
            moto "HTTP 500",
            because "EC2 documents client-token as a filter; moto does not know it"
        ),
        case!(describe_unknown, "InvalidInstanceID.NotFound"),
        case!(describe_malformed, "InvalidInstanceID.Malformed", moto "InvalidInstanceID.NotFound", because NO_FORM),
    ]
}

fn changing() -> Vec<Case> {
    vec![
        case!(terminate_one_bad_id, "InvalidInstanceID.NotFound, running"),
        case!(terminate_malformed, "InvalidInstanceID.Malformed", moto "InvalidInstanceID.NotFound", because NO_FORM),
        case!(terminate_none, "InvalidParameterCombination"),
        case!(terminate_answers, "running -> shutting-down"),
        case!(
            terminate_twice,
            "terminated -> terminated",
            moto "terminated -> shutting-down",
            because "EC2: terminating again succeeds and changes nothing; moto names a state that it is not in"
        ),
        case!(terminated_stays_listed, "terminated Client.UserInitiatedShutdown User initiated"),
        case!(stop_answers, "running -> stopping"),
        case!(start_answers, "stopped -> pending"),
        case!(
            start_running,
            "running -> running",
            moto "running -> pending",
            because "EC2: what runs stays; moto starts it again"
        ),
        case!(
            start_terminated,
            "IncorrectInstanceState",
            moto "OK",
            because "EC2: a terminated instance cannot be started; moto starts it"
        ),
        case!(
            stop_terminated,
            "IncorrectInstanceState",
            moto "OK",
            because "EC2: a terminated instance cannot be stopped; moto stops it"
        ),
        case!(start_unknown, "InvalidInstanceID.NotFound"),
        case!(
            launch_time_moves_at_start,
            "later",
            moto "the same",
            because "EC2: LaunchTime is that of the latest start; moto keeps the launch"
        ),
    ]
}

async fn pages_cover_all_once(backend: Backend) -> String {
    launched(&backend, 4).await;
    launched(&backend, 3).await;
    let first = backend.ec2.describe_instances().max_results(5).send().await.unwrap();
    let request = backend.ec2.describe_instances().max_results(5).set_next_token(first.next_token().map(str::to_owned));
    let second = request.send().await.unwrap();
    assert_eq!(second.next_token(), None);
    let listed = |reservations: &[aws_sdk_ec2::types::Reservation]| -> Vec<String> {
        reservations.iter().flat_map(|reservation| ids(reservation.instances())).collect()
    };
    let (first, second) = (listed(first.reservations()), listed(second.reservations()));
    let different: BTreeSet<&String> = first.iter().chain(&second).collect();
    format!("{}+{}, {} different", first.len(), second.len(), different.len())
}

async fn page_of_ids(backend: Backend) -> String {
    let ids = launched(&backend, 1).await;
    code(&backend.ec2.describe_instances().set_instance_ids(Some(ids)).max_results(5).send().await)
}

async fn page_too_small(backend: Backend) -> String {
    code(&backend.ec2.describe_instances().max_results(4).send().await)
}

async fn page_token_made_up(backend: Backend) -> String {
    code(&backend.ec2.describe_instances().max_results(5).next_token("tomorrow").send().await)
}

async fn unknown_filter(backend: Backend) -> String {
    launched(&backend, 1).await;
    code(&backend.ec2.describe_instances().filters(filter("mood", &["good"])).send().await)
}

async fn filters(backend: Backend) -> String {
    let tagged = |tags: &[(&str, &str)]| launch(&backend, 1).tag_specifications(instance_tags(tags));
    let red = tagged(&[("colour", "red"), ("fleet", "a")]).send().await.unwrap();
    let blue = tagged(&[("colour", "dark blue")]).send().await.unwrap();
    for id in ids(red.instances()).iter().chain(&ids(blue.instances())) {
        backend.wait_for_state(id, "running").await;
    }
    let cases = [
        ("state", vec![filter("instance-state-name", &["pending", "running"])]),
        ("tag", vec![filter("tag:colour", &["red"])]),
        ("key", vec![filter("tag-key", &["colour"])]),
        ("two values", vec![filter("tag:colour", &["red", "dark blue"])]),
        ("both", vec![filter("tag-key", &["colour"]), filter("tag:fleet", &["a"])]),
        ("wildcard", vec![filter("tag:colour", &["*e?", "dark*"])]),
    ];
    let mut seen = Vec::new();
    for (name, filters) in cases {
        seen.push(format!("{name} {}", count(&backend, &filters).await));
    }
    seen.join(", ")
}

async fn filter_by_token(backend: Backend) -> String {
    launch(&backend, 1).client_token("token-1").send().await.unwrap();
    launched(&backend, 1).await;
    let found = backend.ec2.describe_instances().filters(filter("client-token", &["token-1"])).send().await;
    if let Ok(answer) = &found {
        assert_eq!(answer.reservations().len(), 1);
    }
    code(&found)
}

async fn describe_unknown(backend: Backend) -> String {
    code(&backend.ec2.describe_instances().instance_ids(NO_SUCH).send().await)
}

async fn describe_malformed(backend: Backend) -> String {
    code(&backend.ec2.describe_instances().instance_ids("instance-1").send().await)
}

async fn terminate_one_bad_id(backend: Backend) -> String {
    let id = running(&backend).await;
    let result = backend.ec2.terminate_instances().instance_ids(&id).instance_ids(NO_SUCH).send().await;
    let state = backend.instance(&id).await.state().unwrap().name().unwrap().clone();
    format!("{}, {state}", code(&result))
}

async fn terminate_malformed(backend: Backend) -> String {
    code(&backend.ec2.terminate_instances().instance_ids("instance-1").send().await)
}

async fn terminate_none(backend: Backend) -> String {
    code(&backend.ec2.terminate_instances().send().await)
}

async fn terminate_answers(backend: Backend) -> String {
    let id = running(&backend).await;
    let answer = backend.ec2.terminate_instances().instance_ids(id).send().await.unwrap();
    shown(answer.terminating_instances())
}

async fn terminate_twice(backend: Backend) -> String {
    let id = terminated(&backend).await;
    let answer = backend.ec2.terminate_instances().instance_ids(id).send().await.unwrap();
    shown(answer.terminating_instances())
}

async fn terminated_stays_listed(backend: Backend) -> String {
    let id = terminated(&backend).await;
    let instance = backend.instance(&id).await;
    let reason = instance.state_reason().unwrap().code().unwrap();
    let transition = instance.state_transition_reason().unwrap().split(" (").next().unwrap();
    format!("{} {reason} {transition}", instance.state().unwrap().name().unwrap())
}

async fn stop_answers(backend: Backend) -> String {
    let id = running(&backend).await;
    shown(backend.ec2.stop_instances().instance_ids(id).send().await.unwrap().stopping_instances())
}

async fn start_answers(backend: Backend) -> String {
    let id = stopped(&backend).await;
    shown(backend.ec2.start_instances().instance_ids(id).send().await.unwrap().starting_instances())
}

async fn start_running(backend: Backend) -> String {
    let id = running(&backend).await;
    shown(backend.ec2.start_instances().instance_ids(id).send().await.unwrap().starting_instances())
}

async fn start_terminated(backend: Backend) -> String {
    let id = terminated(&backend).await;
    code(&backend.ec2.start_instances().instance_ids(id).send().await)
}

async fn stop_terminated(backend: Backend) -> String {
    let id = terminated(&backend).await;
    code(&backend.ec2.stop_instances().instance_ids(id).send().await)
}

async fn start_unknown(backend: Backend) -> String {
    code(&backend.ec2.start_instances().instance_ids(NO_SUCH).send().await)
}

async fn launch_time_moves_at_start(backend: Backend) -> String {
    let id = stopped(&backend).await;
    let before = *backend.instance(&id).await.launch_time().unwrap();
    backend.ec2.start_instances().instance_ids(&id).send().await.unwrap();
    let after = *backend.instance(&id).await.launch_time().unwrap();
    if after > before { "later".to_owned() } else { "the same".to_owned() }
}

async fn running(backend: &Backend) -> String {
    let id = launched(backend, 1).await.remove(0);
    backend.wait_for_state(&id, "running").await;
    id
}

async fn stopped(backend: &Backend) -> String {
    let id = running(backend).await;
    backend.ec2.stop_instances().instance_ids(&id).send().await.unwrap();
    backend.wait_for_state(&id, "stopped").await;
    id
}

async fn terminated(backend: &Backend) -> String {
    let id = running(backend).await;
    backend.ec2.terminate_instances().instance_ids(&id).send().await.unwrap();
    backend.wait_for_state(&id, "terminated").await;
    id
}

fn shown(changes: &[InstanceStateChange]) -> String {
    let change = &changes[0];
    let name = |state: Option<&aws_sdk_ec2::types::InstanceState>| state.unwrap().name().unwrap().to_string();
    format!("{} -> {}", name(change.previous_state()), name(change.current_state()))
}
