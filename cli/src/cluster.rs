//! Fleets of a cluster, and errors that say what to do. Knows nothing of what is shown.

use crds::ClassifierFleet;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::ListParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, ResourceExt as _};

use crate::args::ClusterArgs;
use crate::near::nearest;

/// Why a cluster does not answer as it should.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No cluster is known.
    #[error("no cluster is configured: {0}. Choose one with --context or --kubeconfig, or set KUBECONFIG")]
    Config(String),
    /// The API server does not answer.
    #[error(
        "the API server at {server} does not answer: {reason}. Does the cluster run, and is this the right context (kubectl config current-context)?"
    )]
    Unreachable {
        /// Its URL.
        server: String,
        /// Why.
        reason: String,
    },
    /// It refuses.
    #[error("the API server at {server} refuses: {message}")]
    Refused {
        /// Its URL.
        server: String,
        /// Why.
        message: String,
    },
    /// It does not know fleets.
    #[error(
        "the cluster at {0} knows no ClassifierFleets: install them with kubectl apply --server-side -f crds/classifierfleet.yaml, and the operator"
    )]
    NoCrd(String),
    /// It has no such fleet.
    #[error("there is no ClassifierFleet {name:?} in namespace {namespace}{hint}")]
    NoFleet {
        /// The name.
        name: String,
        /// The namespace.
        namespace: String,
        /// What may have been meant.
        hint: String,
    },
}

/// A cluster, and the namespace that is asked for.
pub struct Cluster {
    client: Client,
    server: String,
    /// The namespace; none: all.
    pub namespace: Option<String>,
}

impl Cluster {
    /// The cluster that `args` and the kubeconfig name; nothing is asked of it yet.
    ///
    /// # Errors
    /// [`Error::Config`] when there is none.
    pub async fn connect(args: &ClusterArgs, all_namespaces: bool) -> Result<Self, Error> {
        let config = config(args).await?;
        let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
        let namespace = args.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let client = Client::try_from(config).map_err(|error| Error::Config(innermost(&error)))?;
        Ok(Self { client, server, namespace: (!all_namespaces).then_some(namespace) })
    }

    /// The fleets, of one namespace or all.
    #[must_use]
    pub fn fleets(&self) -> Api<ClassifierFleet> {
        match &self.namespace {
            Some(namespace) => Api::namespaced(self.client.clone(), namespace),
            None => Api::all(self.client.clone()),
        }
    }

    /// The Secrets beside `fleet`.
    #[must_use]
    pub fn secrets(&self, fleet: &ClassifierFleet) -> Api<Secret> {
        Api::namespaced(self.client.clone(), &fleet.namespace().unwrap_or_default())
    }

    /// The pods of `namespace`; none: of all.
    #[must_use]
    pub fn pods(&self, namespace: Option<&str>) -> Api<Pod> {
        let client = self.client.clone();
        namespace.map_or_else(|| Api::all(client.clone()), |namespace| Api::namespaced(client.clone(), namespace))
    }

    /// All fleets asked for; `name`: only that one.
    ///
    /// # Errors
    /// [`Error`], with names alike when there is none of this name.
    pub async fn list(&self, name: Option<&str>) -> Result<Vec<ClassifierFleet>, Error> {
        let fleets = self.fleets().list(&ListParams::default()).await.map_err(|error| self.error(error))?.items;
        let Some(name) = name else { return Ok(fleets) };
        let found: Vec<ClassifierFleet> = fleets.iter().filter(|fleet| fleet.name_any() == name).cloned().collect();
        if found.is_empty() { Err(self.missing(name, &fleets).await) } else { Ok(found) }
    }

    async fn missing(&self, name: &str, fleets: &[ClassifierFleet]) -> Error {
        let namespace = self.namespace.clone().unwrap_or_else(|| "(any)".to_owned());
        let names: Vec<String> = fleets.iter().map(kube::ResourceExt::name_any).collect();
        // Those of other namespaces are a hint only: who may not see them does without.
        let everywhere = Api::<ClassifierFleet>::all(self.client.clone()).list(&ListParams::default()).await;
        let everywhere = everywhere.map(|list| list.items).unwrap_or_default();
        let elsewhere: Vec<String> =
            everywhere.iter().filter(|fleet| fleet.name_any() == name).filter_map(kube::ResourceExt::namespace).collect();
        Error::NoFleet { name: name.to_owned(), hint: hint(name, &namespace, &names, &elsewhere), namespace }
    }

    /// What the client's error means.
    #[must_use]
    pub fn error(&self, error: kube::Error) -> Error {
        let server = self.server.clone();
        match error {
            kube::Error::Api(status) if status.code == 404 => Error::NoCrd(server),
            kube::Error::Api(status) => Error::Refused { server, message: status.message.trim_end_matches('.').to_owned() },
            error @ (kube::Error::Service(_) | kube::Error::HyperError(_)) => Error::Unreachable { server, reason: innermost(&error) },
            error => Error::Refused { server, message: innermost(&error) },
        }
    }
}

async fn config(args: &ClusterArgs) -> Result<Config, Error> {
    let options = KubeConfigOptions { context: args.context.clone(), ..KubeConfigOptions::default() };
    let config = match &args.kubeconfig {
        Some(file) => {
            let kubeconfig = Kubeconfig::read_from(file).map_err(|error| Error::Config(innermost(&error)))?;
            Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|error| innermost(&error))
        }
        None if args.context.is_some() => Config::from_kubeconfig(&options).await.map_err(|error| innermost(&error)),
        None => Config::infer().await.map_err(|error| innermost(&error)),
    };
    config.map_err(Error::Config)
}

fn hint(name: &str, namespace: &str, names: &[String], elsewhere: &[String]) -> String {
    if let Some(other) = elsewhere.first() {
        return format!(", but there is one in {other}: add -n {other}");
    }
    let near = nearest(name, names.iter().map(String::as_str));
    match (near.as_slice(), names.is_empty()) {
        ([], true) => format!("; there is none at all in {namespace} (kubectl get cfleet -A shows all)"),
        ([], false) => format!("; there are {}", names.join(", ")),
        (near, _) => format!("; did you mean {}?", near.join(" or ")),
    }
}

/// The cause at the end of the chain: what is around it says less.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_name_what_may_have_been_meant() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(hint("imagnet", "default", &names(&["imagenet", "faces"]), &[]), "; did you mean imagenet?");
        assert_eq!(hint("x", "default", &names(&["imagenet", "faces"]), &[]), "; there are imagenet, faces");
        assert_eq!(hint("faces", "default", &[], &names(&["vision"])), ", but there is one in vision: add -n vision");
        assert_eq!(hint("x", "default", &[], &[]), "; there is none at all in default (kubectl get cfleet -A shows all)");
    }
}
