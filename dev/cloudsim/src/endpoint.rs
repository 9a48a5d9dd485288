//! Owns one EC2 endpoint: request text in, answer text out, with armed faults in between and a log of all that was asked.
//! As pure as the state: no HTTP, no clock.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::api;
use crate::faults::{Fault, Faults, When};
use crate::log::{LogEntry, RequestLog};
use crate::query;
use crate::refusal::Refusal;
use crate::state::{Cloud, Effect, Settings};
use crate::throttle::Throttle;

/// An EC2 endpoint.
#[derive(Debug)]
pub struct Endpoint {
    /// What is behind it.
    pub cloud: Cloud,
    /// What is to go wrong.
    pub faults: Faults,
    throttle: Throttle,
    log: RequestLog,
}

/// What goes back over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// An answer.
    Answer {
        /// HTTP status.
        status: u16,
        /// XML.
        body: String,
    },
    /// The connection breaks off.
    Drop,
}

/// What one request came to.
#[derive(Debug)]
pub struct Handled {
    /// To the client.
    pub reply: Reply,
    /// For the world outside.
    pub effects: Vec<Effect>,
}

impl Endpoint {
    /// An endpoint to an empty cloud.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let throttle = Throttle::new(settings.throttle);
        Self { cloud: Cloud::new(settings), faults: Faults::default(), throttle, log: RequestLog::default() }
    }

    /// The requests that were taken.
    #[must_use]
    pub fn log(&self) -> &RequestLog {
        &self.log
    }

    /// Throttles from now on, with full buckets, or no longer.
    pub fn set_throttle(&mut self, on: bool) {
        self.throttle = Throttle::new(on);
    }

    /// Takes one request: a form-urlencoded body.
    pub fn handle(&mut self, body: &str, now: Timestamp) -> Handled {
        let mut effects = self.cloud.tick(now);
        let request_id = self.cloud.fresh_request_id();
        let (request, decoded) = match query::decode(body) {
            Ok(request) => (request, Ok(())),
            Err(refusal) => (BTreeMap::new(), Err(refusal)),
        };
        let action = request.get("Action").cloned().unwrap_or_default();
        let fault = self.faults.take(&action, &request);
        let done = decoded.and_then(|()| self.perform(&request, &action, &request_id, fault.as_ref(), now));
        let instance_ids = done.as_ref().map(|answer| answer.instance_ids.clone()).unwrap_or_default();
        let answered = done.map(|answer| {
            effects.extend(answer.effects);
            answer.xml
        });
        let answered = lost(fault.as_ref(), When::After).map_or(answered, Err);
        self.log.push(LogEntry {
            seq: 0,
            at: now.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
            action,
            params: request.into_iter().filter(|(name, _)| name != "Action" && name != "Version").collect(),
            outcome: answered.as_ref().err().map_or_else(|| "OK".to_owned(), Refusal::code),
            fault: fault.map(|fault| fault.when),
            instance_ids,
        });
        Handled { reply: reply(answered, &request_id), effects }
    }

    fn perform(
        &mut self,
        request: &BTreeMap<String, String>,
        action: &str,
        request_id: &str,
        fault: Option<&Fault>,
        now: Timestamp,
    ) -> Result<api::Answer, Refusal> {
        if let Some(refusal) = lost(fault, When::Before) {
            return Err(refusal);
        }
        if !self.throttle.admits(action, now) {
            return Err(Refusal::RequestLimitExceeded);
        }
        api::call(&mut self.cloud, request, request_id, now)
    }
}

/// The refusal that a fault makes of the answer at this point.
fn lost(fault: Option<&Fault>, when: When) -> Option<Refusal> {
    fault.filter(|fault| fault.when == when).map(|fault| Refusal::Injected(fault.code.clone()))
}

fn reply(answered: Result<String, Refusal>, request_id: &str) -> Reply {
    match answered {
        Ok(body) => Reply::Answer { status: 200, body },
        Err(Refusal::Injected(code)) if code == Fault::DROP => Reply::Drop,
        Err(refusal) => Reply::Answer { status: refusal.status(), body: api::error_document(&refusal, request_id) },
    }
}
