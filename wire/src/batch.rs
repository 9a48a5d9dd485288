//! Messages in as few calls as SQS allows.

/// Messages that SQS takes in one call.
pub const MAX_BATCH: usize = 10;
/// Bytes of all messages of one call together that every SQS takes.
pub const MAX_BATCH_BYTES: usize = 262_144;

/// `messages`, each of so many `bytes`, in as few batches as one call each can hold, in their order. A message that is too large
/// by itself is a batch of its own.
pub fn batches<T>(messages: Vec<T>, bytes: impl Fn(&T) -> usize) -> Vec<Vec<T>> {
    let mut batches: Vec<Vec<T>> = Vec::new();
    let mut sum = 0;
    for message in messages {
        let size = bytes(&message);
        sum += size;
        match batches.last_mut() {
            Some(batch) if batch.len() < MAX_BATCH && sum <= MAX_BATCH_BYTES => batch.push(message),
            _ => {
                sum = size;
                batches.push(vec![message]);
            }
        }
    }
    batches
}
