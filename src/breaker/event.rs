//! What a breaker tells about itself.

use std::{
    error::Error,
    fmt,
    num::NonZeroU128,
    sync::Arc,
    time::{Duration, SystemTime},
};

use tokio::sync::broadcast;

use super::{Cause, Rejected, ServiceName};
use crate::circuit::{OutcomeKind, Transition};

/// Something that happened to a breaker.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Event {
    /// What the breaker protects.
    pub service: ServiceName,
    /// When, by the wall clock. For people: order and durations come from elsewhere.
    pub at: SystemTime,
    /// What.
    pub kind: EventKind,
    /// The trace that a call belonged to, where an observer [finds](Observer::trace_id) it.
    pub trace_id: Option<NonZeroU128>,
    /// What a call failed with, where the one who ended it says so: a classifier, by
    /// [`describe`](crate::Classify::describe).
    pub cause: Option<Arc<Cause>>,
}

/// What happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum EventKind {
    /// The state changed, or the circuit was reset.
    Transition(Transition),
    /// A call ended that was not a plain success in closed: failed, slow, a probe, or late.
    Call(CallRecord),
    /// A call was rejected.
    Rejected(Rejected),
    /// The open time is over and a call asked, but the breaker waits for leave to probe: see
    /// [`Gate::Granted`](crate::circuit::Gate::Granted). Told once until it is answered.
    GrantRequested,
    /// New settings were put in force.
    SettingsChanged {
        /// They are live settings that a registry shares: whoever set them commits an event of it,
        /// with who and what.
        shared: bool,
    },
    /// Events were dropped, because observers took longer than events came: 1,024 wait at most.
    Dropped {
        /// How many since the event before this one.
        events: u64,
    },
    /// The user's code panicked. Told once for each breaker or map.
    Panicked {
        /// Which code.
        what: UserCode,
        /// What it said.
        message: String,
    },
}

/// Code of the user's that a breaker runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UserCode {
    /// A classifier.
    Classifier,
    /// An observer.
    Observer,
    /// What a map calls with each new circuit.
    OnCreate,
    /// A subscriber of `tracing`, or the waker of a reader of [`Events`].
    Subscriber,
}

impl fmt::Display for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Classifier => "a classifier",
            Self::Observer => "an observer",
            Self::OnCreate => "an on_create hook",
            Self::Subscriber => "a subscriber",
        })
    }
}

/// A call that ended other than as a plain success in closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallRecord {
    /// What the call was classified as.
    pub outcome: OutcomeKind,
    /// Whether it was slow, where that is looked at.
    pub slow: bool,
    /// Whether it was a probe.
    pub probe: bool,
    /// Whether it came after its generation had ended and decided nothing.
    pub late: bool,
    /// How long it took, where anybody had to know.
    pub elapsed: Option<Duration>,
    /// The generation it was admitted under.
    pub generation: u64,
    /// How many calls had been admitted when it ended: its place among them, without the effect of
    /// how busy the service was.
    pub admitted: u64,
}

/// Is told of every event at once, on the thread that caused it or on one that is already telling.
///
/// It runs outside every lock: it may use the breaker that it is told of. It should return soon,
/// since a call waits for it, and tells what other calls bring meanwhile, up to 256 events; hand
/// slow work to a task. A panic is caught and reported once.
pub trait Observer: Send + Sync + 'static {
    /// Is told of an event.
    fn observe(&self, event: &Event);

    /// Whether it is to be told of rejections, which come at the rate of the calls while a circuit
    /// is open. Asked once, when the breaker or map is built. Default: yes.
    ///
    /// Where no observer wants them, and nobody has subscribed, a rejection is only counted, in
    /// [`Breaker::rejected`](super::Breaker::rejected): it costs what it costs unobserved.
    fn wants_rejections(&self) -> bool {
        true
    }

    /// The trace that the running thread works for. Asked when a call has ended that it will be told
    /// of, on the thread that ended it, outside every lock; of several observers the first one that
    /// knows. Default: none.
    fn trace_id(&self) -> Option<NonZeroU128> {
        None
    }
}

impl<F: Fn(&Event) + Send + Sync + 'static> Observer for F {
    fn observe(&self, event: &Event) {
        self(event);
    }
}

/// A stream of the events from now on, from [`Breaker::subscribe`](super::Breaker::subscribe).
///
/// Bounded: a reader that is 256 events behind is told how many it missed and goes on with the
/// oldest that is left.
#[derive(Debug)]
pub struct Events(pub(super) broadcast::Receiver<Event>);

impl Events {
    /// The next event. Cancel safe: an event is not lost if the future is dropped.
    ///
    /// # Errors
    ///
    /// [`EventsError::Missed`] once after falling behind, [`EventsError::Closed`] when the breaker
    /// and all its clones are gone.
    pub async fn recv(&mut self) -> Result<Event, EventsError> {
        self.0.recv().await.map_err(|error| match error {
            broadcast::error::RecvError::Lagged(missed) => EventsError::Missed(missed),
            broadcast::error::RecvError::Closed => EventsError::Closed,
        })
    }

    /// The next event, if there is one already.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub fn try_recv(&mut self) -> Result<Option<Event>, EventsError> {
        match self.0.try_recv() {
            Ok(event) => Ok(Some(event)),
            Err(broadcast::error::TryRecvError::Empty) => Ok(None),
            Err(broadcast::error::TryRecvError::Lagged(missed)) => Err(EventsError::Missed(missed)),
            Err(broadcast::error::TryRecvError::Closed) => Err(EventsError::Closed),
        }
    }
}

/// Why there is no next event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventsError {
    /// The reader was too slow: so many events were passed over.
    Missed(u64),
    /// The breaker is gone.
    Closed,
}

impl fmt::Display for EventsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missed(missed) => write!(f, "{missed} events were missed"),
            Self::Closed => f.write_str("the breaker is gone"),
        }
    }
}

impl Error for EventsError {}
