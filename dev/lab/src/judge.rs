//! The promises that hold at every moment of a run, and a fingerprint of all that was called. Sees each call; never changes anything.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cloudsim::state::Phase;
use ec2::tags;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sim::world::World;

use crate::fleet;
use crate::kubernetes::Cluster;
use crate::process::Call;
use crate::script::{Kind, Script, Service};
use crate::weather::Trouble;

/// Calls to EC2 that one operator may make within a minute: it lists every two seconds while something changes, and all else is rare.
pub const EC2_CALLS_A_MINUTE: u32 = 120;

/// Watches over the promises.
pub struct Judge {
    world: Arc<World>,
    cluster: Arc<Cluster>,
    /// As many instances as may ever live.
    most: usize,
    drain_timeout: SignedDuration,
    verbose: bool,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    fingerprint: DefaultHasher,
    calls: u64,
    broken: BTreeSet<String>,
    /// Since when instances are told to drain.
    draining: BTreeMap<String, Timestamp>,
    /// Calls to EC2 by process and minute.
    ec2: BTreeMap<(u32, i64), u32>,
}

/// What a run came to, as far as the judge saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Promises that were broken, in sentences.
    pub broken: Vec<String>,
    /// The same for every run of a script.
    pub fingerprint: u64,
    /// Calls that arrived.
    pub calls: u64,
    /// The most calls to EC2 that one operator made in one minute.
    pub ec2_calls_a_minute: u32,
}

impl Judge {
    /// A judge of a run of `script`; a `verbose` one prints each call.
    #[must_use]
    pub fn new(world: Arc<World>, cluster: Arc<Cluster>, script: &Script, verbose: bool) -> Arc<Self> {
        let most = (script.largest_max() + script.fleet.surge) as usize;
        let jumps = script.all_faults().filter_map(|fault| if let Kind::ClockJump { by, .. } = fault.kind { Some(by) } else { None });
        // Whose clock is wrong by a minute may be wrong about deadlines by as much, both when it sets and when it reads them.
        let wrong = jumps.map(i32::unsigned_abs).max().unwrap_or(0) * 2;
        let drain_timeout = SignedDuration::from_secs(i64::from(script.fleet.drain_timeout) - i64::from(wrong) - 1);
        Arc::new(Self { world, cluster, most, drain_timeout, verbose, seen: Mutex::default() })
    }

    /// A promise is broken.
    pub fn broken(&self, promise: &str) {
        let line = format!("{promise} (at {:.1} s)", self.world.clock.seconds());
        if self.verbose {
            eprintln!("!! {line}");
        }
        self.seen().broken.insert(line);
    }

    /// Something happened that a reader of a run wants to know.
    pub fn note(&self, what: &str) {
        let line = format!("{:9.3} {what}", self.world.clock.seconds());
        if self.verbose {
            eprintln!("{line}");
        }
        line.hash(&mut self.seen().fingerprint);
    }

    /// A call of a process arrived.
    pub fn called(&self, process: u32, call: &Call, trouble: Option<Trouble>) {
        // Names of events hold the machine's own time.
        let what = if call.what.contains(" events/") { "an event" } else { &call.what };
        let mut line = format!("operator {process}: {:?} {what}", call.service);
        if let Some(trouble) = trouble {
            let _ = write!(line, " [{trouble:?}]");
        }
        self.note(&line);
        let mut seen = self.seen();
        seen.calls += 1;
        if call.service == Service::Ec2 {
            let minute = self.world.clock.now().as_second() / 60;
            let calls = seen.ec2.entry((process, minute)).or_default();
            *calls += 1;
            let too_many = *calls == EC2_CALLS_A_MINUTE + 1;
            drop(seen);
            if too_many {
                self.broken(&format!("an operator makes at most {EC2_CALLS_A_MINUTE} calls to EC2 in a minute"));
            }
        }
    }

    /// EC2 is about to do what is asked.
    pub fn asks_ec2(&self, params: &BTreeMap<String, String>) {
        match params.get("Action").map(String::as_str) {
            Some("RunInstances") => self.asks_to_launch(params),
            Some("TerminateInstances") => numbered(params, "InstanceId").for_each(|id| self.asks_to_terminate(id)),
            Some("CreateTags") => self.asks_to_tag(params),
            _ => {}
        }
    }

