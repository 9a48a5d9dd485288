//! Tags that operator and worker speak through. No key holds a '/': instance metadata serves letters, digits and
//! `+ - = . , _ : @` only, and refuses the launch otherwise.

/// Uid of the `kube-system` namespace of the cluster that an instance belongs to: two clusters in one account never touch
/// each other's.
pub const CLUSTER: &str = "classifierfleet:cluster";
/// Uid of the fleet that an instance belongs to.
pub const UID: &str = "classifierfleet:uid";
/// Namespace of the fleet.
pub const NAMESPACE: &str = "classifierfleet:namespace";
/// Name of the fleet.
pub const FLEET: &str = "classifierfleet:name";
/// What the instance was made from.
pub const REVISION: &str = "classifierfleet:revision";
/// ClientToken of the launch.
pub const TOKEN: &str = "classifierfleet:token";
/// Set by the worker when it takes jobs: when, its rate and its model.
pub const READY: &str = "classifierfleet:ready";
/// Set by the worker when its process ended in disorder and was started again: when, and how often since the machine booted.
/// What [`READY`] says from before that time does not hold any more.
pub const RESTARTED: &str = "classifierfleet:restarted";
/// Set by the operator: when a warm instance was last started, RFC 3339.
pub const STARTED: &str = "classifierfleet:started";
/// Set by the operator: [`DRAIN`], [`KEEP`], or nothing.
pub const INTENT: &str = "classifierfleet:intent";
/// When the operator set [`INTENT`], RFC 3339.
pub const INTENT_AT: &str = "classifierfleet:intent-at";
/// Value of [`INTENT`] that tells a worker to finish what it has and leave.
pub const DRAIN: &str = "drain";
/// Value of [`INTENT`] that tells a worker to stay although it is idle.
pub const KEEP: &str = "keep";
/// The name that EC2's console shows.
pub const NAME: &str = "Name";
