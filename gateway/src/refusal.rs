//! Why a request or an image gets no label: one sentence for people, one status and one name for programs.
//! Knows nothing of how it is written into a response.

use std::sync::Arc;

use uuid::Uuid;
use warp::http::StatusCode;
use wire::ErrorCode;

use crate::aws::AwsError;
use crate::content::ContentError;
use crate::http::{LEAST_BYTES, WINDOW};
use crate::jobs::SendError;
use crate::{rate, sniff};

/// Everything that keeps an image from being classified here and now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    // What is wrong with the request.
    #[error("there is nothing at {path}; POST images to /upload or /v1/images and GET their results at /v1/images/{{id}}")]
    NoSuchPath { path: String },
    #[error("{method} is not possible here, but {allow} is")]
    MethodNotAllowed { method: String, allow: &'static str },
    #[error(
        "no image has the id {id:?}; ids are in the answer to POST /v1/images, and results are kept as long as their bucket keeps them"
    )]
    NoSuchImage { id: String },
    #[error("wait={wait:?} is no number of seconds; write for example ?wait=30")]
    BadWait { wait: String },
    #[error("{name}={value:?} is not understood; write {want}")]
    BadParameter { name: &'static str, value: String, want: &'static str },
    #[error("the Idempotency-Key is not understood: {reason}; write 1 to 255 visible ASCII characters, for example a UUID")]
    BadKey { reason: &'static str },
    #[error(
        "the Idempotency-Key belongs to {name:?} with other bytes or another name; use a new key for a new image, and the same only to \
         send the same request again"
    )]
    KeyReused { name: String },
    #[error("the image {id} waits for its result; delete it when that is there")]
    StillWaiting { id: Uuid },
    #[error(
        "the request body is {found}, but images are taken as multipart/form-data, as in: curl -F myfile=@cat.jpg, or each by itself as \
         image/… or application/octet-stream, as in: curl --data-binary @cat.jpg -H 'Content-Type: image/jpeg'"
    )]
    NotMultipart { found: String },
    #[error("the body cannot be read: {reason}")]
    Malformed { reason: String },
    #[error("the request has no file; send one or more as multipart/form-data, as in: curl -F myfile=@cat.jpg")]
    NoFile,
    #[error("a request may have {limit} parts; send the rest in another request")]
    TooManyFiles { limit: u32 },
    #[error("the body of {bytes} bytes is longer than {files} images of at most {limit} bytes could be")]
    BodyTooLarge { bytes: u64, files: u32, limit: u64 },
    #[error("pages of {origin} may not listen here; open the gateway's own page")]
    ForeignOrigin { origin: String },
    #[error("the body came too slowly, at less than {} KiB in {} seconds; send it again", LEAST_BYTES / 1024, WINDOW.as_secs())]
    Stalled,
    #[error("a token is needed here; send it with the request, as in: curl -H 'Authorization: Bearer TOKEN'")]
    NoToken,
    #[error("the token in the Authorization header is not the one that is asked for here")]
    WrongToken,
    // What is wrong with one file.
    #[error("{name:?} is larger than the {limit} bytes that an image may have; send a smaller version of it")]
    TooLarge { name: String, limit: u64 },
    #[error("{name:?} is empty: it has no bytes; is it the right file?")]
    Empty { name: String },
    #[error("{name:?} is {found}; what can be read is {}", sniff::READ)]
    NotAnImage { name: String, found: String },
    // What is wrong here.
    #[error("{limit} images wait for their result already; try again in {retry_seconds} s")]
    Busy { limit: u32, retry_seconds: u32 },
    #[error("{limit} clients listen to events already; ask for /v1/images?ids= from time to time, or try again later")]
    TooManyStreams { limit: u32 },
    #[error("too many bytes are on their way already; try again in a moment")]
    Congested,
    #[error("images cannot be kept on the gateway's disk at the moment; try again")]
    Disk { source: std::io::Error },
    #[error("nobody is let in, because the file with the token is missing or empty; who runs the gateway must mend that")]
    TokenUnknown,
    #[error("{} at the moment; try again", .source.summary())]
    Unavailable {
        #[from]
        source: Arc<AwsError>,
    },
    #[error("{source}; try again")]
    NotQueued { source: SendError },
    // What became of an image that was accepted.
    #[error("{name:?} has no result yet after {seconds} seconds; it is not lost: ask again at /v1/images/{id}")]
    Late { id: Uuid, name: String, seconds: u64 },
    #[error("the gateway is being replaced while {name:?} waits; it is not lost: ask again at /v1/images/{id}")]
    Leaving { id: Uuid, name: String },
    #[error("{message}")]
    Failed { id: Uuid, code: ErrorCode, message: String },
}

