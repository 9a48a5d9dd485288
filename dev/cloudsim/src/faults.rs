//! Owns what is armed to go wrong. Knows nothing of what the actions do.

use serde::{Deserialize, Serialize};

/// When a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum When {
    /// Instead of the action.
    #[default]
    Before,
    /// After the action was done: the answer is lost.
    After,
}

/// An error to be answered to the next requests of an action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The action; `*` is any.
    pub action: String,
    /// An EC2 error code, or [`Fault::DROP`].
    pub code: String,
    /// How many requests it strikes.
    #[serde(default = "once")]
    pub times: u32,
    /// Before or after the action is done.
    #[serde(default, alias = "after")]
    pub when: When,
}

fn once() -> u32 {
    1
}

impl Fault {
    /// The code that breaks the connection off instead of answering.
    pub const DROP: &'static str = "Drop";
}

/// Faults in the order they were armed.
#[derive(Debug, Default)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// Arms one more.
    pub fn arm(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    /// Disarms all.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// What is still armed.
    #[must_use]
    pub fn armed(&self) -> &[Fault] {
        &self.0
    }

    /// The fault that strikes this request, used up by one.
    pub(crate) fn take(&mut self, action: &str) -> Option<Fault> {
        self.0.retain(|fault| fault.times > 0);
        let fault = self.0.iter_mut().find(|fault| fault.action == "*" || fault.action == action)?;
        fault.times -= 1;
        let taken = fault.clone();
        self.0.retain(|fault| fault.times > 0);
        Some(taken)
    }
}
