//! Batches as SQS takes them.
#![allow(missing_docs)]

use wire::{MAX_BATCH_BYTES, batches};

fn lengths(sizes: &[usize]) -> Vec<usize> {
    batches(sizes.to_vec(), |size| *size).iter().map(Vec::len).collect()
}

#[test]
fn one_call_holds_ten_messages_and_no_more_bytes_than_sqs_takes() {
    assert_eq!(lengths(&[]), [0; 0]);
    assert_eq!(lengths(&[1000; 10]), [10]);
    assert_eq!(lengths(&[700; 23]), [10, 10, 3]);
    assert_eq!(lengths(&[100_000, 100_000, 100_000, 300_000, 700]), [2, 1, 1, 1]);
    assert_eq!(lengths(&[MAX_BATCH_BYTES - 10, 10, 1, 5]), [2, 2]);
    assert_eq!(lengths(&[MAX_BATCH_BYTES, MAX_BATCH_BYTES, 1]), [1, 1, 1]);
}
