//! Each object of the chart and of the kustomize base is one that the API server takes, unknown fields refused.

use xtask::paths::Paths;
use xtask::tools::prometheus_operator_crds;

use crate::Stage;
use crate::support::until;

pub async fn are_taken(stage: &Stage) {
    for namespace in ["ops", "photos", "faces", "classifierfleet"] {
        stage.namespace(namespace).await;
    }
    let crds = prometheus_operator_crds(&Paths::discover().unwrap()).await.unwrap();
    for kind in ["servicemonitors", "podmonitors", "scrapeconfigs", "prometheusrules"] {
        let crd = crds.join(format!("monitoring.coreos.com_{kind}.yaml")).display().to_string();
        stage.stack.kubectl(&["apply", "--server-side", "-f", &crd]).await.unwrap();
        // kubectl does not wait for conditions to come at all.
        let wait = ["wait", "--for=condition=Established", "--timeout=30s", "-f", &crd];
        until(&format!("{kind} are known"), async || stage.stack.kubectl(&wait).await.is_ok()).await;
    }
    let full = stage.helm.chart().join("ci/full-values.yaml").display().to_string();
    let every = ["release", "--namespace", "ops", "--values", full.as_str()];
    for args in [&["a", "--namespace", "classifierfleet"][..], &every] {
        let rendered = stage.helm.template(args[0], args[2], &args[3..]).await.unwrap();
        taken(stage, &rendered).await;
    }
    let base = stage.helm.kustomize_file().parent().unwrap().display().to_string();
    let built = stage.stack.kubectl(&["kustomize", &base]).await.unwrap();
    assert!(built.contains("kind: CustomResourceDefinition") && built.contains("kind: Namespace"), "{built}");
    taken(stage, &built).await;
}

async fn taken(stage: &Stage, yaml: &str) {
    let file = stage.stack.dir().join("objects.yaml");
    std::fs::write(&file, yaml).unwrap();
    let apply = ["apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", file.to_str().unwrap()];
    let taken = stage.stack.kubectl(&apply).await.unwrap();
    let objects = yaml.lines().filter(|line| line.starts_with("kind: ")).count();
    assert_eq!(taken.lines().count(), objects, "{taken}");
}
