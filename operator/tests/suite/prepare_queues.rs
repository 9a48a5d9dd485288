//! Queues in SQS itself, or in what stands in for it.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use crate::prepare_world::{Living, NOBODY, World, fleet};
use aws_sdk_sqs::types::QueueAttributeName as Name;
use operator::prepare::NAME_IN_USE;
use operator::prepare::owner::{Owner, Tags};
use operator::prepare::queues::{self, Urls};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

#[tokio::test]
#[ignore = "needs SQS: cargo xtask test starts MiniStack"]
async fn queues_are_made_with_their_settings_and_tags() {
    let world = World::new(|fleet| {
        fleet.spec.gateway.replicas = 2;
        fleet.spec.queues.maximum_message_bytes = Some(2048);
    })
    .await;
    let urls = world.queues(Urls::new(), &NOBODY).await.unwrap();
    let queues = &world.fleet.spec.queues;
    let names = [queues.request.name.clone(), queues.dead_letter_name(), queues.reply_name(0), queues.reply_name(1)];
    assert_eq!(urls.keys().cloned().collect::<BTreeSet<_>>(), names.iter().cloned().collect());
    for name in &names {
        assert_eq!(world.queue_tags(name).await, world.owner().tags());
    }
    assert_eq!(world.attribute(world.request(), Name::VisibilityTimeout).await.unwrap(), "60");
    assert_eq!(world.attribute(world.request(), Name::MaximumMessageSize).await.unwrap(), "2048");
    let arn = world.attribute(&names[1], Name::QueueArn).await.unwrap();
    assert!(world.attribute(world.request(), Name::RedrivePolicy).await.unwrap().contains(&arn));
    assert_eq!(world.attribute(&names[1], Name::MessageRetentionPeriod).await.unwrap(), "1209600");
    assert_eq!(world.attribute(&names[2], Name::MessageRetentionPeriod).await.unwrap(), "3600");
    assert_eq!(world.queues(Urls::new(), &NOBODY).await.unwrap(), urls, "again, and nothing changes");
}

#[tokio::test]
#[ignore = "needs SQS: cargo xtask test starts MiniStack"]
async fn fifo_queues_are_made_as_such() {
    let world = World::new(|fleet| {
        fleet.spec.queues.fifo = true;
        fleet.spec.queues.request.name.push_str(".fifo");
    })
    .await;
    world.queues(Urls::new(), &NOBODY).await.unwrap();
    let dead = world.fleet.spec.queues.dead_letter_name();
    for name in [world.request(), &dead] {
        assert_eq!(world.attribute(name, Name::FifoQueue).await.unwrap(), "true");
    }
    assert_eq!(world.attribute(world.request(), Name::FifoThroughputLimit).await.unwrap(), "perMessageGroupId");
    assert_eq!(world.attribute(world.request(), Name::DeduplicationScope).await.unwrap(), "messageGroup");
    world.queues(Urls::new(), &NOBODY).await.unwrap();
}

#[tokio::test]
#[ignore = "needs SQS: cargo xtask test starts MiniStack"]
async fn settings_follow_the_spec_and_are_put_right() {
    let mut world = World::new(|fleet| fleet.spec.queues.maximum_message_bytes = Some(1024)).await;
    let urls = world.queues(Urls::new(), &NOBODY).await.unwrap();
    world.fleet.spec.queues.visibility_timeout_seconds = 77;
    world.fleet.spec.queues.max_receives = 9;
    world.fleet.spec.queues.maximum_message_bytes = None;
    world.queues(urls.clone(), &NOBODY).await.unwrap();
    assert_eq!(world.attribute(world.request(), Name::VisibilityTimeout).await.unwrap(), "77");
    assert!(world.attribute(world.request(), Name::RedrivePolicy).await.unwrap().contains('9'));
    assert_eq!(world.attribute(world.request(), Name::MaximumMessageSize).await.unwrap(), "1024", "as it was");

    let url = &urls[world.request()];
    world.sqs.set_queue_attributes().queue_url(url).attributes(Name::VisibilityTimeout, "1").send().await.unwrap();
    world.sqs.delete_queue().queue_url(&urls[&world.fleet.spec.queues.reply_name(0)]).send().await.unwrap();
    assert_eq!(world.queues(urls.clone(), &NOBODY).await.unwrap(), urls, "what was deleted is made again");
    assert_eq!(world.attribute(world.request(), Name::VisibilityTimeout).await.unwrap(), "77");
}

#[tokio::test]
#[ignore = "needs SQS: cargo xtask test starts MiniStack"]
async fn a_queue_of_another_fleet_is_refused_before_anything_is_touched() {
    let first = World::new(|_| {}).await;
    first.queues(Urls::new(), &NOBODY).await.unwrap();
    // Only the dead-letter queue is the same.
    let second = first.successor(|fleet| {
        fleet.spec.queues.dead_letter = Some(crds::Queue { name: fleet.spec.queues.dead_letter_name() });
        fleet.spec.queues.request.name.push_str("-other");
        fleet.spec.queues.response.name.push_str("-other");
    });
    let living = Living(vec![first.owner().uid]);
    let fault = second.queues(Urls::new(), &living).await.unwrap_err();
    assert_eq!(fault.reason, NAME_IN_USE);
    assert!(fault.message.contains("belongs to the fleet photos/imagenet") && fault.message.contains("this cluster"), "{}", fault.message);
    assert_eq!(second.url(second.request()).await, None);
    assert_eq!(first.queue_tags(&first.fleet.spec.queues.dead_letter_name()).await, first.owner().tags());

    let elsewhere = Owner::of(&second.fleet, "west");
    let fault = queues::survey(&second.sqs, &elsewhere, &second.fleet, Urls::new(), &NOBODY).await.unwrap_err();
    assert_eq!(fault.reason, NAME_IN_USE);
    assert!(fault.message.contains("the cluster east"), "{}", fault.message);
}

