//! Waiting for something that another process does: for a while, and with the end of its log when it does not come.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Lines of a log that an error shows.
const LINES_SHOWN: usize = 15;

/// Asks `ready` again and again until it says yes.
///
/// # Errors
/// After `limit`, naming `what` and showing the end of `log`.
pub(crate) async fn until(what: &str, limit: Duration, log: &Path, ready: impl AsyncFn() -> bool) -> Result<()> {
    let begun = Instant::now();
    while !ready().await {
        if begun.elapsed() > limit {
            bail!("{what}: not within {} s. {}", limit.as_secs(), tail(log));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

/// Where the log is, and its last lines.
pub(crate) fn tail(log: &Path) -> String {
    let Ok(bytes) = std::fs::read(log) else { return format!("There is no log at {}", log.display()) };
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    let last = lines[lines.len().saturating_sub(LINES_SHOWN)..].join("\n    ");
    format!("The end of {}:\n    {last}", log.display())
}

/// Whether a GET of `url` is answered with a status of success.
pub(crate) async fn answers(http: &reqwest::Client, url: &str) -> bool {
    matches!(http.get(url).timeout(Duration::from_secs(2)).send().await, Ok(response) if response.status().is_success())
}
