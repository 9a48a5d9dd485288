//! One inventory for all fleets of a region: lists the instances that carry the cluster's tag, often while something changes,
//! seldom else.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ec2::{Ec2, tags};
use jiff::Timestamp;
use service::clock::Clock;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;

/// While something changes.
const BUSY: Duration = Duration::from_secs(2);
/// While nothing does. Well below [`plan::STALE_AFTER`].
const QUIET: Duration = Duration::from_secs(10);
/// After a failed list, at most.
const RETRY_AT_MOST: Duration = Duration::from_secs(20);

/// What EC2 listed at one time.
#[derive(Debug)]
pub struct Snapshot {
    /// When the list began: what changed later may be missing.
    pub at: Timestamp,
    /// Instances by the uid of their fleet.
    pub by_fleet: HashMap<String, Vec<ec2::Instance>>,
}

/// Access to the latest list.
#[derive(Clone)]
pub struct Inventory {
    latest: watch::Receiver<Option<Arc<Snapshot>>>,
    hurry: Arc<Hurry>,
}

#[derive(Default)]
struct Hurry {
    wanted: AtomicBool,
    now: Notify,
}

impl Inventory {
    /// The inventory, and the task that keeps it until `stop`.
    pub fn start(
        ec2: Ec2,
        cluster: String,
        region: String,
        clock: Clock,
        metrics: Metrics,
        stop: CancellationToken,
    ) -> (Self, impl Future<Output = ()> + Send + use<>) {
        let (sender, latest) = watch::channel(None);
        let hurry = Arc::new(Hurry::default());
        let lister = Lister { ec2, cluster, region, clock, metrics, latest: sender };
        let task = run(lister, hurry.clone(), stop);
        (Self { latest, hurry }, task)
    }

    /// What EC2 listed last; `None` before the first list. A failed list leaves the old one, which then grows old.
    pub fn latest(&self) -> Option<Arc<Snapshot>> {
        self.latest.borrow().clone()
    }

    /// Something changes: list soon, and often for as long as this is said.
    pub fn hurry(&self) {
        if !self.hurry.wanted.swap(true, Ordering::Relaxed) {
            self.hurry.now.notify_one();
        }
    }
}

/// What a list needs.
struct Lister {
    ec2: Ec2,
    cluster: String,
    region: String,
    clock: Clock,
    metrics: Metrics,
    latest: watch::Sender<Option<Arc<Snapshot>>>,
}

async fn run(lister: Lister, hurry: Arc<Hurry>, stop: CancellationToken) {
    let mut failures = 0;
    loop {
        let busy = hurry.wanted.swap(false, Ordering::Relaxed);
        let pause = match stop.run_until_cancelled(lister.list()).await {
            None => return,
            Some(Ok(())) => {
                failures = 0;
                if busy { BUSY } else { QUIET }
            }
            Some(Err(error)) => {
                let region = lister.region.as_str();
                tracing::warn!(region, %error, failures, "EC2's instances cannot be listed; nothing is launched or removed once the last list is too old");
                lister.metrics.inventory_failures.with_label_values(&[region, error.code.as_deref().unwrap_or("none")]).inc();
                failures += 1;
                BUSY.saturating_mul(1 << failures.min(6)).min(RETRY_AT_MOST)
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
            // Even hurried, no more than one list a second.
            () = hurry.now.notified(), if pause == QUIET => tokio::time::sleep(Duration::from_secs(1)).await,
        }
    }
}

impl Lister {
    async fn list(&self) -> Result<(), ec2::Error> {
        let at = self.clock.now();
        let instances = self.ec2.instances_tagged(tags::CLUSTER, &self.cluster).await?;
        self.metrics.inventory_instances.with_label_values(&[self.region.as_str()]).set(i64::try_from(instances.len()).unwrap_or(i64::MAX));
        let mut by_fleet: HashMap<String, Vec<ec2::Instance>> = HashMap::new();
        for instance in instances {
            if let Some(uid) = instance.tag(tags::UID).map(str::to_owned) {
                by_fleet.entry(uid).or_default().push(instance);
            }
        }
        self.latest.send_replace(Some(Arc::new(Snapshot { at, by_fleet })));
        Ok(())
    }
}
