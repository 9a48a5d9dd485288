//! Owns the gathering of ids that several callers want the same done with into one call, and telling each what became of
//! its own. Knows nothing of EC2 but its errors.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::oneshot;

use crate::{Error, Verdict};

/// How long the first caller waits for others.
const LINGER: Duration = Duration::from_millis(20);
/// EC2's limit for one call.
const MOST_IDS: usize = 1000;

type Outcome = Result<(), Error>;
/// Makes one call.
type Sender<K> = Arc<dyn Fn(K, Vec<String>) -> BoxFuture<'static, Outcome> + Send + Sync>;

/// Gathers ids under a key: what is to be done with them.
pub(crate) struct Batcher<K> {
    action: &'static str,
    send: Sender<K>,
    waiting: Arc<Mutex<HashMap<K, Vec<Share>>>>,
}

/// What one caller wants done.
struct Share {
    ids: Vec<String>,
    answer: oneshot::Sender<Outcome>,
}

impl<K: Clone + Eq + Hash + Send + Sync + 'static> Batcher<K> {
    /// Batches for `send`, which makes one call.
    pub(crate) fn new<F>(action: &'static str, send: impl Fn(K, Vec<String>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        Self { action, send: Arc::new(move |key, ids| Box::pin(send(key, ids))), waiting: Arc::default() }
    }

    /// Has `ids` sent, together with those of others who want the same just now. The batch runs on a task of its own: a
    /// caller that goes away leaves the others theirs, and its own ids are sent all the same.
    ///
    /// # Errors
    /// What became of the first of `ids` that was not done; those of others do not count.
    pub(crate) async fn call(&self, key: K, ids: &[String]) -> Outcome {
        let answers: Vec<_> = ids.chunks(MOST_IDS).map(|ids| self.join(&key, ids.to_vec())).collect();
        let mut outcome = Ok(());
        for answer in answers {
            outcome = outcome.and(answer.await.unwrap_or_else(|_| Err(Error::without(self.action, "sender any more"))));
        }
        outcome
    }

    /// Adds a share to the batch that is being gathered, or begins one.
    fn join(&self, key: &K, ids: Vec<String>) -> oneshot::Receiver<Outcome> {
        let (answer, receiver) = oneshot::channel();
        let mut waiting = lock(&self.waiting);
        let shares = waiting.entry(key.clone()).or_default();
        let gathered: usize = shares.iter().map(|share| share.ids.len()).sum();
        let full = if gathered + ids.len() > MOST_IDS { std::mem::take(shares) } else { Vec::new() };
        let first = shares.is_empty();
        shares.push(Share { ids, answer });
        drop(waiting);
        if !full.is_empty() {
            tokio::spawn(run(self.send.clone(), key.clone(), full));
        }
        if first {
            let (send, waiting, key) = (self.send.clone(), self.waiting.clone(), key.clone());
            tokio::spawn(async move {
                tokio::time::sleep(LINGER).await;
                let shares = lock(&waiting).remove(&key).unwrap_or_default();
                run(send, key, shares).await;
            });
        }
        receiver
    }
}

fn lock<K>(waiting: &Mutex<HashMap<K, Vec<Share>>>) -> MutexGuard<'_, HashMap<K, Vec<Share>>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn run<K: Clone>(send: Sender<K>, key: K, shares: Vec<Share>) {
    let failed = undone(&send, &key, &shares).await;
    for Share { ids, answer } in shares {
        let outcome = ids.iter().find_map(|id| failed.get(id)).map_or(Ok(()), |error| Err(error.clone()));
        // A caller that went away does not want to know.
        let _ = answer.send(outcome);
    }
}

