//! Workers that answer at once, so that the gateway is what is measured: each job's label is the name of its image. They fetch
//! nothing and store nothing.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use jiff::Timestamp;
use tokio::task::JoinSet;
use wire::{Job, JobResult, ModelRef, Outcome, Timings, stem};

use super::super::fleet::REQUEST_QUEUE;
use super::super::received;
use crate::stack::Stack;

/// Polls side by side: enough that no upload waits for one.
const POLLS: usize = 4;

/// They work until they are dropped.
pub(super) struct Answerers(JoinSet<Result<()>>);

impl Answerers {
    pub(super) async fn start(stack: &Stack) -> Result<Self> {
        let sqs = stack.endpoints()?.sqs_client().await;
        let requests = url(&sqs, REQUEST_QUEUE).await?;
        let mut polls = JoinSet::new();
        for _ in 0..POLLS {
            polls.spawn(answer(sqs.clone(), requests.clone()));
        }
        Ok(Self(polls))
    }

    /// Returns when one of them cannot go on, with why.
    pub(super) async fn failed(&mut self) -> anyhow::Error {
        match self.0.join_next().await {
            Some(Ok(Err(error))) => error.context("the workers that answer at once failed"),
            other => anyhow::anyhow!("the workers that answer at once ended: {other:?}"),
        }
    }
}

async fn answer(sqs: Client, requests: String) -> Result<()> {
    let mut replies = BTreeMap::new();
    loop {
        let receive = sqs.receive_message().queue_url(&requests).max_number_of_messages(10).wait_time_seconds(20);
        let messages = receive.send().await.context("jobs cannot be received")?.messages.unwrap_or_default();
        let mut answers: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for message in &messages {
            let job = Job::from_message(message.body().unwrap_or_default())?;
            answers.entry(job.reply_to.clone()).or_default().push(serde_json::to_string(&result(job))?);
        }
        for (queue, answers) in answers {
            let url = match replies.get(&queue) {
                Some(url) => url,
                None => replies.entry(queue.clone()).or_insert(url(&sqs, &queue).await?),
            };
            send(&sqs, url, answers).await?;
        }
        if !messages.is_empty() {
            received::delete(&sqs, &requests, messages).await?;
        }
    }
}

async fn url(sqs: &Client, queue: &str) -> Result<String> {
    let asked = sqs.get_queue_url().queue_name(queue).send().await.with_context(|| format!("there is no queue {queue}"))?;
    asked.queue_url.context("a queue without a URL")
}

async fn send(sqs: &Client, url: &str, answers: Vec<String>) -> Result<()> {
    let entry = |(place, body): (usize, String)| SendMessageBatchRequestEntry::builder().id(place.to_string()).message_body(body).build();
    let entries = answers.into_iter().enumerate().map(entry).collect::<Result<Vec<_>, _>>()?;
    let sent = sqs.send_message_batch().queue_url(url).set_entries(Some(entries)).send().await.context("answers cannot be sent")?;
    ensure!(sent.failed.is_empty(), "SQS refused answers: {:?}", sent.failed);
    Ok(())
}

fn result(job: Job) -> JobResult {
    JobResult {
        outcome: Outcome::Classified { label: stem(&job.name).to_owned(), predictions: Vec::new() },
        id: job.id,
        name: job.name,
        model: ModelRef { name: "names".to_owned(), version: "1".to_owned() },
        revision: "bench".to_owned(),
        worker: "bench".to_owned(),
        submitted_at: job.submitted_at,
        finished_at: Timestamp::now(),
        timings: Timings::default(),
        cached: false,
    }
}
