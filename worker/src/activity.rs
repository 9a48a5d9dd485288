//! Whether this worker has something to do, and since when not. Knows nothing of what it does.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// What is held, and when that last changed.
#[derive(Debug, Clone, Copy)]
struct State {
    held: usize,
    since: Instant,
}

/// The activity of one worker; clones are of the same. Begins with nothing to do.
#[derive(Debug, Clone)]
pub struct Activity(watch::Sender<State>);

/// Something to do, such as a job that is held, until it is dropped.
#[derive(Debug)]
pub struct Busy(Activity);

impl Default for Activity {
    fn default() -> Self {
        Self(watch::Sender::new(State { held: 0, since: Instant::now() }))
    }
}

impl Activity {
    /// There is one thing more to do.
    #[must_use]
    pub fn begin(&self) -> Busy {
        self.change(|held| held + 1);
        Busy(self.clone())
    }

    /// Returns once there was nothing to do for `duration`; at once when that is so already.
    pub async fn idle_for(&self, duration: Duration) {
        let mut states = self.0.subscribe();
        loop {
            let State { held, since } = *states.borrow_and_update();
            if held == 0 {
                tokio::select! {
                    () = sleep_until(since + duration) => return,
                    _ = states.changed() => {}
                }
            } else {
                let _ = states.changed().await;
            }
        }
    }

    /// Returns when the next thing to do begins or ends.
    pub async fn changed(&self) {
        let _ = self.0.subscribe().changed().await;
    }

    fn change(&self, change: impl FnOnce(usize) -> usize) {
        self.0.send_modify(|state| *state = State { held: change(state.held), since: Instant::now() });
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.change(|held| held.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(900);

    /// Time stands still but for what is slept, so that seconds are exact.
    #[tokio::test(start_paused = true)]
    async fn a_held_job_of_any_length_and_each_new_one_put_idleness_off() {
        let (activity, begin) = (Activity::default(), Instant::now());
        let idle = tokio::spawn({
            let activity = activity.clone();
            async move {
                activity.idle_for(LONG).await;
                begin.elapsed().as_secs()
            }
        });
        tokio::time::sleep(Duration::from_secs(899)).await;
        let (long, short) = (activity.begin(), activity.begin());
        drop(short);
        tokio::time::sleep(Duration::from_secs(5_000)).await;
        drop(long);
        assert_eq!(idle.await.unwrap(), 899 + 5_000 + 900);
        activity.idle_for(LONG).await;
        assert_eq!(begin.elapsed().as_secs(), 6_799, "it is so already");
    }
}
