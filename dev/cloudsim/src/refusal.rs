//! Owns how EC2 says no: one variant per error code, with its message and HTTP status. Knows nothing of requests or state.

/// A refusal in EC2's own words.
///
/// Codes and statuses follow "Error codes for the Amazon EC2 API"; messages follow what EC2 answers where that is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The action is not one that cloudsim has.
    #[error("The action {0} is not valid for this web service.")]
    InvalidAction(String),
    /// A parameter that the action's parser did not ask for.
    #[error("The parameter {0} is not recognized")]
    UnknownParameter(String),
    /// A required parameter is absent.
    #[error("The request must contain the parameter {0}")]
    MissingParameter(String),
    /// A value out of range or of the wrong form; the text is the whole message.
    #[error("{0}")]
    InvalidParameterValue(String),
    /// Instance types that do not exist.
    #[error("The following supplied instance types do not exist: [{}]", .0.join(", "))]
    InvalidInstanceType(Vec<String>),
    /// User data that is not base64.
    #[error("Invalid BASE64 encoding of user data.")]
    MalformedUserData,
    /// Parameters that exclude each other; the text is the whole message.
    #[error("{0}")]
    InvalidParameterCombination(String),
    /// A known parameter with a value that cloudsim does not do.
    #[error("cloudsim does not support {0}")]
    UnsupportedOperation(String),
    /// Paging with a token that was never given out.
    #[error("The token '{0}' is not valid")]
    InvalidNextToken(String),
    /// An id of the wrong form. Fields: what kind of id, and the id.
    #[error("Invalid id: \"{1}\"")]
    Malformed(IdKind, String),
    /// Well-formed ids that name nothing.
    #[error("{}", not_found(*.0, .1))]
    NotFound(IdKind, Vec<String>),
    /// A resource id of no kind that can be tagged here.
    #[error("The ID '{0}' is not valid")]
    InvalidId(String),
    /// No launch template has this name.
    #[error("The specified launch template, with template name {0}, does not exist.")]
    TemplateNameNotFound(String),
    /// The launch template name is taken.
    #[error("Launch template name already in use.")]
    TemplateNameTaken,
    /// The launch template name has the wrong form.
    #[error("A launch template name must be between 3 and 128 characters: letters, numbers and ( ) . / _ -; got '{0}'")]
    TemplateNameMalformed(String),
    /// The launch template has no such version.
    #[error("Could not find the specified version {1} for the launch template with ID {0}.")]
    TemplateVersionNotFound(String, String),
    /// The version is not a number, `$Latest` or `$Default`.
    #[error("Invalid launch template version: '{0}'")]
    TemplateVersionMalformed(String),
    /// The instance's state does not allow what was asked. Fields: the id, and "started" or "stopped".
    #[error("The instance '{0}' is not in a state from which it can be {1}.")]
    IncorrectInstanceState(String, &'static str),
    /// The token was used before with another request.
    #[error("The client token '{0}' was used with different parameters.")]
    IdempotentParameterMismatch(String),
    /// The token's instances are terminated.
    #[error("The client token '{0}' belongs to instances that have been terminated.")]
    IdempotentInstanceTerminated(String),
    /// A resource would have more than 50 tags.
    #[error("The maximum number of tags for this resource has been reached: {0}")]
    TagLimitExceeded(String),
    /// The zone has too few free machines of a type. Fields: type, zone.
    #[error(
        "We currently do not have sufficient {0} capacity in the Availability Zone you requested ({1}). \
         Our system will be working on provisioning additional capacity."
    )]
    InsufficientInstanceCapacity(String, String),
    /// The spot market has too few free machines.
    #[error("There is no Spot capacity available that matches your request.")]
    InsufficientSpotCapacity,
    /// StopInstances of a one-time spot instance.
    #[error(
        "You can't stop the Spot Instance '{0}' because it is associated with a one-time Spot Instance request. \
         You can only stop Spot Instances associated with persistent Spot Instance requests."
    )]
    OneTimeSpotInstance(String),
    /// `resolve:ssm:…` with a parameter, or a version of it, that does not exist.
    #[error("The following aliases are invalid: {0}")]
    SsmInvalidParameter(String),
    /// Too many requests of a kind.
    #[error("Request limit exceeded.")]
    RequestLimitExceeded,
    /// The answer to a dry run of what would be done.
    #[error("Request would have succeeded, but DryRun flag is set.")]
    DryRunOperation,
    /// An error armed through the admin API.
    #[error("cloudsim was told to answer {0}")]
    Injected(String),
}

/// The kinds of id that have error codes of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdKind {
    /// `i-…`
    Instance,
    /// `ami-…`
    Image,
    /// `lt-…`
    Template,
    /// `subnet-…`
    Subnet,
    /// `sg-…`
    SecurityGroup,
    /// `vol-…`
    Volume,
}

