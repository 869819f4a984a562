//! Tells observers, subscribers and `tracing` what happened, in order and outside every lock.

use std::{
    any::Any,
    collections::VecDeque,
    fmt,
    num::NonZeroU128,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use tokio::sync::broadcast;

use super::{
    Cause, ServiceName,
    clock::ClockSource,
    event::{CallRecord, Event, EventKind, Events, Observer, UserCode},
};
use crate::circuit::{OutcomeKind, State, Transition};

/// How many events a subscriber may be behind.
const CAPACITY: usize = 256;

/// How many events one call tells at most.
const AT_ONCE: u32 = 256;

/// How many events may wait to be told.
const WAITING: usize = 1024;

/// Says what a call failed with. Asked at most once, outside every lock, where somebody is told.
pub(crate) type Describe<'a> = &'a mut dyn FnMut() -> Option<Cause>;

/// What the breakers of one builder share: their clock, and whom they tell.
pub(crate) struct Hub {
    pub(super) clock: ClockSource,
    observers: Box<[Told]>,
    /// Whether any of them wants rejections.
    rejections_observed: bool,
    /// Made with the first subscriber.
    sender: OnceLock<broadcast::Sender<Event>>,
    /// Events in the order they happened. Pushed under the lock of a circuit, told outside of it.
    outbox: Mutex<Outbox>,
    pending: AtomicUsize,
    telling: AtomicBool,
    panic_reported: AtomicBool,
}

/// An observer, and what it said when it was asked.
struct Told {
    observer: Box<dyn Observer>,
    wants_rejections: bool,
}

impl Told {
    fn new(observer: Box<dyn Observer>) -> Self {
        Self { wants_rejections: observer.wants_rejections(), observer }
    }

    fn wants(&self, kind: &EventKind) -> bool {
        self.wants_rejections || !matches!(kind, EventKind::Rejected(_))
    }
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
            let kind = EventKind::Dropped { events: 1 };
            self.dropped = Some(Event { kind, trace_id: None, cause: None, ..event });
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
        let observers: Box<[Told]> = observers.into_iter().map(Told::new).collect();
        Arc::new(Self {
            clock,
            rejections_observed: observers.iter().any(|told| told.wants_rejections),
            observers,
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
        !self.observers.is_empty() || self.has_subscribers()
    }

    /// Whether anybody wants to know of rejections.
    #[inline(always)]
    pub(super) fn wants_rejections(&self) -> bool {
        self.rejections_observed || self.has_subscribers()
    }

    #[inline(always)]
    fn has_subscribers(&self) -> bool {
        self.sender.get().is_some_and(|sender| sender.receiver_count() > 0)
    }

    /// Whether a bounded teller left events.
    #[inline(always)]
    pub(super) fn has_untold(&self) -> bool {
        self.pending.load(Ordering::Relaxed) > 0
    }

    /// Pushes what came of a call, on the thread that ended it.
    pub(super) fn push_call(
        &self,
        service: &ServiceName,
        record: CallRecord,
        describe: Describe<'_>,
    ) {
        let mut cause = None;
        if matches!(record.outcome, OutcomeKind::Failure | OutcomeKind::RateOnly) {
            self.guard(UserCode::Classifier, service, || cause = describe().map(Arc::new));
        }
        let mut trace_id = None;
        for Told { observer, .. } in &self.observers {
            self.guard(UserCode::Observer, service, || trace_id = observer.trace_id());
            if trace_id.is_some() {
                break;
            }
        }
        self.push_event(service, EventKind::Call(record), trace_id, cause);
    }

    pub(super) fn push(&self, service: &ServiceName, kind: EventKind) {
        self.push_event(service, kind, None, None);
    }

    fn push_event(
        &self,
        service: &ServiceName,
        kind: EventKind,
        trace_id: Option<NonZeroU128>,
        cause: Option<Arc<Cause>>,
    ) {
        let (service, at) = (service.clone(), self.clock.wall());
        let event = Event { service, at, kind, trace_id, cause };
        let mut outbox = self.outbox();
        outbox.push(event);
        self.pending.store(outbox.len(), Ordering::Release);
    }

    /// Tells what was pushed. One thread tells at a time, so that the order is kept; the others
    /// leave their events to it, and so does an observer that causes an event.
    ///
    /// It tells a bounded number: under a load that brings more than observers take, the next
    /// thread that comes goes on where this one stopped.
    pub(super) fn tell(&self) {
        let mut left = AT_ONCE;
        while left > 0 && self.pending.load(Ordering::Acquire) > 0 {
            if self.telling.swap(true, Ordering::AcqRel) {
                return;
            }
            let telling = Telling(&self.telling);
            while left > 0
                && let Some(event) = self.next()
            {
                self.tell_one(&event);
                left -= 1;
            }
            drop(telling);
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
            let trace = || trace(&event.service, transition);
            self.guard(UserCode::Subscriber, &event.service, trace);
        }
        for told in self.observers.iter().filter(|told| told.wants(&event.kind)) {
            self.guard(UserCode::Observer, &event.service, || told.observer.observe(event));
        }
        if let Some(sender) = self.sender.get() {
            // Nobody listens: nobody misses it.
            self.guard(UserCode::Subscriber, &event.service, || drop(sender.send(event.clone())));
        }
    }

    fn guard(&self, what: UserCode, service: &ServiceName, run: impl FnOnce()) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(run)) {
            report_panic(self, service, what, panic);
        }
    }
}

/// Says, also when it unwinds, that this thread tells no more.
struct Telling<'a>(&'a AtomicBool);

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        // A swap, not a store: it acquires what a thread pushed that found this one telling.
        self.0.swap(false, Ordering::AcqRel);
    }
}

/// Reports the first panic of user code, as an event and an error of `tracing`, and gets rid of what
/// was thrown. Does not unwind.
#[cold]
pub(crate) fn report_panic(
    hub: &Hub,
    service: &ServiceName,
    what: UserCode,
    panic: Box<dyn Any + Send>,
) {
    if !hub.panic_reported.swap(true, Ordering::AcqRel) {
        let message = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "a panic without a message".to_owned());
        // Not to a subscriber that has just panicked.
        if what != UserCode::Subscriber {
            dispose(catch_unwind(AssertUnwindSafe(|| {
                tracing::error!(service = %service, message, "{what} of a circuit breaker panicked");
            })));
        }
        hub.push(service, EventKind::Panicked { what, message });
    }
    dispose(Err(panic));
}

/// Drops what a panic threw, which may panic itself, and then is left where it is.
fn dispose(thrown: std::thread::Result<()>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(thrown))) {
        std::mem::forget(again);
    }
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
