//! A half-open round: its places, its results and its verdict.

use super::{moment::Moment, reason::TripReason, settings::Settings, window::Counts};

/// One half-open round.
#[derive(Clone, Debug)]
pub(super) struct Probes {
    pub(super) entered: Moment,
    /// The places of the round, fixed when it begins. None where another process probes.
    pub(super) permitted: u32,
    /// Places of probes that are under way or finished.
    taken: u32,
    /// Those of them that were taken for a call which has not been made.
    pub(super) reserved: u32,
    succeeded: u32,
    failed: u32,
    slow: u32,
    /// No probe is admitted from here on: the end of a coordinator's grant.
    admit_until: Moment,
}

/// What a round came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Verdict {
    Close { succeeded: u32, permitted: u32 },
    Reopen(TripReason),
}

impl Probes {
    pub(super) fn new(entered: Moment, permitted: u32, admit_until: Moment) -> Self {
        Self {
            entered,
            permitted,
            taken: 0,
            reserved: 0,
            succeeded: 0,
            failed: 0,
            slow: 0,
            admit_until,
        }
    }

    /// The end of the round, where it has one. Without a maximum wait, a round under a grant ends
    /// after as long again as its probes were admitted for: then the lease is over for everybody.
    pub(super) fn deadline(&self, settings: &Settings) -> Option<Moment> {
        match settings.max_wait_in_half_open() {
            Some(wait) => Some(self.entered + wait),
            None if self.permitted > 0 && self.admit_until < Moment::MAX => {
                Some(self.admit_until + self.admit_until.since(self.entered))
            }
            None => None,
        }
    }

    /// Admits probes until a later moment, if there is an end to that.
    pub(super) fn extend(&mut self, admit_until: Moment) -> bool {
        let granted = self.permitted > 0 && self.admit_until < Moment::MAX;
        if granted {
            self.admit_until = self.admit_until.max(admit_until);
        }
        granted
    }

    pub(super) fn has_place(&self) -> bool {
        self.taken < self.permitted
    }

    pub(super) fn take_place(&mut self, now: Moment) -> bool {
        let admitted = self.has_place() && now < self.admit_until;
        self.taken += u32::from(admitted);
        admitted
    }

    /// Whether nothing was tried, although places are taken: all of them are only reserved.
    pub(super) fn is_untried(&self) -> bool {
        self.reserved > 0 && self.reserved == self.taken
    }

    /// A probe that decides nothing gives its place to the next.
    pub(super) fn return_place(&mut self) {
        self.taken = self.taken.saturating_sub(1).max(self.finished());
    }

    pub(super) fn record(&mut self, failed: bool, slow: bool) {
        self.failed += u32::from(failed);
        self.succeeded += u32::from(!failed);
        self.slow += u32::from(slow);
    }

    pub(super) fn finished(&self) -> u32 {
        self.succeeded + self.failed
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            calls: u64::from(self.finished()),
            failures: u64::from(self.failed),
            slow_calls: u64::from(self.slow),
        }
    }

    /// The verdict, as soon as no further probe can change it.
    pub(super) fn verdict(&self, settings: &Settings) -> Option<Verdict> {
        let permitted = self.permitted;
        let threshold = settings.success_rate_threshold();
        let needed = least_share(threshold, permitted);
        if self.failed > permitted - needed {
            let failed = self.failed;
            return Some(Verdict::Reopen(TripReason::ProbesFailed {
                failed,
                permitted,
                threshold,
            }));
        }
        let mut may_be_slow = false;
        if let Some(threshold) = settings.slow_call_rate_threshold() {
            let too_many = least_share(threshold, permitted);
            if self.slow >= too_many {
                let slow = self.slow;
                return Some(Verdict::Reopen(TripReason::ProbesSlow {
                    slow,
                    permitted,
                    threshold,
                }));
            }
            may_be_slow = self.slow + (permitted - self.finished()) >= too_many;
        }
        let succeeded = self.succeeded;
        (succeeded >= needed && !may_be_slow).then_some(Verdict::Close { succeeded, permitted })
    }
}

/// The least part of `all` that is at least `share` of it.
///
/// Compared by division, as the rates are: `0.1 * 30.0` is more than three, `3.0 / 30.0` is not
/// less than `0.1`.
fn least_share(share: f64, all: u32) -> u32 {
    let near = (share * f64::from(all)) as u32;
    (near.saturating_sub(1)..=all)
        .find(|&part| f64::from(part) / f64::from(all) >= share)
        .unwrap_or(all)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_least_share_is_exact() {
        for all in 1..=300_u32 {
            for part in 1..=all {
                let share = f64::from(part) / f64::from(all);
                assert_eq!(least_share(share, all), part, "{part} of {all}");
            }
        }
        assert_eq!(least_share(0.1, 30), 3);
        assert_eq!(least_share(f64::MIN_POSITIVE, 10), 1);
        assert_eq!(least_share(1.0, 10_000), 10_000);
    }

    #[test]
    fn a_round_is_untried_while_all_its_places_are_only_reserved() {
        let mut probes = Probes::new(Moment::ZERO, 2, Moment::MAX);
        assert!(!probes.is_untried());
        assert!(probes.take_place(Moment::ZERO));
        assert!(!probes.is_untried());
        probes.reserved = 1;
        assert!(probes.is_untried());
        assert!(probes.take_place(Moment::ZERO));
        assert!(!probes.is_untried());
    }

    #[test]
    fn no_probe_is_admitted_at_the_end_of_a_grant_or_later() {
        let end = Moment::from_nanos(10);
        let mut probes = Probes::new(Moment::ZERO, 2, end);
        assert!(!probes.take_place(end));
        assert!(probes.take_place(Moment::from_nanos(9)));
    }

    #[test]
    fn a_round_ends_after_its_maximum_wait_or_as_long_again_as_its_grant_lasted() {
        let at = Moment::from_nanos;
        let wait = Duration::from_secs(100);
        for (permitted, grant_ends, max_wait, end) in [
            (2, at(30), Some(wait), Some(at(100_000_000_010))),
            (2, at(30), None, Some(at(50))),
            (2, Moment::MAX, Some(wait), Some(at(100_000_000_010))),
            (2, Moment::MAX, None, None),
            // Another process probes.
            (0, at(0), Some(wait), Some(at(100_000_000_010))),
            (0, at(0), None, None),
        ] {
            let settings = Settings::builder().max_wait_in_half_open(max_wait).build();
            let probes = Probes::new(at(10), permitted, grant_ends);
            let case = format!("{permitted} {grant_ends:?} {max_wait:?}");
            assert_eq!(probes.deadline(&settings.unwrap()), end, "{case}");
        }
    }

    #[test]
    fn a_place_is_returned_once_and_never_that_of_a_finished_probe() {
        let mut probes = Probes::new(Moment::ZERO, 2, Moment::MAX);
        assert!(probes.take_place(Moment::ZERO));
        assert!(probes.take_place(Moment::ZERO));
        assert!(!probes.take_place(Moment::ZERO));
        probes.record(false, false);
        probes.return_place();
        probes.return_place();
        assert!(probes.take_place(Moment::ZERO));
        assert!(!probes.take_place(Moment::ZERO));
    }
}
