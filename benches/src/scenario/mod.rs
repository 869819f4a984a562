//! What is done to the subjects, a scenario to a file.

pub mod keys;
pub mod open;
pub mod standard;
pub mod windows;

use std::hint::black_box;
use std::time::Instant;

use crate::row::{Kind, Rows, timed};
use crate::{baseline, ours, peers};

/// The scenario of the clock's row.
pub const CLOCK: &str = "clock";

/// The subject of the clock's row.
pub const INSTANT_NOW: &str = "Instant::now";

/// Builds every row that `filter` leaves.
#[must_use]
pub fn all(filter: Option<String>) -> Rows {
    let mut rows = Rows::new(filter);
    rows.add(CLOCK, INSTANT_NOW, Kind::Baseline, || {
        Box::new(|calls| {
            timed(|| {
                for _ in 0..calls {
                    black_box(Instant::now());
                }
            })
        })
    });
    let mut standard = standard::Standard(&mut rows);
    baseline::visit(&mut standard);
    ours::visit(&mut standard);
    peers::visit(&mut standard);
    open::add(&mut rows);
    windows::add(&mut rows);
    keys::add(&mut rows);
    rows
}
