//! Results announced on this replica's reply queue, handed to those who wait. A lost announcement loses nothing:
//! the result object in S3 is the truth.

use std::time::Duration;

use aws_sdk_sqs::types::Message;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use wire::JobResult;

use crate::answer;
use crate::aws::Queue;
use crate::events::Hub;
use crate::registry::Registry;

/// Receivers side by side: while one hands over what it received, the other goes on. More would only take smaller batches.
const POLLERS: usize = 2;

/// How long a message that was handed over waits for others to be deleted with it: far less than it takes to come back.
const GATHERED_WITHIN: Duration = Duration::from_millis(500);

/// How long that may take once nothing is received any more.
const LAST_DELETION: Duration = Duration::from_secs(2);

/// Pauses after failures, doubling from the first to the second.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Receives until `stop`; what was handed over by then is deleted before this returns, if SQS answers.
pub(crate) async fn run(queue: Queue, registry: Registry, events: Hub, stop: CancellationToken) {
    let (handed_over, receipts) = mpsc::channel(Queue::BATCH);
    let pollers = async {
        let pollers = (0..POLLERS).map(|_| poll(&queue, &registry, &events, &handed_over));
        stop.run_until_cancelled(futures::future::join_all(pollers)).await;
        drop(handed_over);
    };
    let farewell = async {
        stop.cancelled().await;
        tokio::time::sleep(LAST_DELETION).await;
    };
    tokio::select! {
        ((), ()) = async { tokio::join!(pollers, delete_all(&queue, receipts)) } => {}
        () = farewell => {}
    }
}

async fn poll(queue: &Queue, registry: &Registry, events: &Hub, handed_over: &mpsc::Sender<String>) {
    let mut pause = FIRST_PAUSE;
    loop {
        match queue.receive().await {
            Ok(messages) => {
                pause = FIRST_PAUSE;
                for message in &messages {
                    deliver(message, registry, events);
                }
                for receipt in messages.into_iter().filter_map(|message| message.receipt_handle) {
                    // It listens for as long as somebody can tell it anything.
                    let _ = handed_over.send(receipt).await;
                }
            }
            Err(error) => {
                tracing::warn!(queue = queue.name(), pause_seconds = pause.as_secs(), %error, "answers cannot be received, trying again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

/// Deletes until nobody can hand over any more. What cannot be deleted comes again, and is handed over to nobody.
async fn delete_all(queue: &Queue, mut receipts: mpsc::Receiver<String>) {
    while let Some(first) = receipts.recv().await {
        let mut batch = vec![first];
        let gather = async {
            while batch.len() < Queue::BATCH
                && let Some(receipt) = receipts.recv().await
            {
                batch.push(receipt);
            }
        };
        // A batch that is not full goes when its time is over.
        let _ = tokio::time::timeout(GATHERED_WITHIN, gather).await;
        if let Err(error) = queue.delete(batch).await {
            tracing::warn!(queue = queue.name(), %error, "answers that were handed over stay in their queue for a while");
        }
    }
}

/// A message that is no result is logged and, like all others, deleted: it would come back for ever.
fn deliver(message: &Message, registry: &Registry, events: &Hub) {
    match serde_json::from_str::<JobResult>(message.body().unwrap_or_default()) {
        Ok(result) => {
            let id = result.id;
            // Also for those who wait no longer: a page may show it.
            events.finished(id, || answer::finished(&result));
            let awaited = registry.deliver(result);
            tracing::debug!(job = %id, awaited, "a result was announced");
        }
        Err(error) => tracing::warn!(message = message.message_id(), %error, "a message on the reply queue is no result, deleting it"),
    }
}
