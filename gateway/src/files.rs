//! Files that change while the process runs, as mounted Secrets do. Knows nothing of what is in them.

use std::time::Duration;

/// How often they are read. The kubelet takes up to a minute to bring a change.
const PAUSE: Duration = Duration::from_secs(2);

/// What was read last.
#[derive(Debug)]
pub(crate) struct Watched<T> {
    last: T,
}

impl<T: PartialEq + Clone> Watched<T> {
    pub(crate) fn new(last: T) -> Self {
        Self { last }
    }

    /// Reads again and again until something else comes out.
    pub(crate) async fn changed(&mut self, read: impl Fn() -> T) -> T {
        loop {
            tokio::time::sleep(PAUSE).await;
            let now = read();
            if now != self.last {
                self.last = now;
                return self.last.clone();
            }
        }
    }
}
