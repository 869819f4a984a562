//! Which circuits a map may forget.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use crate::{
    breaker::{Handle, core::Read},
    circuit::{Circuit, Moment, State},
};

/// References to a handle that nobody uses: the map's and the ring's.
const UNUSED: usize = 2;

/// The circuits of a map in the order in which they are looked at, each with what it was like then.
#[derive(Debug, Default)]
pub(super) struct Ring(VecDeque<Entry>);

#[derive(Debug)]
struct Entry {
    handle: Arc<Handle>,
    /// Calls admitted when it was last looked at; the lower bits do.
    admitted: u32,
    /// Since when no call was admitted, as far as was seen. Seconds of the map's clock.
    idle_since: u32,
}

/// What a look at a circuit allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    /// It has to be kept: in use, open, overridden.
    Keep,
    /// It holds something, failures for instance, that is lost if it goes.
    Warm,
    /// It is closed, holds nothing but successes, and was called since the last look.
    Clean,
    /// The same, and it was not called since the last look.
    Quiet,
    /// Nobody called it for the idle timeout.
    Idle,
}

impl Ring {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn push(&mut self, handle: Arc<Handle>, now: Moment) {
        self.0.push_back(Entry { handle, admitted: 0, idle_since: seconds(now) });
    }

    /// Looks at up to `looks` circuits and hands the idle ones to `evict`.
    pub(super) fn evict_idle(
        &mut self,
        looks: usize,
        now: Moment,
        idle_timeout: Duration,
        mut evict: impl FnMut(&Handle),
    ) {
        for _ in 0..looks.min(self.len()) {
            let Some(mut entry) = self.0.pop_front() else { return };
            if entry.look(now, idle_timeout) == Verdict::Idle {
                evict(&entry.handle);
            } else {
                self.0.push_back(entry);
            }
        }
    }

    /// Looks at up to `looks` circuits for one whose place another may have: an idle one, else one
    /// that has been quiet since the last look, else a clean one. Circuits that hold failures, and
    /// those that have to be kept, stay.
    pub(super) fn evict_one(
        &mut self,
        looks: usize,
        now: Moment,
        idle_timeout: Duration,
    ) -> Option<Arc<Handle>> {
        let mut best: Option<(Verdict, usize)> = None;
        let looks = looks.min(self.len());
        for look in 0..looks {
            let verdict = self.0[look].look(now, idle_timeout);
            if verdict >= Verdict::Clean && best.is_none_or(|(seen, _)| verdict > seen) {
                best = Some((verdict, look));
            }
        }
        let evicted = best.and_then(|(_, place)| self.0.remove(place));
        self.0.rotate_left(looks.saturating_sub(1).min(self.len()));
        evicted.map(|entry| entry.handle)
    }
}

impl Entry {
    fn look(&mut self, now: Moment, idle_timeout: Duration) -> Verdict {
        let admitted = self.handle.circuit().admitted() as u32;
        let called = std::mem::replace(&mut self.admitted, admitted) != admitted;
        if called {
            self.idle_since = seconds(now);
        }
        if Arc::strong_count(&self.handle) > UNUSED {
            return Verdict::Keep;
        }
        let idle =
            u64::from(seconds(now).saturating_sub(self.idle_since)) >= idle_timeout.as_secs();
        // Not `Handle::read`, which tells observers: the map's lock is held.
        let handle = &*self.handle;
        handle.circuit().read(handle.lane(), |circuit, Read { now, .. }| {
            if must_be_kept(circuit, now) {
                Verdict::Keep
            } else if idle && !called {
                Verdict::Idle
            } else if !is_clean(circuit, now) {
                Verdict::Warm
            } else if called {
                Verdict::Clean
            } else {
                Verdict::Quiet
            }
        })
    }
}

/// Overrides, open times that run, and rounds of probes that are not over.
fn must_be_kept(circuit: &Circuit, now: Moment) -> bool {
    match circuit.state() {
        State::Closed => false,
        State::Open => circuit.open_period().is_some_and(|(_, until)| now < until),
        State::HalfOpen => circuit.poll_deadline().is_some_and(|deadline| now < deadline),
        State::ForcedOpen | State::Disabled | State::MetricsOnly => true,
    }
}

fn is_clean(circuit: &mut Circuit, now: Moment) -> bool {
    let counts = circuit.counts_at(now);
    circuit.state() == State::Closed
        && circuit.consecutive_failures() == 0
        && counts.failures == 0
        && counts.slow_calls == 0
}

fn seconds(moment: Moment) -> u32 {
    u32::try_from(moment.as_nanos() / 1_000_000_000).unwrap_or(u32::MAX)
}
