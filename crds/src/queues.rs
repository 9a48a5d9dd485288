//! The fleet's queues.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// The SQS queues between gateway and workers.
#[derive(KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    cel,
    validation = Rule::new("self.request.name != self.response.name && (!has(self.deadLetter) || (self.deadLetter.name != self.request.name && self.deadLetter.name != self.response.name))")
        .message("request, response and deadLetter must be three different queues"),
    validation = Rule::new("self.request.name == oldSelf.request.name && self.response.name == oldSelf.response.name && has(self.deadLetter) == has(oldSelf.deadLetter) && (!has(self.deadLetter) || self.deadLetter.name == oldSelf.deadLetter.name)")
        .message("queue names cannot be changed, jobs may wait in them: apply a fleet of another name instead"),
    validation = Rule::new("self.request.name.endsWith('.fifo') == self.fifo && (!has(self.deadLetter) || self.deadLetter.name.endsWith('.fifo') == self.fifo)")
        .message("SQS wants the names of FIFO queues to end with .fifo, and no others: with fifo true, end request.name and deadLetter.name with .fifo; without it, do not"),
    validation = Rule::new("!self.response.name.endsWith('.fifo')")
        .message("answers need no order, their queues are standard queues: name response.name without .fifo"),
    validation = Rule::new("(has(self.deadLetter) ? [self.request.name, self.deadLetter.name] : [self.request.name]).all(n, !n.startsWith(self.response.name + '-') || !n.substring(size(self.response.name)).matches('^-[0-9]+$'))")
        .message("request and deadLetter must not be called <response>-<number>: that is the reply queue of a gateway replica")
)]
pub struct Queues {
    /// Jobs wait here; its depth decides how many workers run.
    pub request: Queue,
    /// Results are announced here: gateway replica n listens on `<name>-n`.
    pub response: Queue,
    /// Jobs that failed `maxReceives` times; default `<request>-dead`, or `<request>-dead.fifo`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_letter: Option<Queue>,
    /// Whether request and dead-letter queue are FIFO queues. Each job is a message group of its own: images are still classified in parallel.
    #[serde(default)]
    pub fifo: bool,
    /// Seconds for which a received job is hidden from other workers. Workers extend it while they work.
    #[serde(default = "visibility_timeout")]
    #[schemars(range(min = 5, max = 43200))]
    pub visibility_timeout_seconds: i32,
    /// How often a job is received before it goes to the dead-letter queue.
    #[serde(default = "max_receives")]
    #[schemars(range(min = 1, max = 1000))]
    pub max_receives: i32,
    /// Largest message that the request queue takes, in bytes. None: as the queue is; one that the operator makes has SQS's own
    /// limit. A job has less than 1,024 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1024, max = 1_048_576))]
    pub maximum_message_bytes: Option<i32>,
}

/// A queue by its name.
#[derive(KubeSchema, Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    cel,
    validation = Rule::new("self.name.matches('^[A-Za-z0-9_-]+([.]fifo)?$')")
        .message("a queue name may have letters, digits, '-' and '_' only, and the ending .fifo for a FIFO queue")
)]
pub struct Queue {
    /// Name, not URL. At most 74 characters: `-dead` or a replica's number is appended.
    #[schemars(length(min = 1, max = 74))]
    pub name: String,
}

impl Queues {
    /// Name of the dead-letter queue.
    #[must_use]
    pub fn dead_letter_name(&self) -> String {
        let default = || match self.request.name.strip_suffix(".fifo") {
            Some(stem) => format!("{stem}-dead.fifo"),
            None => format!("{}-dead", self.request.name),
        };
        self.dead_letter.as_ref().map_or_else(default, |queue| queue.name.clone())
    }

    /// Name of the reply queue of gateway replica `ordinal`.
    #[must_use]
    pub fn reply_name(&self, ordinal: i32) -> String {
        format!("{}-{ordinal}", self.response.name)
    }
}

fn visibility_timeout() -> i32 {
    60
}

fn max_receives() -> i32 {
    3
}
