//! Watches for the operator's wish that this worker leaves. The wish comes as a tag, read from the instance's metadata,
//! so that no network path to the worker is needed.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::instance::Instance;

const POLL_EVERY: Duration = Duration::from_secs(2);

/// Reads the intent tag until it says drain, then cancels `drain`. Ends as soon as `drain` is cancelled, by whomever.
/// A metadata service that fails changes nothing: SIGTERM still drains.
pub async fn watch(instance: &Instance, drain: &CancellationToken) {
    let mut failing = false;
    while !drain.is_cancelled() {
        match instance.intent().await {
            Ok(intent) => {
                if intent.as_deref() == Some(ec2::tags::DRAIN) {
                    tracing::info!("the operator asks to drain, finishing what has begun");
                    drain.cancel();
                }
                failing = false;
            }
            Err(error) if !failing => {
                tracing::warn!(%error, "a wish to drain would not be seen now");
                failing = true;
            }
            Err(_) => {}
        }
        let _ = drain.run_until_cancelled(tokio::time::sleep(POLL_EVERY)).await;
    }
}