/// Sends all shares in one call, and in smaller ones where that is refused: when an instance is to blame, in halves until it
/// is found; for other reasons, which may be one caller's (his rights, his offering), each share for itself. Once EC2 wants
/// fewer calls, no more are sent. Answers with what was not done, and why.
async fn undone<K: Clone>(send: &Sender<K>, key: &K, shares: &[Share]) -> HashMap<String, Error> {
    let mut failed = HashMap::new();
    let all: BTreeSet<&String> = shares.iter().flat_map(|share| &share.ids).collect();
    let mut parts = vec![all.into_iter().cloned().collect::<Vec<_>>()];
    let mut whole = shares.len() > 1;
    while let Some(mut ids) = parts.pop() {
        if ids.is_empty() {
            continue;
        }
        let together = std::mem::replace(&mut whole, false);
        match send(key.clone(), ids.clone()).await {
            Ok(()) => {}
            Err(error) if ids.len() > 1 && error.blames_an_instance() => {
                parts.push(ids.split_off(ids.len() / 2));
                parts.push(ids);
            }
            Err(error) if together && error.verdict() == Verdict::Refused => parts = shares.iter().map(|share| share.ids.clone()).collect(),
            Err(error) => {
                if error.verdict() == Verdict::Throttled {
                    ids.extend(parts.drain(..).flatten());
                }
                failed.extend(ids.into_iter().map(|id| (id, error.clone())));
            }
        }
    }
    failed
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::Instant;

    /// What was sent, key and ids.
    type Log = Arc<Mutex<Vec<(&'static str, Vec<String>)>>>;

    /// A batcher over a cloud that answers with `judge`'s code, after a while; and what reached that cloud.
    fn batcher(judge: fn(&[String]) -> Option<&'static str>) -> (Arc<Batcher<&'static str>>, Log) {
        let log = Log::default();
        let record = log.clone();
        let batcher = Batcher::new("Do", move |key, ids: Vec<String>| {
            record.lock().unwrap().push((key, ids.clone()));
            async move {
                tokio::time::sleep(Duration::from_millis(100)).await;
                judge(&ids).map_or(Ok(()), |code| Err(error(code)))
            }
        });
        (Arc::new(batcher), log)
    }

    fn error(code: &str) -> Error {
        Error { action: "Do", code: Some(code.to_owned()), message: "no".to_owned() }
    }

    fn ids(names: &str) -> Vec<String> {
        names.split_whitespace().map(str::to_owned).collect()
    }

    /// The codes that each caller got, all of them asking at once under one key.
    async fn together(batcher: &Batcher<&'static str>, callers: &[&str]) -> Vec<String> {
        let calls = callers.iter().map(|names| async move { batcher.call("k", &ids(names)).await });
        let answers = futures::future::join_all(calls).await;
        answers.into_iter().map(|answer| answer.map_or_else(|error| error.code.unwrap(), |()| "OK".to_owned())).collect()
    }

    fn sent(log: &Log) -> Vec<String> {
        log.lock().unwrap().iter().map(|(_, ids)| ids.join(" ")).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn callers_of_one_moment_share_a_call_and_other_keys_and_moments_do_not() {
        let (batcher, log) = batcher(|_| None);
        let late = async {
            tokio::time::sleep(Duration::from_millis(25)).await;
            batcher.call("k", &ids("d")).await
        };
        let other = async { batcher.call("other", &ids("a")).await };
        let (early, other, late) = tokio::join!(together(&batcher, &["a b", "c b"]), other, late);
        assert_eq!(early, ["OK", "OK"]);
        assert_eq!((other, late), (Ok(()), Ok(())));
        let mut log = log.lock().unwrap().clone();
        log[..2].sort();
        assert_eq!(log, [("k", ids("a b c")), ("other", ids("a")), ("k", ids("d"))]);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_to_do_is_done() {
        let (batcher, log) = batcher(|_| None);
        batcher.call("k", &[]).await.unwrap();
        assert!(sent(&log).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_has_a_thousand_ids_at_most() {
        let (batcher, log) = batcher(|_| None);
        let start = Instant::now();
        let names = |from: usize, to: usize| (from..to).map(|n| format!("i-{n:04}")).collect::<Vec<_>>();
        let (large, next) = (names(0, 2300), names(5000, 5800));
        let (one, two) = tokio::join!(batcher.call("k", &large), batcher.call("k", &next));
        assert_eq!((one, two), (Ok(()), Ok(())));
        let sizes: Vec<_> = log.lock().unwrap().iter().map(|(_, ids)| ids.len()).collect();
        assert_eq!(sizes.iter().sum::<usize>(), 3100);
        assert!(sizes.len() == 4 && sizes.iter().all(|size| *size <= 1000), "{sizes:?}");
        assert!(start.elapsed() < Duration::from_millis(200), "full batches go at once, side by side");
    }

    fn one_is_gone(ids: &[String]) -> Option<&'static str> {
        ids.iter().any(|id| id == "gone").then_some("InvalidInstanceID.NotFound")
    }

    #[tokio::test(start_paused = true)]
    async fn an_instance_that_is_gone_fails_its_own_caller_only() {
        let (batcher, log) = batcher(one_is_gone);
        assert_eq!(together(&batcher, &["a b c", "gone", "d e f g"]).await, ["OK", "InvalidInstanceID.NotFound", "OK"]);
        assert_eq!(sent(&log), ["a b c d e f g gone", "a b c d", "e f g gone", "e f", "g gone", "g", "gone"]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_rest_of_a_share_with_a_bad_id_is_done() {
        let (batcher, log) = batcher(one_is_gone);
        assert_eq!(together(&batcher, &["a gone z"]).await, ["InvalidInstanceID.NotFound"]);
        assert_eq!(sent(&log), ["a gone z", "a", "gone z", "gone", "z"]);
    }

    #[tokio::test(start_paused = true)]
    async fn another_refusal_is_its_callers_own() {
        let (batcher, log) = batcher(|ids| ids.contains(&"full".to_owned()).then_some("InsufficientInstanceCapacity"));
        assert_eq!(together(&batcher, &["a b", "c full"]).await, ["OK", "InsufficientInstanceCapacity"]);
        assert_eq!(sent(&log), ["a b c full", "c full", "a b"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_throttle_or_silence_is_everybodys_and_nothing_more_is_sent() {
        for code in ["RequestLimitExceeded", "InternalError"] {
            let (throttle, internal) = (|_: &[String]| Some("RequestLimitExceeded"), |_: &[String]| Some("InternalError"));
            let (batcher, log) = batcher(if code == "InternalError" { internal } else { throttle });
            assert_eq!(together(&batcher, &["a", "b c"]).await, [code, code]);
            assert_eq!(sent(&log), ["a b c"]);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_throttle_among_the_parts_reaches_those_that_were_not_done() {
        let judge = |ids: &[String]| match ids.len() {
            4 => Some("InvalidInstanceID.NotFound"),
            _ if ids.contains(&"c".to_owned()) => Some("RequestLimitExceeded"),
            _ => None,
        };
        let (batcher, log) = batcher(judge);
        assert_eq!(together(&batcher, &["a b", "c", "d"]).await, ["OK", "RequestLimitExceeded", "RequestLimitExceeded"]);
        assert_eq!(sent(&log), ["a b c d", "a b", "c d"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_that_goes_away_leaves_the_others_theirs() {
        let (batcher, log) = batcher(|_| None);
        let first = tokio::spawn({
            let batcher = batcher.clone();
            async move { batcher.call("k", &ids("a")).await }
        });
        tokio::time::sleep(Duration::from_millis(5)).await;
        let second = tokio::spawn({
            let batcher = batcher.clone();
            async move { batcher.call("k", &ids("b")).await }
        });
        tokio::time::sleep(Duration::from_millis(5)).await;
        first.abort();
        second.await.unwrap().unwrap();
        assert_eq!(sent(&log), ["a b"]);
    }
}
