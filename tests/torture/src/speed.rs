//! What a store costs a call: a breaker of a registry beside one that knows of no store.

use std::{
    fmt,
    hint::black_box,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use tower_breaker::{Breaker, Settings};

/// How long calls took, in nanoseconds: admitted, and booked as a success.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Speed {
    /// How many calls each of the two did.
    pub calls: u64,
    /// With the store.
    pub ours: Quantiles,
    /// Without one.
    pub control: Quantiles,
}

/// Quantiles, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Quantiles {
    /// The median.
    pub p50: u64,
    /// What one call in a hundred exceeds.
    pub p99: u64,
    /// What one call in a thousand exceeds.
    pub p999: u64,
}

impl Speed {
    /// Calls both by turns for a while, on this thread. One call in a hundred fails, which the
    /// journal has to record.
    #[must_use]
    pub fn measure(ours: &Breaker, lasting: Duration) -> Self {
        let settings = (*ours.settings()).clone();
        let Ok(control) = Breaker::builder("control").settings(settings).build() else {
            return Self::default();
        };
        let mut taken = [Vec::new(), Vec::new()];
        let started = Instant::now();
        while started.elapsed() < lasting {
            for call in 0..1000_u32 {
                // By turns, so that whatever else the machine does hits both alike.
                for (breaker, taken) in [ours, &control].into_iter().zip(&mut taken) {
                    taken.push(one(breaker, call % 100 == 0));
                }
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let [mut ours, mut control] = taken;
        Self {
            calls: ours.len() as u64,
            ours: Quantiles::of(&mut ours),
            control: Quantiles::of(&mut control),
        }
    }

    /// Whether the store costs next to nothing: a disk or a network would be a thousand times that.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let most = |control: u64| control * 10 + 50_000;
        self.calls >= 1000
            && self.ours.p50 <= most(self.control.p50)
            && self.ours.p999 <= most(self.control.p999)
    }
}

/// Settings whose circuit stays closed whatever [`Speed::measure`] does.
///
/// # Panics
///
/// Never: they are valid.
#[must_use]
pub fn calm() -> Settings {
    Settings::builder().failure_threshold(1000).build().unwrap_or_default()
}

fn one(breaker: &Breaker, fails: bool) -> u64 {
    let started = Instant::now();
    match black_box(breaker).try_acquire() {
        Ok(permit) if fails => permit.failure(),
        Ok(permit) => permit.success(),
        Err(rejected) => drop(black_box(rejected)),
    }
    u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

impl Quantiles {
    fn of(nanos: &mut [u64]) -> Self {
        nanos.sort_unstable();
        let at = |thousandths: usize| {
            nanos
                .get((nanos.len() * thousandths / 1000).min(nanos.len().saturating_sub(1)))
                .copied()
        };
        Self {
            p50: at(500).unwrap_or_default(),
            p99: at(990).unwrap_or_default(),
            p999: at(999).unwrap_or_default(),
        }
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { calls, ours, control } = self;
        write!(
            f,
            "{calls} calls: p50 {} ns, p99 {} ns, p99.9 {} ns; without a store {} ns, {} ns, {} ns",
            ours.p50, ours.p99, ours.p999, control.p50, control.p99, control.p999
        )
    }
}
