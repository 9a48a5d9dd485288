//! Owns the arithmetic of one token bucket: how long a call has to wait for its token. Pure: time is an argument.

use std::time::Duration;

use tokio::time::Instant;

use crate::actions::Rate;

/// Calls reach EC2 not quite in the rhythm in which we let them go: a tenth of EC2's burst, and a token at least, stays
/// unused, so that two that travel unequally fast do not find its bucket empty.
const MARGIN: f64 = 0.1;
/// How long a bucket refills more slowly after EC2 wanted fewer calls.
const SLOW: Duration = Duration::from_secs(30);
/// Answers to calls that were under way together slow a bucket once.
const TOGETHER: Duration = Duration::from_secs(1);
/// A bucket never refills more slowly than this share of its rate: 2 a second are then still one in 4 s.
const SLOWEST: f64 = 0.125;

/// A token bucket whose tokens are promised in the order they are asked for.
///
/// Others may share the account. When EC2 wants fewer calls although the bucket had tokens, the bucket is emptied and
/// refills at half its pace for 30 s; at a quarter, then an eighth, if EC2 insists meanwhile.
#[derive(Debug, Clone)]
pub(crate) struct TokenBucket {
    rate: Rate,
    /// Below zero: so many are promised and not there yet.
    tokens: f64,
    counted_at: Instant,
    slowed_at: Option<Instant>,
    /// Share of the rate at which it refills within [`SLOW`] of `slowed_at`.
    share: f64,
}

impl TokenBucket {
    /// A bucket with one token: nobody knows what an operator that was here before has left in EC2's.
    pub(crate) fn new(published: Rate, now: Instant) -> Self {
        let burst = (published.burst - (published.burst * MARGIN).max(1.0)).max(1.0);
        Self { rate: Rate { burst, ..published }, tokens: 1.0, counted_at: now, slowed_at: None, share: 1.0 }
    }

    /// Takes a token, and tells how long to wait until it is there. If that is longer than `patience`, none is taken, and
    /// the error tells how long it would have been. Whoever gives up waiting leaves the token unused.
    pub(crate) fn take(&mut self, patience: Duration, now: Instant) -> Result<Duration, Duration> {
        self.count(now);
        let wait = self.time_for(1.0 - self.tokens, now);
        if wait > patience {
            return Err(wait);
        }
        self.tokens -= 1.0;
        Ok(wait)
    }

    /// EC2 wants fewer calls.
    pub(crate) fn throttled(&mut self, now: Instant) {
        self.count(now);
        self.tokens = self.tokens.min(0.0);
        if self.slowed_at.is_some_and(|at| now.duration_since(at) < TOGETHER) {
            return;
        }
        self.share = if self.slow_until(now) > now { (self.share / 2.0).max(SLOWEST) } else { 0.5 };
        self.slowed_at = Some(now);
    }

    fn slow_until(&self, otherwise: Instant) -> Instant {
        self.slowed_at.map_or(otherwise, |at| at + SLOW)
    }

    /// Adds what has come back since it was last counted.
    fn count(&mut self, now: Instant) {
        let whole = now.saturating_duration_since(self.counted_at);
        let slow = self.slow_until(self.counted_at).saturating_duration_since(self.counted_at).min(whole);
        let seconds = (whole - slow).as_secs_f64() + slow.as_secs_f64() * self.share;
        self.tokens = (self.tokens + seconds * self.rate.refill_per_second).min(self.rate.burst);
        self.counted_at = now;
    }

