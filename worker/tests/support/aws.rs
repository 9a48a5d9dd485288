//! Real queues and buckets for a test, each its own, and a worker that serves them.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName;
use jiff::Timestamp;
use prometheus::Registry;
use service::monitor::Readiness;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use wire::{Job, JobResult, ObjectKeys, SMALLEST_MESSAGE_LIMIT};
use worker::activity::Activity;
use worker::jobs::{Cpu, Identity, ImageLimits, Isolation, Pace, Publisher, Queue, Workshop, serve};
use worker::metrics::Metrics;
use worker::model::Model;
use worker::model::engine::EngineArgs;

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

/// What a worker is like.
pub struct Kind {
    /// Images that it classifies at a time; 0: it never begins.
    pub cpu: usize,
    /// Where it writes results to; empty: where tests look for them.
    pub bucket: String,
    /// What it takes itself for.
    pub images_per_second: f64,
    /// Another S3 than the test's.
    pub s3: Option<aws_sdk_s3::Client>,
    pub isolation: Option<Isolation>,
}

impl Default for Kind {
    fn default() -> Self {
        Self { cpu: 1, bucket: String::new(), images_per_second: 1.0, s3: None, isolation: None }
    }
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
        self.submit_as(name, image, false).await
    }

    /// The same, with the answer to be written under the image's name, too.
    pub async fn by_name(&self, name: &str, image: Option<Vec<u8>>) -> Job {
        self.submit_as(name, image, true).await
    }

    /// What an object of the output bucket says, if it is there.
    pub async fn text(&self, key: &str) -> Option<String> {
        let object = self.s3.get_object().bucket(format!("{}-out", self.name)).key(key).send().await.ok()?;
        assert_eq!(object.content_type(), Some("text/plain; charset=utf-8"));
        Some(String::from_utf8(object.body.collect().await.unwrap().to_vec()).unwrap())
    }

    async fn submit_as(&self, name: &str, image: Option<Vec<u8>>, by_name: bool) -> Job {
        let id = Uuid::now_v7();
        let bucket = format!("{}-in", self.name);
        let key = ObjectKeys::new(id, name).input;
        if let Some(image) = image {
            self.s3.put_object().bucket(&bucket).key(&key).body(image.into()).send().await.unwrap();
        }
        let reply_to = format!("{}-replies{}", self.name, self.ending);
        let (name, submitted_at) = (name.to_owned(), Timestamp::now());
        let job = Job { id, name, bucket, key, reply_to, submitted_at, traceparent: None, tracestate: None, by_name, image: None };
        self.send(&job.to_message(SMALLEST_MESSAGE_LIMIT).unwrap()).await;
        job
    }

    /// Has the queue move what was received `max_receives` times to a dead-letter queue. Returns its URL.
    pub async fn with_dead_letters(&self, max_receives: u32) -> String {
        let url = self.sqs.create_queue().queue_name(format!("{}-dead", self.name)).send().await.unwrap().queue_url.unwrap();
        let asked = self.sqs.get_queue_attributes().queue_url(&url).attribute_names(QueueAttributeName::QueueArn).send().await.unwrap();
        let arn = asked.attributes.unwrap().remove(&QueueAttributeName::QueueArn).unwrap();
        let policy = serde_json::json!({"deadLetterTargetArn": arn, "maxReceiveCount": max_receives}).to_string();
        let set = self.sqs.set_queue_attributes().queue_url(&self.requests);
        set.attributes(QueueAttributeName::RedrivePolicy, policy).send().await.unwrap();
        url
    }

    /// Receives all messages and lets them come back at once: for who counts receives, so many workers have ended with them.
    pub async fn receive_in_vain(&self) {
        let receive = self.sqs.receive_message().queue_url(&self.requests).max_number_of_messages(10).wait_time_seconds(1);
        for message in receive.send().await.unwrap().messages.unwrap_or_default() {
            let back = self.sqs.change_message_visibility().queue_url(&self.requests).visibility_timeout(0);
            back.receipt_handle(message.receipt_handle.unwrap()).send().await.unwrap();
        }
    }

    /// Bodies of the messages in a queue, which are received.
    pub async fn messages(&self, url: &str) -> Vec<String> {
        let received = self.sqs.receive_message().queue_url(url).max_number_of_messages(10).wait_time_seconds(1).send().await.unwrap();
        received.messages.unwrap_or_default().into_iter().filter_map(|message| message.body).collect()
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
        self.worker_of(Kind { cpu, bucket: bucket.to_owned(), ..Kind::default() }).await
    }

    pub async fn worker_of(&self, kind: Kind) -> Worker {
        let Kind { cpu, bucket, images_per_second, s3, isolation } = kind;
        let bucket = if bucket.is_empty() { format!("{}-out", self.name) } else { bucket };
        let queue = Queue::open(self.sqs.clone(), &format!("{}-requests{}", self.name, self.ending), VISIBILITY).await.unwrap();
        let (registry, s3) = (Registry::new(), s3.unwrap_or_else(|| self.s3.clone()));
        let workshop = Arc::new(Workshop {
            queue: Arc::new(queue),
            s3: s3.clone(),
            publisher: Publisher::new(s3, self.sqs.clone(), &bucket),
            cpu: Cpu::new(Arc::new(Model::new(&super::folder(), &EngineArgs::default()).unwrap()), cpu, 1_000_000),
            isolation,
            identity: Identity { worker: "i-0123456789abcdef0".to_owned(), revision: "r1".to_owned() },
            limits: ImageLimits { max_bytes: 1_000_000, max_buffered_bytes: 1_000_000 },
            pace: Arc::new(Pace::new(images_per_second, NonZeroUsize::MIN)),
            drain: CancellationToken::new(),
            activity: Activity::default(),
            readiness: Readiness::default(),
            metrics: Metrics::new(&registry).unwrap(),
        });
        workshop.readiness.set(true);
        let serving = tokio::spawn(serve(Arc::clone(&workshop)));
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
        until(&format!("a job that ended {ending}"), || async { (self.ended(ending) > 0.0).then_some(()) }).await;
    }

    /// Jobs that ended so.
    pub fn ended(&self, ending: &str) -> f64 {
        let families = self.registry.gather();
        let jobs = families.iter().filter(|family| family.name() == "classifierfleet_worker_jobs_total");
        let is_ending = |metric: &&prometheus::proto::Metric| metric.get_label().iter().any(|label| label.value() == ending);
        jobs.flat_map(|family| family.get_metric()).filter(is_ending).map(|metric| metric.get_counter().get_value()).sum()
    }

    /// Drains the worker and waits until it has left.
    pub async fn leave(self) {
        self.workshop.drain.cancel();
        self.serving.await.unwrap().unwrap();
    }
}

