//! One thing that was looked at, and how an answer of AWS reads as one.

use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is about.
    pub subject: &'static str,
    /// How it is.
    pub verdict: Verdict,
    /// How it is, in a sentence.
    pub sentence: String,
    /// What to do.
    pub remedy: Option<String>,
}

/// How a thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Right,
    /// The fleet cannot work so, or not as it was meant.
    Wrong,
    /// It could not be looked at.
    Unknown,
}

/// Whether AWS has something.
pub(super) enum Presence<T> {
    Here(T),
    Missing,
    /// It does not say; why.
    Unsaid(String),
}

impl Finding {
    pub(super) fn right(subject: &'static str, sentence: impl Into<String>) -> Self {
        Self { subject, verdict: Verdict::Right, sentence: sentence.into(), remedy: None }
    }

    pub(super) fn wrong(subject: &'static str, sentence: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { subject, verdict: Verdict::Wrong, sentence: sentence.into(), remedy: Some(remedy.into()) }
    }

    pub(super) fn unknown(subject: &'static str, sentence: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { subject, verdict: Verdict::Unknown, sentence: sentence.into(), remedy: Some(remedy.into()) }
    }

    /// AWS did not say how `what` is.
    pub(super) fn unsaid(subject: &'static str, what: &str, why: &str) -> Self {
        let remedy = "Check your own AWS credentials, region (AWS_REGION) and rights: they are what looks here, not the fleet's roles";
        Self::unknown(subject, format!("{what} could not be looked at: {why}"), remedy)
    }
}

impl<T> Presence<T> {
    pub(super) fn of<E, R>(answer: Result<T, SdkError<E, R>>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        R: std::fmt::Debug,
    {
        let error = match answer {
            Ok(answer) => return Self::Here(answer),
            Err(error) => error,
        };
        let code = error.as_service_error().and_then(ProvideErrorMetadata::code).unwrap_or_default();
        let missing = ["NotFound", "NoSuchKey", "NoSuchBucket", "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"];
        if missing.contains(&code) { Self::Missing } else { Self::Unsaid(DisplayErrorContext(error).to_string()) }
    }
}
