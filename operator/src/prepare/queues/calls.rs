//! What is asked of SQS, one call each, and how its refusals read.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::QueueAttributeName;

use super::settings::Attributes;
use crate::prepare::fault::{Fault, code};
use crate::prepare::owner::Tags;

const REASON: &str = "QueueUnavailable";

/// The URL of a queue; none when there is no such queue.
pub(in crate::prepare) async fn url(sqs: &Client, name: &str) -> Result<Option<String>, Fault> {
    match sqs.get_queue_url().queue_name(name).send().await {
        Ok(answer) => answer.queue_url.map(Some).ok_or_else(|| silent(name, "URL")),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(Fault::aws(REASON, &format!("The queue {name} cannot be looked up"), "sqs:GetQueueUrl", &error)),
    }
}

/// The tags of a queue; none when there is no such queue.
pub(super) async fn tags(sqs: &Client, name: &str, url: &str) -> Result<Option<Tags>, Fault> {
    match sqs.list_queue_tags().queue_url(url).send().await {
        Ok(answer) => Ok(Some(answer.tags.unwrap_or_default())),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(Fault::aws(REASON, &format!("The tags of the queue {name} cannot be read"), "sqs:ListQueueTags", &error)),
    }
}

/// The settings of a queue; none when there is no such queue.
pub(super) async fn attributes(sqs: &Client, name: &str, url: &str) -> Result<Option<Attributes>, Fault> {
    match sqs.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All).send().await {
        Ok(answer) => Ok(Some(answer.attributes.unwrap_or_default())),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => {
            Err(Fault::aws(REASON, &format!("The settings of the queue {name} cannot be read"), "sqs:GetQueueAttributes", &error))
        }
    }
}

/// Changes settings of a queue.
pub(super) async fn set(sqs: &Client, name: &str, url: &str, changes: Attributes) -> Result<(), Fault> {
    let answer = sqs.set_queue_attributes().queue_url(url).set_attributes(Some(changes)).send().await;
    answer.map_err(|error| {
        Fault::aws(REASON, &format!("The settings of the queue {name} cannot be changed"), "sqs:SetQueueAttributes", &error)
    })?;
    Ok(())
}

/// Adds tags to a queue.
pub(super) async fn tag(sqs: &Client, name: &str, url: &str, tags: Tags) -> Result<(), Fault> {
    let answer = sqs.tag_queue().queue_url(url).set_tags(Some(tags)).send().await;
    answer.map_err(|error| Fault::aws(REASON, &format!("The queue {name} cannot be tagged"), "sqs:TagQueue", &error))?;
    Ok(())
}

/// Makes a queue and answers with its URL.
pub(super) async fn create(sqs: &Client, name: &str, attributes: Attributes, tags: Tags) -> Result<String, Fault> {
    let attributes = Some(attributes).filter(|attributes| !attributes.is_empty());
    match sqs.create_queue().queue_name(name).set_attributes(attributes).set_tags(Some(tags)).send().await {
        Ok(answer) => answer.queue_url.ok_or_else(|| silent(name, "URL")),
        Err(error) if is(&error, &["AWS.SimpleQueueService.QueueDeletedRecently", "QueueDeletedRecently"]) => {
            let message = format!(
                "The queue {name} was deleted less than 60 s ago, and SQS makes no queue of the same name sooner: it is tried again until SQS agrees, nothing \
                 need be done."
            );
            Err(Fault { reason: "QueueDeletedRecently", message })
        }
        Err(error) => Err(Fault::aws(REASON, &format!("The queue {name} cannot be made"), "sqs:CreateQueue and sqs:TagQueue", &error)),
    }
}

/// Deletes a queue, if there is one.
pub(super) async fn delete(sqs: &Client, name: &str, url: &str) -> Result<(), Fault> {
    match sqs.delete_queue().queue_url(url).send().await {
        Ok(_) => Ok(()),
        Err(error) if is_missing(&error) => Ok(()),
        Err(error) => Err(Fault::aws("CleanUpFailed", &format!("The queue {name} cannot be deleted"), "sqs:DeleteQueue", &error)),
    }
}

/// Names of all queues that begin with `prefix`.
pub(super) async fn names(sqs: &Client, prefix: &str) -> Result<Vec<String>, Fault> {
    let mut pages = sqs.list_queues().queue_name_prefix(prefix).max_results(1000).into_paginator().send();
    let mut names = Vec::new();
    while let Some(page) = pages.next().await {
        let page =
            page.map_err(|error| Fault::aws("CleanUpFailed", "The fleet's reply queues cannot be listed", "sqs:ListQueues", &error))?;
        let urls = page.queue_urls.unwrap_or_default();
        names.extend(urls.iter().filter_map(|url| Some(url.rsplit_once('/')?.1.to_owned())));
    }
    Ok(names)
}

fn is_missing<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    is(error, &["AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"])
}

/// By code, not by the SDK's type: that needs a header which not all stand-ins for SQS send. The first code comes with it.
fn is<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>, codes: &[&str]) -> bool {
    code(error).is_some_and(|code| codes.contains(&code))
}

/// SQS left out what it promises.
pub(super) fn silent(queue: &str, what: &str) -> Fault {
    Fault { reason: REASON, message: format!("SQS told no {what} of the queue {queue}; it is asked again.") }
}
