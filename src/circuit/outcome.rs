//! What a finished call means to the circuit.

use std::time::Duration;

use super::moment::nanos;

/// The kinds of [`Outcome`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OutcomeKind {
    /// The call did what it should.
    Success,
    /// The call failed.
    Failure,
    /// The call counts as failed for the rates and as a probe, but not for the failures in a row.
    RateOnly,
    /// The call says nothing about the health of the service, and decides nothing.
    Ignored,
}

/// What a finished call means to the circuit: a small value that classifiers return.
///
/// A `bool` converts into an outcome and means *failed*, so that `|result| result.is_err()` reads
/// as it should.
///
/// ```
/// use std::time::Duration;
/// use tower_breaker::Outcome;
///
/// assert_eq!(Outcome::from(true), Outcome::FAILURE);
/// let told_to_wait = Outcome::RATE_ONLY.with_retry_after(Duration::from_secs(30));
/// assert_eq!(told_to_wait.retry_after(), Some(Duration::from_secs(30)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Outcome {
    kind: OutcomeKind,
    /// Nanoseconds, zero for none: an `Option<Duration>` would double the size of the value.
    retry_after: u64,
}

impl Outcome {
    /// The call did what it should.
    pub const SUCCESS: Self = Self::new(OutcomeKind::Success);
    /// The call failed.
    pub const FAILURE: Self = Self::new(OutcomeKind::Failure);
    /// The call counts for the rates and fails a probe, but not for the failures in a row: a 429.
    pub const RATE_ONLY: Self = Self::new(OutcomeKind::RateOnly);
    /// The call decides nothing: its caller's own fault, or a rejection from further in.
    pub const IGNORED: Self = Self::new(OutcomeKind::Ignored);

    const fn new(kind: OutcomeKind) -> Self {
        Self { kind, retry_after: 0 }
    }

    /// [`FAILURE`](Self::FAILURE) if `failed`, else [`SUCCESS`](Self::SUCCESS).
    #[must_use]
    pub const fn failure_if(failed: bool) -> Self {
        if failed { Self::FAILURE } else { Self::SUCCESS }
    }

    /// Adds the time the server asked to be left alone.
    ///
    /// If this result opens the circuit, it stays open for just that long, in place of the recovery
    /// timeout, up to `max_retry_after` of the settings. If the circuit opens later, while that
    /// time runs, it stays open at least until its end. Zero means none.
    #[must_use]
    pub fn with_retry_after(mut self, retry_after: Duration) -> Self {
        self.retry_after = nanos(retry_after);
        self
    }

    /// The kind of outcome.
    #[must_use]
    pub const fn kind(self) -> OutcomeKind {
        self.kind
    }

    /// The time the server asked to be left alone, if it did.
    #[must_use]
    pub const fn retry_after(self) -> Option<Duration> {
        if self.retry_after == 0 { None } else { Some(Duration::from_nanos(self.retry_after)) }
    }

    /// Whether the call counts as failed for the rates and as a probe.
    #[must_use]
    pub const fn is_failed(self) -> bool {
        matches!(self.kind, OutcomeKind::Failure | OutcomeKind::RateOnly)
    }

    /// Whether this is a success that carries nothing else.
    #[inline(always)]
    pub(crate) fn is_plain_success(self) -> bool {
        matches!(self.kind, OutcomeKind::Success) && self.retry_after == 0
    }
}

/// `true` means failed.
impl From<bool> for Outcome {
    fn from(failed: bool) -> Self {
        Self::failure_if(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn true_means_failed() {
        assert_eq!(Outcome::from(true), Outcome::FAILURE);
        assert_eq!(Outcome::from(false), Outcome::SUCCESS);
    }

    #[test]
    fn only_a_bare_success_is_plain() {
        assert!(Outcome::SUCCESS.is_plain_success());
        assert!(!Outcome::SUCCESS.with_retry_after(Duration::from_secs(1)).is_plain_success());
        assert!(!Outcome::FAILURE.is_plain_success());
        assert!(!Outcome::RATE_ONLY.is_plain_success());
        assert!(!Outcome::IGNORED.is_plain_success());
    }

    #[test]
    fn failed_is_failure_and_rate_only() {
        assert!(Outcome::FAILURE.is_failed());
        assert!(Outcome::RATE_ONLY.is_failed());
        assert!(!Outcome::SUCCESS.is_failed());
        assert!(!Outcome::IGNORED.is_failed());
        assert_eq!(Outcome::IGNORED.kind(), OutcomeKind::Ignored);
    }

    #[test]
    fn retry_after_zero_is_none_and_the_longest_is_kept() {
        assert_eq!(Outcome::FAILURE.with_retry_after(Duration::ZERO).retry_after(), None);
        let longest = Outcome::FAILURE.with_retry_after(Duration::MAX);
        assert_eq!(longest.retry_after(), Some(Duration::from_nanos(u64::MAX)));
    }
}
