//! The operator: watches ClassifierFleets and keeps their queues, gateways and EC2 workers as declared.

use std::sync::{Arc, OnceLock};

use clap::Parser as _;
use operator::context::{Operator, Outside, kubernetes};
use operator::discovery;
use operator::run::Running;
use operator::settings::Settings;
use operator::tasks::tasks;
use prometheus::Registry;
use service::monitor::{self, Page, Readiness};
use service::shutdown;
use service::traces::{self, Source};

// Two threads are more than it keeps busy with a thousand fleets. One for each core of a large node would each hold memory back.
#[tokio::main(worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let settings = Settings::parse();
    let pod = std::env::var("HOSTNAME").ok();
    let attributes: Vec<_> = pod.iter().map(|pod| ("k8s.pod.name", pod.as_str())).collect();
    let source = Source { program: "classifierfleet-operator", version: env!("CARGO_PKG_VERSION"), attributes: &attributes };
    let _traces = traces::start(&settings.logs, &source)?;
    let stop = shutdown::on_signal()?;
    let (registry, readiness) = (Registry::new(), Readiness::default());
    let (tasks, ends) = tasks();
    let known = Arc::new(OnceLock::new());
    let monitor = monitor::bind_with(settings.monitor_listen, registry.clone(), readiness.clone(), Some(workers(&known)), stop.clone());
    let (address, monitor) = monitor.await?;
    tasks.spawn("monitor", monitor);
    tracing::info!(%address, version = env!("CARGO_PKG_VERSION"), "the operator starts");
    let client = kubernetes().await?;
    let running = Running::start(settings, Outside::new(client), &registry, readiness, &tasks, &stop).await?;
    known.set(running.operator.clone()).ok();
    drop(tasks);
    running.wait(ends, &stop).await?;
    tracing::info!("the operator has stopped; its workers go on");
    Ok(())
}

/// Where Prometheus finds workers, as soon as the operator is known.
fn workers(operator: &Arc<OnceLock<Arc<Operator>>>) -> Page {
    let operator = operator.clone();
    Page::new(discovery::PATH, move || {
        let operator = operator.clone();
        async move { discovery::workers(&operator).await }
    })
}
