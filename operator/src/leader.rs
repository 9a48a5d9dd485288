//! One of several operators works, the others wait. This saves calls; safety comes from launch intents.

use std::time::Duration;

use anyhow::Context as _;
use kube::Client;
use kube_lease_manager::{LeaseManager, LeaseManagerBuilder};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::context::NAME;
use crate::settings::Settings;

/// Seconds after which the Lease of an operator that died is free.
const LEASE_SECONDS: u64 = 15;
/// Seconds before that at which it is renewed.
const GRACE_SECONDS: u64 = 5;
/// A Lease that cannot be given back ends by itself: nobody waits for it longer than this.
const RELEASE_AT_MOST: Duration = Duration::from_secs(5);

/// Whether this operator leads. Without an election it always does.
pub type Leading = watch::Receiver<bool>;

/// What holds the Lease, or waits for it.
pub struct Election {
    manager: LeaseManager,
    leads: watch::Sender<bool>,
}

/// Makes ready for an election; none when there is to be no other operator.
pub async fn election(client: &Client, settings: &Settings) -> anyhow::Result<(Leading, Option<Election>)> {
    if !settings.leader_elect {
        return Ok((watch::channel(true).1, None));
    }
    let namespace = settings.lease_namespace.clone().unwrap_or_else(|| client.default_namespace().to_owned());
    let identity = settings.identity.clone().unwrap_or_else(|| Uuid::new_v4().to_string());
    let manager = LeaseManagerBuilder::new(client.clone(), NAME)
        .with_namespace(&namespace)
        .with_identity(&identity)
        .with_field_manager(format!("{NAME}-{identity}"))
        .with_duration(LEASE_SECONDS)
        .with_grace(GRACE_SECONDS)
        .build()
        .await
        .with_context(|| format!("the Lease {namespace}/{NAME} cannot be used; may the operator create and update leases there?"))?;
    tracing::info!(lease = NAME, namespace, identity, "waiting to lead");
    let (leads, leading) = watch::channel(false);
    Ok((leading, Some(Election { manager, leads })))
}

impl Election {
    /// Holds the Lease or waits for it until `stop`, then gives it back.
    pub async fn run(self, stop: CancellationToken) {
        loop {
            let Some(changed) = stop.run_until_cancelled(self.manager.changed()).await else { break };
            match changed {
                Ok(leads) => {
                    tracing::info!(leads, "{}", if leads { "this operator leads" } else { "another operator leads" });
                    self.leads.send_replace(leads);
                }
                Err(error) => {
                    // Whoever cannot renew must take it that another one leads soon.
                    tracing::warn!(%error, "the Lease cannot be renewed, trying again");
                    self.leads.send_replace(false);
                    stop.run_until_cancelled(tokio::time::sleep(Duration::from_secs(2))).await;
                }
            }
        }
        self.leads.send_replace(false);
        match tokio::time::timeout(RELEASE_AT_MOST, self.manager.release()).await {
            Ok(Ok(())) => tracing::info!("the Lease is given back"),
            Ok(Err(error)) => tracing::warn!(%error, "the Lease cannot be given back, it ends by itself"),
            Err(_) => tracing::warn!("the Lease cannot be given back in {RELEASE_AT_MOST:?}, it ends by itself"),
        }
    }
}
