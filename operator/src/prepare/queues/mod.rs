//! The fleet's queues: request with its dead-letter queue, and one reply queue for each gateway replica. First it is found out
//! whose they are, and only then is anything made or changed.
//!
//! Reply queues of replicas that were scaled away stay until the fleet goes: jobs under way may still name them, SQS would not
//! let them be made again for 60 s, and an idle queue costs nothing.

mod calls;
pub mod settings;

pub(super) use calls::url;

use std::collections::BTreeMap;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;
use crds::{ClassifierFleet, Queues};
use futures::future::try_join_all;

use self::settings::Attributes;
use super::fault::Fault;
use super::names::is_reply;
use super::owner::{Owner, Registry, Whose};

/// URLs by the queues' names.
pub type Urls = BTreeMap<String, String>;

/// The queues that exist, none of them another fleet's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    urls: Urls,
    /// Names of queues whose tags are to be put right.
    inherited: Vec<String>,
}

/// Finds out which queues of the fleet exist and whose they are; those of `known` need not be asked after. Changes nothing.
///
/// # Errors
/// [`NAME_IN_USE`](super::NAME_IN_USE) when another fleet has one; others when SQS or Kubernetes cannot tell.
pub async fn survey(sqs: &Client, owner: &Owner, fleet: &ClassifierFleet, known: Urls, registry: &impl Registry) -> Result<Survey, Fault> {
    let names = names(fleet);
    let unknown = names.into_iter().filter(|name| !known.contains_key(name));
    let found = try_join_all(unknown.map(|name| look(sqs, owner, name, registry))).await?;
    let mut survey = Survey { urls: known, inherited: Vec::new() };
    for (name, url, whose) in found.into_iter().flatten() {
        match whose {
            Whose::Own | Whose::Nobodys => {}
            Whose::Inherited => survey.inherited.push(name.clone()),
            Whose::Anothers(other) => return Err(other.holds(&name, owner)),
        }
        survey.urls.insert(name, url);
    }
    Ok(survey)
}

fn names(fleet: &ClassifierFleet) -> Vec<String> {
    let queues = &fleet.spec.queues;
    let replies = (0..fleet.spec.gateway.replicas).map(|ordinal| queues.reply_name(ordinal));
    [queues.request.name.clone(), queues.dead_letter_name()].into_iter().chain(replies).collect()
}

async fn look(sqs: &Client, owner: &Owner, name: String, registry: &impl Registry) -> Result<Option<(String, String, Whose)>, Fault> {
    let Some(url) = calls::url(sqs, &name).await? else { return Ok(None) };
    let Some(tags) = calls::tags(sqs, &name, &url).await? else { return Ok(None) };
    let whose = owner.whose(&tags, registry).await?;
    Ok(Some((name, url, whose)))
}

/// Makes the queues that are missing, puts the settings of the others right, and answers with the URLs of all.
pub async fn ensure(sqs: &Client, owner: &Owner, fleet: &ClassifierFleet, survey: Survey) -> Result<Urls, Fault> {
    let (queues, worker) = (&fleet.spec.queues, Worker { sqs, owner, survey: &survey });
    let dead = worker.queue(queues.dead_letter_name(), settings::dead_letter(queues)).await?;
    let arn = worker.arn(&dead).await?;
    let request = worker.queue(queues.request.name.clone(), settings::request(queues, &arn)).await?;
    let replies = (0..fleet.spec.gateway.replicas).map(|ordinal| worker.queue(queues.reply_name(ordinal), settings::reply()));
    let replies = try_join_all(replies).await?;
    Ok([dead, request].into_iter().chain(replies).map(|queue| (queue.name, queue.url)).collect())
}

struct Worker<'a> {
    sqs: &'a Client,
    owner: &'a Owner,
    survey: &'a Survey,
}

/// A queue that exists and is set as it should be.
struct Ready {
    name: String,
    url: String,
    arn: Option<String>,
}

impl Worker<'_> {
    async fn queue(&self, name: String, wanted: Attributes) -> Result<Ready, Fault> {
        if let Some(url) = self.survey.urls.get(&name)
            && let Some(mut live) = calls::attributes(self.sqs, &name, url).await?
        {
            self.put_right(&name, url, wanted, &live).await?;
            return Ok(Ready { url: url.clone(), arn: live.remove(&QueueAttributeName::QueueArn), name });
        }
        let url = calls::create(self.sqs, &name, wanted, self.owner.tags()).await?;
        tracing::info!(queue = name, fleet = self.owner.name, namespace = self.owner.namespace, "queue made");
        Ok(Ready { name, url, arn: None })
    }

    async fn put_right(&self, name: &str, url: &str, wanted: Attributes, live: &Attributes) -> Result<(), Fault> {
        let changes = settings::changes(wanted, live);
        if !changes.is_empty() {
            tracing::info!(
                queue = name,
                fleet = self.owner.name,
                namespace = self.owner.namespace,
                ?changes,
                "settings of the queue are changed"
            );
            calls::set(self.sqs, name, url, changes).await?;
        }
        if self.survey.inherited.iter().any(|inherited| inherited == name) {
            tracing::info!(
                queue = name,
                fleet = self.owner.name,
                namespace = self.owner.namespace,
                "the queue of a fleet that is gone is taken over"
            );
            calls::tag(self.sqs, name, url, self.owner.tags()).await?;
        }
        Ok(())
    }

    async fn arn(&self, queue: &Ready) -> Result<String, Fault> {
        if let Some(arn) = &queue.arn {
            return Ok(arn.clone());
        }
        let attributes = calls::attributes(self.sqs, &queue.name, &queue.url).await?;
        let arn = attributes.and_then(|mut attributes| attributes.remove(&QueueAttributeName::QueueArn));
        arn.ok_or_else(|| calls::silent(&queue.name, "ARN"))
    }
}

/// Deletes the queues that the operator made for the fleet, with all that is in them. Those that it did not make stay.
pub async fn delete(sqs: &Client, owner: &Owner, queues: &Queues) -> Result<(), Fault> {
    // All replies, also those of replicas that were scaled away.
    let replies = calls::names(sqs, &format!("{}-", queues.response.name)).await?;
    let replies = replies.into_iter().filter(|name| is_reply(&queues.response.name, name));
    let names = [queues.request.name.clone(), queues.dead_letter_name()].into_iter().chain(replies);
    try_join_all(names.map(|name| delete_own(sqs, owner, name))).await?;
    Ok(())
}

async fn delete_own(sqs: &Client, owner: &Owner, name: String) -> Result<(), Fault> {
    let Some(url) = calls::url(sqs, &name).await? else { return Ok(()) };
    let Some(tags) = calls::tags(sqs, &name, &url).await? else { return Ok(()) };
    if Owner::read(&tags).is_none_or(|tagged| tagged.uid != owner.uid) {
        tracing::info!(queue = name, fleet = owner.name, namespace = owner.namespace, "the queue was not made for the fleet and stays");
        return Ok(());
    }
    calls::delete(sqs, &name, &url).await?;
    tracing::info!(queue = name, fleet = owner.name, namespace = owner.namespace, "queue deleted");
    Ok(())
}
