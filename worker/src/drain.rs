//! Watches for a reason to leave, whoever has it: the operator by a tag, EC2 by a notice, or the worker itself that has
//! had nothing to do for long. No network path to the worker is needed for any of them. Knows nothing of how it leaves.

use std::fmt;
use std::future::pending;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::activity::Activity;
use crate::instance::Instance;
use crate::intent::IntentSource;

/// A spot notice comes two minutes ahead.
const SPOT_EVERY: Duration = Duration::from_secs(2);
/// A rebalance recommendation comes earlier than that, and may come without a notice.
const REBALANCE_EVERY: Duration = Duration::from_secs(5);

/// Why a worker leaves though nobody sent it a signal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The intent tag says drain.
    Operator,
    /// EC2 takes a spot instance back; the notice as it was read.
    SpotNotice(String),
    /// EC2 expects to take a spot instance back; the recommendation as it was read.
    Rebalance(String),
    /// No job for so long.
    Idle(Duration),
}

/// What is watched.
#[derive(Debug)]
pub struct Watch<'a> {
    /// This machine.
    pub instance: &'a Instance,
    /// Where the operator's wish is read.
    pub intent: IntentSource<'a>,
    /// Whether there is something to do.
    pub activity: &'a Activity,
    /// How long there may be nothing to do; none: for ever.
    pub idle_after: Option<Duration>,
}

impl Watch<'_> {
    /// Cancels `drain` when there is a reason to; ends as soon as it is cancelled, by whomever.
    pub async fn run(&self, drain: &CancellationToken) {
        if let Some(reason) = drain.run_until_cancelled(self.reason()).await {
            tracing::info!(%reason, "told to leave, finishing what has begun");
            drain.cancel();
        }
    }

    async fn reason(&self) -> Reason {
        let (intent, seen) = watch::channel(None);
        tokio::select! {
            reason = self.operator(intent) => reason,
            reason = self.idle(seen) => reason,
            notice = poll("a spot notice", SPOT_EVERY, async || self.instance.spot_notice().await) => Reason::SpotNotice(notice),
            notice = poll("a rebalance recommendation", REBALANCE_EVERY, async || self.instance.rebalance().await) => Reason::Rebalance(notice),
        }
    }

    /// Hands on every intent that is read, until one says drain.
    async fn operator(&self, seen: watch::Sender<Option<String>>) -> Reason {
        let read = async || {
            let intent = self.intent.read().await?;
            let drains = intent.as_deref() == Some(ec2::tags::DRAIN);
            seen.send_replace(intent);
            Ok::<_, crate::intent::IntentError>(drains.then_some(Reason::Operator))
        };
        poll("the operator's wish to drain", self.intent.every(), read).await
    }

    /// The operator may be gone, and its machines must not run for ever. An intent that cannot be read keeps none of them.
    async fn idle(&self, mut intent: watch::Receiver<Option<String>>) -> Reason {
        let Some(after) = self.idle_after else { return pending().await };
        loop {
            self.activity.idle_for(after).await;
            if intent.borrow_and_update().as_deref() != Some(ec2::tags::KEEP) {
                return Reason::Idle(after);
            }
            tokio::select! {
                _ = intent.changed() => {}
                () = self.activity.changed() => {}
            }
        }
    }
}

/// Asks until there is an answer. A source that fails changes nothing, as others remain, and is complained of once.
async fn poll<T, E: fmt::Display>(what: &str, every: Duration, ask: impl AsyncFn() -> Result<Option<T>, E>) -> T {
    let mut failing = false;
    loop {
        match ask().await {
            Ok(Some(answer)) => return answer,
            Ok(None) => failing = false,
            Err(error) if !failing => {
                tracing::warn!(%error, "{what} would not be seen now");
                failing = true;
            }
            Err(_) => {}
        }
        tokio::time::sleep(every).await;
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator => write!(f, "the operator asks to drain"),
            Self::SpotNotice(notice) => write!(f, "EC2 takes this spot instance back: {notice}"),
            Self::Rebalance(notice) => write!(f, "EC2 expects to take this spot instance back: {notice}"),
            Self::Idle(after) => write!(f, "there was nothing to do for {} s", after.as_secs()),
        }
    }
}
