//! Calls that take ten items at once: what is alone goes at once, what comes together goes together. Knows nothing of what
//! the items are.

use std::time::Duration;

use tokio::sync::{Mutex, mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

/// Calls that are under way at a time: while one waits for its answer, the next batch is collected.
const CALLS: usize = 3;
/// Items that wait for a call; more wait where they come from.
const WAITING: usize = 64;

/// Puts items into the calls of its [`Loop`].
#[derive(Debug, Clone)]
pub(super) struct Batcher<T> {
    into: mpsc::Sender<Item<T>>,
    expected: watch::Sender<usize>,
}

/// What makes a [`Batcher`] work while it runs.
#[derive(Debug)]
pub(super) struct Loop<T> {
    items: Mutex<mpsc::Receiver<Item<T>>>,
    expected: watch::Sender<usize>,
    linger: Duration,
    is_full: fn(&[&T]) -> bool,
}

/// Somebody who may still bring an item, until it is put or this is dropped.
#[derive(Debug)]
pub(super) struct Expected(watch::Sender<usize>);

#[derive(Debug)]
struct Item<T> {
    value: T,
    done: oneshot::Sender<()>,
}

/// A batcher. A batch leaves when it is full, when nobody is expected to add to it, and `linger` after its first item at the latest.
pub(super) fn batcher<T>(linger: Duration, is_full: fn(&[&T]) -> bool) -> (Batcher<T>, Loop<T>) {
    let ((into, items), expected) = (mpsc::channel(WAITING), watch::Sender::new(0));
    (Batcher { into, expected: expected.clone() }, Loop { items: Mutex::new(items), expected, linger, is_full })
}

impl<T> Batcher<T> {
    /// Has batches wait for one item more.
    pub(super) fn expect(&self) -> Expected {
        self.expected.send_modify(|expected| *expected += 1);
        Expected(self.expected.clone())
    }

    /// Returns once the call with the item has ended, however it ended.
    pub(super) async fn put(&self, value: T, expected: Option<Expected>) {
        let (done, ended) = oneshot::channel();
        // The loop ends after all batchers.
        let _ = self.into.send(Item { value, done }).await;
        drop(expected);
        let _ = ended.await;
    }
}

impl<T> Loop<T> {
    /// Calls until there is no [`Batcher`] any more.
    pub(super) async fn run<C: Future<Output = ()>>(self, call: impl Fn(Vec<T>) -> C) {
        let calls = [(); CALLS].map(|()| self.call_one_by_one(&call));
        let [first, second, third] = calls;
        tokio::join!(first, second, third);
    }

    async fn call_one_by_one<C: Future<Output = ()>>(&self, call: &impl Fn(Vec<T>) -> C) {
        loop {
            let batch = self.collect().await;
            if batch.is_empty() {
                return;
            }
            let (values, waiting): (Vec<_>, Vec<_>) = batch.into_iter().map(|item| (item.value, item.done)).unzip();
            call(values).await;
            for done in waiting {
                // Who does not wait any more need not know.
                let _ = done.send(());
            }
        }
    }

    async fn collect(&self) -> Vec<Item<T>> {
        let mut items = self.items.lock().await;
        let mut expected = self.expected.subscribe();
        let mut batch: Vec<_> = items.recv().await.into_iter().collect();
        let until = Instant::now() + self.linger;
        while !batch.is_empty() && !self.is_full(&batch) {
            let nobody = *expected.borrow_and_update() == 0;
            tokio::select! {
                biased;
                item = items.recv() => match item {
                    Some(item) => batch.push(item),
                    None => break,
                },
                () = std::future::ready(()), if nobody => break,
                () = sleep_until(until) => break,
                _ = expected.changed() => {}
            }
        }
        batch
    }

    fn is_full(&self, batch: &[Item<T>]) -> bool {
        (self.is_full)(&batch.iter().map(|item| &item.value).collect::<Vec<_>>())
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        self.0.send_modify(|expected| *expected -= 1);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    const LINGER: Duration = Duration::from_millis(100);

    /// The batches that `puts` make, and the milliseconds until the last has ended.
    async fn batches(puts: impl AsyncFnOnce(Batcher<u32>)) -> (Vec<Vec<u32>>, u128) {
        let (begun, seen) = (Instant::now(), Mutex::<Vec<Vec<u32>>>::default());
        let (batcher, calls) = batcher(LINGER, |batch| batch.len() == 3);
        let run = calls.run(async |batch| seen.lock().unwrap().push(batch));
        tokio::join!(run, puts(batcher));
        (seen.into_inner().unwrap(), begun.elapsed().as_millis())
    }

    #[tokio::test(start_paused = true)]
    async fn one_alone_goes_at_once_though_others_are_expected_elsewhere() {
        let one = async |batcher: Batcher<u32>| {
            let expected = batcher.expect();
            batcher.put(1, Some(expected)).await;
        };
        assert_eq!(batches(one).await, (vec![vec![1]], 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_waits_for_who_is_expected_until_it_is_full_or_late() {
        let four_of_five = async |batcher: Batcher<u32>| {
            let [a, b, c, d, _late] = [(); 5].map(|()| batcher.expect());
            tokio::join!(batcher.put(1, Some(a)), batcher.put(2, Some(b)), batcher.put(3, Some(c)), batcher.put(4, Some(d)));
        };
        assert_eq!(batches(four_of_five).await, (vec![vec![1, 2, 3], vec![4]], 100));
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_leaves_when_who_was_expected_does_not_come() {
        let given_up = async |batcher: Batcher<u32>| {
            let (a, b) = (batcher.expect(), batcher.expect());
            let give_up = async {
                tokio::time::sleep(LINGER / 2).await;
                drop(b);
            };
            tokio::join!(batcher.put(1, Some(a)), give_up);
        };
        assert_eq!(batches(given_up).await, (vec![vec![1]], 50));
    }
}
