//! Owns the table of EC2's error codes: what each means for us. `docs/ec2-errors.md` says the same for people, with what is
//! done about each and why the others cannot come; a test holds the two together.

/// What a code means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Refused; the instance type, subnet or capacity type is to blame.
    Offering,
    /// Refused, and no other offering would do better: account, rights or specification. Codes that are not in the table
    /// count as these.
    Fleet,
    /// Refused because of one of several instances.
    Instance,
    /// Refused, and we reckon with it: the code is an answer.
    Expected,
    /// Nothing happened; ask later.
    Throttled,
    /// It may have happened.
    Unknown,
}

pub(crate) fn class_of(code: &str) -> Class {
    let known = TABLE.iter().find(|(_, codes)| codes.contains(&code));
    known.map_or(Class::Fleet, |(class, _)| *class)
}

/// From "Error codes for the Amazon EC2 API" and, those with a note, from elsewhere. Some of EC2's capacity errors come with
/// a server-side status although nothing happened.
pub(crate) const TABLE: &[(Class, &[&str])] = &[
    (Class::Offering, OFFERING),
    (Class::Fleet, FLEET),
    (Class::Instance, INSTANCE),
    (Class::Expected, EXPECTED),
    (Class::Throttled, THROTTLED),
    (Class::Unknown, UNKNOWN),
];

const OFFERING: &[&str] = &[
    // User guide, "Service-linked role for Spot Instance requests": on-demand offerings need no such role.
    "AuthFailure.ServiceLinkedRoleCreationNotPermitted",
    "EncryptedVolumesNotSupported",
    "InstanceLimitExceeded",
    "InsufficientAddressCapacity",
    "InsufficientCapacity",
    "InsufficientFreeAddressesInSubnet",
    "InsufficientHostCapacity",
    "InsufficientInstanceCapacity",
    "InsufficientReservedInstanceCapacity",
    "InsufficientVolumeCapacity",
    "InvalidInstanceType",
    "InvalidSubnet",
    "InvalidSubnetID.Malformed",
    "InvalidSubnetID.NotFound",
    "InvalidSubnetId.NotFound",
    "MaxSpotInstanceCountExceeded",
    "ReservationCapacityExceeded",
    "SpotMaxPriceTooLow",
    "UnfulfillableCapacity",
    "Unsupported",
    "UnsupportedOperation",
    "VcpuLimitExceeded",
    "VolumeTypeNotAvailableInZone",
];

const FLEET: &[&str] = &[
    "AccountDisabled",
    "AuthFailure",
    "Blocked",
    "BootForVolumeTypeUnsupported",
    "ClientInvalidParameterValue",
    "CustomerKeyHasBeenRevoked",
    "DefaultVpcDoesNotExist",
    "IncompleteSignature",
    "InvalidAction",
    "InvalidAMIID.Malformed",
    "InvalidAMIID.NotFound",
    "InvalidAMIID.Unavailable",
    "InvalidBlockDeviceMapping",
    "InvalidCharacter",
    "InvalidClientTokenId",
    "InvalidGroup.NotFound",
    "InvalidGroupId.Malformed",
    "InvalidInput",
    "InvalidKeyPair.NotFound",
    "InvalidLaunchTemplateName.MalformedException",
    "InvalidManifest",
    "InvalidNextToken",
    "InvalidPaginationToken",
    "InvalidParameter",
    "InvalidParameterCombination",
    "InvalidParameterDependency",
    "InvalidParameterValue",
    "InvalidProductInfo",
    "InvalidRequest",
    "InvalidSecurity.RequestHasExpired",
    "InvalidSecurityGroupID.NotFound",
    "InvalidSecurityGroupId.Malformed",
    "InvalidSnapshot.NotFound",
    "InvalidTagKey.Malformed",
    "MaxIOPSLimitExceeded",
    "MaxTemplateLimitExceeded",
    "MaxTemplateVersionLimitExceeded",
    "MissingAuthenticationToken",
    "MissingInput",
    "MissingParameter",
    "NetworkInterfaceLimitExceeded",
    "NoSuchVersion",
    "OptInRequired",
    "PendingVerification",
    "RequestExpired",
    "RequestResourceCountExceeded",
    "ResourceCountExceeded",
    "ResourceLimitExceeded",
    "SecurityGroupLimitExceeded",
    "SecurityGroupsPerInstanceLimitExceeded",
    "SecurityGroupsPerInterfaceLimitExceeded",
    "SignatureDoesNotMatch",
    // Not on any page, and what EC2 answers for `resolve:ssm:…`.
    "SsmInvalidParameter",
    "TagPolicyViolation",
    "UnauthorizedOperation",
    "UnknownParameter",
    "VPCIdNotSpecified",
    "VPCResourceNotSpecified",
    "ValidationError",
    "VolumeLimitExceeded",
];

const INSTANCE: &[&str] = &[
    "IncorrectInstanceState",
    "IncorrectState",
    "InvalidID",
    "InvalidInstanceID.Malformed",
    "InvalidInstanceID.NotFound",
    "InvalidInstanceState",
    "InvalidState",
    "OperationNotPermitted",
    "TagLimitExceeded",
];

const EXPECTED: &[&str] = &[
    "DryRunOperation",
    "IdempotentInstanceTerminated",
    "IdempotentParameterMismatch",
    "InvalidLaunchTemplateId.VersionNotFound",
    "InvalidLaunchTemplateName.AlreadyExistsException",
    "InvalidLaunchTemplateName.NotFoundException",
];

const THROTTLED: &[&str] = &[
    // Ours: not sent at all.
    crate::error::CLIENT_THROTTLED,
    "ConcurrentTagAccess",
    "RequestLimitExceeded",
    // Common errors of AWS's Query services.
    "Throttling",
    "ThrottlingException",
];

const UNKNOWN: &[&str] = &[
    "BandwidthLimitExceeded",
    "InternalError",
    "InternalFailure",
    "RetryableError",
    "ServerInternal",
    "ServiceUnavailable",
    "Unavailable",
];

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = include_str!("../../docs/ec2-errors.md");

    /// Codes of the page's tables with what the next column says, and codes of its lists.
    fn page() -> (Vec<(String, String)>, Vec<String>) {
        let code = |text: &str| Some(text.trim().strip_prefix('`')?.strip_suffix('`')?.to_owned());
        let rows = PAGE.lines().filter_map(|line| line.strip_prefix("| "));
        let rows = rows.filter_map(|row| {
            let (first, rest) = row.split_once(" | ")?;
            Some((code(first)?, rest.split(" | ").next()?.trim().to_owned()))
        });
        let lists = PAGE.lines().filter(|line| line.starts_with('`')).flat_map(|line| line.split(' ')).filter_map(code);
        (rows.collect(), lists.collect())
    }

    #[test]
    fn page_and_table_agree() {
        let (mut rows, _) = page();
        rows.sort();
        let classed = TABLE.iter().flat_map(|(class, codes)| codes.iter().map(move |code| (class, code)));
        let mut table: Vec<_> = classed.map(|(class, code)| ((*code).to_owned(), format!("{class:?}").to_lowercase())).collect();
        table.sort();
        assert_eq!(rows, table);
    }

    #[test]
    fn no_code_stands_twice() {
        let (rows, lists) = page();
        let mut all: Vec<_> = rows.into_iter().map(|(code, _)| code).chain(lists).collect();
        all.sort();
        let twice: Vec<_> = all.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| &pair[0]).collect();
        assert!(twice.is_empty(), "{twice:?}");
        assert!(all.len() > 300, "{} codes: a list is not read", all.len());
    }
}
