//! How long a circuit stays open.

use std::time::Duration;

use super::settings::Settings;

/// `recovery_timeout × multiplier ^ reopens`, capped, lengthened by a share of up to `jitter`.
///
/// `random` is uniform in `[0, 1)`.
pub(super) fn open_time(settings: &Settings, reopens: u32, random: f64) -> Duration {
    let base = settings.recovery_timeout().as_nanos() as f64;
    let longest = settings.max_recovery_timeout().as_nanos() as f64;
    let power = i32::try_from(reopens).unwrap_or(i32::MAX);
    // Infinity is capped like any other value.
    let grown = (base * settings.recovery_timeout_multiplier().powi(power)).min(longest);
    // The cap is 30 days and the jitter at most doubles it: far from the end of u64.
    Duration::from_nanos((grown * (1.0 + settings.jitter() * random)).round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(jitter: f64) -> Settings {
        Settings::builder()
            .recovery_timeout(Duration::from_secs(10))
            .recovery_timeout_multiplier(3.0)
            .max_recovery_timeout(Duration::from_secs(100))
            .jitter(jitter)
            .build()
            .unwrap()
    }

    #[test]
    fn grows_with_failed_recoveries_up_to_the_cap() {
        let seconds = |reopens| open_time(&settings(0.0), reopens, 0.9).as_secs();
        assert_eq!([0, 1, 2, 3, 4, u32::MAX].map(seconds), [10, 30, 90, 100, 100, 100]);
    }

    #[test]
    fn jitter_only_lengthens_and_by_no_more_than_its_share() {
        let at = |random| open_time(&settings(0.5), 0, random);
        assert_eq!(at(0.0), Duration::from_secs(10));
        assert_eq!(at(0.5), Duration::from_millis(12_500));
        assert_eq!(at(1.0), Duration::from_secs(15));
        assert_eq!(open_time(&settings(0.5), 9, 1.0), Duration::from_secs(150));
    }
}
