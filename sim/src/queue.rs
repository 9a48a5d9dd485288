//! SQS as a state machine: pure and synchronous, time is an argument. Knows nothing of tasks, of HTTP, or of what a message means.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};

/// "You can receive up to 10 messages in a call."
pub const MAX_BATCH: usize = 10;

/// How a queue behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long a received message is hidden.
    pub visibility: SignedDuration,
    /// After so many receives a message goes to the dead letters; none: never.
    pub max_receives: Option<u32>,
    /// How long a message that was sent is hidden at first.
    pub delay: SignedDuration,
    /// How far the counters trail what happens.
    pub counter_lag: SignedDuration,
    /// Messages of a group come in order, and no other while one of the group is in flight.
    pub fifo: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            visibility: SignedDuration::from_secs(60),
            max_receives: None,
            delay: SignedDuration::ZERO,
            counter_lag: SignedDuration::ZERO,
            fifo: false,
        }
    }
}

/// `ApproximateNumberOfMessages`, `…NotVisible` and `…Delayed`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Can be received.
    pub visible: u64,
    /// Received, not deleted, and hidden.
    pub in_flight: u64,
    /// Sent with a delay that is not over.
    pub delayed: u64,
}

/// What a receiver deletes a message by: the latest one of a message counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Receipt {
    /// The message.
    pub message: u64,
    /// Which of its receives.
    pub receive: u32,
}

/// A message as it is received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// For deleting it.
    pub receipt: Receipt,
    /// What was sent.
    pub body: String,
    /// `ApproximateReceiveCount`, this one included.
    pub receives: u32,
    /// `SentTimestamp`.
    pub sent_at: Timestamp,
}

/// A message that was received too often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// What was sent.
    pub body: String,
    /// When it was first sent.
    pub sent_at: Timestamp,
}

/// The message is not in flight under this receipt: deleted, visible again, or received by another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("MessageNotInflight")]
pub struct NotInFlight;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Visible,
    InFlight(Timestamp),
    Delayed(Timestamp),
}

#[derive(Debug)]
struct Message {
    body: String,
    group: Option<String>,
    sent_at: Timestamp,
    receives: u32,
    place: Place,
}

/// One queue.
#[derive(Debug)]
pub struct Queue {
    settings: Settings,
    next: u64,
    messages: BTreeMap<u64, Message>,
    visible: BTreeSet<u64>,
    hidden: BTreeSet<(Timestamp, u64)>,
    in_flight: u64,
    delayed: u64,
    /// What the counters were, the oldest first: the last one before the lag, and all since.
    history: VecDeque<(Timestamp, Counts)>,
    dead: Vec<DeadLetter>,
}

