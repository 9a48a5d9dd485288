//! Who billed what: instances by the second, a minute at least at every start. Pending, stopping and stopped ones are not billed;
//! volumes are not counted.

use std::collections::BTreeMap;

use serde::Serialize;

/// EC2 bills at least so many seconds at every start.
pub const MINIMUM_SECONDS: f64 = 60.0;

/// What instances ran, in seconds since the start of the run.
#[derive(Debug, Default)]
pub struct Account {
    /// Those that run, and since when.
    running: BTreeMap<String, f64>,
    /// Those that ran: from, until.
    ended: Vec<(f64, f64)>,
    /// Workers that were switched off from outside while they had jobs in work.
    pub ended_busy: u32,
    /// Of them, those whose work was lost: it did not end within the grace.
    pub killed_busy: u32,
}

/// Instance-seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Bill {
    /// Starts of instances.
    pub starts: usize,
    /// Seconds that they ran.
    pub seconds: f64,
    /// Seconds that are billed: at least a minute each.
    pub billed_seconds: f64,
}

impl Account {
    /// `instance` is running since `second`.
    pub fn began(&mut self, instance: &str, second: f64) {
        self.running.entry(instance.to_owned()).or_insert(second);
    }

    /// `instance` is switched off at `second`; one that was never running costs nothing.
    pub fn ended(&mut self, instance: &str, second: f64) {
        self.ended.extend(self.running.remove(instance).map(|since| (since, second)));
    }

    /// How many run.
    #[must_use]
    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// The bill if all ended at `second`.
    #[must_use]
    pub fn bill(&self, second: f64) -> Bill {
        let open = self.running.values().map(|since| (*since, second));
        self.ended.iter().copied().chain(open).fold(Bill::default(), |bill, (from, until)| Bill {
            starts: bill.starts + 1,
            seconds: bill.seconds + until - from,
            billed_seconds: bill.billed_seconds + (until - from).max(MINIMUM_SECONDS),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_start_costs_a_minute_at_least_and_what_never_ran_costs_nothing() {
        let mut account = Account::default();
        account.began("short", 10.0);
        account.ended("short", 20.0);
        account.began("long", 10.0);
        account.ended("long", 310.0);
        account.ended("refused", 50.0);
        account.began("short", 100.0);
        assert_eq!(account.bill(400.0), Bill { starts: 3, seconds: 610.0, billed_seconds: 660.0 });
    }
}
