//! Other people's policies, each as its own documents have it, on the same workers and the same EC2. What documents leave open is
//! said where it is filled in.

mod groups;
mod hands;
mod keda;
mod knative;
mod seeds;

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use rand::{RngExt as _, SeedableRng as _};

use crate::lock;
use crate::policy::Policy;
use crate::world::{Settings, World};
use hands::{Hands, Removal};

/// A policy that looks at the queue at intervals and then wants a number of instances.
trait Decider: Send {
    /// The number of instances wanted.
    fn decide(&mut self, seen: Seen) -> u32;
}

/// What a policy looks at.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    /// Seconds since the start.
    second: f64,
    /// `ApproximateNumberOfMessages`.
    visible: u64,
    /// `ApproximateNumberOfMessagesNotVisible`.
    in_flight: u64,
    /// Instances pending or running.
    live: u32,
    /// Workers that take jobs.
    ready: u32,
}

/// The policies of others, and what they are called on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// min(ceil(images / 4), 12), one always on, stopped instances started again.
    RatioRestarted,
    /// One instance for each message, up to 19.
    PerMessage,
    /// One more instance at a time, up to 19.
    OneAtATime,
    /// As many as messages visible and in flight, looked at every 5 s, up to 20.
    VisibleAndInFlight,
    /// KEDA's aws-sqs-queue scaler with the HPA that it makes.
    Keda,
    /// An Auto Scaling group with target tracking on the backlog per instance.
    TargetTracking,
    /// An Auto Scaling group with step scaling on the queue's length.
    StepScaling,
    /// Knative's pod autoscaler.
    Knative,
}

/// A peer, with as many instances as it may have at most.
#[derive(Debug, Clone, Copy)]
pub struct Peers {
    peer: Peer,
    max: u32,
}

impl Peer {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::RatioRestarted,
        Self::PerMessage,
        Self::OneAtATime,
        Self::VisibleAndInFlight,
        Self::Keda,
        Self::TargetTracking,
        Self::StepScaling,
        Self::Knative,
    ];

    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::RatioRestarted => "ratio-restarted",
            Self::PerMessage => "per-message",
            Self::OneAtATime => "one-at-a-time",
            Self::VisibleAndInFlight => "visible-and-in-flight",
            Self::Keda => "keda",
            Self::TargetTracking => "target-tracking",
            Self::StepScaling => "step-scaling",
            Self::Knative => "knative",
        }
    }

    /// What it does, in a line.
    #[must_use]
    pub fn about(self) -> &'static str {
        match self {
            Self::RatioRestarted => "min(ceil(images / 4), 12), one always on, stopped instances started again",
            Self::PerMessage => "An instance for each message, up to 19",
            Self::OneAtATime => "One more instance at a time, up to 19",
            Self::VisibleAndInFlight => "As many as messages visible and in flight, every 5 s, up to 20",
            Self::Keda => "KEDA's aws-sqs-queue scaler and its HPA",
            Self::TargetTracking => "An Auto Scaling group, target tracking on the backlog per instance",
            Self::StepScaling => "An Auto Scaling group, step scaling on the queue's length",
            Self::Knative => "Knative's pod autoscaler",
        }
    }

    /// With `max` instances at most; those whose own documents name a number keep theirs.
    #[must_use]
    pub fn with_max(self, max: u32) -> Peers {
        let max = match self {
            Self::RatioRestarted => 12,
            Self::PerMessage | Self::OneAtATime => 19,
            Self::VisibleAndInFlight => 20,
            Self::Keda | Self::TargetTracking | Self::StepScaling | Self::Knative => max,
        };
        Peers { peer: self, max }
    }

    fn every(self) -> Duration {
        Duration::from_secs(match self {
            Self::RatioRestarted | Self::PerMessage | Self::VisibleAndInFlight => 5,
            Self::OneAtATime | Self::Keda => 15,
            Self::TargetTracking | Self::StepScaling => 60,
            Self::Knative => 2,
        })
    }

    fn removal(self) -> Removal {
        match self {
            Self::RatioRestarted | Self::PerMessage | Self::OneAtATime | Self::VisibleAndInFlight => Removal::ByThemselves,
            Self::Keda | Self::Knative => Removal::Pods,
            Self::TargetTracking | Self::StepScaling => Removal::Group,
        }
    }
}

impl Peers {
    fn decider(self) -> Box<dyn Decider> {
        let Self { peer, max } = self;
        match peer {
            Peer::RatioRestarted => Box::new(seeds::Ratio { max }),
            Peer::PerMessage => Box::new(seeds::PerMessage { max }),
            Peer::OneAtATime => Box::new(seeds::OneAtATime { max }),
            Peer::VisibleAndInFlight => Box::new(seeds::VisibleAndInFlight { max }),
            Peer::Keda => Box::new(keda::Keda::new(max)),
            Peer::TargetTracking => Box::new(groups::TargetTracking::new(max)),
            Peer::StepScaling => Box::new(groups::StepScaling::new(max)),
            Peer::Knative => Box::new(knative::Kpa::new(max)),
        }
    }
}

impl Policy for Peers {
    fn name(&self) -> String {
        self.peer.name().to_owned()
    }

    fn adapt(&self, settings: &mut Settings) {
        settings.worker.idle_shutdown = match self.peer.removal() {
            Removal::ByThemselves => Some(seeds::EMPTY_POLLS),
            Removal::Pods | Removal::Group => None,
        };
    }

    fn scale(&self, world: Arc<World>) -> BoxFuture<'static, ()> {
        let peers = *self;
        async move {
            let mut hands = Hands::new(world.clone(), peers.peer.removal(), peers.peer == Peer::RatioRestarted);
            let mut decider = peers.decider();
            // The load knows nothing of when a policy looks.
            let phase: f64 = rand::rngs::StdRng::seed_from_u64(world.settings.seed).random();
            tokio::time::sleep(peers.peer.every().mul_f64(phase)).await;
            loop {
                let wanted = decider.decide(hands.look()).min(peers.max);
                *lock(&world.desired) = wanted;
                hands.reach(wanted);
                tokio::time::sleep(peers.peer.every()).await;
            }
        }
        .boxed()
    }
}
