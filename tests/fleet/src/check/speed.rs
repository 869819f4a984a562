//! What a store costs a call.

use super::verdict::{Defect, Verdict};
use crate::{log::Log, said::Line};

/// How much longer one call in a thousand may take than without a store, in nanoseconds.
const MORE: u64 = 100_000;
/// Where one call in a thousand takes this long without a store, the machine has too much else to do
/// for that figure to tell anything: the same is then asked of one call in a hundred.
const BUSY: u64 = 50_000;
/// Of fewer calls than this there is no one in a thousand.
const ENOUGH: usize = 5000;

pub(super) fn check(log: &Log, verdict: &mut Verdict) {
    let (mut ours, mut control) = (Vec::new(), Vec::new());
    for (_, said) in &log.said {
        if let Line::Speed { ours: more, control: beside } = &said.line {
            ours.extend_from_slice(more);
            control.extend_from_slice(beside);
        }
    }
    if ours.is_empty() {
        return;
    }
    let calls = ours.len();
    let taken = [quantiles(&mut ours), quantiles(&mut control)];
    verdict.counts.taken = taken;
    verdict.counts.timed = calls as u64;
    let [[_, _, ours], [_, _, control]] = taken;
    let [[_, p99, _], [_, p99_control, _]] = taken;
    let slow = if control < BUSY { ours > control + MORE } else { p99 > p99_control + MORE };
    if calls >= ENOUGH && slow {
        verdict.wrong(
            Defect::Slow,
            format!(
                "admission takes {p99} ns at p99 and {ours} ns at p99.9, and {p99_control} ns and \
                 {control} ns without a store"
            ),
        );
    }
}

fn quantiles(taken: &mut [u32]) -> [u64; 3] {
    taken.sort_unstable();
    [500, 990, 999].map(|thousandths| {
        let at = (taken.len() * thousandths / 1000).min(taken.len().saturating_sub(1));
        taken.get(at).copied().map_or(0, u64::from)
    })
}
