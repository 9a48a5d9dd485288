//! The chart on the cluster of a stack: installed and upgraded by Helm, with the stack's AWS and under the strictest Pod Security.

use serde_json::{Value, json};
use xtask::helm::Helm;
use xtask::paths::Paths;
use xtask::progress::Progress;
use xtask::stack::{CREDENTIALS, Stack};

/// Where the operator's pods are.
pub const NAMESPACE: &str = "classifierfleet";
/// The version of the images that the chart names.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

const RELEASE: &str = "classifier-fleet";
const RESTRICTED: &str = "pod-security.kubernetes.io/enforce=restricted";

/// The release.
pub struct Release<'a> {
    stack: &'a Stack,
    helm: Helm,
    values: String,
}

impl<'a> Release<'a> {
    /// Installs the chart, and waits until the operator's replicas are ready.
    pub async fn install(stack: &'a Stack) -> Self {
        let helm = Helm::ensure(&Paths::discover().unwrap(), Progress::quiet()).await.unwrap().with_kubeconfig(stack.kubeconfig());
        stack.kubectl(&["create", "namespace", NAMESPACE]).await.unwrap();
        for namespace in [NAMESPACE, "default"] {
            stack.kubectl(&["label", "namespace", namespace, RESTRICTED]).await.unwrap();
            let [key, secret] = [0, 1].map(|place| format!("--from-literal={}={}", CREDENTIALS[place].0, CREDENTIALS[place].1));
            stack.kubectl(&["create", "secret", "generic", "aws", "--namespace", namespace, &key, &secret]).await.unwrap();
        }
        let file = stack.dir().join("values.json");
        std::fs::write(&file, values(stack).to_string()).unwrap();
        let release = Self { stack, helm, values: file.display().to_string() };
        release.upgrade(VERSION).await;
        release
    }

    /// Rolls out the images tagged `tag`, and waits until the operator's replicas are those.
    pub async fn upgrade(&self, tag: &str) {
        for name in ["operator", "gateway"] {
            self.stack.import_image(name, tag).await.unwrap();
        }
        let (image, gateway) = (format!("image.tag={tag}"), format!("gatewayImage.tag={tag}"));
        let chart = self.helm.chart().to_string_lossy().into_owned();
        let what = ["upgrade", RELEASE, &chart, "--install", "--namespace", NAMESPACE, "--values", &self.values];
        let how = ["--set-string", &image, "--set-string", &gateway, "--wait", "--timeout", "5m"];
        self.helm.run(&[&what[..], &how].concat()).await.unwrap();
    }

    pub async fn uninstall(&self) {
        self.helm.run(&["uninstall", RELEASE, "--namespace", NAMESPACE, "--wait"]).await.unwrap();
    }
}

fn values(stack: &Stack) -> Value {
    let endpoints = stack.endpoints().unwrap();
    json!({
        "aws": {
            "region": CREDENTIALS[2].1,
            "endpoints": {"ec2": endpoints.ec2, "sqs": endpoints.sqs, "s3": endpoints.s3},
            "credentialsSecret": {"name": "aws"},
        },
        "operator": {"logFormat": "text"},
    })
}
