//! What is wrong with a need, and how a refusal of AWS or Kubernetes reads as one. Must not know what is prepared.

use aws_sdk_sqs::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

/// Reason of a fault: somebody else has a name that the fleet asks for.
pub const NAME_IN_USE: &str = "NameInUse";

/// What is wrong with a need: a reason for programs, a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// One word, for a condition's reason.
    pub reason: &'static str,
    /// What is wrong and what to do.
    pub message: String,
}

impl Fault {
    /// `what` could not be done because AWS did not do `action`, the permission's name, such as `sqs:CreateQueue`.
    pub(super) fn aws<E, R>(reason: &'static str, what: &str, action: &str, error: &SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        R: std::fmt::Debug,
    {
        let hint = match code(error) {
            Some("AccessDenied" | "AccessDeniedException" | "AllAccessDisabled" | "AuthorizationError") => {
                format!("; allow {action} to the operator's AWS role")
            }
            _ => String::new(),
        };
        Self { reason, message: format!("{what}: {}{hint}", told(error)) }
    }

    /// Kubernetes did not do what it was asked.
    pub(super) fn kubernetes(what: &str, error: &kube::Error) -> Self {
        let message = match error {
            kube::Error::Api(status) if status.code == 403 => {
                format!("{what}: {}; the operator's ClusterRole must allow it", status.message)
            }
            kube::Error::Api(status) => format!("{what}: {}", status.message),
            other => format!("{what}: {other}"),
        };
        Self { reason: "GatewayRefused", message }
    }
}

/// AWS's error code, when AWS answered at all.
pub(super) fn code<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> Option<&str> {
    error.as_service_error().and_then(ProvideErrorMetadata::code)
}

fn told<E, R>(error: &SdkError<E, R>) -> String
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    let answer = error.as_service_error();
    match answer.and_then(|answer| Some((answer.code()?, answer.message()?))) {
        Some((code, message)) => format!("{code}: {message}"),
        None => DisplayErrorContext(error).to_string(),
    }
}
