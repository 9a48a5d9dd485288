//! Real queues and buckets for a test, each its own, and a worker that serves them.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName;
use jiff::Timestamp;
use prometheus::Registry;
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use wire::{Job, JobResult, ObjectKeys};
use worker::activity::Activity;
use worker::jobs::{Identity, Limits, Publisher, Queue, Workshop, serve};
use worker::metrics::Metrics;
use worker::model::Model;

pub const VISIBILITY: Duration = Duration::from_secs(3);

/// The queues and buckets of one test.
pub struct Cloud {
    pub s3: aws_sdk_s3::Client,
    pub sqs: aws_sdk_sqs::Client,
    /// Names of everything begin with it.
    pub name: String,
    /// Names of queues end with it.
    pub ending: String,
    pub requests: String,
    pub replies: String,
}

/// A worker in this process.
pub struct Worker {
    pub workshop: Arc<Workshop>,
    registry: Registry,
    serving: JoinHandle<Result<(), JoinError>>,
}

impl Cloud {
    pub async fn new() -> Self {
        Self::with_queues("").await
    }

    /// With queues whose names end so: `.fifo` makes them such.
    pub async fn with_queues(ending: &str) -> Self {
        let endpoint = std::env::var("AWS_ENDPOINT_URL_SQS").and(std::env::var("AWS_ENDPOINT_URL_S3"));
        endpoint.expect("AWS_ENDPOINT_URL_SQS and AWS_ENDPOINT_URL_S3 name the servers to test with; cargo xtask test starts them");
        let config = service::aws::config("classifierfleet-worker-test", &service::aws::Place::default()).await;
        let (s3, sqs) = (aws_sdk_s3::Client::new(&config), aws_sdk_sqs::Client::new(&config));
        let name = format!("worker-{}", Uuid::now_v7());
        let create = async |suffix: &str| {
            let fifo = (ending == ".fifo").then(|| [(QueueAttributeName::FifoQueue, "true".to_owned())].into());
            let made = sqs.create_queue().queue_name(format!("{name}-{suffix}{ending}")).set_attributes(fifo).send().await.unwrap();
            made.queue_url.unwrap()
        };
        let (requests, replies) = (create("requests").await, create("replies").await);
        for suffix in ["in", "out"] {
            s3.create_bucket().bucket(format!("{name}-{suffix}")).send().await.unwrap();
        }
        Self { s3, sqs, name, ending: ending.to_owned(), requests, replies }
    }

    /// A job whose image, if any, is in its bucket, and that waits in the queue.
    pub async fn submit(&self, name: &str, image: Option<Vec<u8>>) -> Job {
        let id = Uuid::now_v7();
        let bucket = format!("{}-in", self.name);
        let key = ObjectKeys::new(id, name).input;
        if let Some(image) = image {
            self.s3.put_object().bucket(&bucket).key(&key).body(image.into()).send().await.unwrap();
        }
        let reply_to = format!("{}-replies{}", self.name, self.ending);
        let job = Job { id, name: name.to_owned(), bucket, key, reply_to, submitted_at: Timestamp::now(), traceparent: None };
        self.send(&job.to_message().unwrap()).await;
        job
    }

    pub async fn send(&self, body: &str) {
        let unique = (self.ending == ".fifo").then(|| Uuid::now_v7().to_string());
        let message = self.sqs.send_message().queue_url(&self.requests).message_body(body);
        message.set_message_group_id(unique.clone()).set_message_deduplication_id(unique).send().await.unwrap();
    }

    pub async fn worker(&self) -> Worker {
        self.worker_with(1, &format!("{}-out", self.name)).await
    }

