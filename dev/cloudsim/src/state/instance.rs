//! Owns one instance: what it is made from and which state it is in. Knows nothing of other instances or of requests.

use std::sync::Arc;

use jiff::Timestamp;

use super::spec::{LaunchSpec, Profile, ShutdownBehavior};
use super::tags::Tags;

/// Families before Nitro: their metadata service shows tags as they were at the last start.
const XEN_FAMILIES: [&str; 15] = ["t1", "t2", "m1", "m2", "m3", "m4", "c1", "c3", "c4", "r3", "r4", "i2", "d2", "x1", "x1e"];

/// Where an instance is in its life, as the API names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Being launched or started.
    Pending,
    /// Switched on.
    Running,
    /// On the way to terminated.
    ShuttingDown,
    /// Gone for good; visible for a while.
    Terminated,
    /// On the way to stopped.
    Stopping,
    /// Switched off, can be started.
    Stopped,
}

impl Phase {
    /// The code of `InstanceState`, low byte.
    #[must_use]
    pub fn code(self) -> u16 {
        match self {
            Self::Pending => 0,
            Self::Running => 16,
            Self::ShuttingDown => 32,
            Self::Terminated => 48,
            Self::Stopping => 64,
            Self::Stopped => 80,
        }
    }

    /// The name of `InstanceState`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        }
    }

    /// Whether the instance holds a place on some machine.
    #[must_use]
    pub fn takes_room(self) -> bool {
        matches!(self, Self::Pending | Self::Running | Self::ShuttingDown | Self::Stopping)
    }
}

/// `StateReason`, and the `StateTransitionReason` that goes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateReason {
    /// Such as `Client.UserInitiatedShutdown`.
    pub code: &'static str,
    /// A sentence.
    pub message: &'static str,
    /// `StateTransitionReason`, such as `User initiated (2026-11-22 09:30:00 GMT)`; may be empty.
    pub transition: String,
}

impl StateReason {
    pub(super) fn pending() -> Self {
        Self { code: "pending", message: "pending", transition: String::new() }
    }

    pub(super) fn user_initiated(now: Timestamp) -> Self {
        Self {
            code: "Client.UserInitiatedShutdown",
            message: "Client.UserInitiatedShutdown: User initiated shutdown",
            transition: format!("User initiated ({} GMT)", now.strftime("%Y-%m-%d %H:%M:%S")),
        }
    }

    pub(super) fn instance_initiated() -> Self {
        Self {
            code: "Client.InstanceInitiatedShutdown",
            message: "Client.InstanceInitiatedShutdown: Instance initiated shutdown",
            transition: String::new(),
        }
    }

    pub(super) fn spot_termination(now: Timestamp) -> Self {
        Self {
            code: "Server.SpotInstanceTermination",
            message: "Server.SpotInstanceTermination: Spot instance termination",
            transition: format!("Service initiated ({} GMT)", now.strftime("%Y-%m-%d %H:%M:%S")),
        }
    }
}

/// A disk of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// `vol-…`
    pub id: String,
    /// Such as `/dev/xvda`, the root disk's.
    pub device_name: String,
    /// In GiB; `None` is the image's own size.
    pub size_gib: Option<u32>,
    /// Whether it goes with the instance.
    pub delete_on_termination: bool,
    /// Its tags.
    pub tags: Tags,
}

/// A virtual machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// `i-…`
    pub id: String,
    /// `r-…`: what was launched together.
    pub reservation_id: String,
    /// The token of its launch.
    pub client_token: Option<String>,
    /// Place within its launch, from 0.
    pub launch_index: u32,
    /// What it is made from, template and overrides together.
    pub spec: Arc<LaunchSpec>,
    /// `sir-…`, of a spot instance.
    pub spot_request_id: Option<String>,
    /// Its tags now.
    pub tags: Tags,
    /// Its tags when it last started.
    pub tags_at_start: Tags,
    /// Its disks, the root disk first.
    pub volumes: Vec<Volume>,
    /// The Availability Zone.
    pub zone: String,
    /// An address in 10.0.0.0/8.
    pub private_ip: String,
    /// Where it is in its life.
    pub phase: Phase,
    /// Why.
    pub reason: Option<StateReason>,
    /// `LaunchTime`: the launch or the latest start.
    pub launched_at: Timestamp,
    /// The launch.
    pub created_at: Timestamp,
    /// When the spot market will take it, once that is announced.
    pub interrupted_at: Option<Timestamp>,
    /// Since when it is said to be at elevated risk of interruption.
    pub rebalance_since: Option<Timestamp>,
    /// Whether it was switched on before.
    pub booted_before: bool,
    /// When the phase goes on by itself.
    pub(super) due: Option<Timestamp>,
}

impl Instance {
    /// `InstanceType`
    #[must_use]
    pub fn instance_type(&self) -> &str {
        self.spec.type_name()
    }

    /// `ImageId`
    #[must_use]
    pub fn image_id(&self) -> &str {
        self.spec.image_id.as_deref().unwrap_or_default()
    }

    /// Whether it was bought on the spot market.
    #[must_use]
    pub fn is_spot(&self) -> bool {
        self.spec.market.is_some()
    }

    /// What a power-off by the guest leads to. A one-time spot instance cannot be stopped, by whomever.
    #[must_use]
    pub fn shutdown_behavior(&self) -> ShutdownBehavior {
        if self.is_spot() { ShutdownBehavior::Terminate } else { self.spec.shutdown_behavior.unwrap_or_default() }
    }

    /// `PrivateDnsName`
    #[must_use]
    pub fn private_dns(&self) -> String {
        format!("ip-{}.ec2.internal", self.private_ip.replace('.', "-"))
    }

    /// The ARN and the role's name of the instance profile.
    #[must_use]
    pub fn profile(&self) -> Option<(String, String)> {
        match self.spec.profile.as_ref()? {
            Profile::Arn(arn) => Some((arn.clone(), arn.rsplit('/').next().unwrap_or_default().to_owned())),
            Profile::Name(name) => Some((format!("arn:aws:iam::{}:instance-profile/{name}", super::ACCOUNT), name.clone())),
        }
    }

    /// The tags that the metadata service shows, if it shows any: those of now on Nitro types, those of the last start
    /// on older ones ("View tags for your EC2 instances using instance metadata").
    #[must_use]
    pub fn served_tags(&self) -> Option<&Tags> {
        if !self.spec.serves_tags() {
            return None;
        }
        let family = self.instance_type().split('.').next().unwrap_or_default();
        Some(if XEN_FAMILIES.contains(&family) { &self.tags_at_start } else { &self.tags })
    }
}
