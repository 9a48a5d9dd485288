//! From the bytes of an image to the numbers that a model takes. Knows nothing of S3, queues or labels.

pub mod decode;
pub mod prepare;
