//! Graceful shutdown: one token, cancelled by the first SIGTERM or SIGINT.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that is cancelled when the process is asked to stop. A second signal ends the process at once.
///
/// # Errors
/// When the signal handlers cannot be installed.
#[expect(clippy::disallowed_methods, reason = "who asks a second time does not want to wait for destructors")]
pub fn on_signal() -> std::io::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        for again in [false, true] {
            let name = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            };
            if again {
                tracing::warn!(signal = name, "asked to stop a second time, stopping at once");
                std::process::exit(130);
            }
            tracing::info!(signal = name, "asked to stop, finishing what has begun");
            cancelled.cancel();
        }
    });
    Ok(token)
}