    /// How long it takes until so many tokens have come back.
    fn time_for(&self, missing: f64, now: Instant) -> Duration {
        let slow = self.slow_until(now).saturating_duration_since(now).as_secs_f64();
        let seconds = missing.max(0.0) / self.rate.refill_per_second;
        let seconds = if seconds <= slow * self.share { seconds / self.share } else { slow + seconds - slow * self.share };
        Duration::from_secs_f64(seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::Bucket;

    const PATIENCE: Duration = Duration::from_secs(5);

    /// A bucket that had an hour to fill, and the time after it.
    fn bucket(burst: f64, refill_per_second: f64) -> (TokenBucket, Instant) {
        let made = Instant::now();
        (TokenBucket::new(Rate { burst, refill_per_second }, made), made + seconds(3600.0))
    }

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    /// Waits of calls that all come now, in milliseconds.
    fn waits(bucket: &mut TokenBucket, calls: usize, now: Instant) -> Vec<Result<u128, u128>> {
        let wait = |_| bucket.take(PATIENCE, now).map(|wait| wait.as_millis()).map_err(|wait| wait.as_millis());
        (0..calls).map(wait).collect()
    }

    #[test]
    fn a_burst_goes_at_once_and_what_follows_waits_its_turn() {
        let (mut launches, now) = bucket(5.0, 2.0);
        assert_eq!(waits(&mut launches, 7, now), [Ok(0), Ok(0), Ok(0), Ok(0), Ok(500), Ok(1000), Ok(1500)]);
        // Those three are promised: after 1 s two of them are there, and the next comes after the third.
        assert_eq!(waits(&mut launches, 2, now + seconds(1.0)), [Ok(1000), Ok(1500)]);
    }

    #[test]
    fn nobody_waits_longer_than_his_patience_and_who_is_sent_away_takes_nothing() {
        let (mut launches, now) = bucket(5.0, 2.0);
        let all = waits(&mut launches, 30, now);
        assert_eq!(all.iter().filter(|wait| wait.is_ok()).count(), 14);
        assert_eq!(all.last(), Some(&Err(5500)));
        assert_eq!(waits(&mut launches, 1, now + seconds(0.5)), [Ok(5000)]);
    }

    #[test]
    fn an_idle_bucket_fills_to_its_burst_and_no_further() {
        let (mut launches, now) = bucket(5.0, 2.0);
        waits(&mut launches, 14, now);
        let much_later = now + seconds(3600.0);
        assert_eq!(waits(&mut launches, 5, much_later), [Ok(0), Ok(0), Ok(0), Ok(0), Ok(500)]);
    }

    #[test]
    fn a_throttle_empties_the_bucket_and_halves_its_refill_for_a_while() {
        let (mut reads, now) = bucket(100.0, 20.0);
        reads.throttled(now);
        assert_eq!(waits(&mut reads, 2, now), [Ok(100), Ok(200)]);
        // Answers that arrive together count once.
        reads.throttled(now + seconds(0.5));
        assert_eq!(waits(&mut reads, 1, now + seconds(0.5)), [Ok(100)]);
        // It insists: a quarter, then an eighth, and never less.
        for (at, wait) in [(2.0, 200), (4.0, 400), (6.0, 400)] {
            reads.throttled(now + seconds(at));
            assert_eq!(waits(&mut reads, 1, now + seconds(at)), [Ok(wait)], "at {at} s");
        }
    }

    #[test]
    fn a_slow_bucket_recovers() {
        let (mut launches, now) = bucket(5.0, 2.0);
        launches.throttled(now);
        // 29 s at 1 a second fill it; emptied, it gets one in the last slow second and two in each one after.
        let late = now + seconds(29.0);
        assert_eq!(waits(&mut launches, 7, late), [Ok(0), Ok(0), Ok(0), Ok(0), Ok(1000), Ok(1500), Ok(2000)]);
        let recovered = now + seconds(60.0);
        launches.throttled(recovered);
        assert_eq!(waits(&mut launches, 1, recovered), [Ok(1000)], "half again, not a quarter");
    }

    /// What is left in EC2's bucket, at least, while `ours` sends as fast as it may.
    fn least(kind: Bucket, mut ours: TokenBucket, start: Instant, mut theirs: f64) -> f64 {
        let Rate { burst, refill_per_second } = kind.rate();
        let (mut counted, mut least) = (0.0, theirs);
        for _ in 0..600 {
            let sent = ours.take(seconds(3600.0), start).unwrap().as_secs_f64();
            theirs = f64::min(burst, theirs + (sent - counted) * refill_per_second) - 1.0;
            (counted, least) = (sent, f64::min(least, theirs));
        }
        least
    }

    #[test]
    fn ec2_finds_tokens_for_all_that_we_send_within_a_minute() {
        for kind in Bucket::ALL {
            let Rate { burst, refill_per_second } = kind.rate();
            let (ours, start) = bucket(burst, refill_per_second);
            let left = least(kind, ours, start, burst);
            assert!(left >= 0.9, "{kind:?}: EC2's bucket at {left}");
        }
    }

    #[test]
    fn an_operator_that_starts_spends_nothing_that_the_one_before_has_spent() {
        for kind in Bucket::ALL {
            let rate = kind.rate();
            let (ours, start) = (TokenBucket::new(rate, Instant::now()), Instant::now());
            // The least that the one before leaves, a second later.
            let left = least(kind, ours, start, 0.9 + rate.refill_per_second);
            assert!(left >= 0.9, "{kind:?}: EC2's bucket at {left}");
        }
    }
}
