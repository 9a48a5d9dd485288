//! Orders to instances that exist: tag, start, terminate. Those of one moment share a call, which is made even when its
//! callers have gone.

use std::sync::Arc;

use crate::actions::{CREATE_TAGS, START_INSTANCES, TERMINATE_INSTANCES};
use crate::batch::Batcher;
use crate::instances::sdk_tags;
use crate::{Api, Ec2, Error};

type Tags = Vec<(String, String)>;

/// Orders that are being gathered.
pub(crate) struct Orders {
    tags: Batcher<Tags>,
    starts: Batcher<()>,
    terminations: Batcher<()>,
}

impl Orders {
    pub(crate) fn new(api: &Arc<Api>) -> Self {
        let (tag, start, terminate) = (api.clone(), api.clone(), api.clone());
        Self {
            tags: Batcher::new(CREATE_TAGS.name, move |tags: Tags, ids| {
                let api = tag.clone();
                async move { api.tag(&tags, ids).await }
            }),
            starts: Batcher::new(START_INSTANCES.name, move |(), ids| {
                let api = start.clone();
                async move { api.start(ids).await }
            }),
            terminations: Batcher::new(TERMINATE_INSTANCES.name, move |(), ids| {
                let api = terminate.clone();
                async move { api.terminate(ids).await }
            }),
        }
    }
}

impl Ec2 {
    /// Sets `tags` on each of `ids`. Calls with equal tags within about 20 ms are one to EC2. An id that EC2 does not know
    /// fails its own caller only, and the others of that caller are tagged.
    ///
    /// # Errors
    /// As EC2 answers to the first of `ids` that failed. Asking again for all of them is harmless.
    pub async fn create_tags(&self, ids: &[String], tags: &[(String, String)]) -> Result<(), Error> {
        self.orders.tags.call(tags.to_vec(), ids).await
    }

    /// Starts each of `ids`, which are stopped. Calls within about 20 ms are one to EC2. An instance that cannot be started
    /// fails its own caller only; where EC2 says which one it is, the others of that caller are started.
    ///
    /// # Errors
    /// As EC2 answers to the first of `ids` that failed. Asking again for all of them is harmless.
    pub async fn start_instances(&self, ids: &[String]) -> Result<(), Error> {
        self.orders.starts.call((), ids).await
    }

    /// Terminates each of `ids`; those that EC2 does not know are taken for gone. Calls within about 20 ms are one to EC2.
    ///
    /// # Errors
    /// As EC2 answers to the first of `ids` that failed. Asking again for all of them is harmless.
    pub async fn terminate_instances(&self, ids: &[String]) -> Result<(), Error> {
        self.orders.terminations.call((), ids).await
    }
}

impl Api {
    async fn tag(&self, tags: &[(String, String)], ids: Vec<String>) -> Result<(), Error> {
        let call = self.client.create_tags().set_resources(Some(ids)).set_tags(Some(sdk_tags(tags)));
        self.gate.call(CREATE_TAGS, || call.clone().send()).await.map(drop)
    }

    async fn start(&self, ids: Vec<String>) -> Result<(), Error> {
        let call = self.client.start_instances().set_instance_ids(Some(ids));
        self.gate.call(START_INSTANCES, || call.clone().send()).await.map(drop)
    }

    async fn terminate(&self, ids: Vec<String>) -> Result<(), Error> {
        let alone = ids.len() == 1;
        let call = self.client.terminate_instances().set_instance_ids(Some(ids));
        match self.gate.call(TERMINATE_INSTANCES, || call.clone().send()).await {
            // Of several, only one may be gone, and none of the others was terminated.
            Err(error) if alone && error.is("InvalidInstanceID.NotFound") => Ok(()),
            answer => answer.map(drop),
        }
    }
}
