//! Owns instance types. There is no table of them: a type exists if its size has a known name, in any family.

use crate::refusal::Refusal;

/// An instance type, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeInfo {
    /// Such as `c7i.large`.
    pub name: String,
    /// What quotas count.
    pub vcpus: u32,
}

/// The types that are asked for.
///
/// # Errors
/// `InvalidInstanceType`: one that does not exist fails the call. `UnsupportedOperation` when none is named.
pub fn describe_types(asked: &[String]) -> Result<Vec<TypeInfo>, Refusal> {
    if asked.is_empty() {
        return Err(Refusal::UnsupportedOperation("DescribeInstanceTypes without InstanceType".to_owned()));
    }
    let missing: Vec<String> = asked.iter().filter(|name| vcpus(name).is_none()).cloned().collect();
    if !missing.is_empty() {
        return Err(Refusal::InvalidInstanceType(missing));
    }
    Ok(asked.iter().filter_map(|name| Some(TypeInfo { name: name.clone(), vcpus: vcpus(name)? })).collect())
}

/// As families of today have it ("Amazon EC2 instance types"): 2 up to `large`, 4 for `xlarge`, 4 N for `Nxlarge`.
fn vcpus(name: &str) -> Option<u32> {
    let (family, size) = name.split_once('.')?;
    match size {
        _ if family.is_empty() => None,
        "nano" | "micro" | "small" | "medium" | "large" => Some(2),
        "xlarge" => Some(4),
        _ => size.strip_suffix("xlarge")?.parse::<u32>().ok()?.checked_mul(4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vcpus_follow_the_size() {
        for (name, expected) in
            [("t3.small", Some(2)), ("c7i.xlarge", Some(4)), ("m7g.16xlarge", Some(64)), ("c7i.metal", None), (".large", None)]
        {
            assert_eq!(vcpus(name), expected, "{name}");
        }
    }
}
