//! Cost against the size of the window.
//!
//! A count window of 100, 1,000 and 10,000 calls is measured with and without failures: only
//! failures make a breaker look into its window. A time window is measured while it holds about
//! as many calls. For that a new circuit is filled before each batch, and the batch is short.

use std::task::{Context, Waker};
use std::time::Duration;

use super::standard::one_thread;
use crate::inner::{Ready, Sometimes};
use crate::ours::{FULL_TIME, Ours, RATE_COUNT};
use crate::peers::{recloser, seatbelt, tower_resilience};
use crate::row::{Batch, Rows, timed};
use crate::subject::Subject;

/// The sizes that are compared.
pub const SIZES: [u32; 3] = [100, 1_000, 10_000];

/// Calls in a batch on a time window.
const CALLS: u64 = 200;

/// The scenario of a count window of this size, without failures.
#[must_use]
pub fn count(size: u32) -> String {
    format!("count window of {size}")
}

/// The same with 1 % failures.
#[must_use]
pub fn count_failing(size: u32) -> String {
    format!("count window of {size}, 1 % failures")
}

/// The scenario of a time window that holds so many calls.
#[must_use]
pub fn time(held: u32) -> String {
    format!("time window holding {held}")
}

/// Adds the rows of this crate and of the peers that have such windows.
pub fn add(rows: &mut Rows) {
    for size in SIZES {
        let ours = Ours::count_window(size);
        count_window(rows, &ours, RATE_COUNT, size);
        let ring = recloser::Ring { calls: size as usize };
        count_window(rows, &ring, Subject::name(&ring), size);
    }
    for held in SIZES {
        time_window(rows, &Ours::named(FULL_TIME), held);
        time_window(rows, &tower_resilience::TIME_FULL, held);
        time_window(rows, &seatbelt::Tower, held);
    }
}

fn count_window<T: Subject>(rows: &mut Rows, subject: &T, name: &str, size: u32) {
    let sometimes = |fails| Sometimes { fails };
    rows.add(&count(size), name, subject.kind(), || {
        one_thread::<T, _>(subject.wrap(sometimes(false)))
    });
    rows.add(&count_failing(size), name, subject.kind(), || {
        one_thread::<T, _>(subject.wrap(sometimes(true)))
    });
}

fn time_window<T: Subject + Copy>(rows: &mut Rows, subject: &T, held: u32) {
    let subject = *subject;
    rows.add_fixed(&time(held), subject.name(), subject.kind(), CALLS, || {
        let batch: Batch = Box::new(move |calls| {
            if calls < CALLS {
                return Duration::ZERO;
            }
            let mut service = subject.wrap(Ready);
            let mut cx = Context::from_waker(Waker::noop());
            for request in 0..u64::from(held) {
                T::call(&mut service, request, &mut cx);
            }
            timed(|| {
                for request in 0..calls {
                    T::call(&mut service, request, &mut cx);
                }
            })
        });
        batch
    });
}
