//! Owns what is armed to go wrong. Knows nothing of what the actions do.

use std::collections::BTreeMap;

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
    /// How many requests it strikes: 1 if not given; `null` is all until it is cleared.
    #[serde(default = "once")]
    pub times: Option<u32>,
    /// Before or after the action is done.
    #[serde(default, alias = "after")]
    pub when: When,
    /// It strikes only requests that have all these parameters with exactly these values.
    #[serde(default, rename = "match")]
    pub only: BTreeMap<String, String>,
}

/// How often a fault strikes if nothing is said.
#[expect(clippy::unnecessary_wraps, reason = "serde wants a default of the field's type")]
pub(crate) fn once() -> Option<u32> {
    Some(1)
}

impl Fault {
    /// The code that breaks the connection off instead of answering.
    pub const DROP: &'static str = "Drop";

    fn strikes(&self, action: &str, request: &BTreeMap<String, String>) -> bool {
        let is_action = self.action == "*" || self.action == action;
        is_action && self.only.iter().all(|(name, value)| request.get(name) == Some(value))
    }
}

/// Faults in the order they were armed.
#[derive(Debug, Default)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// Arms one more.
    pub fn arm(&mut self, fault: Fault) {
        if fault.times != Some(0) {
            self.0.push(fault);
        }
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
    pub(crate) fn take(&mut self, action: &str, request: &BTreeMap<String, String>) -> Option<Fault> {
        let index = self.0.iter().position(|fault| fault.strikes(action, request))?;
        let fault = &mut self.0[index];
        fault.times = fault.times.map(|times| times - 1);
        let taken = fault.clone();
        if taken.times == Some(0) {
            self.0.remove(index);
        }
        Some(taken)
    }
}