/// A way to S3 that can be closed.
pub struct Switch {
    address: SocketAddr,
    open: watch::Sender<bool>,
}

impl Switch {
    /// An open one.
    pub async fn new() -> Self {
        let behind = std::env::var("AWS_ENDPOINT_URL_S3").unwrap().trim_start_matches("http://").trim_end_matches('/').to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, open) = (listener.local_addr().unwrap(), watch::Sender::new(true));
        let switch = open.clone();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let (behind, mut open) = (behind.clone(), switch.subscribe());
                tokio::spawn(async move {
                    let pass = async {
                        let mut server = TcpStream::connect(&behind).await?;
                        tokio::io::copy_bidirectional(&mut client, &mut server).await
                    };
                    // Closed, it ends what is open already, too.
                    tokio::select! {
                        _ = pass => {}
                        _ = open.wait_for(|open| !open) => {}
                    }
                });
            }
        });
        Self { address, open }
    }

    pub fn open(&self, open: bool) {
        self.open.send_replace(open);
    }

    /// A client that goes this way.
    pub async fn s3(&self) -> aws_sdk_s3::Client {
        let config = service::aws::config("classifierfleet-worker-test", &service::aws::Place::default()).await;
        let config = aws_sdk_s3::config::Builder::from(&config).endpoint_url(format!("http://{}", self.address));
        aws_sdk_s3::Client::from_conf(config.build())
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