    /// EC2 has done, or refused, what was asked.
    pub fn ec2_answered(&self, params: &BTreeMap<String, String>) {
        let action = params.get("Action").map(String::as_str);
        if !matches!(action, Some("RunInstances" | "StartInstances")) {
            return;
        }
        let (live, launched) = self.world.ec2.with(|endpoint| {
            let live = endpoint.cloud.instances().filter(|instance| matches!(instance.phase, Phase::Pending | Phase::Running)).count();
            let token = params.get("ClientToken");
            let ours = |tags: &cloudsim::state::Tags| token.is_some() && tags.get(tags::TOKEN) == token;
            (live, endpoint.cloud.instances().filter(|instance| ours(&instance.tags)).count())
        });
        if live > self.most {
            self.broken(&format!("never more than max + maxSurge instances live: {live} of {}", self.most));
        }
        let asked = params.get("MaxCount").and_then(|text| text.parse().ok()).unwrap_or(usize::MAX);
        if launched > asked {
            self.broken(&format!("an intent launches no more than it says: {launched} of {asked}"));
        }
    }

    /// A launch was written down with its number before EC2 is asked.
    fn asks_to_launch(&self, params: &BTreeMap<String, String>) {
        let (token, most) = (params.get("ClientToken").cloned().unwrap_or_default(), params.get("MaxCount").cloned().unwrap_or_default());
        self.note(&format!("EC2 is asked to launch {most} by {token}"));
        let count = most.parse().ok();
        let written = self.cluster.peek(|store, _| {
            let mut intents = store.since(0).iter().rev().filter_map(|change| change.object["status"]["launches"].as_array()).flatten();
            intents.any(|intent| intent["token"] == *token && intent["count"].as_u64() == count)
        });
        if !written {
            self.broken("a launch is written down before EC2 is asked");
        }
    }

    /// No worker that has begun an image is ended within its drain time; nor is any that was not told to leave, while it has a fleet:
    /// one that was just started from the pool, say.
    fn asks_to_terminate(&self, id: &str) {
        self.note(&format!("EC2 is asked to terminate {id}"));
        let busy = self.world.workers.lock().unwrap_or_else(PoisonError::into_inner).get(id).is_some_and(|worker| worker.is_busy());
        let (interrupted, lives) = self.world.ec2.with(|endpoint| {
            let instance = endpoint.cloud.instance(id);
            let lives = instance.is_some_and(|instance| matches!(instance.phase, Phase::Pending | Phase::Running));
            (instance.is_some_and(|instance| instance.interrupted_at.is_some()), lives)
        });
        let told = self.seen().draining.get(id).copied();
        if lives && told.is_none() && self.cluster.peek(|store, _| store.get(&fleet::key()).is_some()) {
            self.broken("who lives is told to leave before it is ended");
        }
        let had = told.map(|since| self.world.clock.now().duration_since(since));
        if busy && !interrupted && had.is_none_or(|had| had < self.drain_timeout) {
            self.broken("no busy worker is ended within its drain time");
        }
    }

    fn asks_to_tag(&self, params: &BTreeMap<String, String>) {
        let pairs = (1..).map_while(|n| Some((params.get(&format!("Tag.{n}.Key"))?, params.get(&format!("Tag.{n}.Value"))?)));
        let Some((_, order)) = pairs.into_iter().find(|(key, _)| *key == tags::INTENT) else { return };
        let now = self.world.clock.now();
        for id in numbered(params, "ResourceId") {
            self.note(&format!("{id} is told: {order}"));
            let mut seen = self.seen();
            if order == tags::DRAIN {
                seen.draining.entry(id.clone()).or_insert(now);
            } else {
                seen.draining.remove(id);
            }
        }
    }

    /// What was seen.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let seen = self.seen();
        Verdict {
            broken: seen.broken.iter().cloned().collect(),
            fingerprint: seen.fingerprint.finish(),
            calls: seen.calls,
            ec2_calls_a_minute: seen.ec2.values().copied().max().unwrap_or(0),
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Judge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Judge").finish_non_exhaustive()
    }
}

/// The values of `Name.1`, `Name.2` …
fn numbered<'a>(params: &'a BTreeMap<String, String>, name: &'a str) -> impl Iterator<Item = &'a String> {
    (1..).map_while(move |number| params.get(&format!("{name}.{number}")))
}
