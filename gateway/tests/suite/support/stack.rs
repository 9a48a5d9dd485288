//! Queues and buckets of one test in the SQS and S3 of the environment, and a worker that answers through them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use aws_config::SdkConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_sqs::types::QueueAttributeName;
use gateway::Settings;
use serde_json::json;
use tokio::task::JoinHandle;
use uuid::Uuid;
use wire::{Job, JobResult, ObjectKeys};

use super::{Running, settings, start};

/// What a test has to itself.
#[derive(Clone)]
pub struct Stack {
    pub settings: Settings,
    aws: SdkConfig,
    s3: aws_sdk_s3::Client,
    sqs: aws_sdk_sqs::Client,
    /// Whether the worker announces its results on the reply queue.
    pub announces: Arc<AtomicBool>,
    /// What the worker takes itself for.
    pub revision: Arc<Mutex<String>>,
}

impl Stack {
    /// Makes queues and buckets of names that nobody else has.
    pub async fn new() -> Self {
        Self::with_queues("").await
    }

    /// The same with queues whose names end so: `.fifo` makes them such.
    pub async fn with_queues(ending: &str) -> Self {
        let missing = "AWS_ENDPOINT_URL_SQS and _S3 must name a local SQS and S3, as cargo xtask test sets them";
        assert!(["AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL_S3"].iter().all(|name| std::env::var_os(name).is_some()), "{missing}");
        let aws = service::aws::config("classifierfleet-gateway-test", &service::aws::Place::default()).await;
        let unique = Uuid::new_v4().simple().to_string();
        let settings = Settings {
            request_queue: format!("requests-{unique}{ending}"),
            reply_queue: format!("responses-{unique}-0{ending}"),
            input_bucket: format!("in-{unique}"),
            output_bucket: format!("out-{unique}"),
            ..settings()
        };
        let (s3, sqs) = (aws_sdk_s3::Client::new(&aws), aws_sdk_sqs::Client::new(&aws));
        for bucket in [&settings.input_bucket, &settings.output_bucket] {
            s3.create_bucket().bucket(bucket).send().await.unwrap();
        }
        for queue in [&settings.request_queue, &settings.reply_queue] {
            let fifo = queue.ends_with(".fifo").then(|| (QueueAttributeName::FifoQueue, "true".to_owned()));
            sqs.create_queue().queue_name(queue).set_attributes(fifo.map(|fifo| [fifo].into())).send().await.unwrap();
        }
        Self { settings, aws, s3, sqs, announces: Arc::new(AtomicBool::new(true)), revision: Arc::new(Mutex::new("r1".to_owned())) }
    }

    /// The same for another replica, which has a reply queue of its own.
    pub async fn replica(&self, ordinal: u32) -> Self {
        let mut stack = self.clone();
        stack.settings.reply_queue = format!("{}-{ordinal}", self.settings.reply_queue);
        stack.sqs.create_queue().queue_name(&stack.settings.reply_queue).send().await.unwrap();
        stack
    }

    /// A gateway on these queues and buckets, ready.
    pub async fn gateway(&self) -> Running {
        let gateway = start(self.settings.clone(), &self.aws).await;
        gateway.until("/readyz", |status, _| status == 200).await;
        gateway
    }

    /// Answers every job with what its image says, until aborted.
    pub fn worker(&self) -> JoinHandle<()> {
        let stack = self.clone();
        tokio::spawn(async move {
            loop {
                for job in stack.receive(10).await {
                    let stack = stack.clone();
                    tokio::spawn(async move { stack.answer(job).await });
                }
            }
        })
    }

    async fn receive(&self, most: i32) -> Vec<Job> {
        let queue = self.url(&self.settings.request_queue).await;
        let received = self.sqs.receive_message().queue_url(&queue).max_number_of_messages(most).wait_time_seconds(5).send().await.unwrap();
        let mut jobs = Vec::new();
        for message in received.messages.unwrap_or_default() {
            jobs.push(Job::from_message(message.body().unwrap()).unwrap());
            self.sqs.delete_message().queue_url(&queue).receipt_handle(message.receipt_handle().unwrap()).send().await.unwrap();
        }
        jobs
    }

    /// Up to so many jobs, which stay in flight.
    pub async fn hold(&self, most: i32) -> Vec<Job> {
        let queue = self.url(&self.settings.request_queue).await;
        let received = self.sqs.receive_message().queue_url(&queue).max_number_of_messages(most).wait_time_seconds(5).send().await.unwrap();
        received.messages.unwrap_or_default().iter().map(|message| Job::from_message(message.body().unwrap()).unwrap()).collect()
    }

    /// The next job, which the test answers itself.
    pub async fn next_job(&self) -> Job {
        loop {
            if let Some(job) = self.receive(1).await.pop() {
                return job;
            }
        }
    }

