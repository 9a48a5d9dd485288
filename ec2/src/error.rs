//! What an EC2 error means for what was asked. Which code is which stands in `codes`.

use std::time::Duration;

use aws_sdk_ec2::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

use crate::codes::{Class, class_of};

/// Our own code for a call that was not sent, because its turn was too far away.
pub(crate) const CLIENT_THROTTLED: &str = "ClientThrottled";

/// A call that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("EC2 {action}: {}{message}", .code.as_deref().map(|code| format!("{code}: ")).unwrap_or_default())]
pub struct Error {
    /// The action, as EC2 names it.
    pub action: &'static str,
    /// EC2's error code, when EC2 answered at all; `ClientThrottled` when it was not asked, so as to keep its pace.
    pub code: Option<String>,
    /// EC2's message, or what kept the answer from arriving.
    pub message: String,
}

/// What is known of a call that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// EC2 refused: nothing happened.
    Refused,
    /// EC2 wants fewer calls, or was not even asked: nothing happened.
    Throttled,
    /// No answer, or an internal error: it may have happened.
    Unknown,
}

/// How far a refusal of a launch or a start reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// This instance type, subnet or capacity type is to blame: another one may be had at once.
    Offering,
    /// No offering would do better.
    Fleet,
}

impl Error {
    /// Whether what was asked may have happened all the same.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let Some(code) = self.code.as_deref() else { return Verdict::Unknown };
        match class_of(code) {
            Class::Throttled => Verdict::Throttled,
            Class::Unknown => Verdict::Unknown,
            Class::Offering | Class::Fleet | Class::Instance | Class::Expected => Verdict::Refused,
        }
    }

    /// Whether another offering might do better.
    #[must_use]
    pub fn scope(&self) -> Scope {
        let Some(code) = self.code.as_deref() else { return Scope::Fleet };
        // EC2 has no code of its own for a type that is unknown in the region, of another architecture than the AMI, or
        // without what the AMI needs: only the message names it.
        let names_the_type = ["InvalidParameterValue", "InvalidParameterCombination"].contains(&code)
            && ["InstanceType", "instance type"].iter().any(|words| self.message.contains(words));
        if class_of(code) == Class::Offering || names_the_type { Scope::Offering } else { Scope::Fleet }
    }

    /// Whether EC2 answered with this code.
    #[must_use]
    pub fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
    }

    /// Whether one instance of a call failed all others with it.
    pub(crate) fn blames_an_instance(&self) -> bool {
        self.code.as_deref().is_some_and(|code| class_of(code) == Class::Instance)
    }

    pub(crate) fn of<E, R>(action: &'static str, error: &SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        R: std::fmt::Debug,
    {
        let code = error.as_service_error().and_then(|answer| answer.code()).map(str::to_owned);
        let message = error.as_service_error().and_then(|answer| answer.message()).map(str::to_owned);
        Self { action, code, message: message.unwrap_or_else(|| DisplayErrorContext(error).to_string()) }
    }

    pub(crate) fn client_throttled(action: &'static str, wait: Duration, patience: Duration) -> Self {
        let message = format!(
            "so many calls are waiting that this one's turn would come in {:.1} s, and at most {} s are waited; nothing was sent",
            wait.as_secs_f64(),
            patience.as_secs()
        );
        Self { action, code: Some(CLIENT_THROTTLED.to_owned()), message }
    }

    /// An answer that lacks what it should hold.
    pub(crate) fn without(action: &'static str, what: impl std::fmt::Display) -> Self {
        Self { action, code: None, message: format!("the answer has no {what}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: &str, message: &str) -> Error {
        Error { action: "RunInstances", code: Some(code.to_owned()), message: message.to_owned() }
    }

    #[test]
    fn a_code_tells_whether_it_happened_and_how_far_it_reaches() {
        use Scope::{Fleet, Offering};
        use Verdict::{Refused, Throttled, Unknown};
        for (code, verdict, scope) in [
            ("InsufficientInstanceCapacity", Refused, Offering),
            ("SpotMaxPriceTooLow", Refused, Offering),
            ("InvalidSubnetID.NotFound", Refused, Offering),
            ("UnauthorizedOperation", Refused, Fleet),
            ("InvalidInstanceID.NotFound", Refused, Fleet),
            ("IdempotentInstanceTerminated", Refused, Fleet),
            ("RequestLimitExceeded", Throttled, Fleet),
            ("ClientThrottled", Throttled, Fleet),
            ("InternalError", Unknown, Fleet),
            ("NeverHeardOf", Refused, Fleet),
        ] {
            let error = error(code, "");
            assert_eq!((error.verdict(), error.scope()), (verdict, scope), "{code}");
        }
        let silence = Error { code: None, ..error("", "connection reset") };
        assert_eq!((silence.verdict(), silence.scope()), (Unknown, Fleet));
    }

    #[test]
    fn a_message_that_names_the_instance_type_blames_the_offering() {
        for (code, message, scope) in [
            ("InvalidParameterValue", "Invalid value 't3.smal' for InstanceType.", Scope::Offering),
            ("InvalidParameterValue", "The architecture 'arm64' of the specified instance type does not match", Scope::Offering),
            ("InvalidParameterCombination", "ENA is required for the 't3.small' instance type.", Scope::Offering),
            ("InvalidParameterValue", "Invalid IAM Instance Profile name", Scope::Fleet),
            ("UnauthorizedOperation", "not authorized for this instance type", Scope::Fleet),
        ] {
            assert_eq!(error(code, message).scope(), scope, "{message}");
        }
    }
}
