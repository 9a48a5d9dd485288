//! The revision of a fleet: what its workers are made from, and the hash that names it. Pure.

use crds::{ClassifierFleet, Tracing};
use ec2::{Template, TemplateVersion};
use kube::ResourceExt as _;
use sha2::{Digest as _, Sha256};

use crate::discovery::WORKER_MONITOR_PORT;
use crate::user_data;

/// Changes when the same spec must make other workers: then all fleets roll.
const HASH_VERSION: &str = "2";

/// What workers of a fleet are made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// The fleet's launch template.
    pub template: Template,
    /// Its version for this revision.
    pub version: TemplateVersion,
}

/// The variables through which AWS endpoints are set; workers and gateways speak to the same AWS as the operator.
pub const ENDPOINT_VARIABLES: [&str; 4] = ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_EC2", "AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL_S3"];

impl Revision {
    /// The revision that `fleet` asks for, with workers made from the AMI `image` in `region` that reach AWS at `endpoints`
    /// (variable, value). `cluster` is this cluster's name in tags.
    pub fn of(fleet: &ClassifierFleet, image: &str, cluster: &str, region: &str, endpoints: &[(String, String)]) -> Self {
        let template = &fleet.spec.workers.template;
        let mut environment = environment(fleet, region);
        environment.extend(endpoints.iter().cloned());
        // A worker that leaves is stopped while there is a pool to keep it in: EC2 is told so at the launch.
        let stop_on_shutdown = fleet.spec.workers.warm_pool.max > 0;
        let revision = hash(fleet, image, stop_on_shutdown, &environment);
        environment.push(("CLASSIFIERFLEET_REVISION".to_owned(), revision.clone()));
        let version = TemplateVersion {
            revision,
            image_id: image.to_owned(),
            instance_type: template.instance_types.first().cloned().unwrap_or_default(),
            security_group_ids: template.security_group_ids.clone(),
            instance_profile: template.instance_profile.clone(),
            key_name: template.key_name.clone(),
            volume_gib: template.volume_gib,
            stop_on_shutdown,
            user_data: user_data::render(fleet, &environment),
        };
        Self { template: template_of(fleet, cluster), version }
    }

    /// The same, under the name of an earlier revision: while it is not known what this one would be, nothing is replaced.
    #[must_use]
    pub fn named(mut self, earlier: &str) -> Self {
        earlier.clone_into(&mut self.version.revision);
        self
    }

    /// Its name: the hash.
    pub fn name(&self) -> &str {
        &self.version.revision
    }
}

/// The fleet's launch template.
pub fn template_of(fleet: &ClassifierFleet, cluster: &str) -> Template {
    let tags = [
        (ec2::tags::UID, fleet.uid()),
        (ec2::tags::CLUSTER, Some(cluster.to_owned())),
        (ec2::tags::NAMESPACE, fleet.namespace()),
        (ec2::tags::FLEET, Some(fleet.name_any())),
    ];
    let tags = tags.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect();
    Template { name: template_name(fleet), tags }
}

/// Name of the fleet's launch template. The uid, not the name: a fleet deleted and made again is another.
pub fn template_name(fleet: &ClassifierFleet) -> String {
    format!("classifierfleet-{}", fleet.uid().unwrap_or_default())
}

fn environment(fleet: &ClassifierFleet, region: &str) -> Vec<(String, String)> {
    let spec = &fleet.spec;
    let variables = [
        ("AWS_REGION", region.to_owned()),
        ("CLASSIFIERFLEET_NAMESPACE", fleet.namespace().unwrap_or_default()),
        ("CLASSIFIERFLEET_FLEET", fleet.name_any()),
        ("CLASSIFIERFLEET_REQUEST_QUEUE", spec.queues.request.name.clone()),
        ("CLASSIFIERFLEET_OUTPUT_BUCKET", spec.storage.output_bucket.clone()),
        ("CLASSIFIERFLEET_MODEL_URI", spec.model.uri.clone()),
        ("CLASSIFIERFLEET_ENGINE", spec.model.engine.to_string()),
        ("CLASSIFIERFLEET_VISIBILITY_TIMEOUT_SECONDS", spec.queues.visibility_timeout_seconds.to_string()),
        ("CLASSIFIERFLEET_MONITOR_LISTEN", format!("instance:{WORKER_MONITOR_PORT}")),
        ("CLASSIFIERFLEET_IDLE_SHUTDOWN_SECONDS", spec.workers.idle_shutdown_seconds.to_string()),
    ];
    let tracing = spec.tracing.iter().flat_map(Tracing::environment);
    variables.into_iter().chain(tracing).map(|(key, value)| (key.to_owned(), value)).collect()
}

fn hash(fleet: &ClassifierFleet, image: &str, stop_on_shutdown: bool, environment: &[(String, String)]) -> String {
    let mut hash = Sha256::new();
    hash.update(HASH_VERSION);
    hash.update([u8::from(stop_on_shutdown)]);
    hash.update(image);
    // The template is plain data: it always has a JSON form.
    hash.update(serde_json::to_vec(&fleet.spec.workers.template).unwrap_or_default());
    for (key, value) in environment {
        hash.update([0]);
        hash.update(key);
        hash.update([0]);
        hash.update(value);
    }
    hex::encode(hash.finalize())[..10].to_owned()
}
