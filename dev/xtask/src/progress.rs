//! Telling the person at the terminal what is being done. Knows nothing of what that is.

use std::future::Future;
use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// Prints one line for each step, with the seconds since the beginning; or nothing at all.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    since: Option<Instant>,
}

impl Progress {
    /// Prints.
    #[must_use]
    pub fn printed() -> Self {
        Self { since: Some(Instant::now()) }
    }

    /// Prints nothing: for tests.
    #[must_use]
    pub fn quiet() -> Self {
        Self { since: None }
    }

    /// Prints one line: which part, and what it does.
    pub fn say(&self, part: &str, text: impl AsRef<str>) {
        let Some(since) = self.since else { return };
        line(format!("{:>7.1} s  {part:<12} {}", since.elapsed().as_secs_f64(), text.as_ref()));
    }

    /// Awaits `work`, and says every half minute that it still goes on.
    pub async fn during<T>(&self, part: &str, work: impl Future<Output = T>) -> T {
        let begun = Instant::now();
        let mut ticks = tokio::time::interval(Duration::from_secs(30));
        ticks.tick().await;
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                _ = ticks.tick() => self.say(part, format!("still at it, {} s by now", begun.elapsed().as_secs())),
            }
        }
    }
}

/// Prints a line. A closed pipe (`cargo xtask status | head`) must not stop what is going on.
pub fn line(text: impl AsRef<str>) {
    let _ = writeln!(std::io::stdout(), "{}", text.as_ref());
}

/// `text` in green or red, where the output is a terminal that shows it.
#[must_use]
pub fn coloured(good: bool, text: &str) -> String {
    if !std::io::stdout().is_terminal() || std::env::var_os("NO_COLOR").is_some() {
        return text.to_owned();
    }
    let colour = if good { 32 } else { 31 };
    format!("\u{1b}[{colour}m{text}\u{1b}[0m")
}
