//! The operator: watches ClassifierFleets and keeps their queues, gateways and EC2 workers as declared.

use anyhow::Context as _;
use clap::Parser as _;
use operator::context::Operator;
use operator::controller;
use operator::settings::Settings;
use prometheus::Registry;
use service::monitor::{self, Readiness};
use service::{logs, shutdown};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let settings = Settings::parse();
    logs::init(&settings.logs)?;
    let stop = shutdown::on_signal()?;
    let registry = Registry::new();
    let readiness = Readiness::default();
    let (address, monitor) = monitor::bind(settings.monitor_listen, registry.clone(), readiness.clone(), stop.clone()).await?;
    tracing::info!(%address, version = env!("CARGO_PKG_VERSION"), "the operator starts");
    let (operator, tasks) = Operator::start(settings, &registry, stop.clone()).await?;
    let mut monitor = tokio::spawn(monitor);
    let mut inventory = tokio::spawn(tasks.inventory);
    let mut gateways = tokio::spawn(tasks.gateways);
    let mut controller = tokio::spawn(controller::run(operator, readiness, stop.clone()));
    // Each of these runs until the process is asked to stop; one that ends before takes the process with it.
    let ended = tokio::select! {
        result = &mut monitor => ("monitor", result),
        result = &mut inventory => ("inventory", result),
        result = &mut gateways => ("gateway watch", result),
        result = &mut controller => ("controller", result),
    };
    let (name, result) = ended;
    result.with_context(|| format!("the {name} task died"))?;
    anyhow::ensure!(stop.is_cancelled(), "the {name} task ended before it was asked to");
    if name != "controller" {
        controller.await.context("the controller task died")?;
    }
    tracing::info!("the operator has stopped; its workers go on");
    Ok(())
}
