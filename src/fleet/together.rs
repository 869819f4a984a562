//! What all processes have seen of a service together.
//!
//! Pure. A service that each process calls seldom may fail everywhere without any of them reaching
//! its minimum of calls; added up, the windows tell.

use crate::{
    breaker::ServiceName,
    circuit::{Settings, TripReason},
    store::{InstanceRow, RunId, WindowSummary},
};

/// Why the circuit should open, by the windows of all processes: none where they do not say so.
///
/// `own` is this process's window as it is now, in place of the one that it told of last.
pub(super) fn verdict<'a>(
    rows: impl IntoIterator<Item = &'a InstanceRow>,
    run: RunId,
    service: &ServiceName,
    own: &WindowSummary,
    settings: &Settings,
) -> Option<TripReason> {
    let threshold = settings.failure_rate_threshold()?;
    let (mut calls, mut failures, mut instances) = (own.calls, own.failures, 1_u32);
    for row in rows.into_iter().filter(|row| row.run != run) {
        if let Some(window) = row.windows.iter().find(|window| window.service == *service) {
            calls = calls.saturating_add(window.calls);
            failures = failures.saturating_add(window.failures.min(window.calls));
            instances = instances.saturating_add(1);
        }
    }
    let enough = calls >= u64::from(settings.minimum_number_of_calls()) && calls > 0;
    (enough && failures as f64 / calls as f64 >= threshold)
        .then_some(TripReason::FleetFailureRate { failures, calls, instances, threshold })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Timestamp;

    fn window(calls: u64, failures: u64) -> WindowSummary {
        WindowSummary { service: ServiceName::new("a").unwrap(), calls, failures, slow_calls: 0 }
    }

    fn row(calls: u64, failures: u64) -> InstanceRow {
        let mut row = InstanceRow::new(RunId::random(), "host".to_owned(), Timestamp::EPOCH);
        row.windows = vec![window(calls, failures)];
        row
    }

    #[test]
    fn windows_that_are_too_small_alone_add_up() {
        let settings = Settings::builder()
            .failure_rate_threshold(0.5)
            .minimum_number_of_calls(10)
            .build()
            .unwrap();
        let me = RunId::random();
        let mut mine = row(100, 0);
        mine.run = me;
        let others = [row(4, 2), row(3, 2), mine];
        let own = window(3, 2);
        let verdict = |rows: &[InstanceRow]| verdict(rows, me, &own.service, &own, &settings);
        assert_eq!(verdict(&others[..1]), None, "7 calls");
        let Some(TripReason::FleetFailureRate { failures, calls, instances, .. }) =
            verdict(&others)
        else {
            panic!("no verdict")
        };
        assert_eq!((failures, calls, instances), (6, 10, 3), "its own old row does not count");
        assert_eq!(verdict(&[row(9, 0)]), None, "2 of 12");
        let off = Settings::builder().failure_rate_threshold(None).build().unwrap();
        assert_eq!(super::verdict(&others, me, &own.service, &own, &off), None);
    }
}