#[tokio::test]
#[ignore = "needs SQS: cargo xtask test starts MiniStack"]
async fn the_queues_of_a_fleet_that_is_gone_are_taken_over() {
    let first = World::new(|_| {}).await;
    first.queues(Urls::new(), &NOBODY).await.unwrap();
    let second = first.successor(|_| {});
    second.queues(Urls::new(), &NOBODY).await.unwrap();
    let queues = &first.fleet.spec.queues;
    for name in [first.request(), &queues.dead_letter_name(), &queues.reply_name(0)] {
        assert_eq!(second.queue_tags(name).await, second.owner().tags());
    }
}

#[tokio::test]
#[ignore = "needs SQS: cargo xtask test starts MiniStack"]
async fn a_queue_made_by_hand_is_used_and_set_but_not_deleted() {
    let world = World::new(|_| {}).await;
    let url = world.sqs.create_queue().queue_name(world.request()).tags("team", "vision").send().await.unwrap().queue_url.unwrap();
    let urls = world.queues(Urls::new(), &NOBODY).await.unwrap();
    assert_eq!(urls[world.request()], url);
    assert_eq!(world.attribute(world.request(), Name::VisibilityTimeout).await.unwrap(), "60");
    assert_eq!(world.queue_tags(world.request()).await, Tags::from([("team".to_owned(), "vision".to_owned())]));
    queues::delete(&world.sqs, &world.owner(), &world.fleet.spec.queues).await.unwrap();
    assert!(world.url(world.request()).await.is_some());
    assert_eq!(world.url(&world.fleet.spec.queues.dead_letter_name()).await, None);
}

#[tokio::test]
#[ignore = "needs SQS: cargo xtask test starts MiniStack"]
async fn queues_are_deleted_with_those_of_replicas_that_went_before() {
    let mut world = World::new(|fleet| fleet.spec.gateway.replicas = 3).await;
    let urls = world.queues(Urls::new(), &NOBODY).await.unwrap();
    world.fleet.spec.gateway.replicas = 1;
    let near = format!("{}-x", world.fleet.spec.queues.response.name);
    world.sqs.create_queue().queue_name(&near).set_tags(Some(world.owner().tags())).send().await.unwrap();
    for _ in 0..2 {
        queues::delete(&world.sqs, &world.owner(), &world.fleet.spec.queues).await.unwrap();
        for name in urls.keys() {
            assert_eq!(world.url(name).await, None, "{name}");
        }
    }
    assert!(world.url(&near).await.is_some(), "no replica's queue is called so");
}

/// SQS that knows no queue and lets none be made, as after a deletion: stand-ins allow it. With or without AWS's header of
/// error codes, which not all of them send.
async fn refusing_sqs(with_header: bool) -> (String, tokio::task::JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 65536];
            let read = stream.read(&mut request).await.unwrap();
            let creates = String::from_utf8_lossy(&request[..read]).contains("AmazonSQS.CreateQueue");
            let (error, older) =
                if creates { ("QueueDeletedRecently", "QueueDeletedRecently") } else { ("QueueDoesNotExist", "NonExistentQueue") };
            let header = if with_header { format!("x-amzn-query-error: AWS.SimpleQueueService.{older};Sender\r\n") } else { String::new() };
            let body = format!(r#"{{"__type":"com.amazonaws.sqs#{error}","message":"no"}}"#);
            let head = format!("HTTP/1.1 400 Bad Request\r\ncontent-length: {}\r\nconnection: close\r\n{header}\r\n", body.len());
            stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        }
    };
    (url, tokio::spawn(server))
}

#[tokio::test]
async fn a_queue_deleted_a_moment_ago_is_waited_for() {
    for with_header in [true, false] {
        let (url, server) = refusing_sqs(with_header).await;
        let config = aws_sdk_sqs::Config::builder()
            .behavior_version(aws_sdk_sqs::config::BehaviorVersion::latest())
            .region(aws_sdk_sqs::config::Region::new("us-east-1"))
            .endpoint_url(url)
            .allow_no_auth()
            .build();
        let (sqs, fleet) = (aws_sdk_sqs::Client::from_conf(config), fleet("gone", |_| {}));
        let owner = Owner::of(&fleet, "east");
        let survey = queues::survey(&sqs, &owner, &fleet, Urls::new(), &NOBODY).await.unwrap();
        let fault = queues::ensure(&sqs, &owner, &fleet, survey).await.unwrap_err();
        assert_eq!(fault.reason, "QueueDeletedRecently");
        assert!(fault.message.contains("deleted less than 60 s ago"), "{}", fault.message);
        server.abort();
    }
}
