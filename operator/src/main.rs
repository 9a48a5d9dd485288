//! The operator: watches ClassifierFleets and keeps their queues, gateways and EC2 workers as declared.

use std::sync::{Arc, OnceLock};

use anyhow::Context as _;
use clap::Parser as _;
use kube::Client;
use operator::context::Operator;
use operator::settings::Settings;
use operator::tasks::{Ended, Ends, tasks};
use operator::{controller, discovery, leader, orphans};
use prometheus::Registry;
use service::monitor::{self, Page, Readiness};
use service::{logs, shutdown};
use tokio_util::sync::CancellationToken;

// Two threads are more than it keeps busy with a thousand fleets. One for each core of a large node would each hold memory back.
#[tokio::main(worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let settings = Settings::parse();
    logs::init(&settings.logs)?;
    let stop = shutdown::on_signal()?;
    let (registry, readiness) = (Registry::new(), Readiness::default());
    let (tasks, ends) = tasks();
    let known = Arc::new(OnceLock::new());
    let monitor = monitor::bind_with(settings.monitor_listen, registry.clone(), readiness.clone(), Some(workers(&known)), stop.clone());
    let (address, monitor) = monitor.await?;
    tasks.spawn("monitor", monitor);
    tracing::info!(%address, version = env!("CARGO_PKG_VERSION"), "the operator starts");
    let client = Client::try_default().await.context("no Kubernetes API: set KUBECONFIG, or run in a pod with a service account")?;
    let (leading, election) = leader::election(&client, &settings).await?;
    let operator = Operator::start(settings, &registry, client, &tasks, &stop).await?;
    known.set(operator.clone()).ok();
    let mut awaited = vec!["controller"];
    if let Some(election) = election {
        tasks.spawn("election", election.run(stop.clone()));
        awaited.push("election");
    }
    tasks.spawn("orphans", orphans::run(operator.clone(), leading.clone(), stop.clone()));
    tasks.spawn("controller", controller::run(operator, leading, readiness, stop.clone()));
    drop(tasks);
    wait(ends, &stop, awaited).await?;
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

/// Each task runs until the process is asked to stop; one that ends before takes the process with it. Then those that are
/// `awaited` may finish: reconciles under way, and giving the Lease back.
async fn wait(mut ends: Ends, stop: &CancellationToken, mut awaited: Vec<&str>) -> anyhow::Result<()> {
    while let Some(Ended { name, result }) = ends.next().await {
        result.with_context(|| format!("the {name} task died"))?;
        anyhow::ensure!(stop.is_cancelled(), "the {name} task ended before it was asked to");
        awaited.retain(|task| *task != name);
        if awaited.is_empty() {
            break;
        }
    }
    Ok(())
}
