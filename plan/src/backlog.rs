//! The queue's arithmetic: from SQS's attributes to a number of jobs.

use std::collections::HashMap;

/// SQS's counters of one queue. They are approximate, and may lag for a minute after producers stop.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueDepth {
    /// `ApproximateNumberOfMessages`: jobs that wait.
    pub visible: u64,
    /// `ApproximateNumberOfMessagesNotVisible`: jobs that workers hold.
    pub in_flight: u64,
    /// `ApproximateNumberOfMessagesDelayed`: jobs whose delay has not passed.
    pub delayed: u64,
}

/// Which counters make the backlog besides the visible jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// Count jobs that workers hold.
    pub in_flight: bool,
    /// Count jobs whose delay has not passed.
    pub delayed: bool,
}

/// An answer of SQS that gives no depth. It is a failed sample, never an empty queue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SampleError {
    /// SQS left the attribute out.
    #[error("SQS did not answer with {0}")]
    Missing(&'static str),
    /// The attribute is not a whole number.
    #[error("SQS answered {name} = {value:?}, which is not a number of messages")]
    NotANumber {
        /// The attribute.
        name: &'static str,
        /// Its value.
        value: String,
    },
}

const VISIBLE: &str = "ApproximateNumberOfMessages";
const IN_FLIGHT: &str = "ApproximateNumberOfMessagesNotVisible";
const DELAYED: &str = "ApproximateNumberOfMessagesDelayed";

impl QueueDepth {
    /// Reads the attributes that `GetQueueAttributes` answered with.
    ///
    /// # Errors
    /// [`SampleError`] when one of the three counters is missing or no number.
    pub fn from_attributes(attributes: &HashMap<String, String>) -> Result<Self, SampleError> {
        let count = |name: &'static str| {
            let value = attributes.get(name).ok_or(SampleError::Missing(name))?;
            value.parse().map_err(|_| SampleError::NotANumber { name, value: value.clone() })
        };
        Ok(Self { visible: count(VISIBLE)?, in_flight: count(IN_FLIGHT)?, delayed: count(DELAYED)? })
    }

    /// Jobs that workers are wanted for.
    #[must_use]
    pub fn backlog(&self, counted: Counted) -> u64 {
        let Self { visible, in_flight, delayed } = *self;
        let in_flight = if counted.in_flight { in_flight } else { 0 };
        let delayed = if counted.delayed { delayed } else { 0 };
        visible.saturating_add(in_flight).saturating_add(delayed)
    }
}
