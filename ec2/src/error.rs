//! What an EC2 error means for what was asked.

use aws_sdk_ec2::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

/// A call that did not succeed.
#[derive(Debug, thiserror::Error)]
#[error("EC2 {action}: {}{message}", .code.as_deref().map(|code| format!("{code}: ")).unwrap_or_default())]
pub struct Error {
    /// The action, as EC2 names it.
    pub action: &'static str,
    /// EC2's error code, when EC2 answered at all.
    pub code: Option<String>,
    /// EC2's message, or what kept the answer from arriving.
    pub message: String,
}

/// What is known of a call that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// EC2 refused: nothing happened.
    Refused,
    /// EC2 wants fewer calls: nothing happened.
    Throttled,
    /// No answer, or an internal error: it may have happened.
    Unknown,
}

/// Codes that EC2 gives with a server-side status although nothing happened
/// (EC2 API reference, "Error codes", server error codes).
const REFUSED_BY_SERVER: [&str; 5] = [
    "InsufficientInstanceCapacity",
    "InsufficientHostCapacity",
    "InsufficientReservedInstanceCapacity",
    "InsufficientAddressCapacity",
    "InsufficientCapacity",
];
const THROTTLED: [&str; 3] = ["RequestLimitExceeded", "Throttling", "ThrottlingException"];
const UNKNOWN: [&str; 5] = ["InternalError", "InternalFailure", "ServiceUnavailable", "Unavailable", "RequestExpired"];

impl Error {
    /// Whether what was asked may have happened all the same.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self.code.as_deref() {
            Some(code) if THROTTLED.contains(&code) => Verdict::Throttled,
            Some(code) if REFUSED_BY_SERVER.contains(&code) => Verdict::Refused,
            Some(code) if !UNKNOWN.contains(&code) => Verdict::Refused,
            _ => Verdict::Unknown,
        }
    }

    /// Whether EC2 answered with this code.
    #[must_use]
    pub fn is(&self, code: &str) -> bool {
        self.code.as_deref() == Some(code)
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
}
