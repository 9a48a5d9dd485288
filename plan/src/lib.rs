//! What should be: from a fleet's settings and what was observed to a [`Plan`] that leaves nothing to choose.
//! Pure: no tokio, no Kubernetes, no AWS, no clock (time is an argument).

pub mod backlog;
pub mod census;
mod check;
mod decide;
pub mod desired;
mod fleet;
mod inputs;
mod observed;
mod outcome;
mod pool;
mod pursuit;
mod rollout;
mod scale_in;
mod scale_out;

pub use backlog::{Counted, QueueDepth, SampleError};
pub use census::Census;
pub use check::{Violation, check};
pub use decide::decide;
pub use desired::{Desired, desired};
pub use fleet::{Allowance, Fallback, FallbackBehavior, Fleet, Offering, Pause, Policy, Pool, Rules, Select, Target, Update};
pub use inputs::{ASSUMED, Assumed, Group, Inputs, PastChange};
pub use observed::{Action, Change, Closed, Instance, Intent, Inventory, Learned, Observed, Recommendation, Rollout, State, Waiting};
pub use outcome::{Alarm, Launch, LimitedBy, Plan, Reason, Start, Termination};
pub use pursuit::{Next, Pursuit, Question, Reply};

use jiff::SignedDuration;

/// An intent is kept this long after EC2 was last asked, though EC2 has listed all it launched: a second operator whose
/// inventory is older than the launch must still count it. Longer than [`STALE_AFTER`] with room for slow calls.
pub const INTENT_KEPT: SignedDuration = SignedDuration::from_secs(120);

/// What EC2 said it launched and has not listed this long after it was asked is taken for gone. EC2's lists lag by seconds.
pub const UNLISTED_GONE: SignedDuration = SignedDuration::from_mins(15);

/// An inventory older than this decides nothing: no launch, no removal.
pub const STALE_AFTER: SignedDuration = SignedDuration::from_secs(30);

/// EC2 bills at least so much at every start of an instance.
pub const PAID_MINUTE: SignedDuration = SignedDuration::from_secs(60);

/// A worker that is late to register has so long to leave when it is told to, if no list shows it ready by then. Longer than EC2's
/// lists lag and a worker takes to see its order together.
pub const UNREADY_DRAIN: SignedDuration = SignedDuration::from_secs(30);
