//! What runs beside the controllers, for as long as the process does. A task that ends or dies takes the process with it:
//! a process with a dead part would look alive.

use std::future::Future;

use tokio::sync::mpsc;
use tokio::task::JoinError;

/// How a task ended.
pub struct Ended {
    /// Its name.
    pub name: &'static str,
    /// Whether it panicked.
    pub result: Result<(), JoinError>,
}

/// Starts tasks and tells of their ends.
#[derive(Clone)]
pub struct Tasks(mpsc::Sender<Ended>);

/// Where ends are heard of.
pub struct Ends(mpsc::Receiver<Ended>);

/// A starter of tasks, and where their ends are heard of.
pub fn tasks() -> (Tasks, Ends) {
    let (sender, receiver) = mpsc::channel(16);
    (Tasks(sender), Ends(receiver))
}

impl Tasks {
    /// Starts a task.
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let ends = self.0.clone();
        let task = tokio::spawn(task);
        tokio::spawn(async move {
            let result = task.await;
            // Nobody listens any more once the process ends.
            ends.send(Ended { name, result }).await.ok();
        });
    }
}

impl Ends {
    /// The next task that ends; none when all have.
    pub async fn next(&mut self) -> Option<Ended> {
        self.0.recv().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_end_of_each_task_is_told_by_its_name_and_so_is_a_panic() {
        let (tasks, mut ends) = tasks();
        tasks.spawn("done", async {});
        let Ended { name, result } = ends.next().await.unwrap();
        assert!(name == "done" && result.is_ok());
        tasks.spawn("dead", async { panic!("of whatever") });
        let Ended { name, result } = ends.next().await.unwrap();
        assert!(name == "dead" && result.unwrap_err().is_panic());
        drop(tasks);
        assert!(ends.next().await.is_none(), "all have ended");
    }
}
