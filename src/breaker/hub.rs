//! Tells observers, subscribers and `tracing` what happened, in order and outside every lock.

use std::{
    any::Any,
    collections::VecDeque,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use tokio::sync::broadcast;

use super::{
    ServiceName,
    clock::ClockSource,
    event::{Event, EventKind, Events, Observer},
};
use crate::circuit::{State, Transition};

/// How many events a subscriber may be behind.
const CAPACITY: usize = 256;

/// How many events may wait to be told.
const WAITING: usize = 1024;

/// What the breakers of one builder share: their clock, and whom they tell.
pub(crate) struct Hub {
    pub(super) clock: ClockSource,
    observers: Box<[Box<dyn Observer>]>,
    /// Made with the first subscriber.
    sender: OnceLock<broadcast::Sender<Event>>,
    /// Events in the order they happened. Pushed under the lock of a circuit, told outside of it.
    outbox: Mutex<Outbox>,
    pending: AtomicUsize,
    telling: AtomicBool,
    panic_reported: AtomicBool,
}

/// Events that wait to be told.
#[derive(Default)]
struct Outbox {
    events: VecDeque<Event>,
    /// Tells how many events found no place, from the first of them on.
    dropped: Option<Event>,
}

impl Outbox {
    fn push(&mut self, event: Event) {
        if self.events.len() < WAITING {
            self.events.extend(self.dropped.take());
            self.events.push_back(event);
        } else if let Some(Event { kind: EventKind::Dropped { events }, .. }) = &mut self.dropped {
            *events += 1;
        } else {
            self.dropped = Some(Event { kind: EventKind::Dropped { events: 1 }, ..event });
        }
    }

    fn pop(&mut self) -> Option<Event> {
        self.events.pop_front().or_else(|| self.dropped.take())
    }

    fn len(&self) -> usize {
        self.events.len() + usize::from(self.dropped.is_some())
    }
}

impl Hub {
    pub(super) fn new(clock: ClockSource, observers: Vec<Box<dyn Observer>>) -> Arc<Self> {
        Arc::new(Self {
            clock,
            observers: observers.into(),
            sender: OnceLock::new(),
            outbox: Mutex::default(),
            pending: AtomicUsize::new(0),
            telling: AtomicBool::new(false),
            panic_reported: AtomicBool::new(false),
        })
    }

    pub(super) fn subscribe(&self) -> Events {
        Events(self.sender.get_or_init(|| broadcast::channel(CAPACITY).0).subscribe())
    }

    /// Whether anybody wants to know of more than transitions.
    #[inline(always)]
    pub(super) fn is_watched(&self) -> bool {
        !self.observers.is_empty()
            || self.sender.get().is_some_and(|sender| sender.receiver_count() > 0)
    }

    pub(super) fn push(&self, service: &ServiceName, kind: EventKind) {
        let event = Event { service: service.clone(), at: self.clock.wall(), kind };
        let mut outbox = self.outbox();
        outbox.push(event);
        self.pending.store(outbox.len(), Ordering::Release);
    }

    /// Tells what was pushed. One thread tells at a time, so that the order is kept; the others
    /// leave their events to it, and so does an observer that causes an event.
    pub(super) fn tell(&self) {
        while self.pending.load(Ordering::Acquire) > 0 {
            if self.telling.swap(true, Ordering::AcqRel) {
                return;
            }
            while let Some(event) = self.next() {
                self.tell_one(&event);
            }
            // A swap, not a store: it acquires what a thread pushed that found this one telling.
            self.telling.swap(false, Ordering::AcqRel);
        }
    }

    fn next(&self) -> Option<Event> {
        let mut outbox = self.outbox();
        let event = outbox.pop();
        self.pending.store(outbox.len(), Ordering::Release);
        event
    }

    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell_one(&self, event: &Event) {
        if let EventKind::Transition(transition) = &event.kind {
            self.guard("tracing subscriber", &event.service, || trace(&event.service, transition));
        }
        for observer in &self.observers {
            self.guard("observer", &event.service, || observer.observe(event));
        }
        if let Some(sender) = self.sender.get() {
            // Nobody listens: nobody misses it.
            let _ = sender.send(event.clone());
        }
    }

    fn guard(&self, what: &'static str, service: &ServiceName, run: impl FnOnce()) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(run)) {
            report_panic(self, service, what, &*panic);
        }
    }
}

/// Reports the first panic of user code, as an event and an error of `tracing`.
#[cold]
pub(crate) fn report_panic(
    hub: &Hub,
    service: &ServiceName,
    what: &'static str,
    panic: &(dyn Any + Send),
) {
    if hub.panic_reported.swap(true, Ordering::AcqRel) {
        return;
    }
    let message = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned());
    if what != "tracing subscriber" {
        tracing::error!(service = %service, message, "{what} of a circuit breaker panicked");
    }
    hub.push(service, EventKind::Panicked { what, message });
}

fn trace(service: &ServiceName, transition: &Transition) {
    let Transition { from, to, generation, version, reason, open_for, .. } = *transition;
    macro_rules! trace {
        ($level:ident) => {
            tracing::$level!(
                service = %service,
                from = from.as_str(),
                to = to.as_str(),
                reason = reason.as_str(),
                generation,
                version = %version,
                open_for = open_for.map(tracing::field::debug),
                "circuit breaker: {reason}",
            )
        };
    }
    match to {
        State::Open | State::ForcedOpen => trace!(warn),
        _ => trace!(info),
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("clock", &self.clock)
            .field("observers", &self.observers.len())
            .finish_non_exhaustive()
    }
}
