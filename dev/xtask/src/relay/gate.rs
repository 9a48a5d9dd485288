//! Counts the calls through all relays of one client, and interferes with the one that it was armed for. Knows no HTTP.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::Call;

/// A call of a client, known by what it asks for: the first launch stays the first however many polls come before.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Point {
    /// What is asked for.
    pub call: Call,
    /// The how manieth of its kind since [`Gate::begin`], from 1.
    pub nth: usize,
}

/// Whether something happens before the server has the request, or after it has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The server never sees the request.
    Before,
    /// The server has done what was asked; the client never sees the answer.
    After,
}

/// What goes wrong with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The client hears nothing any more; nor does any later call pass, until [`Gate::open`].
    Hang(Side),
    /// The connection breaks off.
    Lost(Side),
    /// The server says no, and does nothing.
    Refused(Refusal),
    /// The request is passed on later.
    Delayed(Duration),
}

/// How servers say no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// 500, an internal error.
    Internal,
    /// 503, the service is unavailable.
    Unavailable,
    /// Too many calls, in the words of each service.
    Throttled,
    /// EC2 has no machine of the kind.
    NoCapacity,
}

/// Counts the calls of one client and interferes with one of them.
#[derive(Debug, Default)]
pub struct Gate {
    state: Mutex<State>,
    /// A call hangs, and none passes.
    shut: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct State {
    seen: Vec<Call>,
    counts: HashMap<Call, usize>,
    armed: Option<Armed>,
}

#[derive(Debug)]
struct Armed {
    point: Point,
    fault: Fault,
    times: usize,
    struck: bool,
}

impl Gate {
    /// Forgets what passed until now, and what was armed.
    pub fn begin(&self) {
        *self.lock() = State::default();
    }

    /// The calls since [`Gate::begin`], in the order in which they came.
    #[must_use]
    pub fn seen(&self) -> Vec<Point> {
        let mut counts: HashMap<Call, usize> = HashMap::new();
        let number = |call: Call| {
            let nth = counts.entry(call.clone()).and_modify(|count| *count += 1).or_insert(1);
            Point { nth: *nth, call }
        };
        self.lock().seen.iter().cloned().map(number).collect()
    }

    /// Lets `fault` strike the call at `point`, and those of its kind that follow, until it has struck so many `times`.
    pub fn arm(&self, point: Point, fault: Fault, times: usize) {
        self.lock().armed = Some(Armed { point, fault, times, struck: false });
    }

    /// Nothing goes wrong any more. Returns whether anything did.
    pub fn disarm(&self) -> bool {
        self.lock().armed.take().is_some_and(|armed| armed.struck)
    }

    /// Lets calls pass again after [`Fault::Hang`]; those that hang go on hanging.
    pub fn open(&self) {
        self.shut.send_replace(false);
    }

    /// Whether a call hangs and none passes.
    #[must_use]
    pub fn is_shut(&self) -> bool {
        *self.shut.borrow()
    }

    /// Returns once a call hangs.
    pub async fn shut(&self) {
        // The sender lives as long as self.
        let _ = self.shut.subscribe().wait_for(|shut| *shut).await;
    }

    /// Counts `call`, and says what is to go wrong with it.
    pub(super) fn pass(&self, call: &Call) -> Option<Fault> {
        let mut state = self.lock();
        if self.is_shut() {
            return Some(Fault::Hang(Side::Before));
        }
        state.seen.push(call.clone());
        let count = state.counts.entry(call.clone()).or_default();
        *count += 1;
        let count = *count;
        let armed = state.armed.as_mut().filter(|armed| armed.point.call == *call)?;
        if !(armed.point.nth..armed.point.nth + armed.times).contains(&count) {
            return None;
        }
        armed.struck = true;
        if matches!(armed.fault, Fault::Hang(_)) {
            self.shut.send_replace(true);
        }
        Some(armed.fault)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(action: &str) -> Call {
        let request = hyper::Request::builder().header("x-amz-target", format!("AmazonSQS.{action}")).body(()).unwrap();
        Call::of(crate::relay::Service::Sqs, &request.into_parts().0, &hyper::body::Bytes::new())
    }

    #[test]
    fn the_nth_call_of_its_kind_is_struck_and_so_often() {
        let gate = Gate::default();
        let (send, poll) = (call("SendMessage"), call("ReceiveMessage"));
        assert_eq!(gate.pass(&send), None);
        gate.begin();
        gate.arm(Point { call: send.clone(), nth: 2 }, Fault::Refused(Refusal::Throttled), 2);
        let outcomes = [&send, &poll, &poll, &send, &send, &send].map(|call| gate.pass(call).is_some());
        assert_eq!(outcomes, [false, false, false, true, true, false]);
        assert!(gate.disarm() && !gate.disarm());
        let seen: Vec<usize> = gate.seen().iter().map(|point| point.nth).collect();
        assert_eq!(seen, [1, 1, 2, 2, 3, 4]);
    }

    #[test]
    fn after_a_hang_nothing_passes_until_it_is_opened() {
        let gate = Gate::default();
        let (send, poll) = (call("SendMessage"), call("ReceiveMessage"));
        gate.arm(Point { call: send.clone(), nth: 1 }, Fault::Hang(Side::After), 1);
        assert_eq!(gate.pass(&send), Some(Fault::Hang(Side::After)));
        assert_eq!(gate.pass(&poll), Some(Fault::Hang(Side::Before)));
        assert!(gate.is_shut());
        gate.open();
        assert_eq!(gate.pass(&poll), None);
    }

    #[test]
    fn what_was_not_reached_is_told() {
        let gate = Gate::default();
        gate.arm(Point { call: call("SendMessage"), nth: 1 }, Fault::Lost(Side::Before), 1);
        assert!(!gate.disarm());
    }
}
