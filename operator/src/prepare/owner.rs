//! Whose a queue or a bucket is, by its tags: what the operator makes is tagged, and what is tagged by another fleet is left
//! alone. What has no such tags was made by somebody else: fleets may use it, and nobody here deletes it.

use std::collections::HashMap;
use std::future::Future;

use crds::ClassifierFleet;
use ec2::tags;
use kube::{Api, Client, ResourceExt as _};

use super::fault::{Fault, NAME_IN_USE};

/// Keys and values.
pub type Tags = HashMap<String, String>;

/// A fleet, as the tags of what is made for it say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The cluster's name in tags; none: the tags do not say.
    pub cluster: Option<String>,
    /// Uid of the fleet.
    pub uid: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// Whose something is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// It has no tags of ours.
    Nobodys,
    /// The fleet's own.
    Own,
    /// The fleet's from now on: who had it is gone. Its tags are to be put right.
    Inherited,
    /// Another fleet's that lives, or may live in another cluster.
    Anothers(Owner),
}

/// Knows whether fleets of this cluster still exist.
pub trait Registry: Sync {
    /// Whether the fleet that `owner` says exists.
    ///
    /// # Errors
    /// When that cannot be known now.
    fn lives(&self, owner: &Owner) -> impl Future<Output = Result<bool, Fault>> + Send;
}

impl Registry for Client {
    async fn lives(&self, owner: &Owner) -> Result<bool, Fault> {
        let fleets: Api<ClassifierFleet> = Api::namespaced(self.clone(), &owner.namespace);
        let found = fleets.get_metadata_opt(&owner.name).await.map_err(|error| {
            let Owner { namespace, name, .. } = owner;
            Fault::kubernetes(
                &format!("Whether the fleet {namespace}/{name}, which has a queue or bucket of this one, still exists cannot be known"),
                &error,
            )
        })?;
        Ok(found.is_some_and(|fleet| fleet.metadata.uid.as_ref() == Some(&owner.uid)))
    }
}

impl Owner {
    /// `fleet` in the cluster of this name.
    pub fn of(fleet: &ClassifierFleet, cluster: &str) -> Self {
        Self {
            cluster: Some(cluster.to_owned()),
            uid: fleet.uid().unwrap_or_default(),
            namespace: fleet.namespace().unwrap_or_default(),
            name: fleet.name_any(),
        }
    }

    /// As tags say; none when they do not.
    pub fn read(tags: &Tags) -> Option<Self> {
        let tag = |key: &str| tags.get(key).cloned();
        Some(Self {
            cluster: tag(tags::CLUSTER),
            uid: tag(tags::UID)?,
            namespace: tag(tags::NAMESPACE).unwrap_or_default(),
            name: tag(tags::FLEET).unwrap_or_default(),
        })
    }

    /// The tags that say so.
    pub fn tags(&self) -> Tags {
        let Self { cluster, uid, namespace, name } = self;
        let tags =
            [(tags::UID, Some(uid)), (tags::CLUSTER, cluster.as_ref()), (tags::NAMESPACE, Some(namespace)), (tags::FLEET, Some(name))];
        tags.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?.clone()))).collect()
    }

    /// Whose something with these tags is, from this fleet's view.
    ///
    /// # Errors
    /// When it cannot be known whether another fleet of this cluster still exists.
    pub async fn whose(&self, tags: &Tags, registry: &impl Registry) -> Result<Whose, Fault> {
        let Some(owner) = Self::read(tags) else { return Ok(Whose::Nobodys) };
        if owner == *self {
            return Ok(Whose::Own);
        }
        let gone = owner.cluster == self.cluster && !registry.lives(&owner).await?;
        // A uid is unique: with another cluster's name it says that this cluster has got another name.
        Ok(if owner.uid == self.uid || gone { Whose::Inherited } else { Whose::Anothers(owner) })
    }

    /// Another fleet has the queue of this name.
    pub(super) fn holds(&self, queue: &str, seen_from: &Self) -> Fault {
        let Self { cluster, uid, namespace, name } = self;
        let cluster = match cluster {
            cluster if *cluster == seen_from.cluster => "this cluster".to_owned(),
            Some(cluster) => format!("the cluster {cluster}"),
            None => "an unknown cluster".to_owned(),
        };
        let message = format!(
            "The queue {queue} belongs to the fleet {namespace}/{name} (uid {uid}) of {cluster}: apply this fleet with other names in spec.queues, or delete \
             that one. If that one is gone, remove the queue's tag {}, and this fleet takes it.",
            tags::UID
        );
        Fault { reason: NAME_IN_USE, message }
    }
}
