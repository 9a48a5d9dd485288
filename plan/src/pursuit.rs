//! What becomes of an intent that has no answer: what EC2 is asked, and what its answers prove. It makes no calls itself, and
//! does not know who does.

use jiff::Timestamp;

use crate::{Action, INTENT_KEPT, Intent, Inventory};

/// An intent without an answer, and how things stand when it is pursued.
#[derive(Debug, Clone, Copy)]
pub struct Pursuit<'a> {
    /// What was written down.
    pub intent: &'a Intent,
    /// When EC2 was last asked, before now, and may have done it; none: never.
    pub asked_before: Option<Timestamp>,
    /// EC2 is not asked now: it failed a moment ago.
    pub paused: bool,
    /// EC2 had no room in the intent's offering a moment ago.
    pub closed: bool,
    /// The fleet is being deleted.
    pub deleting: bool,
    /// When this is.
    pub now: Timestamp,
}

/// What EC2 is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// To launch, under the intent's token.
    Launch,
    /// To start the intent's instances.
    Start,
    /// Which instances carry the intent's token.
    Listed,
}

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// EC2 did it: these instances belong to the intent.
    Did(Vec<String>),
    /// EC2 lists these.
    Lists(Vec<String>),
    /// EC2 refused: this call did nothing.
    Refused,
    /// All that the token ever launched is terminated.
    Over,
    /// EC2 wants fewer calls, or could not be asked: this call did nothing.
    Busy,
    /// Nobody knows whether EC2 did it.
    Silence,
}

/// What to do next about the intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Ask EC2. To launch or to start for at least the second time: only once that is written down ([`Pursuit::must_be_written`]).
    Ask(Question),
    /// These instances belong to it.
    Done(Vec<String>),
    /// Nothing happened, and nothing will.
    Void,
    /// Not known yet.
    Open {
        /// When EC2 was last asked and may have done it.
        asked_at: Timestamp,
    },
}

impl Pursuit<'_> {
    /// What to do first. `inventory`: what EC2 listed last.
    #[must_use]
    pub fn begin(&self, inventory: Option<&Inventory>) -> Next {
        if let Some(ids) = inventory.and_then(|inventory| seen(self.intent, inventory)) {
            return Next::Done(ids);
        }
        let asks = self.asked_before.is_none() || !(self.deleting || self.paused || self.closed);
        match self.intent.action {
            Action::Launch if asks => Next::Ask(Question::Launch),
            Action::Start if asks => Next::Ask(Question::Start),
            _ if self.paused && !self.deleting => self.open(),
            Action::Launch => Next::Ask(Question::Listed),
            // Not started again, but perhaps it was: until lists must show it, it may come.
            Action::Start => self.unseen(),
        }
    }

    /// Whether `next` must not be done before the status says that EC2 is asked now. Whoever comes back to an intent may know it
    /// from an old status, and the one who asked first may have been refused since, dropped it and launched elsewhere: its write
    /// must be refused. Nor may anybody else hold the intent for void while what is asked now does not show in EC2's lists.
    #[must_use]
    pub fn must_be_written(&self, next: &Next) -> bool {
        self.asked_before.is_some() && matches!(next, Next::Ask(Question::Launch | Question::Start))
    }

    /// What to do after EC2's reply.
    #[must_use]
    pub fn after(&self, reply: Reply) -> Next {
        match reply {
            Reply::Did(ids) => Next::Done(ids),
            Reply::Over => Next::Void,
            Reply::Silence => Next::Open { asked_at: self.now },
            Reply::Busy => self.open(),
            Reply::Lists(ids) => self.listed(ids),
            // Had nobody asked before, that is all; else it may have been done then, though nobody heard.
            Reply::Refused if self.asked_before.is_none() => Next::Void,
            Reply::Refused if self.intent.action == Action::Launch => Next::Ask(Question::Listed),
            Reply::Refused => self.unseen(),
        }
    }

    /// What EC2 lists of a launch. After longer than its lists can lag, that is all there is: perhaps nothing.
    fn listed(&self, ids: Vec<String>) -> Next {
        let all = ids.len() >= self.intent.count as usize;
        match ids.len() {
            0 => self.unseen(),
            _ if all || self.is_old() => Next::Done(ids),
            _ => self.open(),
        }
    }

    fn unseen(&self) -> Next {
        if self.is_old() { Next::Void } else { self.open() }
    }

    fn open(&self) -> Next {
        Next::Open { asked_at: self.asked_at() }
    }

    fn asked_at(&self) -> Timestamp {
        self.asked_before.unwrap_or(self.intent.asked_at)
    }

    /// EC2's lists must show by now what became of the intent.
    fn is_old(&self) -> bool {
        self.now.duration_since(self.asked_at()) > INTENT_KEPT
    }
}

/// What the list shows of the intent, if that is all of it. A list may show some of a launch before the others: only a whole
/// one is an answer, EC2 repeats its own in full.
fn seen(intent: &Intent, inventory: &Inventory) -> Option<Vec<String>> {
    let ids: Vec<String> = match intent.action {
        Action::Launch => inventory.launched_with(&intent.token).map(|instance| instance.id.clone()).collect(),
        Action::Start => {
            let started = |id: &&String| inventory.find(id).is_none_or(|instance| instance.launched_at >= intent.requested_at);
            intent.instance_ids.iter().filter(started).cloned().collect()
        }
    };
    (!ids.is_empty() && ids.len() >= intent.count as usize).then_some(ids)
}
