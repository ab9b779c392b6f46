//! How long to wait before trying again, and when to stop.
//!
//! Full jitter: each wait is drawn evenly between nothing and a ceiling that
//! doubles with every attempt, so that clients which failed together do not return
//! together. A budget shared by a whole run keeps retries from multiplying the
//! load that caused them. Time and chance are arguments.

use std::time::Duration;

/// When to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Ceiling of the first wait.
    pub base: Duration,
    /// No ceiling is higher than this.
    pub cap: Duration,
    /// How often a thing is tried in all, the first time included.
    pub attempts: u32,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { base: Duration::from_millis(100), cap: Duration::from_secs(20), attempts: 8 }
    }
}

impl Backoff {
    /// The wait before the attempt after `failed` failures, given 64 random bits
    /// and the time the server asked for; `None` when it is time to give up.
    pub fn wait(&self, failed: u32, random: u64, asked: Option<Duration>) -> Option<Duration> {
        if failed >= self.attempts {
            return None;
        }
        let doublings = failed.saturating_sub(1).min(20);
        let ceiling = self.base.saturating_mul(1 << doublings).min(self.cap);
        let ceiling_ns = u64::try_from(ceiling.as_nanos()).unwrap_or(u64::MAX);
        let jitter = Duration::from_nanos(random % ceiling_ns.saturating_add(1).max(1));
        // What the server asks for is a floor; the jitter spreads those it asked.
        Some(asked.map_or(jitter, |asked| asked.min(Duration::from_secs(300)).saturating_add(jitter)))
    }
}

/// A purse of retries: every request pays a tenth in, every retry takes one out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    tenths: u32,
    cap_tenths: u32,
}

impl Default for Budget {
    fn default() -> Self {
        Self { tenths: 1000, cap_tenths: 1000 }
    }
}

impl Budget {
    /// A request was made.
    pub fn deposit(&mut self) {
        self.tenths = self.tenths.saturating_add(1).min(self.cap_tenths);
    }

    /// Takes one retry; `false` when the purse is empty.
    #[must_use]
    pub fn withdraw(&mut self) -> bool {
        let enough = self.tenths >= 10;
        if enough {
            self.tenths -= 10;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_stay_below_a_doubling_ceiling_and_end() {
        let backoff = Backoff { base: Duration::from_millis(100), cap: Duration::from_secs(1), attempts: 6 };
        for (failed, ceiling_ms) in [(1, 100), (2, 200), (3, 400), (4, 800), (5, 1000)] {
            let wait = backoff.wait(failed, u64::MAX - 7, None).expect("not yet over");
            assert!(wait <= Duration::from_millis(ceiling_ms), "{failed}");
        }
        assert_eq!(backoff.wait(6, 0, None), None);
        let asked = Some(Duration::from_secs(3));
        assert_eq!(backoff.wait(1, 0, asked), asked);
    }

    #[test]
    fn a_budget_runs_dry_and_fills_again() {
        let mut budget = Budget { tenths: 10, cap_tenths: 20 };
        assert!(budget.withdraw());
        assert!(!budget.withdraw());
        (0..10).for_each(|_| budget.deposit());
        assert!(budget.withdraw());
    }
}
