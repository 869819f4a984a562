//! An open circuit: what a rejection costs.
//!
//! A circuit is tripped by failures, as in life; a call that reaches the inner service after that
//! stops the run.

use std::hint::black_box;
use std::task::{Context, Waker};

use crate::inner::{Broken, Request};
use crate::peers::failsafe;
use crate::row::{Batch, Kind, Rows, timed};
use crate::subject::{Subject, Visitor};
use crate::{ours, peers};

/// The scenario's name.
pub const OPEN: &str = "open";

/// failsafe asked directly, without a future.
pub const FAILSAFE_DIRECT: &str = "failsafe, is_call_permitted";

/// Adds this crate's rows and one of each peer.
pub fn add(rows: &mut Rows) {
    ours::open(rows);
    peers::one_each(&mut Open(rows));
    rows.add(OPEN, FAILSAFE_DIRECT, Kind::Peer, || {
        let machine = failsafe::machine(failsafe::consecutive());
        while machine.is_call_permitted() {
            machine.on_error();
        }
        Box::new(move |calls| {
            timed(|| {
                for _ in 0..calls {
                    assert!(!black_box(machine.is_call_permitted()));
                }
            })
        })
    });
}

/// Adds a row for each subject.
pub struct Open<'a>(pub &'a mut Rows);

impl Visitor for Open<'_> {
    fn visit<T: Subject>(&mut self, subject: &T) {
        self.0.add(OPEN, subject.name(), subject.kind(), || {
            let inner = Broken::new();
            let mut service = subject.wrap(inner);
            rejections(inner, move |request, cx| T::call(&mut service, request, cx))
        });
    }
}

/// Trips a circuit around `inner` by failures, then times its rejections.
///
/// # Panics
///
/// If it does not open, or lets a call through later.
pub fn rejections(
    inner: Broken,
    mut call: impl FnMut(Request, &mut Context<'_>) + 'static,
) -> Batch {
    let mut cx = Context::from_waker(Waker::noop());
    let opened = (0..1_000).any(|request| {
        let before = inner.reached();
        call(request, &mut cx);
        inner.reached() == before
    });
    assert!(opened, "the circuit does not open");
    let reached = inner.reached();
    Box::new(move |calls| {
        let took = timed(|| {
            let mut cx = Context::from_waker(Waker::noop());
            for request in 0..calls {
                call(request, &mut cx);
            }
        });
        assert_eq!(inner.reached(), reached, "the circuit is open");
        took
    })
}
