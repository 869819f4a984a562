//! A breaker for each of 100,000 keys.
//!
//! The keys of the coming calls lie one behind the other in memory, in the order of the calls, so
//! that a random key costs what the map and its breaker cost, and not what fetching the request
//! costs.

use std::sync::Arc;
use std::task::{Context, Waker};

use ::seatbelt::breaker::{Breaker, BreakerId};
use dashmap::DashMap;
use layered::Service as _;
use tower::Service;

use crate::inner::{Failed, Ready, Response};
use crate::ours;
use crate::peers::failsafe::Consecutive;
use crate::peers::seatbelt::AsLayered;
use crate::peers::{failsafe, recloser, seatbelt};
use crate::row::{Batch, Kind, Rows, timed};
use crate::subject::{drive, finish};

/// How many keys there are.
pub const KEYS: usize = 100_000;

/// Calls to 64 of the keys.
pub const HOT: &str = "100,000 keys, 64 hot";

/// Calls to any of the keys.
pub const RANDOM: &str = "100,000 keys, random";

/// One breaker for each key.
pub trait Keyed: Clone + 'static {
    /// Drives one call to its end.
    fn call(&mut self, key: &'static str, cx: &mut Context<'_>);
}

/// Takes one keyed subject, made when it is wanted.
pub trait KeyedVisitor {
    /// Takes one subject.
    fn visit<T: Keyed>(&mut self, name: &'static str, kind: Kind, make: fn() -> T);
}

/// Shows this crate and the peers.
pub fn visit(visitor: &mut impl KeyedVisitor) {
    ours::keyed(visitor);
    visitor.visit("seatbelt (layered), breaker_id", Kind::Peer, || {
        let key: fn(&&'static str) -> BreakerId = |key| BreakerId::hashed(key, "tenant");
        Seatbelt(seatbelt::breaker(AsLayered(Ready), false, Some(key)))
    });
    visitor.visit("dashmap of failsafe, consecutive", Kind::Peer, || Mapped {
        map: Arc::default(),
        make: || failsafe::machine(failsafe::consecutive()),
        call: |machine: &FailsafeMachine, cx| {
            let future = ::failsafe::futures::CircuitBreaker::call(machine, Ready.call(()));
            finish(std::pin::pin!(future), cx);
        },
    });
    visitor.visit("dashmap of recloser", Kind::Peer, || Mapped {
        map: Arc::default(),
        make: || recloser::breaker(100),
        call: |breaker: &::recloser::AsyncRecloser, cx| {
            finish(std::pin::pin!(breaker.call(Ready.call(()))), cx);
        },
    });
}

type FailsafeMachine = ::failsafe::StateMachine<Consecutive, ()>;

/// Adds the rows of hot and of random keys.
pub fn add(rows: &mut Rows) {
    visit(&mut Timing(rows));
}

struct Timing<'a>(&'a mut Rows);

impl KeyedVisitor for Timing<'_> {
    fn visit<T: Keyed>(&mut self, name: &'static str, kind: Kind, make: fn() -> T) {
        if !self.0.wants(HOT, name) && !self.0.wants(RANDOM, name) {
            return;
        }
        let mut subject = make();
        touch(&mut subject, &all());
        let same = subject.clone();
        self.0.add(HOT, name, kind, || batch(subject, 64));
        self.0.add(RANDOM, name, kind, || batch(same, KEYS));
    }
}

/// Every key.
#[must_use]
pub fn all() -> Vec<&'static str> {
    sequence(0..KEYS)
}

/// One call to each of these keys.
pub fn touch<T: Keyed>(subject: &mut T, keys: &[&'static str]) {
    let mut cx = Context::from_waker(Waker::noop());
    for key in keys {
        subject.call(key, &mut cx);
    }
}

fn batch<T: Keyed>(mut subject: T, among: usize) -> Batch {
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    let coming = sequence((0..2 * KEYS).map(|_| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random as usize % among
    }));
    let mut next = 0;
    Box::new(move |calls| {
        timed(|| {
            let mut cx = Context::from_waker(Waker::noop());
            for _ in 0..calls {
                subject.call(coming[next], &mut cx);
                next = if next + 1 == coming.len() { 0 } else { next + 1 };
            }
        })
    })
}

/// The texts of these keys, one behind the other in memory.
fn sequence(keys: impl Iterator<Item = usize>) -> Vec<&'static str> {
    const LENGTH: usize = "tenant-000000".len();
    let text: String = keys.map(|key| format!("tenant-{key:06}")).collect();
    let text: &'static str = text.leak();
    (0..text.len() / LENGTH).map(|n| &text[n * LENGTH..(n + 1) * LENGTH]).collect()
}

/// Any tower service whose request is its key.
#[derive(Clone)]
pub struct Tower<S>(pub S);

impl<S: Service<&'static str> + Clone + 'static> Keyed for Tower<S> {
    #[inline(always)]
    fn call(&mut self, key: &'static str, cx: &mut Context<'_>) {
        drive(&mut self.0, key, cx);
    }
}

#[derive(Clone)]
struct Seatbelt(Breaker<&'static str, Result<Response, Failed>, AsLayered<Ready>>);

impl Keyed for Seatbelt {
    #[inline(always)]
    fn call(&mut self, key: &'static str, cx: &mut Context<'_>) {
        finish(std::pin::pin!(self.0.execute(std::hint::black_box(key))), cx);
    }
}

/// A peer without keys of its own, in a concurrent map.
#[derive(Clone)]
struct Mapped<B> {
    map: Arc<DashMap<Box<str>, B>>,
    make: fn() -> B,
    call: fn(&B, &mut Context<'_>),
}

impl<B: Clone + 'static> Keyed for Mapped<B> {
    #[inline(always)]
    fn call(&mut self, key: &'static str, cx: &mut Context<'_>) {
        let key = std::hint::black_box(key);
        let known = self.map.get(key).map(|breaker| breaker.clone());
        let breaker = known.unwrap_or_else(|| {
            let made = self.map.entry(key.into()).or_insert_with(self.make);
            made.clone()
        });
        (self.call)(&breaker, cx);
    }
}