impl IdKind {
    /// The start of every id of this kind.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Instance => "i-",
            Self::Image => "ami-",
            Self::Template => "lt-",
            Self::Subnet => "subnet-",
            Self::SecurityGroup => "sg-",
            Self::Volume => "vol-",
        }
    }

    fn code(self) -> &'static str {
        match self {
            Self::Instance => "InvalidInstanceID",
            Self::Image => "InvalidAMIID",
            Self::Template => "InvalidLaunchTemplateId",
            Self::Subnet => "InvalidSubnetID",
            Self::SecurityGroup => "InvalidGroupId",
            Self::Volume => "InvalidVolumeID",
        }
    }

    fn noun(self) -> &'static str {
        match self {
            Self::Instance => "instance",
            Self::Image => "image",
            Self::Template => "launch template",
            Self::Subnet => "subnet",
            Self::SecurityGroup => "security group",
            Self::Volume => "volume",
        }
    }
}

impl Refusal {
    /// The EC2 error code.
    #[must_use]
    pub fn code(&self) -> String {
        let fixed = match self {
            Self::Malformed(kind, _) => return format!("{}.Malformed", kind.code()),
            Self::NotFound(IdKind::Volume, _) => "InvalidVolume.NotFound",
            Self::NotFound(kind, _) => return format!("{}.NotFound", kind.code()),
            Self::Injected(code) => return code.clone(),
            Self::DryRunOperation => "DryRunOperation",
            Self::InvalidAction(_) => "InvalidAction",
            Self::UnknownParameter(_) => "UnknownParameter",
            Self::MissingParameter(_) => "MissingParameter",
            Self::InvalidParameterValue(_) => "InvalidParameterValue",
            Self::RequestLimitExceeded => "RequestLimitExceeded",
            Self::InvalidInstanceType(_) => "InvalidInstanceType",
            Self::MalformedUserData => "InvalidUserData.Malformed",
            Self::InvalidParameterCombination(_) => "InvalidParameterCombination",
            Self::UnsupportedOperation(_) | Self::OneTimeSpotInstance(_) => "UnsupportedOperation",
            Self::InvalidNextToken(_) => "InvalidNextToken",
            Self::InvalidId(_) => "InvalidID",
            Self::TemplateNameNotFound(_) => "InvalidLaunchTemplateName.NotFoundException",
            Self::TemplateNameTaken => "InvalidLaunchTemplateName.AlreadyExistsException",
            Self::TemplateNameMalformed(_) => "InvalidLaunchTemplateName.MalformedException",
            Self::TemplateVersionNotFound(..) => "InvalidLaunchTemplateId.VersionNotFound",
            Self::TemplateVersionMalformed(_) => "InvalidLaunchTemplateId.VersionMalformed",
            Self::IncorrectInstanceState(..) => "IncorrectInstanceState",
            Self::IdempotentParameterMismatch(_) => "IdempotentParameterMismatch",
            Self::IdempotentInstanceTerminated(_) => "IdempotentInstanceTerminated",
            Self::TagLimitExceeded(_) => "TagLimitExceeded",
            Self::InsufficientInstanceCapacity(..) | Self::InsufficientSpotCapacity => "InsufficientInstanceCapacity",
            Self::SsmInvalidParameter(_) => "SsmInvalidParameter",
        };
        fixed.to_owned()
    }

    /// The HTTP status that goes with the code: 500 and 503 for those in the table of server errors, 400 for all others,
    /// also for those that are about capacity in other words (`UnfulfillableCapacity`, `MaxSpotInstanceCountExceeded`, …).
    #[must_use]
    pub fn status(&self) -> u16 {
        match self.code().as_str() {
            "DryRunOperation" => 412,
            "RequestLimitExceeded" | "ServiceUnavailable" | "Unavailable" => 503,
            "BandwidthLimitExceeded"
            | "InsufficientAddressCapacity"
            | "InsufficientCapacity"
            | "InsufficientHostCapacity"
            | "InsufficientInstanceCapacity"
            | "InsufficientReservedInstanceCapacity"
            | "InsufficientVolumeCapacity"
            | "InternalError"
            | "InternalFailure"
            | "ServerInternal" => 500,
            _ => 400,
        }
    }
}

fn not_found(kind: IdKind, ids: &[String]) -> String {
    let noun = kind.noun();
    let noun = if kind == IdKind::Image { "image id" } else { noun };
    match ids {
        [one] if kind == IdKind::Image => format!("The {noun} '[{one}]' does not exist"),
        [one] => format!("The {noun} ID '{one}' does not exist"),
        many => format!("The {noun} IDs '{}' do not exist", many.join(", ")),
    }
}