    /// Puts the result into S3, then announces it.
    pub async fn answer(&self, job: Job) {
        let image = self.stored(&job).await;
        let result =
            JobResult { revision: self.revision.lock().unwrap().clone(), ..result(&job, std::str::from_utf8(&image[4..]).unwrap()) };
        let body = serde_json::to_string(&result).unwrap();
        self.put(&self.settings.output_bucket, &ObjectKeys::new(job.id, &job.name).result, body.clone().into_bytes()).await;
        if self.announces.load(Ordering::Relaxed) {
            self.announce(&job.reply_to, &body).await;
        }
    }

    /// Writes an object, as a stranger or an earlier gateway may have done.
    pub async fn put(&self, bucket: &str, key: &str, bytes: Vec<u8>) {
        self.s3.put_object().bucket(bucket).key(key).content_type("text/html").body(ByteStream::from(bytes)).send().await.unwrap();
    }

    pub async fn delete(&self, bucket: &str, key: &str) {
        self.s3.delete_object().bucket(bucket).key(key).send().await.unwrap();
    }

    /// Content type and bytes of an object, if it is there.
    pub async fn object(&self, bucket: &str, key: &str) -> Option<(String, Vec<u8>)> {
        let object = self.s3.get_object().bucket(bucket).key(key).send().await.ok()?;
        let content_type = object.content_type().unwrap_or_default().to_owned();
        Some((content_type, object.body.collect().await.unwrap().to_vec()))
    }

    /// The keys of a bucket that begin so.
    pub async fn keys(&self, bucket: &str, prefix: &str) -> Vec<String> {
        let list = self.s3.list_objects_v2().bucket(bucket).prefix(prefix).send().await.unwrap();
        list.contents.unwrap_or_default().into_iter().filter_map(|object| object.key).collect()
    }

    /// The job's image, as it is in the bucket.
    pub async fn stored(&self, job: &Job) -> Vec<u8> {
        let object = self.s3.get_object().bucket(&job.bucket).key(&job.key).send().await.unwrap();
        object.body.collect().await.unwrap().to_vec()
    }

    /// Has the request queue refuse messages of more bytes.
    pub async fn allow(&self, bytes: u32) {
        let (url, limit) = (self.url(&self.settings.request_queue).await, bytes.to_string());
        self.sqs.set_queue_attributes().queue_url(url).attributes(QueueAttributeName::MaximumMessageSize, limit).send().await.unwrap();
    }

    /// Has a queue show again, after so many seconds, what a receiver took and did not delete.
    pub async fn show_again_after(&self, queue: &str, seconds: u32) {
        let (url, seconds) = (self.url(queue).await, seconds.to_string());
        self.sqs.set_queue_attributes().queue_url(url).attributes(QueueAttributeName::VisibilityTimeout, seconds).send().await.unwrap();
    }

    pub async fn announce(&self, queue: &str, body: &str) {
        let unique = queue.ends_with(".fifo").then(|| Uuid::new_v4().to_string());
        let message = self.sqs.send_message().queue_url(self.url(queue).await).message_body(body);
        let message = message.set_message_group_id(unique.clone()).set_message_deduplication_id(unique);
        message.send().await.unwrap();
    }

    /// Messages in a queue, visible or in flight.
    pub async fn messages(&self, queue: &str) -> u32 {
        use QueueAttributeName as Name;
        let get = self.sqs.get_queue_attributes().queue_url(self.url(queue).await).attribute_names(Name::All);
        let attributes = get.send().await.unwrap().attributes.unwrap();
        let count = |name: Name| attributes[&name].parse::<u32>().unwrap();
        count(Name::ApproximateNumberOfMessages) + count(Name::ApproximateNumberOfMessagesNotVisible)
    }

    async fn url(&self, queue: &str) -> String {
        self.sqs.get_queue_url().queue_name(queue).send().await.unwrap().queue_url.unwrap()
    }
}

/// `Code!message` fails with that code, everything else is a label.
fn result(job: &Job, said: &str) -> JobResult {
    let outcome = match said.split_once('!') {
        Some((code, message)) => json!({"status": "Failed", "code": code, "message": message}),
        None => json!({"status": "Classified", "label": said, "predictions": [{"index": 7, "label": said, "probability": 0.5}]}),
    };
    let mut result = json!({
        "id": job.id, "name": job.name, "model": {"name": "fake", "version": "1"}, "revision": "r1", "worker": "i-0",
        "submittedAt": job.submitted_at, "finishedAt": job.submitted_at,
        "timings": {"queueMs": 1.0, "fetchMs": 1.0, "decodeMs": 1.0, "inferMs": 1.0},
    });
    result.as_object_mut().unwrap().extend(outcome.as_object().unwrap().clone());
    serde_json::from_value(result).unwrap()
}
