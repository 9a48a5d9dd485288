//! What travels between gateway and worker: job, result, and where both lie in S3.
//! Pure data: knows nothing of SQS, S3 or HTTP clients.

mod batch;
mod inline;
mod job;
mod keys;
mod result;

pub use batch::{MAX_BATCH, MAX_BATCH_BYTES, batches};
pub use job::{Job, JobError, SMALLEST_MESSAGE_LIMIT};
pub use keys::{ObjectKeys, file_name, stem};
pub use result::{ErrorCode, JobResult, ModelRef, Outcome, Prediction, Timings};
