//! All that fleets were and said, as the API server told of each change: also what lasted for a moment only.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crds::{ClassifierFleet, Decision};
use futures::StreamExt as _;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, ResourceExt as _};
use tokio::task::AbortHandle;

/// Generous: a state that does not come is a failure, one that comes late is not.
const PATIENCE: Duration = Duration::from_secs(100);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(100);

/// By namespace and name, in the order in which it was so.
type Fleets = HashMap<(String, String), Vec<Seen>>;

/// A fleet as it was once.
#[derive(Debug, Clone)]
pub struct Seen {
    pub fleet: Arc<ClassifierFleet>,
    pub at: Instant,
}

/// All that fleets were and said.
pub struct History {
    fleets: Arc<Mutex<Fleets>>,
    watch: AbortHandle,
}

impl History {
    /// Begins to write down.
    pub fn begin(kube: Client) -> Self {
        let fleets: Arc<Mutex<Fleets>> = Arc::default();
        let book = fleets.clone();
        let watch = tokio::spawn(async move {
            // While the API server is away it would ask again without a pause.
            let events = watcher(Api::<ClassifierFleet>::all(kube), watcher::Config::default()).default_backoff();
            let mut events = events.boxed();
            while let Some(event) = events.next().await {
                if let Ok(watcher::Event::Apply(fleet) | watcher::Event::InitApply(fleet)) = event {
                    let key = (fleet.namespace().unwrap_or_default(), fleet.name_any());
                    let seen = Seen { fleet: Arc::new(fleet), at: Instant::now() };
                    book.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default().push(seen);
                }
            }
        });
        Self { fleets, watch: watch.abort_handle() }
    }

    /// All that one fleet was until now.
    pub fn of(&self, namespace: &str, name: &str) -> Vec<Seen> {
        let fleets = self.fleets.lock().unwrap_or_else(PoisonError::into_inner);
        fleets.get(&(namespace.to_owned(), name.to_owned())).cloned().unwrap_or_default()
    }

    /// Waits until the fleet `is` so, and returns it.
    pub async fn until(&self, namespace: &str, name: &str, what: &str, is: impl Fn(&ClassifierFleet) -> bool) -> Arc<ClassifierFleet> {
        self.wait(namespace, name, what, |seen| seen.last().filter(|seen| is(&seen.fleet)).cloned()).await
    }

    /// Waits until the fleet was so once, and returns it as it was the first time.
    pub async fn once(&self, namespace: &str, name: &str, what: &str, was: impl Fn(&ClassifierFleet) -> bool) -> Arc<ClassifierFleet> {
        self.wait(namespace, name, what, |seen| seen.iter().find(|seen| was(&seen.fleet)).cloned()).await
    }

    async fn wait(&self, namespace: &str, name: &str, what: &str, find: impl Fn(&[Seen]) -> Option<Seen>) -> Arc<ClassifierFleet> {
        let begun = Instant::now();
        loop {
            let seen = self.of(namespace, name);
            if let Some(found) = find(&seen) {
                return found.fleet;
            }
            assert!(begun.elapsed() < PATIENCE, "{namespace}/{name}, not within {PATIENCE:?}: {what}. It is {}", shown(seen.last()));
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Makes each decision that a status showed again from its inputs, and returns their number.
    ///
    /// A status is written onto the very version of its fleet that it speaks of, so spec and annotations beside a decision that
    /// is new are those that it was made from.
    pub fn every_decision_can_be_made_again(&self) -> usize {
        let fleets = self.fleets.lock().unwrap_or_else(PoisonError::into_inner);
        let mut made = 0;
        for seen in fleets.values() {
            for pair in seen.windows(2) {
                let (Some(before), Some(decision)) = (Some(decision(&pair[0].fleet)), decision(&pair[1].fleet)) else { continue };
                if before != Some(decision) && !is_blind(decision) {
                    make_again(&pair[1].fleet, decision);
                    made += 1;
                }
            }
        }
        made
    }
}

impl Drop for History {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

fn decision(fleet: &ClassifierFleet) -> Option<&Decision> {
    fleet.status.as_ref()?.decision.as_ref()
}

/// Before the first list of instances a deadline decides nothing: the number is kept, and says so.
fn is_blind(decision: &Decision) -> bool {
    decision.steps.iter().any(|step| step.starts_with("Without a list of instances"))
}

fn make_again(fleet: &ClassifierFleet, decision: &Decision) {
    let status = fleet.status.as_ref().unwrap();
    let settings = fleet.settings(status.revision.as_deref().unwrap_or_default());
    let again = plan::desired(&settings, &decision.inputs.to_plan());
    let name = fleet.name_any();
    assert_eq!(i64::from(again.workers), i64::from(status.desired), "{name}: {decision:?} gives {again:?}");
    assert_eq!(again.limited_by.map(|limit| limit.to_string()), decision.limited_by, "{name}: {decision:?} gives {again:?}");
    // What follows in the status is what was done about the number. With a deadline the sentence rounds what the inputs round.
    for (again, step) in again.steps.iter().zip(&decision.steps).filter(|(again, _)| !again.contains("left of drainSeconds")) {
        assert_eq!(again, step, "{name}");
    }
}

fn shown(seen: Option<&Seen>) -> String {
    let Some(Seen { fleet, .. }) = seen else { return "not there".to_owned() };
    serde_json::to_string(&fleet.status).unwrap()
}