impl Queue {
    /// An empty queue.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            next: 0,
            messages: BTreeMap::new(),
            visible: BTreeSet::new(),
            hidden: BTreeSet::new(),
            in_flight: 0,
            delayed: 0,
            history: VecDeque::new(),
            dead: Vec::new(),
        }
    }

    /// How it behaves.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Changes how it behaves; messages under way keep the times they have.
    pub fn set(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// SendMessage; `delay` takes the place of the queue's own. Returns the message's number.
    pub fn send(&mut self, body: String, group: Option<String>, delay: Option<SignedDuration>, now: Timestamp) -> u64 {
        self.settle(now);
        let id = self.next;
        self.next += 1;
        let delay = delay.unwrap_or(self.settings.delay);
        let place = if delay.is_positive() { Place::Delayed(now + delay) } else { Place::Visible };
        self.messages.insert(id, Message { body, group, sent_at: now, receives: 0, place: Place::Visible });
        self.visible.insert(id);
        self.put(id, place);
        self.count(now);
        id
    }

    /// ReceiveMessage: at most ten, hidden for `visibility` or the queue's own. Those received too often go to the dead letters.
    pub fn receive(&mut self, max: usize, visibility: Option<SignedDuration>, now: Timestamp) -> Vec<Received> {
        self.settle(now);
        let until = now + visibility.unwrap_or(self.settings.visibility);
        let mut received = Vec::new();
        for id in self.receivable(max.min(MAX_BATCH)) {
            let Some(message) = self.messages.get_mut(&id) else { continue };
            message.receives += 1;
            if self.settings.max_receives.is_some_and(|max| message.receives > max) {
                let letter = self.remove(id).map(|message| DeadLetter { body: message.body, sent_at: message.sent_at });
                self.dead.extend(letter);
                continue;
            }
            let receipt = Receipt { message: id, receive: message.receives };
            received.push(Received { receipt, body: message.body.clone(), receives: message.receives, sent_at: message.sent_at });
            self.put(id, Place::InFlight(until));
        }
        self.count(now);
        received
    }

    /// DeleteMessage. As SQS has it, a second one succeeds; an outdated receipt deletes nothing.
    pub fn delete(&mut self, receipt: Receipt, now: Timestamp) {
        self.settle(now);
        if self.messages.get(&receipt.message).is_some_and(|message| message.receives == receipt.receive) {
            self.remove(receipt.message);
            self.count(now);
        }
    }

    /// ChangeMessageVisibility: hidden until `timeout` from now, visible at once for zero.
    ///
    /// # Errors
    /// [`NotInFlight`]
    pub fn hide(&mut self, receipt: Receipt, timeout: SignedDuration, now: Timestamp) -> Result<(), NotInFlight> {
        self.settle(now);
        let message = self.messages.get(&receipt.message).ok_or(NotInFlight)?;
        if !matches!(message.place, Place::InFlight(_)) || message.receives != receipt.receive {
            return Err(NotInFlight);
        }
        self.put(receipt.message, if timeout.is_positive() { Place::InFlight(now + timeout) } else { Place::Visible });
        self.count(now);
        Ok(())
    }

    /// PurgeQueue.
    pub fn purge(&mut self, now: Timestamp) {
        self.settle(now);
        for id in self.messages.keys().copied().collect::<Vec<_>>() {
            self.remove(id);
        }
        self.count(now);
    }

    /// GetQueueAttributes: the counters, as far as they trail.
    pub fn counts(&mut self, now: Timestamp) -> Counts {
        self.settle(now);
        if !self.settings.counter_lag.is_positive() {
            return self.exact();
        }
        let seen = now - self.settings.counter_lag;
        self.history.iter().rev().find(|(at, _)| *at <= seen).map(|(_, counts)| *counts).unwrap_or_default()
    }

    /// The counters without lag, as they were when something last happened.
    #[must_use]
    pub fn exact(&self) -> Counts {
        Counts { visible: self.visible.len() as u64, in_flight: self.in_flight, delayed: self.delayed }
    }

    /// When a message next becomes visible by itself.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        self.hidden.first().map(|(at, _)| *at)
    }

    /// How many dead letters there are.
    #[must_use]
    pub fn dead(&self) -> usize {
        self.dead.len()
    }

    /// Takes the dead letters.
    pub fn take_dead(&mut self) -> Vec<DeadLetter> {
        std::mem::take(&mut self.dead)
    }

    /// Shows the messages whose time has come.
    fn settle(&mut self, now: Timestamp) {
        while let Some((at, id)) = self.hidden.first().copied().filter(|(at, _)| *at <= now) {
            self.put(id, Place::Visible);
            self.count(at);
        }
    }

    /// The next `max` that may be received, in the order they were sent. Several of a group may come together.
    fn receivable(&self, max: usize) -> Vec<u64> {
        if !self.settings.fifo {
            return self.visible.iter().copied().take(max).collect();
        }
        let in_flight = self.messages.values().filter(|message| matches!(message.place, Place::InFlight(_)));
        let blocked: BTreeSet<&String> = in_flight.filter_map(|message| message.group.as_ref()).collect();
        let group = |id: &u64| self.messages.get(id).and_then(|message| message.group.as_ref());
        self.visible.iter().copied().filter(|id| group(id).is_none_or(|group| !blocked.contains(group))).take(max).collect()
    }

    fn put(&mut self, id: u64, place: Place) {
        let Some(message) = self.messages.get_mut(&id) else { return };
        let before = std::mem::replace(&mut message.place, place);
        match before {
            Place::Visible => drop(self.visible.remove(&id)),
            Place::InFlight(until) => self.in_flight -= u64::from(self.hidden.remove(&(until, id))),
            Place::Delayed(until) => self.delayed -= u64::from(self.hidden.remove(&(until, id))),
        }
        match place {
            Place::Visible => drop(self.visible.insert(id)),
            Place::InFlight(until) => self.in_flight += u64::from(self.hidden.insert((until, id))),
            Place::Delayed(until) => self.delayed += u64::from(self.hidden.insert((until, id))),
        }
    }

    fn remove(&mut self, id: u64) -> Option<Message> {
        self.put(id, Place::Visible);
        self.visible.remove(&id);
        self.messages.remove(&id)
    }

    /// Remembers what the counters are, as long as somebody may still be shown it.
    fn count(&mut self, now: Timestamp) {
        let lag = self.settings.counter_lag;
        if !lag.is_positive() {
            return;
        }
        let counts = self.exact();
        match self.history.back_mut() {
            Some((at, last)) if *at >= now => *last = counts,
            _ => self.history.push_back((now, counts)),
        }
        while self.history.get(1).is_some_and(|(at, _)| *at <= now - lag) {
            self.history.pop_front();
        }
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.message, self.receive)
    }
}

impl FromStr for Receipt {
    type Err = NotInFlight;

    fn from_str(text: &str) -> Result<Self, NotInFlight> {
        let (message, receive) = text.split_once('-').ok_or(NotInFlight)?;
        Ok(Self { message: message.parse().map_err(|_| NotInFlight)?, receive: receive.parse().map_err(|_| NotInFlight)? })
    }
}
