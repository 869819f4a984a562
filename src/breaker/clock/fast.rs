//! The processor's time stamp counter, read raw and scaled only where a time is needed.

use std::sync::LazyLock;

/// Ticks of the fastest reliable clock of the machine, with their scale.
#[derive(Debug)]
pub(crate) struct FastClock {
    clock: quanta::Clock,
    /// The ticks that are moment zero.
    origin: u64,
    /// Nanoseconds for 2^32 ticks.
    scale: u64,
}

/// Calibrated once for the process, when the first breaker is built: it takes up to 200 ms.
static FAST: LazyLock<FastClock> = LazyLock::new(|| {
    let clock = quanta::Clock::new();
    let scale = clock.delta_as_nanos(0, 1 << 32).max(1);
    FastClock { origin: clock.raw(), scale, clock }
});

impl FastClock {
    pub(super) fn get() -> &'static Self {
        &FAST
    }

    #[inline(always)]
    pub(super) fn ticks(&self) -> u64 {
        self.clock.raw()
    }

    pub(super) fn nanos(&self, ticks: u64) -> u64 {
        let elapsed = ticks.saturating_sub(self.origin);
        saturate((u128::from(elapsed) * u128::from(self.scale)) >> 32)
    }

    /// The least number of ticks that [`nanos`](Self::nanos) turns into at least `nanos`.
    pub(super) fn ticks_at(&self, nanos: u64) -> u64 {
        self.origin.saturating_add(self.ticks_for(nanos))
    }

    pub(super) fn ticks_for(&self, nanos: u64) -> u64 {
        saturate((u128::from(nanos) << 32).div_ceil(u128::from(self.scale)))
    }

    pub(super) fn nanos_for(&self, ticks: u64) -> u64 {
        saturate((u128::from(ticks) * u128::from(self.scale)) >> 32)
    }
}

fn saturate(value: u128) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_reached_by_its_ticks_and_not_before() {
        let fast = FastClock::get();
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..10_000 {
            let nanos = random.u64(1..1 << 60);
            let ticks = fast.ticks_at(nanos);
            assert!(fast.nanos(ticks) >= nanos);
            assert!(fast.nanos(ticks - 1) < nanos || ticks == fast.origin);
        }
        assert_eq!(fast.ticks_at(u64::MAX), fast.ticks_at(u64::MAX));
        assert_eq!(fast.nanos(0), 0);
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "the clock module compares its clock")]
    fn keeps_step_with_the_clock_of_the_system() {
        let fast = FastClock::get();
        let (ticks, before) = (fast.ticks(), std::time::Instant::now());
        let mut elapsed = before.elapsed();
        while elapsed.as_millis() < 50 {
            elapsed = before.elapsed();
        }
        let measured = fast.nanos_for(fast.ticks() - ticks) as f64;
        let ratio = measured / elapsed.as_nanos() as f64;
        assert!((0.95..1.5).contains(&ratio), "{ratio}");
    }
}