impl From<ContentError> for Refusal {
    fn from(error: ContentError) -> Self {
        match error {
            ContentError::Full => Self::Congested,
            ContentError::Disk(source) => Self::Disk { source },
        }
    }
}

impl From<SendError> for Refusal {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Aws(source) => Self::Unavailable { source },
            source => Self::NotQueued { source },
        }
    }
}

impl Refusal {
    /// Status, name (the last part of the problem's type, and the metric's label) and title.
    pub(crate) fn class(&self) -> (StatusCode, &'static str, &'static str) {
        use StatusCode as S;
        match self {
            Self::NoSuchPath { .. } => (S::NOT_FOUND, "no-such-path", "No such path"),
            Self::NoSuchImage { .. } => (S::NOT_FOUND, "no-such-image", "No such image"),
            Self::MethodNotAllowed { .. } => (S::METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed"),
            Self::BadWait { .. } => (S::BAD_REQUEST, "bad-parameter", "Parameter not understood"),
            Self::BadParameter { .. } => (S::BAD_REQUEST, "bad-parameter", "Parameter not understood"),
            Self::BadKey { .. } => (S::BAD_REQUEST, "idempotency-key-malformed", "Idempotency-Key not understood"),
            Self::KeyReused { .. } => (S::UNPROCESSABLE_ENTITY, "idempotency-key-reused", "Idempotency-Key used for another image"),
            Self::StillWaiting { .. } => (S::CONFLICT, "waiting", "Image waits for its result"),
            Self::NotMultipart { .. } => (S::UNSUPPORTED_MEDIA_TYPE, "not-multipart", "Not a multipart form"),
            Self::Malformed { .. } => (S::BAD_REQUEST, "malformed", "Body not understood"),
            Self::NoFile => (S::BAD_REQUEST, "no-file", "No file in the request"),
            Self::NoToken | Self::WrongToken => (S::UNAUTHORIZED, "unauthorized", "Token missing or wrong"),
            Self::Stalled => (S::REQUEST_TIMEOUT, "stalled", "Body not received in time"),
            Self::ForeignOrigin { .. } => (S::FORBIDDEN, "foreign-origin", "Page of another origin"),
            Self::TooManyFiles { .. } => (S::PAYLOAD_TOO_LARGE, "too-many-files", "Too many files"),
            Self::BodyTooLarge { .. } | Self::TooLarge { .. } => (S::PAYLOAD_TOO_LARGE, "too-large", "Too large"),
            Self::Empty { .. } => (S::BAD_REQUEST, "empty", "Empty file"),
            Self::NotAnImage { .. } | Self::Failed { code: ErrorCode::NotAnImage, .. } => {
                (S::UNSUPPORTED_MEDIA_TYPE, "not-an-image", "Not an image")
            }
            Self::Failed { code: ErrorCode::RetriesExhausted, .. } => {
                (S::INTERNAL_SERVER_ERROR, "retries-exhausted", "Tried as often as the fleet allows")
            }
            Self::Failed { .. } => (S::UNPROCESSABLE_ENTITY, "failed", "Image cannot be classified"),
            Self::Busy { .. } | Self::Congested => (S::TOO_MANY_REQUESTS, "busy", "Too many uploads"),
            Self::TooManyStreams { .. } => (S::SERVICE_UNAVAILABLE, "too-many-streams", "Too many event streams"),
            Self::Unavailable { .. } | Self::NotQueued { .. } | Self::Disk { .. } | Self::TokenUnknown => {
                (S::SERVICE_UNAVAILABLE, "unavailable", "Not available at the moment")
            }
            Self::Late { .. } | Self::Leaving { .. } => (S::GATEWAY_TIMEOUT, "late", "No result yet"),
        }
    }

    /// The image it is about, when that has an id.
    pub(crate) fn id(&self) -> Option<Uuid> {
        match self {
            Self::Late { id, .. } | Self::Leaving { id, .. } | Self::Failed { id, .. } | Self::StillWaiting { id } => Some(*id),
            _ => None,
        }
    }

    /// Seconds after which another try makes sense, when it does.
    pub(crate) fn retry_after(&self) -> Option<u32> {
        match (self, self.class().0) {
            (Self::Busy { retry_seconds, .. }, _) => Some(*retry_seconds),
            (_, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) => Some(rate::RETRY_SECONDS),
            _ => None,
        }
    }
}
