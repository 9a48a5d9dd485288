//! What peers do to EC2: launch, start, and take away what they think is too much. Decides no numbers.

use std::sync::Arc;

use cloudsim::state::{Instance, LaunchRequest, LaunchSpec, MetadataOptions, Phase, ShutdownBehavior, Tags};
use jiff::Timestamp;

use super::Seen;
use crate::world::{IMAGE, World};

/// How instances go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Removal {
    /// Nobody takes them away; they leave by themselves.
    ByThemselves,
    /// As a ReplicaSet scales in, which does not know who is busy: not ready before ready, then the youngest by powers of two
    /// (kubernetes.io, "ReplicaSet", "Scaling a ReplicaSet"; `ActivePodsWithRanks`).
    Pods,
    /// By the default termination policy of Auto Scaling groups: the one closest to the next billing hour, busy or not.
    Group,
}

pub(super) struct Hands {
    world: Arc<World>,
    removal: Removal,
    /// Instances stop rather than terminate, and are started again.
    restarts: bool,
}

impl Hands {
    pub(super) fn new(world: Arc<World>, removal: Removal, restarts: bool) -> Self {
        Self { world, removal, restarts }
    }

    pub(super) fn look(&self) -> Seen {
        let (second, counts) = (self.world.clock.seconds(), self.world.requests.counts());
        let live = self.world.ec2.with(|endpoint| endpoint.cloud.instances().filter(|it| is_live(it)).count());
        Seen { second, visible: counts.visible, in_flight: counts.in_flight, live: number(live), ready: number(self.world.ready()) }
    }

    pub(super) fn reach(&mut self, wanted: u32) {
        let live = self.look().live;
        if wanted > live {
            let started = if self.restarts { self.start(wanted - live) } else { 0 };
            self.launch(wanted - live - started);
        } else if wanted < live {
            self.remove((live - wanted) as usize);
        }
        if self.restarts {
            self.keep_first();
        }
    }

    fn launch(&self, count: u32) {
        if count == 0 {
            return;
        }
        let behavior = if self.restarts { ShutdownBehavior::Stop } else { ShutdownBehavior::Terminate };
        let overrides = LaunchSpec {
            image_id: Some(IMAGE.to_owned()),
            instance_type: Some("t3.small".to_owned()),
            shutdown_behavior: Some(behavior),
            metadata: MetadataOptions { tags_enabled: Some(true), ..MetadataOptions::default() },
            ..LaunchSpec::default()
        };
        let request = LaunchRequest { token: None, min_count: 1, max_count: count, template: None, overrides };
        // Where EC2 has no room, they ask again the next time.
        self.world.ec2.act(|cloud, now| (drop(cloud.run_instances(request, now)), Vec::new()));
    }

    /// Starts stopped instances; returns how many.
    fn start(&self, most: u32) -> u32 {
        self.world.ec2.act(|cloud, now| {
            let stopped = cloud.instances().filter(|it| it.phase == Phase::Stopped).map(|it| it.id.clone());
            let stopped: Vec<String> = stopped.take(most as usize).collect();
            match cloud.start_instances(&stopped, now) {
                Ok((_, effects)) => (number(stopped.len()), effects),
                Err(_) => (0, Vec::new()),
            }
        })
    }

    /// One of them never leaves.
    fn keep_first(&self) {
        self.world.ec2.act(|cloud, now| {
            let is_kept = |it: &&Instance| it.tags.contains_key(ec2::tags::INTENT);
            let kept = cloud.instances().filter(|it| is_live(it)).any(|it| is_kept(&it));
            let first = cloud.instances().find(|it| is_live(it)).map(|it| it.id.clone()).filter(|_| !kept);
            if let Some(first) = first {
                let keep = Tags::from([(ec2::tags::INTENT.to_owned(), ec2::tags::KEEP.to_owned())]);
                let _ = cloud.create_tags(&[first], &keep, now);
            }
            ((), Vec::new())
        });
    }

    fn remove(&self, count: usize) {
        if self.removal == Removal::ByThemselves {
            return;
        }
        let is_ready = |id: &String| crate::lock(&self.world.workers).get(id).is_some_and(|worker| worker.is_ready());
        self.world.ec2.act(|cloud, now| {
            let mut live: Vec<(i64, String)> = cloud
                .instances()
                .filter(|it| is_live(it))
                .map(|it| (self.rank(it.launched_at, is_ready(&it.id), now), it.id.clone()))
                .collect();
            // Alike in rank, they go by their ids, which are random.
            live.sort();
            let victims: Vec<String> = live.into_iter().take(count).map(|(_, id)| id).collect();
            let effects = cloud.terminate_instances(&victims, now).map(|(_, effects)| effects);
            ((), effects.unwrap_or_default())
        });
    }

    /// The lowest goes first.
    fn rank(&self, launched_at: Timestamp, ready: bool, now: Timestamp) -> i64 {
        let age = now.duration_since(launched_at).as_secs().max(1);
        match self.removal {
            Removal::Pods if !ready => -1,
            Removal::Pods | Removal::ByThemselves => i64::from(age.ilog2()),
            Removal::Group => 3600 - age % 3600,
        }
    }
}

fn is_live(instance: &Instance) -> bool {
    matches!(instance.phase, Phase::Pending | Phase::Running)
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
