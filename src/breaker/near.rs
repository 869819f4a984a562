//! Which lane of a circuit a thread uses.

use std::{
    cell::Cell,
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

/// How many lanes a named circuit has: enough that the threads of the machine seldom share one, and
/// few enough that whoever takes the lock visits them in well under a microsecond.
pub(super) fn lanes() -> usize {
    static LANES: OnceLock<usize> = OnceLock::new();
    *LANES.get_or_init(|| {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        cores.next_power_of_two().clamp(4, 16)
    })
}

/// The lane of the running thread: threads take turns when they are first seen.
#[inline(always)]
pub(super) fn thread_lane() -> usize {
    thread_local!(static LANE: Cell<usize> = const { Cell::new(usize::MAX) });
    let lane = LANE.get();
    if lane != usize::MAX {
        return lane;
    }
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let lane = NEXT.fetch_add(1, Ordering::Relaxed) % lanes();
    LANE.set(lane);
    lane
}
