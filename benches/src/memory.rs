//! Allocations a call, bytes a breaker, bytes a key.
//!
//! They are counted in a second program, whose allocator counts; the program that takes the times
//! uses the system's allocator as it is.

use serde::{Deserialize, Serialize};
use stats_alloc::INSTRUMENTED_SYSTEM;

use crate::inner::Ready;
use crate::row::{Allocations, Kind};
use crate::scenario::keys::{self, KEYS, Keyed, KeyedVisitor};
use crate::subject::{Subject, Visitor};
use crate::{ours, peers, scenario};

/// What was counted.
#[derive(Debug, Default, Deserialize, Serialize)]
pub struct Memory {
    /// Allocations a call, for each row.
    pub allocations: Vec<Allocations>,
    /// Bytes that a breaker of its own holds on the heap after a hundred calls.
    pub breakers: Vec<Bytes>,
    /// Bytes a key, of 100,000 keys with a call to each, the map and the key's text included.
    pub keys: Vec<Bytes>,
}

/// Bytes of something.
#[derive(Debug, Deserialize, Serialize)]
pub struct Bytes {
    /// Of what.
    pub subject: String,
    /// Whose it is.
    pub kind: Kind,
    /// How many.
    pub bytes: f64,
}

impl Memory {
    /// Allocations a call of one row.
    #[must_use]
    pub fn allocations(&self, scenario: &str, subject: &str) -> Option<f64> {
        let mut rows = self.allocations.iter();
        let row = rows.find(|row| row.scenario == scenario && row.subject == subject)?;
        row.per_call
    }
}

/// Counts everything that `filter` leaves.
///
/// # Panics
///
/// In a program whose allocator does not count.
#[must_use]
pub fn count(filter: Option<String>) -> Memory {
    let before = allocations();
    drop(std::hint::black_box(Box::new(1)));
    assert_ne!(allocations(), before, "the allocator of this program does not count");

    let mut held = Held { filter: filter.clone(), memory: Memory::default() };
    ours::visit(&mut held);
    peers::visit(&mut held);
    keys::visit(&mut held);
    Memory { allocations: scenario::all(filter).allocations(allocations), ..held.memory }
}

fn allocations() -> u64 {
    let stats = INSTRUMENTED_SYSTEM.stats();
    (stats.allocations + stats.reallocations) as u64
}

fn bytes() -> f64 {
    let stats = INSTRUMENTED_SYSTEM.stats();
    stats.bytes_allocated as f64 - stats.bytes_deallocated as f64
}

/// Counts what is held on the heap.
struct Held {
    filter: Option<String>,
    memory: Memory,
}

impl Held {
    fn wants(&self, what: &str, subject: &str) -> bool {
        let name = format!("{what} / {subject}").to_lowercase();
        self.filter.as_ref().is_none_or(|text| name.contains(&text.to_lowercase()))
    }
}

impl Visitor for Held {
    fn visit<T: Subject>(&mut self, subject: &T) {
        if !self.wants("bytes a breaker", subject.name()) {
            return;
        }
        let used = || {
            let mut service = subject.wrap(Ready);
            let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
            (0..100).for_each(|request| T::call(&mut service, request, &mut cx));
            service
        };
        // The first breaker pays for what all breakers share.
        drop(used());
        let before = bytes();
        let service = used();
        let bytes = bytes() - before;
        drop(service);
        let (subject, kind) = (subject.name().to_owned(), subject.kind());
        self.memory.breakers.push(Bytes { subject, kind, bytes });
    }
}

impl KeyedVisitor for Held {
    fn visit<T: Keyed>(&mut self, name: &'static str, kind: Kind, make: fn() -> T) {
        if !self.wants("bytes a key", name) {
            return;
        }
        drop(make());
        let all = keys::all();
        let before = bytes();
        let mut subject = make();
        keys::touch(&mut subject, &all);
        let bytes = (bytes() - before) / KEYS as f64;
        drop(subject);
        self.memory.keys.push(Bytes { subject: name.to_owned(), kind, bytes });
    }
}
