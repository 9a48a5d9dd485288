//! One process of the operator as the network sees it: its calls travel, are troubled by the weather, and end when it dies. A dead
//! process is one whose calls are neither done nor answered any more. Knows nothing of what the calls are.

use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use operator::context::SILENCE_AT_MOST;
use tokio_util::sync::CancellationToken;

use crate::judge::Judge;
use crate::script::{Service, When};
use crate::weather::{Trouble, Weather};

/// A call on its way.
#[derive(Debug, Clone)]
pub struct Call {
    /// To whom.
    pub service: Service,
    /// What, for the log.
    pub what: String,
    /// Whether it may change something.
    pub writes: bool,
}

/// What the caller gets to hear.
#[derive(Debug)]
pub enum Answered<T> {
    /// The answer.
    With(T),
    /// The connection broke.
    Broken,
    /// An error of the service.
    Error,
    /// Too many calls.
    Throttled,
}

/// One process.
#[derive(Debug)]
pub struct Process {
    number: u32,
    weather: Arc<Weather>,
    judge: Arc<Judge>,
    dead: AtomicBool,
    doom: Mutex<Option<(u32, When)>>,
    /// Cancelled when it dies.
    pub died: CancellationToken,
}

impl Process {
    /// A process that lives.
    #[must_use]
    pub fn new(number: u32, weather: Arc<Weather>, judge: Arc<Judge>) -> Arc<Self> {
        Arc::new(Self { number, weather, judge, dead: AtomicBool::new(false), doom: Mutex::default(), died: CancellationToken::new() })
    }

    /// It dies at the `call`-th call from now that may change something.
    pub fn doom(&self, call: u32, when: When) {
        *self.doom.lock().unwrap_or_else(PoisonError::into_inner) = Some((call.max(1), when));
    }

    /// It does not die of any call that is to come.
    pub fn spare(&self) {
        *self.doom.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Its number among those of a run.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.number
    }

    /// It dies now.
    pub fn kill(&self) {
        self.dead.store(true, Ordering::Relaxed);
        self.died.cancel();
    }

    /// The weather that it is in.
    #[must_use]
    pub fn weather(&self) -> &Weather {
        &self.weather
    }

    /// Does a call as the weather and its fate have it.
    pub async fn call<T>(&self, call: Call, act: impl FnOnce() -> T) -> Answered<T> {
        self.lives().await;
        let fate = self.fate(&call);
        if fate == Some(When::Before) {
            self.kill();
        }
        self.travel().await;
        let trouble = self.weather.trouble(call.service);
        self.judge.called(self.number, &call, trouble);
        match trouble {
            Some(Trouble::Error) => return self.answered(Answered::Error).await,
            Some(Trouble::Throttle) => return self.answered(Answered::Throttled).await,
            Some(Trouble::Silence(When::Before)) => return self.hang().await,
            Some(Trouble::LostAnswer | Trouble::Silence(When::After)) | None => {}
        }
        let answer = act();
        if fate == Some(When::After) {
            self.kill();
        }
        match trouble {
            Some(Trouble::Silence(_)) => self.hang().await,
            Some(_) => self.answered(Answered::Broken).await,
            None => self.answered(Answered::With(answer)).await,
        }
    }

    /// Until the caller's patience ends, which the SDK measures for itself and the operator's client for Kubernetes is told.
    async fn hang<T>(&self) -> Answered<T> {
        tokio::time::sleep(SILENCE_AT_MOST).await;
        self.answered(Answered::Broken).await
    }

    async fn answered<T>(&self, answer: Answered<T>) -> Answered<T> {
        self.travel().await;
        answer
    }

    async fn travel(&self) {
        tokio::time::sleep(self.weather.latency()).await;
        self.lives().await;
    }

    /// Never returns in a process that is dead.
    pub async fn lives(&self) {
        if self.dead.load(Ordering::Relaxed) {
            pending().await
        }
    }

    /// Whether the process dies of this call.
    fn fate(&self, call: &Call) -> Option<When> {
        let mut doom = self.doom.lock().unwrap_or_else(PoisonError::into_inner);
        let (left, when) = doom.as_mut().filter(|_| call.writes)?;
        *left -= 1;
        let when = *when;
        (*left == 0).then(|| {
            *doom = None;
            when
        })
    }
}
