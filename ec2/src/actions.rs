//! Owns the list of actions that we call, and EC2's published pace for each. Knows nothing of what they do.

/// One of EC2's actions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Action {
    /// As EC2 names it.
    pub(crate) name: &'static str,
    /// The bucket that its calls take tokens from.
    pub(crate) bucket: Bucket,
}

/// EC2's token buckets, as far as we use them. EC2 keeps one for each action; that ours share one for all reads and one for
/// all other writes is on the safe side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bucket {
    Reads,
    Launches,
    Starts,
    Terminations,
    Tags,
    Writes,
}

/// How many tokens a bucket holds, and how many come back in a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rate {
    pub(crate) burst: f64,
    pub(crate) refill_per_second: f64,
}

pub(crate) const RUN_INSTANCES: Action = Action { name: "RunInstances", bucket: Bucket::Launches };
pub(crate) const START_INSTANCES: Action = Action { name: "StartInstances", bucket: Bucket::Starts };
pub(crate) const TERMINATE_INSTANCES: Action = Action { name: "TerminateInstances", bucket: Bucket::Terminations };
pub(crate) const CREATE_TAGS: Action = Action { name: "CreateTags", bucket: Bucket::Tags };
pub(crate) const DESCRIBE_INSTANCES: Action = Action { name: "DescribeInstances", bucket: Bucket::Reads };
pub(crate) const DESCRIBE_IMAGES: Action = Action { name: "DescribeImages", bucket: Bucket::Reads };
pub(crate) const DESCRIBE_TYPES: Action = Action { name: "DescribeInstanceTypes", bucket: Bucket::Reads };
pub(crate) const DESCRIBE_VERSIONS: Action = Action { name: "DescribeLaunchTemplateVersions", bucket: Bucket::Reads };
pub(crate) const CREATE_TEMPLATE: Action = Action { name: "CreateLaunchTemplate", bucket: Bucket::Writes };
pub(crate) const CREATE_VERSION: Action = Action { name: "CreateLaunchTemplateVersion", bucket: Bucket::Writes };
pub(crate) const DELETE_TEMPLATE: Action = Action { name: "DeleteLaunchTemplate", bucket: Bucket::Writes };

impl Action {
    pub(crate) fn is_read(self) -> bool {
        self.bucket == Bucket::Reads
    }
}

impl Bucket {
    pub(crate) const ALL: [Self; 6] = [Self::Reads, Self::Launches, Self::Starts, Self::Terminations, Self::Tags, Self::Writes];

    /// "Request throttling for the Amazon EC2 API", default limits of an account.
    pub(crate) fn rate(self) -> Rate {
        let (burst, refill_per_second) = match self {
            Self::Reads => (100.0, 20.0),
            Self::Launches | Self::Starts => (5.0, 2.0),
            Self::Terminations => (100.0, 5.0),
            Self::Tags => (100.0, 10.0),
            Self::Writes => (50.0, 5.0),
        };
        Rate { burst, refill_per_second }
    }
}