    /// A worker that classifies `cpu` images at a time (0: it never begins) and writes to `bucket`.
    pub async fn worker_with(&self, cpu: usize, bucket: &str) -> Worker {
        let queue = Queue::open(self.sqs.clone(), &format!("{}-requests{}", self.name, self.ending), VISIBILITY).await.unwrap();
        let registry = Registry::new();
        let workshop = Arc::new(Workshop {
            queue,
            s3: self.s3.clone(),
            publisher: Publisher::new(self.s3.clone(), self.sqs.clone(), bucket),
            model: Arc::new(Model::new(&super::folder()).unwrap()),
            identity: Identity { worker: "i-0123456789abcdef0".to_owned(), revision: "r1".to_owned() },
            limits: Limits { max_pixels: 1_000_000, max_image_bytes: 1_000_000 },
            cpu: Semaphore::new(cpu),
            drain: CancellationToken::new(),
            activity: Activity::default(),
            metrics: Metrics::new(&registry).unwrap(),
        });
        let serving = tokio::spawn(serve(Arc::clone(&workshop), NonZeroUsize::MIN));
        Worker { workshop, registry, serving }
    }

    /// The result object, once it is there.
    pub async fn result(&self, job: &Job) -> (JobResult, String) {
        let key = ObjectKeys::new(job.id, &job.name).result;
        let object =
            until("the result", || async { self.s3.get_object().bucket(format!("{}-out", self.name)).key(&key).send().await.ok() });
        let object = object.await;
        assert_eq!(object.content_type(), Some("application/json"));
        let label = object.metadata().and_then(|all| all.get("label")).cloned().unwrap_or_default();
        (serde_json::from_slice(&object.body.collect().await.unwrap().into_bytes()).unwrap(), label)
    }

    /// The next reply.
    pub async fn reply(&self) -> JobResult {
        let body = until("a reply", || async {
            let received = self.sqs.receive_message().queue_url(&self.replies).wait_time_seconds(1).send().await.unwrap();
            let message = received.messages?.pop()?;
            self.sqs.delete_message().queue_url(&self.replies).receipt_handle(message.receipt_handle?).send().await.unwrap();
            message.body
        });
        serde_json::from_str(&body.await).unwrap()
    }

    /// Messages in the request queue: visible and in flight.
    pub async fn waiting(&self) -> (u32, u32) {
        use QueueAttributeName::{ApproximateNumberOfMessages as Visible, ApproximateNumberOfMessagesNotVisible as InFlight};
        let asked = self.sqs.get_queue_attributes().queue_url(&self.requests).attribute_names(QueueAttributeName::All);
        let attributes = asked.send().await.unwrap().attributes.unwrap();
        (attributes[&Visible].parse().unwrap(), attributes[&InFlight].parse().unwrap())
    }

    /// Waits until so many messages are visible and in flight.
    pub async fn until_waiting(&self, expected: (u32, u32)) {
        until(&format!("{expected:?} messages visible and in flight"), || async { (self.waiting().await == expected).then_some(()) }).await;
    }
}

impl Worker {
    /// Waits until so many jobs are held.
    pub async fn until_held(&self, jobs: i64) {
        until(&format!("{jobs} held jobs"), || async { (self.workshop.metrics.held.get() == jobs).then_some(()) }).await;
    }

    /// Waits until a job has ended so.
    pub async fn until_ended(&self, ending: &str) {
        let has_ended = || {
            let families = self.registry.gather();
            let mut jobs = families
                .iter()
                .filter(|family| family.name() == "classifierfleet_worker_jobs_total")
                .flat_map(|family| family.get_metric());
            jobs.any(|metric| metric.get_label().iter().any(|label| label.value() == ending))
        };
        until(&format!("a job that ended {ending}"), || async { has_ended().then_some(()) }).await;
    }

    /// Drains the worker and waits until it has left.
    pub async fn leave(self) {
        self.workshop.drain.cancel();
        self.serving.await.unwrap().unwrap();
    }
}

/// Asks again until there is an answer. Half a minute without one fails the test.
pub async fn until<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    for _ in 0..300 {
        if let Some(answer) = ask().await {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{what} did not come");
}
