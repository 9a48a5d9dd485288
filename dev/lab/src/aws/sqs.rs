//! SQS's JSON protocol for what the operator asks: queues with their settings and tags. Messages are the world's.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use sim::queue::Counts;

use super::connector::Answer;

const URLS: &str = "https://sqs.us-east-1.amazonaws.com/123456789012/";

#[derive(Debug, Default)]
struct Queue {
    attributes: Map<String, Value>,
    tags: Map<String, Value>,
}

/// All queues by name.
#[derive(Debug)]
pub(super) struct Queues {
    /// The one whose messages the world has.
    requests: String,
    queues: BTreeMap<String, Queue>,
}

impl Queues {
    pub(super) fn new(requests: &str) -> Self {
        Self { requests: requests.to_owned(), queues: BTreeMap::new() }
    }

    /// One call; `counts`: of the request queue.
    pub(super) fn call(&mut self, action: &str, body: &str, counts: Counts) -> Answer {
        let asked: Value = serde_json::from_str(body).unwrap_or_default();
        let named = asked["QueueName"].as_str().or_else(|| asked["QueueUrl"].as_str()?.strip_prefix(URLS)).unwrap_or_default().to_owned();
        if action == "CreateQueue" {
            return self.create(&named, &asked);
        }
        if action == "ListQueues" {
            let prefix = asked["QueueNamePrefix"].as_str().unwrap_or_default();
            let urls: Vec<String> = self.queues.keys().filter(|name| name.starts_with(prefix)).map(|name| url(name)).collect();
            return (200, json!({"QueueUrls": urls}).to_string());
        }
        let is_requests = named == self.requests;
        let Some(queue) = self.queues.get_mut(&named) else {
            return (400, json!({"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": "There is no such queue."}).to_string());
        };
        let answer = match action {
            "GetQueueUrl" => json!({"QueueUrl": url(&named)}),
            "ListQueueTags" => json!({"Tags": queue.tags}),
            "GetQueueAttributes" => json!({"Attributes": attributes(&named, queue, if is_requests { counts } else { Counts::default() })}),
            "SetQueueAttributes" => put(&mut queue.attributes, &asked["Attributes"]),
            "TagQueue" => put(&mut queue.tags, &asked["Tags"]),
            "DeleteQueue" => {
                self.queues.remove(&named);
                json!({})
            }
            _ => return (400, json!({"__type": "com.amazonaws.sqs#UnsupportedOperation", "message": action}).to_string()),
        };
        (200, answer.to_string())
    }

    fn create(&mut self, name: &str, asked: &Value) -> Answer {
        let queue = self.queues.entry(name.to_owned()).or_default();
        put(&mut queue.attributes, &asked["Attributes"]);
        put(&mut queue.tags, &asked["tags"]);
        (200, json!({"QueueUrl": url(name)}).to_string())
    }
}

fn url(name: &str) -> String {
    format!("{URLS}{name}")
}

fn put(map: &mut Map<String, Value>, more: &Value) -> Value {
    map.extend(more.as_object().cloned().unwrap_or_default());
    json!({})
}

fn attributes(name: &str, queue: &Queue, counts: Counts) -> Map<String, Value> {
    let mut all = queue.attributes.clone();
    let numbers = [
        ("ApproximateNumberOfMessages", counts.visible),
        ("ApproximateNumberOfMessagesNotVisible", counts.in_flight),
        ("ApproximateNumberOfMessagesDelayed", counts.delayed),
    ];
    all.extend(numbers.map(|(name, number)| (name.to_owned(), json!(number.to_string()))));
    all.insert("QueueArn".to_owned(), json!(format!("arn:aws:sqs:us-east-1:123456789012:{name}")));
    all
}
